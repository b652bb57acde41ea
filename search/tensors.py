"""What torch describes to a type checker in part only, in functions that are described in full."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_linalg: Any = torch.linalg


def listed(tensor: Tensor) -> list[Any]:
    """The numbers of a tensor: floats or whole ones, as its dtype is."""
    plain: Any = tensor
    return plain.tolist()


def length(vector: Tensor) -> Tensor:
    plain: Any = vector
    return plain.norm()


def cholesky(matrix: Tensor) -> Tensor:
    return _linalg.cholesky(matrix)


def solve_lower(triangle: Tensor, right: Tensor) -> Tensor:
    """Solve with what lies on and below the diagonal."""
    return _linalg.solve_triangular(triangle, right, upper=False)
