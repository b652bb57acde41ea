"""A memo on disk that survives a crash: records are appended and flushed to the disk before the search goes on.

One record per line: a digest of the rest, "." where it ends a transaction ("+" where more of it follows), and JSON with its "kind" and "key". A line that was
cut off or changed is dropped with its transaction, the others stay. The first line names what the journal is of; one of something else is
emptied.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

FORMAT = 1
DIGEST = 16  # hexadecimal digits


class JournalFull(OSError):
    """The journal has reached its limit."""


class Journal:
    """Records by kind and key; a later one takes the place of an earlier one.

    Only places in the file are kept in memory. It may be written and read by several threads.

    Args:
        path: The file; made where it is missing, its folder too.
        identity: What it is of.
        limit: Bytes that it may grow to.

    Raises:
        OSError: If the file cannot be opened or written.
    """

    def __init__(self, path: Path, identity: str, limit: int = 1 << 40):
        self.path, self.limit = path, limit
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "a+b", buffering=0)
        self._torn = self._read()
        if self.get("journal", identity) != {"format": FORMAT}:
            if self._file.seek(0, os.SEEK_END):
                self._file.truncate(0)
            self._places, self._torn = {}, False
            self.add([{"kind": "journal", "key": identity, "format": FORMAT}])

    def __contains__(self, record: tuple[str, str]) -> bool:
        return record in self._places

    def __len__(self) -> int:
        return len(self._places)

    def keys(self, kind: str) -> list[str]:
        """Keys of one kind, in the order of their first writing."""
        with self._lock:
            return [key for other, key in self._places if other == kind]

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The record's content, None where there is none or it was damaged meanwhile."""
        with self._lock:
            place = self._places.get((kind, key))
            if place is None or self._file.closed:
                return None
            self._file.seek(place[0])
            line = self._file.read(place[1])
        parsed = _parsed(line)
        if parsed is None or (parsed[0]["kind"], parsed[0]["key"]) != (kind, key):  # another process may have emptied the file
            return None
        return {name: value for name, value in parsed[0].items() if name not in ("kind", "key")}

    def add(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append records, each with a "kind", a "key" and anything that JSON can say: all of them, or after a crash none.

        Raises:
            JournalFull: If they do not fit into the limit.
            OSError: If they could not be written and flushed to the disk.
        """
        lines = [_line(record, last=record is records[-1]) for record in records]
        with self._lock:
            if self._file.closed:
                return
            place = self._file.seek(0, os.SEEK_END)
            if place + sum(map(len, lines)) > self.limit:
                raise JournalFull(f"{self.path} has reached {self.limit} bytes")
            start = b"\n" if self._torn else b""
            self._torn = True  # until it is known to be whole
            data = start + b"".join(lines)
            if (written := self._file.write(data)) != len(data):
                raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes could be written", str(self.path))
            os.fsync(self._file.fileno())
            self._torn, place = False, self._file.tell() - sum(map(len, lines))
            for record, line in zip(records, lines):
                self._places[record["kind"], record["key"]] = place, len(line)
                place += len(line)

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        with self._lock:
            self._file.close()
            self._places = {}  # a closed one may be held for long

    def _read(self) -> bool:
        """Finds all whole transactions; whether the file ends within a line."""
        waiting: dict[tuple[str, str], tuple[int, int]] = {}
        line = b"\n"
        for place, line in self._lines():
            parsed = _parsed(line)
            if parsed is None:
                waiting = {}
                continue
            record, ends = parsed
            waiting[record["kind"], record["key"]] = place, len(line)
            if ends:
                self._places |= waiting
                waiting = {}
        return not line.endswith(b"\n")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        place = 0
        with open(self.path, "rb") as file:
            for line in file:
                yield place, line
                place += len(line)


def _line(record: Mapping[str, Any], last: bool) -> bytes:
    body = ("." if last else "+").encode() + json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    return _digest(body) + body + b"\n"


def _parsed(line: bytes) -> tuple[dict[str, Any], bool] | None:
    """The record, and whether it ends its transaction; None where the line is not as it was written."""
    digest, body = line[:DIGEST], line[DIGEST:].removesuffix(b"\n")
    if digest != _digest(body):
        return None
    try:
        record = json.loads(body[1:])
    except (ValueError, RecursionError):
        return None
    whole = isinstance(record, dict) and isinstance(record.get("kind"), str) and isinstance(record.get("key"), str)
    return (record, body[:1] == b".") if whole else None


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST // 2).hexdigest().encode()
