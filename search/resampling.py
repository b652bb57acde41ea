"""Resampling: which particles go on, from how much each of them weighs.

Every function takes weights `(n,)`, not negative and of any sum, and returns the ancestors `(count,)`, ascending:
particle i goes on as often as i is in it, on average `count` times its share of the weights. They differ in how much
chance adds to that. Gerber, Chopin and Whiteley, Negative association, ordering and convergence of resampling methods,
arXiv:1707.01845.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from .tensors import listed


def multinomial(weights: Tensor, count: int, generator: Generator) -> Tensor:
    """Draw every ancestor by itself."""
    return _at(torch.rand(count, generator=generator, dtype=torch.float64).sort().values, weights)


def stratified(weights: Tensor, count: int, generator: Generator) -> Tensor:
    """Draw one ancestor from each of `count` equal parts of the weights."""
    return _at((torch.arange(count) + torch.rand(count, generator=generator, dtype=torch.float64)) / count, weights)


def systematic(weights: Tensor, count: int, generator: Generator) -> Tensor:
    """Go through the weights in equal strides from one random place."""
    return _at((torch.arange(count) + torch.rand(1, generator=generator, dtype=torch.float64)) / count, weights)


def srinivasan(weights: Tensor, count: int, generator: Generator) -> Tensor:
    """Round `count` times each share up or down, with the sum kept: the Srinivasan sampling process (SSP)."""
    expected: list[float] = listed(count * _shares(weights))
    counts = [math.floor(value + 1e-9) for value in expected]
    draws: list[float] = listed(torch.rand(len(counts), generator=generator, dtype=torch.float64))
    place, part = 0, max(0.0, expected[0] - counts[0])  # the one that is not rounded yet
    for other in range(1, len(counts)):
        rest = max(0.0, expected[other] - counts[other])
        up, down = min(1 - part, rest), min(part, 1 - rest)
        move = up if draws[other] * (up + down) < down else -down
        part, rest = part + move, rest - move
        if _from_whole(part) > _from_whole(rest):
            counts[other] += round(rest)
        else:
            counts[place] += round(part)
            place, part = other, rest
    counts[place] += count - sum(counts)
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


RESAMPLERS: dict[str, Callable[[Tensor, int, Generator], Tensor]] = {
    "multinomial": multinomial,
    "stratified": stratified,
    "systematic": systematic,
    "SSP": srinivasan,
}


def effective_sample_size(log_weights: Tensor) -> float:
    """How many equal particles would be worth as much, in [1, n]; log weights `(n,)` up to a constant."""
    shares = log_weights.double().softmax(0)
    return 1 / shares.square().sum().item()


def _at(positions: Tensor, weights: Tensor) -> Tensor:
    ends = _shares(weights).cumsum(0)
    last = int(weights.nonzero().max())  # rounding must not choose one without weight behind it
    return torch.searchsorted(ends, positions, right=True).clamp(max=last)


def _shares(weights: Tensor) -> Tensor:
    weights = weights.double()
    total = weights.sum()
    if not (len(weights) and (weights >= 0).all() and 0 < total < math.inf):
        raise ValueError(f"weights must be at least 0 and not all 0, got {listed(weights)}")
    return weights / total


def _from_whole(value: float) -> float:
    return abs(value - round(value))
