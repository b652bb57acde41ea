"""What earlier runs of a search paid for, and where it is kept: one journal per setup in the host's user folder."""

import base64
import logging
import math
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import comfy.model_management as memory
import folder_paths
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ...search.journal import Journal
from ...search.path import Tried
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

    Args:
        identity: What must be equal for something to be used again; None to remember nothing.
        columns: Names of the raw values.
        judged_only: Whether a latent is of use only with its values, because the judge needs more than its picture.
    """

    def __init__(self, identity: Identity | None = None, columns: Sequence[str] = (), judged_only: bool = False):
        self.identity, self.columns, self.judged_only = identity, columns, judged_only
        self.notes: list[str] = []
        self.limit = limit_in_bytes()
        self.journal: Journal | None = None
        if identity is not None and self.limit:
            self._attempt(self._open)

    def sampled(self, tried: Tried) -> tuple[Particles, int] | None:
        """Where the candidate ended and its model calls, if that was paid for."""
        if self.journal is None or (self.judged_only and self.values(tried) is None):
            return None
        found = self.journal.get("latent", tried.key)
        return particles(found) if found else None

    def values(self, tried: Tried) -> tuple[float, ...] | None:
        """Its raw values by this judge, if they were paid for."""
        found = self.journal.get("values", self._judged(tried)) if self.journal else None
        values = found.get("values") if found else None
        good = isinstance(values, list) and len(values) == len(self.columns) and all(type(one) in (int, float) and math.isfinite(one) for one in values)
        return tuple(map(float, values)) if good else None

    def keep_sampled(self, tried: Sequence[Tried], states: Sequence[Particles], nfe: int) -> None:
        """Written at once, together; before anything else is done with them."""
        self._write([{"kind": "latent", "key": one.key, **record(state, nfe)} for one, state in zip(tried, states)
                     if self.journal and ("latent", one.key) not in self.journal])

    def keep_values(self, tried: Sequence[Tried], rows: Sequence[Sequence[float]]) -> None:
        self._write([{"kind": "values", "key": self._judged(one), "values": list(row)} for one, row in zip(tried, rows)])

    def note(self, kind: str, content: dict[str, Any]) -> None:
        """What the artist did with this very search; also after it is over."""
        if self.journal is None:
            return
        over = self.journal.closed
        if over:
            self._attempt(self._open)
        self._write([{"kind": kind, "key": self.identity.run, **content}])
        if over:
            self.close()

    def noted(self, kind: str) -> dict[str, Any]:
        return (self.journal.get(kind, self.identity.run) if self.journal else None) or {}

    def forget(self) -> int:
        """Removes the journal; how many bytes that freed."""
        if self.journal is None:
            return 0
        self.close()
        path = self.journal.path
        size = path.stat().st_size if path.exists() else 0
        path.unlink(missing_ok=True)
        return size

    def close(self) -> None:
        if self.journal:
            self.journal.close()

    def __enter__(self) -> "Memo":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _open(self) -> None:
        path = folder() / f"{self.identity.sampling}.journal"
        expire(folder(), self.limit, but=path)
        self.journal = Journal(path, self.identity.sampling, self.limit)
        os.utime(path)

    def _judged(self, tried: Tried) -> str:
        return f"{tried.key} {self.identity.judging}" if self.identity else ""

    def _write(self, records: list[dict[str, Any]]) -> None:
        if records and self.journal:
            self._attempt(lambda: (with_room(self.journal.path), self.journal.add(records)))

    def _attempt(self, action: Any) -> None:
        try:
            action()
        except OSError as error:
            log.warning("The search goes on, but what it finds from here on is not kept for another run: %s", str(error))
            self.notes.append(f"Not kept for another run from some point on: {error}")
            self.close()
            self.journal = None


def folder() -> Path:
    return Path(folder_paths.get_user_directory()) / "noise_search" / "journals"


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


def expire(place: Path, limit: int, but: Path | None = None) -> None:
    """Removes journals that were not used for long, then the oldest until the others leave half of the limit free."""
    if not place.is_dir():
        return
    found = sorted((path for path in place.glob("*.journal") if path != but), key=lambda path: path.stat().st_mtime)
    while found and (time.time() - found[0].stat().st_mtime > DAYS * 86400 or sum(path.stat().st_size for path in found) > limit / 2):
        found.pop(0).unlink()


def with_room(path: Path) -> None:
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
