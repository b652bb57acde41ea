"""Galleries of searches that are over: what was tried and its small pictures, in a database of their own beside the
store, so that a damaged or newer one costs the galleries alone.

Of each node the last runs stay, for so many days, all of them within a share of what the store may take. Beyond that
the pictures of the oldest go first, its large ones before its small ones; what was tried stays longer than they do.
"""

import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .database import Database, free_space
from .records import DAYS, SPARE, Full, mark, parsed, sound

NAME = "galleries.sqlite3"
RUNS = 16  # of a node that are kept
MOST = 400  # galleries in all
OVERHEAD = 100  # bytes of a row beside its data, about
VACUUM = 4096  # pages that are given back to the disk after a gallery was kept

TABLES = """
CREATE TABLE galleries (
    search TEXT PRIMARY KEY, place TEXT NOT NULL, run TEXT NOT NULL, setup TEXT NOT NULL, drafting TEXT NOT NULL,
    size INTEGER NOT NULL, used REAL NOT NULL, header TEXT NOT NULL, mark BLOB NOT NULL, content_mark BLOB NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE pictures (
    search TEXT NOT NULL, candidate INTEGER NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (search, candidate, kind)
);
CREATE INDEX pictures_size ON pictures (search, candidate, kind, size);
CREATE INDEX galleries_used ON galleries (used, search, place, run, size);
"""
MIGRATIONS = (TABLES,)  # number k makes version k + 1 of version k
PRESENT = "coalesce((SELECT sum(size) FROM galleries), 0) + coalesce((SELECT sum(size) FROM pictures), 0)"
# pictures in the order that they go in
GOING = """SELECT pictures.search, candidate, kind, pictures.size FROM pictures LEFT JOIN galleries USING (search)
           ORDER BY used, kind = 'small', candidate DESC LIMIT 500"""


class Galleries:
    """The galleries of one user; any number of servers may have them open.

    Args:
        path: The database's file.
        limit: Bytes that all of it may take.

    Raises:
        OSError, sqlite3.Error: If it cannot be opened. Every method raises these as well.
    """

    def __init__(self, path: Path, limit: int):
        self.database, self.limit = Database(path, MIGRATIONS), limit

    def keep(
        self, header: Mapping[str, Any], content: Mapping[str, Any], pictures: Iterable[tuple[int, str, bytes]]
    ) -> None:
        """A gallery as a whole, or nothing of it.

        Args:
            header: What may change later. Its `search` is the id; `node` and `workflow` say where it is shown,
                `prompt_id` which run it is of, `setup` and `drafting` with which latents it is forgotten.
            content: What stays.
            pictures: Candidate, kind and file; of kinds only "small" is kept longer than the others.
        """
        packed = zlib.compress(json.dumps(content).encode())
        with self._writing() as book:
            search = header["search"]
            book.execute(
                "INSERT OR REPLACE INTO galleries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    search,
                    json.dumps([header["workflow"], header["node"]]),
                    header["prompt_id"] or search,
                    header["setup"],
                    header["drafting"],
                    len(packed) + len(json.dumps(header)) + OVERHEAD,
                    time.time(),
                    *marked(header),
                    mark(packed),
                    packed,
                ),
            )
            for candidate, kind, data in pictures:
                book.execute(
                    "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)",
                    (search, candidate, kind, len(data) + OVERHEAD, data),
                )
            make_room(book, self.limit)
        self.database.shrink(VACUUM)

    def change(self, header: Mapping[str, Any]) -> None:
        """A gallery that is still there gets another header."""
        with self._writing() as book:
            book.execute(
                "UPDATE galleries SET header = ?, mark = ?, used = ? WHERE search = ?",
                (*marked(header), time.time(), header["search"]),
            )

    def headers(self) -> list[dict[str, Any]]:
        """All that are sound, in the order that they were used."""
        rows = self.database.read("SELECT header AS text, mark FROM galleries ORDER BY used")
        found = [parsed(sound([row])) for row in rows]
        return [header for header in found if isinstance(header, dict)]

    def searches(self) -> set[str]:
        return {row["search"] for row in self.database.read("SELECT search FROM galleries")}

    def content(self, search: str) -> dict[str, Any] | None:
        """What was kept; None where it is gone, or damaged."""
        for row in self.database.read("SELECT content, content_mark FROM galleries WHERE search = ?", (search,)):
            if isinstance(row["content"], bytes) and row["content_mark"] == mark(row["content"]):
                found = parsed(zlib.decompress(row["content"]).decode())
                return found if isinstance(found, dict) else None
        return None

    def pictured(self, search: str) -> set[int]:
        """The candidates whose small picture is still there."""
        query = "SELECT candidate FROM pictures WHERE search = ? AND kind = 'small'"
        return {row["candidate"] for row in self.database.read(query, (search,))}

    def picture(self, search: str, candidate: int, kind: str) -> bytes | None:
        query = "SELECT data FROM pictures WHERE search = ? AND candidate = ? AND kind = ?"
        rows = self.database.read(query, (search, candidate, kind))
        return rows[0]["data"] if rows else None

    def forget(self, search: str, setups: Sequence[str]) -> int:
        """Removes a gallery, and those that were made with these setups; how many bytes that freed."""
        given = [one for one in setups if one]
        marks = ", ".join("?" * len(given))
        with self.database.writing() as book:
            before = present(book)
            book.execute(
                f"DELETE FROM galleries WHERE search = ? OR setup IN ({marks}) OR drafting IN ({marks})",
                (search, *given, *given),
            )
            drop_orphans(book)
            freed = before - present(book)
        self.database.shrink()
        return freed

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def _writing(self):
        if (free := free_space(self.database.path.parent)) < SPARE:
            raise Full(f"the disk of {self.database.path.parent} must keep {SPARE >> 20} MB free, got {free >> 20}")
        with self.database.writing() as book:
            yield book


