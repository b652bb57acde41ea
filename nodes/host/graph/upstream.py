"""What a node is made from: its part of the prompt, told apart from others by a digest."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

# Of a search node, whether and how long it waits for the artist: no part of the search.
WAITING = ("wait_for_me", "timeout")
# Inputs of a search node that decide what is tried and what is passed on, not what a noise looks like or how it is
# judged.
CHOOSING = (
    "recipe",
    "seed",
    "pictures",
    "minutes",
    "keep",
    "keep_different",
    "save_found",
    "patience",
    "target",
    "search",
    *WAITING,
)
NO_ID = "00000000-0000-0000-0000-000000000000"  # of every graph that came without an id: js/panel/page.js


def lineage_digest(prompt: Any, node: str, without: Collection[str] = ()) -> str:
    """Digest of a node's inputs and of everything upstream of it: equal before and after the host has validated the
    prompt.

    "" where the prompt has no such node.

    Args:
        prompt: As it was queued; anything at all, the host may not have looked at it yet.
        without: Inputs of the node itself that do not count.
    """
    parts = {}
    for name, found in ancestry(prompt, node).items():
        inputs = {key: settled(value) for key, value in inputs_of(found).items() if name != node or key not in without}
        parts[name] = [found.get("class_type"), inputs]
    if not parts:
        return ""
    return hashlib.blake2b(json.dumps([node, parts], sort_keys=True).encode(), digest_size=16).hexdigest()


def is_same(made_from: str, other: str) -> bool:
    """Whether two signatures are of the same; those of nodes that are in no prompt never are."""
    return made_from == other != ""


def ancestry(prompt: Any, node: str) -> dict[str, dict[str, Any]]:
    """A node and all that is upstream of it, as the prompt has them; whatever is not a node of a prompt is left out."""
    graph = prompt if isinstance(prompt, dict) else {}
    found: dict[str, dict[str, Any]] = {}
    waiting = [node]
    while waiting:
        name = waiting.pop()
        if name not in found and isinstance(graph.get(name), dict):
            found[name] = graph[name]
            waiting += [value[0] for value in inputs_of(graph[name]).values() if is_link(value)]
    return found


def inputs_of(node: Mapping[str, Any]) -> dict[str, Any]:
    inputs = node.get("inputs")
    return inputs if isinstance(inputs, dict) else {}


def is_link(value: Any) -> bool:
    """Whether an input is what another node gives, its id and a slot. A prompt may hold anything."""
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)


def settled(value: Any) -> Any:
    """A widget's value as text: the host's validation makes 7 of "7", and 7.0 of 7."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, bool | int | float) else value


class Running(Mapping[str, dict[str, Any]]):
    """The nodes of a prompt that runs, with those that were added while it did: copies in loops and expansions.

    Args:
        graph: The host's dynamic prompt.
    """

    def __init__(self, graph: Any):
        self.graph = graph

    def __getitem__(self, name: str) -> dict[str, Any]:
        if not self.graph.has_node(name):
            raise KeyError(name)
        return self.graph.get_node(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.graph.all_node_ids())

    def __len__(self) -> int:
        return len(self.graph.all_node_ids())


def graph_around(hidden: Any) -> Mapping[str, dict[str, Any]] | None:
    """The graph that a node runs in; None where the host did not say.

    Args:
        hidden: The node's hidden inputs, `prompt` or `dynprompt` among them.
    """
    graph = getattr(hidden, "dynprompt", None)
    return hidden.prompt if graph is None else Running(graph)


def workflow_of(hidden: Any) -> str:
    """The id of the workflow that the prompt was queued from, or ""."""
    workflow = (hidden.extra_pnginfo or {}).get("workflow")
    found = workflow.get("id") if isinstance(workflow, dict) else None
    return found if isinstance(found, str) and found != NO_ID else ""


def shown_node(hidden: Any) -> str:
    """The node of the page that shows what a node does, which may run as a copy: in a loop, in an expansion."""
    graph, name = getattr(hidden, "dynprompt", None), str(hidden.unique_id or "")
    return graph.get_display_node_id(name) if graph is not None else name
