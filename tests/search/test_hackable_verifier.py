"""A verifier that can be fooled: with more candidates its winner gets worse again, and an ensemble's does not."""

from itertools import pairwise

import pytest
import torch
from noise_search.verifiers.combine import worst, z_score

COUNTS = (1, 8, 64, 1024)
POOLS, JUDGES = 100, 3


def pools():
    """Gold `(pools, 1024)`, and values of judges `(pools, 1024, judges)`: 0.7 gold and, rarely, large praise for
    nothing, each for its own.
    """
    generator = torch.Generator().manual_seed(0)
    gold = torch.randn(POOLS, COUNTS[-1], generator=generator)
    # Pareto: no variance
    fooled = torch.rand(POOLS, COUNTS[-1], JUDGES, generator=generator).clamp(min=1e-6) ** (-1 / 1.5) - 1
    noise = 0.4 * torch.randn(POOLS, COUNTS[-1], JUDGES, generator=generator)
    return gold, 0.7 * gold[..., None] + noise + 0.12 * fooled


def gold_of_winners(combine):
    """Mean gold of the winner among the first n, for every n."""
    gold, values = pools()
    found = []
    for count in COUNTS:
        winners = [combine(pool[:count]).argmax() for pool in values]
        found.append(torch.stack([row[winner] for row, winner in zip(gold, winners, strict=True)]).mean().item())
    return found


def test_one_verifiers_winner_peaks_and_falls():
    found = gold_of_winners(lambda pool: pool[:, 0])
    peak = max(found)
    assert COUNTS[found.index(peak)] in (8, 64) and found[-1] < peak - 0.3 and found[-1] < 0.6


@pytest.mark.parametrize("combine", [worst, z_score])
def test_a_capped_or_pessimistic_ensembles_winner_only_gets_better(combine):
    weights, spreads = torch.ones(JUDGES), torch.ones(JUDGES)
    found = gold_of_winners(lambda pool: combine(pool, weights, spreads))
    assert all(later > earlier - 0.2 for earlier, later in pairwise(found))
    assert found[-1] == pytest.approx(max(found), abs=0.2) and found[-1] > 1.7
