"""What earlier runs of a search paid for: its view of the store, which costs nothing but the memory where the disk
fails.
"""

import logging
import math
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path as File
from typing import Any

import comfy.model_management as memory
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ....search.path import Path, Proposal
from ..background import Background
from ..setup.noise import Latent, joined, streams
from ..setup.particles import Particles
from . import database
from .identity import Identity
from .identity.contents import digest
from .records import Sampled, Store

log = logging.getLogger("noise_search")

SWITCH = "NOISE_SEARCH_STORE"  # environment: "off", or how many GB all that is kept may take
FORMER_SWITCH = "NOISE_SEARCH_JOURNAL"  # its former name
DEFAULT_GB = 4.0
GALLERIES = 16  # of all that is kept, galleries may take one part in so many
FINAL = "final"  # what is noted of a knockout

State = tuple[float, int, dict[str, torch.Tensor]]


class Memo:
    """Remembers candidates by their key: latents, raw values by judge, outcomes of finals. A full or broken disk costs
    nothing but the memory.

    It is open within `with`; what the artist does with a search can be noted afterwards as well.

    Args:
        identity: What must be equal for something to be used again; none to remember nothing.
        columns: Names of the raw values.
        judged_only: Whether a latent is of use only with its values, because the judge needs more than its picture.
        user: Whose store it is, on a host with `--multi-user`.
    """

    def __init__(
        self, identity: Identity = Identity(), columns: Sequence[str] = (), judged_only: bool = False, user: str = ""
    ):
        self.identity, self.columns, self.judged_only = identity, columns, judged_only
        self.notes: list[str] = list(identity.problems)
        self.limit = limit_in_bytes() - limit_of_galleries() if identity.sampling else 0
        self.path = database.folder(user) / database.NAME
        self.store: Store | None = None
        self._background, self._one_at_a_time = Background(), threading.RLock()

    def sampled(self, proposed: Proposal) -> tuple[Particles, int] | None:
        """Where the candidate ended and its model calls, if that was paid for."""
        if self.store is None or (self.judged_only and self.values(proposed) is None):
            return None
        found = self._attempt(lambda store: store.latent(self._setup(proposed), proposed.key))
        return particles(found) if found else None

    def values(self, proposed: Proposal) -> tuple[float, ...] | None:
        """Its raw values by this judge, if they were paid for."""
        return self._values(proposed, self.identity.judging, self.columns)

    def looks(self, proposed: Proposal, columns: Sequence[str]) -> tuple[float, ...] | None:
        """Its raw values by the judge that accepts, if they were paid for."""
        return self._values(proposed, self.identity.accepting, columns)

    def _values(self, proposed: Proposal, judging: str, columns: Sequence[str]) -> tuple[float, ...] | None:
        found = (
            self._attempt(lambda store: store.values(self._setup(proposed), proposed.key, judging)) if judging else ()
        )
        return found if found and len(found) == len(columns) and all(map(math.isfinite, found)) else None

    def keep_sampled(self, proposed: Sequence[Proposal], states: Sequence[Particles], nfe: int) -> None:
        """Together, while what comes after them is done; on the disk once it has settled."""
        states_of = {one.key: tensors_of(state) for one, state in zip(proposed, states)} if self.store else {}
        for setup, part in self._by_setup(proposed).items():
            named = {one.key: states_of[one.key] for one in part}
            size = sum(tensor.nbytes for _, _, tensors in named.values() for tensor in tensors.values())
            self._background.do(self._keep_latents, setup, named, nfe, size=size)

    def settle(self) -> None:
        """Waits until what was kept is on the disk."""
        self._background.settle()

    def _keep_latents(self, setup: str, named: dict[str, State], nfe: int) -> None:
        self._attempt(lambda store: store.keep_latents(setup, {key: record(*one, nfe) for key, one in named.items()}))

    def keep_values(self, proposed: Sequence[Proposal], rows: Sequence[Sequence[float]]) -> None:
        self._keep_values(proposed, rows, self.identity.judging)

    def keep_looks(self, proposed: Sequence[Proposal], rows: Sequence[Sequence[float]]) -> None:
        """Raw values by the judge that accepts."""
        self._keep_values(proposed, rows, self.identity.accepting)

    def _keep_values(self, proposed: Sequence[Proposal], rows: Sequence[Sequence[float]], judging: str) -> None:
        found = {one.key: row for one, row in zip(proposed, rows)}
        for setup, part in self._by_setup(proposed).items() if judging else ():
            # of others the search itself tells
            judged = {one.key: found[one.key] for one in part if all(map(math.isfinite, found[one.key]))}
            self._attempt(lambda store, setup=setup, judged=judged: store.keep_values(setup, judging, judged))

    def final(self, judge: str, proposed: Sequence[Proposal], hold: Callable[[], list[int]]) -> list[int]:
        """The outcome of a knockout between candidates: what it was before, or what it is now.

        Args:
            judge: Key of what compares; "" where that is not known, and the knockout is held anew.
            hold: Holds it; the places of the candidates, best first.
        """
        key = (
            digest(self.identity.sampling, self.identity.judging, judge, [one.key for one in proposed])
            if judge and self.identity.judging
            else ""
        )
        known = self._attempt(lambda store: store.noted(key, FINAL)) if key else None
        order = known.get("order") if known else None
        if isinstance(order, list) and sorted(map(repr, order)) == sorted(map(repr, range(len(proposed)))):
            return order
        order = hold()
        if key:
            self._attempt(lambda store: store.note(key, FINAL, {"order": order}))
        return order

    def note(self, kind: str, content: dict[str, Any]) -> None:
        """What the artist did with this very search; also after it is over, and without an effect on what is open."""
        if self.limit:
            self._apart(lambda store: store.note(self.identity.run, kind, content))

    def noted(self, kind: str) -> dict[str, Any]:
        return (self._apart(lambda store: store.noted(self.identity.run, kind)) or {}) if self.limit else {}

    def forget(self) -> int:
        """Removes what is kept of this setup, for any search and judge, and this search's notes; how many bytes that
        freed.

        Raises:
            OSError, sqlite3.Error: If it cannot be removed.
        """
        if not self.limit:
            return 0
        with closing(Store(self.path, self.limit)) as store:
            return store.forget((self.identity.sampling, self.identity.drafting), self.identity.run)

    def __enter__(self) -> "Memo":
        if self.limit:
            try:
                retire_journals(self.path.parent / "journals")
                self.store = Store(self.path, self.limit)
                self._hear(self.store)
            except (OSError, sqlite3.Error) as error:
                self._give_up(error)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        background, self._background = self._background, Background()
        try:
            background.__exit__(kind, *error)
        finally:
            self._close()

    def _close(self) -> None:
        store, self.store = self.store, None
        if store:
            try:
                store.close()
            except (OSError, sqlite3.Error) as problem:
                log.warning("The store was not closed as it should be: %s", str(problem))

    def _setup(self, proposed: Proposal) -> str:
        """That of the candidate; what was drafted with another setup, or goes on from that, is that setup's."""
        step: Any = proposed
        while isinstance(step, Path):
            if step.draft:
                return self.identity.drafting
            step = step.parent
        return self.identity.sampling

    def _by_setup(self, proposed: Sequence[Proposal]) -> dict[str, list[Proposal]]:
        found: dict[str, list[Proposal]] = {}
        for one in proposed if self.store else ():
            found.setdefault(self._setup(one), []).append(one)
        return found

    def _attempt(self, action: Callable[[Store], Any]) -> Any:
        with self._one_at_a_time:
            try:
                return action(self.store) if self.store else None
            except (OSError, sqlite3.Error) as error:
                self._begin_anew(error) if database.is_damage(error) else self._give_up(error)
                return None

    def _hear(self, store: Store) -> None:
        """What the artist should know of it, once."""
        self.notes += [note for note in store.notes if note not in self.notes]

    def _begin_anew(self, damage: Exception) -> None:
        """Sets a damaged store aside and goes on with a new one."""
        self._close()
        try:
            self.notes.append(database.set_aside(self.path, damage))
            self.store = Store(self.path, self.limit)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        # not the error: it holds the search
        log.warning("The search goes on, but what it finds from here on is not kept for another run: %s", str(error))
        self.notes.append(f"Not kept for another run from some point on: {error}")
        self._close()

    def _apart(self, action: Callable[[Store], Any]) -> Any:
        """On a connection of its own: a note that cannot be written costs the note."""
        try:
            with closing(Store(self.path, self.limit)) as store:
                self._hear(store)
                return action(store)
        except (OSError, sqlite3.Error) as error:
            log.warning("A note on the search could not be kept or read: %s", str(error))
            return None


