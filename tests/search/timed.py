"""A world of numbers whose pictures take time, on a clock that moves only when something is measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from noise_search.search import (
    Budget,
    Driver,
    LocalSearch,
    Measured,
    Proposal,
    RandomSearch,
    Record,
    Round,
    Schedule,
    SeedStream,
    Trace,
    ZeroOrderSearch,
    fresh,
)
from noise_search.search.lineages import ACCEPTED_FROM, Lineages
from noise_search.tests.search.flows import first_column
from noise_search.tests.search.promises import Promises
from torch import Tensor

AMONG_NOISES = (RandomSearch, ZeroOrderSearch, LocalSearch)


@dataclass
class World:
    """What pictures are worth, what they cost, and how long they take.

    Args:
        picture: Seconds that a picture takes in full.
        look: Seconds of decoding and judging, half of it each, for each candidate.
        price: Of a draft, in times of what its steps cost.
        loading: Seconds that the first look takes longer than the others, because the judge is loaded.
        slower: Times that a draft's steps take longer by the clock than its cost says.
        step: Seconds of each step of a batch, however few pictures are in it; those of as many steps are one batch.
    """

    worth: Promises = field(default_factory=lambda: Promises(0.63))
    picture: float = 10.0
    look: float = 0.0
    price: float = 1.0
    slower: float = 1.0
    loading: float = 0.0
    step: float = 0.0
    now: float = 0.0
    known: set[Proposal] = field(default_factory=set)  # what an earlier run paid for
    measured: list[Proposal] = field(default_factory=list)

    @property
    def schedule(self) -> Schedule:
        return self.worth.schedule

    def cost(self, proposed: Proposal) -> float:
        return self.schedule.cost(proposed) * (self.price if getattr(proposed, "draft", False) else 1.0)

    def clock(self) -> float:
        return self.now

    def measure(self, candidates: Sequence[Proposal]) -> Measured:
        new = [proposed for proposed in candidates if proposed not in self.known]
        took = [
            self.cost(proposed) * self.picture * (self.slower if getattr(proposed, "draft", False) else 1.0)
            for proposed in new
        ]
        took += [self.step * cost * self.schedule.steps for cost in {self.cost(proposed) for proposed in new}]
        # what is remembered is decoded again
        sampling, decoding, judging = sum(took), self.look / 2 * len(candidates), self.look / 2 * len(new)
        judging += 0.0 if self.measured else self.loading
        self.now += sampling + decoding + judging
        self.measured += candidates
        remembered = tuple(proposed in self.known for proposed in candidates)
        values = self.worth.measure(candidates).values
        return Measured(values, 0, sampling, decoding, judging, remembered)


def made(make: Callable[..., object], start: Proposal, seeds: SeedStream, schedule: Schedule, pictures: int) -> object:
    """A search of any kind, with what it needs to know."""
    kind = getattr(make, "func", make)
    needs = {"pictures": pictures} if kind is LocalSearch else {}
    if kind not in AMONG_NOISES:
        needs = {"schedule": schedule, "pictures": pictures}
    return make(start, seeds, **needs)


def rounds(
    make: Callable[..., object],
    world: World,
    budget: Budget,
    seed: int = 1,
    group: int = 4,
    came_in: int = 0,
    combine: Callable[[Tensor], Tensor] = first_column,
    before: Record | None = None,
    record: list[Record] | None = None,
    ahead: list[int] | None = None,
    second: float = 0.0,
) -> Iterator[Round]:
    """All rounds of a search from the own seed, or from so many noises that came in.

    Args:
        ahead: Takes how many candidates are known before each round is measured; None to ask nothing ahead.
        second: Seconds that a second judge's look takes at each of the best eight lineages, when it is over.
    """
    own = [fresh(SeedStream(seed).at(1, place)) for place in range(max(1, came_in))]
    search = made(make, own[0], SeedStream(seed), world.schedule, budget.pictures)
    driver = Driver(
        search,
        combine,
        budget,
        group=group,
        trace=Trace(("worth",)),
        first=[(noise, "start" if came_in else "own seed") for noise in own],
        cost=world.cost,
        clock=world.clock,
        before=before,
    )
    driver.allowance.second, driver.allowance.seen, lineages = second, ACCEPTED_FROM, Lineages()
    promised: list[Proposal] = []
    while (wanted := driver.next()) is not None:
        assert promised in ([], wanted), "what was said to come next comes next"
        promised = driver.ahead() if ahead is not None and wanted else []
        assert len(promised) <= group and not set(promised) & set(wanted)
        if ahead is not None:
            ahead.append(len(promised))
        done = driver.tell(world.measure(wanted) if wanted else None)
        lineages.add(done.trials, done.trace)
        driver.allowance.lineages = len(lineages)
        if record is not None:
            record[:] = [Record.from_dict(json.loads(json.dumps(driver.allowance.record().to_dict())))]
        yield done


def searched(make: Callable[..., object], world: World, budget: Budget, **how: Any) -> Trace:
    """The trace of a search in a world."""
    return list(rounds(make, world, budget, **how))[-1].trace


def pictures(trace: Trace) -> list[Proposal]:
    """What was finished, in the order of measuring."""
    return [trial.candidate for trial in trace.trials if trial.finished]


def best(trace: Trace) -> float:
    """What the best picture is worth."""
    return trace.scores[trace.best()[0].id]
