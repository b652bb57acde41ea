import pytest
import torch
from noise_search.verifiers.combine import COMBINATIONS, gated, mean_rank, weighted_sum, worst, z_score

ONE = torch.ones(1)
TWO = torch.ones(2)


def column(*values):
    return torch.tensor(values).unsqueeze(1)


def test_ranks_run_from_one_mth_to_one():
    torch.testing.assert_close(
        mean_rank(column(5.0, -1.0, 7.0, 6.0), ONE, ONE),
        torch.tensor([0.5, 0.25, 1.0, 0.75]).double(),
        rtol=0,
        atol=1e-6,
    )


def test_ties_share_their_rank():
    scores = mean_rank(column(1.0, 1.0, 2.0), ONE, ONE)
    torch.testing.assert_close(scores, torch.tensor([0.5, 0.5, 1.0]).double(), rtol=0, atol=1e-6)
    assert scores[0] == scores[1]


def test_mean_ranks_of_two_verifiers_are_averaged():
    pool = torch.tensor([[1.0, 30.0], [2.0, 10.0], [3.0, 20.0]])
    expected = torch.tensor([(1 + 3) / 6, (2 + 1) / 6, (3 + 2) / 6]).double()
    torch.testing.assert_close(mean_rank(pool, TWO, TWO), expected, rtol=0, atol=1e-6)


def test_weights_shift_the_mean_rank():
    pool = torch.tensor([[1.0, 2.0], [2.0, 1.0]])
    scores = mean_rank(pool, torch.tensor([3.0, 1.0]), TWO)
    torch.testing.assert_close(scores, torch.tensor([0.625, 0.875]).double(), rtol=0, atol=1e-6)


def test_equal_mean_ranks_are_decided_by_the_distances():
    pool = torch.tensor([[1.0, 2.0], [5.0, 1.0], [0.0, 0.0]])
    scores = mean_rank(pool, TWO, TWO)
    assert scores[1] > scores[0] and scores[1] - scores[0] < 1e-6


def test_mean_rank_does_not_see_scales():
    pool = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    stretched = pool.sign() * pool.abs() ** 3 * torch.tensor([1.0, 1e4])
    torch.testing.assert_close(mean_rank(pool, TWO, TWO), mean_rank(stretched, TWO, TWO), rtol=0, atol=1e-6)


def test_z_scores_of_a_large_pool_are_distances_from_the_median_in_deviations():
    values = torch.randn(20001, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 5 + 3
    usual = (values[:, 0] - 3).abs() < 2.4 * 5
    scores = z_score(values, ONE, ONE)
    torch.testing.assert_close(scores[usual], (values[usual, 0] - 3) / 5, rtol=0.02, atol=0.05)


def test_the_z_score_of_three_pictures_by_hand():
    deviation = (3 * 1.4826**2 + 4 * 1.2**2) / 7  # MAD of (0, 1, 2) is 1; the typical 1.2 counts as four pictures
    expected = torch.tensor([-1.0, 0.0, 1.0]).double() / deviation**0.5
    torch.testing.assert_close(z_score(column(0.0, 1.0, 2.0), ONE, 1.2 * ONE), expected)
    # and it is never less than the typical one
    torch.testing.assert_close(z_score(column(0.0, 1.0, 2.0), ONE, 2 * ONE), torch.tensor([-0.5, 0.0, 0.5]).double())


def test_one_freak_does_not_drown_the_other_verifier():
    pool = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 4.0], [1e6, -1e6]])
    calm = z_score(pool[:4], TWO, TWO)
    assert z_score(pool, TWO, TWO)[:4].argmax() == calm.argmax() == 3


def test_praise_beyond_two_and_a_half_deviations_hardly_counts_but_keeps_its_order():
    pool = torch.tensor([[0.0, 0.0], [1.0, 1.5], [-1.0, -1.0], [20.0, 0.0], [40.0, 0.0]])
    scores = z_score(pool, TWO, TWO)
    assert scores[3] < scores[4] < 1.6
    praised = z_score(-pool, -TWO, TWO)
    torch.testing.assert_close(praised, scores)


def test_blame_beyond_two_and_a_half_deviations_hardly_counts_but_keeps_its_order():
    pool = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [-100.0, 6.0], [-50.0, 6.0]])
    scores = z_score(pool, ONE.expand(2), TWO)
    assert scores[3] < scores[4] < 0 < scores[4] + 1


@pytest.mark.parametrize("yes", [2, 10, 16, 22, 30])
def test_a_yes_or_no_keeps_its_weight_however_many_pictures_get_a_yes(yes):
    """Of 32, by a judge whose typical spread is 0.2: one step counts as 2.5 deviations, neither more nor less."""
    pool = torch.tensor([[1.0]] * yes + [[0.0]] * (32 - yes))
    scores = z_score(pool, ONE, 0.2 * ONE)
    step = (scores.max() - scores.min()).item()
    assert 1.3 < step < 2.6


