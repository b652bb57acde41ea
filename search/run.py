"""The ask/tell loop: asks a search, has its candidates measured, ranks the pool, tells, and keeps to the budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .path import Tried, stage
from .trace import Measured, Trace, Trial

HOW = {"fresh": "random", "mix": "neighbor", "span": "combination", "leaf": "start",
       "draft": "draft", "preview": "preview", "renoise": "refined", "walk": "path"}  # fmt: skip
ROUNDING = 1e-6  # of costs, in pictures


@dataclass(frozen=True)
class Budget:
    """What a search may use, and when it may end sooner.

    Args:
        pictures: Full pictures, at least 1; never exceeded.
        minutes: Wall clock, 0 for no limit; the first picture always runs.
        target: Score at which to stop; None for off. Only of use where scores are absolute.
        patience: Rounds without a new best after which to stop; 0 for off.
        trials: Candidates after which the artist ended this very search before; 0 for off.
    """

    pictures: int
    minutes: float = 0.0
    target: float | None = None
    patience: int = 0
    trials: int = 0

    def __post_init__(self) -> None:
        if self.pictures < 1:
            raise ValueError(f"pictures must be at least 1, got {self.pictures}")
        if not (self.minutes == 0 or 1 / 60 <= self.minutes < math.inf):
            raise ValueError(f"minutes must be 0 (no limit) or at least one second (0.017), got {self.minutes}")
        if self.target is not None and not math.isfinite(self.target):
            raise ValueError(f"target must be finite, got {self.target}")
        if self.patience < 0:
            raise ValueError(f"patience must be at least 0, got {self.patience}")


class Search(Protocol):
    """It decides what to try next, noises or walks along the path, and sees nothing but scores."""

    @property
    def held(self) -> tuple[Tried, ...]:
        """Measured candidates that it compares new ones with; their present scores are told again, they are never paid for again."""

    def ask(self, limit: int) -> list[Tried]:
        """Propose at most `limit` candidates; none until it is told, or where nothing is left to be told, for good.

        How many are asked at a time, and how many times before telling, must not change what is found.
        """

    def tell(self, candidates: Sequence[Tried], scores: Sequence[float]) -> None:
        """Learn the present scores, higher is better, of the held candidates and then of the asked ones that were measured."""


@dataclass(frozen=True)
class Round:
    """One ask/tell exchange that is over: the trials it measured, and where the search stands."""

    index: int
    trials: tuple[Trial, ...]
    trace: Trace
    best: Trial


def run(
    search: Search,
    measure: Callable[[list[Tried]], Measured],
    combine: Callable[[Tensor], Tensor],
    budget: Budget,
    *,
    group: int,
    trace: Trace,
    first: Sequence[tuple[Tried, str]] = (),
    cost: Callable[[Tried], float] = lambda tried: 1.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Round]:
    """Run a search, one yield per round that was told; what `measure` raises passes through and the trace keeps what was paid.

    Args:
        search: Asked and told; the only one that decides.
        measure: Candidates to raw values, called once per round with at most `group` new candidates.
        combine: Raw values of a pool `(m, k)` to one score each `(m,)`, higher is better. Pictures are one pool; the previews of
            each level, and drafts, are pools of their own.
        group: Candidates that are measured together, at least 1.
        trace: Empty, with the names of the raw values; grows as the search runs.
        first: Candidates with their "how" that are measured before all others; the user's own is the first.
        cost: Full pictures' worth of denoising that a candidate takes.
        clock: Seconds, for the limit in minutes.
    """
    if group < 1:
        raise ValueError(f"group must be at least 1, got {group}")
    hows, ahead, asked = dict(reversed(first)), list(dict(first)), []
    pace = _Pace(budget.minutes * 60, clock)
    index, since_best, spent = 0, 0, 0.0
    while not trace.stopped:
        group = min(group, budget.trials - len(trace.trials)) if budget.trials else group
        asked += _asked(search, [*ahead, *asked], group, trace)
        in_time, left = pace.room(), budget.pictures - spent
        batch = _affordable([*ahead, *asked], group, min(in_time, left), cost, trace)
        if not batch:
            trace.stopped = "finished" if not ahead + asked else "minutes" if in_time < left else "pictures"
            return
        told, ahead, asked = batch[len(ahead) :], ahead[len(batch) :], asked[max(0, len(batch) - len(ahead)) :]
        leader, trials = trace.best(1), []
        if new := _new(batch, trace):
            costs = [cost(tried) for tried in new]
            measured = _checked(pace.time(measure, new, math.fsum(costs)), new, trace)
            trials = trace.add(new, measured, [hows.get(tried, HOW[tried.operation]) for tried in new], index, costs)
            spent = trace.pictures
        trace.scores = _ranked(trace, combine)
        told = list(dict.fromkeys([*search.held, *told]))
        search.tell(told, [trace.score_of(tried) for tried in told])
        since_best = since_best + 1 if trace.best(1) == leader else 0
        trace.stopped = _reason_to_stop(budget, trace, since_best, pace)
        yield Round(index, tuple(trials), trace, trace.best(1)[0])
        index += 1


class _Pace:
    """Foretells how many more pictures fit into the time, by the speed of the last group; one where nothing is known yet."""

    def __init__(self, limit: float, clock: Callable[[], float]):
        self._limit, self._clock, self._start = limit, clock, clock()
        self._seconds_per_picture: float | None = None
        self._timed = False

    def time(self, measure: Callable[[list[Tried]], Measured], candidates: list[Tried], pictures: float) -> Measured:
        begin = self._clock()
        measured = measure(candidates)
        self._timed = True
        new = 1 - sum(measured.remembered) / len(candidates)  # what an earlier run paid for takes next to no time
        if pictures and new:
            self._seconds_per_picture = (self._clock() - begin) / (pictures * new)
        return measured

    def room(self) -> float:
        if not self._limit:
            return math.inf
        left = self._limit - (self._clock() - self._start)
        if self._seconds_per_picture is None:
            return 1.0 if left > 0 or not self._timed else 0.0
        return max(0.0, left / max(self._seconds_per_picture, 1e-9))


def _asked(search: Search, waiting: list[Tried], group: int, trace: Trace) -> list[Tried]:
    asked: list[Tried] = []
    while (limit := group - len(_new([*waiting, *asked], trace))) > 0:
        more = search.ask(limit)
        if len(more) > limit:
            raise ValueError(f"ask must return at most {limit} candidates, got {len(more)}")
        if not more:
            break
        asked += more
    return asked


def _affordable(waiting: list[Tried], group: int, room: float, cost: Callable[[Tried], float], trace: Trace) -> list[Tried]:
    """As many of those that wait, in their order, as fit into a group and into the room."""
    new: set[Tried] = set()
    paid = 0.0
    for number, tried in enumerate(waiting):
        if trace.id_of(tried) is None and tried not in new:
            paid += cost(tried)
            new.add(tried)
            if len(new) > group or paid > room + ROUNDING:
                return waiting[:number]
    return waiting


def _new(candidates: list[Tried], trace: Trace) -> list[Tried]:
    return [candidate for candidate in dict.fromkeys(candidates) if trace.id_of(candidate) is None]


def _checked(measured: Measured, new: list[Tried], trace: Trace) -> Measured:
    if len(measured.values) != len(new):
        raise ValueError(f"measure must return one row per candidate, got {len(measured.values)} rows for {len(new)}")
    for number, row in enumerate(measured.values, len(trace.trials)):
        if len(row) != len(trace.columns):
            raise ValueError(f"measure must return one value for each of {trace.columns}, got {row}")
        for column, value in zip(trace.columns, row, strict=True):
            if not math.isfinite(value):
                raise ValueError(f"{column} must be finite, got {value} for candidate {number}")
    return measured


def _ranked(trace: Trace, combine: Callable[[Tensor], Tensor]) -> list[float]:
    pools: dict[str, list[Trial]] = {}
    for trial in trace.trials:
        pools.setdefault(stage(trial.candidate), []).append(trial)
    scores = [0.0] * len(trace.trials)
    for pool in pools.values():
        values = torch.tensor([trial.values for trial in pool], dtype=torch.float32)  # (m, k)
        combined = combine(values.reshape(len(pool), len(trace.columns))).tolist()
        if len(combined) != len(pool):
            raise ValueError(f"combine must return one finite score per candidate, {len(pool)} in all, got {len(combined)}")
        if not all(map(math.isfinite, combined)):
            raise ValueError(f"combine must return one finite score per candidate, got {next(x for x in combined if not math.isfinite(x))}")
        for trial, score in zip(pool, combined, strict=True):
            scores[trial.id] = score
    return scores


def _reason_to_stop(budget: Budget, trace: Trace, since_best: int, pace: _Pace) -> str:
    if budget.trials and len(trace.trials) >= budget.trials:
        return "you"
    if budget.target is not None and trace.scores[trace.best(1)[0].id] >= budget.target:
        return "target"
    if trace.pictures >= budget.pictures - ROUNDING:
        return "pictures"
    if budget.patience and since_best >= budget.patience:
        return "patience"
    return "" if pace.room() >= ROUNDING else "minutes"
