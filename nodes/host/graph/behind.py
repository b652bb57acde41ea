"""What a node is made from: which results of which copies are behind it, over lists and loops."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..compat import node_classes
from .results import Runs
from .upstream import inputs_of, is_link


class Plain:
    """A prompt's nodes as the host's graph has them, where none was copied."""

    def __init__(self, prompt: Mapping[str, Any]):
        self.prompt, self.ephemeral_parents = prompt, {}

    def has_node(self, node: str) -> bool:
        return node in self.prompt

    def get_node(self, node: str) -> Any:
        return self.prompt[node]

    def get_display_node_id(self, node: str) -> str:
        return node


class Behind:
    """What a node is made from.

    Args:
        graph: The host's dynamic prompt.
        node: Of the graph.
        runs_of: What a node of the page found, by copy of it.
    """

    def __init__(self, graph: Any, node: str, runs_of: Callable[[str], Runs]):
        self.graph, self.runs_of = graph, runs_of
        # node -> whether items of its list are items of the same place of the first node's
        self.aligned: dict[str, bool] = {}
        self._walk(node)
        self.made = set(self._made())
        self.shown = {graph.get_display_node_id(name) for name in (*self.aligned, *self.made)}

    def texts(self, shown: str, runs: Runs, item: int) -> list[str]:
        """What the copies of a node of the page found that are behind item number `item`."""
        found: list[str] = []
        for node, texts in runs.items():
            if self.aligned.get(node):
                found.append(texts.get(item, texts[max(texts)]))  # as the host repeats the last item of a shorter list
            elif (
                node in self.aligned or node in self.made or not self.graph.has_node(node)
            ):  # of an earlier prompt: its maker came from the cache
                found += texts.values()
        return found

    def _walk(self, node: str) -> None:
        waiting = [(node, not takes_lists(self.graph.get_node(node)))]
        while waiting:
            name, aligned = waiting.pop()
            if name in self.aligned and (self.aligned[name] or not aligned):
                continue
            self.aligned[name] = aligned
            for link in links_of(self.graph.get_node(name)):
                if self.graph.has_node(link[0]):
                    before = self.graph.get_node(link[0])
                    waiting.append((link[0], aligned and not takes_lists(before) and not gives_lists(before, link[1])))

    def _made(self) -> Iterator[str]:
        """Copies that a node behind had run in its place; what was picked by hand answers for its copies."""
        parents, known = self.graph.ephemeral_parents, dict[str, str | None]()
        for node in parents:
            passed, parent = [], parents.get(node)
            while parent is not None and parent not in self.aligned and parent not in known:
                passed.append(parent)
                parent = parents.get(parent)
            parent = known.get(parent, parent) if parent is not None else None
            known.update(dict.fromkeys(passed, parent))
            if parent is not None and not self.runs_of(self.graph.get_display_node_id(parent)):
                yield node


def links_of(node: Any) -> list[list]:
    """What a node waits for; not what it only asks the host to run for it, in copies."""
    kind = node_classes().get(node.get("class_type"))
    said = kind.INPUT_TYPES() if kind else {}
    options = {
        name: entry[1]
        for group in said.values()
        for name, entry in group.items()
        if isinstance(entry, tuple | list) and len(entry) > 1
    }
    return [
        value for name, value in inputs_of(node).items() if is_link(value) and not options.get(name, {}).get("rawLink")
    ]


def takes_lists(node: Any) -> bool:
    return bool(getattr(node_classes().get(node.get("class_type")), "INPUT_IS_LIST", False))


def gives_lists(node: Any, slot: int) -> bool:
    found = getattr(node_classes().get(node.get("class_type")), "OUTPUT_IS_LIST", None) or ()
    return slot < len(found) and bool(found[slot])
