"""What must hold for whatever a stranger sends: no crash, no hang, no file elsewhere, no other picture than the one
that was meant.
"""

from __future__ import annotations

import sqlite3
import time
from collections import namedtuple
from pathlib import Path as File

from noise_search.search.noise import Candidate, ancestry, materialize
from noise_search.search.path import Path
from noise_search.search.recipe import RecipeError, check_schedule, check_shapes, dumps, loads, loads_all

from .strategies import SCHEDULE, SHAPES

Sampled = namedtuple("Sampled", "sigma seed nfe data")  # as the store's own, of which every host has one
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


def check_same_candidate(proposed, settings: dict) -> None:
    """What was written is what is read."""
    recipe = loads(dumps(proposed, SHAPES, settings, SCHEDULE))
    assert recipe.candidate == proposed and recipe.settings == settings


WRITTEN = {
    f"{number:032x}": Sampled(number / 7, str(2**63 + number), number, bytes([number]) * 300 * number)
    for number in range(6)
}
ROWS = {key: (number / 3, -1.0) for number, key in enumerate(WRITTEN)}


def sound_store(path: File, store) -> bytes:
    """The bytes of a store of `WRITTEN` and `ROWS`. `store` is the host's own module."""
    book = store.Store(path, 10**9)
    for key, one in WRITTEN.items():
        book.keep_latents("setup", {key: one})
        book.keep_values("setup", "judge", {key: ROWS[key]})
    book.note("run", "kind", {"text": "ü"})
    book.close()
    return path.read_bytes()


def check_store(path: File, store, data: bytes) -> int:
    """A damaged file gives back only what was written, or says that it is damaged. How many records it still had."""
    began = time.process_time()
    path.write_bytes(data)
    kept, book = 0, None
    try:
        book = store.Store(path, 10**9)
        for key, one in WRITTEN.items():
            found, row = book.latent("setup", key), book.values("setup", key, "judge")
            assert found is None or found.data == one.data
            assert row is None or row == ROWS[key]
            kept += (found is not None) + (row is not None)
        assert book.noted("run", "kind") in ({}, {"text": "ü"})
        book.keep_latents("setup", {"new": next(iter(WRITTEN.values()))})
    except (OSError, sqlite3.Error) as error:
        assert 0 < len(str(error)) < LONGEST
    finally:
        if book is not None:
            closed(book)
        for other in path.parent.iterdir():
            other.unlink()
    assert time.process_time() - began < SLOW
    return kept


def closed(book) -> None:
    try:
        book.close()
    except (OSError, sqlite3.Error):
        """It was damaged."""


def check_remembered(memo, store, record: dict) -> bool:
    """What a store's record says of a picture is one finite latent, or nothing. `memo` and `store` are the host's own
    modules.
    """
    found = memo.particles(store.Sampled(**record))
    if found is None:
        return False
    state, calls = found
    parts = [*(state.x0.unbind() if getattr(state.x0, "is_nested", False) else [state.x0])]
    assert all(len(part) == 1 and part.isfinite().all() for part in parts) and isinstance(calls, int)
    return True
