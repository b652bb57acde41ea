import pytest
import torch
from noise_search.verifiers.combine import COMBINATIONS, mean_rank, weighted_sum, z_score

ONE = torch.ones(1)
TWO = torch.ones(2)


def column(*values):
    return torch.tensor(values).unsqueeze(1)


def test_ranks_run_from_one_mth_to_one():
    torch.testing.assert_close(
        mean_rank(column(5.0, -1.0, 7.0, 6.0), ONE, ONE), torch.tensor([0.5, 0.25, 1.0, 0.75]).double(), rtol=0, atol=1e-6
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
    scores = z_score(values, ONE, ONE)
    torch.testing.assert_close(scores, (values[:, 0] - 3) / 5, rtol=0.02, atol=0.05)


def test_the_z_score_of_three_pictures_by_hand():
    deviation = (3 * 1.4826**2 + 4 * 2**2) / 7  # MAD of (0, 1, 2) is 1; the typical spread of 2 counts as four pictures
    expected = torch.tensor([-1.0, 0.0, 1.0]).double() / deviation**0.5
    torch.testing.assert_close(z_score(column(0.0, 1.0, 2.0), ONE, 2 * ONE), expected)


def test_one_freak_does_not_drown_the_other_verifier():
    pool = torch.tensor([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 4.0], [1e6, -1e6]])
    calm = z_score(pool[:4], TWO, TWO)
    assert z_score(pool, TWO, TWO)[:4].argmax() == calm.argmax() == 3


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
    torch.testing.assert_close(combination(pool[order], ones, ones), combination(pool, ones, ones)[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("combination", COMBINATIONS.values())
def test_a_single_verifiers_order_is_kept(combination):
    values = torch.randn(12, 1, generator=torch.Generator().manual_seed(5))
    assert combination(values, ONE, ONE).argsort().tolist() == values[:, 0].argsort().tolist()
