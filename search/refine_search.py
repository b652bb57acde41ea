"""Refinement: put noise back into the best picture, bring it down again, and keep what came out if it is better.

SDEdit (Meng et al., arXiv:2108.01073) as the move of a local search. How much noise goes in, the depth, follows success
as the stride of zero-order search does: it grows where the new pictures win, so that more is changed, and shrinks where
they lose. A shallow move keeps more of the picture and costs less, as only the steps below its level are taken again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from .noise import Candidate, fresh, unused
from .path import Path, Proposal, Schedule, finish, renoise
from .stages import Scores, Stage, Stages, Story

SUCCESS = 0.25  # share of children that beat the best picture at the best depth
GAIN = 0.4  # how fast the depth follows; more children tell its success more surely
SHALLOWEST = 0.2  # share of the steps: every child is decoded and judged as well, however little of it is new
SPREAD = 1.4  # from the middle of a round to its deepest and its shallowest child, so that other depths stay known


class RefineSearch(Stages):
    """Local search by partial re-noising, on the levels of the schedule.

    Args:
        start: Candidate to begin with, or a picture that is refined at once: a path, or what came in (`Path(None,
            (0.0,))`, which is free).
        seeds: Yields a new seed per draw; the only source of randomness.
        schedule: Noise levels of the setup.
        pictures: Full pictures' worth of denoising; used up to the last step.
        children: New pictures made from the best one per round, at least 1.
        depth: Share of the steps that is taken again, in (0, 1]; where it adapts, of the first round.
        warmup: Noises that the first best picture is chosen from, the start and fresh ones; 0 for a quarter of the
            pictures.
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
        self.best, self.children, self.adapt = start, children, adapt
        self.depth = depth * schedule.steps  # in steps, between whole numbers as well
        self._least = max(1, round(SHALLOWEST * schedule.steps))
        self._seeds, self._schedule = unused(seeds, start), schedule
        self._left: int = round((pictures - schedule.cost(start)) * schedule.steps)
        wanted = (warmup or math.ceil(pictures / 4)) if isinstance(start, Candidate) else 1
        self._draws = max(0, min(wanted - 1, self._left // schedule.steps))
        super().__init__(self._story())

    def _story(self) -> Story:
        noises = [fresh(next(self._seeds)) for _ in range(self._draws)]
        self._left -= len(noises) * self._schedule.steps
        scores = yield Stage((self.best, *noises))
        self.best = max(scores, key=scores.__getitem__)
        yield from self._refined()

    def _refined(self) -> Story:
        while self._left > 0:
            children = self._children()
            scores = yield Stage(tuple(children), (self.best,))
            self._move(children, scores)

    def _children(self) -> list[Path]:
        """Re-noise the best picture to levels around the depth; the last ones get the steps that are left."""
        parent, children = finish(self.best, self._schedule), list[Path]()
        for number in range(self.children):
            place = 2 * number / (self.children - 1) - 1 if self.children > 1 and self.adapt else 0.0
            steps = min(max(round(self.depth * SPREAD**place), self._least), self._schedule.steps, self._left)
            if 0 < self._left - steps < steps / 2:  # too little would be left to be of use
                steps = min(self._left, self._schedule.steps)
            if steps:
                children.append(renoise(parent, self._schedule.levels[-steps - 1 :], next(self._seeds)))
                self._left -= steps
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
