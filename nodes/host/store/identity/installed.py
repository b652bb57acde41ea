"""Digests of installed code: of a node pack by its files, of a class by what is in memory."""

import hashlib
import os
import sys
import time
import types
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import folder_paths

MOST = 20_000  # files of one pack
SITE = ("site-packages", "dist-packages")
PLAIN = (type(None), bool, int, float, str, bytes)
OURS = Path(__file__).resolve().parents[4]
SAMPLES_NOTHING = ("bench", "demo", "docs", "tests", "dev.py")  # of our own folder
LOADED = time.time()  # about when the host reads all packs
LATER = uuid.uuid4().hex  # of code that was changed since


def code_of(code: types.CodeType) -> str:
    """Digest of compiled code: what it does, without where it stands."""
    found = hashlib.blake2b(digest_size=16)
    for part in (
        code.co_code,
        constants(code.co_consts),
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_argcount,
        code.co_flags,
    ):
        found.update(repr(part).encode() + b"\0")
    return found.hexdigest()


def constants(values: tuple) -> list[str]:
    def said(value: Any) -> str:
        if isinstance(value, types.CodeType):
            return code_of(value)
        if isinstance(value, frozenset):  # whose order is another one in every process
            return f"set {sorted(map(said, value))}"
        return f"({', '.join(map(said, value))})" if isinstance(value, tuple) else repr(value)

    return [said(value) for value in values]


def class_code(kind: type) -> str:
    """Digest of a node's class: the functions of it and of its bases, as they are in memory, and the files of its
    pack.
    """
    found = hashlib.blake2b(digest_size=16)
    for owner in kind.__mro__:
        found.update(f"{owner.__qualname__} {pack_of(owner.__module__)}\0".encode())
        for name, part in sorted(vars(owner).items()):
            for function in functions(part):
                plain = [value for value in function.__defaults__ or () if isinstance(value, PLAIN)]
                found.update(f"{name} {code_of(function.__code__)} {plain!r:.1000}\0".encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def functions(part: Any) -> Iterator[types.FunctionType]:
    inner = [part.fget, part.fset] if isinstance(part, property) else [getattr(part, "__func__", part)]
    return (one for one in inner if isinstance(one, types.FunctionType))


@cache
def pack_of(module: str) -> str:
    """Digest of all files of the node pack that a module belongs to; of the host and of libraries, whose versions count
    anyway, of that file.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    return of_files(root_of(Path(file).resolve())) if file and os.path.isfile(file) else module


def root_of(path: Path) -> Path:
    """The folder of the pack that a file belongs to, or the file itself."""
    if OURS in path.parents:
        return OURS
    if not any(part in SITE for part in path.parts):
        for folder in map(Path, folder_paths.get_folder_paths("custom_nodes")):
            for base in (folder, folder.resolve()):
                if base in path.parents:
                    return base / path.relative_to(base).parts[0]
    return path


@cache
def of_files(root: Path) -> str:
    """Digest of the code in a folder, or of one file, as it was when the host read it; where it was changed since, one
    that nobody else has.
    """
    found = hashlib.blake2b(digest_size=16)
    for path in sorted(code_in(root))[:MOST]:
        try:
            data, seen = Path(path).read_bytes(), os.stat(path)
        except OSError:
            return LATER
        if max(seen.st_mtime, seen.st_ctime) > LOADED:
            return LATER
        found.update(f"{os.path.relpath(path, root)} {len(data)}\0".encode("utf-8", "surrogatepass") + data)
    return found.hexdigest()


def code_in(root: Path) -> Iterator[str]:
    if root.is_file():
        yield str(root)
        return
    for place, folders, names in os.walk(root):
        left_out = SAMPLES_NOTHING if Path(place) == OURS else ()
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and name not in ("__pycache__", "node_modules", *left_out)
        ]
        yield from (os.path.join(place, name) for name in names if name.endswith(".py") and name not in left_out)
