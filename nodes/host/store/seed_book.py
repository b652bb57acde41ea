"""The seed book: found noises kept for good, in the user's database. No limit of the store takes them away, and it may
be switched off.
"""

import base64
import binascii
import hashlib
import io
import json
import logging
import math
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, UnidentifiedImageError

from ....search import recipe as recipes
from ..errors import short
from . import database

FORMAT = 1
LIMITS = {"prompt": 4000, "model": 300, "judge": 300, "how": 100}  # characters
MAX_RECIPE = 100_000  # characters; the host takes longer ones as input, but a book holds thousands
PICTURE = 192  # longer side of a thumbnail, in pixels
MAX_PICTURE = 200_000  # bytes of an imported one
MAX_ENTRIES = 100_000
MAX_BOOK = 100_000_000  # bytes
OVERHEAD = 300  # bytes of an entry beside its texts and its picture, as a file has them
# bytes that a full one can take as a file: pictures grow by a third there, quotation marks to twice
MAX_EXPORT = 2 * MAX_BOOK
LAST = 4e9  # seconds since 1970, some day in 2096
# control characters, and halves of characters, as JSON may hold
UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
MAX_SIDE = 4096  # of an imported thumbnail before it is made small
FORMER = "seed_book.sqlite3"  # the file of version 0.1
TAKEN = "seed_book.taken_over.sqlite3"

log = logging.getLogger("noise_search")


class BookError(ValueError):
    """What was to be kept is no entry of a seed book."""


@dataclass(frozen=True)
class Entry:
    """A found noise and what is worth knowing about it.

    Args:
        recipe: One recipe.
        seed: Its plain seed as text, or None.
        score: What the judge gave it, or None.
        judge: Name of the verifier, or "".
        prompt: Positive text that it was found with.
        model: File names of the model that it was found with.
        how: How the search made it.
        made: When it was kept, in seconds since 1970.
        picture: A small JPEG, or None.
    """

    recipe: str
    seed: str | None = None
    score: float | None = None
    judge: str = ""
    prompt: str = ""
    model: str = ""
    how: str = ""
    made: float = 0.0
    picture: bytes | None = None

    def __post_init__(self) -> None:
        for name, limit in {"recipe": MAX_RECIPE, **LIMITS}.items():
            if not isinstance(value := getattr(self, name), str) or len(value) > limit or UNSTORABLE.search(value):
                raise BookError(
                    f"{name} must be a text of at most {limit} whole, printable characters, got {short(value)}"
                )
        recipes.loads(self.recipe)
        if self.seed is not None and not (
            isinstance(self.seed, str) and self.seed.isascii() and self.seed.isdigit() and len(self.seed) <= 20
        ):
            raise BookError(f"seed must be a whole number as text, got {short(self.seed)}")
        if self.score is not None and not is_finite(self.score):
            raise BookError(f"score must be a finite number, got {short(self.score)}")
        if not is_finite(self.made) or not 0 <= self.made <= LAST:
            raise BookError(f"made must be seconds since 1970, 0 to {LAST:.0f}, got {short(self.made)}")


class Kept(NamedTuple):
    """An entry that was kept.

    Args:
        number: Its id.
        new: Whether it was not there before.
    """

    number: int
    new: bool


def path(user: str = "") -> Path:
    """The database of a user; "" is the one user of a host without `--multi-user`."""
    return database.folder(user) / database.NAME


@contextmanager
def opened(user: str) -> Iterator[sqlite3.Connection]:
    """The book in one transaction: written to as a whole or not at all."""
    with database.opened(path(user)) as found:
        if not user and (former := path(user).with_name(FORMER)).is_file():
            take_over(found, former)
        with found.writing() as book:
            book.create_function("folded", 1, str.casefold, deterministic=True)
            yield book


def take_over(found: database.Database, former: Path) -> None:
    """Moves the entries of the book that an earlier version kept in a file of its own; the file stays under another
    name.
    """
    with found.writing() as book:
        entries = list(formerly(former))
        for entry in entries:
            write(book, entry)
    with suppress(FileNotFoundError):  # another server was faster: it moved the same
        os.replace(former, former.with_name(TAKEN))
    log.info(
        "The seed book, %d noises, has moved from %s into %s; the old file is now %s.",
        len(entries),
        former.name,
        database.NAME,
        TAKEN,
    )


def formerly(former: Path) -> list[Entry]:
    """The entries of an earlier version's file that can be read and are sound."""
    names, found = [field.name for field in fields(Entry)], []
    with closing(sqlite3.connect(former)) as book:
        try:
            for row in book.execute(f"SELECT {', '.join(names)} FROM noises ORDER BY id"):
                with suppress(ValueError):
                    found.append(Entry(*row))
        except sqlite3.Error as error:
            log.warning("%s could be read in part only: %s", former, str(error))
    return found


def keep(entries: Sequence[Entry], user: str = "") -> list[Kept]:
    """Adds entries. One that is there already, of the same recipe, prompt and model, is brought up to date unless it is
    the newer one.
    """
    with opened(user) as book:
        kept = [write(book, entry) for entry in entries]
        check_size(book)
    return kept


