"""Where a piece of a trajectory begins: from its own state, while the host sees what it sees in the whole run.

Under an inpainting mask the host derives three things from a run: the latent of what is kept, the noise on it, and the
noise levels (Differential Diffusion compares the mask with them). A piece that goes on from a state in between is given
those of the whole run, and starts from its state.
"""

from collections.abc import Callable
from typing import Any

import comfy.samplers
import comfy.utils
import torch
from torch import Tensor

from .noise import Latent, streams
from .particles import Particles


def can_begin(sampler: Any) -> bool:
    """Whether a run of this sampler can begin from a given state."""
    return isinstance(sampler, comfy.samplers.KSAMPLER)


def begun(sampler: Any, particles: Particles, whole: Tensor) -> Any:
    """The sampler, which goes on from `particles` instead of from the noise and latent that the host gives it.

    Args:
        whole: Noise levels of the whole run, `(steps + 1,)`, for what depends on them.
    """
    function = sampler.sampler_function

    def sample(model: Any, x: Tensor, sigmas: Tensor, **arguments: Any) -> Tensor:
        model.sigmas = whole.to(sigmas)
        return function(model, state(model.inner_model, particles, sampler, sigmas).to(x), sigmas, **arguments)

    found = type(sampler)(sample, sampler.extra_options, sampler.inpaint_options)
    found.noise_search_begun = (sampler, particles, whole)
    return found


def continued(sampler: Any) -> Any:
    """The sampler that `begun` was given: what goes on after the piece has begun."""
    return getattr(sampler, "noise_search_begun", (sampler,))[0]


def changed(sampler: Any, change: Callable[[Any], Any]) -> Any:
    """The sampler after a change, which begins where it began."""
    _, *where = getattr(sampler, "noise_search_begun", (sampler,))
    return begun(change(continued(sampler)), *where) if where else change(sampler)


def state(guider: Any, particles: Particles, sampler: Any, sigmas: Tensor) -> Tensor:
    """The noised latents `(n, …)` in the model's units, packed where they have several streams: what the host makes of
    noise and latent.
    """
    model = guider.inner_model
    noise, latent = (
        packed(part).to(device=sigmas.device, dtype=torch.float32) for part in (particles.eps, particles.x0)
    )
    if torch.count_nonzero(latent) > 0:
        latent = model.process_latent_in(latent)
    return model.model_sampling.noise_scaling(sigmas[0], noise, latent, sampler.max_denoise(guider, sigmas))


def packed(latent: Latent) -> Tensor:
    parts = streams(latent)
    packed_parts: Any = comfy.utils.pack_latents(parts) if len(parts) > 1 else parts
    return packed_parts[0]
