"""The pictures of a search that pages show, as files in the host's temporary folder."""

import logging
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import folder_paths
import numpy as np
from PIL import Image
from torch import Tensor

from ..background import Background
from ..files.pictures import SMALL, Waiting, to_pil

log = logging.getLogger("noise_search")

SIZES = {"small": SMALL, "large": 1024}  # longer side, in pixels
MOVING = "moving"  # what a video has beside those: a small picture that moves
KINDS = (*SIZES, MOVING)
FRAME = 125  # milliseconds that each of its frames is shown
PICTURES = 2000  # kept per search; beyond that the worst ones go
FILE = re.compile(r"(\d+)_(\w+)\.(?:jpg|webp)")


class Thumbnails:
    """Pictures by the number of their candidate, each in two sizes, and of a video one that moves.

    Args:
        search: Id of the search, the name of its folder.
        background: Where they are written.
        lost: Called there with the candidate whose picture could not be written: a full disk must not cost the search.
    """

    def __init__(self, search: str, background: Background, lost: Callable[[int], None] = lambda candidate: None):
        self.folder = os.path.join(folder_paths.get_temp_directory(), "noise_search", search)
        self.background, self.lost = background, lost
        self._coming: dict[int, Future] = {}
        self._unwritable = False

    def path(self, candidate: int, size: str) -> str:
        """Of a picture's file, which may be gone."""
        return os.path.join(self.folder, f"{candidate}_{size}.{'webp' if size == MOVING else 'jpg'}")

    def files(self) -> Iterator[tuple[int, str, bytes]]:
        """All that are there: candidate, kind and file."""
        for name in os.listdir(self.folder) if os.path.isdir(self.folder) else ():
            with suppress(FileNotFoundError):  # it went meanwhile
                if (found := FILE.fullmatch(name)) and found[2] in KINDS:
                    with open(os.path.join(self.folder, name), "rb") as file:
                        yield int(found[1]), found[2], file.read()

    def keep(self, candidate: int, image: Tensor) -> None:
        """Soon; `coming` tells when."""
        picture = Waiting(image)
        self._coming[candidate] = written = self.background.do(self._write, candidate, picture, size=picture.size)
        written.add_done_callback(lambda _: self._coming.pop(candidate, None))

    def coming(self, candidate: int) -> Future | None:
        """The writing of a picture that may not be there yet."""
        return self._coming.get(candidate)

    def drop(self, candidates: Sequence[int]) -> None:
        """Soon, too."""
        self.background.do(self._remove, candidates)

    def _write(self, candidate: int, picture: Waiting) -> None:
        pixels, moving = picture.pixels(), picture.moving()
        try:
            os.makedirs(self.folder, exist_ok=True)
            for size, side in SIZES.items():
                smaller(pixels, side).save(self.path(candidate, size), quality=90, subsampling=0)
            if moving is not None:
                save_moving([to_pil(frame).convert("RGB") for frame in moving], self.path(candidate, MOVING))
        except OSError as error:
            if not self._unwritable:
                # not the error: it holds the search
                log.warning("The panel's pictures cannot be written: %s", str(error))
            self._unwritable = True
            self.lost(candidate)

    def _remove(self, candidates: Sequence[int]) -> None:
        for candidate in candidates:
            for size in KINDS:
                if os.path.exists(path := self.path(candidate, size)):
                    os.remove(path)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def smaller(pixels: np.ndarray, side: int) -> Image.Image:
    """A picture `(h, w, c)` in 0..255 whose longer side has at most so many pixels."""
    picture = Image.fromarray(pixels)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")  # which would copy it
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def save_moving(frames: Sequence[Image.Image], path: str, side: int = SMALL) -> None:
    """A small WebP that plays again and again.

    Args:
        side: Its longer side, in pixels.
    """
    for frame in frames:
        frame.thumbnail((side, side), Image.Resampling.LANCZOS)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=FRAME, loop=0, quality=70, method=2)


def too_many(rows: Sequence[Mapping[str, Any]], pinned: Collection[int]) -> list[int]:
    """Once a tenth above the limit, the worst candidates whose pictures go; never the own seed or a pinned one."""
    kept = [row for row in rows if row["picture"]]
    if len(kept) <= PICTURES * 1.1:
        return []
    spare = sorted(
        (row for row in kept if row["id"] and row["id"] not in pinned),
        key=lambda row: (row["finished"], row["score"] or 0.0),
    )
    return [row["id"] for row in spare[: len(kept) - PICTURES]]
