"""The local search node: climbs from several good noises at once, everywhere or inside a region."""

from functools import partial

from comfy_api.latest import io

from ..search.local_search import PRESETS, LocalSearch
from .host.setup.noise import region_leaves
from .runner import SearchNode, run_search, search_schema

REGION = io.Mask.Input(
    "region",
    optional=True,
    lazy=True,
    tooltip=(
        "Only the noise inside this mask is searched: the rest of the picture stays nearly as your own seed has it."
    ),
)


class LocalSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="LocalSearch",
            display_name="Local Search",
            description=(
                "Begins with a few fresh noises, then refines the best ones: with small changes, and with mixtures of"
                " what did well."
            ),
            aliases=["evolution", "evolutionary search", "trust region", "hill climbing", "refine", "variations"],
            sockets=[REGION],
            knobs=[
                io.Combo.Input(
                    "preset",
                    options=list(PRESETS),
                    default="local",
                    tooltip=(
                        "local: small changes around the best, and directions that the scores so far point to. "
                        "evolution: crosses the best with each other."
                    ),
                ),
                io.Int.Input("neighbors", default=4, min=1, max=256, tooltip="Noises tried per round."),
                io.Int.Input(
                    "centers",
                    default=0,
                    min=0,
                    max=64,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "How many of the best are searched around at the same time. 0 = as many as suit `pictures`."
                    ),
                ),
                io.Float.Input(
                    "similarity",
                    default=0.95,
                    min=0.01,
                    max=0.999,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Cosine between a change and what it changes, in the first round. Lower reaches further.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, sampling, pictures, preset="local", neighbors=4, centers=0, similarity=0.95, region=None, **common
    ) -> io.NodeOutput:
        masks = region_leaves(region, sampling.shapes) if region is not None else {}
        make = partial(
            LocalSearch,
            pictures=pictures,
            preset=preset,
            neighbors=neighbors,
            centers=centers,
            similarity=similarity,
            masks=tuple(masks),
        )
        return run_search(cls, make, sampling=sampling, pictures=pictures, masks=masks, **common)


NODES = [LocalSearchNode]
