"""A fault, and the ways in which a search can be disturbed."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .lab import Lab, Trouble

Nothing = contextmanager(lambda lab, patch, folder: iter([None]))


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong in a search for six pictures in groups of two, unless `graph` says otherwise.

    Args:
        where: Part or boundary.
        happens: What goes wrong, as the table says it.
        trouble: At which point of the search, or None where it is in the surroundings.
        shows: Part of the message, in the node or, where the search goes on, in its text or the log; "" where there is
            nothing to say.
        ends: "failed", "interrupted", "done" (the search goes on), or "refused" (before anything is sampled).
        kept: Candidates in the panel afterwards.
        sampled: Pictures that the next run samples.
        judged: Pictures that the next run has judged.
        graph: Inputs of the search node, `kind`, `batch` and `judge` among them.
        around: Surroundings of the run.
        between: What happens to the store's file (given as a path) after the run.
    """

    where: str
    happens: str
    trouble: Callable[[Lab], Trouble] | None
    shows: str
    ends: str = "failed"
    kept: int = 2
    sampled: float = 2
    judged: int = 4
    graph: dict = field(default_factory=dict)
    around: Callable = Nothing
    between: Callable[[Lab, Path], None] = lambda lab, store: None

    @property
    def id(self) -> str:
        return f"{self.where}: {self.happens}"


# What happens at a point of the search


def at(point: str, do: Callable, after: int = 1, times: int = 1_000_000) -> Callable[[Lab], Trouble]:
    return lambda lab: Trouble(point, do, after, times)


def raises(kind: type[Exception], *text: str) -> Callable:
    def do(value, count):
        raise kind(*text)

    return do


def asleep(value, count):
    raise RuntimeError("the judge fell asleep")


def gives(change: Callable) -> Callable:
    return lambda value, count: change(value)


def room_for(most: int) -> Callable:
    """Memory for so many pictures at once."""

    def do(value, count):
        if count > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return value

    return do


def cancelled(point: str, after: int = 1) -> Callable[[Lab], Trouble]:
    return lambda lab: Trouble(point, lambda value, count: (lab.host.interrupt(), value)[1], after, 1)


def cancelled_while(action: str, point: str, after: int = 1) -> Callable[[Lab], Trouble]:
    """The artist steers the search, and cancels it a moment later."""

    def trouble(lab: Lab) -> Trouble:
        def do(value, count):
            lab.panel().steer(action)
            timer = threading.Timer(0.1, lab.host.interrupt)
            timer.start()
            if action == "finish":
                timer.join()
            return value

        return Trouble(point, do, after, 1)

    return trouble


# Surroundings


@contextmanager
def somebody_there(lab: Lab, patch, folder: Path) -> Iterator[None]:
    """A page queued the search, and nobody clicks in it."""
    pages = lab.host.part("nodes.host.page.pages")
    lab.host.server.sockets["tests"] = None
    pages.announce("tests")
    try:
        yield
    finally:
        del lab.host.server.sockets["tests"]
        pages._pages.clear()
        pages._unanswered.clear()


@contextmanager
def cancelled_while_it_waits(lab: Lab, patch, folder: Path) -> Iterator[None]:
    over = threading.Event()

    def cancel() -> None:
        while not over.wait(0.02):
            if (panel := lab.panel()) is not None and panel.status == "waiting":
                lab.host.interrupt()
                return

    with somebody_there(lab, patch, folder):
        artist = threading.Thread(target=cancel)
        artist.start()
        try:
            yield
        finally:
            over.set()
            artist.join()


def unwritable(*, below: str) -> Callable:
    """The disk is full for pictures whose path holds this text."""

    @contextmanager
    def around(lab: Lab, patch, folder: Path) -> Iterator[None]:
        from PIL import Image

        save = Image.Image.save

        def full(self, path, *arguments, **options):
            if below in str(path):
                raise OSError(errno.ENOSPC, "No space left on device")
            return save(self, path, *arguments, **options)

        patch.setattr(Image.Image, "save", full)
        yield

    return around


@contextmanager
def output_is_no_folder(lab: Lab, patch, folder: Path) -> Iterator[None]:
    import folder_paths

    (folder / "a file").touch()
    patch.setattr(folder_paths, "output_directory", str(folder / "a file" / "output"))
    yield


@contextmanager
def full_for_the_store(lab: Lab, patch, folder: Path) -> Iterator[None]:
    patch.setattr(lab.host.part("nodes.host.store.records"), "SPARE", 1 << 62)
    yield


def failing_disk(after: int) -> Callable:
    """So many transactions of the store are written, and no more; galleries, which write when they like, are another
    file.
    """

    @contextmanager
    def around(lab: Lab, patch, folder: Path) -> Iterator[None]:
        database, left = lab.host.part("nodes.host.store.database"), [after]
        name, database = database.NAME, database.Database
        writing = database.writing

        @contextmanager
        def failing(self):
            with writing(self) as book:
                yield book
                if self.path.name == name:
                    left[0] -= 1
                    if left[0] < 0:
                        raise sqlite3.OperationalError("disk I/O error")

        patch.setattr(database, "writing", failing)
        yield
        patch.undo()

    return around


@contextmanager
def user_folder_is_none(lab: Lab, patch, folder: Path) -> Iterator[None]:
    import folder_paths

    before = folder_paths.user_directory
    (folder / "a file").touch()
    folder_paths.user_directory = str(folder / "a file" / "user")
    yield
    folder_paths.user_directory = before


@contextmanager
def small_store(lab: Lab, patch, folder: Path) -> Iterator[None]:
    patch.setenv("NOISE_SEARCH_STORE", "0.000001")  # 1 kB: no picture
    yield


def emptied_temp(lab: Lab) -> Trouble:
    def do(value, count):
        import folder_paths

        shutil.rmtree(Path(folder_paths.get_temp_directory()) / "noise_search")
        return value

    return Trouble("measure", do, after=2, times=1)


# What happens to the store between the runs


def cut(store: Path, at: int) -> None:
    with store.open("r+b") as file:
        file.truncate(at)


def flipped(store: Path) -> None:
    """In the middle of the first latent."""
    with closing(sqlite3.connect(store)) as book:
        (piece,) = book.execute("SELECT substr(data, 2000, 40) FROM latents WHERE rowid = 1").fetchone()
    data = bytearray(store.read_bytes())
    data[data.index(piece)] ^= 1
    store.write_bytes(data)


def of_another_version(store: Path) -> None:
    with closing(sqlite3.connect(store)) as book:
        book.execute("PRAGMA user_version = 99")


def turned_into_a_folder(store: Path) -> None:
    store.unlink()
    store.mkdir()


def replaced_file(lab: Lab, store: Path) -> None:
    lab.model_file.write_bytes(b"other weights")
