"""What a search may offer beside `ask` and `tell`, and what stands in for it where it does not."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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


def alive(search: object) -> tuple[Proposal, ...]:
    """Candidates whose states must be kept; none for a search that begins anew with each."""
    return search.alive if isinstance(search, GoesOn) else ()


def explained(search: object) -> str:
    """What the search says that it did; "" where it says nothing."""
    return search.explain() if isinstance(search, Explains) else ""
