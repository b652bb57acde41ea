"""What strangers may send: recipes, stores and requests, sound ones, nearly sound ones and rubbish."""

from __future__ import annotations

import json
import math

from hypothesis import strategies as st
from noise_search.search.noise import Candidate, fresh, leaf, mix, span
from noise_search.search.path import Path, Proposal, Schedule
from noise_search.search.recipe import dumps

LEVELS = (1.0, 0.8, 0.55, 0.3, 0.0)
SCHEDULE = Schedule(LEVELS, True)
SHAPES = ((4, 2, 2),)

seeds = st.integers(0, 2**64 - 1)
digests = st.text("0123456789abcdef", min_size=1, max_size=32)
odd = ["", "\x00", "../../etc/passwd", "\ud800", "𝟙²", "NaN", "__class__", "a" * 5000, "﷽" * 50]
texts = st.text(max_size=40) | st.sampled_from(odd)
numbers = (
    st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.sampled_from([2**63, 2**64, -1, 0, 1e308, 10**400, -0.0])
)
junk = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@st.composite
def candidates(draw, size: int = 12) -> Candidate:
    """Any expression of the noise algebra that uses every draw once."""
    made, fresh_seeds = [], iter(draw(st.lists(seeds, min_size=2 * size, max_size=2 * size, unique=True)))
    for _ in range(draw(st.integers(1, size))):
        kind = draw(st.sampled_from(["fresh", "leaf", "mix", "mask", "band", "span"] if made else ["fresh", "leaf"]))
        made.append(_grown(draw, kind, made, fresh_seeds))
    return made[-1]


def _grown(draw, kind: str, made: list[Candidate], fresh_seeds) -> Candidate:
    rho = draw(st.floats(0, 1))
    if kind == "fresh":
        return fresh(next(fresh_seeds))
    if kind == "leaf":
        return leaf(f"{next(fresh_seeds):x}", draw(seeds))
    if kind == "mix":
        return mix(made.pop(), next(fresh_seeds), rho)
    if kind == "mask":
        return mix(made.pop(), next(fresh_seeds), rho, draw(digests))
    if kind == "band":
        low, high = sorted([draw(st.floats(0, 0.45)), draw(st.floats(0.5, 1))])
        return mix(made.pop(), next(fresh_seeds), rho, band=(low, high))
    parents, made[:] = list(made), []
    weights = [draw(st.floats(0.1, 1)) for _ in parents]
    norm = math.sqrt(math.fsum(weight * weight for weight in weights))
    return span([weight / norm for weight in weights], parents)


@st.composite
def walks(draw) -> Proposal:
    """A candidate, or a walk along the path that began with one or with a latent that came in."""
    found: Proposal | None = draw(candidates(size=4) | st.none())
    used = {node.seed for node in ([] if found is None else [found])}
    for _ in range(draw(st.integers(0 if found else 1, 4))):
        begin = 0.0 if found is None else found.end if isinstance(found, Path) else LEVELS[0]
        above = [level for level in LEVELS[:-1] if level > begin]
        start = draw(st.sampled_from(above)) if begin == 0 or (above and draw(st.booleans())) else begin
        ends = [level for level in LEVELS if level < start]
        seed = draw(seeds.filter(lambda seed: seed not in used))
        used.add(seed)
        found = Path(
            found, SCHEDULE.between(start, draw(st.sampled_from(ends))), seed, draw(st.sampled_from([0.0, 0.5, 1.0]))
        )
    return found


settings_of_a_setup = st.dictionaries(
    st.text(max_size=10), st.integers(-(2**60), 2**60) | st.text(max_size=10) | st.booleans() | st.none(), max_size=4
)
recipes = st.builds(
    lambda proposed, settings: dumps(proposed, SHAPES, settings, SCHEDULE), walks(), settings_of_a_setup
)


@st.composite
def changed(draw, originals: st.SearchStrategy[str]) -> str:
    """A sound text with some of its characters cut, doubled, replaced, or with another number or value in its place."""
    text = draw(originals)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 30)))
        with_what = draw(st.sampled_from(["cut", "double", "text", "value"]))
        new = {"cut": "", "double": text[start:end] * 2, "text": draw(texts)}.get(with_what)
        text = text[:start] + (json.dumps(draw(junk)) if new is None else new) + text[end:]
    return text


@st.composite
def wrong_values(draw) -> str:
    """A sound recipe with one value, anywhere within, replaced by any other: always JSON, rarely a recipe."""
    body = json.loads(draw(recipes))
    place, path = body, []
    while isinstance(place, dict | list) and place and (not path or draw(st.booleans())):
        key = draw(st.sampled_from(sorted(place)) if isinstance(place, dict) else st.integers(0, len(place) - 1))
        path.append((place, key))
        place = place[key]
    container, key = path[-1]
    container[key] = draw(junk)
    return json.dumps(body)


SHALLOW = '{"noise_search":1,"shapes":[[1]],"noise":[["fresh",1]],"settings":'
deep = st.builds(lambda kind, depth: f"{SHALLOW}{kind[0] * depth}0{kind[1] * depth}}}",
                 st.sampled_from([("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")]), st.integers(1, 3000))  # fmt: skip
several = st.lists(recipes, min_size=1, max_size=3).map(" \n".join)
recipe_texts = (
    recipes | changed(recipes) | wrong_values() | deep | several | changed(several) | junk.map(json.dumps) | texts
)


@st.composite
def changed_bytes(draw, data: bytes) -> bytes:
    """A file after something went wrong with it."""
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([1, 2, 40, 10_000])))))
        new = draw(st.binary(max_size=20) | st.just(data[start:end] * 2) | st.just(b"\n") | st.just(bytes(end - start)))
        data = data[:start] + new + data[end:]
    return data


def records(sound: dict) -> st.SearchStrategy[dict]:
    """A store's record of a picture, whole in itself, with any of its values replaced: written by a stranger."""
    tensors = {"F32": 4, "F16": 2, "BOOL": 1, "I64": 8, "BF16": 2}

    def stored(name: str, kind: str, shape: list[int], fill: bytes) -> bytes:
        size = tensors[kind] * math.prod(shape)
        head = json.dumps({name: {"dtype": kind, "shape": shape, "data_offsets": [0, size]}}).encode()
        return len(head).to_bytes(8, "little") + head + (fill * size)[:size]

    shapes = st.lists(st.integers(0, 3), max_size=4) | st.just([1, 16, 8, 8])
    data = st.builds(stored, st.sampled_from(["x0.0", "eps.0", "x0.1", "y"]), st.sampled_from(sorted(tensors)), shapes,
                     st.sampled_from([b"\x00", b"\xff", b"\x7f\xc0\x00\x00", b"?"]))  # fmt: skip
    values = {
        "data": data | st.binary(max_size=100) | st.just(sound["data"]),
        "sigma": numbers | st.just(0.0),
        "seed": numbers | st.just(1),
        "nfe": numbers | st.just(4),
    }
    return st.fixed_dictionaries(
        {}, optional={key: value if key == "data" else value | junk for key, value in values.items()}
    ).map(lambda new: {**sound, **new})
