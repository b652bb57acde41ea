"""What is behind an input of a node, told apart from everything else by a digest: one walk over the host's graph,
copies of nodes included.
"""

import inspect
import math
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, cast

from comfy_api.internal import _ComfyNodeInternal, first_real_override
from comfy_execution.graph_utils import is_link

from ...compat import node_classes
from ...graph.results import made_by
from .contents import digest
from .files import named_in
from .installed import class_code


class Lineage:
    """Digests of nodes with all that is upstream of them. Names of nodes do not count, so that copies of a node are
    that node.

    Args:
        graph: The host's dynamic prompt.
    """

    def __init__(self, graph: Any):
        self.graph = graph
        self.known: dict[str, str] = {}
        self.code: dict[type, str] = {}

    def of_input(self, node: str, name: str) -> Any:
        """What one input of a node depends on: the digest of the node that it is linked to and the slot, or what was
        typed in.
        """
        value: Any = self.inputs(node).get(name)
        return [self.of(value[0]), value[1]] if is_link(value) else self.typed(value)

    def of(self, node: str) -> str:
        """Digest of a node: its class's code, what the host found to have changed, its inputs, and all of that of the
        nodes behind it.
        """
        for name in self.before(node):
            if name not in self.known:
                self.known[name] = self.digest(name)
        return self.known[node]

    def inputs(self, node: str) -> Mapping[str, Any]:
        return self.graph.get_node(node).get("inputs", {})

    def before(self, node: str) -> Iterator[str]:
        """The node and all that is behind it and not known yet, each after what it depends on."""
        waiting, entered = [(node, False)], set()
        while waiting:
            name, ready = waiting.pop()
            if ready:
                yield name
            elif name not in entered and name not in self.known:
                entered.add(name)
                waiting.append((name, True))
                waiting += [(value[0], False) for value in self.inputs(name).values() if is_link(value)]

    def digest(self, node: str) -> str:
        entry = self.graph.get_node(node)
        kind = node_classes()[entry["class_type"]]
        inputs = {
            name: self.of_known(value) if is_link(value) else self.typed(value)
            for name, value in self.inputs(node).items()
        }
        if kind not in self.code:
            self.code[kind] = class_code(kind)
        return digest(
            entry["class_type"], self.code[kind], changing(mark_of(entry, kind)), inputs, made_by(self.graph, node)
        )

    def of_known(self, link: list) -> list:
        return [self.known.get(link[0], "in a circle"), link[1]]

    def typed(self, value: Any) -> list:
        return [value, list(named_in(value))]


def mark_of(entry: Mapping[str, Any], kind: type) -> Any:
    """What tells the host that a node changed although its inputs did not; asked for where the host, which keeps
    nothing, did not ask.
    """
    ask = (
        first_real_override(kind, "fingerprint_inputs")
        if issubclass(kind, _ComfyNodeInternal)
        else getattr(kind, "IS_CHANGED", None)
    )
    if "is_changed" in entry or ask is None:
        return entry.get("is_changed")
    try:
        found = ask(**{name: None if is_link(value) else value for name, value in entry.get("inputs", {}).items()})
    except Exception:  # for the host as well, a node that cannot say it always changes
        return math.nan
    if inspect.isawaitable(found):
        cast("Any", found).close()
        return math.nan
    return found


def changing(mark: Any) -> Any:
    """The mark; where it says "always changes", wherever in it that stands, one that never comes again."""
    return uuid.uuid4().hex if holds_nan(mark) else mark


def holds_nan(mark: Any) -> bool:
    if isinstance(mark, Mapping):
        return any(map(holds_nan, mark.values()))
    if isinstance(mark, list | tuple | set | frozenset):
        return any(map(holds_nan, mark))
    return isinstance(mark, float) and math.isnan(mark)