def test_near_copies_of_one_picture_do_not_part_two_others_without_end():
    """As refinement makes them: the pool's own spread goes to 0, and the typical one stays."""
    one, other = 1.0, 0.5
    for copies in (10, 120):
        pool = column(one, other, *(one + 1e-3 * number for number in range(copies)))
        scores = z_score(pool, ONE, ONE)
        assert scores[0] - scores[1] == pytest.approx(0.5, abs=0.05)


def test_min_goes_by_the_most_displeased_verifier():
    pool = torch.tensor([[3.0, -1.0], [1.0, 1.0], [0.0, 0.0], [-2.0, 2.0], [0.0, 0.0]])
    scores = worst(pool, TWO, TWO)
    assert scores.argmax() == 1
    single = torch.stack([z_score(pool[:, :1], ONE, ONE), z_score(pool[:, 1:], ONE, ONE)])
    torch.testing.assert_close(scores, single.amin(0), rtol=0, atol=2e-6)


def test_where_the_worst_is_the_same_min_goes_by_the_rest():
    pool = torch.tensor([[0.0, -1.0], [2.0, -1.0], [1.0, 5.0], [0.0, 5.0]])
    scores = worst(pool, TWO, TWO)
    assert scores[0] < scores[1] < scores[0] + 1e-5


def test_a_weight_of_zero_leaves_a_verifier_out_of_min_and_a_negative_one_turns_it_round():
    pool = torch.tensor([[1.0, -9.0], [2.0, 9.0], [3.0, -9.0]])
    assert worst(pool, torch.tensor([1.0, 0.0]), TWO).argsort().tolist() == [0, 1, 2]
    assert worst(pool, torch.tensor([-1.0, 0.0]), TWO).argsort().tolist() == [2, 1, 0]


def test_a_weighted_sum_is_one():
    pool = torch.tensor([[1.0, 10.0], [2.0, 20.0]])
    assert weighted_sum(pool, torch.tensor([2.0, -0.5]), TWO).tolist() == [-3.0, -6.0]


@pytest.mark.parametrize("combination", COMBINATIONS.values())
def test_scores_are_finite_where_all_pictures_are_equal_or_there_is_one(combination):
    for pool in (torch.full((4, 2), 3.0), torch.tensor([[1.0, 2.0]])):
        scores = combination(pool, TWO, TWO)
        assert scores.isfinite().all() and len(scores.unique()) == 1


@pytest.mark.parametrize("combination", COMBINATIONS.values())
def test_scores_follow_their_pictures_when_these_change_places(combination):
    pool = torch.randn(7, 3, generator=torch.Generator().manual_seed(2))
    order, ones = torch.randperm(7), torch.ones(3)
    torch.testing.assert_close(
        combination(pool[order], ones, ones), combination(pool, ones, ones)[order], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("combination", COMBINATIONS.values())
def test_a_single_verifiers_order_is_kept(combination):
    values = torch.randn(12, 1, generator=torch.Generator().manual_seed(5))
    assert combination(values, ONE, ONE).argsort().tolist() == values[:, 0].argsort().tolist()


# Gates


def first_column(pool):
    return pool[:, 0]


def test_what_misses_a_floor_ranks_behind_all_that_passes_by_how_little_it_misses():
    pool = column(5.0, 900.0, 3.0, 800.0)
    scores = gated(first_column, pool, torch.tensor([0.0, 0.5, 0.0, 0.1]))
    assert scores.argsort(descending=True).tolist() == [0, 2, 3, 1]
    assert scores[[0, 2]].tolist() == [5.0, 3.0]


def test_where_nothing_passes_the_least_miss_is_the_best():
    assert gated(first_column, column(9.0, 1.0), torch.tensor([2.0, 1.0])).tolist() == [-3.0, -2.0]


def test_one_picture_that_misses_has_a_finite_score():
    assert gated(first_column, column(9.0), torch.tensor([2.0])).isfinite().all()


def test_what_is_out_of_the_question_changes_no_order_among_the_others():
    pool = torch.tensor([[1.0, 4.0], [2.0, 3.0], [1.5, 9.0], [1.6, 8.0]])

    def combine(rows):
        return mean_rank(rows, TWO, TWO)

    scores = gated(combine, pool, torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert torch.equal(scores[:2], combine(pool[:2]))


def test_without_a_miss_the_combination_is_left_alone():
    pool = column(1.0, 2.0)
    assert gated(first_column, pool, torch.zeros(2)).tolist() == [1.0, 2.0]
