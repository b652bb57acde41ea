"""What the best of N independent tries is worth, from a pool of M of them: the exact mean over all choices of N."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def chances(pool: int, count: int) -> NDArray[np.floating[Any]]:
    """Chance of each place of a pool, worst first, to be the best of `count` that are drawn from it, `(pool,)`.

    C(k - 1, count - 1) / C(pool, count) for place k, counted from 1.
    """
    if not 1 <= count <= pool:
        raise ValueError(f"count must be between 1 and the pool's {pool}, got {count}")
    places = np.arange(pool, 1, -1, dtype=float)
    factors = np.ones(pool)
    factors[1:] = np.maximum(places - count, 0) / (places - 1)
    return count / pool * np.cumprod(factors)[::-1]


def expected_best(
    scores: Sequence[float], counts: Sequence[int], judged: Sequence[float] | None = None
) -> NDArray[np.floating[Any]]:
    """Mean over all choices of `count` tries of what the one with the best score is worth, `(len(counts),)`.

    Args:
        scores: One per try, higher is better; they choose. Where some are equal, each of those is chosen as often.
        counts: Between 1 and the number of tries.
        judged: What a try is worth; None for its score.
    """
    searched = np.asarray(scores, dtype=float)
    worth = searched if judged is None else np.asarray(judged, dtype=float)
    if worth.shape != searched.shape:
        raise ValueError(f"judged must be one per score, got {len(worth)} for {len(searched)}")
    order = searched.argsort(kind="stable")
    ranked, group = searched[order], np.zeros(len(searched), dtype=np.int64)
    group[1:] = (ranked[1:] != ranked[:-1]).cumsum()
    ordered = (np.bincount(group, worth[order]) / np.bincount(group))[group]  # equal scores have their mean
    return np.array([chances(len(searched), count) @ ordered for count in counts])
