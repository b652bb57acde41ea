"""What searches have in common that plan along the path: what came in, steps that are left, and waves by the clock."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence

from .allowance import ROUNDING, Allowance, Work
from .noise import unused
from .path import Path, Proposal, Schedule, finish, renoise
from .stages import Scores, Stage, Stages, Story

GROWTH = 3.0  # a wave takes at most so many times what was spent before it, so that a cut loses only the last one
SHALLOWEST = 0.2  # share of the steps: every picture is decoded and judged, however little of it is new
DEAREST = 0.5  # of the time that a picture takes: no drafts where one takes more


class Planned(Stages):
    """A search that plans for full pictures' worth of denoising, counted in steps of the schedule.

    Without a limit by the clock and with one noise to begin with, the plan is made once, for all of the pictures. Where
    several noises came in, all of them are measured and paid for first, and the best is the start. With a limit by the
    clock the first pictures tell the pace. Then there are waves, each of which ends with finished pictures, and none is
    begun that the time does not pay for.

    Args:
        start: Where it begins.
        seeds: Yields a new seed per draw.
        schedule: Noise levels of the setup.
        pictures: Full pictures' worth of denoising, at least 1.
    """

    def __init__(self, start: Proposal, seeds: Iterator[int], schedule: Schedule, pictures: int):
        self._start, self._seeds, self._schedule = start, unused(seeds, start), schedule
        self._came_in, self._allowance = (start,), Allowance(pictures, schedule.cost)
        self._total: float = pictures
        self._others = 0.0  # pictures' worth of what came in beside the start
        self._left = round((pictures - schedule.cost(start)) * schedule.steps)
        self._least = max(1, round(SHALLOWEST * schedule.steps))  # steps of a picture that is worth a look
        super().__init__(self._story())

    def begin(self, first: Sequence[Proposal], allowance: Allowance) -> None:
        self._came_in, self._allowance = tuple(dict.fromkeys((self._start, *first))), allowance
        others = self._came_in[1:]
        self._seeds = unused(self._seeds, *others)
        self._others = math.fsum(map(allowance.cost, others))
        self._spend(self._others)
        self._plan()

    def _plan(self) -> None:
        """Divide what is left, once for the knobs alone and once for what `begin` told."""

    def _story(self) -> Story:
        raise NotImplementedError

    @property
    def _timed(self) -> bool:
        return self._allowance.timed

    @property
    def _apart(self) -> bool:
        """Whether what came in is a stage of its own: to choose the start by, or to learn the pace from."""
        return self._timed or len(self._came_in) > 1

    def _arrived(self) -> Generator[Stage, Scores, Scores]:
        """Measure all that came in; the best is the start."""
        scores = yield Stage(self._came_in)
        self._start = max(self._came_in, key=scores.__getitem__)
        return scores

    def _spend(self, worth: float) -> None:
        """Pay pictures' worth; a part of a step that is left is lost."""
        self._left = max(0, math.floor(self._left - worth * self._schedule.steps + ROUNDING))

    def _room(self, *before: Work) -> int:
        """Steps of one more picture that are paid for: by the pictures, and by the clock beside other work."""
        return self._allowance.steps(1 / self._schedule.steps, self._left, before) if self._timed else self._left

    def _work(self, steps: int, count: float = 1.0, begins: bool = False) -> Work:
        """Pictures that take so many steps.

        Args:
            begins: Whether each begins a lineage, or is the first whole picture of one.
        """
        return Work(steps / self._schedule.steps, count=count, begins=begins)

    def _times(self, *works: Work) -> int:
        """How many times all of this work is paid for, by the pictures of the plan and by the clock."""
        worth = math.fsum(work.count * work.worth for work in works)
        planned = math.floor(self._left / (worth * self._schedule.steps) + ROUNDING)
        return min(planned, self._allowance.times(*works)) if self._timed else planned

    @property
    def _pictures(self) -> float:
        """Pictures' worth to plan for: the start's own, and not that of the others that came in."""
        return self._total - self._others

    def _whole(self, *works: Work) -> float:
        """The same, by the clock: where all of the rest goes into such work, in these shares."""
        left = min(self._allowance.worth(*works), self._left / self._schedule.steps)
        coming = math.fsum(work.worth for work in self._allowance.first)
        return self._allowance.spent + coming - self._others + left

    def _grown(self) -> float:
        """Pictures' worth of the next wave, at most; where the pace is known before the first, as after one picture."""
        return GROWTH * max(self._allowance.spent, 1.0 if self._allowance.paced else 0.0)

    def _too_dear(self, cheap: Work) -> bool:
        """Whether a draft takes too much of a picture's time, its look included."""
        return self._allowance.dearness(cheap) > DEAREST

    def _again(self, best: Proposal, steps: int) -> Path:
        """The picture, brought down once more in so many steps; pays for them."""
        self._spend(steps / self._schedule.steps)
        return renoise(finish(best, self._schedule), self._schedule.levels[-steps - 1 :], next(self._seeds))
