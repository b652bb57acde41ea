"""The drop-in for KSampler, and the searches among noises: each hands its algorithm to the one shared runner."""

from dataclasses import replace
from functools import partial

from comfy_api.latest import io

from ..search.random_search import RandomSearch
from ..search.zero_order import ZeroOrderSearch
from .host.graph.downstream import is_read
from .host.graph.prompt_text import TracedPrompt, trace_prompt
from .host.graph.upstream import graph_around
from .host.setup.sampling import from_ksampler
from .host.setup.showing import asked_for
from .inputs import (
    DRAFT,
    HIDDEN,
    accept_socket,
    budget_inputs,
    engine_input,
    ksampler_inputs,
    model_inputs,
    optional_sockets,
    optional_widgets,
    seed_input,
    showing_inputs,
    waiting_inputs,
)
from .runner import SEED, SearchNode, automatic, run_search, search_outputs, search_schema
from .sockets import CATEGORY

PLAIN_SEEDS = (
    "Something is connected to seed, so independent seeds were tried, as with search: random. The winner's picture is"
    " that of a plain seed."
)


class NoiseSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="NoiseSearch",
            display_name="Noise Search (KSampler)",
            category=CATEGORY,
            description=(
                "A KSampler that tries several noises and passes the best picture on. Swap it for your KSampler and "
                "connect the VAE; connect a verifier to have the pictures judged."
            ),
            search_aliases=[
                "best of n",
                "seed finder",
                "seed search",
                "ksampler",
                "judge",
                "reroll",
                "batch seeds",
                "variation",
                "gallery",
            ],
            inputs=[
                *model_inputs(lazy=True),
                *optional_sockets(),
                DRAFT,
                seed_input(),
                *ksampler_inputs(),
                *budget_inputs(),
                *optional_widgets(),
                engine_input(),
                *showing_inputs(),
                accept_socket(),
                *waiting_inputs(),
            ],
            outputs=search_outputs(),
            hidden=HIDDEN,
        )

    @classmethod
    def traced(cls) -> TracedPrompt:
        return trace_prompt(graph_around(cls.hidden), cls.hidden.unique_id, "positive")

    @classmethod
    def execute(
        cls,
        model,
        positive,
        negative,
        latent_image,
        vae,
        steps,
        cfg,
        sampler_name,
        scheduler,
        denoise,
        pictures,
        search="auto",
        draft=None,
        skip_first=-1,
        skip_last=-1,
        tile_size=0,
        **common,
    ) -> io.NodeOutput:
        prompt = cls.traced()
        sampling = from_ksampler(
            model,
            positive,
            negative,
            latent_image,
            vae,
            steps=steps,
            cfg=cfg,
            prompt=prompt,
            sampler_name=sampler_name,
            scheduler=scheduler,
            denoise=denoise,
            showing=asked_for(skip_first, skip_last, tile_size),
        )
        judged = search == "auto" and common.get("verifier") is not None and sampling.has_path
        if judged and is_read(graph_around(cls.hidden), str(cls.hidden.unique_id), SEED):
            judged, sampling = False, replace(sampling, notes=(*sampling.notes, PLAIN_SEEDS))
        make = RandomSearch
        if judged:
            make = automatic(sampling, pictures, common["verifier"], draft, common.get("accept"))
        return run_search(cls, make, sampling=sampling, pictures=pictures, draft=draft if judged else None, **common)


class RandomSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="RandomSearch",
            display_name="Random Search",
            description="Tries independent noises and keeps the best: best of N.",
            aliases=["best of n", "seed finder", "random seeds"],
            knobs=[],
        )

    @classmethod
    def execute(cls, **common) -> io.NodeOutput:
        return run_search(cls, RandomSearch, **common)


PRESETS = {
    "adaptive": {"warmup": 6, "adapt": True, "restart": "keep"},
    "paper": {"warmup": 1, "adapt": False, "restart": "fresh"},  # Ma et al. 2025, with the authors' own pivot rule
}


class ZeroOrderSearchNode(SearchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="ZeroOrderSearch",
            display_name="Zero-Order Search",
            description="Climbs from a good noise to its best neighbor, round by round.",
            aliases=["local search", "hill climbing", "variations"],
            knobs=[
                io.Combo.Input(
                    "preset",
                    options=list(PRESETS),
                    default="adaptive",
                    tooltip=(
                        "adaptive: starts from the best of a few noises, the stride follows success. "
                        "paper: as published, one start, a fixed stride, a fresh noise when stuck."
                    ),
                ),
                io.Int.Input("neighbors", default=4, min=1, max=256, tooltip="Neighbors tried per round."),
                io.Float.Input(
                    "similarity",
                    default=0.95,
                    min=0.01,
                    max=0.999,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Cosine between a neighbor and its pivot (the first round's, if adaptive). "
                        "Lower reaches further."
                    ),
                ),
            ],
        )

    @classmethod
    def execute(cls, pictures, preset="adaptive", neighbors=4, similarity=0.95, **common) -> io.NodeOutput:
        if pictures < neighbors + 1:
            raise ValueError(
                f"pictures must be at least {neighbors + 1}: one round is the pivot and {neighbors} neighbors, "
                f"got {pictures}"
            )
        make = partial(ZeroOrderSearch, neighbors=neighbors, similarity=similarity, **PRESETS[preset])
        return run_search(cls, make, pictures=pictures, **common)


NODES = [NoiseSearchNode, RandomSearchNode, ZeroOrderSearchNode]
