"""The benchmarks' statistics, against closed forms."""

import math

import numpy as np
import pytest

from bench.curves import band, best_of_curve, equivalent_interval, equivalent_n, mean_interval, sampled_curves, standard
from search.best_of import chances, expected_best


def test_chances_are_those_of_drawing_without_return():
    for pool, count in [(1, 1), (5, 1), (5, 3), (5, 5), (256, 17)]:
        exact = [math.comb(place - 1, count - 1) / math.comb(pool, count) for place in range(1, pool + 1)]
        assert chances(pool, count) == pytest.approx(exact, rel=1e-9, abs=1e-300)
        assert chances(pool, count).sum() == pytest.approx(1)


def test_more_draws_than_the_pool_holds_are_refused():
    with pytest.raises(ValueError, match="count must be between 1 and the pool's 4, got 5"):
        expected_best([1, 2, 3, 4], [5])


def test_a_judge_that_disagrees_falls_as_more_are_searched():
    curve = best_of_curve([1.0, 2.0, 3.0, 4.0], judged=[4.0, 3.0, 2.0, 1.0])
    assert (np.diff(curve) < 0).all() and curve[0] == 2.5 and curve[-1] == 1


def test_the_equivalent_n_of_a_point_of_the_curve_is_its_n():
    curve = np.log([1.5, 2, 4, 8, 16])
    for n in range(1, 6):
        assert equivalent_n(curve, curve[n - 1]) == pytest.approx(n)


def test_between_two_n_the_equivalent_n_goes_by_the_logarithm():
    assert equivalent_n([0.0, 1.0, 3.0], 2.0) == pytest.approx(math.sqrt(2 * 3))


def test_below_one_picture_it_is_one():
    assert equivalent_n([0.0, 1.0], -5.0) == 1


def test_beyond_the_pool_it_goes_on_at_the_last_slope_which_promises_too_little_for_normal_scores():
    assert equivalent_n([0.0, 1.0, 1.5, 2.0], 3.0) == pytest.approx(8)
    assert equivalent_n([0.0, 1.0, 1.0], 1.1) == math.inf
    normal = np.random.default_rng(0).normal(size=4096)
    curve = best_of_curve(normal)
    assert 256 < equivalent_n(curve[:256], curve[511]) <= 512


def test_a_level_stretch_of_the_curve_counts_from_where_it_is_reached():
    assert equivalent_n([0.0, 1.0, 1.0, 2.0], 1.0) == pytest.approx(2)


def test_the_interval_of_the_equivalent_n_holds_its_value_and_narrows_with_more_prompts():
    random = np.random.default_rng(1)
    curves = np.stack([best_of_curve(random.normal(size=64)) for _ in range(128)])
    scores = curves[:, 15] + random.normal(size=128) * 0.3  # what best of 16 reaches, with noise
    few, many = equivalent_interval(curves[:16], scores[:16]), equivalent_interval(curves, scores)
    assert many[1] <= 16 <= many[2] and many[1] <= many[0] <= many[2]
    assert many[2] - many[1] < few[2] - few[1]


def test_the_interval_of_a_mean_is_the_known_one():
    values = np.random.default_rng(2).normal(3, 2, 400)
    mean, low, high = mean_interval(values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert mean == pytest.approx(values.mean()) and (low, high) == pytest.approx((mean - half, mean + half), abs=0.03)


def test_a_band_has_the_mean_interval_at_every_n():
    curves = np.random.default_rng(3).normal(size=(40, 5)).cumsum(1)
    mean, low, high = band(curves)
    assert np.allclose(mean, curves.mean(0)) and (low < mean).all() and (mean < high).all()


def test_a_prompt_whose_pictures_are_all_the_same_counts_nothing():
    assert standard(np.array([3.0, 5.0]), np.array([4.0, 4.0])).tolist() == [0, 0]
    assert standard(np.array([3.0, 5.0]), np.array([1.0, 3.0])).tolist() == [1, 3]


RANDOM = np.random.default_rng(3)


def test_a_chooser_that_sees_values_alone_gives_the_exact_curve_within_the_noise_of_its_draws():
    values = RANDOM.normal(size=(64, 1))
    (curve,) = sampled_curves(lambda pool: pool[:, 0], values, [values[:, 0]], draws=2000)
    exact = best_of_curve(values[:, 0])
    assert len(curve) == 64 and abs(curve - exact).max() < 0.06
    assert curve[0] == pytest.approx(exact[0]) and curve[-1] == exact[-1]


def test_a_chooser_that_compares_is_asked_about_just_the_pictures_that_it_would_see():
    seen = set()

    def choose(pool):
        seen.add(len(pool))
        return pool[:, 0]

    values = RANDOM.normal(size=(16, 2))
    sampled_curves(choose, values, [values[:, 0]], draws=3)
    assert seen == {2, 3, 4, 6, 8, 12, 16}
