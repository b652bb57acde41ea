"""The search nodes that divide the budget between drafts, full pictures and refinement."""

from functools import partial

from comfy_api.latest import io

from ..search.draft_search import DraftSearch
from .inputs import DRAFT
from .runner import SearchNode, automatic, levels_of, run_search, search_schema


class AutoSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="AutoSearch",
            display_name="Auto Search",
            description=(
                "Spends the budget where it gains most: drafts first, the promising ones in full, the best one refined."
                " Says what it did."
            ),
            aliases=["noise search", "automatic search"],
            sockets=[DRAFT],
            knobs=[],
        )

    @classmethod
    def execute(cls, sampling, pictures, draft=None, **common) -> io.NodeOutput:
        make = automatic(sampling, pictures, common.get("verifier"), draft, common.get("accept"))
        return run_search(cls, make, sampling=sampling, pictures=pictures, draft=draft, judged=True, **common)


class DraftSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="DraftSearch",
            display_name="Draft Search",
            description=(
                "Drafts many noises in a few steps each and samples the promising ones in full. Says how well the"
                " drafts foretold the pictures."
            ),
            aliases=["preview seeds", "seed pruning", "few steps first"],
            sockets=[DRAFT],
            knobs=[
                io.Int.Input(
                    "draft_steps",
                    default=0,
                    min=0,
                    max=10000,
                    tooltip="Steps of a draft. 0 = a quarter of the setup's, or those of the draft setup.",
                ),
                io.Float.Input(
                    "keep_share",
                    default=0.4,
                    min=0.05,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    advanced=True,
                    tooltip="Share of the pictures that are sampled in full; the rest pays for the drafts.",
                ),
            ],
        )

    @classmethod
    def execute(cls, sampling, pictures, draft_steps=0, keep_share=0.4, draft=None, **common) -> io.NodeOutput:
        if draft is not None and draft_steps:
            raise ValueError(
                f"draft_steps must be 0 where a draft setup is connected, which has steps of its own, got {draft_steps}"
            )
        make = partial(
            DraftSearch,
            schedule=sampling.schedule,
            pictures=pictures,
            steps=draft_steps,
            keep_share=keep_share,
            drafts=levels_of(draft) or (),
        )
        return run_search(cls, make, sampling=sampling, pictures=pictures, draft=draft, judged=True, **common)


NODES = [AutoSearchNode, DraftSearchNode]
