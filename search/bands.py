"""Frequency bands of a noise. Keeping one is an orthogonal projection: noise that is exchanged inside a band is still
N(0, I).
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

Band = tuple[float, float]  # from and up to, as shares of the highest frequency along each spatial axis, in [0, 1]
WHOLE: Band = (0.0, 1.0)


def check_band(band: Band) -> Band:
    """The band, if it is one."""
    low, high = map(float, band)
    if not 0 <= low < high <= 1:
        raise ValueError(f"band must go up within [0, 1], got {low} to {high}")
    return low, high


def in_band(noise: Tensor, band: Band) -> Tensor:
    """Keep what lies in the band, `(n, *shape)` float32: discrete cosines along height and width, or along the last
    axis of a sound.
    """
    low, high = band
    return (_below(noise.double(), high) - _below(noise.double(), low)).float()


def _below(noise: Tensor, cutoff: float) -> Tensor:
    """Frequencies of which each axis has less than the cutoff."""
    for axis in range(-min(2, max(1, noise.ndim - 2)), 0):
        size = noise.shape[axis]
        noise = torch.movedim(torch.movedim(noise, axis, -1) @ _projection(size, round(cutoff * size)), -1, axis)
    return noise


@lru_cache(maxsize=32)
def _projection(size: int, count: int) -> Tensor:
    """Project on the first `count` of the orthonormal cosines (DCT-II), `(size, size)`."""
    place, frequency = torch.arange(size, dtype=torch.float64), torch.arange(count, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi / size * (place + 0.5) * frequency) * math.sqrt(2 / size)
    basis[:1] /= math.sqrt(2)
    return basis.T @ basis
