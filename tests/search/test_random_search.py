"""Random search is best of N: its expected gain is known."""

import itertools

import pytest
from noise_search.search import RandomSearch, SeedStream, fresh
from noise_search.tests.search.landscapes import linear, searched

MEAN_OF_THE_BEST = {1: 0.0, 2: 0.5642, 3: 0.8463, 4: 1.0294, 5: 1.1630, 8: 1.4236, 16: 1.7660, 32: 2.0697, 64: 2.3437}


def test_the_best_of_n_gains_what_order_statistics_say():
    runs = 200
    bests = [
        list(itertools.accumulate(searched(RandomSearch, linear, pictures=64, seed=seed).scores, max))
        for seed in range(runs)
    ]
    for n, expected in MEAN_OF_THE_BEST.items():
        assert sum(best[n - 1] for best in bests) / runs == pytest.approx(
            expected, abs=4 / runs**0.5 * max(0.45, 1 / n)
        )


def test_it_asks_for_the_start_and_then_for_plain_seeds():
    search = RandomSearch(fresh(7), SeedStream(5))
    asked = search.ask(3) + search.ask(2)
    assert [candidate.plain_seed for candidate in asked] == [7, *(SeedStream(5).at(0, index) for index in range(4))]
