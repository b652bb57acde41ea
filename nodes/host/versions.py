"""What differs between the versions of the host that this pack runs in, 0.16 and newer; nothing else asks for versions."""

import inspect
from collections.abc import Mapping
from typing import Any

import comfy.model_base
import comfy.model_management as memory
import comfy.sample
from torch import Tensor

SCALES_TAKEN = len(inspect.signature(comfy.sample.fix_empty_latent_channels).parameters) - 2  # fewer before 0.18


def is_out_of_memory(error: Exception) -> bool:
    return memory.is_oom(error) if hasattr(memory, "is_oom") else isinstance(error, memory.OOM_EXCEPTION)


def as_sampled_by_ksampler(samples: Any) -> Any:
    """Latents in the type that the host's KSampler hands on; older hosts keep the sampler's."""
    return samples.to(dtype=memory.intermediate_dtype()) if hasattr(memory, "intermediate_dtype") else samples


def with_channels_of(patcher: Any, latent: Mapping[str, Any]) -> Tensor:
    """An empty latent's samples in the shape that the model takes."""
    scales = (latent.get("downscale_ratio_spacial"), latent.get("downscale_ratio_temporal"))[:SCALES_TAKEN]
    return comfy.sample.fix_empty_latent_channels(patcher, latent["samples"], *scales)


def running(queue: Any) -> list[Any]:
    """The prompts that run now, without a copy of all that wait, which only older hosts have to make."""
    return getattr(queue, "get_current_queue_volatile", queue.get_current_queue)()[0]


def is_one_of(model: Any, names: tuple[str, ...]) -> bool:
    """Whether it is of one of these classes of the host, which older hosts may lack."""
    return isinstance(model, tuple(getattr(comfy.model_base, name) for name in names if hasattr(comfy.model_base, name)))
