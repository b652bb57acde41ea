"""Drafts: many noises in few steps each, and the few that promise most in full.

The same noise in fewer steps of the same ODE foretells the picture far better than an early preview that costs as much:
on the bundled model Spearman is 0.63 with 5 of 20 steps, and 0.13 with the preview after 6. A draft is never a result;
what is chosen is always sampled in full. How well the drafts foretold the pictures is seen on those noises that were
taken both ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .correlation import Correlation, spearman
from .noise import Candidate, fresh, unused
from .path import Path, Proposal, Schedule, draft, finish, renoise
from .stages import Scores, Stage, Stages, Story

FEWEST_STEPS = 4  # fewer foretell nothing where the model is not made for them
PART, DEAREST = 4, 3  # a draft takes a quarter of the steps; no drafts where one takes more than a third

HOPE = 0.5  # correlation from which on a draft of a quarter of the steps is worth its price


class DraftSearch(Stages):
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
        self.levels = schedule.coarse(steps) if steps and not drafts else draft_levels(schedule, levels=drafts)
        self._start, self._seeds, self._schedule = start, unused(seeds, start), schedule
        # or a picture that came in, which is there already and has no noise to draft
        own = isinstance(start, Candidate)
        left = (pictures + (not own)) * schedule.steps
        self.kept = max(1, min(round(keep_share * pictures), pictures - 1)) if self.levels else pictures
        self._drafted: dict[Proposal, Path] = {}
        self.correlation = spearman((), ())  # of drafts and pictures, as those noises tell it that were taken both ways
        if pictures <= 2 or not self.levels or (left - self.kept * schedule.steps) < self.kept * (len(self.levels) - 1):
            self.kept, self.levels = left // schedule.steps, ()
        self.count = (left - self.kept * schedule.steps) // (len(self.levels) - 1) if self.levels else 0
        self._rest = left - self.kept * schedule.steps - self.count * max(len(self.levels) - 1, 0)
        super().__init__(self._story())

    def explain(self) -> str:
        """What it did, in a sentence, and whether the drafts were worth it."""
        if not self.count:
            return f"{self.kept} pictures in full, no drafts."
        return (
            f"{self.count} drafts of {len(self.levels) - 1} steps, {self.kept} in full ({foretold(self.correlation)})."
        )

    def _story(self) -> Story:
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
        if self._rest:
            best = finish(max(pictures, key=scores.__getitem__), self._schedule)
            yield Stage((renoise(best, self._schedule.levels[-self._rest - 1 :], next(self._seeds)),), pictures)


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
