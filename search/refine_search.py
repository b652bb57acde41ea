"""Refinement: put noise back into the best picture, bring it down again, and keep what came out if it is better.

SDEdit (Meng et al., arXiv:2108.01073) as the move of a local search. How much noise goes in, the depth, follows success
as the stride of zero-order search does: it grows where the new pictures win, so that more is changed, and shrinks where
they lose. A shallow move keeps more of the picture and costs less, as only the steps below its level are taken again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .allowance import WHOLE, Work
from .noise import Candidate, fresh
from .path import Path, Proposal, Schedule, finish, renoise
from .planned import SHALLOWEST, Planned
from .stages import Scores, Stage, Story

SUCCESS = 0.25  # share of children that beat the best picture at the best depth
GAIN = 0.4  # how fast the depth follows; more children tell its success more surely
SPREAD = 1.4  # from the middle of a round to its deepest and its shallowest child, so that other depths stay known


class RefineSearch(Planned):
    """Local search by partial re-noising, on the levels of the schedule.

    Args:
        start: Candidate to begin with, or a picture that is refined at once: a path, or what came in (`Path(None,
            (0.0,))`, which is free).
        seeds: Yields a new seed per draw; the only source of randomness.
        schedule: Noise levels of the setup.
        pictures: Full pictures' worth of denoising; used up to the last step.
        children: New pictures made from the best one per round, at least 1.
        depth: Share of the steps that is taken again, in (0, 1]; where it adapts, of the first round.
        warmup: Noises that the first best picture is chosen from, what came in and fresh ones; 0 for a quarter of the
            pictures, or of what the time pays for.
        adapt: Let the depth follow success and failure.
    """

    success = SUCCESS

    def __init__(
        self,
        start: Proposal,
        seeds: Iterator[int],
        *,
        schedule: Schedule,
        pictures: int,
        children: int = 2,
        depth: float = 0.5,
        warmup: int = 0,
        adapt: bool = True,
    ):
        _check(children, depth, warmup)
        super().__init__(start, seeds, schedule, pictures)
        self.best, self.children, self.adapt, self.warmup = start, children, adapt, warmup
        self.depth = depth * schedule.steps  # in steps, between whole numbers as well

    def _story(self) -> Story:
        if self._apart:
            yield from self._arrived()
            self.best = self._start
        noises = [fresh(next(self._seeds)) for _ in range(self._draws())]
        self._spend(len(noises))
        if noises or not self._apart:
            scores = yield Stage((self.best, *noises))
            self.best = max(scores, key=scores.__getitem__)
        while children := self._children():
            scores = yield Stage(tuple(children), (self.best,))
            self._move(children, scores)

    def _draws(self) -> int:
        """Fresh noises of the warm-up."""
        if not isinstance(self.best, Candidate):
            return 0
        whole = self._others + (self._whole(WHOLE) if self._timed else self._pictures)
        wanted = (self.warmup or math.ceil(whole / 4)) - len(self._came_in)
        return max(0, min(wanted, self._times(WHOLE)))

    def _children(self, parents: Sequence[Proposal] = ()) -> list[Path]:
        """Re-noise the best picture, or each of several, to levels around the depth; the last ones get the steps that
        are left.
        """
        children, works = list[Path](), list[Work]()
        for number in range(self.children * len(parents or (self.best,))):
            parent = finish((parents or (self.best,))[number // self.children], self._schedule)
            place = 2 * (number % self.children) / (self.children - 1) - 1 if self.children > 1 and self.adapt else 0.0
            left = self._room(*works)
            steps = min(max(round(self.depth * SPREAD**place), self._least), self._schedule.steps, left)
            if 0 < left - steps < steps / 2:  # too little would be left to be of use
                steps = min(left, self._schedule.steps)
            if 0 < left - steps < self._least:  # nor too little to be worth a look
                steps = left if left <= self._schedule.steps else left - self._least
            if steps >= self._least:
                works.append(self._work(steps))
                children.append(renoise(parent, self._schedule.levels[-steps - 1 :], next(self._seeds)))
                self._spend(steps / self._schedule.steps)
        return children

    def _move(self, children: list[Path], scores: Scores) -> None:
        better = [child for child in children if scores[child] > scores[self.best]]
        if self.adapt:
            self.depth *= math.exp(GAIN * math.sqrt(len(children)) * (len(better) / len(children) - self.success))
            self.depth = min(max(self.depth, SHALLOWEST * self._schedule.steps), float(self._schedule.steps))
        if better:
            self.best = max(better, key=scores.__getitem__)


def _check(children: int, depth: float, warmup: int) -> None:
    if children < 1:
        raise ValueError(f"children must be at least 1, got {children}")
    if not 0 < depth <= 1:
        raise ValueError(f"depth must be in (0, 1], got {depth}")
    if warmup < 0:
        raise ValueError(f"warmup must be at least 0 (a quarter of the pictures), got {warmup}")
