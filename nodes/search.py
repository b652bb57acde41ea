"""The search nodes: each hands its algorithm to the one shared runner.

Saved workflows store widget values by position, and the frontend puts required widgets before optional ones: a widget that is added
later must be optional and come last.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from comfy_api.latest import io

from ..search.auto_search import AutoSearch
from ..search.random_search import RandomSearch
from ..search.run import Budget
from ..search.zero_order import ZeroOrderSearch
from .host.job import SearchJob
from .host.noise import host_seed
from .host.prompt import trace_prompt
from .host.request import Request
from .host.sampling import from_ksampler
from .sampling import ksampler_inputs, model_inputs
from .sockets import CATEGORY, Sampling, Trace, Verifier

SLOW_JUDGE = 0.5  # seconds of judging per second of sampling, where a verifier takes seconds per picture
DRAFT = Sampling.Input("draft", optional=True,
                       tooltip="A cheaper setup for the same latent size, to draft with: fewer steps, a few-step LoRA, smaller weights. "
                               "Without one, drafts take a quarter of the steps.")
HIDDEN = [io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt, io.Hidden.extra_pnginfo]


def seed_input() -> io.Int.Input:
    return io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=io.ControlAfterGenerate.fixed,
                        tooltip="Your own seed: the first picture, and where all other seeds come from.")


def budget_inputs() -> list:
    """Widgets that every search has, in their permanent order."""
    return [
        io.Int.Input("pictures", default=8, min=1, max=100000,
                     tooltip="How many pictures' worth of computing the search may use."),
        io.Float.Input("minutes", default=0.0, min=0.0, max=100000.0, step=0.5,
                       tooltip="Stop after this time with the best so far. 0 = no limit."),
        io.Int.Input("keep", default=1, min=1, max=64, tooltip="How many of the best pictures leave the node, best first."),
    ]


def optional_sockets() -> list:
    return [
        Verifier.Input("verifier", optional=True,
                       tooltip="Judges the pictures. Without one, the pictures are made and shown, and your own seed's goes on."),
        io.Noise.Input("noise", optional=True, tooltip="Start at this noise instead of at your own seed."),
        Verifier.Input("held_out", optional=True,
                       tooltip="A second verifier that is shown the winners only, as a check: the search never sees its scores."),
    ]


def optional_widgets() -> list:
    return [
        io.String.Input("prompt", default="", multiline=True, optional=True,
                        tooltip="What the verifier reads. Empty = the text of the positive prompt."),
        io.String.Input("recipe", default="", optional=True,
                        tooltip="A recipe of an earlier search: that noise is used, nothing is searched."),
        io.Boolean.Input("save_found", default=False, optional=True, advanced=True, display_name="save winners as found",
                         tooltip="Writes each new best picture into the output folder at once."),
        io.Int.Input("patience", default=0, min=0, max=1000, optional=True, advanced=True,
                     tooltip="Stop after this many rounds without a better picture. 0 = never."),
        io.Float.Input("target", default=0.0, min=-1000.0, max=1000.0, step=0.01, optional=True, advanced=True,
                       tooltip="Stop when a picture scores this much. 0 = never."),
        io.Boolean.Input("keep_different", default=False, optional=True, advanced=True, display_name="keep different",
                         tooltip="Where several are kept: good ones that differ, instead of the very best ones."),
    ]


def outputs() -> list:
    return [
        io.Latent.Output(display_name="LATENT"),
        io.Image.Output(display_name="IMAGE", tooltip="The winners, best first."),
        io.Int.Output(display_name="seed", tooltip="The winner's plain seed, for any KSampler."),
        io.Float.Output(display_name="score"),
        io.Noise.Output(display_name="NOISE", tooltip="The winners' noises, best first. Several of them with a sampler that draws noise: through Sampler per Row."),
        io.String.Output(display_name="recipe", tooltip="Short text that makes the winner's noise again."),
        Trace.Output(display_name="trace", tooltip="Every candidate with its scores and cost."),
    ]


def engine_input() -> io.Combo.Input:
    return io.Combo.Input("search", options=["auto", "random"], default="auto", optional=True,
                          tooltip="auto: drafts first, the promising ones in full, the best one refined; finds better pictures for the same "
                                  "time. random: independent seeds, so that the winner is a plain seed for any KSampler.")


def search_schema(*, node_id: str, display_name: str, description: str, knobs: list, aliases: list[str],
                  sockets: Sequence = ()) -> io.Schema:
    """A search node's schema: the shared inputs and outputs, its own sockets after the shared ones, its own knobs last."""
    return io.Schema(
        node_id=node_id, display_name=display_name, category=CATEGORY, description=description, search_aliases=aliases,
        inputs=[Sampling.Input("sampling"), *optional_sockets(), *sockets, seed_input(), *budget_inputs(), *optional_widgets(), *knobs],
        outputs=outputs(), hidden=HIDDEN)


