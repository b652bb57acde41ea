from itertools import permutations

import pytest
import torch
from noise_search.verifiers.agreement import (
    agreements,
    check_taste,
    ranks,
    read_ranking,
    suggest_weights,
    table,
    taste_of,
)
from scipy.stats import spearmanr


def columns(*scores):
    return torch.tensor(scores).T


def taste(text, count):
    return taste_of(read_ranking(text), count)


# Rankings


def test_a_ranking_names_pictures_best_first():
    assert ranks(torch.tensor(taste("3 1 4 2", 4))).tolist() == [3.0, 1.0, 4.0, 2.0]


@pytest.mark.parametrize("text", ["2 1=3", "2, 1 = 3", "2 > 1=3", " 2,1= 3 "])
def test_pictures_joined_by_an_equals_sign_are_equally_good(text):
    assert ranks(torch.tensor(taste(text, 3))).tolist() == [1.5, 3.0, 1.5]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 2 4", "must name all 4 pictures, 3 missing"),
        ("1 2 3 3 4", "must name every picture once, got 3 more than once"),
        ("1 2=2 3 4", "got 2 more than once"),
        ("1 2 3 4 5", "must name pictures 1 to 4, got 5"),
        ("0 1 2 3", "must name pictures 1 to 4, got 0"),
        ("1 2 three 4", "must be picture numbers, best first, such as 3 1=4 2, got '1 2 three 4'"),
        ("1=", "must be picture numbers"),
        ("", "1, 2, 3, 4 missing"),
    ],
)
def test_a_ranking_that_is_none_says_what_is_wrong(text, problem):
    with pytest.raises(ValueError, match=problem):
        taste(text, 4)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([1.0, 2.0], "at least 3"),
        ([1.0, 1.0, 1.0], "got all of them equal"),
        ([1.0, 2.0, float("nan")], "must be finite"),
    ],
)
def test_a_taste_that_says_nothing_is_refused(values, problem):
    with pytest.raises(ValueError, match=problem):
        check_taste(values)


# Correlation


def test_the_correlation_of_untied_ranks_is_spearmans_formula():
    scores, wanted = [3.0, 9.0, 5.0, 1.0, 2.0], [5.0, 4.0, 3.0, 2.0, 1.0]
    differences = (ranks(torch.tensor(scores)) - ranks(torch.tensor(wanted))) ** 2
    (found,) = agreements(columns(scores), wanted)
    assert found.correlation == pytest.approx(1 - 6 * differences.sum().item() / (5 * 24))


def test_tied_values_are_correlated_by_their_mean_ranks_as_scipy_does():
    scipy = pytest.importorskip("scipy.stats")
    scores, wanted = [1.0, 1.0, 2.0, 5.0, 5.0, 5.0, 0.0], [1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 0.0]
    (found,) = agreements(columns(scores), wanted)
    assert found.correlation == pytest.approx(scipy.spearmanr(scores, wanted).statistic)


def test_the_same_order_is_one_the_reverse_minus_one_and_no_order_zero():
    found = agreements(
        columns([1.0, 2.0, 30.0, 31.0], [4.0, 3.0, 2.0, 1.0], [7.0, 7.0, 7.0, 7.0]), [1.0, 2.0, 3.0, 4.0]
    )
    assert [agreement.correlation for agreement in found] == pytest.approx([1.0, -1.0, 0.0])


def test_few_pictures_are_doubted_by_counting_all_orders():
    same, swapped, reverse = agreements(
        columns([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]), [1.0, 2.0, 3.0, 4.0]
    )
    assert same.chance == pytest.approx(1 / 24)
    assert swapped.chance == pytest.approx(4 / 24)  # itself, the other two swaps of neighbours, and the perfect order
    assert reverse.chance == 1.0 and reverse.interval is None


def test_many_pictures_are_doubted_by_an_interval_that_narrows_with_their_number():
    generator = torch.Generator().manual_seed(4)
    widths = []
    for count in (9, 36, 144):
        wanted = torch.randn(count, generator=generator)
        noisy = wanted + 0.7 * torch.randn(count, generator=generator)
        (found,) = agreements(noisy[:, None], wanted.tolist())
        low, high = found.interval
        assert low < found.correlation < high and found.chance is None
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    truth, hits = 0.5825, 0  # Spearman of two normals of correlation 0.6: 6 / pi asin(0.3)
    for _ in range(100):
        wanted = torch.randn(30, generator=generator)
        noisy = 0.6 * wanted + 0.8 * torch.randn(30, generator=generator)
        low, high = agreements(noisy[:, None], wanted.tolist())[0].interval
        hits += low < truth < high
    assert 85 <= hits <= 100


