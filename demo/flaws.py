"""Wrong and malformed pictures on purpose: what a verifier must learn to rank below the right ones.

Wrong pictures obey another meaning (an object missing, doubled, recolored, elsewhere). Malformed ones have the right
objects, badly drawn, as diffusion models do: merged blobs, morphs between two shapes, smears, faded or half-erased
objects.
"""

import random
from collections.abc import Callable
from dataclasses import replace as changed

import numpy as np

from .captions import OPPOSITE, PLACES, SIZES, Relation, Scene, Thing, word
from .scenes import place
from .shapes import BACKGROUND, COLORS, SHAPES, SIZE, Placed, coverage, extent, signed_distance

MOST_OBJECTS = 6


def altered(scene: Scene, rng: random.Random) -> Scene:
    """A scene that differs in one fact: an attribute, a swap, a count, a relation, a place."""
    edits: list[Callable[[Scene, random.Random], Scene]] = [_other_attribute, _swapped]
    if scene.relations:
        edits += [_other_relation, _other_relation]
    elif scene.place:
        edits += [_other_place]
    elif len(set(scene.things)) < len(scene.things) or len(scene.things) < 3:
        edits += [_other_count]
    while True:
        result = rng.choice(edits)(scene, rng)
        if result.meaning() != scene.meaning():
            return changed(result, caption=word(result))


def wrong_objects(scene: Scene, rng: random.Random) -> list[Placed]:
    """Objects that break the scene in one to three ways."""
    if rng.random() < 0.35:
        return place(altered(scene, rng), rng)
    objects = place(scene, rng)
    for _ in range(rng.choice((1, 1, 2, 3))):
        objects = rng.choice((without_one, with_another, with_another, _recolored, _reshaped, _moved))(objects, rng)
    return objects


def draw_flawed(objects: list[Placed], rng: random.Random) -> np.ndarray:
    """Draws objects with one to all of them malformed, `(64, 64, 3)`."""
    image = np.empty((SIZE, SIZE, 3), np.float32)
    image[:] = BACKGROUND
    bad = set(rng.sample(range(len(objects)), rng.randint(1, len(objects)))) if objects else set()
    for index, placed in enumerate(objects):
        if index in bad:
            rng.choice((_fade, _erase, _morph, _wobble, _smear, _tint, _stick))(image, placed, rng)
        else:
            _paint(image, *coverage(placed), placed.color)
    return image


def _other_attribute(scene: Scene, rng: random.Random) -> Scene:
    chosen = rng.choice(scene.things)
    other = rng.choice((_another_color, _another_shape, _another_size if chosen.size else _another_color))(chosen, rng)
    return changed(scene, things=tuple(other if thing == chosen else thing for thing in scene.things))


def _swapped(scene: Scene, rng: random.Random) -> Scene:
    """Two different things exchange their color, their shape or, if that says anything, their roles."""
    kinds = list(dict.fromkeys(scene.things))
    if len(kinds) < 2:
        return _other_attribute(scene, rng)
    one, other = rng.sample(kinds, 2)
    what = rng.choice(("color", "shape", "both"))
    take = {"color": ("color",), "shape": ("shape",), "both": ("color", "shape")}[what]
    new = {
        one: changed(one, **{name: getattr(other, name) for name in take}),
        other: changed(other, **{name: getattr(one, name) for name in take}),
    }
    return changed(scene, things=tuple(new.get(thing, thing) for thing in scene.things))


def _other_relation(scene: Scene, rng: random.Random) -> Scene:
    index = rng.randrange(len(scene.relations))
    old = scene.relations[index]
    words = [name for name in OPPOSITE if name != old.word]
    # A chain keeps its relations on different axes, so that every caption stays possible.
    if scene.family == "chain":
        words = [OPPOSITE[old.word]]
    relations = list(scene.relations)
    relations[index] = Relation(old.first, rng.choice([OPPOSITE[old.word], *words]), old.second)
    return changed(scene, relations=tuple(relations))


def _other_place(scene: Scene, rng: random.Random) -> Scene:
    return changed(scene, place=rng.choice([name for name in PLACES if name != scene.place]))