def make_room(book: sqlite3.Connection, limit: int) -> None:
    """Drops what is too old, what is too many, and pictures until the limit is kept."""
    book.execute("DELETE FROM galleries WHERE used < ?", (time.time() - DAYS * 86400,))
    book.executemany("DELETE FROM galleries WHERE place = ? AND run = ?", list(too_many_runs(book)))
    book.execute(
        "DELETE FROM galleries WHERE search IN (SELECT search FROM galleries ORDER BY used DESC LIMIT -1 OFFSET ?)",
        (MOST,),
    )
    drop_orphans(book)
    while (over := present(book) - limit) > 0 and (going := book.execute(GOING).fetchall()):
        for search, candidate, kind, size in going:
            if over > 0:
                book.execute(
                    "DELETE FROM pictures WHERE search = ? AND candidate = ? AND kind = ?", (search, candidate, kind)
                )
                over -= size
    while present(book) > limit:
        book.execute("DELETE FROM galleries WHERE search = (SELECT search FROM galleries ORDER BY used LIMIT 1)")


def too_many_runs(book: sqlite3.Connection) -> Iterable[tuple[str, str]]:
    """Place and run of what is older than a node's last runs."""
    seen: dict[str, int] = {}
    for place, run, _ in book.execute(
        "SELECT place, run, max(used) AS last FROM galleries GROUP BY place, run ORDER BY last DESC"
    ).fetchall():
        seen[place] = seen.get(place, 0) + 1
        if seen[place] > RUNS:
            yield place, run


def drop_orphans(book: sqlite3.Connection) -> None:
    book.execute("DELETE FROM pictures WHERE search NOT IN (SELECT search FROM galleries)")


def present(book: sqlite3.Connection) -> int:
    return book.execute(f"SELECT {PRESENT} AS bytes").fetchone()["bytes"]


def marked(header: Mapping[str, Any]) -> tuple[str, bytes]:
    text = json.dumps(header)
    return text, mark(text.encode())
