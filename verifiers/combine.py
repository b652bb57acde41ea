"""Combinations: one score per picture from the values of several verifiers, over the pool that is being compared.

Mean rank is the Verifier Ensemble of Ma et al., arXiv:2501.09732. Scores of different pools mean different things:
combine again whenever the pool changes, and keep the raw values.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Combination = Callable[[Tensor, Tensor, Tensor], Tensor]

PRIOR = 4  # pictures that the typical spread counts for, against the pool's own
TIE_BREAK = 1e-6  # below any difference of mean ranks that means something
# standard deviations from the median that a verifier's praise and blame count in full: more praise is mostly a verifier
# that was fooled, more blame one with few values, most of which are equal
CAP = 2.5
BEYOND = 0.01  # what a deviation above the cap counts; not 0, so that no order is lost


def mean_rank(pool: Tensor, weights: Tensor, spreads: Tensor) -> Tensor:
    """Weighted mean over verifiers of rank / m, `(m,)` in (0, 1]: 1 is the best of the pool in everything; ties share
    their rank.

    Pictures of equal mean rank are ordered by `z_score`, far below the last digit that is shown; equal values stay
    equal.

    Args:
        pool: Raw values, `(m, k)`.
        weights: One per column, `(k,)`.
        spreads: Typical standard deviation of each column, `(k,)`.
    """
    pool, weights = pool.double(), weights.double()
    ranks = torch.stack([_ranks(column) for column in pool.T], dim=1) / len(pool)
    means = ranks @ weights / weights.abs().sum()
    return (means / TIE_BREAK).round() * TIE_BREAK + TIE_BREAK / 4 * torch.tanh(z_score(pool, weights, spreads))


def z_score(pool: Tensor, weights: Tensor, spreads: Tensor) -> Tensor:
    """Weighted mean over verifiers of (value - median) / spread, `(m,)`, each verifier's distance capped at 2.5 either
    way. Scores of different pools, and of one pool before and after it grew, mean different things.

    The spread is the pool's own (from the median absolute deviation, which one freak cannot move) and the typical one,
    averaged as variances with the typical counting as four pictures, and at least the typical one: a pool of two has a
    usable scale, and a judge that says the same of most pictures, yes or no, keeps the weight that it was given.
    """
    return _capped(pool, weights, spreads) @ weights.double().abs() / weights.double().abs().sum()


def weighted_sum(pool: Tensor, weights: Tensor, spreads: Tensor) -> Tensor:
    """Sum over verifiers of weight x value, `(m,)`, on the verifiers' own scales."""
    return pool.double() @ weights.double()


def worst(pool: Tensor, weights: Tensor, spreads: Tensor) -> Tensor:
    """The least of the verifiers' z-scores, `(m,)`: a picture is as good as its most displeased judge says. Scores of
    different pools mean different things.

    The size of a weight means nothing here: a negative one turns a verifier round, one of 0 leaves it out. Where the
    worst is the same, the mean decides, far below the last digit that is shown.
    """
    counted = _capped(pool, weights, spreads)[:, weights != 0]
    return counted.amin(dim=1) + TIE_BREAK * torch.tanh(z_score(pool, weights, spreads))


def _ranks(column: Tensor) -> Tensor:
    """Ranks from 1 to m, `(m,)`; equal values share the mean of theirs. NumPy sorts ten times faster than torch."""
    values = column.numpy()
    order = np.argsort(values)
    ordered = values[order]
    firsts = np.concatenate([[True], ordered[1:] != ordered[:-1]]).nonzero()[0]
    sizes = np.diff(firsts, append=len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(firsts + (sizes + 1) / 2, sizes)
    return torch.from_numpy(ranks)


def _median(columns: Tensor) -> Tensor:
    """Of each column, `(k,)`; halfway between the two in the middle."""
    count = len(columns)
    middle = torch.from_numpy(np.partition(columns.numpy(), [(count - 1) // 2, count // 2], axis=0))
    return torch.lerp(middle[(count - 1) // 2], middle[count // 2], 0.5)


def _capped(pool: Tensor, weights: Tensor, spreads: Tensor) -> Tensor:
    """Distances from the median in spreads, `(m, k)`, in the sense of the weight's sign and capped."""
    pool, spreads = pool.double(), spreads.double()
    centred = pool - _median(pool)
    deviations = 1.4826 * _median(centred.abs())
    variances = (len(pool) * deviations**2 + PRIOR * spreads**2) / (len(pool) + PRIOR)
    distances = centred / torch.maximum(variances.sqrt(), spreads) * weights.double().sign()
    counted = distances.clamp(-CAP, CAP)
    return counted + BEYOND * (distances - counted)


COMBINATIONS: dict[str, Combination] = {
    "mean rank": mean_rank,
    "z-score": z_score,
    "weighted sum": weighted_sum,
    "min": worst,
}


def gated(combine: Callable[[Tensor], Tensor], pool: Tensor, missed: Tensor) -> Tensor:
    """Scores `(m,)` of a pool in which what misses a floor ranks behind all that passes, by how little it misses.

    What passes is combined as if the rest were not there: a picture that is out of the question changes no order among
    the others.

    Args:
        combine: Scores a pool, `(m, k)` to `(m,)`.
        pool: Raw values, `(m, k)`.
        missed: By how much each misses, `(m,)`; 0 for what passes.
    """
    passing = missed == 0
    if passing.all():
        return combine(pool)
    scores = torch.full((len(pool),), -1.0, dtype=torch.float64)
    if passing.any():
        scores[passing] = combine(pool[passing]).double()
        scores[~passing] += scores[passing].min()
    scores[~passing] -= missed[~passing].double()
    return scores
