"""Files that the inputs of nodes may name, known by their contents as far as that costs nothing."""

import hashlib
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import folder_paths

from ...foreign_paths import is_elsewhere

LONGEST_NAME = 300  # characters of a text that may be a name as a whole
LONGEST_TEXT = 100_000  # characters of a text that may name files in it
FILES = 1000  # looked at in a folder
SAMPLE = 1 << 16  # bytes at the beginning, in the middle and at the end
# between these, a text may name a file, with or without its ending
NAMES = re.compile(r"[^<>:\"|?*(){}\[\],;=\n\r\t\0]+")


def named_in(value: Any) -> Iterator[list]:
    """What tells apart the contents of every file that an input may name: in texts, and in lists and mappings of
    them.
    """
    if isinstance(value, str):
        yield from in_text(value)
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            yield from named_in(key)
            yield from named_in(value[key])
    elif isinstance(value, list | tuple):
        for part in value:
            yield from named_in(part)


def in_text(text: str) -> Iterator[list]:
    if len(text) < LONGEST_NAME and "\n" not in text and "\0" not in text and text.strip("./\\ "):
        yield from as_a_whole(text)
    if len(text) <= LONGEST_TEXT:
        known = model_files()
        parts = [part.strip() for part in NAMES.findall(text)]
        words = [*parts, *(word for part in parts for word in part.split())]
        for word in dict.fromkeys(words):
            yield from map(facts, known.get(plain(word), ()))


def as_a_whole(text: str) -> Iterator[list]:
    """A path in any of the host's model folders, or a whole path on this machine: a file, or a folder with all that is
    in it.
    """
    if is_elsewhere(text):
        return
    folders = [
        os.path.normpath(folder) for paths, *_ in folder_paths.folder_names_and_paths.values() for folder in paths
    ]
    inside = [
        path for folder in folders if (path := os.path.normpath(os.path.join(folder, text))).startswith(folder + os.sep)
    ]
    found: list[str] = [*inside, *([text] if os.path.isabs(text) else [])]
    for path in dict.fromkeys(found):
        if os.path.isfile(path):
            yield facts(path)
        elif os.path.isdir(path):
            yield from map(facts, islice(below(path), FILES))


_known: tuple[int, dict[str, list[str]]] = (0, {})


def model_files() -> Mapping[str, list[str]]:
    """Paths of what lies in the host's model folders, by name with and without ending, with and without folder."""
    global _known
    listed = [
        (kind, tuple(folder_paths.get_filename_list(kind)))
        for kind in sorted(folder_paths.folder_names_and_paths)
        if kind not in ("custom_nodes", "configs")
    ]
    mark = hash(tuple(listed))
    if _known[0] != mark:
        found: dict[str, list[str]] = {}
        for kind, names in listed:
            for name in names:
                if path := folder_paths.get_full_path(kind, name):
                    for spelled in {
                        name,
                        os.path.splitext(name)[0],
                        os.path.basename(name),
                        os.path.splitext(os.path.basename(name))[0],
                    }:
                        found.setdefault(plain(spelled), []).append(path)
        _known = mark, found
    return _known[1]


def plain(name: str) -> str:
    return name.replace("\\", "/").casefold()


def below(folder: str) -> Iterator[str]:
    """All files in a folder, in an order that stays."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(place, name) for name in sorted(names))


def facts(path: str) -> list:
    """Name, size, time, and a digest of three samples: a copy may bring the time and the size of another file."""
    try:
        with open(path, "rb") as file:
            seen = os.fstat(file.fileno())
            found = hashlib.blake2b(digest_size=16)
            for place in (0, seen.st_size // 2, max(0, seen.st_size - SAMPLE)):
                file.seek(place)
                found.update(file.read(SAMPLE))
    except OSError:
        return [os.path.basename(path), uuid.uuid4().hex]  # it is being changed, or cannot be read
    return [os.path.basename(path), seen.st_size, seen.st_mtime_ns, found.hexdigest()]
