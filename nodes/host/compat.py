"""What differs between the versions of the host that this pack runs in, 0.16 and newer; nothing else asks for
versions.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import comfy.model_base
import comfy.model_management as memory
import comfy.sample
import comfy.sd
from comfy_execution.utils import get_executing_context
from torch import Tensor

import nodes as host_nodes

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


def decoded_scale(vae: Any) -> tuple[int, int]:
    """Pixels per latent pixel along a side, and frames per latent frame; those of most VAEs where it does not say."""
    if not isinstance(vae, comfy.sd.VAE):
        return 8, 4
    side: Any = vae.spacial_compression_decode()
    return int(side), int(vae.temporal_compression_decode() or 4)


def running_entries(queue: Any) -> list[Any]:
    """The prompts that run now, without a copy of all that wait, which only older hosts have to make."""
    return getattr(queue, "get_current_queue_volatile", queue.get_current_queue)()[0]


def running_prompt() -> str:
    """The prompt that is being executed, or ""."""
    context = get_executing_context()
    return context.prompt_id if context else ""


def node_classes() -> dict[str, Any]:
    """All node classes of the host and of its packs, by name, as they are now."""
    mappings: dict[str, Any] = vars(host_nodes)["NODE_CLASS_MAPPINGS"]
    return mappings


def host_node(name: str) -> Any:
    """The class of a node of the host, to do what it does."""
    return node_classes()[name]


def is_one_of(model: Any, names: tuple[str, ...]) -> bool:
    """Whether it is of one of these classes of the host, which older hosts may lack."""
    return isinstance(
        model, tuple(getattr(comfy.model_base, name) for name in names if hasattr(comfy.model_base, name))
    )
