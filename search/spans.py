"""Noises as unit vectors over independent draws: their cosines, and exact combinations of related ones.

Mixes and spans are linear, so that a noise is `sum w_i xi_i` with |w| = 1 over the draws it is made of. Two noises of
one family share draws and cannot be a span of each other, but any direction in the space of their draws is N(0, I)
again once it has unit norm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .bands import WHOLE
from .noise import Candidate, fresh, span
from .tensors import length, listed

Draws = Mapping[Candidate, float]  # independent noises with their weights, of unit norm


def draws_of(candidate: Candidate) -> Draws | None:
    """Write a noise as a sum of draws; None where a mask or a band gives a draw another weight from place to place."""
    draws: dict[Candidate, float] = {}
    stack = [(candidate, 1.0)]
    while stack:
        node, weight = stack.pop()
        if node.operation == "mix":
            if node.leaf or node.band != WHOLE:
                return None
            rho = node.weights[0]
            draws[fresh(node.seed)] = weight * math.sqrt((1 - rho) * (1 + rho))
            stack.append((node.parents[0], weight * rho))
        elif node.operation == "span":
            stack.extend((parent, weight * part) for part, parent in zip(node.weights, node.parents, strict=True))
        else:
            draws[node] = weight
    return draws


def vectors(families: Sequence[Draws]) -> tuple[Tensor, list[Candidate]]:
    """Lay noises out as rows over all their draws, `(n, d)` float64, and name the columns."""
    columns = list(dict.fromkeys(draw for draws in families for draw in draws))
    place = {draw: index for index, draw in enumerate(columns)}
    rows = torch.zeros(len(families), len(columns), dtype=torch.float64)
    for row, draws in zip(rows, families, strict=True):
        row[[place[draw] for draw in draws]] = torch.tensor(list(draws.values()), dtype=torch.float64)
    return rows, columns


def towards(vector: Tensor, columns: Sequence[Candidate]) -> Candidate:
    """The noise in the direction of `vector` `(d,)` over independent draws.

    Weights are rounded to three decimals before they get unit norm: scores that differ in their last bit, as in another
    batch size, must not make another noise.
    """
    rounded = (vector / length(vector)).round(decimals=3)
    unit: list[float] = listed(rounded / length(rounded))
    kept = [(weight, draw) for weight, draw in zip(unit, columns, strict=True) if weight]
    return span([weight for weight, _ in kept], [draw for _, draw in kept])
