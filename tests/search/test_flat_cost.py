"""What the loop itself costs per candidate does not grow with what was tried before: a night has thousands of them."""

import functools
import math
import operator
import sys
from collections import Counter

import pytest
import torch
from noise_search.search import (
    AutoSearch,
    Budget,
    DraftSearch,
    Measured,
    PathSearch,
    RandomSearch,
    RefineSearch,
    SeedStream,
    SteeredSearch,
    Trace,
    ZeroOrderSearch,
    fresh,
    run,
)
from noise_search.search.ranking import Ranking
from noise_search.search.stopping import Draws
from noise_search.tests.search.flows import flow_schedule
from noise_search.verifiers.combine import mean_rank

FLOW = flow_schedule(20)
PICTURES = 1500
MOST = 800  # lines of Python per candidate, the algorithm included; today 220 to 520
SEARCHES = {
    "random": lambda seeds: RandomSearch(fresh(1), seeds),
    "zero-order": lambda seeds: ZeroOrderSearch(fresh(1), seeds),
    "auto": lambda seeds: AutoSearch(fresh(1), seeds, schedule=FLOW, pictures=PICTURES),
    "draft": lambda seeds: DraftSearch(fresh(1), seeds, schedule=FLOW, pictures=PICTURES),
    "refine": lambda seeds: RefineSearch(fresh(1), seeds, schedule=FLOW, pictures=PICTURES),
    "path": lambda seeds: PathSearch(fresh(1), seeds, schedule=FLOW, pictures=PICTURES),
    "steered": lambda seeds: SteeredSearch(fresh(1), seeds, preset="SVDD", particles=8, schedule=FLOW, pictures=150),
}


def value(candidate):
    return int(candidate.key[:8], 16) / 2**32


def instructions(make):
    """Lines of Python that each round took, and its trials: a count that is the same on every machine."""
    counted, rounds, trace = Counter(), [], Trace(("score",))

    def line(frame, event, argument):
        counted["lines"] += 1
        return line

    def measure(candidates):
        return Measured(tuple((value(candidate),) for candidate in candidates))

    search = make(SeedStream(3))
    steps = run(search, measure, lambda pool: pool[:, 0], Budget(PICTURES), group=8, trace=trace, cost=FLOW.cost)
    before = sys.gettrace()
    sys.settrace(line)
    try:
        for done in steps:
            rounds.append((counted.pop("lines", 0), len(done.trials)))
    finally:
        sys.settrace(before)
    return rounds


@pytest.mark.parametrize("make", SEARCHES.values(), ids=SEARCHES)
def test_a_round_late_in_a_night_costs_what_an_early_one_of_as_many_does(make):
    """The dearest stage of a search aside, which plans for all that follows."""
    rounds = [pair for pair in instructions(make) if pair[1]]
    tenth, size = len(rounds) // 10, max(count for _, count in rounds[-len(rounds) // 10 :])
    alike = [lines for lines, count in rounds if count == size]
    early, late = sorted(alike[: max(tenth, 1)]), sorted(alike[-max(tenth, 1) :])
    assert len(rounds) > 60 and late[len(late) // 2] <= 1.5 * early[len(early) // 2]
    assert sum(lines for lines, _ in rounds) / sum(count for _, count in rounds) < MOST


def test_scores_and_leader_are_those_of_ranking_everything_anew():
    """In pools that grow, with ties, where other pictures change a score."""
    weights, spreads = torch.tensor([1.0, 2.0]), torch.tensor([0.3, 0.3])
    for combine in (lambda pool: pool[:, 0], lambda pool: mean_rank(pool, weights, spreads)):
        trace = Trace(("a", "b"))
        ranking = Ranking(trace, combine)
        for number in range(0, 120, 3):
            noises = [fresh(number + place) for place in range(3)]
            rows = tuple((round(value(noise), 1), round(value(noise) * 7 % 1, 1)) for noise in noises)
            before = list(trace.scores)
            ranking.add(trace.add(noises, Measured(rows), ["random"] * 3, number, ()))
            pool = torch.tensor([trial.values for trial in trace.trials])
            assert trace.scores == combine(pool).tolist()
            assert ranking.leader is trace.best(1)[0]
            assert ranking.rescored == (trace.scores[: len(before)] != before)


def test_a_trace_that_has_trials_already_is_ranked_at_once():
    first, second = Trace(("a",)), Trace(("a",))
    first.add([fresh(1), fresh(2)], Measured(((1.0,), (3.0,))), ["random"] * 2, 0)
    second.trials.extend(first.trials)
    assert Ranking(second, lambda pool: pool[:, 0]).leader == first.trials[1] and second.scores == [1.0, 3.0]


def test_what_is_paid_adds_up_to_the_last_digit():
    """Thirds of a picture, thousands of times, as if they were added up at once."""
    trace, costs = Trace(("a",)), []
    for number in range(2000):
        costs.append((number % 3 + 1) / 3 / 7)
        trace.add([fresh(number)], Measured(((0.0,),)), ["random"], number, costs[-1:])
    one_by_one = functools.reduce(operator.add, costs)  # sum() does better from Python 3.12 on
    assert trace.pictures == math.fsum(costs) != one_by_one


def test_mean_and_spread_of_draws_follow_those_that_change():
    import statistics

    draws, kept = Draws(), {}
    for number in range(200):
        name, score = number % 150, value(fresh(number)) * 10 ** (number % 5)
        draws.put(name, score)
        kept[name] = score
        if len(kept) > 1:
            assert draws.mean == statistics.fmean(kept.values())
            assert draws.spread == pytest.approx(statistics.stdev(kept.values()), rel=1e-15)
    assert len(draws) == 150