def run_search(cls: type[io.ComfyNode], make: Callable, *, sampling: Any, seed: int, pictures: int, minutes: float, keep: int,
               verifier: Any = None, noise: Any = None, prompt: str = "", recipe: str = "", save_found: bool = False,
               patience: int = 0, target: float = 0.0, judged: bool = False, **special: Any) -> io.NodeOutput:
    """Runs a search, or replays a recipe, for a node.

    Args:
        make: Builds the algorithm from a start and seeds.
        judged: Whether it makes no sense without a verifier.
        special: Further fields of the Request.
    """
    if judged and verifier is None and not recipe.strip():
        raise ValueError("verifier must be connected: this search goes on from the pictures with the best scores, got none. "
                         "Random Search and Noise Search work without one")
    budget = Budget(pictures=pictures, minutes=minutes, target=target or None, patience=patience)
    request = Request(sampling, verifier, prompt, noise, host_seed(seed), budget, keep, save_found=save_found, **special)
    job = SearchJob(request, cls.hidden)
    with job.live, job.memo:
        return job.outputs(job.replay(recipe) if recipe.strip() else job.search(make))


def automatic(sampling: Any, pictures: int, verifier: Any, draft: Any) -> Callable:
    """Builds an automatic search. What it does depends on the verifier's declared cost, never on a clock, so that it can be repeated."""
    slow = verifier is not None and verifier.card.cost == "heavy"
    return partial(AutoSearch, schedule=sampling.schedule, pictures=pictures, drafts=levels_of(draft), judging=SLOW_JUDGE if slow else 0.0)


def levels_of(draft: Any) -> tuple[float, ...] | None:
    return draft.schedule.levels if draft is not None else None


class NoiseSearchNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="NoiseSearch",
            display_name="Noise Search (KSampler)",
            category=CATEGORY,
            description="A KSampler that tries several noises and passes the best picture on. Swap it for your KSampler and "
                        "connect the VAE; connect a verifier to have the pictures judged.",
            search_aliases=["best of n", "seed finder", "seed search", "ksampler", "judge"],
            inputs=[*model_inputs(), *optional_sockets(), DRAFT, seed_input(), *ksampler_inputs(), *budget_inputs(),
                    *optional_widgets(), engine_input()],
            outputs=outputs(),
            hidden=HIDDEN,
        )

    @classmethod
    def execute(cls, model, positive, negative, latent_image, vae, steps, cfg, sampler_name, scheduler, denoise, pictures,
                search="auto", draft=None, **common) -> io.NodeOutput:
        prompt = trace_prompt(cls.hidden.prompt, cls.hidden.unique_id, "positive")
        sampling = from_ksampler(model, positive, negative, latent_image, vae, steps=steps, cfg=cfg, prompt=prompt,
                                 sampler_name=sampler_name, scheduler=scheduler, denoise=denoise)
        judged = search == "auto" and common.get("verifier") is not None and sampling.has_path
        make = automatic(sampling, pictures, common["verifier"], draft) if judged else RandomSearch
        return run_search(cls, make, sampling=sampling, pictures=pictures, draft=draft if judged else None, **common)


class RandomSearchNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="RandomSearch", display_name="Random Search",
            description="Tries independent noises and keeps the best: best of N.",
            aliases=["best of n", "seed finder", "random seeds"], knobs=[])

    @classmethod
    def execute(cls, **common) -> io.NodeOutput:
        return run_search(cls, RandomSearch, **common)


PRESETS = {
    "adaptive": {"warmup": 6, "adapt": True, "restart": "keep"},
    "paper": {"warmup": 1, "adapt": False, "restart": "fresh"},  # Ma et al. 2025, with the authors' own pivot rule
}


class ZeroOrderSearchNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return search_schema(
            node_id="ZeroOrderSearch", display_name="Zero-Order Search",
            description="Climbs from a good noise to its best neighbor, round by round.",
            aliases=["local search", "hill climbing", "variations"],
            knobs=[
                io.Combo.Input("preset", options=list(PRESETS), default="adaptive",
                               tooltip="adaptive: starts from the best of a few noises, the stride follows success. "
                                       "paper: as published, one start, a fixed stride, a fresh noise when stuck."),
                io.Int.Input("neighbors", default=4, min=1, max=256, tooltip="Neighbors tried per round."),
                io.Float.Input("similarity", default=0.95, min=0.01, max=0.999, step=0.01, advanced=True,
                               tooltip="Cosine between a neighbor and its pivot (the first round's, if adaptive). "
                                       "Lower reaches further."),
            ])

    @classmethod
    def execute(cls, pictures, preset="adaptive", neighbors=4, similarity=0.95, **common) -> io.NodeOutput:
        if pictures < neighbors + 1:
            raise ValueError(f"pictures must be at least {neighbors + 1}: one round is the pivot and {neighbors} neighbors, "
                             f"got {pictures}")
        make = partial(ZeroOrderSearch, neighbors=neighbors, similarity=similarity, **PRESETS[preset])
        return run_search(cls, make, pictures=pictures, **common)


NODES = [NoiseSearchNode, RandomSearchNode, ZeroOrderSearchNode]
