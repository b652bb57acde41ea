"""What earlier runs of a search paid for, and where it is kept: one journal per setup in the host's user folder."""

import base64
import json
import logging
import math
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path as File
from typing import Any

import comfy.model_management as memory
import folder_paths
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ...search.journal import Journal
from ...search.path import Path, Tried
from .identity import Identity
from .noise import Latent, joined, streams
from .rollout import Particles

log = logging.getLogger("noise_search")

SWITCH = "NOISE_SEARCH_JOURNAL"  # environment: "off", or how many GB all journals together may take
DEFAULT_GB = 4.0
DAYS = 30  # without use, after which a journal goes
SPARE = 1 << 30  # bytes of the disk that are left to others


class Memo:
    """Remembers candidates by their key: latents, and raw values per judge. A full or broken disk costs nothing but the memory.

    It is open within `with`; what the artist does with a search can be noted afterwards as well.

    Args:
        identity: What must be equal for something to be used again; None to remember nothing.
        columns: Names of the raw values.
        judged_only: Whether a latent is of use only with its values, because the judge needs more than its picture.
    """

    def __init__(self, identity: Identity | None = None, columns: Sequence[str] = (), judged_only: bool = False):
        self.identity, self.columns, self.judged_only = identity or Identity(), columns, judged_only
        self.notes: list[str] = list(self.identity.problems)
        self.limit = limit_in_bytes() if self.identity.sampling else 0
        self.journal: Journal | None = None

    def sampled(self, tried: Tried) -> tuple[Particles, int] | None:
        """Where the candidate ended and its model calls, if that was paid for."""
        if self.journal is None or (self.judged_only and self.values(tried) is None):
            return None
        found = self._read("latent", self._sampled(tried))
        return particles(found) if found else None

    def values(self, tried: Tried) -> tuple[float, ...] | None:
        """Its raw values by this judge, if they were paid for."""
        found = self._read("values", self._judged(tried)) if self.identity.judging else None
        values = found.get("values") if found else None
        good = isinstance(values, list) and len(values) == len(self.columns) and all(type(one) in (int, float) and math.isfinite(one) for one in values)
        return tuple(map(float, values)) if good else None

    def keep_sampled(self, tried: Sequence[Tried], states: Sequence[Particles], nfe: int) -> None:
        """Written at once, together; before anything else is done with them."""
        if journal := self.journal:
            self._write([{"kind": "latent", "key": self._sampled(one), **record(state, nfe)} for one, state in zip(tried, states)
                         if ("latent", self._sampled(one)) not in journal])

    def keep_values(self, tried: Sequence[Tried], rows: Sequence[Sequence[float]]) -> None:
        if self.identity.judging:
            self._write([{"kind": "values", "key": self._judged(one), "values": list(row)} for one, row in zip(tried, rows)])

    def note(self, kind: str, content: dict[str, Any]) -> None:
        """What the artist did with this very search; also after it is over."""
        if self.limit:
            self._attempt(lambda: write_note(self._notes_file, {**read_note(self._notes_file), kind: content}))

    def noted(self, kind: str) -> dict[str, Any]:
        found = read_note(self._notes_file).get(kind) if self.limit else None
        return found if isinstance(found, dict) else {}

    def forget(self) -> int:
        """Removes the journal and the notes; how many bytes that freed.

        Raises:
            InUse: If a search is using the journal.
            OSError: If it cannot be removed.
        """
        if not self.limit:
            return 0
        self._notes_file.unlink(missing_ok=True)
        return remove(self._path)

    def __enter__(self) -> "Memo":
        if self.limit:
            self._attempt(self._open)
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    @property
    def _path(self) -> File:
        return folder() / f"{self.identity.sampling}.journal"

    @property
    def _notes_file(self) -> File:
        return folder() / f"{self.identity.run}.json"

    def _open(self) -> None:
        self.journal = borrowed(self._path, self.identity.sampling, self.limit)

    def _close(self) -> None:
        if self.journal:
            give_back(self.journal)
            self.journal = None

    def _judged(self, tried: Tried) -> str:
        return f"{self._sampled(tried)} {self.identity.judging}"

    def _sampled(self, tried: Tried) -> str:
        """The candidate's key; what was drafted with another setup, or goes on from that, has that setup's in it."""
        step: Any = tried
        while isinstance(step, Path):
            if step.draft:
                return f"{tried.key} {self.identity.drafting}"
            step = step.parent
        return tried.key

    def _read(self, kind: str, key: str) -> dict[str, Any] | None:
        journal = self.journal
        return self._attempt(lambda: journal.get(kind, key)) if journal else None

    def _write(self, records: list[dict[str, Any]]) -> None:
        if records and (journal := self.journal):
            self._attempt(lambda: (with_room(journal.path), journal.add(records)))

    def _attempt(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except OSError as error:
            log.warning("The search goes on, but what it finds from here on is not kept for another run: %s", str(error))
            self.notes.append(f"Not kept for another run from some point on: {error}")
            self._close()
            return None


class InUse(Exception):
    """A search is using the journal."""


_in_use: dict[File, tuple[Journal, int]] = {}  # open journals, and how many searches use each: searches of one setup share one
_in_use_lock = threading.Lock()


def borrowed(path: File, identity: str, limit: int) -> Journal:
    """The open journal of this path, for as long as it is not given back."""
    with _in_use_lock:
        journal, users = _in_use.get(path, (None, 0))
        if journal is None:
            expire(path.parent, limit, but=path)
            journal = Journal(path, identity, max(0, limit - size_of(journals(path.parent, but=path))))
            os.utime(path)
        _in_use[path] = journal, users + 1
        return journal


def give_back(journal: Journal) -> None:
    with _in_use_lock:
        _, users = _in_use.pop(journal.path)
        if users > 1:
            _in_use[journal.path] = journal, users - 1
        else:
            journal.close()


def remove(path: File) -> int:
    """Removes a journal that nobody uses; how many bytes that freed."""
    with _in_use_lock:
        if path in _in_use:
            raise InUse("the journal must not be in use by a search with the same setup")
        freed = size_of([path])
        path.unlink(missing_ok=True)
        return freed


def folder() -> File:
    return File(folder_paths.get_user_directory()) / "noise_search" / "journals"


def limit_in_bytes() -> int:
    """What all journals together may take; 0 where they are switched off.

    Raises:
        ValueError: If the environment says neither "off" nor a number.
    """
    said = os.environ.get(SWITCH, "").strip().lower() or str(DEFAULT_GB)
    try:
        gigabytes = 0.0 if said == "off" else float(said)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < math.inf:
        raise ValueError(f'{SWITCH} must be "off" or a number of gigabytes, got {said!r}')
    return int(gigabytes * 1e9)


def expire(place: File, limit: int, but: File | None = None) -> None:
    """Removes what was not used for long, then the oldest journals until all together keep to the limit; none that is in use."""
    now = time.time()
    for path in place.glob("*.json"):
        if now - path.stat().st_mtime > DAYS * 86400:
            path.unlink(missing_ok=True)
    kept = journals(place)
    for path in [path for path in kept if path != but and path not in _in_use]:
        if now - path.stat().st_mtime > DAYS * 86400 or size_of(kept) > limit:
            path.unlink(missing_ok=True)
            kept.remove(path)


def journals(place: File, but: File | None = None) -> list[File]:
    """All others, the one that was not used for longest first."""
    return sorted((path for path in place.glob("*.journal") if path != but), key=lambda path: path.stat().st_mtime)


def size_of(paths: Sequence[File]) -> int:
    return sum(path.stat().st_size for path in paths if path.exists())


def read_note(path: File) -> dict[str, Any]:
    """What was noted; nothing where that is not there or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_note(path: File, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{uuid.uuid4().hex}.part")
    scratch.write_text(json.dumps(content), encoding="utf-8")
    scratch.replace(path)  # at once: never half a note


def with_room(path: File) -> None:
    if (free := shutil.disk_usage(path.parent).free) < SPARE:
        raise OSError(f"the disk of {path.parent} must keep {SPARE >> 20} MB free, got {free >> 20}")


def record(state: Particles, nfe: int) -> dict[str, Any]:
    """A particle as JSON. A finished picture's noise is of no use any more: whatever goes on from it draws afresh."""
    named = {f"x0.{number}": part for number, part in enumerate(streams(state.x0))}
    if state.sigma:
        named |= {f"eps.{number}": part for number, part in enumerate(streams(state.eps))}
    data = save({name: part.detach().cpu().contiguous() for name, part in named.items()})
    return {"sigma": state.sigma, "seed": state.seeds[0], "nfe": nfe, "data": base64.b64encode(data).decode()}


def particles(found: dict[str, Any]) -> tuple[Particles, int] | None:
    """Inverse of `record`; None where it does not hold one."""
    try:
        named = load(base64.b64decode(found["data"], validate=True))
        sigma, seed, nfe = float(found["sigma"]), int(found["seed"]), int(found["nfe"])
        x0 = latent(named, "x0")
        eps = latent(named, "eps") if sigma else joined([torch.zeros_like(part) for part in streams(x0)])
    except (KeyError, TypeError, ValueError, OverflowError, SafetensorError):
        return None
    sound = all(part.is_floating_point() and part.shape[:1] == (1,) and part.isfinite().all() for part in (*streams(x0), *streams(eps)))
    return (Particles(x0, eps, sigma, (seed,)), nfe) if sound and math.isfinite(sigma) and 0 <= seed < 2**64 else None


def latent(named: dict[str, torch.Tensor], name: str) -> Latent:
    count = sum(key.startswith(f"{name}.") for key in named)
    if not count:
        raise KeyError(name)
    return joined([named[f"{name}.{number}"].to(memory.intermediate_device()) for number in range(count)])
