"""What may share a batch: the one rule, and stochastic samplers whose rows each get the noise that the stock sampler
draws for their seed alone.

Pictures are sampled together only where everything that touches them is known to treat each row by itself. What is not
known is sampled one picture at a time, seeded as the host does it: slower, and the same picture as ever.
"""

import functools
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import comfy.controlnet
import comfy.k_diffusion.sampling as k_diffusion
import comfy.samplers
import comfy_extras
import torch
from torch import Tensor

from .families import takes_one_row
from .noise import OurNoise

# Conditioning whose own noise is drawn from the sampling seed, for the whole batch at once.
SEEDED_CONDITIONING = (
    "unclip_conditioning",
    "noise_augmentation",
    "minimax_visual_cond_noise_aug",
    "minimax_audio_cond_noise_aug",
)
# Samplers that choose their steps by the error of the whole batch, or draw for the whole batch from a seed of their
# own.
COUPLED = ("dpm_adaptive_function", "sample_ar_video")
# Samplers whose stock noise is a Brownian tree over the noise levels; where the tree lives (host memory or not) is part
# of its values.
TREES_ON_CPU = {
    "sample_dpmpp_sde": True,
    "sample_dpmpp_2m_sde": True,
    "sample_dpmpp_2m_sde_heun": True,
    "sample_dpmpp_3m_sde": True,
    "sample_dpmpp_sde_gpu": False,
    "sample_dpmpp_2m_sde_gpu": False,
    "sample_dpmpp_2m_sde_heun_gpu": False,
    "sample_dpmpp_3m_sde_gpu": False,
}
# Files of the host whose patches were read, and work on every row by itself. Not among them, for a reason:
# nodes_mahiro and nodes_perpneg (a mean over the batch), nodes_tomesd and nodes_hypertile (draw from the global
# generator), nodes_easycache (skip steps by the mean change), nodes_eps and nodes_lumina2 (fail with more than one
# row), nodes_context_windows (FreeNoise shuffles the batch), nodes_flux (keeps keys of earlier calls);
# nodes_model_patch and nodes_wan were not gone through.
BY_ROW = (
    "nodes_advanced_samplers",
    "nodes_apg",
    "nodes_cfg",
    "nodes_chroma_radiance",
    "nodes_custom_sampler",
    "nodes_differential_diffusion",
    "nodes_freelunch",
    "nodes_fresca",
    "nodes_hidream_o1",
    "nodes_hooks",
    "nodes_hypernetwork",
    "nodes_latent",
    "nodes_lt",
    "nodes_minimax_h3",
    "nodes_model_advanced",
    "nodes_model_downscale",
    "nodes_nag",
    "nodes_pag",
    "nodes_rope",
    "nodes_sag",
    "nodes_slg",
    "nodes_tcfg",
    "nodes_torch_compile",
    "nodes_video_model",
)
NOT_BY_ROW = ("comfy.context_windows",)  # of the host's own package, all of which else is
LIBRARIES = ("torch", "comfy_api", "functools", "builtins", "einops", "_functools", "operator")
# an attribute with which another pack's function or class says that it works on every row by itself
BY_ROW_SAYS = "noise_search_by_row"
# of a patcher, where a function may wait
PLACES = ("model_options", "object_patches", "wrappers", "callbacks", "injections", "additional_models")

NoiseSampler = Callable[[Tensor, Tensor], Tensor]


def alone(sampling: Any) -> str:
    """Why pictures of this setup are sampled one at a time; "" where they may share a batch."""
    guiders = [sampling.guider.high, sampling.guider.low] if hasattr(sampling.guider, "high") else [sampling.guider]
    others = [getattr(sampling.guider, "sampler_low", None)]
    if sampling.second:
        guiders += [sampling.second.guider] if sampling.second.guider is not None else []
        others.append(sampling.second.sampler)
    samplers = [sampling.sampler, *(sampler for sampler in others if sampler is not None)]
    for sampler in samplers:
        if not is_row_by_row(sampler, sampling.mask is not None):
            return (
                f"the sampler {function_name(getattr(sampler, 'sampler_function', sampler))} makes the pictures of a"
                " batch depend on each other, or may"
            )
    for guider in guiders:
        if takes_one_row(guider.model_patcher):
            return f"{type(guider.model_patcher.model).__name__}, or what is put on it, takes one picture"
        if not is_known(type(guider)):
            return (
                f"the guider {function_name(type(guider))} makes the pictures of a batch depend on each other, or may"
            )
        if has_seeded_conditioning(guider):
            return "its conditioning draws noise of its own"
        if foreign := next((one for one in put_on(guider) if not is_known(one)), None):
            return (
                f"{function_name(foreign)}, which is put on the model, makes the pictures of a batch depend on each"
                " other, or may"
            )
    return ""


