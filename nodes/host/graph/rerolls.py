"""Pictures made again with new seeds, within the run: what is between the seeds and a node is copied, and the copies
run.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ....search.noise import SEED_BITS, SeedStream
from ..compat import node_classes
from .upstream import is_link

SEED = re.compile(r"(.*[._])?seed", re.IGNORECASE)  # the name of an input
LARGEST = 2**64 - 1

Seeds = dict[tuple[str, str], int]  # (node, input) -> what is there


class Rolling:
    """What can be rolled again behind a node.

    The copies bear the names of their originals, where the host shows how far they are. What does not depend on a seed
    is not copied.

    Args:
        graph: The host's dynamic prompt.
        node: The node whose pictures are made again, an original one.
        inputs: Which of its inputs those pictures, and what belongs to them, come in by.
    """

    def __init__(self, graph: Any, node: str, inputs: tuple[str, ...]):
        self.graph, self.node = graph, node
        self.kind = graph.get_node(node)["class_type"]
        self.behind = self._behind([link[0] for name, link in self._links(node) if name in inputs])
        self.seeds = dict(self._seeds())

    @property
    def possible(self) -> bool:
        return bool(self.seeds)

    def copies(self, roll: int, changed: Mapping[str, Any]) -> tuple[dict[str, dict], str]:
        """The graph to run, and the name in it of the node itself, which gets the `changed` inputs as well."""
        rolled = [*self._depending(), self.node]
        names = {name: f"{self.node}.roll{roll}.{name}" for name in rolled}
        graph = {}
        for name in rolled:
            original = self.graph.get_node(name)
            inputs = {key: self._moved(value, names) for key, value in original["inputs"].items()}
            inputs |= {
                key: rerolled_seed(value, roll, largest(original, key))
                for (owner, key), value in self.seeds.items()
                if owner == name
            }
            # of one of our searches: its seed would not matter
            if isinstance(inputs.get("recipe"), str) and name != self.node:
                inputs["recipe"] = ""
            graph[names[name]] = {"class_type": original["class_type"], "inputs": inputs, "override_display_id": name}
        graph[names[self.node]]["inputs"] |= changed
        return graph, names[self.node]

    def _behind(self, begin: list[str]) -> list[str]:
        """All that the pictures come from; another node of this kind and what is behind it stay as they are."""
        waiting, found = list(begin), dict[str, None]()  # in the order in which they were met
        while waiting:
            name = waiting.pop()
            if name not in found and self.graph.get_node(name)["class_type"] != self.kind:
                found[name] = None
                waiting += [link[0] for _, link in self._links(name)]
        return list(found)

    def _links(self, name: str) -> list[tuple[str, list]]:
        return [(key, value) for key, value in self.graph.get_node(name)["inputs"].items() if is_link(value)]

    def _seeds(self) -> Iterator[tuple[tuple[str, str], int]]:
        feeding = {link[0] for name in self.behind for key, link in self._links(name) if SEED.fullmatch(key)}
        for name in self.behind:
            node = self.graph.get_node(name)
            for key, value in node["inputs"].items():
                counts = SEED.fullmatch(key) or (name in feeding and options(node, key).get("control_after_generate"))
                if counts and type(value) is int:
                    yield (name, key), value

    def _depending(self) -> list[str]:
        """Nodes behind that hold a seed, or something that one of those makes."""
        used_by: dict[str, list[str]] = {}
        for name in self.behind:
            for _, link in self._links(name):
                used_by.setdefault(link[0], []).append(name)
        waiting, found = [name for name, _ in self.seeds], set[str]()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += used_by.get(name, [])
        return [name for name in self.behind if name in found]

    @staticmethod
    def _moved(value: Any, names: Mapping[str, str]) -> Any:
        return [names.get(value[0], value[0]), value[1]] if is_link(value) else value


def rerolled_seed(seed: int, roll: int, most: int) -> int:
    """The seed of a roll, counted from 1; the same whenever it is rolled again from the same seed."""
    return SeedStream(seed % 2**64).at(roll, 0) % (min(most, 2**SEED_BITS - 1) + 1)


def largest(node: Mapping[str, Any], key: str) -> int:
    return max(0, options(node, key).get("max", LARGEST))


def options(node: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What the node's class says of a widget."""
    kinds = node_classes()[node["class_type"]].INPUT_TYPES()
    found = next((group[key] for group in (kinds.get("required", {}), kinds.get("optional", {})) if key in group), ())
    return found[1] if len(found) > 1 else {}
