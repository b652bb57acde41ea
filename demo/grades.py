"""A judge of the scenes that has no ceiling: how far a picture is from what its caption asks for.

The checker says which claims hold, and of two pictures that pass, nothing. This says how well each object is formed and
colored, and by how many pixels a relation, a place or a size is missed: 0 is drawn without fault, and every picture of
a denoiser is some way from it. Numpy and scipy only.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from .captions import PLACES, Scene, Thing
from .checker import BANDS, BIG_RADIUS, SMALL_RADIUS, Detection, detect
from .shapes import SIZE, UNIT_AREA

# What is amiss, in units of an object that is not there.
ABSENT = 1.0
OTHER_SHAPE, OTHER_COLOR = 0.5, 0.5
FAR = SIZE / 4  # pixels by which a relation, a place or a size is missed that count as much as an absent object


def distance(image: np.ndarray, scene: Scene) -> float:
    """How far a picture `(64, 64, 3)` in [0, 1] is from its scene, at least 0: a sum over things, relations and place,
    divided by the number of things.
    """
    found = detect(image)
    costs = np.array([[_unlike(one, thing) for one in found] for thing in scene.things]).reshape(
        len(scene.things), len(found)
    )
    # each thing may also stay without an object
    rows, columns = linear_sum_assignment(np.concatenate([costs, np.full((len(costs), len(costs)), ABSENT)], 1))
    matched = {row: found[column] for row, column in zip(rows, columns, strict=True) if column < len(found)}
    total = sum(
        costs[row, column] if column < len(found) else ABSENT for row, column in zip(rows, columns, strict=True)
    )
    total += ABSENT * (len(found) - len(matched))
    for relation in scene.relations:
        total += _missed_relation(matched.get(relation.first), relation.word, matched.get(relation.second))
    if scene.place:
        total += _missed_place(matched.get(0), scene.place)
    return float(total / len(scene.things))


def _unlike(found: Detection, thing: Thing) -> float:
    """How far an object is from a thing: another shape or color, malformed, of another size."""
    shape = OTHER_SHAPE if found.shape != thing.shape else 0.0
    color = OTHER_COLOR if found.color != thing.color else 0.0
    return shape + color + (1 - found.overlap) + (1 - found.purity) + _missed_size(found, thing)


def _missed_size(found: Detection, thing: Thing) -> float:
    if not thing.size:
        return 0.0
    radius = (found.area / UNIT_AREA[found.shape]) ** 0.5
    missed = radius - SMALL_RADIUS if thing.size == "small" else BIG_RADIUS - radius
    return max(missed, 0.0) / FAR


def _missed_relation(first: Detection | None, word: str, second: Detection | None) -> float:
    """By how much "ahead" falls short of "aside"; an absent object misses it in full."""
    if first is None or second is None:
        return ABSENT
    dx, dy = second.x - first.x, second.y - first.y
    missed = {"left": abs(dy) - dx, "right": abs(dy) + dx, "above": abs(dx) - dy, "below": abs(dx) + dy}[word]
    return max(missed, 0.0) / FAR


def _missed_place(found: Detection | None, place: str) -> float:
    if found is None:
        return ABSENT
    spans = [(SIZE * low, SIZE * high) for low, high in (BANDS[band] for band in PLACES[place])]
    missed = [max(low - at, at - high, 0.0) for (low, high), at in zip(spans, (found.x, found.y), strict=True)]
    return max(missed) / FAR
