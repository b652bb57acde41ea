"""The drawing side of the scenes: four shapes in six colors on a 64x64 canvas, anti-aliased by signed distance.

Numpy only. Pictures are `(64, 64, 3)` float32 in [0, 1]; x grows to the right, y downwards, both in pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SIZE = 64
BACKGROUND = np.array([0.93, 0.93, 0.90], np.float32)
COLORS = {
    "red": (0.86, 0.16, 0.16),
    "green": (0.13, 0.62, 0.25),
    "blue": (0.15, 0.33, 0.88),
    "yellow": (0.96, 0.78, 0.10),
    "purple": (0.56, 0.20, 0.70),
    "black": (0.10, 0.10, 0.12),
}
SHAPES = ("circle", "square", "triangle", "cross")
PALETTE = np.array(list(COLORS.values()), np.float32)

# A radius of 1 gives shapes of roughly equal visual weight.
SQUARE_HALF = 0.9
TRIANGLE_RADIUS = 1.22
CROSS_ARM = 0.36
UNIT_AREA = {
    "circle": float(np.pi),
    "square": 4 * SQUARE_HALF**2,
    "triangle": 0.75 * 3**0.5 * TRIANGLE_RADIUS**2,
    "cross": 8 * CROSS_ARM - 4 * CROSS_ARM**2,
}


class Placed(NamedTuple):
    """One object on the canvas: center `x, y` and `radius` in pixels."""

    shape: str
    color: str
    x: float
    y: float
    radius: float


def extent(shape: str, radius: float) -> tuple[float, float, float, float]:
    """Reach of a shape from its center: left, right, up, down."""
    if shape == "square":
        half = SQUARE_HALF * radius
        return half, half, half, half
    if shape == "triangle":
        outer = TRIANGLE_RADIUS * radius
        return 0.866 * outer, 0.866 * outer, outer, 0.5 * outer
    return radius, radius, radius, radius


def signed_distance(shape: str, dx: np.ndarray, dy: np.ndarray, radius: float) -> np.ndarray:
    """Distance to the outline of a shape at offsets `dx, dy` from its center, negative inside."""
    if shape == "circle":
        return np.hypot(dx, dy) - radius
    across, down = np.abs(dx), np.abs(dy)
    if shape == "square":
        return np.maximum(across, down) - SQUARE_HALF * radius
    if shape == "cross":
        arm = CROSS_ARM * radius
        return np.minimum(np.maximum(across - arm, down - radius), np.maximum(across - radius, down - arm))
    if shape == "triangle":
        return np.maximum(dy, 0.8660254 * across - 0.5 * dy) - 0.5 * TRIANGLE_RADIUS * radius
    raise ValueError(f"shape must be one of {SHAPES}, got {shape!r}")


def coverage(placed: Placed) -> tuple[slice, slice, np.ndarray]:
    """Rows, columns and per-pixel coverage in [0, 1] of one object; only the pixels near it."""
    left, right, up, down = extent(placed.shape, placed.radius)
    x0, x1 = max(int(placed.x - left - 1), 0), min(int(placed.x + right + 2), SIZE)
    y0, y1 = max(int(placed.y - up - 1), 0), min(int(placed.y + down + 2), SIZE)
    dx = np.arange(x0, x1, dtype=np.float32)[None] + (0.5 - placed.x)
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] + (0.5 - placed.y)
    alpha = np.clip(0.5 - signed_distance(placed.shape, dx, dy, placed.radius), 0, 1)
    return slice(y0, y1), slice(x0, x1), alpha.astype(np.float32)


def render(objects: Sequence[Placed]) -> np.ndarray:
    """Draws objects in order, later ones on top, `(64, 64, 3)`."""
    image = np.empty((SIZE, SIZE, 3), np.float32)
    image[:] = BACKGROUND
    for placed in objects:
        rows, columns, alpha = coverage(placed)
        region = image[rows, columns]
        region += alpha[..., None] * (np.array(COLORS[placed.color], np.float32) - region)
    return image
