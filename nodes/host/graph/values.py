"""What an input of a node will hold when the workflow runs, as far as the graph spells it out."""

import inspect
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .text_nodes import COMPUTED, LONGEST, SWITCHES, switched
from .upstream import inputs_of, is_link

STRING_INPUTS = ("value", "text", "string", "prompt")  # the only input of a text node of any pack
Graph = Mapping[str, Mapping[str, Any]]
Steps = Generator[Any, Any, Any]  # asks for values of inputs, is given them, and returns a value in the end


@dataclass(frozen=True)
class Unwritten:
    """A value that is not there before the workflow runs.

    Args:
        maker: The node that makes it.
    """

    maker: str


class Values:
    """Values of inputs in a graph. Each output is worked out once, and without recursion: a graph may be deep, and one
    that branches and joins has many more paths than nodes.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self._known: dict[tuple[str, int], Any] = {}

    def of(self, value: Any) -> Any:
        """What was typed in, or what the link gives."""
        waiting: list[tuple[tuple[str, int], Steps]] = []
        answer = self._answer(value, waiting)
        while waiting:
            place, steps = waiting[-1]
            try:
                answer = self._answer(steps.send(answer), waiting)
            except StopIteration as end:
                answer = self._known[place] = end.value
                waiting.pop()
        return answer

    def _answer(self, value: Any, waiting: list) -> Any:
        """The value where it is known; else what gives it is added to those that are waited for, and begins with
        None.
        """
        if not is_link(value):
            return value
        place = str(value[0]), value[1]
        if not isinstance(place[1], int) or not isinstance(self.graph.get(place[0]), Mapping):
            return Unwritten(place[0])
        if place not in self._known:
            self._known[place] = Unwritten(place[0])  # for whoever asks in a circle
            waiting.append((place, self._steps(*place)))
            return None
        return self._known[place]

    def _steps(self, name: str, slot: int) -> Steps:
        node = self.graph[name]
        kind, inputs = node.get("class_type"), inputs_of(node)
        if kind in SWITCHES:
            on = yield inputs.get("switch")
            taken = switched(inputs, on)
            return (yield taken) if taken is not None else (yield from self._either(name, inputs))
        if kind in COMPUTED:
            return (yield from self._computed(name, slot))
        if len(inputs) == 1 and (only := next(iter(inputs))) in STRING_INPUTS:
            return (yield inputs[only])
        return Unwritten(name)

    def _either(self, name: str, inputs: Mapping[str, Any]) -> Steps:
        """Of a switch that is set during the run: what both sides give, if it is the same."""
        first = yield inputs.get("on_false")
        second = yield inputs.get("on_true")
        return first if first == second else Unwritten(name)

    def _computed(self, name: str, slot: int) -> Steps:
        node = self.graph[name]
        work, given = COMPUTED[node["class_type"]], {}
        wanted = parameters(work)
        for key, value in inputs_of(node).items():
            if wanted is None or key in wanted:
                given[key] = yield value
                if isinstance(given[key], Unwritten):
                    return given[key]
        try:
            found = work(**given)
        # inputs are missing, or of other types: the host will say so
        except (TypeError, ValueError, KeyError, AttributeError, IndexError, re.error):
            return Unwritten(name)
        found = found[slot] if isinstance(found, tuple) and slot < len(found) else found
        return Unwritten(name) if isinstance(found, str) and len(found) > LONGEST else found


@cache
def parameters(work: Callable[..., Any]) -> frozenset[str] | None:
    """Names of what it takes; None where that is anything."""
    found = inspect.signature(work).parameters
    return None if any(part.kind is part.VAR_KEYWORD for part in found.values()) else frozenset(found)