def _other_count(scene: Scene, rng: random.Random) -> Scene:
    kinds = list(dict.fromkeys(scene.things))
    counts = {kind: scene.things.count(kind) for kind in kinds}
    kind = rng.choice(kinds)
    counts[kind] = max(1, counts[kind] + rng.choice((-1, 1)))
    things = tuple(kind for kind in kinds for _ in range(counts[kind]))
    return changed(scene, things=things) if len(things) <= 5 else scene


def _another_color(thing: Thing, rng: random.Random) -> Thing:
    return changed(thing, color=rng.choice([name for name in COLORS if name != thing.color]))


def _another_shape(thing: Thing, rng: random.Random) -> Thing:
    return changed(thing, shape=rng.choice([name for name in SHAPES if name != thing.shape]))


def _another_size(thing: Thing, rng: random.Random) -> Thing:
    return changed(thing, size=SIZES[1 - SIZES.index(thing.size)])


def without_one(objects: list[Placed], rng: random.Random) -> list[Placed]:
    kept = list(objects)
    if len(kept) > 1:
        kept.pop(rng.randrange(len(kept)))
    return kept


def with_another(objects: list[Placed], rng: random.Random) -> list[Placed]:
    """One more object, most often a copy, at a free spot if there is one."""
    if len(objects) >= MOST_OBJECTS:
        return objects
    model = rng.choice(objects)
    if rng.random() < 0.3:
        model = model._replace(color=rng.choice(list(COLORS)), shape=rng.choice(SHAPES))
    for _ in range(30):
        radius = rng.uniform(4.5, 7.5)
        extra = model._replace(x=rng.uniform(9, 55), y=rng.uniform(9, 55), radius=radius)
        if all(
            abs(extra.x - one.x) > radius + one.radius + 1 or abs(extra.y - one.y) > radius + one.radius + 1
            for one in objects
        ):
            return [*objects, extra]
    return objects


def _recolored(objects: list[Placed], rng: random.Random) -> list[Placed]:
    index = rng.randrange(len(objects))
    others = [name for name in COLORS if name != objects[index].color]
    # Most often a color of the picture: that is how models bind the wrong one.
    near = [one.color for one in objects if one.color != objects[index].color]
    color = rng.choice(near if near and rng.random() < 0.7 else others)
    return [one._replace(color=color) if position == index else one for position, one in enumerate(objects)]


def _reshaped(objects: list[Placed], rng: random.Random) -> list[Placed]:
    index = rng.randrange(len(objects))
    others = [name for name in SHAPES if name != objects[index].shape]
    near = [one.shape for one in objects if one.shape != objects[index].shape]
    shape = rng.choice(near if near and rng.random() < 0.7 else others)
    return [one._replace(shape=shape) if position == index else one for position, one in enumerate(objects)]


def _moved(objects: list[Placed], rng: random.Random) -> list[Placed]:
    """Two objects exchange places, or all of them are mirrored or turned."""
    if len(objects) > 1 and rng.random() < 0.5:
        one, other = rng.sample(range(len(objects)), 2)
        result = list(objects)
        result[one] = objects[one]._replace(x=objects[other].x, y=objects[other].y)
        result[other] = objects[other]._replace(x=objects[one].x, y=objects[one].y)
        return result
    if rng.random() < 0.5:
        return [one._replace(x=one.y, y=one.x) for one in objects]
    return [one._replace(x=SIZE - one.x, y=SIZE - one.y) for one in objects]


def _paint(image: np.ndarray, rows: slice, columns: slice, alpha: np.ndarray, color: str) -> None:
    region = image[rows, columns]
    region += alpha[..., None] * (np.array(COLORS[color], np.float32) - region)


def _fade(image: np.ndarray, placed: Placed, rng: random.Random) -> None:
    rows, columns, alpha = coverage(placed)
    _paint(image, rows, columns, alpha * rng.uniform(0.15, 0.8), placed.color)


def _erase(image: np.ndarray, placed: Placed, rng: random.Random) -> None:
    """Cuts off one side, sharply or softly."""
    rows, columns, alpha = coverage(placed)
    angle, cut, softness = rng.uniform(0, 6.3), rng.uniform(-0.5, 0.6) * placed.radius, rng.uniform(1, 6)
    y, x = np.mgrid[rows, columns].astype(np.float32)
    ahead = (x - placed.x) * np.cos(angle) + (y - placed.y) * np.sin(angle)
    _paint(image, rows, columns, alpha * np.clip(0.5 - (ahead - cut) / softness, 0, 1).astype(np.float32), placed.color)


