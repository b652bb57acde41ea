"""The shelf: galleries of searches that are over, on the disk, for pages that ask after a restart.

One thread of the server reads and writes them, one thing after the other. Of each only its header is in memory.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

from comfy.cli_args import args

from ....search.lineages import Firsts
from ....search.path import Path as Walk
from ....search.path import Proposal
from ..engine.request import read_recipes
from ..store import database
from ..store.galleries import NAME, Galleries
from ..store.memo import limit_of_galleries
from . import pages
from .messages import SearchState, Status
from .origin import Known, origin_again

log = logging.getLogger("noise_search")

OVER = ("done", "interrupted", "failed")
GONE = "Pictures that are no longer kept on disk: {}. Their noises and seeds are."

_desk = ThreadPoolExecutor(1, "noise_search_shelf")  # its thread begins with the first work
_shelves: dict[Path, "Shelf"] = {}
_lock = threading.Lock()


class Shelved(Known):
    """A search on the shelf, as its header says."""

    def __init__(self, shelf: "Shelf", header: Mapping[str, Any]):
        super().__init__(origin_again(header, shelf.user, shelf.user if args.multi_user else pages.ONLY))
        self.shelf, self.header, self.version, self.count = shelf, header, header["version"], header["count"]
        self.kept: dict[int, int] = dict(header.get("kept", ()))
        self.status: Status = cast("Status", header["status"] if header["status"] in OVER else "interrupted")

    def content(self) -> dict[str, Any] | None:
        """What was kept, with what is left of its pictures; None where it is gone. It reads the disk."""
        return self.shelf.content(self.id)

    def state(self) -> SearchState | None:
        """All that a page needs; None where it is gone."""
        if (found := self.content()) is None:
            return None
        changing = {name: self.header[name] for name in ("pinned", "result", "stopped", "error")}
        changing["kept"] = list(self.kept)
        nothing: Any = {"making": 0.0, "seconds_left": 0.0, "tiles": None, "asked": None, "status": self.status}
        return SearchState(**{**found["state"], **changing, **nothing, **self.name()})

    def keep_change(self) -> None:
        """Who sees and steers it has changed."""
        self.shelf.change({**self.header, **self.origin.to_dict()})


class Shelf:
    """Those of one user. Nothing of it fails: what cannot be read is not there, and what cannot be written is not kept.

    Args:
        user: Whose folder it lies in, "" on a host with one user.
        path: The database's file.
    """

    def __init__(self, user: str, path: Path):
        self.user, self.path = user, path
        self._known: dict[str, Shelved] | None = None  # None: not read yet
        self._said = False

    def searches(self) -> list[Shelved]:
        """All of them; the first time it reads the disk."""
        if self._known is None:
            _desk.submit(self._read).result()
        return list((self._known or {}).values())

    def find(self, search: str) -> Shelved | None:
        return next((one for one in self.searches() if one.id == search), None)

    def keep(self, collect: Callable[[], tuple[dict[str, Any], dict[str, Any], Iterable]]) -> None:
        """Soon.

        Args:
            collect: Gives header, content and pictures as `Galleries.keep` takes them; called on the shelf's thread.
        """
        if limit_of_galleries():
            _desk.submit(self._keep, collect)

    def change(self, header: Mapping[str, Any]) -> None:
        """Soon; nothing where the gallery is gone."""
        _desk.submit(self._change, header)

    def content(self, search: str) -> dict[str, Any] | None:
        return _desk.submit(self._content, search).result()

    def picture(self, search: str, candidate: int, kind: str) -> bytes | None:
        """A picture's file; the small one where the large one is gone."""
        return _desk.submit(self._picture, search, candidate, kind).result()

    def forget(self, search: str, setups: Sequence[str]) -> int:
        """Removes a gallery and those of these setups; how many bytes that freed."""
        return _desk.submit(self._forget, search, setups).result()

    # On the shelf's thread

    def _read(self) -> None:
        if self._known is None:
            headers = self._opened(lambda galleries: galleries.headers()) if self.path.is_file() else None
            self._known = {}
            for header in headers or ():
                self._put(header)

    def _put(self, header: Mapping[str, Any]) -> None:
        with suppress(KeyError, TypeError, ValueError):  # of another version
            shelved, known = Shelved(self, header), self._known or {}
            self._known = {**known, shelved.id: shelved}

    def _keep(self, collect: Callable[[], tuple[dict[str, Any], dict[str, Any], Iterable]]) -> None:
        self._read()
        try:
            header, content, pictures = collect()
            there = self._opened(lambda galleries: kept(galleries, header, content, pictures))
        except (TypeError, ValueError) as error:  # another pack put into the workflow what is no JSON
            self._warn(error)
            return
        if there is not None:
            self._put(header)
            self._known = {search: one for search, one in (self._known or {}).items() if search in there}

    def _change(self, header: Mapping[str, Any]) -> None:
        self._read()
        if header["search"] in (self._known or {}):
            self._put(header)
            self._opened(lambda galleries: galleries.change(header))

    def _content(self, search: str) -> dict[str, Any] | None:
        def read(galleries: Galleries) -> dict[str, Any] | None:
            found = galleries.content(search)
            return found and with_lineages(with_what_is_left(found, galleries.pictured(search)))

        return self._opened(read) if self.path.is_file() else None

    def _picture(self, search: str, candidate: int, kind: str) -> bytes | None:
        def read(galleries: Galleries) -> bytes | None:
            found = galleries.picture(search, candidate, kind)
            return found or (galleries.picture(search, candidate, "small") if kind == "large" else None)

        return self._opened(read) if self.path.is_file() else None

    def _forget(self, search: str, setups: Sequence[str]) -> int:
        def forget(galleries: Galleries) -> tuple[int, set[str]]:
            return galleries.forget(search, setups), galleries.searches()

        freed, there = (self._opened(forget) if self.path.is_file() else None) or (0, set())
        self._known = {search: one for search, one in (self._known or {}).items() if search in there}
        return freed

    def _opened(self, action: Callable[[Galleries], Any]) -> Any:
        if not (limit := limit_of_galleries()):
            return None
        try:
            try:
                with closing(Galleries(self.path, limit)) as galleries:
                    return action(galleries)
            except sqlite3.DatabaseError as error:
                if database.is_damage(error):
                    database.set_aside(self.path, error)
                raise
        except (OSError, sqlite3.Error) as error:
            return self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._said:
            log.warning("The panel's pictures are not kept for after a restart: %s", str(error))
        self._said = True


