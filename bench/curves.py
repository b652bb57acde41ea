"""Statistics over prompts: what best of N gives, the N that a search is worth, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from search.best_of import expected_best

from .results import RESAMPLES

Choose = Callable[[np.ndarray], np.ndarray]

LEVEL = 0.95
SUBSETS = 100
# of subsets; between two of them curves go by the logarithm of N
SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
DRAWS = 2000


def best_of_curve(scores: Sequence[float], judged: Sequence[float] | None = None) -> np.ndarray:
    """Expected worth of the best of N for every N up to the size of the pool, `(m,)`; exact, see `search.best_of`."""
    return expected_best(scores, range(1, len(scores) + 1), judged)


def sampled_curves(
    choose: Choose, values: np.ndarray, worths: Sequence[np.ndarray], draws: int = SUBSETS
) -> list[np.ndarray]:
    """As `best_of_curve` for a chooser whose scores depend on the pool that it sees, each `(m,)`: subsets of a pool,
    drawn at random.

    Args:
        choose: Raw values `(n, k)` of n pictures to one score each.
        values: Of the pool, `(m, k)`.
        worths: What the chosen picture is worth, each `(m,)`.
    """
    count, random = len(values), np.random.default_rng(0)
    sizes = sorted({1, *(size for size in SIZES if size < count), count})
    found = []
    for size in sizes:
        subsets = [random.permutation(count)[:size] for _ in range(1 if size == count else draws)]
        best = np.arange(count) if size == 1 else [subset[int(np.argmax(choose(values[subset])))] for subset in subsets]
        found.append([float(worth[best].mean()) for worth in worths])
    every = np.log(np.arange(1, count + 1))
    return [np.interp(every, np.log(sizes), line) for line in np.array(found).T]


def equivalent_n(curve: Sequence[float], score: float) -> float:
    """The N at which a curve (its first entry is N = 1) reaches a score: between two N by the logarithm of N.

    1 where the first entry is enough. Beyond the last one the curve goes on as it rose over its last doubling, so that
    the N found there is rather too small: such curves bend down. Infinite where it no longer rose.
    """
    curve = np.maximum.accumulate(np.asarray(curve, dtype=float))
    if score <= curve[0]:
        return 1.0
    if score > curve[-1]:
        rise = curve[-1] - curve[(len(curve) - 1) // 2]
        doublings = (score - curve[-1]) / rise if rise > 0 else math.inf
        return len(curve) * 2.0**doublings if doublings < 60 else math.inf
    upper = int(np.searchsorted(curve, score))  # the first that is enough; its N is one more
    share = (score - curve[upper - 1]) / (curve[upper] - curve[upper - 1])
    return float(math.exp(math.log(upper) + share * math.log((upper + 1) / upper)))


def equivalent_interval(curves: np.ndarray, scores: Sequence[float], draws: int = DRAWS) -> tuple[float, float, float]:
    """Equivalent N of the mean score and its bootstrap interval over prompts, `(value, low, high)`.

    Args:
        curves: Best-of-N curve of each prompt, `(prompts, n)`.
        scores: What the search reached for each prompt.
    """
    scores = np.asarray(scores, dtype=float)
    value = equivalent_n(curves.mean(0), scores.mean())
    found = [equivalent_n(curves[chosen].mean(0), scores[chosen].mean()) for chosen in resamples(len(scores), draws)]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return value, float(low), float(high)


def mean_interval(values: Sequence[float], draws: int = RESAMPLES) -> tuple[float, float, float]:
    """Mean over prompts and its bootstrap interval, `(mean, low, high)`; of paired differences, a paired bootstrap."""
    values = np.asarray(values, dtype=float)
    means = values[resamples(len(values), draws)].mean(1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(values.mean()), float(low), float(high)


def band(curves: np.ndarray, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean curve over prompts and its interval at every N, three of `(n,)`."""
    means = np.stack([curves[chosen].mean(0) for chosen in resamples(len(curves), draws)])
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return curves.mean(0), low, high


def resamples(count: int, draws: int) -> np.ndarray:
    """Indices of prompts drawn with return, `(draws, count)`; the same on every call, so that what is compared shares
    its draws.
    """
    return np.random.default_rng(0).integers(0, count, (draws, count))


def standard(values: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Values in standard deviations above the mean of a pool of the same prompt; 0 where the pool is all the same."""
    spread = pool.std()
    return (values - pool.mean()) / spread if spread > 0 else np.zeros_like(values)
