"""The host's folder of verifiers: what lies in it, what could, and how either is named in the dropdown."""

import os
from pathlib import Path
from typing import Any, cast

import folder_paths
import torch

from ....verifiers import clip_checkpoint, transformers_folder
from ....verifiers.catalogue import WITHOUT_FILES, Base, Trunk, kind_of, open_trunk, opens
from ....verifiers.published import PUBLISHED, Published, published
from ....verifiers.weights import SUFFIXES
from ..foreign_paths import is_elsewhere
from .host_verifier import ClipVisionTrunk, HostVerifier

FOLDER = "verifiers"
MISSING = " · missing: "  # between name and remark in the dropdown; never part of a name
CONFIGS = (clip_checkpoint.CONFIG, transformers_folder.CONFIG)  # a folder that holds one of these counts as one

folder_paths.add_model_folder_path(FOLDER, os.path.join(folder_paths.models_dir, FOLDER))


def present() -> list[str]:
    """Names of what lies in the folder: folders with a config, which count as one, and weight files."""
    files = [name.replace(os.sep, "/") for name in folder_paths.get_filename_list(FOLDER)]
    folders = sorted(
        {name.rpartition("/")[0] for name in files if name.endswith(tuple(f"/{config}" for config in CONFIGS))}
    )
    loose = [
        name
        for name in files
        if name.endswith(SUFFIXES) and not name.startswith(tuple(f"{folder}/" for folder in folders))
    ]
    return folders + loose


def choices() -> list[str]:
    """The dropdown: what is there, what needs no file, then what is known and missing, with its size and licence."""
    here = present()
    usable = [name for name in here if not (path := located(name)).is_dir() or opens(path, name)]
    return usable + list(WITHOUT_FILES) + [label(known) for known in PUBLISHED if known.name not in here]


def label(known: Published) -> str:
    return f"{known.name}{MISSING}{' + '.join(known.files[-1:])}, {spoken_size(known.size)}, {known.licence}"


def name_in(choice: str) -> str:
    """The name in a dropdown entry, which stays what it is when the file arrives."""
    return choice.split(MISSING)[0].replace("\\", "/")


def find_model(choice: str) -> Path:
    """Where an entry of the dropdown lies; an error that says how to get it if it does not."""
    name = name_in(choice)
    if name not in present():
        raise FileNotFoundError(how_to_get(name))
    return located(name)


def located(name: str) -> Path:
    """Where something that is present lies."""
    for config in CONFIGS:  # first: the host warns of a folder that is a link
        if found := folder_paths.get_full_path(FOLDER, f"{name}/{config}"):
            return Path(found).parent
    return Path(folder_paths.get_full_path_or_raise(FOLDER, name))


def elsewhere(path: str) -> Path:
    """A file or folder that the artist gave by its path; of a hub's cache, the revision that it calls main."""
    given = Path(path.strip().strip('"'))  # Windows' "Copy as path" brings quotation marks
    if is_elsewhere(path) or not given.is_absolute():
        raise ValueError(f"path must be a complete one on this machine, got {path}")
    if (given / "refs" / "main").is_file():
        given = given / "snapshots" / (given / "refs" / "main").read_text(encoding="utf-8").strip()
    if not given.exists():
        raise FileNotFoundError(f"{given} not found")
    return given


def how_to_get(name: str) -> str:
    folder = folder_paths.get_folder_paths(FOLDER)[0]
    known = published(name)
    if known is None:
        return f"{name} not found in {folder}, which holds {', '.join(present()) or 'nothing yet'}"
    return (
        f"{name} not found: get"
        f" {'; and '.join(_part(part, folder) for part in (known, *known.needs) if part.name not in present())}"
    )


def _part(known: Published, folder: str) -> str:
    into = folder if known.files == (known.name,) else os.path.join(folder, known.name)
    several = len(known.files) > 1
    what = f"{', '.join(known.files[:-1])} and {known.files[-1]}" if several else known.files[0]
    source = f"({spoken_size(known.size)}, {known.licence}) from {known.repository}"
    return f"{what} {source} and put {'them' if several else 'it'} into {into}"


def open_verifier(choice: str, device: str, clip_vision: Any = None, path: str = "") -> HostVerifier:
    """The verifier behind an entry of the dropdown, or at a path; its weights in memory and on no device yet."""
    name = name_in(choice)
    if not path.strip() and name in WITHOUT_FILES:
        refuse(clip_vision, f"{name} has no image encoder")
        return HostVerifier(WITHOUT_FILES[name](), device, (name,))
    place = elsewhere(path) if path.strip() else find_model(choice)
    name = "/".join(place.parts[-4:]) if path.strip() else name  # of a hub's cache, with the name of the repository
    kind = kind_of(place, name)
    base = kind.base
    if base is None or not base.clip_vision:
        refuse(
            clip_vision,
            f"{place.name} {'has an image encoder of its own' if base is None else 'sits on another image encoder'}",
        )
    with torch.inference_mode(False):  # else gradients could never pass through the weights
        opened = kind.open(place, name, lambda: trunk(cast("Base", base), clip_vision, place.name))  # heads ask for it
        return HostVerifier(opened, device, file_stamp(choice, path))


def refuse(clip_vision: Any, reason: str) -> None:
    if clip_vision is not None:
        raise ValueError(f"clip_vision must be left unconnected, because {reason}")


def trunk(base: Base, clip_vision: Any, head: str) -> Trunk:
    """The image encoder for a head: the connected one, else the one it was trained on from the folder."""
    if clip_vision is not None:
        return Trunk(ClipVisionTrunk(clip_vision))
    name = next((name for name in present() if base.fits(name)), None)
    if name is None:
        connect = "connect a CLIP_VISION (CLIP ViT-L/14), or " if base.clip_vision else ""
        raise FileNotFoundError(
            f"{head} needs the image encoder it was trained on: {connect}{how_to_get(base.known.name)}"
        )
    return open_trunk(find_model(name))


def file_stamp(choice: str, path: str = "") -> tuple:
    """What changes when the file behind an entry does: its name, sizes and times."""
    if not path.strip() and name_in(choice) in WITHOUT_FILES:
        return (name_in(choice),)
    place = elsewhere(path) if path.strip() else find_model(choice)
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return str(place) if path.strip() else name_in(choice), *(
        (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files
    )


def check(choice: str) -> None:
    """An error that says how to get it if an entry of the dropdown is not there."""
    if name_in(choice) not in WITHOUT_FILES:
        find_model(choice)


def spoken_size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
