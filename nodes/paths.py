"""The search nodes that work along the sampling path: they see pictures before they are finished, or take finished ones
part of the way back.
"""

from functools import partial
from typing import Any

from comfy_api.latest import io

from ..search.path_search import PathSearch
from ..search.refine_search import RefineSearch
from ..search.steered_search import PRESETS, SteeredSearch
from .host.setup.region import refining
from .runner import SearchNode, run_search, search_schema

PREVIEW_VAE = io.Vae.Input(
    "preview_vae",
    optional=True,
    lazy=True,
    tooltip=(
        "Decodes the pictures that are expected on the way. A tiny one (TAESD) saves time. "
        "Finished pictures are always decoded by the setup's own."
    ),
)


class PathSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="PathSearch",
            display_name="Path Search",
            description=(
                "Search over paths, as published by Ma et al. 2025: noise is put back into promising pictures and taken"
                " out again, round after round."
            ),
            aliases=["search over paths", "inference-time scaling"],
            sockets=[PREVIEW_VAE],
            knobs=[
                io.Int.Input(
                    "paths",
                    default=1,
                    min=1,
                    max=64,
                    tooltip="Pictures that are followed at the same time (N in the paper, which uses 1, 2 and 4).",
                ),
                io.Int.Input(
                    "width",
                    default=0,
                    min=0,
                    max=1024,
                    optional=True,
                    advanced=True,
                    tooltip="New pictures per path and round (M in the paper). 0 = as many as `pictures` pay for.",
                ),
                io.Float.Input(
                    "start",
                    default=0.11,
                    min=0.01,
                    max=0.99,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Share of noise at which pictures are first looked at. The paper's number.",
                ),
                io.Float.Input(
                    "forward",
                    default=0.78,
                    min=0.01,
                    max=0.99,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Share of noise that is put back in every round. The paper's number.",
                ),
                io.Float.Input(
                    "backward",
                    default=0.81,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Share of noise that is taken out again, more than forward. The paper's number.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, sampling, pictures, paths=1, width=0, start=0.11, forward=0.78, backward=0.81, **common
    ) -> io.NodeOutput:
        make = partial(
            PathSearch,
            schedule=sampling.schedule,
            pictures=pictures,
            paths=paths,
            width=width,
            start_time=start,
            forward=forward,
            backward=backward,
        )
        return run_search(cls, make, sampling=sampling, pictures=pictures, judged=True, **common)


class SteeredSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="SteeredSearch",
            display_name="Steered Search",
            description=(
                "Many pictures are sampled together; on the way, the promising ones are copied in place of the others."
            ),
            aliases=["particle steering", "FK steering", "SVDD", "SMC", "resampling"],
            sockets=[PREVIEW_VAE],
            knobs=[
                io.Combo.Input(
                    "preset",
                    options=list(PRESETS),
                    default=next(iter(PRESETS)),
                    tooltip="best known: gentle copying early, none late. FK steering and SVDD: as published.",
                ),
                io.Int.Input(
                    "particles",
                    default=0,
                    min=0,
                    max=1024,
                    optional=True,
                    advanced=True,
                    tooltip="Pictures at the same time. 0 = as many as `pictures` pay for.",
                ),
            ],
        )

    @classmethod
    def execute(cls, sampling, pictures, preset, particles=0, **common) -> io.NodeOutput:
        make = partial(SteeredSearch, schedule=sampling.schedule, pictures=pictures, preset=preset, particles=particles)
        return run_search(cls, make, sampling=sampling, pictures=pictures, judged=True, **common)


class RefineSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="RefineSearch",
            display_name="Refine Search",
            description=(
                "Takes the best picture part of the way back into noise, samples it again, and keeps what is better."
                " Also for a picture that you have: whole, at another size, or only what a mask covers."
            ),
            aliases=["img2img", "fix hands", "inpaint", "detailer", "refine", "upscale"],
            sockets=[
                io.Image.Input(
                    "image", optional=True, lazy=True, tooltip="A picture to begin with, instead of new ones."
                ),
                io.Latent.Input(
                    "latent", optional=True, lazy=True, tooltip="A latent to begin with, instead of an image."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    lazy=True,
                    tooltip=(
                        "What of the image may change. The part around it is cut out, searched at its own size, judged,"
                        " and pasted back."
                    ),
                ),
            ],
            knobs=[
                io.Int.Input(
                    "children", default=2, min=1, max=64, tooltip="New pictures made from the best one per round."
                ),
                io.Float.Input(
                    "depth",
                    default=0.5,
                    min=0.05,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "How far back into noise the first round goes, as a share of the steps. Later rounds follow"
                        " success."
                    ),
                ),
            ],
            later=[
                io.Int.Input(
                    "size",
                    default=0,
                    min=0,
                    max=4096,
                    step=16,
                    optional=True,
                    tooltip="For an image: pixels of the longer side to work at. 0 = as it is.",
                ),
                io.Float.Input(
                    "context",
                    default=2.0,
                    min=1.0,
                    max=8.0,
                    step=0.1,
                    optional=True,
                    advanced=True,
                    tooltip="With a mask: how much wider than it the part is that is cut out.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, sampling, pictures, children, depth, image=None, latent=None, mask=None, size=0, context=2.0, **common
    ) -> io.NodeOutput:
        sampling, special = begun_with(sampling, image, latent, mask, size, context, common.get("noise"))
        make = partial(RefineSearch, schedule=sampling.schedule, pictures=pictures, children=children, depth=depth)
        return run_search(cls, make, sampling=sampling, pictures=pictures, judged=True, **common, **special)


def begun_with(
    sampling: Any, image: Any, latent: Any, mask: Any, size: int, context: float, noise: Any
) -> tuple[Any, dict]:
    """The setup and what the request says of it, where a picture is given to begin with."""
    if image is None and latent is None:
        if mask is not None:
            raise ValueError("mask must come with an image: it says what of it may change")
        return sampling, {}
    if noise is not None:
        raise ValueError("noise must not be connected together with a picture to begin with")
    sampling, region = refining(sampling, image=image, latent=latent, mask=mask, size=size, context=context)
    return sampling, {"refines": True, "region": region}


NODES = [PathSearchNode, SteeredSearchNode, RefineSearchNode]
