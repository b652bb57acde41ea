"""What is compared: one line per search node, its knobs and its budgets in pictures. Best of N is always there, from
the pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from demo.client import Client

AUTO = (2, 4, 8, 16, 32, 96)
ROUNDS = (16, 32)
ONCE = (16,)
ALONG = (8, 16, 32)


@dataclass(frozen=True)
class Algorithm:
    """A search node as it is benchmarked.

    Args:
        name: In tables.
        node: Its id; a server that lacks it leaves it out.
        budgets: In pictures.
        knobs: Other than the node's defaults.
        verifier: By name in the workflow; "searched" is the one all are compared by.
        each: A choice of the node of which every option is an algorithm of its own.
    """

    name: str
    node: str
    budgets: tuple[int, ...]
    knobs: Mapping[str, object] = field(default_factory=dict)
    verifier: str = "searched"
    each: str = ""

    def unit(self, pictures: int) -> str:
        """Key of its record at a budget."""
        return f"{self.name} @ {pictures}"


SEARCH = (
    Algorithm("auto", "AutoSearch", AUTO),
    Algorithm("auto, ensemble", "AutoSearch", (8, 16, 32), verifier="ensemble"),
    Algorithm("draft", "DraftSearch", ONCE),
    Algorithm("local", "LocalSearch", ONCE),
    Algorithm("zero-order", "ZeroOrderSearch", ONCE),
    Algorithm("refine", "RefineSearch", ROUNDS),
    Algorithm("steered", "SteeredSearch", ROUNDS),
)
PATHS = (
    Algorithm("path", "PathSearch", ALONG),
    Algorithm("steered", "SteeredSearch", ALONG, each="preset"),
    Algorithm("refine", "RefineSearch", ALONG),
)
SHARED = ("sampling", "verifier", "noise", "held_out", "seed", "pictures", "minutes", "keep")


class Nodes:
    """What a server says of its nodes.

    Args:
        client: Asked once.
    """

    def __init__(self, client: Client):
        self.known: dict[str, dict] = client.json("/object_info")

    def defaults(self, node: str) -> dict[str, object]:
        """Values of the required widgets that have one; a prompt must name them all."""
        required = self.known[node]["input"].get("required", {})
        return {
            name: value
            for name, spec in required.items()
            if name not in SHARED and (value := _default(spec)) is not None
        }

    def options(self, node: str, widget: str) -> list[str]:
        spec = {**self.known[node]["input"].get("required", {}), **self.known[node]["input"].get("optional", {})}[
            widget
        ]
        return spec[0] if isinstance(spec[0], list) else spec[1]["options"]

    def available(self, algorithms: Iterable[Algorithm]) -> tuple[list[Algorithm], list[str]]:
        """Those that the server knows, a choice that counts spelled out, and the names of the others."""
        found, absent = [], []
        for algorithm in algorithms:
            if algorithm.node not in self.known:
                absent.append(algorithm.name)
            elif algorithm.each:
                options = self.options(algorithm.node, algorithm.each)
                found += [_option(algorithm, option, first=option == options[0]) for option in options]
            else:
                found.append(algorithm)
        return found, absent

    def search(self, algorithm: Algorithm, verifier: list, pictures: int, seed: int, keep: int = 1) -> dict:
        """The search node of an API prompt, but for its sampling."""
        inputs = {"verifier": verifier, "seed": seed, "pictures": pictures, "minutes": 0.0, "keep": keep}
        return {"class_type": algorithm.node, "inputs": {**self.defaults(algorithm.node), **algorithm.knobs, **inputs}}


def _option(algorithm: Algorithm, option: str, first: bool) -> Algorithm:
    """The first option is the default, and keeps the plain name: what one benchmark measured serves the other."""
    if first:
        return replace(algorithm, each="")
    return replace(
        algorithm, each="", name=f"{algorithm.name}, {option}", knobs={**algorithm.knobs, algorithm.each: option}
    )


def _default(spec: list) -> object:
    options = spec[1] if len(spec) > 1 else {}
    if "default" in options:
        return options["default"]
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    return choices[0] if choices else None
