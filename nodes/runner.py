"""What all search nodes have in common: their schema, and the run of a search from widgets to outputs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from comfy_api.latest import io

from ..search.auto_search import AutoSearch
from ..search.lineages import ACCEPTED_FROM
from ..search.run import Budget
from ..verifiers.abilities import estimate_level
from .host.background import Background
from .host.engine.job import SearchJob
from .host.engine.outputs import outputs
from .host.engine.request import Request
from .host.graph.downstream import shown_by
from .host.graph.prompt_text import TracedPrompt, trace_prompt_of_pictures
from .host.graph.upstream import graph_around
from .host.judges.host_verifier import check_readable
from .host.page.display import Display
from .host.page.live import Live
from .host.page.origin import origin_of
from .host.page.pages import asked_anew, user_now
from .host.page.progress import ProgressBar
from .host.page.waiting import AskArtist
from .host.setup.noise import host_seed
from .host.setup.sampling import as_shown
from .host.store.identity import Identity, identity_of
from .host.store.memo import Memo, limit_in_bytes
from .inputs import (
    HIDDEN,
    accept_socket,
    budget_inputs,
    optional_sockets,
    optional_widgets,
    seed_input,
    waiting_inputs,
)
from .sockets import CATEGORY, Sampling, Trace

SLOW_JUDGE = 0.5  # seconds of judging per second of sampling, where a verifier takes seconds per picture


class SearchNode(io.ComfyNode):
    """A node that searches. What pictures are made with comes after the judges: where those read a prompt that nobody
    has written, nothing is made, and no model is loaded for it.
    """

    @classmethod
    def traced(cls) -> TracedPrompt:
        """The prompt of its setup."""
        return trace_prompt_of_pictures(graph_around(cls.hidden), cls.hidden.unique_id, "sampling")

    @classmethod
    def check_lazy_status(cls, prompt="", verifier=None, held_out=None, accept=None, **rest) -> list[str]:
        check_readable((verifier, held_out, accept), prompt, cls.traced())
        check_target(verifier, rest.get("target") or 0.0, rest.get("recipe") or "")
        return [name for name, value in rest.items() if value is None]

    @classmethod
    def fingerprint_inputs(cls, wait_for_me=False, **inputs) -> list:
        """Nothing of its own where it does not wait for the artist; else as of Human Pick: the host's cache answers
        until somebody else, or nobody, was asked. A link is known only when the workflow runs: None.
        """
        return [] if wait_for_me is False else list(asked_anew(str(cls.hidden.unique_id)))


SEED = 2  # place of the winner's seed among the outputs


def search_outputs() -> list:
    return [
        io.Latent.Output(display_name="LATENT"),
        io.Image.Output(display_name="IMAGE", tooltip="The winners, best first."),
        io.Int.Output(display_name="seed", tooltip="The winner's plain seed, for any KSampler."),
        io.Float.Output(display_name="score"),
        io.Noise.Output(
            display_name="NOISE",
            tooltip=(
                "The winners' noises, best first. Several of them with a sampler that draws noise: through Sampler per"
                " Row."
            ),
        ),
        io.String.Output(display_name="recipe", tooltip="Short text that makes the winner's noise again."),
        Trace.Output(display_name="trace", tooltip="Every candidate with its scores and cost."),
    ]


def search_schema(
    *,
    node_id: str,
    display_name: str,
    description: str,
    knobs: list,
    aliases: list[str],
    sockets: Sequence = (),
    later: Sequence = (),
) -> io.Schema:
    """A search node's schema: the shared inputs and outputs, its own sockets after the shared ones.

    Args:
        knobs: Its own widgets; those that are optional come last of them.
        later: Optional ones that were added after a release.
    """
    return io.Schema(
        node_id=node_id,
        display_name=display_name,
        category=CATEGORY,
        description=description,
        search_aliases=aliases,
        inputs=[
            Sampling.Input("sampling", lazy=True),
            *optional_sockets(),
            *sockets,
            seed_input(),
            *budget_inputs(),
            *knobs,
            *optional_widgets(),
            *later,
            accept_socket(),
            *waiting_inputs(),
        ],
        outputs=search_outputs(),
        hidden=HIDDEN,
    )


def run_search(
    cls: type[io.ComfyNode],
    make: Callable,
    *,
    sampling: Any,
    seed: int,
    pictures: int,
    minutes: float,
    keep: int,
    verifier: Any = None,
    noise: Any = None,
    prompt: str = "",
    recipe: str = "",
    save_found: bool = False,
    patience: int = 0,
    target: float = 0.0,
    judged: bool = False,
    wait_for_me: bool = False,
    timeout: float = 0.0,
    **special: Any,
) -> io.NodeOutput:
    """Runs a search, or replays a recipe, for a node.

    Args:
        make: Builds the algorithm from a start and seeds.
        judged: Whether it makes no sense without a verifier.
        special: Further fields of the Request.
    """
    if judged and verifier is None and not recipe.strip():
        raise ValueError(
            "verifier must be connected: this search goes on from the pictures with the best scores, got none. "
            "Random Search and Noise Search work without one"
        )
    check_target(verifier, target, recipe)
    sampling = as_shown(sampling, shown_by(graph_around(cls.hidden), str(cls.hidden.unique_id)))
    budget = Budget(pictures=pictures, minutes=minutes, target=target or None, patience=patience)
    request = Request(
        sampling,
        verifier,
        prompt,
        noise,
        host_seed(seed),
        budget,
        keep,
        save_found=save_found,
        waits=wait_for_me,
        **special,
    )
    identity = identity_of(cls.hidden, request) if limit_in_bytes() else Identity()
    # a judge that sees more than the picture has no use for a latent alone
    waits = estimate_level(verifier) is not None
    memo = Memo(identity, request.columns, judged_only=waits, user=user_now())
    background = Background()
    queued = (cls.hidden.prompt, cls.hidden.extra_pnginfo)
    live = Live(origin_of(cls.hidden), queued, request.columns, request.recipe_writer(), memo, background)
    display, bar = Display(live), ProgressBar(str(cls.hidden.unique_id or ""))
    chooser = AskArtist(cls.hidden, live, timeout, keep) if wait_for_me else None
    job = SearchJob(request, cls.hidden, memo, live.control, (display, bar), background=background, chooser=chooser)
    with display, background, memo:
        return outputs(job, job.replay(recipe) if recipe.strip() else job.search(make))


def check_target(verifier: Any, target: float, recipe: str) -> None:
    """Refuses a target for scores that say only who is better within the pool: the best of any pool would reach it."""
    if target and verifier is not None and not recipe.strip() and not getattr(verifier.card, "absolute", True):
        raise ValueError(
            f"target must be 0 with {verifier.card.name}: its scores ({verifier.card.range}) compare the pictures of a"
            f" search with each other and change with them, got {target:g}. A weighted sum, or a single verifier, has"
            " scores that a target can be set for"
        )


def automatic(sampling: Any, pictures: int, verifier: Any, draft: Any, accept: Any) -> Callable:
    """Builds an automatic search. What it does depends on the verifier's declared cost, never on a clock, so that it
    can be repeated.
    """
    slow = verifier is not None and verifier.card.cost == "heavy"
    return partial(
        AutoSearch,
        schedule=sampling.schedule,
        pictures=pictures,
        drafts=levels_of(draft),
        judging=SLOW_JUDGE if slow else 0.0,
        lineages=1 if accept is None else ACCEPTED_FROM,
    )


def levels_of(draft: Any) -> tuple[float, ...] | None:
    return draft.schedule.levels if draft is not None else None
