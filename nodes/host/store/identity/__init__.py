"""What a latent, a value and a whole search depend on: whatever is equal in it may be used again, whoever asks for it.

`identity_of` is for the engine and the store; nobody else needs what is in here.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any

from comfy_api.latest import io
from comfy_execution.graph_utils import is_link
from comfy_execution.utils import get_executing_context

from .....verifiers.keys import key_of
from ...compat import node_classes
from ...graph.upstream import WAITING
from .contents import Unknown, digest
from .installed import OURS, of_files
from .lineage import Lineage
from .surroundings import surroundings

PACKAGE = __name__.rpartition(".nodes.")[0]
SETUPS = ("sampling", "draft")  # inputs that a setup comes in by
LOOK = ("vae", "preview_vae")  # by which latents become pictures
# of a search node, that say how it makes pictures
INPUTS = ("model", "positive", "negative", "latent_image", "sampling", *LOOK)
# fields of a Sampling that no latent depends on
NOT_SAMPLED = ("vae", "prompt", "batch", "settings", "intermediate_type", "notes", "showing")


@dataclass(frozen=True)
class Identity:
    """Digests of what must be equal for something to be used again; "" where that cannot be told, and nothing is.

    Args:
        sampling: For the latent of a candidate: the setup, and neither the search nor its budget.
        drafting: The same for drafts by another setup, and for what goes on from them.
        judging: For the raw values of a picture.
        run: For the whole search: its own inputs as well.
        problems: What the artist should know about it.
        accepting: For the raw values by the judge that accepts.
    """

    sampling: str = ""
    drafting: str = ""
    judging: str = ""
    run: str = ""
    problems: tuple[str, ...] = ()
    accepting: str = ""


def identity_of(hidden: Any, request: Any) -> Identity:
    """The identity of what a search node was asked for, also where it runs as a copy of itself."""
    graph, node = hidden.dynprompt, str(hidden.unique_id)
    if graph is None or not graph.has_node(node):
        return Identity()
    behind = Lineage(graph)
    here = [surroundings(), of_files(OURS), place_in_list()]
    try:
        found, drafts = dict(origins(behind, node, INPUTS)), dict(origins(behind, node, ["draft"]))
        sampled = {name: origin for name, origin in found.items() if name not in LOOK}
        looked = {name: origin for name, origin in found.items() if name in (*LOOK, *SETUPS)}
        sampling = digest(here, sampled, sampled_by(request.sampling))
        drafting = digest(sampling, drafts, sampled_by(request.draft)) if request.draft else sampling
        whole = digest(
            here,
            graph.get_node(node)["class_type"],
            {name: behind.of_input(node, name) for name in behind.inputs(node) if name not in WAITING},
        )
        eye = digest(here, looked, request.sampling.vae, request.preview_vae, request.sampling.showing)
    except Unknown as problem:
        return Identity(problems=(f"Nothing is kept for another run: of what is sampled with, {problem}.",))
    judging, problems = judged_by(request.verifier, request.text, eye)
    accepting, further = judged_by(request.accept, request.accept_text, eye)
    run = digest(sampling, drafting, judging, *([accepting] if request.accept else []), whole)
    return Identity(sampling, drafting, judging, run, (*problems, *further), accepting)


def place_in_list() -> int:
    """Which item of a list the host runs the node for."""
    context = get_executing_context()
    return (context.list_index or 0) if context else 0


def sampled_by(sampling: Any) -> dict[str, Any]:
    return {field.name: getattr(sampling, field.name) for field in fields(sampling) if field.name not in NOT_SAMPLED}


def judged_by(judge: Any, text: str, eye: str) -> tuple[str, tuple[str, ...]]:
    """Digest of how pictures are seen and judged; "" for a judge that does not say what it depends on."""
    if judge is None:
        return "", ()
    if not (key := key_of(judge)):
        unknown = f"The scores are not kept for another run: {judge.card.name} does not say what they depend on (key)."
        return "", (unknown,)
    return digest(eye, key, text, judge.columns), ()


def origins(behind: Lineage, node: str, names: Collection[str]) -> Iterator[tuple[str, Any]]:
    """What is behind some inputs of a node, by name; of our own setups, behind theirs, because what is typed into them
    arrives as numbers.
    """
    for name, value in behind.inputs(node).items():
        if name not in names or not is_link(value):
            continue
        kind = node_classes()[behind.graph.get_node(value[0])["class_type"]]
        if name in SETUPS and kind.__module__.startswith(f"{PACKAGE}."):
            yield from origins(
                behind,
                value[0],
                [entry.id for entry in kind.define_schema().inputs if not isinstance(entry, io.WidgetInput)],
            )
        else:
            yield name, behind.of_input(node, name)
