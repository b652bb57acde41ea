"""Rank correlation with its uncertainty: whether a cheap score foretells the dear one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENT = 1.96  # standard deviations on either side of a 95 % interval
FEWEST = 5  # pairs from which on there is an interval


@dataclass(frozen=True)
class Correlation:
    """Spearman's, with a 95 % interval by Fisher's transformation (Bonett and Wright, Psychometrika 2000).

    Args:
        value: In [-1, 1]; 0 where there is nothing to rank.
        low, high: The interval; -1 and 1 for fewer than five pairs.
        pairs: How many it was computed from.
    """

    value: float
    low: float
    high: float
    pairs: int

    @property
    def foretells(self) -> bool:
        """Whether it is above 0 beyond chance."""
        return self.low > 0

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f}, {self.pairs} pairs)"


def spearman(cheap: Sequence[float], dear: Sequence[float], among: Sequence[float] = ()) -> Correlation:
    """Correlate the ranks of paired scores; equal ones share their mean rank.

    Args:
        cheap, dear: One of each per pair.
        among: The cheap scores of all that the pairs were chosen from by them, themselves too. The best of many differ
            little in their cheap score, which hides the correlation; over all of them it is this one (Thorndike's case
            2).
    """
    if len(cheap) != len(dear):
        raise ValueError(f"cheap and dear must be pairs, got {len(cheap)} and {len(dear)}")
    value, pairs = _pearson(ranks(cheap), ranks(dear)), len(cheap)
    widening = _widening(cheap, among) if among and pairs > 1 else 1.0
    low, high = _fisher(value, pairs)
    value, low, high = (_widened(limit, widening) for limit in (value, low, high))
    return Correlation(value, low, high, pairs)


def ranks(scores: Sequence[float]) -> list[float]:
    """Place of each score, 0 for the lowest; equal ones share the mean of their places."""
    ordered = sorted(scores)
    first = {score: place for place, score in reversed(list(enumerate(ordered)))}
    last = {score: place for place, score in enumerate(ordered)}
    return [(first[score] + last[score]) / 2 for score in scores]


def _fisher(value: float, pairs: int) -> tuple[float, float]:
    if pairs < FEWEST:
        return -1.0, 1.0
    sure = 1 - 1 / pairs  # a perfect order of a few pairs is no proof of a perfect correlation
    reach = CONFIDENT * math.sqrt((1 + value * value / 2) / (pairs - 3))
    center = math.atanh(min(max(value, -sure), sure))
    return math.tanh(center - reach), math.tanh(center + reach)


def _widened(value: float, widening: float) -> float:
    return value * widening / math.sqrt(1 + value * value * (widening * widening - 1))


def _widening(chosen: Sequence[float], among: Sequence[float]) -> float:
    """How many times wider all are spread than the chosen ones, by their normal scores, which know no outliers."""
    normal = [NormalDist().inv_cdf((rank + 0.5) / len(among)) for rank in ranks(among)]
    place = dict(zip(among, normal, strict=True))
    narrow = _spread([place[score] for score in chosen])
    return _spread(normal) / narrow if narrow else 1.0


def _spread(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _pearson(one: Sequence[float], other: Sequence[float]) -> float:
    if not one:
        return 0.0
    one, other = ([value - math.fsum(values) / len(values) for value in values] for values in (one, other))
    norm = math.sqrt(math.fsum(a * a for a in one) * math.fsum(b * b for b in other))
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / norm if norm else 0.0
