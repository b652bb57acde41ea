"""When one more draw is not worth it: Weitzman's level, its number of draws, and what is lost where mean and spread are
unknown.
"""

import math
import random
import statistics

import pytest
import scipy.stats
from noise_search.search.stopping import expected_gain, reservation, worth_it

TABLE = {0.1: (0.90, 5.5), 0.05: (1.26, 9.6), 0.02: (1.66, 20.8), 0.01: (1.94, 38)}  # cost: level, expected draws


def stopped(cost, seed, mean=0.0, spread=1.0):
    chance, scores = random.Random(seed), []
    while worth_it(scores, cost):
        scores.append(chance.gauss(mean, spread))
    return scores


@pytest.mark.parametrize(("cost", "known"), TABLE.items(), ids=TABLE)
def test_the_level_and_its_expected_number_of_draws_are_weitzmans(cost, known):
    level, draws = known
    assert reservation(cost) == pytest.approx(level, abs=0.006)
    assert 2 / math.erfc(reservation(cost) / math.sqrt(2)) == pytest.approx(draws, rel=0.01)


@pytest.mark.parametrize("cost", TABLE)
def test_with_unknown_mean_and_spread_it_draws_a_little_more_and_loses_a_little(cost):
    level, draws = TABLE[cost]
    runs = [stopped(cost, seed, mean=20, spread=3) for seed in range(60)]
    count = sum(map(len, runs)) / 60
    net = sum((max(scores) - 20) / 3 - cost * len(scores) for scores in runs) / 60
    assert draws * 0.7 < count < draws * 1.3 + 3
    assert level - 0.4 < net < level + 0.25  # never better than the rule that knows, beyond the noise of 60 runs


def test_a_scale_of_scores_changes_nothing():
    assert all(len(stopped(0.05, seed)) == len(stopped(0.05, seed, mean=-5, spread=100)) for seed in range(20))


def test_the_gain_over_a_low_best_is_the_distance_and_over_a_high_one_nothing():
    assert expected_gain(-10, 0, 1) == pytest.approx(10, abs=1e-6) and expected_gain(10, 0, 1) < 1e-6
    assert expected_gain(0, 0, 2) == pytest.approx(2 / math.sqrt(2 * math.pi))
    assert expected_gain(1, 3, 0) == 2 and expected_gain(3, 1, 0) == 0


def test_heavier_tails_promise_more_and_tend_to_the_normal_ones():
    gains = [expected_gain(1.5, 0, 1, freedom) for freedom in (2, 5, 30, math.inf)]
    assert gains == sorted(gains, reverse=True)
    assert expected_gain(0.5, 0, 1, 2) == pytest.approx(0.5, rel=1e-4)  # E[(t - 1/2)+] with two degrees of freedom
    assert expected_gain(1.5, 0, 1, 190) == pytest.approx(gains[-1], rel=0.05)


def test_few_or_equal_draws():
    assert worth_it([], 1e9) and worth_it([1.0, 5.0], 1e9)
    assert not worth_it([2.0, 2.0, 2.0], 0.01)


def test_a_draw_for_nothing_is_refused():
    with pytest.raises(ValueError, match="cost must be above 0, got 0"):
        worth_it([1.0, 2.0, 3.0], 0)


@pytest.mark.parametrize("scores", [[0.0, 1.0, 2.5], [0.3, -1.0, 0.2, 1.9, 0.5]])
def test_the_next_draw_is_as_uncertain_as_the_mean_of_so_few_is_as_well(scores):
    """It follows t with n - 1 degrees of freedom, of scale s sqrt(1 + 1 / n) around the mean; worth it up to E[(v -
    best)+] / s.
    """
    count, mean, spread = len(scores), statistics.fmean(scores), statistics.stdev(scores)
    law = scipy.stats.t(count - 1, mean, spread * math.sqrt(1 + 1 / count))
    gain = law.expect(lambda v: v - max(scores), lb=max(scores))
    assert worth_it(scores, 0.98 * gain / spread) and not worth_it(scores, 1.02 * gain / spread)
