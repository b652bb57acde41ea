"""What the host says of a kind of node: which inputs and outputs it has, and of which types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..compat import node_classes


@dataclass(frozen=True)
class Kind:
    """A kind of node.

    Args:
        known: Whether the host has it.
        inputs: Types of the inputs that it declares, by name.
        outputs: Name and type of each output.
    """

    known: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[tuple[str, str], ...] = ()

    def output(self, slot: int) -> tuple[str, str]:
        """Name and type; empty where that is not known."""
        return self.outputs[slot] if slot < len(self.outputs) else ("", "")

    def type_of(self, name: str) -> str:
        """Type of an input; that of "values.a", one of an input that grows, is not known."""
        return self.inputs.get(name, "")


class Kinds:
    """The kinds of a graph's nodes. Each is asked for once, because some of them look through folders to answer."""

    def __init__(self) -> None:
        self._asked: dict[Any, Kind] = {}

    def of(self, name: Any) -> Kind:
        if name not in self._asked:
            self._asked[name] = described(node_classes().get(name))
        return self._asked[name]


def described(found: Any) -> Kind:
    if found is None:
        return Kind()
    groups = found.INPUT_TYPES()
    inputs = {name: spoken(entry) for part in ("required", "optional") for name, entry in groups.get(part, {}).items()}
    types = [spoken((one,)) for one in getattr(found, "RETURN_TYPES", None) or ()]
    names = [str(name) for name in getattr(found, "RETURN_NAMES", None) or types]
    return Kind(True, inputs, tuple(zip(names, types)))


def spoken(entry: Any) -> str:
    """A type as the host declares it, `("STRING", {...})`; a list of choices is a COMBO."""
    found = entry[0] if isinstance(entry, tuple | list) and entry else entry
    return found if isinstance(found, str) else "COMBO"