def limit_in_bytes() -> int:
    """What all that is kept may take; 0 where nothing is to be kept.

    Raises:
        ValueError: If the environment says neither "off" nor a number.
    """
    name = SWITCH if os.environ.get(SWITCH, "").strip() else FORMER_SWITCH
    said = os.environ.get(name, "").strip().lower() or str(DEFAULT_GB)
    try:
        gigabytes = 0.0 if said == "off" else float(said)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < math.inf:
        raise ValueError(f'{name} must be "off" or a number of gigabytes, got {said!r}')
    return int(gigabytes * 1e9)


def limit_of_galleries() -> int:
    """What galleries may take of that; 0 where nothing is to be kept."""
    return limit_in_bytes() // GALLERIES


def retire_journals(folder: File) -> None:
    """Removes the files of the version before, whose keys nothing asks for any more; a word in the log says how much
    that frees.
    """
    if not folder.is_dir():
        return
    old = [
        path for path in folder.iterdir() if re.fullmatch(r"[0-9a-f]{32}\.(journal|json)", path.name) and path.is_file()
    ]
    freed = sum(path.stat().st_size for path in old)
    for path in old:
        path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
    if old:
        log.info(
            "Removed %d files of an earlier version of Noise Search (%.1f MB) from %s.", len(old), freed / 1e6, folder
        )


