"""Reports on their way out: a picture and texts side by side in the host's output folder."""

import os
from collections.abc import Mapping
from typing import Any

import folder_paths
from PIL import Image

from .pictures import save


def save_report(picture: Image.Image, texts: Mapping[str, str], prefix: str, hidden: Any) -> list[dict[str, str]]:
    """Writes a picture, workflow included, and beside it under the same name one file per suffix of `texts`; all their
    entries.
    """
    entry = save(picture, prefix, "output", hidden)
    return [entry, *(write_beside(entry, suffix, text) for suffix, text in texts.items())]


def write_beside(entry: dict[str, str], suffix: str, text: str) -> dict[str, str]:
    name = f"{os.path.splitext(entry['filename'])[0]}.{suffix}"
    path = os.path.join(folder_paths.get_output_directory(), entry["subfolder"], name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return {**entry, "filename": name}
