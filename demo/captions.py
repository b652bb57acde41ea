"""The language of the scenes: what a caption means, how it is worded, and how it is read back.

A meaning is a set of things, relations between them and perhaps a place. About one meaning in eight is held out: no
model is ever trained on it, in any wording.
"""

import hashlib
import random
import re
from dataclasses import dataclass, field, replace
from itertools import groupby

from .shapes import COLORS, SHAPES

NUMBERS = ("zero", "one", "two", "three", "four", "five")
SIZES = ("small", "big")
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
PLACES = {"top left": (-1, -1), "top right": (1, -1), "bottom left": (-1, 1), "bottom right": (1, 1), "center": (0, 0)}
FAMILIES = (
    "single",
    "size",
    "position",
    "pair",
    "relation",
    "count",
    "triple",
    "mix",
    "four",
    "five",
    "groups",
    "chain",
    "double",
)
HELD_OUT_ONE_IN = 8
# Chosen so that also the small families keep enough held-out meanings: 4 single, 8 size, 15 position, 12 count.
HELD_OUT_SALT = 318
# "a photo of" must not push the longest captions past the text encoder's distinct positions.
PREFIX_MAX_WORDS = 16


@dataclass(frozen=True)
class Thing:
    """One wanted object. An empty size means any."""

    color: str
    shape: str
    size: str = ""

    def __str__(self) -> str:
        return " ".join(word for word in (self.size, self.color, self.shape) if word)


@dataclass(frozen=True)
class Relation:
    """`things[first]` is left, right, above or below of `things[second]`."""

    first: int
    word: str
    second: int


