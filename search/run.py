"""The ask/tell loop: asks a search, has its candidates measured, ranks the pool, tells, and keeps to the budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .path import Proposal
from .ranking import Combine, Ranking
from .stages import Scores
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


def how_of(proposed: Proposal) -> str:
    """How a search came to it, in a word; an operation that has none is called by its name."""
    return HOW.get(proposed.operation, proposed.operation)


class Search(Protocol):
    """It decides what to try next, noises or walks along the path, and sees nothing but scores."""

    def ask(self, limit: int) -> list[Proposal]:
        """Propose at most `limit` candidates; none until it is told, or where nothing is left to be told, for good.

        How many are asked at a time, and how many times before telling, must not change what is found.
        """
        ...

    def tell(self, measured: Sequence[Proposal], scores: Scores) -> None:
        """Learn which of the asked ones were measured, in the order that they were asked.

        Args:
            measured: The next ones of what was asked; one that was asked twice is in it twice.
            scores: Present scores, higher is better, of everything that was measured so far.
        """
        ...


@dataclass(frozen=True)
class Round:
    """One ask/tell exchange that is over: the trials it measured, and where the search stands.

    Args:
        best: The best picture so far, or what was measured first where there is none.
        rescored: Whether the scores of older trials changed.
    """

    index: int
    trials: tuple[Trial, ...]
    trace: Trace
    best: Trial
    rescored: bool = False


def run(
    search: Search,
    measure: Callable[[list[Proposal]], Measured],
    combine: Combine,
    budget: Budget,
    *,
    group: int,
    trace: Trace,
    first: Sequence[tuple[Proposal, str]] = (),
    cost: Callable[[Proposal], float] = lambda proposed: 1.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Round]:
    """Run a search, one yield per round that was told; what `measure` raises passes through and the trace keeps what
    was paid.

    Args:
        measure: Candidates to raw values, called once per round that has new ones.

    All others as of `Driver`.
    """
    driver = Driver(search, combine, budget, group=group, trace=trace, first=first, cost=cost, clock=clock)
    while (wanted := driver.next()) is not None:
        yield driver.tell(measure(wanted) if wanted else None)


class Driver:
    """Asks a search, and tells it: the loop turned inside out, for whoever measures in a way of their own.

    `next` and `tell` are called in turns. What is asked for a round must all be measured; where that is done, and in
    what order, is the caller's.

    Args:
        search: Asked and told; the only one that decides.
        combine: Raw values of a pool `(m, k)` to one score each `(m,)`, higher is better. Pictures are one pool; the
            previews of each level, and drafts, are pools of their own.
        budget: What it may use.
        group: Candidates that are measured together, at least 1.
        trace: Empty, with the names of the raw values; grows as the search runs.
        first: Candidates with their "how" that are measured before all others; the user's own is the first.
        cost: Full pictures' worth of denoising that a candidate takes.
        clock: Seconds, for the limit in minutes.
    """

    def __init__(
        self,
        search: Search,
        combine: Combine,
        budget: Budget,
        *,
        group: int,
        trace: Trace,
        first: Sequence[tuple[Proposal, str]] = (),
        cost: Callable[[Proposal], float] = lambda proposed: 1.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        if group < 1:
            raise ValueError(f"group must be at least 1, got {group}")
        self.search, self.budget, self.trace, self.cost = search, budget, trace, cost
        self._ranking = Ranking(trace, combine)
        self._group, self._pace = group, _Pace(budget.minutes * 60, clock)
        self._hows: dict[Proposal, str] = dict(reversed(first))
        self._ahead: list[Proposal] = list(dict(first))
        self._asked: list[Proposal] = []
        self._batch: list[Proposal] = []
        self._index, self._since_best = 0, 0

    def next(self) -> list[Proposal] | None:
        """The new candidates of the next round, at most a group of them; empty where all that was asked for is known,
        and None where the search is over and `trace.stopped` says why.
        """
        trace, budget = self.trace, self.budget
        if trace.stopped:
            return None
        if budget.trials:
            self._group = min(self._group, budget.trials - len(trace.trials))
        self._asked += _asked(self.search, [*self._ahead, *self._asked], self._group, trace)
        waiting = [*self._ahead, *self._asked]
        in_time, left = self._pace.room(), budget.pictures - trace.pictures
        self._batch = _affordable(waiting, self._group, min(in_time, left), self.cost, trace)
        if not self._batch:
            trace.stopped = "finished" if not waiting else "minutes" if in_time < left else "pictures"
            return None
        new = _new(self._batch, trace)
        self._pace.begin()
        return new

    def tell(self, measured: Measured | None) -> Round:
        """The round is over: tells the search, and decides whether it goes on.

        Args:
            measured: Of the candidates that `next` gave, in their order; None where there were none.
        """
        trace, trials = self.trace, list[Trial]()
        batch, taken = self._batch, len(self._ahead)
        told, self._ahead = batch[taken:], self._ahead[len(batch) :]
        self._asked = self._asked[max(0, len(batch) - taken) :]
        leader = self._ranking.leader
        if new := _new(batch, trace):
            costs = [self.cost(proposed) for proposed in new]
            checked = _checked(measured, new, trace)
            self._pace.end(math.fsum(costs) * (1 - sum(checked.remembered) / len(new)))
            hows = [self._hows.get(proposed, how_of(proposed)) for proposed in new]
            trials = trace.add(new, checked, hows, self._index, costs)
        self._ranking.add(trials)
        self.search.tell(told, trace.present)
        best = self._ranking.leader
        self._since_best = self._since_best + 1 if best is leader else 0
        score = None if best is None else trace.scores[best.id]
        trace.stopped = _reason_to_stop(self.budget, trace, score, self._since_best, self._pace)
        self._index += 1
        return Round(self._index - 1, tuple(trials), trace, best or trace.trials[0], self._ranking.rescored)


class _Pace:
    """Foretells how many more pictures fit into the time, by the speed of the last group; one where nothing is known
    yet.
    """

    def __init__(self, limit: float, clock: Callable[[], float]):
        self._limit, self._clock, self._start = limit, clock, clock()
        self._seconds_per_picture: float | None = None
        self._timed, self._begun = False, self._start

    def begin(self) -> None:
        self._begun = self._clock()

    def end(self, pictures: float) -> None:
        """A group was measured, so many pictures of it anew: what an earlier run paid for takes next to no time."""
        self._timed = True
        if pictures:
            self._seconds_per_picture = (self._clock() - self._begun) / pictures

    def room(self) -> float:
        if not self._limit:
            return math.inf
        left = self._limit - (self._clock() - self._start)
        if self._seconds_per_picture is None:
            return 1.0 if left > 0 or not self._timed else 0.0
        return max(0.0, left / max(self._seconds_per_picture, 1e-9))


def _asked(search: Search, waiting: list[Proposal], group: int, trace: Trace) -> list[Proposal]:
    asked: list[Proposal] = []
    while (limit := group - len(_new([*waiting, *asked], trace))) > 0:
        more = search.ask(limit)
        if len(more) > limit:
            raise ValueError(f"ask must return at most {limit} candidates, got {len(more)}")
        if not more:
            break
        asked += more
    return asked


def _affordable(
    waiting: list[Proposal], group: int, room: float, cost: Callable[[Proposal], float], trace: Trace
) -> list[Proposal]:
    """As many of those that wait, in their order, as fit into a group and into the room."""
    new: set[Proposal] = set()
    paid = 0.0
    for number, proposed in enumerate(waiting):
        if trace.id_of(proposed) is None and proposed not in new:
            paid += cost(proposed)
            new.add(proposed)
            if len(new) > group or paid > room + ROUNDING:
                return waiting[:number]
    return waiting


def _new(candidates: list[Proposal], trace: Trace) -> list[Proposal]:
    return [candidate for candidate in dict.fromkeys(candidates) if trace.id_of(candidate) is None]


def _checked(measured: Measured | None, new: list[Proposal], trace: Trace) -> Measured:
    if measured is None:
        raise ValueError(f"measure must return one row per candidate, got none for {len(new)}")
    if len(measured.values) != len(new):
        raise ValueError(f"measure must return one row per candidate, got {len(measured.values)} rows for {len(new)}")
    for number, row in enumerate(measured.values, len(trace.trials)):
        if len(row) != len(trace.columns):
            raise ValueError(f"measure must return one value for each of {trace.columns}, got {row}")
        for column, value in zip(trace.columns, row, strict=True):
            if not math.isfinite(value):
                raise ValueError(f"{column} must be finite, got {value} for candidate {number}")
    return measured


def _reason_to_stop(budget: Budget, trace: Trace, best: float | None, since_best: int, pace: _Pace) -> str:
    if budget.trials and len(trace.trials) >= budget.trials:
        return "you"
    if budget.target is not None and best is not None and best >= budget.target:
        return "target"
    if trace.pictures >= budget.pictures - ROUNDING:
        return "pictures"
    if budget.patience and since_best >= budget.patience:
        return "patience"
    return "" if pace.room() >= ROUNDING else "minutes"