def _morph(image: np.ndarray, placed: Placed, rng: random.Random) -> None:
    """A shape between two shapes."""
    other = rng.choice([name for name in SHAPES if name != placed.shape])
    share = rng.uniform(0.25, 0.75)
    rows, columns, dx, dy = _surroundings(placed)
    distance = share * signed_distance(other, dx, dy, placed.radius)
    distance = distance + (1 - share) * signed_distance(placed.shape, dx, dy, placed.radius)
    _paint(image, rows, columns, np.clip(0.5 - distance, 0, 1).astype(np.float32), placed.color)


def _wobble(image: np.ndarray, placed: Placed, rng: random.Random) -> None:
    """An outline with waves, or one stretched to an oval."""
    rows, columns, dx, dy = _surroundings(placed)
    stretch = rng.uniform(0.6, 1.6) if rng.random() < 0.5 else 1.0
    distance = signed_distance(placed.shape, dx * stretch, dy / stretch, placed.radius)
    waves, phase, height = rng.choice((2, 3, 4, 5)), rng.uniform(0, 6.3), rng.uniform(0.3, 2.5)
    distance = distance + height * np.sin(waves * np.arctan2(dy, dx) + phase)
    _paint(image, rows, columns, np.clip(0.5 - distance, 0, 1).astype(np.float32), placed.color)


def _smear(image: np.ndarray, placed: Placed, rng: random.Random) -> None:
    """Several copies on the way to somewhere else, thinning out or not."""
    dx, dy, fading = rng.uniform(-9, 9), rng.uniform(-9, 9), rng.uniform(0.4, 1.0)
    for share in (0.0, 0.33, 0.66, 1.0):
        copy = placed._replace(
            x=placed.x + share * dx, y=placed.y + share * dy, radius=placed.radius * (1 - 0.3 * share)
        )
        rows, columns, alpha = coverage(copy)
        _paint(image, rows, columns, alpha * fading ** (3 * share), placed.color)


def _tint(image: np.ndarray, placed: Placed, rng: random.Random) -> None:
    """A second color bleeds in from one side or everywhere."""
    rows, columns, alpha = coverage(placed)
    _paint(image, rows, columns, alpha, placed.color)
    other = rng.choice([name for name in COLORS if name != placed.color])
    share = np.float32(rng.uniform(0.3, 0.8))
    if rng.random() < 0.6:
        angle = rng.uniform(0, 6.3)
        y, x = np.mgrid[rows, columns].astype(np.float32)
        ahead = (x - placed.x) * np.cos(angle) + (y - placed.y) * np.sin(angle)
        share = np.clip(0.5 + ahead / rng.uniform(1, 8), 0, 1).astype(np.float32)
    _paint(image, rows, columns, alpha * share, other)


def _stick(image: np.ndarray, placed: Placed, rng: random.Random) -> None:
    """A second object grows out of the first."""
    _paint(image, *coverage(placed), placed.color)
    angle, distance = rng.uniform(0, 6.3), rng.uniform(0.6, 1.9) * placed.radius
    shape = placed.shape if rng.random() < 0.6 else rng.choice(SHAPES)
    color = placed.color if rng.random() < 0.7 else rng.choice(list(COLORS))
    twin = Placed(
        shape,
        color,
        placed.x + distance * np.cos(angle),
        placed.y + distance * np.sin(angle),
        placed.radius * rng.uniform(0.4, 1.0),
    )
    _paint(image, *coverage(twin), color)


def _surroundings(placed: Placed) -> tuple[slice, slice, np.ndarray, np.ndarray]:
    """Rows, columns and pixel offsets from the center of a window half again as large as the shape."""
    reach = 1.6 * max(extent(placed.shape, placed.radius)) + 2
    x0, x1 = max(int(placed.x - reach), 0), min(int(placed.x + reach), SIZE)
    y0, y1 = max(int(placed.y - reach), 0), min(int(placed.y + reach), SIZE)
    dx = np.arange(x0, x1, dtype=np.float32)[None] + (0.5 - placed.x)
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] + (0.5 - placed.y)
    return slice(y0, y1), slice(x0, x1), dx, dy
