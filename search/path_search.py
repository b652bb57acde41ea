"""Search over paths: go back up with fresh noise again and again, each time a little less far than down, and keep the
best previews.

Ma et al., Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps, arXiv:2501.09732, with their
numbers as defaults: start at 0.11, forward 0.78, backward 0.81, two paths. These are times t in [0, 1] of a linear
flow, where t is the share of noise, noise / (noise + signal). `Schedule.level` finds the level with the same share: t
itself for a flow model, t / (1 - t) for one that predicts eps (0.11 is sigma 0.124, 0.89 is sigma 8.1). A shifted
schedule has the same levels, and more of its steps lie at the high ones.

A preview is the clean estimate of the last step of a walk, which costs no further denoising. What the budget leaves
over goes into more re-noisings, then into fresh noises, and the last steps bring the best picture down once more.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from .allowance import PREVIEW, WHOLE, Work
from .noise import Candidate, fresh
from .path import Path, Proposal, Schedule, finish, renoise
from .planned import GROWTH, Planned
from .stages import Scores, Stage, Story

NEAR = 0.25  # of a step: a level of the schedule that is nearer than that to the start of a walk is passed over
ROUNDS = 1000
CHOICE = 4  # re-noisings of a path, at least, by the clock: of fewer there is less to gain than of noises in full


class PathSearch(Planned):
    """Best of N paths, each chosen among M re-noisings per round.

    By the clock, the first stage is fresh noises in full. Then paths go on from the best pictures so far, again and
    again, as often and as wide as the time pays for; where it pays for no choice among re-noisings, there are only
    noises in full.

    Args:
        start: Candidate whose noise is the first path's; its picture is measured as well.
        seeds: Yields a new seed per draw; the only source of randomness.
        schedule: Noise levels of the setup.
        pictures: Full pictures' worth of denoising.
        paths: Noises to begin with, and previews kept per round (N), at least 1.
        width: Re-noisings of each kept path per round (M); 0 for as many as the pictures pay for.
        start_time: Share of noise where the first previews are seen, in (0, 1).
        forward: Share of noise that is put back in every round (Delta_f).
        backward: Share of noise that is taken out again (Delta_b), more than `forward`.
        length: Most steps of a way down after a re-noising (L); 0 for all steps of the schedule that lie on it.
    """

    def __init__(
        self,
        start: Proposal,
        seeds: Iterator[int],
        *,
        schedule: Schedule,
        pictures: int,
        paths: int = 2,
        width: int = 0,
        start_time: float = 0.11,
        forward: float = 0.78,
        backward: float = 0.81,
        length: int = 0,
    ):
        _check(paths, width, length)
        super().__init__(start, seeds, schedule, pictures)
        self.paths, self.width = paths, width
        times = _times(start_time, forward, backward, schedule.time(schedule.levels[0]))
        self.first = _walk(schedule, schedule.levels[0], schedule.level(start_time))
        self.rounds = [
            _shorter(_walk(schedule, schedule.level(up), schedule.level(down)), length) for up, down in times
        ]
        self._plan()

    def _plan(self) -> None:
        self.copies, self._rest = self._planned(self.width)

    def _planned(self, width: int) -> tuple[list[int], int]:
        """Re-noisings of every round, and the steps that they leave."""
        costs = [len(levels) - 1 for levels in self.rounds]
        left = self._left - self.paths * (len(self.first) - 1)
        fitting = width or max(left // (self.paths * sum(costs)), 1)
        left -= fitting * self.paths * sum(costs)
        if left < 0:
            needed = math.ceil(self._total - left / self._schedule.steps)
            others = f" beside {len(self._came_in) - 1} more noises that came in" if len(self._came_in) > 1 else ""
            raise ValueError(
                f"pictures must be at least {needed} for {self.paths} paths of width {fitting}{others}, got"
                f" {self._total}"
            )
        copies = [fitting * self.paths] * len(costs)
        number = 0
        while not width and left >= min(costs):
            place = number % len(costs)
            if costs[place] <= left:
                copies[place] += 1
                left -= costs[place]
            number += 1
        return copies, left

    def _story(self) -> Story:
        if self._apart:
            yield from self._arrived()
        if self._timed:
            yield from self._by_the_clock()
            return
        noise = self._start.noise if isinstance(self._start, Path) else self._start
        noises = [noise or self._fresh(), *(self._fresh() for _ in range(self.paths - 1))]
        begun = [Path(noise, self.first) for noise in noises]
        yield Stage((self._start, *begun))
        kept, _ = yield from self._descended(begun, self.copies, (self._start,))
        self._left = self._rest
        yield from self._ended([self._start, *kept])

    def _descended(
        self, kept: Sequence[Path], counts: Sequence[int], held: Sequence[Proposal]
    ) -> Generator[Stage, Scores, tuple[list[Path], Scores]]:
        """Bring paths down to pictures; returns as many of the best ones, and the scores of these and of `held`.

        Args:
            kept: Where they go on from.
            counts: Re-noisings of every round.
        """
        paths, scores = list(kept), dict[Proposal, float]()
        for number, (levels, count) in enumerate(zip(self.rounds, counts, strict=True)):
            if self._timed:  # it may have gone faster
                count = min(count, max(1, self._allowance.times(*self._works(number))))
            copies = [renoise(paths[number % len(paths)], levels, next(self._seeds)) for number in range(count)]
            scores = yield Stage(tuple(copies), tuple(held))
            paths = sorted(copies, key=scores.__getitem__, reverse=True)[: len(kept)]
        return paths, scores

    def _ended(self, pictures: list[Proposal]) -> Story:
        """Fresh noises for what is left, and the best picture brought down once more for the rest of that."""
        count = self._times(WHOLE)
        self._spend(count)
        pictures += [self._fresh() for _ in range(count)]
        scores = yield Stage(tuple(pictures))
        if (steps := self._room()) >= self._least:
            yield Stage((self._again(max(pictures, key=scores.__getitem__), steps),))

    def _by_the_clock(self) -> Story:
        """Fresh noises in full, and ways on from the best pictures so far, as often as the time pays for."""
        best: list[Proposal] = [self._start]
        while True:
            paths, width = self._wave()
            worth = paths * width * math.fsum(work.worth for work in self._works())
            if paths and worth <= self._grown():
                self._spend(worth)
                begun = [finish(best[number % len(best)], self._schedule) for number in range(paths)]
                made, scores = yield from self._descended(begun, [paths * width] * len(self.rounds), best)
            elif count := self._draws(worth):
                self._spend(count)
                made = [self._fresh() for _ in range(count)]
                scores = yield Stage(tuple(made), tuple(best))
            else:
                break
            best = sorted([*best, *made], key=scores.__getitem__, reverse=True)[: self.paths]
        yield from self._ended(best)

    def _wave(self) -> tuple[int, int]:
        """Paths that the time pays for, and re-noisings of each; none where there would be too few to choose from."""
        width = self.width or CHOICE
        paths = min(self.paths, self._times(*_all(width, *self._works())))
        while paths and not self.width and self._grows(paths * (width + 1)):
            width += 1
        return paths, width

    def _draws(self, worth: float) -> int:
        """Fresh noises that come next: no more than it takes for paths of that worth to be a wave like others."""
        most = math.floor(self._grown())
        if worth:
            most = min(most, math.ceil((worth - self._grown()) / GROWTH))
        return min(self._times(WHOLE), max(1, most))

    def _works(self, begun: int = 0) -> list[Work]:
        """What one re-noising per round takes, from some round on."""
        worths = [(len(levels) - 1) / self._schedule.steps for levels in self.rounds[begun:]]
        return [*(Work(worth, PREVIEW) for worth in worths[:-1]), Work(worths[-1], begins=begun == 0)]

    def _grows(self, count: int) -> bool:
        """Whether so many re-noisings per round are paid for, and not too many at once."""
        way = _all(count, *self._works())
        return math.fsum(work.worth * work.count for work in way) <= self._grown() and self._times(*way) > 0

    def _fresh(self) -> Candidate:
        return fresh(next(self._seeds))


def _all(count: float, *works: Work) -> list[Work]:
    """The same work, so many times."""
    return [replace(work, count=count) for work in works]


def _times(start: float, forward: float, backward: float, highest: float) -> list[tuple[float, float]]:
    """Up to where and down to where every round goes; the last one ends at 0."""
    if not 0 < start < highest:
        raise ValueError(
            f"start_time must be above 0 and below {highest:.3g}, where the schedule starts, got {start:g}"
        )
    if not 0 < forward <= highest - start:
        raise ValueError(
            f"forward must be above 0 and at most {highest - start:.3g}, up to where the schedule starts, got"
            f" {forward:g}"
        )
    if not backward > forward:
        raise ValueError(
            f"backward must be more than forward ({forward:g}), or the paths never reach 0, got {backward:g}"
        )
    count = math.ceil(start / (backward - forward) - 1e-9)
    if count > ROUNDS:
        raise ValueError(f"backward must bring the paths to 0 in at most {ROUNDS} rounds, got {count} rounds")
    times = [start - number * (backward - forward) for number in range(count)] + [0.0]
    return [(here + forward, there) for here, there in pairwise(times)]


def _walk(schedule: Schedule, start: float, end: float) -> tuple[float, ...]:
    """Down on the levels of the schedule; one that lies very near to the start is not worth a step of its own."""
    first, *rest = schedule.between(start, end)
    above = min((level for level in schedule.levels if level >= start), default=start)
    if len(rest) > 1 and schedule.time(start) - schedule.time(rest[0]) < NEAR * (
        schedule.time(above) - schedule.time(rest[0])
    ):
        rest = rest[1:]
    return (first, *rest)


def _shorter(levels: tuple[float, ...], steps: int) -> tuple[float, ...]:
    """At most so many steps, on evenly chosen levels."""
    have = len(levels) - 1
    return tuple(levels[round(index * have / steps)] for index in range(steps + 1)) if 0 < steps < have else levels


def _check(paths: int, width: int, length: int) -> None:
    if paths < 1:
        raise ValueError(f"paths must be at least 1, got {paths}")
    if width < 0:
        raise ValueError(f"width must be at least 0 (as many as the pictures pay for), got {width}")
    if length < 0:
        raise ValueError(f"length must be at least 0 (all steps of the schedule), got {length}")
