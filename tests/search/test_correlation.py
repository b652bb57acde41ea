"""Rank correlation: scipy's value, an interval that covers, and what the best of many hide."""

import numpy as np
import pytest
from noise_search.search.correlation import ranks, spearman
from scipy.stats import rankdata, spearmanr


def pairs(count, rho, seed):
    """Standard normal pairs with this correlation, `(2, count)`."""
    one, other = np.random.default_rng(seed).standard_normal((2, count))
    return one, rho * one + np.sqrt(1 - rho * rho) * other


def test_it_is_the_value_of_scipy_ties_included():
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, other = rng.integers(0, 6, (2, 15)).tolist()
        assert ranks(one) == pytest.approx(rankdata(one) - 1)
        assert spearman(one, other).value == pytest.approx(spearmanr(one, other).statistic)


@pytest.mark.parametrize("count", [6, 12, 40])
@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_the_interval_covers_the_truth_in_at_least_nine_of_ten_cases(count, rho):
    truth = 6 / np.pi * np.arcsin(rho / 2)  # Spearman's of a bivariate normal
    found = [spearman(*map(list, pairs(count, rho, seed))) for seed in range(300)]
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.9


def test_few_pairs_prove_nothing_however_well_they_agree():
    few = spearman([1, 2, 3, 4], [1, 2, 3, 4])
    assert (few.value, few.low, few.high) == (1, -1, 1) and not few.foretells
    assert not spearman(range(5), range(5)).foretells and spearman(range(9), range(9)).foretells
    assert spearman((), ()).value == 0 and spearman([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]).value == 0


def test_the_best_eight_of_many_tell_the_correlation_over_all_of_them():
    plain, widened = [], []
    for seed in range(400):
        cheap, dear = pairs(40, 0.7, seed)
        best = np.argsort(-cheap)[:8]
        plain.append(spearman(list(cheap[best]), list(dear[best])).value)
        widened.append(spearman(list(cheap[best]), list(dear[best]), list(cheap)).value)
    assert np.median(plain) < 0.45 and np.median(widened) == pytest.approx(0.68, abs=0.1)


def test_scores_that_are_no_pairs_are_refused():
    with pytest.raises(ValueError, match="cheap and dear must be pairs, got 2 and 1"):
        spearman([1, 2], [1])


def test_the_interval_is_fishers_with_bonett_and_wrights_spread():
    """tanh(atanh r -+ 1.96 sqrt((1 + r^2 / 2) / (n - 3)))."""
    one, other = map(list, pairs(12, 0.6, 3))
    found, r = spearman(one, other), spearmanr(one, other).statistic
    reach = 1.96 * np.sqrt((1 + r * r / 2) / (12 - 3))
    assert (found.low, found.high) == pytest.approx((np.tanh(np.arctanh(r) - reach), np.tanh(np.arctanh(r) + reach)))
