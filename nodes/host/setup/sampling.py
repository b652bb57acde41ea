"""How a noise becomes a picture: the value on the SAMPLING socket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.model_sampling
import comfy.samplers
import torch
from torch import Tensor

from ....search.noise import Shape
from ....search.path import Schedule
from ..compat import with_channels_of
from ..graph.prompt_text import TracedPrompt
from .families import check_family, whole_only
from .noise import Latent, joined, shapes_of, streams
from .two_stage import Hires, PairGuider, guider_with

UNCUTTABLE = (comfy.model_sampling.IMG_TO_IMG, comfy.model_sampling.IMG_TO_IMG_FLOW)
# Conditioning with one row per picture, whatever the latent's dimensions.
PER_PICTURE = ("cross_attn", "pooled_output", "attention_mask")


@dataclass(frozen=True, eq=False)
class Sampling:
    """Immutable: the host keeps socket values between prompts.

    Args:
        guider: Any GUIDER; a copy with its conditioning cut to one picture.
        sampler: Any SAMPLER.
        sigmas: Noise levels, `(steps + 1,)`, descending.
        latent: The LATENT it starts from, batch 1, channels already those of the model.
        vae: Decodes latents into pictures.
        prompt: Text of the positive prompt, or why the graph does not tell.
        batch: Pictures sampled together; 0 = as many as fit.
        settings: What a recipe says about how it was found.
        intermediate_type: Latents leave in the host's intermediate type, as KSampler's do (SamplerCustomAdvanced's do
            not).
        notes: What the artist should know about it.
        hires: A second pass over the enlarged picture, or None.
    """

    guider: Any
    sampler: Any
    sigmas: Tensor
    latent: Mapping[str, Any]
    vae: Any
    prompt: TracedPrompt = TracedPrompt()
    batch: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    intermediate_type: bool = False
    notes: tuple[str, ...] = ()
    hires: Hires | None = None

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return shapes_of(self.latent["samples"])

    @property
    def finished_shapes(self) -> tuple[Shape, ...]:
        """Of finished latents: larger ones where there is a hires pass."""
        latent = self.latent["samples"]
        return shapes_of(self.hires.enlarged(latent) if self.hires else latent)

    @property
    def sampler_name(self) -> str:
        return getattr(getattr(self.sampler, "sampler_function", None), "__name__", "this sampler").removeprefix(
            "sample_"
        )

    @property
    def has_path(self) -> bool:
        """Whether pictures come from noise by way of noise levels, all the way down, so that there is something to
        cut.
        """
        return not self.pathless

    @property
    def pathless(self) -> str:
        """Why there is no path to be searched along; "" where there is one."""
        model = self.guider.model_patcher
        if isinstance(model.get_model_object("model_sampling"), UNCUTTABLE):
            return (
                "a model that makes pictures from noise, got one that changes a picture into another"
                f" ({type(model.model).__name__})"
            )
        if reason := whole_only(model):
            return reason
        if isinstance(self.guider, PairGuider) and self.mask is not None:
            return (
                "a setup of two models without an inpainting mask, because the host masks each model's part as a run of"
                " its own"
            )
        if self.hires is not None:
            return (
                "a setup without a hires pass, because that can only be judged as a whole (Random, Zero-Order or Local"
                " Search can)"
            )
        if self.sigmas[-1] != 0:
            return f"sigmas that go down to 0, got {self.sigmas[-1]:g} at the end"
        return ""

    @property
    def flow(self) -> bool:
        """Whether the model's states are `(1 - sigma) x0 + sigma eps`; otherwise they are `x0 + sigma eps`."""
        return isinstance(self.guider.model_patcher.get_model_object("model_sampling"), comfy.model_sampling.CONST)

    @property
    def schedule(self) -> Schedule:
        """The noise levels, for searches along the path.

        Raises:
            ValueError: If the levels do not go down to 0, or the model's states cannot be cut.
        """
        if self.pathless:
            raise ValueError(f"sampling along the path needs {self.pathless}")
        return Schedule(tuple(self.sigmas.tolist()), self.flow)

    @property
    def mask(self) -> Any:
        """The inpainting mask that the host uses for a batch of one, or None."""
        mask = self.latent.get("noise_mask")
        if mask is None or getattr(mask, "is_nested", False) or streams(self.latent["samples"])[0].ndim != 4:
            return mask
        return mask.reshape((-1, 1, *mask.shape[-2:]))[:1]


def from_ksampler(
    model: Any,
    positive: list,
    negative: list,
    latent: dict,
    vae: Any,
    *,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    denoise: float,
    prompt: TracedPrompt = TracedPrompt(),
    batch: int = 0,
) -> Sampling:
    """What KSampler does with these inputs, as a Sampling."""
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    schedule = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler=sampler_name,
        scheduler=scheduler,
        denoise=denoise,
        model_options=model.model_options,
    )
    settings = {"steps": steps, "cfg": cfg, "sampler": sampler_name, "scheduler": scheduler, "denoise": denoise}
    return prepared(
        guider,
        comfy.samplers.sampler_object(sampler_name),
        schedule.sigmas,
        latent,
        vae,
        prompt=prompt,
        batch=batch,
        settings=settings,
        intermediate_type=True,
    )


