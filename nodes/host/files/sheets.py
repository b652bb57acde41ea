"""The pictures of a sheet as files that the page can show one by one: small in the grid, and as they are for a close
look.
"""

import logging
import os
from collections.abc import Iterable
from typing import Any

import comfy.model_management
import folder_paths
from PIL import Image

from .pictures import save

log = logging.getLogger("noise_search")

SIDE = 384  # pixels of the longer side of a small picture
QUALITY = 85
Files = dict[str, Any]  # "small" and "large": the frontend's entries, None where they could not be written


def save_cells(pictures: Iterable[Image.Image], hidden: Any) -> tuple[list[Files], str]:
    """Writes pictures into the temporary folder; a sentence where that did not work, which costs the clicks and not the
    sheet.
    """
    found: list[Files] = []
    problem = ""
    for picture in pictures:
        comfy.model_management.throw_exception_if_processing_interrupted()
        files: Files = {"small": None, "large": None}
        if not problem:
            try:
                files = save_cell(picture, hidden)
            except OSError as error:
                problem = f"The pictures could not be written into the temp folder, so none can be clicked: {error}."
                log.warning(problem)
        found.append(files)
    return found, problem


def save_cell(picture: Image.Image, hidden: Any) -> Files:
    large = save(picture, "noise_search_sheet", "temp", hidden)
    return {"small": large if max(picture.size) <= SIDE else save_small(picture, large), "large": large}


def save_small(picture: Image.Image, large: dict[str, str]) -> dict[str, str]:
    """Beside the large one, under its name."""
    name = f"{os.path.splitext(large['filename'])[0]}small.jpg"
    small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small.save(os.path.join(folder_paths.get_temp_directory(), large["subfolder"], name), "JPEG", quality=QUALITY)
    return {**large, "filename": name}
