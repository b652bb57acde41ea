"""A verifier that errs by chance: what its winner is truly worth, and what judging the best few again gives back."""

from collections.abc import Callable

import pytest
import torch
from noise_search.search import Budget, Candidate, Measured, RandomSearch, SeedStream, Trace, fresh, run
from noise_search.tests.search.landscapes import measured_by, single

RUNS = 150


def true_score(noise):
    return noise[0].item()


def judged(error: float, times: int, salt: int) -> Callable[[list[Candidate]], Measured]:
    """Measure with normal errors of this size, the mean of several."""
    exact = measured_by(true_score)

    def measure(candidates):
        values = []
        for candidate, (value,) in zip(candidates, exact(candidates).values, strict=True):
            errors = torch.randn(times, generator=torch.Generator().manual_seed(hash((candidate.seed, salt)) % 2**31))
            values.append((value + error * errors.mean().item(),))
        return Measured(tuple(values), nfe=1)

    return measure


def ranked(measure, first: list[Candidate], pictures: int, seed: int) -> Trace:
    trace, search = Trace(("score",)), RandomSearch(first[0], SeedStream(seed))
    named = [(candidate, "start") for candidate in first]
    for _ in run(search, measure, single, Budget(pictures), group=64, trace=trace, first=named):
        pass
    return trace


def worth(candidate: Candidate) -> float:
    return measured_by(true_score)([candidate]).values[0][0]


@pytest.mark.parametrize(
    ("error", "pictures", "expected"),
    [(0.5, 4, 0.921), (0.5, 16, 1.58), (1.0, 4, 0.728), (1.0, 16, 1.249), (1.0, 64, 1.657)],
)
def test_the_winner_is_truly_worth_what_the_error_leaves_of_it(error, pictures, expected):
    """E[true score of the winner] = E[max of N] / sqrt(1 + error^2)."""
    traces = [
        ranked(judged(error, 1, seed), [fresh(SeedStream(seed).at(1, 0))], pictures, seed) for seed in range(RUNS)
    ]
    winners = [trace.best()[0].candidate for trace in traces]
    assert sum(map(worth, winners)) / RUNS == pytest.approx(expected, abs=4 * 0.9 / RUNS**0.5)
    believed = sum(trace.scores[trace.best()[0].id] for trace in traces) / RUNS
    assert believed == pytest.approx(expected * (1 + error**2), abs=4 * 1.2 / RUNS**0.5)


def test_judging_the_best_few_again_gives_most_of_it_back():
    """Of 16 judged once with an error of 1, the best 6 are judged sixteen times each: nearly what a judge without error
    finds.
    """
    again = []
    for seed in range(RUNS):
        trace = ranked(judged(1.0, 1, seed), [fresh(SeedStream(seed).at(1, 0))], 16, seed)
        finalists = [trial.candidate for trial in trace.best(6)]
        again.append(worth(ranked(judged(1.0, 16, -1 - seed), finalists, 6, seed).best()[0].candidate))
    assert 1.249 + 0.2 < sum(again) / RUNS < 1.766 + 0.25
