"""Inputs and outputs that several nodes share, and how they are read.

Saved workflows store widget values by position, and the frontend puts required widgets before optional ones: a widget
that is added later must be optional and come last. A script may leave out all optional ones, and every advanced one is
optional.
"""

import re
from collections.abc import Mapping
from typing import Any

import comfy.samplers
from comfy_api.latest import io
from comfy_execution.graph import ExecutionBlocker

from .sockets import Sampling, Verifier

DRAFT = Sampling.Input(
    "draft",
    optional=True,
    lazy=True,
    tooltip=(
        "A cheaper setup for the same latent size, to draft with: fewer steps, a few-step LoRA, smaller weights. "
        "Without one, drafts take a quarter of the steps."
    ),
)
HIDDEN = [io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt, io.Hidden.extra_pnginfo]


def seed_input() -> io.Int.Input:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=0xFFFFFFFFFFFFFFFF,
        control_after_generate=io.ControlAfterGenerate.fixed,
        tooltip="Your own seed: the first picture, and where all other seeds come from.",
    )


def budget_inputs() -> list:
    """Widgets that every search has, in their permanent order."""
    return [
        io.Int.Input(
            "pictures",
            default=8,
            min=1,
            max=100000,
            tooltip="How many pictures' worth of computing the search may use.",
        ),
        io.Float.Input(
            "minutes",
            default=0.0,
            min=0.0,
            max=100000.0,
            step=0.5,
            tooltip=(
                "Stop after this time with the best so far. The search plans for what the time pays for, at the pace"
                " that it measures. 0 = no limit."
            ),
        ),
        io.Int.Input(
            "keep", default=1, min=1, max=64, tooltip="How many of the best pictures leave the node, best first."
        ),
    ]


def optional_sockets() -> list:
    return [
        Verifier.Input(
            "verifier",
            optional=True,
            tooltip="Judges the pictures. Without one, the pictures are made and shown, and your own seed's goes on.",
        ),
        io.Noise.Input(
            "noise",
            optional=True,
            lazy=True,
            tooltip=(
                "Start at this noise instead of at your own seed. Of several, all are made and judged first, and the"
                " best is the start."
            ),
        ),
        Verifier.Input(
            "held_out",
            optional=True,
            tooltip="A second verifier that is shown the winners only, as a check: the search never sees its scores.",
        ),
    ]


def accept_socket() -> io.Input:
    """The last socket of every search: it was added after a release."""
    return Verifier.Input(
        "accept",
        optional=True,
        tooltip=(
            "A second judge that has the last word: it sees the best pictures of different noises when the search is"
            " over, and takes one. Best a judge of another kind than the verifier."
        ),
    )


def waiting_inputs() -> list:
    """The last widgets of every search: they were added after a release."""
    return [
        io.Boolean.Input(
            "wait_for_me",
            default=False,
            optional=True,
            advanced=True,
            display_name="wait for me",
            tooltip=(
                "When the search is over, the run waits until you click a picture in the node: that one goes on. Up to"
                " `keep` of them. With nobody there to ask, the search's own winner goes on."
            ),
        ),
        io.Float.Input(
            "timeout",
            default=0.0,
            min=0.0,
            max=10000.0,
            step=0.5,
            optional=True,
            advanced=True,
            tooltip=(
                "Minutes to wait for your pick, with wait for me; then the search's own winner goes on. 0 = as long as"
                " a page that shows it is open."
            ),
        ),
    ]


def optional_widgets() -> list:
    return [
        io.String.Input(
            "prompt",
            display_name="the judge reads (empty = your prompt)",
            default="",
            multiline=True,
            optional=True,
            tooltip="What the verifier reads. Empty = the text of the positive prompt.",
        ),
        io.String.Input(
            "recipe",
            default="",
            optional=True,
            tooltip="A recipe of an earlier search: that noise is used, nothing is searched.",
        ),
        io.Boolean.Input(
            "save_found",
            default=False,
            optional=True,
            advanced=True,
            display_name="save winners as found",
            tooltip="Writes each new best picture into the output folder at once.",
        ),
        io.Int.Input(
            "patience",
            default=0,
            min=0,
            max=1000,
            optional=True,
            advanced=True,
            tooltip=(
                "Stop after this many finished pictures' worth of steps without a better one. Drafts do not count."
                " 0 = never."
            ),
        ),
        io.Float.Input(
            "target",
            default=0.0,
            min=-1000.0,
            max=1000.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip=(
                "Stop when a picture scores this much. 0 = never. Not with mean rank, z-score or min, whose scores"
                " change with the other pictures."
            ),
        ),
        io.Boolean.Input(
            "keep_different",
            default=False,
            optional=True,
            advanced=True,
            display_name="keep different",
            tooltip="Where several are kept: good ones that differ, instead of the very best ones.",
        ),
    ]