def has_seeded_conditioning(guider: Any) -> bool:
    """Whether the model draws noise for its conditioning from the sampling seed, once for a whole batch."""
    entries = [entry for entries in getattr(guider, "original_conds", {}).values() for entry in entries]
    return any(entry.get(key) for entry in entries for key in SEEDED_CONDITIONING)


def put_on(guider: Any) -> Iterator[Any]:
    """All functions, and classes of objects that can be called, on the way from noise to picture: on the model and in
    its conditioning.
    """
    patcher = guider.model_patcher
    entries = [entry for entries in getattr(guider, "original_conds", {}).values() for entry in entries]
    yield from functions_in(
        [*(getattr(patcher, name, None) for name in PLACES), getattr(guider, "model_options", None)], set()
    )
    for entry in entries:
        control = entry.get("control")
        while control is not None:
            yield type(control)
            control = getattr(control, "previous_controlnet", None)


def functions_in(value: Any, seen: set[int]) -> Iterator[Any]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        for part in value.values():
            yield from functions_in(part, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from functions_in(part, seen)
    elif isinstance(value, functools.partial):
        yield from functions_in([value.func, value.args, value.keywords], seen)
    elif isinstance(value, types.MethodType):
        yield from functions_in([value.__func__, value.__self__], seen)
    elif isinstance(value, types.FunctionType):
        yield value
        yield from functions_in([cell_of(cell) for cell in value.__closure__ or ()], seen)
    elif callable(value) and not isinstance(value, type | types.BuiltinFunctionType):
        yield type(value)


def cell_of(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def is_known(function: Any) -> bool:
    """Whether a function or class is of the host or a library, and of those parts that treat every row by itself."""
    if getattr(function, BY_ROW_SAYS, False):
        return True
    module = getattr(function, "__module__", None) or ""
    if module.partition(".")[0] in LIBRARIES:
        return True
    if module.partition(".")[0] == "comfy":
        return module not in NOT_BY_ROW
    file = getattr(sys.modules.get(module), "__file__", None) or getattr(
        getattr(function, "__code__", None), "co_filename", ""
    )
    folder, name = os.path.split(os.path.splitext(file)[0])
    return name in BY_ROW and os.path.realpath(folder) in map(os.path.realpath, comfy_extras.__path__)


def function_name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__)).replace(".<locals>", "")


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

    found: Any = comfy.samplers.KSAMPLER(sample_rows, sampler.extra_options, sampler.inpaint_options)
    found.noise_search_stock = sampler
    return found


def per_row(sampler: Any, noise: Any) -> Any:
    """The sampler for a batch of candidates of a NOISE of this pack, each row with the noise that it gets alone.

    Raises:
        ValueError: If the NOISE does not say what its rows draw from, or the sampler's rows cannot be told apart.
    """
    if not isinstance(noise, OurNoise):
        raise ValueError(
            "noise must come from a node of Noise Search, whose candidates have seeds of their own, got"
            f" {type(noise).__name__}"
        )
    seeds = noise.sampler_seeds
    if not is_row_by_row(sampler, masked=True):
        raise ValueError(
            "sampler must be one of ComfyUI's whose rows do not depend on each other, got"
            f" {function_name(getattr(sampler, 'sampler_function', sampler))}: sample one picture at a time with it"
        )

    def sample_rows(model: Any, x: Tensor, sigmas: Tensor, **arguments: Any) -> Tensor:
        if len(x) > len(seeds):
            raise ValueError(
                f"noise must hold at least one candidate per latent: the latent batch has {len(x)} rows, noise holds"
                f" {len(seeds)}"
            )
        return with_row_noise(sampler, seeds[: len(x)]).sampler_function(model, x, sigmas, **arguments)

    return comfy.samplers.KSAMPLER(sample_rows, sampler.extra_options, sampler.inpaint_options)


def stock(sampler: Any) -> Any:
    """The sampler that `with_row_noise` was given."""
    return getattr(sampler, "noise_search_stock", sampler)


def row_noise(function: Callable, x: Tensor, sigmas: Tensor, seeds: Sequence[int]) -> NoiseSampler:
    if function.__name__ in TREES_ON_CPU:
        low, high = sigmas[sigmas > 0].min(), sigmas.max()
        on_cpu = TREES_ON_CPU[function.__name__]
        return k_diffusion.BrownianTreeNoiseSampler(x, low, high, seed=list(seeds), cpu=on_cpu)
    samplers = [k_diffusion.default_noise_sampler(x[row : row + 1], seed=seed) for row, seed in enumerate(seeds)]
    return lambda sigma, sigma_next: torch.cat([sample(sigma, sigma_next) for sample in samplers])
