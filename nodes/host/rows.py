"""Stochastic samplers, row by row: each row of a batch gets the noise that the stock sampler draws for its seed alone."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import comfy.k_diffusion.sampling as k_diffusion
import comfy.samplers
import torch
from torch import Tensor

# Samplers that choose their steps by the error of the whole batch.
COUPLED = ("dpm_adaptive_function",)
# Samplers whose stock noise is a Brownian tree over the noise levels; where the tree lives (host memory or not) is part of its values.
TREES_ON_CPU = {"sample_dpmpp_sde": True, "sample_dpmpp_2m_sde": True, "sample_dpmpp_2m_sde_heun": True,
                "sample_dpmpp_3m_sde": True, "sample_dpmpp_sde_gpu": False, "sample_dpmpp_2m_sde_gpu": False,
                "sample_dpmpp_2m_sde_heun_gpu": False, "sample_dpmpp_3m_sde_gpu": False}

NoiseSampler = Callable[[Tensor, Tensor], Tensor]


def is_row_by_row(sampler: Any, masked: bool) -> bool:
    """Whether a batch of this sampler can be made of rows that do not depend on each other."""
    if type(sampler) is not comfy.samplers.KSAMPLER:
        return False
    function, options = sampler.sampler_function, sampler.extra_options
    if function.__name__ in COUPLED or options.get("s_churn", 0) > 0 or "noise_sampler" in options:
        return False
    if masked and sampler.inpaint_options.get("random", False):
        return False
    return function.__module__.startswith("comfy.")


def with_row_noise(sampler: Any, seeds: Sequence[int]) -> Any:
    """The same sampler, drawing the noise of row k from `seeds[k]`. Samplers that draw none come back unchanged."""
    function = sampler.sampler_function
    if "noise_sampler" not in inspect.signature(function).parameters:
        return sampler

    def sample_rows(model: Any, x: Tensor, sigmas: Tensor, **arguments: Any) -> Tensor:
        if len(sigmas) > 1:
            arguments["noise_sampler"] = row_noise(function, x, sigmas, seeds)
        return function(model, x, sigmas, **arguments)

    return comfy.samplers.KSAMPLER(sample_rows, sampler.extra_options, sampler.inpaint_options)


def row_noise(function: Callable, x: Tensor, sigmas: Tensor, seeds: Sequence[int]) -> NoiseSampler:
    if function.__name__ in TREES_ON_CPU:
        low, high = sigmas[sigmas > 0].min(), sigmas.max()
        on_cpu = TREES_ON_CPU[function.__name__]
        return k_diffusion.BrownianTreeNoiseSampler(x, low, high, seed=list(seeds), cpu=on_cpu)
    samplers = [k_diffusion.default_noise_sampler(x[row:row + 1], seed=seed) for row, seed in enumerate(seeds)]
    return lambda sigma, sigma_next: torch.cat([sample(sigma, sigma_next) for sample in samplers])
