"""Noises as vectors over draws, and the landscape that is fitted to them."""

import math

import pytest
import torch
from noise_search.search import check_independent, fresh, leaf, materialize, mix, span
from noise_search.search.landscape import Landscape
from noise_search.search.spans import draws_of, towards, vectors
from noise_search.tests.search.landscapes import RandomField
from noise_search.tests.search.normality import complaints

SHAPES = [(4, 32, 32)]
START = span([0.6, 0.8], [mix(leaf("abc", 3), 1, 0.5), fresh(2)])
FAMILY = [START, mix(mix(START, 3, 0.9), 4, 0.7), mix(START, 5, 0.95), fresh(6)]
LEAVES = {"abc": (torch.randn(1, *SHAPES[0], generator=torch.Generator().manual_seed(1)),)}


def test_a_noise_is_the_sum_of_its_draws():
    for candidate in FAMILY:
        draws = draws_of(candidate)
        assert math.fsum(weight**2 for weight in draws.values()) == pytest.approx(1)
        noises = materialize(list(draws), SHAPES, LEAVES)[0]
        summed = sum(weight * noise for weight, noise in zip(draws.values(), noises, strict=True))
        assert torch.allclose(materialize([candidate], SHAPES, LEAVES)[0][0], summed, atol=1e-5)


def test_moves_in_a_mask_or_a_band_are_not_of_one_weight_everywhere():
    assert (
        draws_of(mix(fresh(1), 2, 0.5, "mask")) is None
        and draws_of(mix(mix(fresh(1), 2, 0.5, band=(0, 0.5)), 3, 0.9)) is None
    )


def test_related_noises_combine_to_one_that_is_standard_normal():
    points, columns = vectors([draws_of(candidate) for candidate in FAMILY])
    assert torch.allclose(points.norm(dim=1), torch.ones(4, dtype=torch.float64))
    between = towards(points[1] + points[2] - 0.5 * points[0], columns)
    check_independent(between)
    for seed in range(3):
        base = [
            fresh(1000 * seed),
            mix(fresh(1000 * seed), 1000 * seed + 1, 0.9),
            mix(fresh(1000 * seed), 1000 * seed + 2, 0.9),
        ]
        points, columns = vectors([draws_of(candidate) for candidate in base])
        assert complaints(materialize([towards(points.sum(0), columns)], SHAPES)[0], law=2.3) == []


def test_the_way_towards_a_noise_is_that_noise_to_three_digits():
    points, columns = vectors([draws_of(candidate) for candidate in FAMILY])
    for point, candidate in zip(points, FAMILY, strict=True):
        again = towards(3 * point, columns)
        assert torch.allclose(*materialize([again, candidate], SHAPES, LEAVES)[0], atol=0.01)


def test_rounding_of_scores_makes_no_other_noise():
    points, columns = vectors([draws_of(candidate) for candidate in FAMILY])
    way = points.sum(0)
    assert towards(way, columns) == towards(way * 7 + 1e-7, columns)


@pytest.mark.parametrize("count", [8, 24])
def test_uphill_in_a_linear_score_is_better_than_all_that_was_measured(count):
    """Over draws that score r_i the best unit vector scores sqrt(sum r_i^2); known are one noise and a neighbor for
    every other draw.
    """
    scores = torch.randn(count, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    points = math.sqrt(1 - 0.5**2) * torch.eye(count, dtype=torch.float64)[:1] + 0.5 * torch.eye(
        count, dtype=torch.float64
    )
    points[0] = torch.eye(count, dtype=torch.float64)[0]
    uphill = Landscape(points, points @ scores).climb(points[(points @ scores).argmax()])
    assert 1.2 * (points @ scores).max() < uphill @ scores <= scores.norm()


@pytest.mark.parametrize("roughness", [2.0, 16.0])
def test_it_learns_how_rough_a_score_is(roughness):
    generator = torch.Generator().manual_seed(0)
    found = []
    for seed in range(8):
        field, base = RandomField(roughness, seed), torch.randn(192, generator=generator)
        noises = [base] + [
            math.sqrt(1 - b * b) * base + b * torch.randn(192, generator=generator)
            for b in (0.2, 0.4, 0.6, 1.0)
            for _ in range(8)
        ]
        points = torch.stack([(noise / noise.norm()).double() for noise in noises])
        found.append(Landscape(points, torch.tensor([field(noise) for noise in noises])).fit.roughness)
    assert roughness / 3 < math.exp(sum(map(math.log, found)) / len(found)) < roughness * 3


def test_a_fresh_noise_is_expected_to_be_average():
    points, scores = torch.eye(10, dtype=torch.float64), torch.arange(10.0)
    mean, spread = Landscape(points, scores).fit.at(torch.zeros(10, dtype=torch.float64))
    assert abs(mean) < 0.3 and 0.5 < spread < 2
