"""Choosing a few good candidates that differ: greedy with swaps over score plus pairwise distance.

The objective of group inference, Parmar et al., Scalable Group Inference for Diverse Generation, arXiv:2508.15773,
without its solver: greedy reaches at least half of the best of this kind of objective, swaps bring it to within a few
percent.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def keep_different(scores: Tensor, distances: Tensor, keep: int, weight: float = 1.0) -> list[int]:
    """Choose `keep` of m candidates, the best one always, and list them best first; all of them where there are no
    more.

    The rest maximizes the sum of scores in standard deviations, plus `weight` times the mean distance of each to the
    others, in units of the mean distance of all.

    Args:
        scores: Higher is better, `(m,)`.
        distances: Symmetric, at least 0, `(m, m)`.
        keep: At least 1.
        weight: What a distance counts, at least 0; 0 keeps the best.
    """
    gains, bonus = _scaled(scores, distances, keep, weight)
    best = int(torch.argmax(gains))
    chosen = [best]
    while len(chosen) < min(keep, len(gains)):
        chosen.append(max(_others(chosen, len(gains)), key=lambda other: value(gains, bonus, [*chosen, other])))
    while (better := _swapped(gains, bonus, chosen)) is not None:
        chosen = better
    return sorted(chosen, key=lambda index: (-gains[index].item(), index))


def value(gains: Tensor, bonus: Tensor, chosen: Iterable[int]) -> float:
    """What a choice is worth: its gains, and the bonus `(m, m)` of each pair of it once."""
    chosen = list(chosen)
    return (gains[chosen].sum() + bonus[chosen][:, chosen].sum() / 2).item()


def _scaled(scores: Tensor, distances: Tensor, keep: int, weight: float) -> tuple[Tensor, Tensor]:
    """Scores in standard deviations, and what each pair adds, such that a choice of any size weighs both alike."""
    count = len(scores)
    if distances.shape != (count, count):
        raise ValueError(f"distances must have shape {(count, count)}, got {tuple(distances.shape)}")
    if keep < 1 or not weight >= 0:
        raise ValueError(f"keep must be at least 1 and weight at least 0, got {keep} and {weight}")
    gains, apart = scores.cpu().double(), distances.cpu().double()  # some cards have no 64-bit floats
    gains = (gains - gains.min()) / gains.std(correction=0).clamp(min=1e-12)
    typical = apart.sum() / max(1, count * (count - 1))
    return gains, 2 * weight / max(1, min(keep, count) - 1) * apart / typical.clamp(min=1e-12)


def _swapped(gains: Tensor, bonus: Tensor, chosen: list[int]) -> list[int] | None:
    """The best exchange of one of the chosen, never of the first, for another; None where none is better."""
    swaps = [
        [*chosen[:place], other, *chosen[place + 1 :]]
        for place in range(1, len(chosen))
        for other in _others(chosen, len(gains))
    ]
    best = max(swaps, key=lambda swap: value(gains, bonus, swap), default=chosen)
    return best if value(gains, bonus, best) > value(gains, bonus, chosen) + 1e-9 else None


def _others(chosen: list[int], count: int) -> list[int]:
    return [index for index in range(count) if index not in chosen]