@dataclass(frozen=True)
class Scene:
    """What a caption asks for. Two wordings of one meaning differ in `caption` only."""

    family: str
    things: tuple[Thing, ...]
    relations: tuple[Relation, ...] = ()
    place: str = ""
    caption: str = field(default="", compare=False)

    def meaning(self) -> str:
        """A key that is the same for every wording and order of mention."""
        facts = []
        for relation in self.relations:
            first, word, second = self.things[relation.first], relation.word, self.things[relation.second]
            if word in ("right", "below"):
                first, word, second = second, OPPOSITE[word], first
            facts.append(f"{first} {word} {second}")
        return "; ".join(sorted(map(str, self.things)) + sorted(facts) + [self.place])

    def is_held_out(self) -> bool:
        digest = hashlib.sha256(f"{HELD_OUT_SALT} {self.meaning()}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % HELD_OUT_ONE_IN == 0


def draw(family: str, rng: random.Random) -> Scene:
    """A random scene of a family in its plain wording, held out or not."""
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {FAMILIES}, got {family!r}")
    distinct = {
        "pair": 2,
        "relation": 2,
        "triple": 3,
        "mix": 2,
        "four": 4,
        "five": 5,
        "groups": 3,
        "chain": 3,
        "double": 4,
    }
    things = _distinct_things(distinct.get(family, 1), rng)
    words = list(OPPOSITE)
    relations: tuple[Relation, ...] = ()
    place = ""
    if family == "size":
        things = [replace(things[0], size=rng.choice(SIZES))]
    elif family == "position":
        place = rng.choice(list(PLACES))
    elif family == "count":
        things = things * rng.randint(2, 5)
    elif family == "mix":
        things = things[:1] * rng.randint(2, 3) + things[1:]
    elif family == "groups":
        things = things[:1] * 2 + things[1:2] * 2 + things[2:]
    elif family == "relation":
        relations = (Relation(0, rng.choice(words), 1),)
    elif family == "chain":
        relations = (Relation(0, rng.choice(words[:2]), 1), Relation(0, rng.choice(words[2:]), 2))
    elif family == "double":
        relations = (Relation(0, rng.choice(words), 1), Relation(2, rng.choice(words), 3))
    scene = Scene(family, tuple(things), relations, place)
    return replace(scene, caption=word(scene))


def reword(scene: Scene, rng: random.Random) -> Scene:
    """The same meaning in one of its wordings, most often the plain one."""
    return replace(scene, caption=word(scene, rng))


def word(scene: Scene, rng: random.Random | None = None) -> str:
    """The plain caption of a scene, or with a random source one of its variants."""
    article = "one" if rng and rng.random() < 0.06 else "a"
    if scene.relations:
        text = _word_relations(scene, article, rng)
    else:
        groups = [_phrase(thing, len(list(run)), article) for thing, run in groupby(scene.things)]
        text = groups[0] if len(groups) == 1 else f"{', '.join(groups[:-1])} and {groups[-1]}"
    if scene.place:
        text += f" in the {scene.place}" + ("" if scene.place == "center" else " corner")
    if rng is None:
        return text
    draw_variant = rng.random()
    if draw_variant < 0.1:
        return text.removeprefix(f"{article} ")
    if draw_variant < 0.2 and len(text.replace(",", " ,").split()) <= PREFIX_MAX_WORDS:
        return f"a photo of {text}"
    return text


def parse(caption: str) -> Scene:
    """Reads any caption of the grammar; `Scene.family` is "free" for combinations that no family draws."""
    text = re.sub(r"\s+", " ", caption.strip().lower().rstrip("."))
    rest = _PREFIX.sub("", text)
    things: list[Thing] = []
    relations: list[Relation] = []
    relation, subject = "", 0
    while True:
        phrase = _PHRASE.match(rest)
        if phrase is None:
            raise ValueError(f"caption must follow the grammar of the scenes, got {caption!r} (unclear from {rest!r})")
        count = NUMBERS.index(phrase["number"]) if phrase["number"] in NUMBERS else 1
        if relation:
            relations.append(Relation(subject, relation, len(things)))
        things += [Thing(phrase["color"], phrase["shape"], phrase["size"] or "")] * count
        rest = rest[phrase.end() :]
        joint = _JOINT.match(rest)
        if joint is None:
            break
        relation = joint["relation"] or ""
        if relation and not joint["again"]:
            subject = len(things) - 1
        rest = rest[joint.end() :]
    place = _PLACE.fullmatch(rest)
    if rest and place is None:
        raise ValueError(f"caption must follow the grammar of the scenes, got {caption!r} (unclear from {rest!r})")
    where = "" if place is None else place["place"].replace("middle", "center")
    scene = Scene("free", tuple(things), tuple(relations), where, caption)
    return replace(scene, family=_family(scene))


def _distinct_things(count: int, rng: random.Random) -> list[Thing]:
    things: list[Thing] = []
    while len(things) < count:
        thing = Thing(rng.choice(list(COLORS)), rng.choice(SHAPES))
        if thing not in things:
            things.append(thing)
    return things


def _phrase(thing: Thing, count: int, article: str = "a") -> str:
    if count == 1:
        return f"{article} {thing}"
    return f"{NUMBERS[count]} {thing}{'es' if thing.shape == 'cross' else 's'}"


def _word_relations(scene: Scene, article: str, rng: random.Random | None) -> str:
    things = scene.things
    text = ""
    for position, relation in enumerate(scene.relations):
        shared = position > 0 and relation.first == scene.relations[position - 1].first
        text += " and" if position else ""
        text += "" if shared else f" {_phrase(things[relation.first], 1, article)}"
        text += f" {_word_relation(relation.word, rng)} {_phrase(things[relation.second], 1, article)}"
    return text.strip()


def _word_relation(name: str, rng: random.Random | None) -> str:
    if name in ("above", "below"):
        return name
    return f"to the {name} of" if rng and rng.random() < 0.4 else f"{name} of"


def _family(scene: Scene) -> str:
    """The family that would draw this scene, or "free"."""
    counts = [len(list(run)) for _, run in groupby(scene.things)]
    if scene.relations:
        links = tuple((relation.first, relation.second) for relation in scene.relations)
        shapes = {((0, 1),): (2, "relation"), ((0, 1), (0, 2)): (3, "chain"), ((0, 1), (2, 3)): (4, "double")}
        length, name = shapes.get(links, (0, "free"))
        return name if len(scene.things) == length else "free"
    sizes = any(thing.size for thing in scene.things)
    if scene.place or sizes:
        alone = counts == [1] and bool(scene.place) != sizes
        return ("position" if scene.place else "size") if alone else "free"
    if len(counts) == 1 and 2 <= counts[0] <= 5:
        return "count"
    plain = {
        (1,): "single",
        (1, 1): "pair",
        (1, 1, 1): "triple",
        (1,) * 4: "four",
        (1,) * 5: "five",
        (2, 1): "mix",
        (3, 1): "mix",
        (2, 2, 1): "groups",
    }
    return plain.get(tuple(counts), "free")


_PREFIX = re.compile(r"(?:an? )?(?:photo|picture|image) of ")
_PHRASE = re.compile(
    rf"(?:(?P<number>an?|{'|'.join(NUMBERS[1:])}) )?(?:(?P<size>{'|'.join(SIZES)}) )?"
    rf"(?P<color>{'|'.join(COLORS)}) (?P<shape>{'|'.join(SHAPES)})(?:es|s)?\b"
)
_JOINT = re.compile(r"(?P<again> and)? (?:to the )?(?P<relation>left|right|above|below)(?: of)? |,? and |, ")
_PLACE = re.compile(rf" in the (?P<place>{'|'.join(PLACES)}|middle)(?: corner)?")
