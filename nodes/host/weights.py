"""The host's folder of verifiers: what lies in it, what could, and how either is named in the dropdown."""

import os
from pathlib import Path
from typing import Any

import folder_paths
import torch

from ...verifiers.catalogue import OPENAI_CLIP_L, PUBLISHED, Published, Trunk, kind_of
from ...verifiers.clip_checkpoint import CONFIG
from ...verifiers.clip_model import ClipModel
from ...verifiers.weights import SUFFIXES
from .verifiers import ClipVisionTrunk, HostVerifier

FOLDER = "verifiers"
MISSING = " · missing: "  # between name and remark in the dropdown; never part of a name

folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def present() -> list[str]:
    """Names of what lies in the folder: weight files, and folders with an open_clip config, which count as one."""
    files = [name.replace(os.sep, "/") for name in folder_paths.get_filename_list(FOLDER)]
    folders = sorted(name.removesuffix(f"/{CONFIG}") for name in files if name.endswith(f"/{CONFIG}"))
    loose = [name for name in files if name.endswith(SUFFIXES) and not name.startswith(tuple(f"{folder}/" for folder in folders))]
    return folders + loose


def choices() -> list[str]:
    """The dropdown: what is there, then what is known and missing, with its size and licence."""
    here = present()
    return here + [label(known) for known in PUBLISHED if known.name not in here]


def label(known: Published) -> str:
    return f"{known.name}{MISSING}{' + '.join(known.files[-1:])}, {spoken_size(known.size)}, {known.licence}"


def name_in(choice: str) -> str:
    """The name in a dropdown entry, which stays what it is when the file arrives."""
    return choice.split(MISSING)[0].replace("\\", "/")


def find(choice: str) -> Path:
    """Where an entry of the dropdown lies; an error that says how to get it if it does not."""
    name = name_in(choice)
    if name not in present():
        raise FileNotFoundError(how_to_get(name))
    config = folder_paths.get_full_path(FOLDER, f"{name}/{CONFIG}")  # first: the host warns of a folder that is a link
    return Path(config).parent if config else Path(folder_paths.get_full_path(FOLDER, name))


def how_to_get(name: str) -> str:
    folder = folder_paths.get_folder_paths(FOLDER)[0]
    known = next((known for known in PUBLISHED if known.name == name), None)
    if known is None:
        return f"{name} not found in {folder}, which holds {', '.join(present()) or 'nothing yet'}"
    into = folder if known.files == (known.name,) else os.path.join(folder, known.name)
    return (
        f"{name} not found: get {' and '.join(known.files)} ({spoken_size(known.size)}, {known.licence})"
        f" from {known.repository} and put it into {into}"
    )


def open_verifier(choice: str, device: str, clip_vision: Any = None) -> HostVerifier:
    """The verifier behind an entry of the dropdown, its weights in memory and on no device yet."""
    path = find(choice)
    kind = kind_of(path)
    if clip_vision is not None and not kind.needs_trunk:
        raise ValueError(f"clip_vision must be left unconnected, because {path.name} has an image encoder of its own")
    with torch.inference_mode(False):  # else gradients could never pass through the weights
        return HostVerifier(kind.open(path, lambda: trunk(clip_vision)), device)


def trunk(clip_vision: Any) -> Trunk:
    """The image encoder for a head: the connected one, else OpenAI's CLIP ViT-L/14 from the folder."""
    if clip_vision is not None:
        return Trunk(ClipVisionTrunk(clip_vision))
    name = next((name for name in present() if is_openai_l(name)), None)
    if name is None:
        raise FileNotFoundError(
            "The aesthetic head needs the image encoder it was trained on: connect a CLIP_VISION (CLIP ViT-L/14), or "
            + how_to_get(OPENAI_CLIP_L.name)
        )
    model = ClipModel.load(find(name))
    return Trunk(model.embed_images, (model.module,))


def is_openai_l(name: str) -> bool:
    """Whether a name says ViT-L/14 by OpenAI at 224 pixels."""
    letters = "".join(filter(str.isalnum, name.lower()))
    return name == OPENAI_CLIP_L.name or ("openai" in letters and "vitl14" in letters and "336" not in letters)


def signature(choice: str) -> tuple:
    """What changes when the file behind an entry does: its name, sizes and times."""
    path = find(choice)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return name_in(choice), *((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


def spoken_size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
