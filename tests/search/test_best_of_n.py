"""How far choosing the best of N moves away from chance: its divergence is known whatever is judged."""

import math

import pytest
import torch
from noise_search.search import RandomSearch
from noise_search.tests.search.landscapes import linear, searched


@pytest.mark.parametrize(("count", "nats"), {2: 0.193, 4: 0.636, 8: 1.204, 16: 1.835}.items())
def test_the_winners_diverge_from_chance_by_log_n_less_n_minus_1_over_n(count, nats):
    """KL(best of N || all), from the mean of log N u^(N - 1) over the winners' quantiles u: the density of the largest
    of N.
    """
    assert math.log(count) - (count - 1) / count == pytest.approx(nats, abs=5e-4)
    runs = 300
    winners = torch.tensor(
        [max(searched(RandomSearch, linear, count, seed).scores) for seed in range(runs)], dtype=torch.float64
    )
    quantiles = torch.special.ndtr(winners)
    assert (math.log(count) + (count - 1) * quantiles.log()).mean().item() == pytest.approx(nats, abs=4 / runs**0.5)
    counted = torch.histc(quantiles, bins=8, min=0, max=1) / runs
    known = torch.tensor([((bin + 1) / 8) ** count - (bin / 8) ** count for bin in range(8)])
    assert (counted - known).abs().max() < 4 * math.sqrt(0.25 / runs)


def test_one_picture_is_chance():
    winners = [searched(RandomSearch, linear, 1, seed).scores[0] for seed in range(200)]
    assert sum(winners) / 200 == pytest.approx(0, abs=4 / 200**0.5)
