"""Keeping different ones: good, apart from each other, and near the best of all choices."""

import math
from itertools import combinations

import pytest
import torch
from noise_search.search import keep_different


def pool(seed, size=14, clusters=4):
    """Scores, and distances of points on a plane that lie in clusters."""
    generator = torch.Generator().manual_seed(seed)
    points = 3 * torch.randn(clusters, 2, generator=generator)[torch.arange(size) % clusters] + torch.randn(
        size, 2, generator=generator
    )
    return torch.randn(size, generator=generator), torch.cdist(points, points)


def worth(scores, distances, chosen, weight):
    """The objective, written out: scores in standard deviations above the worst, plus the mean distance of each to the
    others.
    """
    gains = (scores - scores.min()) / scores.std(correction=0)
    typical = distances.sum() / (len(scores) * (len(scores) - 1))
    apart = sum((distances[a, b] / typical).item() for a in chosen for b in chosen if a != b)
    return gains[list(chosen)].sum().item() + weight * apart / max(1, len(chosen) - 1)


@pytest.mark.parametrize("weight", [0.3, 1.0, 3.0])
def test_it_comes_near_the_best_of_all_choices(weight):
    shares = []
    for seed in range(12):
        scores, distances = pool(seed)
        chosen = keep_different(scores, distances, 4, weight)
        shares.append(
            worth(scores, distances, chosen, weight)
            / max(worth(scores, distances, any4, weight) for any4 in combinations(range(14), 4))
        )
    assert min(shares) >= 1 - 1 / math.e and sum(shares) / len(shares) > 0.95


def test_of_two_alike_only_one_is_kept():
    scores = torch.tensor([3.0, 2.9, 2.8, 1.0])
    places = torch.tensor([[0.0], [0.01], [1.0], [2.0]])
    assert keep_different(scores, torch.cdist(places, places), 2) == [0, 3] or keep_different(
        scores, torch.cdist(places, places), 2
    ) == [0, 2]
    assert keep_different(scores, torch.cdist(places, places), 2, weight=0) == [0, 1]


def test_the_best_stays_and_leads():
    for seed in range(20):
        scores, distances = pool(seed)
        chosen = keep_different(scores, distances, 5, weight=10)
        assert chosen[0] == scores.argmax() and len(set(chosen)) == 5
        assert scores[chosen].tolist() == sorted(scores[chosen].tolist(), reverse=True)


def test_more_weight_never_brings_them_closer():
    for seed in range(10):
        scores, distances = pool(seed)
        spread = [
            distances[chosen][:, chosen].sum()
            for chosen in (keep_different(scores, distances, 4, weight) for weight in (0, 100))
        ]
        assert spread[1] > spread[0]


def test_the_scales_of_scores_and_distances_mean_nothing():
    scores, distances = pool(3)
    assert keep_different(100 * scores - 7, 0.01 * distances, 4) == keep_different(scores, distances, 4)


def test_where_there_are_no_more_all_are_kept():
    assert keep_different(torch.tensor([1.0, 2.0]), torch.zeros(2, 2), 5) == [1, 0]
    assert keep_different(torch.tensor([1.0]), torch.zeros(1, 1), 1) == [0]
    assert keep_different(torch.ones(3), torch.zeros(3, 3), 2) == [0, 1]


@pytest.mark.parametrize(
    ("keep", "weight", "shape", "message"),
    [
        (0, 1, 2, "keep must be at least 1"),
        (1, -1, 2, "weight at least 0"),
        (1, math.nan, 2, "weight"),
        (1, 1, 3, r"shape \(2, 2\), got \(3, 3\)"),
    ],
)
def test_what_makes_no_sense_is_refused(keep, weight, shape, message):
    with pytest.raises(ValueError, match=message):
        keep_different(torch.ones(2), torch.zeros(shape, shape), keep, weight)


def test_a_pair_of_two_counts_its_distance_for_each_of_them():
    """Of the scores 3, 2, 1 the second is 1.22 standard deviations better than the third, which is further from the
    best by 2 x 0.8 mean distances.
    """
    far = 2.09
    distances = torch.tensor([[0.0, 1.0, far], [1.0, 0.0, 1.0], [far, 1.0, 0.0]])
    assert keep_different(torch.tensor([3.0, 2.0, 1.0]), distances, 2) == [0, 2]
    assert keep_different(torch.tensor([3.0, 2.0, 1.0]), distances, 2, weight=0.7) == [0, 1]
