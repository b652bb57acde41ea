"""Searches that are written as a story: a generator that asks for a stage and goes on when all of it is known."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from .allowance import Allowance
from .path import Path, Proposal

Scores = Mapping[Proposal, float]

NO_LIMIT = Allowance(math.inf, lambda proposed: 1.0)  # of a search that nobody told of one


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

    The story begins when it is first asked, so that it may read what `begin` told.

    Args:
        story: Yields one stage after the other; where it returns, the search is finished. A stage asks for at least one
            candidate.
    """

    _came_in: tuple[Proposal, ...] = ()  # what is measured before all else
    _allowance: Allowance = NO_LIMIT  # what is left

    def __init__(self, story: Story):
        self._story, self._asked, self._told = story, 0, 0
        self._stage: Stage | None = None
        self._alive: tuple[Proposal, ...] = ()
        self._opened = False

    def begin(self, first: Sequence[Proposal], allowance: Allowance) -> None:
        """Hear what is measured before all else, and what is left at any moment; before the first `ask`."""
        self._came_in, self._allowance = tuple(first), allowance

    @property
    def held(self) -> tuple[Proposal, ...]:
        """What the asked ones will be compared with."""
        stage = self._open()
        return () if stage is None else stage.held

    @property
    def alive(self) -> tuple[Proposal, ...]:
        """Whose states it may go on from: what it holds, what it asks, and what that goes on from."""
        self._open()
        return self._alive

    def ask(self, limit: int) -> list[Proposal]:
        if (stage := self._open()) is None:
            return []
        asked = stage.asked[self._asked : self._asked + limit]
        self._asked += len(asked)
        return list(asked)

    def tell(self, measured: Sequence[Proposal], scores: Scores) -> None:
        if not measured or (stage := self._open()) is None:
            return
        self._told += len(measured)
        if self._told == len(stage.asked):
            self._asked, self._told = 0, 0
            try:
                self._enter(self._story.send({one: scores[one] for one in (*stage.asked, *stage.held)}))
            except StopIteration:
                self._enter(None)

    def _open(self) -> Stage | None:
        """The present stage, the first one where none was asked for yet."""
        if not self._opened:
            self._opened = True
            self._enter(next(self._story, None))
        return self._stage

    def _enter(self, stage: Stage | None) -> None:
        self._stage, self._alive = stage, () if stage is None else _alive(stage)


def _alive(stage: Stage) -> tuple[Proposal, ...]:
    parents = [one.parent for one in stage.asked if isinstance(one, Path) and one.parent is not None]
    return tuple(dict.fromkeys([*stage.held, *stage.asked, *parents]))
