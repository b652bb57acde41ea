"""The operations that proposals are made by, each with all that is to be known of it: what it computes, how a recipe
says it, what it costs, and whether it needs the model.

A new one is an `Operation` that is registered by the module that defines it, which `search/__init__.py` imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .leaves import Shape, Streams

if TYPE_CHECKING:
    from .noise import Candidate
    from .path import Path, Proposal

Evaluate = Callable[
    ["Candidate", "Sequence[tuple[Tensor, ...]]", "Sequence[Shape]", "Mapping[str, Streams]"], "tuple[Tensor, ...]"
]


@dataclass(frozen=True)
class Operation:
    """One way in which proposals are made.

    Args:
        name: In recipes, and of the proposals that are made by it.
        write: The entry of a proposal in a recipe, without the name; parents are places of earlier entries.
        read: Inverse of `write`: the proposal of an entry and the earlier ones; a ValueError where it is none.
        evaluate: The noise of a candidate, per stream `(1, *shape)`, from those of its parents, the shapes and the
            tensors that leaves name. None where only the model can tell: walks along the path.
        steps: Model steps that a proposal takes; None for all of a full picture's.
        draws: Whether it draws noise of a seed of its own.
        version: The first version of recipes that can say a proposal.
    """

    name: str
    write: Callable[[Any, Mapping[str, int]], list[Any]]
    read: Callable[[Sequence[Any], Sequence[Proposal]], Proposal]
    evaluate: Evaluate | None = None
    steps: Callable[[Any], int] | None = None
    draws: bool = False
    version: Callable[[Any], int] = lambda proposed: 1

    @property
    def needs_model(self) -> bool:
        return self.evaluate is None


_operations: dict[str, Operation] = {}


def register(operation: Operation) -> Operation:
    """Makes an operation known to noises, recipes and costs."""
    if operation.name in _operations:
        raise ValueError(f"an operation must have a name of its own, got a second {operation.name}")
    _operations[operation.name] = operation
    return operation


def operation_named(name: Any) -> Operation:
    """The operation of a recipe's entry."""
    if not isinstance(name, str) or name not in _operations:
        raise ValueError("unknown or incomplete")
    return _operations[name]


def operation_of(proposed: Candidate | Path) -> Operation:
    """What a proposal is made by."""
    return _operations[proposed.made_by]


def names() -> tuple[str, ...]:
    """Of all operations, in the order of their registration."""
    return tuple(_operations)


def earlier_one(place: Any, earlier: Sequence[Proposal], kind: type | tuple[type, ...]) -> Any:
    """The parent that an entry of a recipe names by its place, of this kind."""
    if type(place) is not int or not 0 <= place < len(earlier) or not isinstance(earlier[place], kind):
        raise ValueError(f"a parent must be the index of an earlier entry, got {short(place)}")
    return earlier[place]


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def incomplete() -> ValueError:
    return ValueError("unknown or incomplete")


def short(value: Any, length: int = 60) -> str:
    """A value for a message."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."
