"""What earlier runs paid for: latents by setup and candidate, raw values by judge, outcomes of finals, and what the
artist noted.

All of it together keeps to a limit: what was used least recently goes first, within the transaction that needs the
room.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .database import Database, free_space

DAYS = 30  # without use, after which a record goes
SPARE = 1 << 30  # bytes of the disk that are left to others
OVERHEAD = 200  # bytes of a record beside its data, about
VACUUM = 4096  # pages that are given back to the disk when a store is closed
TABLES = ("latents", "measured", "notes")


class Full(OSError):
    """Something does not fit into the limit, even alone."""


@dataclass(frozen=True)
class Sampled:
    """Where a candidate ended.

    Args:
        sigma: Noise level; 0 = a picture.
        seed: Of its sampler; a text when it comes from a store, whose whole numbers end before a seed's.
        nfe: Model calls that it took.
        data: Its tensors, as safetensors writes them.
    """

    sigma: float
    seed: int | str
    nfe: int
    data: bytes


class Store:
    """The store of one user, for one search; any number of them may be open, in any number of processes.

    Args:
        path: The database's file.
        limit: Bytes that all records together may take.

    Raises:
        OSError, sqlite3.Error: If it cannot be opened. Every method raises these as well.
    """

    def __init__(self, path: Path, limit: int):
        self.database, self.limit = Database(path), limit
        self._lock = threading.Lock()
        self._read: set[tuple[str, str]] = set()  # latents, since the last transaction

    @property
    def notes(self) -> list[str]:
        """What the artist should know about it."""
        return self.database.notes

    def latent(self, setup: str, key: str) -> Sampled | None:
        """Where a candidate ended, as it was written; None where that is not there, or damaged."""
        with self._lock:
            rows = self.database.read(
                "SELECT sigma, seed, nfe, mark, data FROM latents WHERE setup = ? AND key = ?", (setup, key)
            )
            self._read |= {(setup, key)} if rows else set()
        good = [row for row in rows if isinstance(row["data"], bytes) and row["mark"] == mark(row["data"])]
        return next((Sampled(row["sigma"], row["seed"], row["nfe"], row["data"]) for row in good), None)

    def values(self, setup: str, key: str, judge: str) -> tuple[float, ...] | None:
        with self._lock:
            rows = self.database.read(
                "SELECT row AS text, mark FROM measured WHERE setup = ? AND key = ? AND judge = ?", (setup, key, judge)
            )
        return numbers(sound(rows))

    def keep_latents(self, setup: str, found: Mapping[str, Sampled]) -> None:
        """All of them, on the disk when this returns; the newest stay whatever the limit is.

        Raises:
            Full: If the limit does not hold one of them, or the disk is nearly full.
        """
        if too_large := next((one for one in found.values() if len(one.data) + OVERHEAD > self.limit), None):
            raise Full(
                f"the store may hold {self.limit / 1e6:.4g} MB, and one latent takes {len(too_large.data) / 1e6:.4g} MB"
            )
        with self._writing() as (book, now):
            for key, one in found.items():
                book.execute(
                    "INSERT INTO latents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET sigma ="
                    " excluded.sigma, seed = excluded.seed, nfe = excluded.nfe, size = excluded.size, used ="
                    " excluded.used, mark = excluded.mark, data = excluded.data",
                    (
                        setup,
                        key,
                        one.sigma,
                        str(one.seed),
                        one.nfe,
                        len(one.data) + OVERHEAD,
                        now,
                        mark(one.data),
                        one.data,
                    ),
                )

    def keep_values(self, setup: str, judge: str, found: Mapping[str, Sequence[float]]) -> None:
        with self._writing() as (book, now):
            for key, row in found.items():
                text = json.dumps(list(row), allow_nan=False)
                book.execute(
                    "INSERT INTO measured VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET row = excluded.row, "
                    "mark = excluded.mark, used = excluded.used, size = excluded.size",
                    (setup, key, judge, text, mark(text.encode()), len(text) + OVERHEAD, now),
                )

    def note(self, run: str, kind: str, content: Mapping[str, Any]) -> None:
        with self._writing() as (book, now):
            text = json.dumps(content, allow_nan=False)
            book.execute(
                "INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET content = excluded.content, "
                "mark = excluded.mark, used = excluded.used, size = excluded.size",
                (run, kind, text, mark(text.encode()), len(text) + OVERHEAD, now),
            )

    def noted(self, run: str, kind: str) -> dict[str, Any]:
        """What was noted; nothing where that is not there or damaged."""
        with self._lock:
            rows = self.database.read("SELECT content AS text, mark FROM notes WHERE run = ? AND kind = ?", (run, kind))
        found = parsed(sound(rows))
        return found if isinstance(found, dict) else {}

    def forget(self, setups: Sequence[str], run: str) -> int:
        """Removes what is kept of setups, and the notes of a run; how many bytes that freed."""
        with self._lock, self.database.writing() as book:
            before = book.execute("SELECT bytes FROM held").fetchone()["bytes"]
            for setup in setups:
                book.execute("DELETE FROM latents WHERE setup = ?", (setup,))
                book.execute("DELETE FROM measured WHERE setup = ?", (setup,))
            book.execute("DELETE FROM notes WHERE run = ?", (run,))
            freed = before - book.execute("SELECT bytes FROM held").fetchone()["bytes"]
        with self._lock:
            self.database.shrink()
        return freed

    def close(self) -> None:
        try:
            if self._read:
                with self._writing():
                    """What was read counts as used."""
            with self._lock:
                self.database.shrink(VACUUM)
        finally:
            self.database.close()

    @contextmanager
    def _writing(self) -> Iterator[tuple[Any, float]]:
        """A transaction and its time, which is later than all others; what was read is marked as used, and the limit is
        kept.
        """
        if (free := free_space(self.database.path.parent)) < SPARE:
            raise Full(f"the disk of {self.database.path.parent} must keep {SPARE >> 20} MB free, got {free >> 20}")
        with self._lock, self.database.writing() as book:
            last = book.execute("SELECT max(used) AS last FROM latents").fetchone()["last"] or 0.0
            now = max(time.time(), last + 1e-6)
            for table in ("latents", "measured"):
                book.executemany(
                    f"UPDATE {table} SET used = ? WHERE setup = ? AND key = ?", [(now, *one) for one in self._read]
                )
            yield book, now
            make_room(book, self.limit, now)
        self._read = set()


def make_room(book: Any, limit: int, now: float) -> None:
    """Drops what was not used for long, then the least recently used of all kinds until the limit is kept; values go
    with their latents.
    """
    for table in TABLES:
        book.execute(f"DELETE FROM {table} WHERE used < ?", (now - DAYS * 86400,))
    while (over := book.execute("SELECT bytes FROM held").fetchone()["bytes"] - limit) > 0:
        for kind, one, two, three, size in book.execute(OLDEST).fetchall():
            if over <= 0:
                break
            for statement in DROP[kind]:
                book.execute(statement, {"one": one, "two": two, "three": three})
            over -= size


# The least recently used, by way of the indexes: setup, key and judge, or run and kind.
OLDEST = """SELECT 'latents' AS kind, setup, key, '' AS judge, size, used FROM latents
            UNION ALL SELECT 'measured', setup, key, judge, size, used FROM measured
            UNION ALL SELECT 'notes', run, kind, '', size, used FROM notes ORDER BY used LIMIT 500"""
OLDEST = f"SELECT kind, setup, key, judge, size FROM ({OLDEST})"
DROP = {
    "latents": (
        "DELETE FROM latents WHERE setup = :one AND key = :two",
        "DELETE FROM measured WHERE setup = :one AND key = :two",
    ),
    "measured": ("DELETE FROM measured WHERE setup = :one AND key = :two AND judge = :three",),
    "notes": ("DELETE FROM notes WHERE run = :one AND kind = :two",),
}


def mark(data: bytes) -> bytes:
    """Digest of a record: a disk that gives back other bytes is not believed."""
    return hashlib.blake2b(data, digest_size=8).digest()


def sound(rows: Sequence[Any]) -> str:
    """The text of the one row, "" where there is none or it is not what was written."""
    return next(
        (row["text"] for row in rows if isinstance(row["text"], str) and row["mark"] == mark(row["text"].encode())), ""
    )


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def numbers(text: str) -> tuple[float, ...] | None:
    found = parsed(text)
    good = isinstance(found, list) and all(type(one) in (int, float) for one in found)
    return tuple(map(float, found)) if good else None
