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
from ..graph.downstream import Shown
from ..graph.prompt_text import TracedPrompt
from .families import check_family, whole_only
from .noise import Latent, joined, shapes_of, streams
from .second_stage import Enlarging, FirstFrame, Resized, SecondStage, Upsampled
from .showing import Showing, guide_frames
from .two_stage import PairGuider, guider_with

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
        second: A second stage that goes on from what this one ends in, or None.
        showing: What of a latent is decoded, judged and shown.
        denoised: Whether the estimate of the last step leaves, `denoised_output` of the host's custom samplers, instead
            of the state that they end in.
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
    second: SecondStage | None = None
    showing: Showing = Showing()
    denoised: bool = False

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return shapes_of(self.latent["samples"])

    @property
    def finished_shapes(self) -> tuple[Shape, ...]:
        """Of finished latents: larger ones where there is a second stage."""
        return self.second.shapes(self.shapes) if self.second else self.shapes

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
        if isinstance(self.guider, PairGuider) and self.guider.sampler_low is not None:
            return "one sampler for both guiders, got two (leave sampler_low open where it is the same)"
        if self.second is not None:
            return (
                "a setup without a second stage, because that can only be judged as a whole (Random, Zero-Order or"
                " Local Search can)"
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
    showing: Showing = Showing(),
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
        showing=showing,
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
    showing: Showing = Showing(),
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
            showing=showing,
        )
        for model, condition, cfg in zip(models, conditions, cfgs, strict=True)
    )
    check_same_kind(first, second)
    settings = {
        **first.settings,
        "switch": switch,
        "cfg_low": cfgs[1],
        **({} if seed_low is None else {"seed_low": str(seed_low)}),
    }
    return replace(
        first, guider=PairGuider(first.guider, second.guider, float(first.sigmas[switch]), seed_low), settings=settings
    )


def from_guiders(
    guiders: Sequence[Any],
    samplers: Sequence[Any],
    schedules: Sequence[Tensor],
    latent: dict,
    vae: Any,
    *,
    seed_low: int,
    **rest: Any,
) -> Sampling:
    """What two SamplerCustomAdvanced nodes do, the second one without new noise on from where the first one ended, as a
    Sampling.

    Args:
        guiders: The one for high noise and the one for low noise.
        samplers: Of each; None for the second one's where it is the same.
        schedules: Of each; the second one begins at the level where the first one ends.
        seed_low: Of the second node's sampler.
    """
    high, low = schedules
    for name, part in (("sigmas_high", high), ("sigmas_low", low)):
        if part.shape[-1] < 2:
            raise ValueError(f"{name} must hold at least one step, got {part.shape[-1]} levels")
    if not 0 < float(high[-1]) == float(low[0]):
        raise ValueError(
            "sigmas_low must begin where sigmas_high ends, above 0 (Split Sigmas makes such a pair), got"
            f" sigmas_high that end at {float(high[-1]):g} and sigmas_low that begin at {float(low[0]):g}"
        )
    whole = torch.cat([high, low[1:]])
    settings = {
        "steps": len(whole) - 1,
        "sigma_max": round(float(whole[0]), 6),
        "switch": len(high) - 1,
        "seed_low": str(seed_low),
    }
    first, second = (prepared(guider, samplers[0], whole, latent, vae, settings=settings, **rest) for guider in guiders)
    check_same_kind(first, second)
    guider = PairGuider(first.guider, second.guider, float(high[-1]), seed_low, samplers[1])
    return replace(first, guider=guider)


def check_same_kind(first: Sampling, second: Sampling) -> None:
    """Refuses two models that cannot share a way down."""
    if first.flow != second.flow or first.shapes != second.shapes:
        raise ValueError(
            "the two models must be of the same kind (the same latents and noise levels), got two different ones"
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
    second = SecondStage(Resized(scale, method), comfy.samplers.sampler_object(sampler_name), schedule.sigmas)
    settings = {**sampling.settings, "hires": [scale, method, steps, sampler_name, scheduler, denoise]}
    return replace(one_stage(sampling), second=second, settings=settings)


def with_second_stage(
    sampling: Sampling,
    guider: Any,
    sampler: Any,
    sigmas: Tensor,
    *,
    enlarging: Enlarging,
    seed: int | None = None,
    image: Tensor | None = None,
    strength: float = 1.0,
    denoised: bool = False,
) -> Sampling:
    """The setup with a second stage: what an upscale of the latent and another SamplerCustomAdvanced do.

    Args:
        enlarging: How latents are made larger in between.
        seed: Of the second stage's noise; None for each picture's own.
        image: A picture that the enlarged video begins with, or None.
        strength: How much that is kept.
        denoised: Whether the second stage's `denoised_output` leaves.
    """
    first = one_stage(sampling)
    shape, patcher = first.shapes[0], guider.model_patcher
    check_family(patcher, sampling.vae)
    if sigmas.shape[-1] < 2:
        raise ValueError(f"sigmas must hold at least one step, got {sigmas.shape[-1]} levels (is denoise 0?)")
    video = len(shape) == 4
    if not video and (image is not None or isinstance(enlarging, Upsampled)):
        what = "first_frame" if image is not None else "upscale_model"
        raise ValueError(f"{what} must be for a setup that makes videos, got one that makes pictures")
    second = SecondStage(
        enlarging,
        sampler,
        sigmas.clone(),
        single_picture(guider, planar=not video),
        seed,
        guide_frames(first.guider, shape),
        None if image is None else FirstFrame(sampling.vae, image, strength),
        denoised,
    )
    told = {"steps": len(sigmas) - 1, "sigma_max": round(float(sigmas[0]), 6), "scale": enlarging.scale}
    told |= {} if seed is None else {"seed": str(seed)}
    return replace(first, second=second, settings={**sampling.settings, "second": told})


def one_stage(sampling: Sampling) -> Sampling:
    """The setup, which has no second stage yet."""
    if sampling.second is not None:
        raise ValueError("sampling must be a setup of one stage, got one that has a second stage already")
    return sampling


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


def as_shown(sampling: Sampling, shown: Shown | None) -> Sampling:
    """The setup, which shows of its latents what the workflow does, where nothing else is asked for.

    Args:
        shown: How the workflow makes pictures of what the search gives; None where it does not.
    """
    asked, second, guides = sampling.showing, sampling.second, (sampling.guider, sampling.shapes[0])
    if second is not None and second.guider is not None:  # then those of the first stage are cut off already
        guides = second.guider, sampling.finished_shapes[0]
    showing = asked.as_in(shown, guide_frames(*guides))
    showing.check(sampling.finished_shapes[0])
    problems = (shown.problem,) if shown and shown.problem and asked.first is None else ()
    return replace(sampling, showing=showing, notes=(*sampling.notes, *problems))


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
