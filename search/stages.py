"""Searches that are written as a story: a generator that asks for a stage and goes on when all of it is known."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from .path import Path, Proposal

Scores = Mapping[Proposal, float]


@dataclass(frozen=True)
class Stage:
    """What is to be measured before the story goes on.

    Args:
        asked: In this order; all of them are told at once, however few are measured at a time.
        held: Measured before, and compared with what is asked; their states are kept to go on from.
    """

    asked: tuple[Proposal, ...]
    held: tuple[Proposal, ...] = ()


Story = Generator[Stage, Scores, None]


class Stages:
    """A search from its story: `scores = yield Stage(...)` gives the present scores of all that was asked and held.

    Args:
        story: Yields one stage after the other; where it returns, the search is finished.
    """

    def __init__(self, story: Story):
        self._story, self._asked, self._told = story, 0, 0
        self._begin(next(story, None))

    @property
    def held(self) -> tuple[Proposal, ...]:
        """What the asked ones will be compared with."""
        return () if self._stage is None else self._stage.held

    @property
    def alive(self) -> tuple[Proposal, ...]:
        """Whose states it may go on from: what it holds, what it asks, and what that goes on from."""
        return self._alive

    def ask(self, limit: int) -> list[Proposal]:
        if self._stage is None:
            return []
        asked = self._stage.asked[self._asked : self._asked + limit]
        self._asked += len(asked)
        return list(asked)

    def tell(self, measured: Sequence[Proposal], scores: Scores) -> None:
        if self._stage is None:
            return
        self._told += len(measured)
        if self._told == len(self._stage.asked):
            stage, self._asked, self._told = self._stage, 0, 0
            try:
                self._begin(self._story.send({one: scores[one] for one in (*stage.asked, *stage.held)}))
            except StopIteration:
                self._begin(None)

    def _begin(self, stage: Stage | None) -> None:
        self._stage, self._alive = stage, () if stage is None else _alive(stage)


def _alive(stage: Stage) -> tuple[Proposal, ...]:
    parents = [one.parent for one in stage.asked if isinstance(one, Path) and one.parent is not None]
    return tuple(dict.fromkeys([*stage.held, *stage.asked, *parents]))
