"""Resamplers: every particle goes on as often as it weighs, and the better ones leave less of that to chance."""

import math

import pytest
import torch
from noise_search.search.resampling import RESAMPLERS, effective_sample_size, srinivasan

DRAWS = 800
WEIGHTS = torch.tensor([0.31, 0.02, 0.0, 0.17, 0.11, 0.05, 0.34])
every_resampler = pytest.mark.parametrize("name", RESAMPLERS)


def counts(name, weights=WEIGHTS, count=None, draws=DRAWS):
    """How often each particle goes on, `(draws, n)`."""
    generator = torch.Generator().manual_seed(1)
    drawn = [RESAMPLERS[name](weights, count or len(weights), generator) for _ in range(draws)]
    return torch.stack([torch.bincount(ancestors, minlength=len(weights)) for ancestors in drawn]).double()


@every_resampler
@pytest.mark.parametrize("count", [5, 30])
def test_on_average_every_particle_goes_on_as_often_as_it_weighs(name, count):
    drawn, expected = counts(name, count=count), count * WEIGHTS.double() / WEIGHTS.sum()
    error = 4 * (drawn.std(0) / math.sqrt(DRAWS)).clamp(min=1e-9)
    assert ((drawn.mean(0) - expected).abs() <= error).all() and (drawn.sum(1) == count).all()
    assert (drawn[:, 2] == 0).all()  # no weight, never chosen


@pytest.mark.parametrize("name", ["SSP", "systematic"])
def test_rounding_resamplers_round_up_or_down(name):
    drawn, expected = counts(name, count=13), 13 * WEIGHTS.double() / WEIGHTS.sum()
    assert (drawn >= expected.floor()).all() and (drawn <= expected.ceil()).all()


def test_the_variance_of_the_counts_is_ordered_from_rounding_to_chance_alone():
    share = WEIGHTS.double() / WEIGHTS.sum()
    part = (7 * share) % 1
    least, most = (part * (1 - part)).sum().item(), (7 * share * (1 - share)).sum().item()
    variances = {name: counts(name).var(0).sum().item() for name in RESAMPLERS}
    assert [variances[name] for name in ("SSP", "systematic", "multinomial")] == pytest.approx(
        [least, least, most], rel=0.1
    )
    assert 1.1 * least < variances["stratified"] < 0.9 * most


def test_equal_weights_keep_everyone_where_nothing_is_left_to_chance():
    for name in ("SSP", "systematic", "stratified"):
        for n in (1, 3, 7, 10, 100):
            ancestors = RESAMPLERS[name](torch.ones(n) / n, n, torch.Generator().manual_seed(n))
            assert ancestors.tolist() == list(range(n)), (name, n)


@every_resampler
def test_one_heavy_particle_takes_all_and_a_seed_repeats(name):
    draw = RESAMPLERS[name]
    assert draw(torch.tensor([0.0, 1e-3, 0.0]), 4, torch.Generator().manual_seed(0)).tolist() == [1, 1, 1, 1]
    first, second = (draw(WEIGHTS, 9, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second) and first.tolist() == sorted(first.tolist())


def test_ssp_keeps_its_promises_for_many_random_weights():
    generator = torch.Generator().manual_seed(2)
    for n in (1, 2, 3, 5, 8, 13, 40):
        weights = torch.rand(n, generator=generator, dtype=torch.float64) ** 4
        expected = n * weights / weights.sum()
        drawn = torch.bincount(srinivasan(weights, n, generator), minlength=n)
        assert (
            drawn.sum() == n
            and (drawn >= (expected - 1e-9).floor()).all()
            and (drawn <= (expected + 1e-9).ceil()).all()
        )


@every_resampler
@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [0.5, -0.1], [math.nan, 1.0], [math.inf, 1.0]])
def test_weights_that_are_none_are_refused(name, weights):
    with pytest.raises(ValueError, match="weights must be at least 0 and not all 0, got"):
        RESAMPLERS[name](torch.tensor(weights), 3, torch.Generator())


def test_the_effective_sample_size_counts_equal_particles():
    assert effective_sample_size(torch.full((8,), -3.0)) == pytest.approx(8)
    assert effective_sample_size(torch.tensor([0.0, -math.inf, 0.0])) == pytest.approx(2)
    assert effective_sample_size(torch.tensor([1000.0, 0.0])) == pytest.approx(1)
    assert effective_sample_size(torch.tensor([0.75, 0.25]).log()) == pytest.approx(1.6)
