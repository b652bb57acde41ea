"""Searches that are written as a story: a generator that asks for a stage and goes on when all of it is known."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from .path import Path, Tried

Scores = Mapping[Tried, float]


@dataclass(frozen=True)
class Stage:
    """What is to be measured before the story goes on.

    Args:
        asked: In this order; all of them are told at once, however few are measured at a time.
        held: Measured before, and of use still: their present scores are told along, their states are kept to go on from.
    """

    asked: tuple[Tried, ...]
    held: tuple[Tried, ...] = ()


Story = Generator[Stage, Scores, None]


class Stages:
    """A search from its story: `scores = yield Stage(...)` gives the present scores of all that was asked and held.

    Args:
        story: Yields one stage after the other; where it returns, the search is finished.
    """

    def __init__(self, story: Story):
        self._story, self._asked, self._told = story, 0, 0
        self._stage: Stage | None = next(story, None)

    @property
    def held(self) -> tuple[Tried, ...]:
        if self._stage is None:
            return ()
        known = [*self._stage.held, *self._stage.asked[: self._told]]
        return tuple(dict.fromkeys(known))

    @property
    def alive(self) -> tuple[Tried, ...]:
        """Whose states it may go on from: what it holds, what it asks, and what that goes on from."""
        if self._stage is None:
            return ()
        parents = [tried.parent for tried in self._stage.asked if isinstance(tried, Path) and tried.parent is not None]
        return tuple(dict.fromkeys([*self._stage.held, *self._stage.asked, *parents]))

    def ask(self, limit: int) -> list[Tried]:
        if self._stage is None:
            return []
        asked = self._stage.asked[self._asked : self._asked + limit]
        self._asked += len(asked)
        return list(asked)

    def tell(self, candidates: Sequence[Tried], scores: Sequence[float]) -> None:
        known = dict(zip(candidates, scores, strict=True))
        if self._stage is None:
            return
        self._told = sum(1 for tried in self._stage.asked if tried in known)
        if self._told == len(self._stage.asked):
            self._stage = self._next({tried: known[tried] for tried in (*self._stage.asked, *self._stage.held)})
            self._asked = self._told = 0

    def _next(self, scores: Scores) -> Stage | None:
        try:
            return self._story.send(scores)
        except StopIteration:
            return None