def showing_inputs() -> list:
    """Widgets that say what of a latent is judged and shown, and how it is decoded."""
    return [
        io.Int.Input(
            "skip_first",
            default=-1,
            min=-1,
            max=10000,
            optional=True,
            advanced=True,
            tooltip=(
                "Frames at the beginning of a video's latent that are neither judged nor shown, as those of a reference"
                " picture. -1 = those that the workflow cuts off (Trim Video Latent)."
            ),
        ),
        io.Int.Input(
            "skip_last",
            default=-1,
            min=-1,
            max=10000,
            optional=True,
            advanced=True,
            tooltip=(
                "Frames at the end of a video's latent that are neither judged nor shown. -1 = those that the workflow"
                " cuts off (LTXV Crop Guides)."
            ),
        ),
        io.Int.Input(
            "tile_size",
            default=0,
            min=0,
            max=4096,
            step=32,
            optional=True,
            advanced=True,
            tooltip=(
                "Decodes in tiles of so many pixels. 0 = as the workflow decodes: as its VAE Decode (Tiled) does, or"
                " the whole."
            ),
        ),
    ]


def engine_input() -> io.Combo.Input:
    return io.Combo.Input(
        "search",
        options=["auto", "random"],
        default="auto",
        optional=True,
        tooltip=(
            "auto: drafts first, the promising ones in full, the best one refined; finds better pictures for the same "
            "time. random: independent seeds, so that the winner is a plain seed for any KSampler; also done where the"
            " seed output is connected."
        ),
    )


def ksampler_inputs() -> list:
    """The inputs of the host's KSampler that are not the seed, in its order, and a VAE."""
    return [
        io.Int.Input("steps", default=20, min=1, max=10000, tooltip="Steps of every picture."),
        io.Float.Input(
            "cfg", default=8.0, min=0.0, max=100.0, step=0.1, round=0.01, tooltip="How strictly the prompt is followed."
        ),
        io.Combo.Input("sampler_name", options=comfy.samplers.KSampler.SAMPLERS, tooltip="As in KSampler."),
        io.Combo.Input("scheduler", options=comfy.samplers.KSampler.SCHEDULERS, tooltip="As in KSampler."),
        io.Float.Input(
            "denoise",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="Below 1, pictures start from latent_image and keep part of it.",
        ),
    ]


def model_inputs(lazy: bool = False) -> list:
    """What pictures are made with.

    Args:
        lazy: Whether the host makes them only when the node asks for them.
    """
    return [
        io.Model.Input("model", lazy=lazy, tooltip="The model that makes the pictures."),
        io.Conditioning.Input("positive", lazy=lazy, tooltip="What the pictures should show."),
        io.Conditioning.Input("negative", lazy=lazy, tooltip="What they should not show."),
        io.Latent.Input("latent_image", lazy=lazy, tooltip="One latent; the search makes its own batches."),
        io.Vae.Input("vae", lazy=lazy, tooltip="Decodes every picture, for the verifier and for the IMAGE output."),
    ]


def frames_per_video_input() -> io.Int.Input:
    return io.Int.Input(
        "frames_per_video",
        default=0,
        min=0,
        max=100000,
        optional=True,
        advanced=True,
        display_name="frames per video",
        tooltip=(
            "How many frames of the images are one video. 0 = found out: videos of a search, or those whose latents are"
            " connected; all else are pictures. 1 = all are pictures."
        ),
    )


def sorted_outputs() -> list:
    """Pictures and what belongs to them, in a new order."""
    return [
        io.Image.Output(display_name="images", is_output_list=True),
        io.Latent.Output(display_name="latents", is_output_list=True),
        io.Noise.Output(display_name="noises", is_output_list=True),
        io.Int.Output(display_name="seeds", is_output_list=True),
        io.Float.Output(display_name="scores", is_output_list=True),
    ]


def only(values: list | None, name: str) -> Any:
    """The one value of an input that holds for all pictures."""
    given = values or []
    distinct = [value for index, value in enumerate(given) if value not in given[:index]]
    if len(distinct) > 1:
        raise ValueError(f"{name} must be one for all the pictures, got {len(distinct)} different ones")
    return distinct[0] if distinct else None


def missing(inputs: Mapping[str, Any]) -> list[str]:
    """Names of the connected inputs of a node of lists that the host has not made yet."""
    return [name for name, values in inputs.items() if values is not None and list(values) == [None]]


def unconnected(name: str, node: str, done: str) -> list[Any]:
    """What leaves a list output whose input is not connected: what is behind it is blocked, and told why."""
    return [ExecutionBlocker(f"Connect {name} to {node} as well, to have them {done}.")]


def numbers(text: str) -> list[float]:
    """Numbers of a text, separated by commas, semicolons or spaces."""
    try:
        return [float(part) for part in re.split(r"[,;\s]+", text.strip()) if part]
    except ValueError as error:
        raise ValueError(f"weights must be numbers separated by commas, got {text!r}") from error
