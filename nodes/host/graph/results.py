"""What searches found and artists chose, by node: for whoever writes a file, or asks what a node depends on."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from comfy_execution.utils import get_executing_context

from .upstream import lineage_digest

REMEMBERED = 1000  # results of this server,
CHARACTERS = 20_000_000  # and of all their recipes together

Texts = dict[int, str]  # item of the list that the node ran for -> what it found
Runs = dict[str, Texts]  # node or copy of it, as the host ran it -> what it found


class Run(NamedTuple):
    """What a node, or a copy of it, found.

    Args:
        origin: The node of the prompt that asked for the copy; the node itself where it is none.
        made_from: Digest of that one's inputs and all that is upstream of it.
    """

    origin: str
    made_from: str
    texts: Texts


class Results:
    """What searches found, and artists chose, when they ran last: by node of the page and all that is upstream of it.
    Safe across threads.
    """

    def __init__(self, most: int = REMEMBERED, characters: int = CHARACTERS):
        self.most, self.characters = most, characters
        self._found: OrderedDict[tuple[str, str], dict[str, Run]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, prompt: Any, shown: str, node: str, origin: str, item: int, text: str) -> None:
        """Keeps a result; that of a list's first item begins anew.

        Args:
            shown: The node of the page.
            node: It, or the copy of it that ran.
            origin: The node of the prompt that asked for the copy.
        """
        made, made_from = (shown, lineage_digest(prompt, shown)), lineage_digest(prompt, origin)
        with self._lock:
            runs = self._found.pop(made, {})
            before = runs.pop(node, None)
            texts = before.texts if before and item and before.made_from == made_from else {}
            self._found[made] = {**runs, node: Run(origin, made_from, {**texts, item: text})}
            while len(self._found) > self.most or sum(map(characters, self._found.values())) > self.characters:
                self._found.popitem(last=False)

    def of(self, shown: str, sign: Callable[[str], str]) -> Runs:
        """What was found with these very inputs.

        Args:
            sign: Gives the digest of a node of the prompt.
        """
        if not self.has(shown):
            return {}
        made = shown, sign(shown)
        with self._lock:
            found = self._found.get(made, {})
        return {node: run.texts for node, run in found.items() if sign(run.origin) == run.made_from}

    def has(self, shown: str) -> bool:
        with self._lock:
            return any(shown == other for other, _ in self._found)


def characters(runs: Mapping[str, Run]) -> int:
    return sum(len(text) for run in runs.values() for text in run.texts.values())


results = Results()
_graphs: WeakValueDictionary[str, Any] = WeakValueDictionary()  # prompt id -> its graph, copies of nodes included


def keep(hidden: Any, node: str, text: str) -> None:
    """Keeps what a node found.

    Args:
        hidden: Of the node that runs.
        node: The one that others are linked to, which copies of it may have run for.
    """
    graph, context = hidden.dynprompt, get_executing_context()
    if graph is not None and context:
        _graphs[context.prompt_id] = graph
    shown, origin = (
        (graph.get_display_node_id(node), graph.get_real_node_id(node)) if graph is not None else (node, node)
    )
    results.keep(hidden.prompt, shown, node, origin, (context.list_index or 0) if context else 0, text)


def made_by(graph: Any, node: str) -> Texts:
    """What a search found, or the artist chose, when this node of the host's graph ran last with these inputs; nothing
    where it is no such node.
    """
    prompt = graph.get_original_prompt()
    return results.of(graph.get_display_node_id(node), lambda name: lineage_digest(prompt, name)).get(node, {})


def graph_of(prompt_id: str) -> Any:
    """The graph of a prompt in which something was found, copies of nodes included; None where that is not known."""
    return _graphs.get(prompt_id)
