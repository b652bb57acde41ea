"""Procedural captioned scenes: draw a caption, draw its picture, judge a picture, with a held-out split by meaning.

`draw_training` never returns a held-out meaning; `held_out` returns nothing else. Judging needs no torch.
"""

import random
from itertools import cycle

import numpy as np

from .captions import FAMILIES, PLACES, Scene, draw, parse, reword
from .checker import Detection, Verdict, detect, verify
from .shapes import SIZE, Placed, extent, render

__all__ = [
    "FAMILIES",
    "Detection",
    "Placed",
    "Scene",
    "Verdict",
    "detect",
    "draw_training",
    "held_out",
    "parse",
    "picture",
    "place",
    "render",
    "verify",
]

# Share of each family in training: the harder ones need more of it.
FAMILY_WEIGHTS = {
    "single": 0.06,
    "size": 0.05,
    "position": 0.05,
    "pair": 0.10,
    "relation": 0.14,
    "count": 0.10,
    "triple": 0.10,
    "mix": 0.07,
    "four": 0.08,
    "five": 0.06,
    "groups": 0.05,
    "chain": 0.07,
    "double": 0.07,
}
RADII = {"small": (5.0, 6.2), "big": (10.5, 12.5)}
MARGIN, GAP = 2.0, 3.0
# Relations are drawn clearer than they are judged, so that no picture is borderline.
CLEAR_RELATION = 1.3
DRAWS_BEFORE_EXHAUSTED = 3000


def draw_training(rng: random.Random, family: str | None = None) -> Scene:
    """A random scene in one of its wordings that is not held out."""
    while True:
        name = family or rng.choices(list(FAMILY_WEIGHTS), list(FAMILY_WEIGHTS.values()))[0]
        scene = draw(name, rng)
        if not scene.is_held_out():
            return reword(scene, rng)


def held_out(family: str | None = None, count: int = 1, seed: int = 0) -> list[Scene]:
    """`count` different held-out scenes in their plain wording; without a family, balanced over all of them."""
    rng = random.Random(f"held out {family} {seed}")
    names = list(FAMILIES) if family is None else [family]
    scenes: list[Scene] = []
    meanings: set[str] = set()
    exhausted: set[str] = set()
    for name in cycle(names):
        if len(scenes) == count:
            return scenes
        if len(exhausted) == len(names):
            raise ValueError(f"count must be at most {len(scenes)} for family {family}, got {count}")
        scene = None if name in exhausted else _new_held_out(name, rng, meanings)
        if scene is None:
            exhausted.add(name)
        else:
            scenes.append(scene)
            meanings.add(scene.meaning())
    return scenes


def picture(scene: Scene, rng: random.Random) -> np.ndarray:
    """A random picture that shows exactly what the scene asks for, `(64, 64, 3)` in [0, 1]."""
    return render(place(scene, rng))


def place(scene: Scene, rng: random.Random) -> list[Placed]:
    """Random positions and sizes for the things of a scene, apart from each other and true to every relation."""
    while True:
        objects: list[Placed] = []
        for index in range(len(scene.things)):
            placed = _place_one(scene, index, objects, rng)
            if placed is None:
                break
            objects.append(placed)
        else:
            return objects


def _new_held_out(family: str, rng: random.Random, known: set[str]) -> Scene | None:
    for _ in range(DRAWS_BEFORE_EXHAUSTED):
        scene = draw(family, rng)
        if scene.is_held_out() and scene.meaning() not in known:
            return scene
    return None


def _place_one(scene: Scene, index: int, objects: list[Placed], rng: random.Random) -> Placed | None:
    thing = scene.things[index]
    radius = rng.uniform(*_radii(thing.size, len(scene.things)))
    left, right, up, down = extent(thing.shape, radius)
    across = (left + MARGIN, SIZE - right - MARGIN)
    along = (up + MARGIN, SIZE - down - MARGIN)
    if scene.place and index == 0:
        across, along = (_narrow(*span, band) for span, band in zip((across, along), PLACES[scene.place], strict=True))
    for _ in range(40):
        placed = Placed(thing.shape, thing.color, rng.uniform(*across), rng.uniform(*along), radius)
        if _relations_hold(scene, index, placed, objects) and all(_apart(placed, other) for other in objects):
            return placed
    return None


def _radii(size: str, count: int) -> tuple[float, float]:
    """Range of radii in pixels: what the size word says, else smaller the more things there are."""
    if size:
        return RADII[size]
    return ((7.0, 9.0), (7.0, 9.0), (6.2, 7.8), (5.6, 6.8), (5.4, 6.4))[count - 1]


def _narrow(low: float, high: float, band: int) -> tuple[float, float]:
    """The part of a range of centers that lies in the first (-1), middle (0) or last (1) band of the canvas."""
    if band == 0:
        return 0.42 * SIZE, 0.58 * SIZE
    return (low, max(low, 0.30 * SIZE)) if band < 0 else (min(high, 0.70 * SIZE), high)


def _apart(one: Placed, other: Placed) -> bool:
    left, right, up, down = extent(one.shape, one.radius)
    other_left, other_right, other_up, other_down = extent(other.shape, other.radius)
    across = max(other.x - other_left - one.x - right, one.x - left - other.x - other_right)
    along = max(other.y - other_up - one.y - down, one.y - up - other.y - other_down)
    return max(across, along) >= GAP


def _relations_hold(scene: Scene, index: int, placed: Placed, objects: list[Placed]) -> bool:
    """Whether the relations between the new object and the earlier ones hold clearly."""
    known = [*objects, placed]
    for relation in scene.relations:
        if max(relation.first, relation.second) != index:
            continue
        first, second = known[relation.first], known[relation.second]
        dx, dy = second.x - first.x, second.y - first.y
        if relation.word in ("right", "below"):
            dx, dy = -dx, -dy
        ahead, aside = (dx, dy) if relation.word in ("left", "right") else (dy, dx)
        if ahead <= CLEAR_RELATION * abs(aside):
            return False
    return True