def tensors_of(state: Particles) -> State:
    """Noise level, seed and tensors of a particle, on the CPU. A finished picture's noise is of no use any more:
    whatever goes on from it draws afresh.
    """
    going_on = {"eps": state.eps, "anchor": state.anchor} if state.sigma else {}
    kept = {"x0": state.x0, "handed": state.handed, **going_on}
    named = {
        f"{name}.{number}": part
        for name, held in kept.items()
        if held is not None
        for number, part in enumerate(streams(held))
    }
    return state.sigma, state.seeds[0], {name: part.detach().cpu() for name, part in named.items()}


def record(sigma: float, seed: int, tensors: dict[str, torch.Tensor], nfe: int) -> Sampled:
    """A particle as the store has it."""
    return Sampled(sigma, seed, nfe, save({name: part.contiguous() for name, part in tensors.items()}))


def particles(found: Sampled) -> tuple[Particles, int] | None:
    """What `record` wrote; None where it does not hold one."""
    try:
        named, sigma, seed, nfe = load(found.data), float(found.sigma), int(found.seed), int(found.nfe)
        x0 = latent(named, "x0")
        anchor, handed = (latent(named, name) if f"{name}.0" in named else None for name in ("anchor", "handed"))
        eps = latent(named, "eps") if sigma else joined([torch.zeros_like(part) for part in streams(x0)])
    except (KeyError, TypeError, ValueError, OverflowError, SafetensorError):
        return None
    sound = all(
        part.is_floating_point() and part.shape[:1] == (1,) and part.isfinite().all()
        for held in (x0, eps, anchor, handed)
        for part in (streams(held) if held is not None else ())
    )
    return (
        (Particles(x0, eps, sigma, (seed,), anchor=anchor, handed=handed), nfe)
        if sound and math.isfinite(sigma) and 0 <= seed < 2**64
        else None
    )


def latent(named: dict[str, torch.Tensor], name: str) -> Latent:
    count = sum(key.startswith(f"{name}.") for key in named)
    if not count:
        raise KeyError(name)
    return joined([named[f"{name}.{number}"].to(memory.intermediate_device()) for number in range(count)])
