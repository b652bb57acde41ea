"""Models, and patches on them, that cannot be searched, that can only be sampled whole, or one picture at a time."""

import inspect
from typing import Any

import comfy.model_sampling

from ..compat import is_one_of

FRAMES_ARE_ROWS = ("SVD_img2vid",)  # Stable Video Diffusion and what is made from it
ONE_ROW = ("MiniMaxH3",)


def check_family(patcher: Any, vae: Any) -> None:
    """Refuses what noise cannot be searched for.

    Args:
        patcher: The MODEL.
        vae: What decodes its latents.

    Raises:
        ValueError: With the input, the rule and what was given instead.
    """
    ignores_noise = isinstance(patcher.get_model_object("model_sampling"), comfy.model_sampling.IMG_TO_IMG_FLOW)
    if ignores_noise:
        raise ValueError(
            "model must make pictures from noise, got one that changes a picture into another, whatever the noise is "
            f"({type(patcher.model).__name__})"
        )
    if is_one_of(patcher.model, FRAMES_ARE_ROWS):
        raise ValueError(
            "model must keep the rows of a batch apart, got one whose rows are the frames of one video "
            f"({type(patcher.model).__name__})"
        )
    if getattr(vae, "latent_dim", 2) == 1 or getattr(vae, "output_channels", 3) == 2:
        what = "sound" if getattr(vae, "output_channels", 3) == 2 else "solid things"
        raise ValueError(f"vae must decode pictures or videos, which are what is judged and shown, got one for {what}")


def takes_one_row(patcher: Any) -> bool:
    """Whether pictures must be sampled one by one: the model refuses batches, or a patch on it would make them depend
    on each other.

    EasyCache and LazyCache skip steps by the mean change of a batch; FreeNoise shuffles a batch by the seed of its
    first row, and the windows of some models fit one row only.
    """
    options = patcher.model_options
    return (
        is_one_of(patcher.model, ONE_ROW)
        or "easycache" in options.get("transformer_options", {})
        or "context_handler" in options
    )


def whole_only(patcher: Any) -> str:
    """Why its way from noise to picture cannot be cut; "" where it can."""
    if frees_noise(patcher):
        return "context windows without FreeNoise, because that shuffles the noise wherever a part of the way begins"
    if any(has_momentum(function) for function in patcher.model_options.get("sampler_pre_cfg_function", ())):
        return (
            "Adaptive Projected Guidance with a momentum of 0, because it remembers the steps of whatever was sampled"
            " before"
        )
    return ""


def frees_noise(patcher: Any) -> bool:
    return bool(getattr(patcher.model_options.get("context_handler"), "freenoise", False))


def has_momentum(function: Any) -> bool:
    """Whether it is the host's Adaptive Projected Guidance with a momentum."""
    return function.__module__.endswith("nodes_apg") and bool(
        inspect.getclosurevars(function).nonlocals.get("momentum")
    )
