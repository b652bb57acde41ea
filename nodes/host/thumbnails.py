"""The pictures of a search that pages show, as files in the host's temporary folder."""

import logging
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import folder_paths
from PIL import Image
from torch import Tensor

from .pictures import to_pil

log = logging.getLogger("noise_search")

SIZES = {"small": 192, "large": 1024}  # longer side, in pixels
PICTURES = 2000  # kept per search; beyond that the worst ones go


class Thumbnails:
    """Pictures by the number of their candidate, each in two sizes.

    Args:
        search: Id of the search, the name of its folder.
    """

    def __init__(self, search: str):
        self.folder = os.path.join(folder_paths.get_temp_directory(), "noise_search", search)
        self._unwritable = False

    def path(self, candidate: int, size: str) -> str:
        """Of a picture's file, which may be gone."""
        return os.path.join(self.folder, f"{candidate}_{size}.jpg")

    def keep(self, candidate: int, image: Tensor) -> bool:
        """Whether it could be written: a full disk must not cost the search."""
        try:
            os.makedirs(self.folder, exist_ok=True)
            picture = to_pil(image).convert("RGB")
            for size, pixels in SIZES.items():
                small = picture.copy()
                small.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
                small.save(self.path(candidate, size), quality=90, subsampling=0)
        except OSError as error:
            if not self._unwritable:
                log.warning("The panel's pictures cannot be written: %s", str(error))  # not the error: it holds the search
            self._unwritable = True
            return False
        return True

    def drop(self, candidates: Sequence[int]) -> None:
        for candidate in candidates:
            for size in SIZES:
                if os.path.exists(path := self.path(candidate, size)):
                    os.remove(path)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def too_many(rows: Sequence[Mapping[str, Any]], pinned: Collection[int]) -> list[int]:
    """Once a tenth above the limit, the worst candidates whose pictures go; never the own seed or a pinned one."""
    kept = [row for row in rows if row["picture"]]
    if len(kept) <= PICTURES * 1.1:
        return []
    spare = sorted((row for row in kept if row["id"] and row["id"] not in pinned), key=lambda row: (row["finished"], row["score"] or 0.0))
    return [row["id"] for row in spare[: len(kept) - PICTURES]]
