"""What a search may offer beside `ask` and `tell`, and what stands in for it where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .allowance import Allowance
from .path import Proposal


@runtime_checkable
class GoesOn(Protocol):
    """Goes on from where candidates ended: their states must be kept."""

    @property
    def alive(self) -> tuple[Proposal, ...]:
        """Those it may go on from."""
        ...


@runtime_checkable
class Explains(Protocol):
    """Says what it did."""

    def explain(self) -> str:
        """A sentence or two; "" for nothing."""
        ...


@runtime_checkable
class Plans(Protocol):
    """Plans ahead: wants to know what it may use, and what else is to be paid for."""

    def begin(self, first: Sequence[Proposal], allowance: Allowance) -> None:
        """Hear, once and before the first `ask`, how it begins.

        Args:
            first: What is measured before all else, all of it charged; its own start is the first, where it is there.
                The best of them is a good place to start at.
            allowance: What is left, at any moment. It goes down as candidates are measured.

        Raises:
            ValueError: What is left is not enough for it.
        """
        ...


def begin(search: object, first: Sequence[Proposal], allowance: Allowance) -> None:
    """Tell a search that plans how it begins; any other goes on asking until it is told to stop."""
    if isinstance(search, Plans):
        search.begin(first, allowance)


def alive(search: object) -> tuple[Proposal, ...]:
    """Candidates whose states must be kept; none for a search that begins anew with each."""
    return search.alive if isinstance(search, GoesOn) else ()


def explained(search: object) -> str:
    """What the search says that it did; "" where it says nothing."""
    return search.explain() if isinstance(search, Explains) else ""
