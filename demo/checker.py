"""The exact judge of the scenes: finds the objects in a picture and compares them with what the caption asks for.

Connected regions, their color, and the overlap of their outline with the four ideal shapes. Numpy and scipy only.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .captions import PLACES, Scene, Thing
from .shapes import BACKGROUND, COLORS, PALETTE, SHAPES, SIZE, UNIT_AREA, extent, signed_distance

COLOR_NAMES = tuple(COLORS)
GRID = 24
# Distance to the background above which a pixel belongs to an object, and the least pixels of one.
FOREGROUND_DISTANCE = 0.28
MIN_PIXELS = 14
# Where the middle of a thing lies whose place is the first, the middle or the last band, as shares of the canvas.
BANDS = {-1: (0.0, 0.40), 0: (0.36, 0.64), 1: (0.60, 1.0)}
MIN_OVERLAP = 0.76
MIN_PURITY = 0.8
PARTIAL_CREDIT = 0.4
SMALL_RADIUS, BIG_RADIUS = 6.7, 9.7


class Detection(NamedTuple):
    """One region: its best shape and color, center and area in pixels, and how well it fits either, 0 to 1."""

    shape: str
    color: str
    x: float
    y: float
    area: float
    overlap: float
    purity: float

    @property
    def well_formed(self) -> bool:
        return self.overlap >= MIN_OVERLAP and self.purity >= MIN_PURITY


class Verdict(NamedTuple):
    """Whether every assertion of the caption holds, the share of them that do, and what was found."""

    passed: bool
    score: float
    detections: list[Detection]


def verify(image: np.ndarray, scene: Scene) -> Verdict:
    """Judges a picture `(64, 64, 3)` in [0, 1]: each thing present, nothing extra, every relation, size and place."""
    detections = detect(image)
    matched = _match(scene.things, [found for found in detections if found.well_formed])
    assertions = [
        credit * _size_fits(found, thing) for thing, (found, credit) in zip(scene.things, matched, strict=True)
    ]
    exact = [found if credit == 1 else None for found, credit in matched]
    assertions.append(float(len(detections) == len(scene.things)))
    for relation in scene.relations:
        assertions.append(float(_relation_holds(exact[relation.first], relation.word, exact[relation.second])))
    if scene.place:
        assertions.append(float(_in_place(exact[0], scene.place)))
    return Verdict(min(assertions) == 1.0, float(np.mean(assertions)), detections)


def detect(image: np.ndarray) -> list[Detection]:
    """Every region of a picture that is large enough to be an object, well-formed or not."""
    image = np.asarray(image, np.float32)
    if image.shape != (SIZE, SIZE, 3):
        raise ValueError(f"image must have shape ({SIZE}, {SIZE}, 3), got {image.shape}")
    foreground = np.sqrt(((image - BACKGROUND) ** 2).sum(-1)) > FOREGROUND_DISTANCE
    labels, _ = ndimage.label(foreground, structure=np.ones((3, 3)))
    found = []
    for label, window in enumerate(ndimage.find_objects(labels), start=1):
        region = labels[window] == label
        if region.sum() >= MIN_PIXELS:
            found.append(_describe(image, region, window))
    return found


def _describe(image: np.ndarray, region: np.ndarray, window: tuple[slice, slice]) -> Detection:
    # One pixel of margin, so that the soft outline belongs to the object.
    rows, columns = (slice(max(side.start - 1, 0), side.stop + 1) for side in window)
    padding = [
        (side.start - wide.start, min(wide.stop, SIZE) - side.stop)
        for side, wide in zip(window, (rows, columns), strict=True)
    ]
    region, patch = np.pad(region, padding), image[rows, columns]
    color, purity = _color(patch, region)
    direction = PALETTE[color] - BACKGROUND
    alpha = np.clip(((patch - BACKGROUND) @ direction) / (direction @ direction), 0, 1)
    alpha = alpha * ndimage.binary_dilation(region)
    shape, overlap = _shape(alpha)
    weight = max(float(alpha.sum()), 1e-6)
    y, x = (float((alpha * axis).sum() / weight) + 0.5 for axis in np.indices(alpha.shape))
    return Detection(shape, COLOR_NAMES[color], x + columns.start, y + rows.start, weight, overlap, purity)


def _color(patch: np.ndarray, region: np.ndarray) -> tuple[int, float]:
    """Index of the most frequent nearest color in the inside of a region, and its share."""
    core = ndimage.binary_erosion(region)
    pixels = patch[core if core.sum() >= 4 else region]
    nearest = ((pixels[:, None] - PALETTE[None]) ** 2).sum(-1).argmin(1)
    counts = np.bincount(nearest, minlength=len(PALETTE))
    return int(counts.argmax()), float(counts.max() / counts.sum())


def _shape(alpha: np.ndarray) -> tuple[str, float]:
    """The ideal shape that overlaps most with a coverage map, and their intersection over union."""
    rows, columns = (np.flatnonzero(profile > 0.5) for profile in (alpha.max(1), alpha.max(0)))
    if len(rows) == 0 or len(columns) == 0:
        return SHAPES[0], 0.0
    (top, bottom), (left, right) = (_soft_edges(alpha.max(axis)) for axis in (1, 0))
    grid = (np.arange(GRID) + 0.5) / GRID
    sample_y, sample_x = top + grid * (bottom - top) - 0.5, left + grid * (right - left) - 0.5
    outline = ndimage.map_coordinates(alpha, np.meshgrid(sample_y, sample_x, indexing="ij"), order=1, mode="nearest")
    overlaps = {
        name: float(np.minimum(outline, ideal).sum() / np.maximum(outline, ideal).sum())
        for name, ideal in _ideal_outlines().items()
    }
    best = max(overlaps, key=overlaps.__getitem__)
    reach = extent(best, 1.0)
    stretch = (right - left) / (bottom - top) * (reach[2] + reach[3]) / (reach[0] + reach[1])
    return best, overlaps[best] if 0.75 < stretch < 1.33 else 0.7 * overlaps[best]


def _soft_edges(profile: np.ndarray) -> tuple[float, float]:
    """Where a coverage profile begins and ends, to a fraction of a pixel."""
    inside = np.flatnonzero(profile > 0.5)
    first, last = int(inside[0]), int(inside[-1]) + 1
    before = profile[first - 1] if first > 0 else 0.0
    after = profile[last] if last < len(profile) else 0.0
    return first - float(before), last + float(after)


@cache
def _ideal_outlines() -> dict[str, np.ndarray]:
    """Each shape stretched to its bounding box, `(GRID, GRID)` coverages."""
    ideals = {}
    for name in SHAPES:
        left, right, up, down = extent(name, 1.0)
        fine = (np.arange(4 * GRID) + 0.5) / (4 * GRID)
        inside = signed_distance(name, -left + fine[None] * (left + right), -up + fine[:, None] * (up + down), 1.0) < 0
        ideals[name] = inside.reshape(GRID, 4, GRID, 4).mean((1, 3))
    return ideals


def _match(things: tuple[Thing, ...], found: list[Detection]) -> list[tuple[Detection | None, float]]:
    """A detection and its credit per thing: 1 where color and shape agree, less where one of them does."""
    pool = list(found)
    matched: list[tuple[Detection | None, float]] = [(None, 0.0)] * len(things)
    for credit, agrees in ((1.0, _same), (PARTIAL_CREDIT, _half_same)):
        for index, thing in enumerate(things):
            hit = next((one for one in pool if agrees(one, thing)), None) if matched[index][1] == 0 else None
            if hit is not None:
                pool.remove(hit)
                matched[index] = (hit, credit)
    return matched


def _same(found: Detection, thing: Thing) -> bool:
    return found.shape == thing.shape and found.color == thing.color


def _half_same(found: Detection, thing: Thing) -> bool:
    return found.shape == thing.shape or found.color == thing.color


def _size_fits(found: Detection | None, thing: Thing) -> float:
    """1, or the partial credit for a thing of the wrong size."""
    if found is None or not thing.size:
        return 1.0
    radius = (found.area / UNIT_AREA[found.shape]) ** 0.5
    fits = radius < SMALL_RADIUS if thing.size == "small" else radius > BIG_RADIUS
    return 1.0 if fits else PARTIAL_CREDIT


def _relation_holds(first: Detection | None, word: str, second: Detection | None) -> bool:
    if first is None or second is None:
        return False
    dx, dy = second.x - first.x, second.y - first.y
    return {"left": dx > abs(dy), "right": -dx > abs(dy), "above": dy > abs(dx), "below": -dy > abs(dx)}[word]


def _in_place(found: Detection | None, place: str) -> bool:
    if found is None:
        return False
    return all(
        BANDS[wanted][0] * SIZE < value < BANDS[wanted][1] * SIZE
        for wanted, value in zip(PLACES[place], (found.x, found.y), strict=True)
    )