def kept(galleries: Galleries, header: dict[str, Any], content: dict[str, Any], pictures: Iterable) -> set[str]:
    """Keeps a gallery; the ids of all that are there then."""
    galleries.keep(header, content, pictures)
    return galleries.searches()


def shelf_of(user: str) -> Shelf:
    """That of a user as requests name one; on a host with one user always the same."""
    name = user if args.multi_user else ""
    path = database.folder(name) / NAME
    with _lock:
        return _shelves.setdefault(path, Shelf(name, path))


def settle() -> None:
    """Waits until what was kept is on the disk."""
    _desk.submit(lambda: None).result()


def with_what_is_left(content: dict[str, Any], pictured: set[int]) -> dict[str, Any]:
    """Says which pictures are gone."""
    state, gone = content["state"], 0
    for row in state["candidates"]:
        lost = row["picture"] and row["id"] not in pictured
        row["picture"], gone = row["picture"] and not lost, gone + lost
    if gone:
        state["notes"] = [*state["notes"], GONE.format(gone)]
    return content


def with_lineages(content: dict[str, Any]) -> dict[str, Any]:
    """Says which pictures are versions of one, and what drafts began with, also where an earlier version of the pack,
    which did not, kept the gallery.
    """
    rows = content["state"]["candidates"]
    if all("lineage" in row for row in rows):
        return content
    with suppress(KeyError, TypeError, ValueError, IndexError):
        proposed, firsts = read_recipes(content["recipes"])[1], Firsts()
        for row, one in zip(rows, proposed, strict=True):
            row |= {"began": began_with(one), "lineage": firsts.of(one, row["id"])}
    for row in rows:  # what cannot be read is a picture of its own
        row |= {"began": None, "lineage": row["id"], **row}
    return content


def began_with(proposed: Proposal) -> str | None:
    """Of a walk, the plain seed of the noise that it began with."""
    noise = proposed.noise if isinstance(proposed, Walk) else None
    return None if noise is None or noise.plain_seed is None else str(noise.plain_seed)
