"""Recipes: a found noise as a short line of JSON, seeds and operations and never a tensor.

`{"noise_search":1,"shapes":[[16,8,8]],"noise":[["fresh",123],["mix",0,456,0.95]],"settings":{}}`: parents by index, the
last entry is the candidate. A mix inside a mask ends with the digest of the mask; the others are
`["span",[parents],[weights]]` and `["leaf",digest,seed]`. Version 2 has what version 1 could not read: a mix inside a
frequency band ends with `[low,high]`; a recipe that walks along the path has `["walk",parent or
null,[levels],seed,eta]` entries, drafts of them end with true, and `"schedule":{"levels":[...],"flow":true}` of its
setup.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from .noise import Shape, ancestry, check_independent
from .operations import incomplete, is_number, operation_named, operation_of, short
from .path import Path, Proposal, Schedule, check_draws, stage

VERSIONS = (1, 2)
MAX_LENGTH = 1_000_000  # characters
# in one recipe; 4,000 pictures of Zero-Order Search with one neighbor, which climb to the end, take 842
MOST_OPERATIONS = 4096


SPACE = re.compile(r"\s*")


class RecipeError(ValueError):
    """The text is no recipe that can be followed."""


@dataclass(frozen=True)
class Recipe:
    """A noise, or a walk along the path, to be had again, and the settings that it was found with.

    Args:
        schedule: Of the setup, where the candidate is a walk.
    """

    candidate: Proposal
    shapes: tuple[Shape, ...]
    settings: Mapping[str, Any]
    schedule: Schedule | None = None

    @property
    def version(self) -> int:
        return version_of(self.candidate)


def dumps(
    candidate: Proposal, shapes: Sequence[Shape], settings: Mapping[str, Any], schedule: Schedule | None = None
) -> str:
    """Write a recipe as one line of ASCII; equal content gives equal bytes. A walk needs the schedule that it was found
    with.
    """
    body: dict[str, Any] = {
        "noise_search": version_of(candidate),
        "shapes": [list(shape) for shape in shapes],
        "noise": encode([candidate])[0],
    }
    body["settings"] = json.loads(json.dumps(settings, sort_keys=True, allow_nan=False))
    if isinstance(candidate, Path):
        assert schedule is not None, "a walk needs the schedule that it was found with"
        body["schedule"] = {"levels": list(schedule.levels), "flow": schedule.flow}
    return json.dumps(body, separators=(",", ":"))


def loads(text: str) -> Recipe:
    """Read a recipe; a `RecipeError` says what is wrong with it."""
    body = _body(text)
    for name, kind in (("shapes", list), ("noise", list), ("settings", dict)):
        if not isinstance(body.get(name), kind):
            raise RecipeError(f"recipe must have a {kind.__name__} of {name}, got {short(body.get(name))}")
    if len(body["noise"]) > MOST_OPERATIONS:
        raise RecipeError(f"recipe must have at most {MOST_OPERATIONS} operations, got {len(body['noise'])}")
    candidates = decode(body["noise"])
    if not candidates:
        raise RecipeError("recipe must have at least one noise, got none")
    found = candidates[-1]
    if version_of(found) != body["noise_search"]:
        raise RecipeError(f"recipe must be of version {version_of(found)} to end with {short(body['noise'][-1])}")
    try:
        check_draws(found) if isinstance(found, Path) else check_independent(found)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    schedule = _schedule(body.get("schedule")) if isinstance(found, Path) else None
    return Recipe(found, _shapes(body["shapes"]), body["settings"], schedule)


def loads_all(text: str) -> list[Recipe]:
    """Read several recipes that follow each other, best first; at least one."""
    _check_length(text)
    found: list[Recipe] = []
    place, text = 0, text.strip()
    while place < len(text) or not found:
        try:
            _, end = json.JSONDecoder().raw_decode(text, place)
        except (ValueError, RecursionError):
            end = len(text)  # which `loads` explains
        found.append(loads(text[place:end]))
        space = SPACE.match(text, end)
        place = space.end() if space else end
    return found


def version_of(candidate: Proposal) -> int:
    """The first version of recipes that can say this."""
    return max(operation_of(node).version(node) for node in ancestry(candidate))


def check_shapes(recipe: Recipe, shapes: Sequence[Shape]) -> None:
    """Refuse a recipe that was found for a latent of another shape."""
    want = tuple(tuple(shape) for shape in shapes)
    if recipe.shapes != want:
        raise RecipeError(
            f"recipe must be for the shape of this latent, {_named(want)}, got one for {_named(recipe.shapes)}"
        )


def check_schedule(recipe: Recipe, schedule: Schedule) -> None:
    """Refuse a walk that was found with other noise levels, or for another family of models."""
    if recipe.schedule is None:
        return
    if recipe.schedule.flow != schedule.flow:
        kinds = {True: "flow", False: "eps or v"}
        raise RecipeError(
            f"recipe must be for a model of this family ({kinds[schedule.flow]}), got one for"
            f" {kinds[recipe.schedule.flow]}"
        )
    if len(recipe.schedule.levels) != len(schedule.levels) or not all(
        map(_close, recipe.schedule.levels, schedule.levels)
    ):
        raise RecipeError(
            f"recipe must be for this schedule, {_steps(schedule)}, got one for {_steps(recipe.schedule)}"
        )


def check_finished(recipe: Recipe) -> None:
    """Refuse what makes no picture: a draft, or a state on the way to one."""
    if stage(recipe.candidate):
        kind = (
            "a draft, which only foretells a picture"
            if getattr(recipe.candidate, "draft", False)
            else "a preview on the way to a picture"
        )
        raise RecipeError(
            f"recipe must be of a finished picture or of its noise, got one of {kind}: copy the recipe of its noise"
            " instead"
        )


def encode(candidates: Sequence[Proposal]) -> tuple[list[list[Any]], list[int]]:
    """List all operations, parents first and each once, and where the candidates are in that list."""
    nodes = ancestry(*candidates)
    places = {node.key: place for place, node in enumerate(nodes)}
    return [_entry(node, places) for node in nodes], [places[candidate.key] for candidate in candidates]


def decode(entries: Sequence[list[Any]]) -> list[Proposal]:
    """Rebuild the candidates of a list of operations, one per entry."""
    candidates: list[Proposal] = []
    for place, entry in enumerate(entries):
        try:
            candidates.append(_candidate(entry, candidates))
        except ValueError as error:
            raise RecipeError(
                f"recipe entry {place} must be an operation of the noise algebra, got {short(entry)}:"
                f" {short(str(error), 120)}"
            ) from error
    return candidates


def _entry(node: Proposal, places: Mapping[str, int]) -> list[Any]:
    operation = operation_of(node)
    return [operation.name, *operation.write(node, places)]


def _candidate(entry: Any, earlier: Sequence[Proposal]) -> Proposal:
    match entry:
        case [name, *rest]:
            return operation_named(name).read(rest, earlier)
        case _:
            raise incomplete()


def _body(text: str) -> dict[str, Any]:
    _check_length(text)
    try:
        body: Any = json.loads(text, parse_float=_finite, parse_int=_whole, parse_constant=_finite)
    except RecipeError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"recipe must be JSON, got {short(text)}: {error}") from error
    if not isinstance(body, dict) or "noise_search" not in body:
        raise RecipeError(f"recipe must be one that Noise Search wrote, got {short(text)}")
    found = cast("dict[str, Any]", body)
    if type(found["noise_search"]) is not int or found["noise_search"] not in VERSIONS:
        raise RecipeError(f"recipe must be of version 1 or 2, got version {short(found['noise_search'])}")
    return found


def _check_length(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise RecipeError(f"recipe must have at most {MAX_LENGTH} characters, got {len(text)}")


def _finite(number: str) -> float:
    if not math.isfinite(float(number)):
        raise RecipeError(f"recipe must have finite numbers, got {short(number)}")
    return float(number)


def _whole(number: str) -> int:
    _finite(number)  # whole numbers beyond the range of a float as well
    return int(number)


def _shapes(shapes: list[Any]) -> tuple[Shape, ...]:
    for shape in shapes:
        sizes = cast("list[Any]", shape if isinstance(shape, list) else [])
        if not sizes or not all(type(size) is int and size > 0 for size in sizes):
            raise RecipeError(f"recipe must have shapes of positive whole numbers, got {short(shape)}")
    if not shapes:
        raise RecipeError("recipe must have at least one shape, got none")
    return tuple(tuple(shape) for shape in shapes)


def _schedule(body: Any) -> Schedule:
    match body:
        case {"levels": [*levels], "flow": bool() as flow} if all(map(is_number, levels)):
            try:
                return Schedule(tuple(map(float, levels)), flow)
            except ValueError as error:
                raise RecipeError(str(error)) from error
        case _:
            pass
    raise RecipeError(f"recipe must have the schedule of its walk, got {short(body)}")


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6)


def _steps(schedule: Schedule) -> str:
    return f"{schedule.steps} steps from {schedule.levels[0]:.4g}"


def _named(shapes: Sequence[Shape]) -> str:
    return " + ".join("x".join(map(str, shape)) for shape in shapes)