def from_pair(
    models: Sequence[Any],
    conditions: Sequence[tuple[list, list]],
    latent: dict,
    vae: Any,
    *,
    steps: int,
    switch: int,
    cfgs: Sequence[float],
    sampler_name: str,
    scheduler: str,
    prompt: TracedPrompt = TracedPrompt(),
    batch: int = 0,
    seed_low: int | None = None,
) -> Sampling:
    """What two KSampler (Advanced) nodes do, the second one from step `switch` on, as a Sampling.

    Args:
        models: The one for high noise, which also makes the schedule, and the one for low noise.
        conditions: Positive and negative of each.
        cfgs: Of each.
        seed_low: Of the second node's sampler; None for the first one's.
    """
    if not 1 <= switch < steps:
        raise ValueError(f"switch_step must be between 1 and steps - 1 ({steps - 1}), got {switch}")
    first, second = (
        from_ksampler(
            model,
            *condition,
            latent,
            vae,
            steps=steps,
            cfg=cfg,
            sampler_name=sampler_name,
            scheduler=scheduler,
            denoise=1.0,
            prompt=prompt,
            batch=batch,
        )
        for model, condition, cfg in zip(models, conditions, cfgs, strict=True)
    )
    if first.flow != second.flow or first.shapes != second.shapes:
        raise ValueError(
            "the two models must be of the same kind (the same latents and noise levels), got two different ones"
        )
    settings = {
        **first.settings,
        "switch": switch,
        "cfg_low": cfgs[1],
        **({} if seed_low is None else {"seed_low": str(seed_low)}),
    }
    return replace(
        first, guider=PairGuider(first.guider, second.guider, float(first.sigmas[switch]), seed_low), settings=settings
    )


def with_hires(
    sampling: Sampling, *, scale: float, method: str, steps: int, sampler_name: str, scheduler: str, denoise: float
) -> Sampling:
    """The setup with a second pass over the enlarged picture: what a latent upscale and another KSampler do."""
    patcher = sampling.guider.model_patcher
    schedule = comfy.samplers.KSampler(
        patcher,
        steps=steps,
        device=patcher.load_device,
        sampler=sampler_name,
        scheduler=scheduler,
        denoise=denoise,
        model_options=patcher.model_options,
    )
    if len(schedule.sigmas) < 2:
        raise ValueError(f"denoise must leave at least one step, got {denoise}")
    hires = Hires(scale, method, comfy.samplers.sampler_object(sampler_name), schedule.sigmas)
    settings = {**sampling.settings, "hires": [scale, method, steps, sampler_name, scheduler, denoise]}
    return replace(sampling, hires=hires, settings=settings)


def prepared(guider: Any, sampler: Any, sigmas: Tensor, latent: dict, vae: Any, **rest: Any) -> Sampling:
    """A Sampling of checked parts.

    Raises:
        ValueError: Where one of the parts cannot be searched with; the message names the input, the rule and the value.
    """
    if vae is None:
        raise ValueError("vae must be connected: the verifiers and the preview see decoded pictures, got none")
    check_family(guider.model_patcher, vae)
    if sigmas.shape[-1] < 2:
        raise ValueError(f"sigmas must hold at least one step, got {sigmas.shape[-1]} levels (is denoise 0?)")
    fixed = fixed_latent(guider.model_patcher, latent)
    planar = streams(fixed["samples"])[0].ndim == 4
    return Sampling(single_picture(guider, planar), sampler, sigmas.clone(), fixed, vae, notes=notes_on(latent), **rest)


def notes_on(latent: dict) -> tuple[str, ...]:
    if not any(latent.get("batch_index") or ()):
        return ()
    return (
        f"The latent's batch index {latent['batch_index'][0]} is ignored: every noise is the one of its seed alone.",
    )


def fixed_latent(patcher: Any, latent: dict) -> dict:
    """The latent with the model's own channels, as the host's samplers fix it."""
    samples = latent["samples"]
    rows = streams(samples)[0].shape[0]
    if rows != 1:
        raise ValueError(
            f"latent_image must hold one latent: the search makes its own batches, got a batch of {rows}. "
            "Set batch_size to 1 or pick one with Latent From Batch"
        )
    if any(not torch.isfinite(part).all() for part in streams(samples)):
        raise ValueError("latent_image must be finite, got NaN or infinite values")
    samples = with_channels_of(patcher, latent)
    kept = {key: value for key, value in latent.items() if not key.startswith(("downscale_ratio_", "batch_index"))}
    return {**kept, "samples": samples}


def single_picture(guider: Any, planar: bool) -> Any:
    """A copy of the guider whose conditioning is that of one picture, so that no row of a batch sees another's."""

    def cut(part: Any) -> Any:
        if hasattr(part, "original_conds"):
            part.original_conds = {
                name: [first_row(entry, planar) for entry in entries] for name, entries in part.original_conds.items()
            }
        return part

    return guider_with(guider, cut)


def first_row(entry: Mapping[str, Any], planar: bool) -> dict:
    """A conditioning entry cut to the row that the host uses for a batch of one. Frames of a video are not rows."""
    if planar:
        check_control(entry.get("control"))
    return {
        key: value[:1] if (planar or key in PER_PICTURE) and is_batch(value) else value for key, value in entry.items()
    }


def is_batch(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim > 1 and value.shape[0] > 1


def check_control(control: Any) -> None:
    while control is not None:
        hint = getattr(control, "cond_hint_original", None)
        if isinstance(hint, Tensor) and hint.ndim == 4 and hint.shape[0] > 1:
            raise ValueError(
                f"The ControlNet picture must be one picture, got a batch of {hint.shape[0]}: "
                "the host would give each candidate another one"
            )
        control = getattr(control, "previous_controlnet", None)


def repeated(latent: Latent, count: int) -> Latent:
    """A batch of `count` equal latents."""
    return joined([part.expand(count, *part.shape[1:]).contiguous() for part in streams(latent)])
