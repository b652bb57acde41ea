"""Drafts: many noises in few steps each, and the few that promise most in full.

The same noise in fewer steps of the same ODE foretells the picture far better than an early preview that costs as much:
on the bundled model Spearman is 0.63 with 5 of 20 steps, and 0.13 with the preview after 6. A draft is never a result;
what is chosen is always sampled in full. How well the drafts foretold the pictures is seen on those noises that were
taken both ways.

By the clock there are waves of drafts. After each of them the most promising ones of all are sampled in full.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence

from .allowance import DRAFT, ROUNDING, WHOLE, Work
from .correlation import Correlation, spearman
from .noise import Candidate, fresh
from .path import Path, Proposal, Schedule, draft
from .planned import Planned
from .stages import Scores, Stage, Story

FEWEST_STEPS = 4  # fewer foretell nothing where the model is not made for them
FEWEST_DRAFTS = 2  # of a wave
CATCHING_UP = 1.5  # times as many drafts per picture in full, at most, where there were too few before
PART, DEAREST = 4, 3  # a draft takes a quarter of the steps; no drafts where one takes more than a third

HOPE = 0.5  # correlation from which on a draft of a quarter of the steps is worth its price


class DraftSearch(Planned):
    """Best of a few, which are the best of many drafts.

    Args:
        start: Candidate that is sampled in full, and drafted as well; or a picture that came in (a path).
        seeds: Yields a new seed per draw; the only source of randomness.
        schedule: Noise levels of the setup.
        pictures: Full pictures' worth of denoising; used up to the last step.
        steps: Steps of a draft; 0 for a quarter of the schedule's, at least 4; no drafts where that is more than a
            third of them.
        keep_share: Share of the pictures that are sampled in full, in (0, 1]; the rest pays for the drafts.
        drafts: Levels to draft with, from the schedule's highest to 0; () for evenly chosen ones of the schedule.
    """

    def __init__(
        self,
        start: Proposal,
        seeds: Iterator[int],
        *,
        schedule: Schedule,
        pictures: int,
        steps: int = 0,
        keep_share: float = 0.4,
        drafts: Sequence[float] = (),
    ):
        _check(pictures, keep_share)
        super().__init__(start, seeds, schedule, pictures)
        self._levels = schedule.coarse(steps) if steps and not drafts else draft_levels(schedule, levels=drafts)
        self._share = keep_share
        self._drafted: dict[Proposal, Path] = {}
        self.correlation = spearman((), ())  # of drafts and pictures, as those noises tell it that were taken both ways
        self._plan()

    def _plan(self) -> None:
        """How many are kept, how many drafts the others pay for, and what is left."""
        self.levels, steps = self._levels, self._schedule.steps
        # or a picture that came in, which is there already and has no noise to draft
        left, pictures = self._left + steps, math.floor(self._pictures + ROUNDING)
        cost = self._draft().worth * steps if self.levels else 0.0
        self.kept = max(1, min(round(self._share * pictures), pictures - 1))
        if not self.levels or pictures <= 2 or left - self.kept * steps < self.kept * cost - ROUNDING:
            self.kept, self.levels = left // steps, ()
        self.count = math.floor((left - self.kept * steps) / cost + ROUNDING) if self.levels else 0
        self._rest = math.floor(left - self.kept * steps - self.count * cost + ROUNDING)

    def _draft(self, count: float = 1.0) -> Work:
        """What drafts take, also where another setup makes them."""
        return Work(self._allowance.cost(draft(fresh(0), self._levels)), DRAFT, count)

    def explain(self) -> str:
        """What it did, in a sentence, and whether the drafts were worth it."""
        if not self.count:
            return f"{self.kept} pictures in full, no drafts."
        return (
            f"{self.count} drafts of {len(self.levels) - 1} steps, {self.kept} in full ({foretold(self.correlation)})."
        )

    def _story(self) -> Story:
        if self._apart:
            yield from self._arrived()
        if self._timed:
            yield from self._by_the_clock()
            return
        noises: list[Proposal] = [
            self._start,
            *(fresh(next(self._seeds)) for _ in range(max(self.count, self.kept) - isinstance(self._start, Candidate))),
        ]
        drafted = [noise for noise in noises if isinstance(noise, Candidate)][: self.count]
        self._drafted = {noise: draft(noise, self.levels) for noise in drafted}
        promised = yield Stage((self._start, *self._drafted.values()))
        others = sorted(
            noises[1:],
            key=lambda noise: promised[self._drafted[noise]] if noise in self._drafted else 0.0,
            reverse=True,
        )
        pictures = (self._start, *others[: self.kept - 1])
        scores = yield Stage(pictures, tuple(self._drafted[noise] for noise in pictures if noise in self._drafted))
        self.correlation = correlation(self._drafted, scores, promised)
        if self._rest >= self._least:
            best = max(pictures, key=scores.__getitem__)
            self._left = self._rest
            yield Stage((self._again(best, self._rest),), pictures)

    def _by_the_clock(self) -> Story:
        """Wave after wave, each planned by what is left; then pictures alone, and the best one once more."""
        made, waiting = list(self._came_in), list[Proposal]()
        self.levels, self.kept, self.count = self._levels, len(made), 0
        while True:
            wave = self._next_wave()
            # without drafts a few at a time: the first pictures also load models, and drafts may pay later on
            count, kept = wave or (0, min(self._times(WHOLE), max(1, math.floor(self._grown()))))
            if not kept:
                break
            if not count:
                waiting += [fresh(next(self._seeds)) for _ in range(kept - len(waiting))]
                waiting = yield from self._in_full(made, waiting, kept)
                continue
            new = [fresh(next(self._seeds)) for _ in range(count)]
            if not self._drafted and isinstance(self._start, Candidate):
                new[0] = self._start
            self._drafted |= {noise: draft(noise, self.levels) for noise in new}
            self._spend(self._draft(count).worth * count)
            self.count += count
            scores = yield Stage(tuple(self._drafted[noise] for noise in new), (*made, *self._drafted.values()))
            waiting += [noise for noise in new if noise != self._start]
            waiting.sort(key=lambda noise: -scores[self._drafted[noise]] if noise in self._drafted else math.inf)
            waiting = yield from self._in_full(made, waiting, kept)
        if (steps := self._room()) >= self._least:
            scores = yield Stage((self._start,), tuple(made))
            yield Stage((self._again(max(made, key=scores.__getitem__), steps),), tuple(made))

    def _next_wave(self) -> tuple[int, int] | None:
        """How many drafts, and how many noises in full, so that their shares are kept and the wave can be ended; None
        where nothing is left to choose from.
        """
        if not self.levels or self._too_dear(self._draft()):
            return None
        share, cheap = self._share, self._draft()
        ratio = (1 - share) / share / cheap.worth  # drafts per noise in full
        whole = self._whole(self._draft(ratio * share), Work(1.0, begins=True, count=share))
        wanted, drafts = round(share * whole) - self.kept + len(self._came_in) - 1, round(ratio * share * whole)
        drafts -= self.count
        if wanted > 0:  # more of them, where the first pictures had none
            ratio = min(max(ratio, drafts / wanted), CATCHING_UP * ratio)
        grown = self._grown() / (1 + ratio * cheap.worth)
        count = min(drafts, max(round(ratio * grown), FEWEST_DRAFTS))
        for kept in range(min(wanted, max(round(grown), 1)), 0, -1):
            count = min(count, math.ceil(kept * ratio))
            if count >= FEWEST_DRAFTS and self._times(self._draft(count), Work(1.0, begins=True, count=kept)):
                return count, kept
        return None

    def _in_full(
        self, made: list[Proposal], waiting: list[Proposal], count: int
    ) -> Generator[Stage, Scores, list[Proposal]]:
        """Sample the first noises of those that wait in full, as many as the time pays for; returns the others."""
        chosen = waiting[: min(count, self._times(WHOLE))]
        if not chosen:
            return waiting
        self._spend(len(chosen))
        scores = yield Stage(tuple(chosen), (*made, *self._drafted.values()))
        made += chosen
        self.kept = len(made)
        self.correlation = correlation(self._drafted, scores, scores)
        return waiting[len(chosen) :]


def draft_levels(schedule: Schedule, least: int = 1, levels: Sequence[float] = ()) -> tuple[float, ...]:
    """The levels that drafts are taken on: the given ones, or chosen ones, of at least so many steps.

    None where a draft would be too coarse to foretell a picture, or not much cheaper.
    """
    if levels:
        return Schedule(tuple(levels), schedule.flow).levels
    wanted = max(FEWEST_STEPS, round(schedule.steps / PART), least)
    return schedule.coarse(wanted) if DEAREST * wanted <= schedule.steps else ()


def correlation(drafts: Mapping[Proposal, Path], scores: Scores, promised: Scores) -> Correlation:
    """Of drafts with the pictures, by picture: over all that have both scores, which were chosen among those that
    promised something.
    """
    both = [(scores[cheap], scores[made]) for made, cheap in drafts.items() if made in scores and cheap in scores]
    among = [
        scores.get(proposed, score)
        for proposed, score in promised.items()
        if isinstance(proposed, Path) and proposed.draft
    ]
    return spearman([cheap for cheap, _ in both], [dear for _, dear in both], among)


def foretold(correlation: Correlation) -> str:
    """Say whether drafts foretell, as far as that is known."""
    if correlation.pairs < 3:
        return "too few to say whether the drafts foretell them"
    verdict = "the drafts foretell them" if correlation.foretells else "not sure that the drafts foretell them"
    if correlation.high < HOPE:
        verdict = "warning: the drafts do not foretell them, more draft steps or no drafts would be better"
    return f"{verdict}: rank correlation {correlation}"


def _check(pictures: int, keep_share: float) -> None:
    if pictures < 1:
        raise ValueError(f"pictures must be at least 1, got {pictures}")
    if not 0 < keep_share <= 1:
        raise ValueError(f"keep_share must be in (0, 1], got {keep_share}")
