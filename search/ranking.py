"""Scores of all trials of a search, pool by pool; what a round costs does not grow with what was tried before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .path import stage
from .tensors import listed
from .trace import Trace, Trial

Combine = Callable[[Tensor], Tensor]


class Ranking:
    """Keeps the scores of a trace, and knows its best picture.

    A pool, all pictures or all previews of a level, is combined anew in every round that adds to it. Where that changes
    no older score, as with a judge that looks at each picture by itself, only the new ones are written down.

    Args:
        trace: Whose `scores` are kept. What it holds already is ranked at once.
        combine: Raw values of a pool `(m, k)` to one finite score each `(m,)`, higher is better.
    """

    def __init__(self, trace: Trace, combine: Combine):
        self._trace, self._combine = trace, combine
        self._pools: dict[str, _Pool] = {}
        self.leader: Trial | None = None  # the best picture, the earlier one where scores are equal
        self.rescored = False  # whether the last call of `add` changed an older score
        if trace.trials:
            self.add(trace.trials)

    def add(self, trials: Sequence[Trial]) -> None:
        """Rank new trials of the trace, and all others of their pools again."""
        self._trace.scores.extend([0.0] * (len(self._trace.trials) - len(self._trace.scores)))
        changed: dict[str, _Pool] = {}
        for trial in trials:
            kind = stage(trial.candidate)
            pool = changed[kind] = self._pools.setdefault(kind, _Pool(len(self._trace.columns)))
            pool.add(trial)
        self.rescored = False
        for kind, pool in changed.items():
            known = pool.rank(self._combine)
            self.rescored = self.rescored or known == 0 < pool.known
            self._write(pool.trials[known:], listed(pool.scores[known:]))
            if not kind:
                self._lead(pool, known)
            pool.known = len(pool.trials)

    def _write(self, trials: Sequence[Trial], scores: list[float]) -> None:
        first, last = trials[0].id, trials[-1].id
        if last - first + 1 == len(trials):
            self._trace.scores[first : last + 1] = scores
        else:
            for trial, score in zip(trials, scores, strict=True):
                self._trace.scores[trial.id] = score

    def _lead(self, pictures: _Pool, known: int) -> None:
        place = known + int(pictures.scores[known:].numpy().argmax())  # the first one of equal scores
        best = pictures.trials[place]
        if not known or self.leader is None or self._trace.scores[best.id] > self._trace.scores[self.leader.id]:
            self.leader = best


@dataclass
class _Pool:
    """Trials whose scores can be compared; their values are in one tensor, which has room for more."""

    columns: int
    trials: list[Trial] = field(default_factory=list[Trial])
    known: int = 0  # trials that were ranked before
    scores: Tensor = field(default_factory=lambda: torch.zeros(0))
    _values: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self._values = torch.zeros(16, self.columns)

    def add(self, trial: Trial) -> None:
        place = len(self.trials)
        if place == len(self._values):
            self._values = torch.cat([self._values, torch.zeros_like(self._values)])
        self._values[place] = torch.tensor(trial.values)
        self.trials.append(trial)

    def rank(self, combine: Combine) -> int:
        """How many of the scores, from the first one on, stay what they were: all that were known, or none."""
        count = len(self.trials)
        scores = combine(self._values[:count])
        if scores.shape != (count,):
            raise ValueError(
                f"combine must return one finite score per candidate, {count} in all, got {tuple(scores.shape)}"
            )
        before, self.scores = self.scores, scores
        known = self.known if self.known and torch.equal(scores[: self.known], before) else 0
        if not scores[known:].isfinite().all():
            found: list[float] = listed(scores[known:])
            raise ValueError(
                "combine must return one finite score per candidate, got"
                f" {next(score for score in found if not math.isfinite(score))}"
            )
        return known
