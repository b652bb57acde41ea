"""What must hold for whatever a stranger sends: no crash, no hang, no file elsewhere, no other picture than the one that was meant."""

from __future__ import annotations

import time
from pathlib import Path as File

from noise_search.search.journal import Journal
from noise_search.search.noise import Candidate, ancestry, materialize
from noise_search.search.path import Path
from noise_search.search.recipe import RecipeError, check_schedule, check_shapes, dumps, loads, loads_all

from .strategies import SCHEDULE, SHAPES

SLOW = 2.0  # seconds of computing for one example
LONGEST = 500  # characters of a message


def check_recipe(text: str) -> str:
    """A text is a recipe, which comes back as the same candidate, or is refused in a few words. "kept" or "refused"."""
    began = time.process_time()
    kept = "refused"
    try:
        for recipe in loads_all(text):
            kept = "kept"
            _comes_back(recipe)
    except RecipeError as error:
        assert 0 < len(str(error)) < LONGEST
    assert time.process_time() - began < SLOW
    return kept


def _comes_back(recipe) -> None:
    candidate, schedule = recipe.candidate, recipe.schedule or SCHEDULE
    text = dumps(candidate, recipe.shapes, recipe.settings, schedule)
    again = loads(text)
    assert again == recipe or again.candidate == candidate
    assert dumps(again.candidate, again.shapes, again.settings, again.schedule or SCHEDULE) == text
    for check, setup in ((check_shapes, SHAPES), (check_schedule, SCHEDULE)):
        try:
            check(again, setup)
        except RecipeError as error:
            assert len(str(error)) < LONGEST
    noise = candidate.noise if isinstance(candidate, Path) else candidate
    if isinstance(noise, Candidate) and not any(node.leaf for node in ancestry(noise)):
        (drawn,) = materialize([noise], SHAPES)
        assert drawn.shape == (1, *SHAPES[0]) and drawn.isfinite().all()


def check_same_candidate(tried, settings: dict) -> None:
    """What was written is what is read."""
    recipe = loads(dumps(tried, SHAPES, settings, SCHEDULE))
    assert recipe.candidate == tried and recipe.settings == settings


WRITTEN = [
    {"kind": kind, "key": f"{number:032x}", "values": [number / 7], "text": "ü\n" * number}
    for number in range(6)
    for kind in ("latent", "values")
]


def sound_journal(path: File) -> bytes:
    """The bytes of a journal of `WRITTEN`, in transactions of four."""
    journal = Journal(path, "fuzz")
    for start in range(0, len(WRITTEN), 4):
        journal.add(WRITTEN[start : start + 4])
    journal.close()
    return path.read_bytes()


def check_journal(path: File, data: bytes) -> int:
    """A damaged file opens, gives back only what was written, and can be written on. How many records it still had."""
    began, beside = time.process_time(), set(path.parent.iterdir()) | {path}
    path.write_bytes(data)
    journal = Journal(path, "fuzz")
    kept = 0
    for record in WRITTEN:
        found = journal.get(record["kind"], record["key"])
        assert found is None or {"kind": record["kind"], "key": record["key"], **found} == record
        kept += found is not None
    journal.add([{"kind": "new", "key": "new", "value": 1}])
    journal.close()
    again = Journal(path, "fuzz")
    assert again.get("new", "new") == {"value": 1}
    assert sum(again.get(record["kind"], record["key"]) is not None for record in WRITTEN) == kept
    again.close()
    assert set(path.parent.iterdir()) == beside
    assert time.process_time() - began < SLOW
    return kept


def check_remembered(memo, record: dict) -> bool:
    """What a journal's record says of a picture is one finite latent, or nothing. `memo` is the host's own module."""
    found = memo.particles(record)
    if found is None:
        return False
    state, calls = found
    parts = [*(state.x0.unbind() if getattr(state.x0, "is_nested", False) else [state.x0])]
    assert all(len(part) == 1 and part.isfinite().all() for part in parts) and isinstance(calls, int)
    return True
