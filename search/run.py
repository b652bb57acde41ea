"""The ask/tell loop: asks a search, has its candidates measured, ranks the pool, tells, and keeps to the budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .abilities import begin
from .allowance import PICTURE, PREVIEW, ROUNDING, Allowance, Record, kind_of
from .path import Path, Proposal
from .ranking import Combine, Ranking
from .stages import Scores
from .trace import Measured, Trace, Trial

HOW = {"fresh": "random", "mix": "neighbor", "span": "combination", "leaf": "start",
       "draft": "draft", "preview": "preview", "renoise": "refined", "walk": "path"}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """What a search may use, and when it may end sooner.

    Args:
        pictures: Full pictures, at least 1; never exceeded.
        minutes: Wall clock, 0 for no limit; the first picture always runs.
        target: Score at which to stop; None for off. Only of use where scores are absolute. The first picture that
            reaches it is the best one, also where better ones were measured together with it, behind it.
        patience: Pictures' worth of finished pictures without a new best after which to stop, 0 for off. Drafts and
            previews do not count, and how many are measured at once changes nothing.
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


def finished_worth(proposed: Proposal, cost: Callable[[Proposal], float]) -> float:
    """What patience counts: pictures' worth of a finished picture with the previews that it came by, at most 1; 0 of a
    draft or a preview.
    """
    if kind_of(proposed) != PICTURE:
        return 0.0
    worth, node = cost(proposed), proposed
    while isinstance(node, Path) and node.parent is not None and kind_of(node.parent) == PREVIEW:
        node = node.parent
        worth += cost(node)
    return min(worth, 1.0)


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
    before: Record | None = None,
) -> Iterator[Round]:
    """Run a search, one yield per round that was told; what `measure` raises passes through and the trace keeps what
    was paid.

    Args:
        measure: Candidates to raw values, called once per round that has new ones.

    All others as of `Driver`.
    """
    driver = Driver(
        search, combine, budget, group=group, trace=trace, first=first, cost=cost, clock=clock, before=before
    )
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
        first: Candidates with their "how" that are measured before all others; the user's own is the first. A search
            that plans is told of all of them.
        cost: Full pictures' worth of denoising that a candidate takes.
        clock: Seconds, for the limit in minutes.
        before: `allowance.record()` of an earlier run of this very search, for its plans to be the same.
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
        before: Record | None = None,
    ):
        if group < 1:
            raise ValueError(f"group must be at least 1, got {group}")
        self.search, self.budget, self.trace, self.cost = search, budget, trace, cost
        self.allowance = Allowance(budget.pictures, cost, budget.minutes * 60, clock, before)
        self._ranking = Ranking(trace, combine)
        self._group, self._clock, self._begun = group, clock, 0.0
        self._hows: dict[Proposal, str] = dict(reversed(first))
        self._ahead: list[Proposal] = list(dict(first))
        self._asked: list[Proposal] = []
        self._batch: list[Proposal] = []
        self._promised: list[Proposal] = []  # the batch after that, where the caller was told
        self._index = 0
        self._since_best = 0.0  # pictures' worth of finished pictures
        self._reached: Trial | None = None  # the first picture that reached the target
        self.allowance.first = tuple(map(self.allowance.work, self._ahead))
        begin(search, tuple(self._ahead), self.allowance)

    def next(self) -> list[Proposal] | None:
        """The new candidates of the next round, at most a group of them; empty where all that was asked for is known,
        and None where the search is over and `trace.stopped` says why.
        """
        trace = self.trace
        if trace.stopped:
            return None
        self._batch, self._promised = self._promised, []
        if not self._batch:
            group = self._group_of(len(trace.trials))
            self._batch = self._affordable(self._waiting(group), group)
        if not self._batch:
            trace.stopped = self._why_no_more([*self._ahead, *self._asked])
            return None
        self._begun = self._clock()
        return _new(self._batch, trace)

    def ahead(self) -> list[Proposal]:
        """The new candidates of the round after this one, which `next` will give whatever those of this round are
        worth, unless the search stops; none where they depend on these. They may be made while these are judged.

        Called between `next` and `tell`, at most once.
        """
        new = _new(self._batch, self.trace)
        group = self._group_of(len(self.trace.trials) + len(new))
        if group < 1 or self.allowance.timed and not self.allowance.pace.known:
            return []
        waiting = self._waiting(len(new) + group)[len(self._batch) :]
        promised = self._affordable(waiting, group, new)
        found = [one for one in _new(promised, self.trace) if one not in new]
        self._promised = promised if found else []
        return found

    def _group_of(self, before: int) -> int:
        """How many candidates are measured together where so many were before them."""
        return min(self._group, self.budget.trials - before) if self.budget.trials else self._group

    def _waiting(self, count: int) -> list[Proposal]:
        """What is to be measured next, at least so many new ones where the search has as many."""
        self._asked += _asked(self.search, [*self._ahead, *self._asked], count, self.trace)
        return [*self._ahead, *self._asked]

    def _affordable(self, waiting: list[Proposal], group: int, before: Sequence[Proposal] = ()) -> list[Proposal]:
        """As many of those that wait, in their order, as fit into a group, into what is left, and into the patience.
        While the pace is not known, a picture's worth at a time.

        Args:
            before: What is paid for first, and may be as unlucky as can be.
        """
        allowance = self.allowance
        known = allowance.pace.known and bool(allowance.paced or self.trace.trials)
        left, seconds = allowance.pictures, allowance.seconds if known else math.inf
        if allowance.timed and not known:
            left = min(left, 1.0 if allowance.seconds > 0 or not self.trace.trials else 0.0)
        patience = self.budget.patience - self._since_best if self.budget.patience else math.inf
        works = [allowance.work(proposed) for proposed in before]
        paid, took = math.fsum(work.worth for work in works), allowance.pace.seconds(*works)
        begun = sum(work.begins for work in works)
        unlucky = math.fsum(finished_worth(proposed, self.cost) for proposed in before)
        new = set(before)
        for number, proposed in enumerate(waiting):
            if self.trace.id_of(proposed) is not None or proposed in new:
                continue
            work = allowance.work(proposed)
            paid, took, begun = paid + work.worth, took + allowance.pace.seconds(work), begun + work.begins
            late = took + allowance.second_looks(begun) > seconds + ROUNDING
            over = paid > left + ROUNDING or late or unlucky > patience - ROUNDING
            if over or len(new) == group + len(before):
                return waiting[:number]
            unlucky += finished_worth(proposed, self.cost)
            new.add(proposed)
        return waiting

    def _why_no_more(self, waiting: list[Proposal]) -> str:
        allowance = self.allowance
        if waiting:
            return "pictures" if self.cost(waiting[0]) > allowance.pictures + ROUNDING else "minutes"
        # a search that plans asks for nothing that the time does not pay for
        return "minutes" if allowance.bound else "finished"

    def tell(self, measured: Measured | None) -> Round:
        """The round is over: tells the search, and decides whether it goes on.

        Args:
            measured: Of the candidates that `next` gave, in their order; None where there were none.
        """
        trace, trials = self.trace, list[Trial]()
        batch, taken = self._batch, len(self._ahead)
        told, self._ahead = batch[taken:], self._ahead[len(batch) :]
        self._asked = self._asked[max(0, len(batch) - taken) :]
        if new := _new(batch, trace):
            costs = [self.cost(proposed) for proposed in new]
            checked = _checked(measured, new, trace)
            self.allowance.pace.note(new, costs, checked, self._clock() - self._begun)
            hows = [self._hows.get(proposed, how_of(proposed)) for proposed in new]
            trials = trace.add(new, checked, hows, self._index, costs)
            self.allowance.spent = trace.pictures
            self.allowance.first = tuple(map(self.allowance.work, self._ahead))
        rescored = self._rank(trials)
        self.search.tell(told, trace.present)
        best = self._reached or self._ranking.leader
        trace.stopped = self._reason_to_stop()
        self._index += 1
        return Round(self._index - 1, tuple(trials), trace, best or trace.trials[0], rescored)

    def _rank(self, trials: list[Trial]) -> bool:
        """Rank new trials; whether older scores changed. Where patience or a target counts, one by one, so that it ends
        where it would if they had been measured one by one.
        """
        if self.budget.target is None and not self.budget.patience or not trials:
            self._ranking.add(trials)
            return self._ranking.rescored
        rescored = False
        for trial in trials:
            self._ranking.add([trial])
            rescored = rescored or self._ranking.rescored
            if self._ranking.leader is trial:
                self._since_best = 0.0
            else:
                self._since_best += finished_worth(trial.candidate, self.cost)
            self._aim(trial, trials[-1])
        return rescored

    def _aim(self, trial: Trial, last: Trial) -> None:
        """Whether the target is reached now; what was measured together with this one, up to the last, is behind it."""
        best, target = self._ranking.leader, self.budget.target
        if self._reached is None and target is not None and best is not None and self.trace.scores[best.id] >= target:
            self._reached, self.trace.behind = best, last.id - trial.id

    def _reason_to_stop(self) -> str:
        budget, trace = self.budget, self.trace
        if budget.trials and len(trace.trials) >= budget.trials:
            return "you"
        if self._reached is not None:
            return "target"
        if trace.pictures >= budget.pictures - ROUNDING:
            return "pictures"
        if budget.patience and self._since_best >= budget.patience - ROUNDING:
            return "patience"
        return "" if self.allowance.seconds >= ROUNDING else "minutes"


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
