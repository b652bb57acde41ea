"""A world of numbers: what a draft promises and what the picture is worth are normal, correlated by a known number, and
cost nothing.
"""

import math
import random
from collections.abc import Sequence
from functools import lru_cache

from noise_search.search import Budget, Candidate, Measured, Path, Proposal, Schedule, SeedStream, Trace, fresh, run
from noise_search.tests.search.flows import first_column, flow_schedule

TWENTY = flow_schedule(20)


class Promises:
    """Pictures are worth N(0, 1); a draft of one promises `rho worth + sqrt(1 - rho^2) N(0, 1)`.

    Args:
        rho: Of drafts with the pictures of the same noises, in [-1, 1].
        kept: Share of its parent's worth that a re-noised picture keeps when half of the steps are taken again; the
            rest is fresh.
        harm: What is lost in a picture that goes on from a draft.
        wear: What is lost whenever noise is put back.
    """

    def __init__(
        self, rho: float, kept: float = 0.8, harm: float = 0.0, wear: float = 0.0, schedule: Schedule = TWENTY
    ):
        self.rho, self.kept, self.schedule = rho, kept, schedule
        self.harm, self.wear = harm, wear

    def measure(self, candidates: Sequence[Proposal]) -> Measured:
        return Measured(tuple((self.worth(proposed),) for proposed in candidates))

    def worth(self, proposed: Proposal) -> float:
        if isinstance(proposed, Candidate):
            return drawn(proposed)
        if isinstance(proposed.parent, Candidate):
            return (
                self.rho * drawn(proposed.parent) + math.sqrt(1 - self.rho**2) * drawn(proposed)
                if proposed.draft
                else drawn(proposed.parent)
            )
        kept = self.kept ** (2 * proposed.steps / self.schedule.steps)
        return (
            kept * self.worth(proposed.parent)
            + math.sqrt(1 - kept * kept) * drawn(proposed)
            - self.harm * proposed.parent.draft
            - self.wear
        )


@lru_cache(maxsize=100_000)
def drawn(proposed: Proposal) -> float:
    """The standard normal number that belongs to a candidate or a walk."""
    return random.Random(proposed.key).gauss(0, 1)


def spent(
    make, world: Promises, pictures: int, seed: int, group: int = 8, combine=first_column
) -> tuple[Trace, object]:
    """Run a search from a fresh noise and return its trace and itself."""
    start, trace = fresh(SeedStream(seed).at(1, 0)), Trace(("worth",))
    search = make(start, SeedStream(seed), schedule=world.schedule, pictures=pictures)
    first, cost = [(start, "own seed")], world.schedule.cost
    for _ in run(search, world.measure, combine, Budget(pictures), group=group, trace=trace, first=first, cost=cost):
        pass
    return trace, search


def mean_best(make, world: Promises, pictures: int, runs: int) -> float:
    """Average the best picture's worth over seeds."""
    traces = [spent(make, world, pictures, seed)[0] for seed in range(runs)]
    return math.fsum(trace.scores[trace.best()[0].id] for trace in traces) / runs


def walks(trace: Trace) -> list[Path]:
    return [trial.candidate for trial in trace.trials if isinstance(trial.candidate, Path)]
