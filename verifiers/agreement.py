"""Which verifier shares an artist's taste: rank correlation with the artist's own ranking, how sure it is, and weights
that follow.

Spearman, The Proof and Measurement of Association between Two Things (1904), with tied values sharing their mean rank.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

EXACT = 8  # pictures up to which all orders are counted
DRAWS = 2000
LEVEL = 0.95
FEWEST = 3  # pictures: two agree or they do not


@dataclass(frozen=True)
class Agreement:
    """How well one verifier agrees with the artist.

    Args:
        correlation: Spearman's, -1 to 1; 0 for a verifier that gives all pictures the same value.
        chance: Share of all orders of the artist's ranking that agree at least as well; None where there are too many
            to count.
        interval: Bootstrap interval of the correlation, 95 %, over sets of pictures; None where there are too few for
            one.
    """

    correlation: float
    chance: float | None = None
    interval: tuple[float, float] | None = None


def read_ranking(text: str) -> list[list[int]]:
    """Groups of picture numbers, best first, of a text such as "3 1=4 2"; numbers joined by "=" are equally good.

    Raises:
        ValueError: If something is no number, or a number comes twice.
    """
    words = re.sub(r"\s*=\s*", "=", text.strip()).replace(",", " ").replace(">", " ").split()
    try:
        groups = [[int(number) for number in word.split("=")] for word in words]
    except ValueError as error:
        raise ValueError(f"ranking must be picture numbers, best first, such as 3 1=4 2, got {text!r}") from error
    numbers = [number for group in groups for number in group]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise ValueError(f"ranking must name every picture once, got {_listed(twice)} more than once")
    return groups


def taste_of(groups: Sequence[Sequence[int]], count: int) -> list[float]:
    """One value per picture, higher is better, of a ranking of pictures 1 to `count`."""
    numbers = {number for group in groups for number in group}
    outside = sorted(number for number in numbers if not 1 <= number <= count)
    if outside:
        raise ValueError(f"ranking must name pictures 1 to {count}, got {_listed(outside)}")
    absent = sorted(set(range(1, count + 1)) - numbers)
    if absent:
        raise ValueError(f"ranking must name all {count} pictures, {_listed(absent)} missing")
    places = {number: place for place, group in enumerate(groups) for number in group}
    return [float(-places[number]) for number in range(1, count + 1)]


def check_taste(taste: Sequence[float]) -> None:
    """Raise an error where a taste says too little, or nothing, to agree with."""
    if len(taste) < FEWEST:
        raise ValueError(f"pictures must be at least {FEWEST} to compare rankings, got {len(taste)}")
    if not all(math.isfinite(value) for value in taste):
        raise ValueError(f"scores must be finite, got {_listed(taste)}")
    if len(set(taste)) == 1:
        raise ValueError("the ranking must prefer some pictures to others, got all of them equal")


def agreements(scores: Tensor, taste: Sequence[float]) -> list[Agreement]:
    """How well each column of scores `(n, k)` agrees with a taste `(n,)`, higher is better in both.

    Up to eight pictures every order of the taste is counted; from nine on, pictures are drawn anew 2000 times, with
    replacement.
    """
    wanted = torch.tensor(taste, dtype=torch.float64)
    doubt = _by_orders if len(wanted) <= EXACT else _by_draws
    return [doubt(column, wanted) for column in scores.double().T]


def suggest_weights(scores: Tensor, taste: Sequence[float]) -> list[float]:
    """One weight per column of scores `(n, k)`, the largest 1, none negative; all 1 where the evidence does not tell
    the columns apart.

    The weights are the correlations r_i with the taste, shrunk towards their mean r by positive-part empirical Bayes
    (Efron and Morris, Data Analysis Using Stein's Estimator and its Generalizations, 1975), as weights of judges who do
    not repeat each other:

        w_i = max(0, r + max(0, 1 - s² / v) (r_i - r)),    v = sum (r_i - r)² / (k - 1),    s² = (1 - q) / (n - 1)

    v is how far the correlations differ, s² how far they would by chance alone: if the taste were in random order, each
    would have the variance 1 / (n - 1) and two the covariance q_ij / (n - 1), with q_ij the correlation between the two
    verifiers (Kendall, Rank Correlation Methods) and q its mean. Few pictures, or verifiers that judge alike, give
    equal weights; so do verifiers none of which agrees.
    """
    columns = _unit_ranks(scores.double().T)
    found = columns @ _unit_ranks(torch.tensor(taste, dtype=torch.float64))
    count, mean = len(found), found.mean()
    if count > 1:
        between = ((columns @ columns.T).sum() - (columns**2).sum()) / (count * (count - 1))
        chance, spread = (1 - between) / (len(taste) - 1), found.var()
        found = mean + (1 - chance / spread).clamp(min=0) * (found - mean) if spread > 0 else mean.expand(count)
    weights = found.clamp(min=0)
    return (weights / weights.max()).tolist() if weights.max() > 0 else [1.0] * count


def table(names: Sequence[str], found: Sequence[Agreement], weights: Sequence[float], count: int) -> list[str]:
    """Lines that say how each verifier agrees with the ranking of `count` pictures, how sure that is, and its suggested
    weight.
    """
    lines = [
        f"Agreement with your order of {count} pictures (1: the same, 0: none, -1: reversed), and suggested weight:"
    ]
    lines += [
        f"{name}: {agreement.correlation:+.2f} ({_doubt(agreement)}), weight {weight:.2g}"
        for name, agreement, weight in zip(names, found, weights)
    ]
    if all(agreement.correlation <= 0 for agreement in found):
        lines.append("No verifier agrees with you. The weights are equal for want of anything better.")
    elif len(names) > 1 and len(set(weights)) == 1:
        lines.append("These pictures do not tell the verifiers apart: the weights are equal. Rank more pictures.")
    return lines


def _doubt(agreement: Agreement) -> str:
    if agreement.interval is not None:
        low, high = agreement.interval
        return f"{low:+.2f} to {high:+.2f} in 95 % of {DRAWS} bootstrap samples"
    return f"{100 * (agreement.chance or 0.0):.3g} % of all possible orders agree as well"


def ranks(values: Tensor) -> Tensor:
    """Ranks `(…, n)` from 1 along the last dimension; equal values share their mean rank."""
    values = values.contiguous()
    ordered = values.sort(dim=-1).values
    return (torch.searchsorted(ordered, values) + torch.searchsorted(ordered, values, right=True) + 1).double() / 2


def _unit_ranks(values: Tensor) -> Tensor:
    """Centred ranks of length 1, so that their product is the correlation; zeros where all values are equal."""
    centred = ranks(values)
    centred -= centred.mean(dim=-1, keepdim=True)
    return torch.nn.functional.normalize(centred, dim=-1)


def _by_orders(scores: Tensor, taste: Tensor) -> Agreement:
    own, wanted = _unit_ranks(scores), _unit_ranks(taste)
    orders = torch.tensor(list(permutations(range(len(taste)))))
    found = float(own @ wanted)
    return Agreement(found, chance=float((wanted[orders] @ own >= found - 1e-9).double().mean()))


def _by_draws(scores: Tensor, taste: Tensor) -> Agreement:
    drawn = torch.randint(len(taste), (DRAWS, len(taste)), generator=torch.Generator().manual_seed(0))
    found = (_unit_ranks(scores[drawn]) * _unit_ranks(taste[drawn])).sum(dim=-1)
    tails = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    low, high = found.quantile(tails).tolist()
    return Agreement(float(_unit_ranks(scores) @ _unit_ranks(taste)), interval=(low, high))


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
