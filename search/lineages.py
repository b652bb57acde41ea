"""Lineages: the pictures that go back to the same first noise.

A search that climbs makes many pictures that are alike, and its judge errs about all of them in the same way. The best
few of different lineages are what a second judge can choose between.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from .path import Path, Proposal
from .trace import Trace, Trial

ACCEPTED_FROM = 8  # lineages whose best pictures a second judge sees


def founder_of(proposed: Proposal) -> Proposal:
    """The noise that it began with, or the picture that came in: of a combination, what weighs most in it."""
    return Founders().of(proposed)


class Founders:
    """The founder of one after the other; of those whose parents were asked for before, at once."""

    def __init__(self) -> None:
        self._known: dict[str, Proposal] = {}

    def of(self, proposed: Proposal) -> Proposal:
        node = proposed
        while node.parents and node.key not in self._known:
            node = _nearest_parent(node)
        founder = self._known[proposed.key] = self._known.get(node.key, node)
        return founder


class Firsts:
    """Which candidate is the first one of each lineage, asked for in the order of their ids."""

    def __init__(self) -> None:
        self._founders, self._firsts = Founders(), dict[str, int]()

    def of(self, proposed: Proposal, number: int) -> int:
        return self._firsts.setdefault(self._founders.of(proposed).key, number)


class Lineages:
    """The best finished picture of each lineage, as a search goes on; what it costs does not grow with its pictures."""

    def __init__(self) -> None:
        self._founders = Founders()
        self._best: dict[str, Trial] = {}

    def add(self, trials: Sequence[Trial], trace: Trace) -> None:
        """Trials of a round; those that were added before keep their scores."""
        for trial in trials:
            founder = self._founders.of(trial.candidate).key
            best = self._best.get(founder)
            if trial.finished and (best is None or trace.scores[trial.id] > trace.scores[best.id]):
                self._best[founder] = trial

    def rescored(self, trace: Trace) -> None:
        """All scores have changed."""
        self._best.clear()
        self.add(trace.trials, trace)

    def __len__(self) -> int:
        """How many have a finished picture."""
        return len(self._best)

    def best(self, count: int, trace: Trace) -> list[Trial]:
        """One picture each of the `count` best lineages, best first, the earlier one first where scores are equal."""
        return heapq.nsmallest(count, self._best.values(), key=lambda trial: (-trace.scores[trial.id], trial.id))


def best_of_lineages(trace: Trace, count: int) -> list[Trial]:
    """One picture each of the `count` best lineages of a search that is over; what came after its target does not
    count.
    """
    found = Lineages()
    found.add(trace.trials[: len(trace.trials) - trace.behind], trace)
    return found.best(count, trace)


def _nearest_parent(proposed: Proposal) -> Proposal:
    if isinstance(proposed, Path) or len(proposed.parents) == 1:
        return proposed.parents[0]
    return max(zip(proposed.parents, proposed.weights, strict=True), key=lambda pair: abs(pair[1]))[0]
