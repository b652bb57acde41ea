"""Combinations: one score per picture from the values of several verifiers, over the pool that is being compared.

Mean rank is the Verifier Ensemble of Ma et al., arXiv:2501.09732. Scores of different pools mean different things: combine again
whenever the pool changes, and keep the raw values.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Combination = Callable[[Tensor, Tensor, Tensor], Tensor]

PRIOR = 4  # pictures that the typical spread counts for, against the pool's own
TIE_BREAK = 1e-6  # below any difference of mean ranks that means something


def mean_rank(pool: Tensor, weights: Tensor, spreads: Tensor) -> Tensor:
    """Weighted mean over verifiers of rank / m, `(m,)` in (0, 1]: 1 is the best of the pool in everything; ties share their rank.

    Pictures of equal mean rank are ordered by `z_score`, far below the last digit that is shown; equal values stay equal.

    Args:
        pool: Raw values, `(m, k)`.
        weights: One per column, `(k,)`.
        spreads: Typical standard deviation of each column, `(k,)`.
    """
    pool, weights = pool.double(), weights.double()
    columns = pool.T.contiguous()
    ordered = columns.sort(dim=1).values
    below, upto = torch.searchsorted(ordered, columns), torch.searchsorted(ordered, columns, right=True)
    ranks = (below + upto + 1).T.double() / (2 * len(pool))
    means = ranks @ weights / weights.abs().sum()
    return (means / TIE_BREAK).round() * TIE_BREAK + TIE_BREAK / 4 * torch.tanh(z_score(pool, weights, spreads))


def z_score(pool: Tensor, weights: Tensor, spreads: Tensor) -> Tensor:
    """Weighted mean over verifiers of (value - median) / spread, `(m,)`.

    The spread is the pool's own (from the median absolute deviation, which one freak cannot move) and the typical one, averaged as
    variances with the typical counting as four pictures: a pool of two has a usable scale, a large one its own.
    """
    pool, weights, spreads = pool.double(), weights.double(), spreads.double()
    centred = pool - pool.quantile(0.5, dim=0)
    deviations = 1.4826 * centred.abs().quantile(0.5, dim=0)
    variances = (len(pool) * deviations**2 + PRIOR * spreads**2) / (len(pool) + PRIOR)
    return centred / variances.sqrt() @ weights / weights.abs().sum()


def weighted_sum(pool: Tensor, weights: Tensor, spreads: Tensor) -> Tensor:
    """Sum over verifiers of weight x value, `(m,)`, on the verifiers' own scales."""
    return pool.double() @ weights.double()


COMBINATIONS: dict[str, Combination] = {"mean rank": mean_rank, "z-score": z_score, "weighted sum": weighted_sum}