# Weights


def test_one_verifier_has_weight_one():
    assert suggest_weights(columns([1.0, 3.0, 2.0]), [1.0, 2.0, 3.0]) == [1.0]


def test_few_pictures_suggest_equal_weights():
    assert suggest_weights(columns([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0]), [1.0, 2.0, 3.0, 4.0]) == [1.0, 1.0]


def test_many_pictures_suggest_the_correlations_themselves():
    generator = torch.Generator().manual_seed(1)
    wanted = torch.randn(400, generator=generator)
    noise = torch.randn(400, 3, generator=generator)
    scores = torch.stack([wanted + noise[:, 0] / 2, wanted + 2 * noise[:, 1], -wanted + noise[:, 2]], dim=1)
    found = [agreement.correlation for agreement in agreements(scores, wanted.tolist())]
    weights = suggest_weights(scores, wanted.tolist())
    assert weights == pytest.approx([1.0, found[1] / found[0], 0.0], abs=0.02)


def test_more_evidence_moves_the_weights_further_from_equal():
    generator = torch.Generator().manual_seed(2)
    wanted = torch.randn(6, generator=generator)
    scores = torch.stack([wanted, torch.randn(6, generator=generator)], dim=1)
    repeated = [suggest_weights(scores.repeat(times, 1), wanted.repeat(times).tolist())[1] for times in (1, 2, 4, 16)]
    assert repeated == sorted(repeated, reverse=True) and repeated[0] > repeated[-1]


def test_chance_alone_makes_the_correlations_differ_as_the_formula_says():
    scores = columns([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 3.0, 5.0, 4.0], [5.0, 1.0, 4.0, 2.0, 3.0])
    orders = list(permutations([1.0, 2.0, 3.0, 4.0, 5.0]))
    centred = ranks(scores.T) - 3
    correlations = (centred @ (torch.tensor(orders).double() - 3).T) / 10  # every order of the taste at once
    between = (centred @ centred.T / 10).triu(1).sum() / 3
    assert correlations.var(dim=0).mean().item() == pytest.approx((1 - between.item()) / 4)


def test_verifiers_that_all_disagree_have_equal_weights_and_the_table_says_so():
    scores, wanted = columns([3.0, 2.0, 1.0], [3.0, 1.0, 2.0]), [1.0, 2.0, 3.0]
    weights = suggest_weights(scores, wanted)
    assert weights == [1.0, 1.0]
    assert table(["a", "b"], agreements(scores, wanted), weights, 3)[-1].startswith("No verifier agrees with you")


def test_two_verifiers_that_say_the_same_have_the_same_weight():
    assert suggest_weights(columns([1.0, 3.0, 2.0], [10.0, 30.0, 20.0]), [1.0, 2.0, 3.0]) == [1.0, 1.0]


def test_the_table_says_how_sure_it_is_and_how_that_was_found():
    scores, wanted = columns([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]), [1.0, 2.0, 3.0, 4.0]
    lines = table(["CLIP", "looks"], agreements(scores, wanted), [1.0, 0.25], 4)
    assert lines[1] == "CLIP: +1.00 (4.17 % of all possible orders agree as well), weight 1"
    assert lines[2] == "looks: -1.00 (100 % of all possible orders agree as well), weight 0.25"
    many = torch.arange(9.0)
    assert "in 95 % of 2000 bootstrap samples" in table(["CLIP"], agreements(many[:, None], many.tolist()), [1.0], 9)[1]


def test_the_weights_shrink_by_the_spread_that_chance_alone_would_give():
    """The formula of `suggest_weights`, written out, where it neither shrinks to nothing nor lets all stand."""
    scores = torch.tensor([[1.0, 3.0], [2.0, 1.0], [3.0, 6.0], [4.0, 2.0], [5.0, 5.0], [6.0, 4.0]])
    taste = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    r = [spearmanr(column, taste).statistic for column in scores.T]
    q, mean, v = spearmanr(*scores.T).statistic, sum(r) / 2, (r[0] - r[1]) ** 2 / 2
    left = 1 - (1 - q) / (6 - 1) / v
    assert 0.1 < left < 0.9
    weights = [mean + left * (one - mean) for one in r]
    assert suggest_weights(scores, taste) == pytest.approx([weight / max(weights) for weight in weights])