def write(book: sqlite3.Connection, entry: Entry) -> Kept:
    values = {field.name: getattr(entry, field.name) for field in fields(Entry)} | {
        "mark": mark_of(entry),
        "size": size_of(entry),
    }
    known = book.execute("SELECT id FROM noises WHERE mark = ?", [values["mark"]]).fetchone()
    changing = ", ".join(f"{name} = excluded.{name}" for name in ("seed", "score", "judge", "how", "made", "size"))
    book.execute(
        f"INSERT INTO noises ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) ON CONFLICT (mark) DO UPDATE"
        f" SET {changing}, picture = coalesce(excluded.picture, picture) WHERE excluded.made >= made",
        list(values.values()),
    )
    (number,) = book.execute("SELECT id FROM noises WHERE mark = ?", [values["mark"]]).fetchone()
    return Kept(number, known is None)


def mark_of(entry: Entry) -> bytes:
    """What makes two entries the same one."""
    return hashlib.blake2b(json.dumps([entry.recipe, entry.prompt, entry.model]).encode(), digest_size=16).digest()


def size_of(entry: Entry) -> int:
    texts = (getattr(entry, name) for name in ("recipe", *LIMITS))
    return OVERHEAD + sum(len(text.encode()) for text in texts) + len(entry.picture or b"")


def check_size(book: sqlite3.Connection) -> None:
    """Refuses what would make it larger than what can be taken out and in again."""
    held, size = book.execute("SELECT count(*), total(size) FROM noises").fetchone()
    if held > MAX_ENTRIES or size > MAX_BOOK:
        raise BookError(
            f"seed book must hold at most {MAX_ENTRIES} noises in {MAX_BOOK} bytes, got {held} in {size:.0f}"
        )


def listed(query: str = "", limit: int = 100, offset: int = 0, user: str = "") -> tuple[list[dict[str, Any]], int]:
    """Entries whose texts hold every word of the query, newest first, without their pictures; and how many there are in
    all.
    """
    words = query.casefold().split()
    text = "folded(prompt || ' ' || model || ' ' || judge || ' ' || how || ' ' || coalesce(seed, ''))"
    where = " AND ".join([f"instr({text}, ?) > 0"] * len(words)) or "1"
    with opened(user) as book:
        (count,) = book.execute(f"SELECT count(*) FROM noises WHERE {where}", words).fetchone()
        rows = book.execute(
            "SELECT id, recipe, seed, score, judge, prompt, model, how, made, picture IS NOT NULL AS picture FROM"
            f" noises WHERE {where} ORDER BY made DESC, id DESC LIMIT ? OFFSET ?",
            [*words, limit, offset],
        ).fetchall()
    return [{**dict(row), "picture": bool(row["picture"])} for row in rows], count


def picture(number: int, user: str = "") -> bytes | None:
    with opened(user) as book:
        row = book.execute("SELECT picture FROM noises WHERE id = ?", [number]).fetchone()
    return row["picture"] if row else None


def forget(number: int, user: str = "") -> bool:
    """Deletes an entry; False where there is none."""
    with opened(user) as book:
        return book.execute("DELETE FROM noises WHERE id = ?", [number]).rowcount > 0


def those_of(numbers: Sequence[int], user: str = "") -> set[int]:
    """Those of the numbers that are entries; none where the book cannot be read."""
    try:
        with opened(user) as book:
            rows = book.execute(
                "SELECT id FROM noises WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(numbers)]
            )
            return {row["id"] for row in rows}
    except (OSError, sqlite3.Error) as error:
        log.warning("The seed book could not be read: %s", str(error))
        return set()


def exported(user: str = "") -> bytes:
    """The whole book as JSON, oldest first, at most `MAX_EXPORT` bytes."""
    names = [field.name for field in fields(Entry)]
    with opened(user) as book:
        rows = book.execute(f"SELECT {', '.join(names)} FROM noises ORDER BY id").fetchall()
    entries = [
        {**dict(row), "picture": base64.b64encode(row["picture"]).decode() if row["picture"] else None} for row in rows
    ]
    return json.dumps({"noise_search_book": FORMAT, "noises": entries}, ensure_ascii=False).encode()


def imported(body: Any) -> list[Entry]:
    """The entries of an exported book. Whatever is wrong with one of them refuses them all, by its number."""
    if (
        not isinstance(body, Mapping)
        or body.get("noise_search_book") != FORMAT
        or not isinstance(body.get("noises"), list)
    ):
        raise BookError(f"file must be a seed book that Noise Search exported, got {short(body)}")
    entries = []
    for number, given in enumerate(body["noises"], 1):
        try:
            entries.append(entry_of(given))
        except ValueError as error:
            raise BookError(f"noise {number} of the file: {error}") from error
    return entries


def entry_of(given: Any) -> Entry:
    names = {field.name for field in fields(Entry)}
    if not isinstance(given, dict) or not {"recipe"} <= set(given) <= names:
        raise BookError(
            f"a noise must have a recipe and of {', '.join(sorted(names))} what is known, got {short(given)}"
        )
    return Entry(**{**given, "picture": small_picture(given.get("picture"))})


def small_picture(text: Any) -> bytes | None:
    """A thumbnail from a file, written anew: nothing of the file's own bytes is kept."""
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > MAX_PICTURE * 4 // 3:
        raise BookError(f"picture must be a JPEG of at most {MAX_PICTURE} bytes in base64, got {short(text)}")
    try:
        found = Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=["JPEG"])
        if max(found.size) > MAX_SIDE:
            raise BookError(f"picture must be at most {MAX_SIDE} pixels wide and high, got {found.size}")
        return jpeg(found)
    except (binascii.Error, UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise BookError(f"picture must be a JPEG in base64, got {short(text)}") from error


def jpeg(picture: Image.Image) -> bytes:
    small = picture.convert("RGB")
    small.thumbnail((PICTURE, PICTURE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=88)
    return file.getvalue()


def is_finite(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)
    )
