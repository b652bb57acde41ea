"""What a search's results depend on: the graph behind its node, the files that it names, the tensors that arrive."""

import hashlib
import json
import math
import os
import platform
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import comfy.controlnet
import comfy.model_management as memory
import comfyui_version
import folder_paths
import torch
from comfy.cli_args import args
from torch import Tensor

from .carrying import made_by
from .noise import streams
from .prompt import Graph, is_link

VERSION = "0.1.0"  # of this pack, as in pyproject.toml: another one may sample or judge otherwise
RUN_ONLY = ("seed", "pictures", "minutes", "keep", "noise", "held_out", "recipe", "save_found", "patience", "target", "keep_different")
JUDGING = ("verifier", "prompt")
SWITCHES = ("force_", "fp", "bf", "use_", "fast", "deterministic", "cpu", "directml", "oneapi", "supports_")  # of the host's command line
LONGEST_NAME = 300  # characters of a text that may name a file
FILES = 1000  # looked at in a folder


@dataclass(frozen=True)
class Identity:
    """Digests of what must be equal for something to be used again.

    Args:
        sampling: For a candidate's latent.
        judging: For its raw values.
        run: For the whole search: its budget and its own settings as well.
    """

    sampling: str
    judging: str
    run: str


def identity_of(hidden: Any, request: Any) -> Identity | None:
    """The identity of what a search node was asked for; None where the graph is not known, as in a node that another one expanded to."""
    graph, node = hidden.prompt or {}, str(hidden.unique_id)
    if node not in graph:
        return None
    inputs = signature(graph, node, {}).inputs
    sampling = {name: value for name, value in inputs.items() if name not in (*RUN_ONLY, *JUDGING)}
    judging = {name: inputs.get(name) for name in JUDGING}
    setup = digest(VERSION, surroundings(), graph[node]["class_type"], sampling, contents(request))
    columns = request.verifier.columns if request.verifier else ()
    return Identity(setup, digest(VERSION, judging, request.text, columns, held_by(request.verifier)), digest(setup, inputs))


def digest(*parts: Any) -> str:
    return hashlib.blake2b(json.dumps(parts, sort_keys=True, default=repr).encode(), digest_size=16).hexdigest()


def surroundings() -> list[str]:
    """Where the same inputs give the same picture to the last bit: versions, devices, and the host's switches for precision and attention."""
    switches = {name: value for name, value in vars(args).items() if name.startswith(SWITCHES)}
    return [comfyui_version.__version__, torch.__version__, platform.machine(), str(memory.get_torch_device()), repr(sorted(switches.items()))]


@dataclass(frozen=True)
class Signature:
    whole: str
    inputs: Mapping[str, Any]


def signature(graph: Graph, node: str, known: dict[str, Signature]) -> Signature:
    """A node and everything behind it: classes, widgets, what the host itself found to have changed, files, and what was found or chosen there."""
    if node not in known:
        entry = graph.get(node, {})
        inputs = {name: behind(graph, value, known) for name, value in entry.get("inputs", {}).items()}
        known[node] = Signature(digest(entry.get("class_type"), changing(entry.get("is_changed")), inputs), inputs)
    return known[node]


def behind(graph: Graph, value: Any, known: dict[str, Signature]) -> Any:
    if is_link(value):
        return [signature(graph, str(value[0]), known).whole, made_by(graph, str(value[0])), value[1]]
    return [value, list(files(value))] if isinstance(value, str) else value


def changing(mark: Any) -> Any:
    """The host's mark of a node; where that says "always changes", one that never comes again."""
    always = any(isinstance(part, float) and math.isnan(part) for part in (mark if isinstance(mark, list) else [mark]))
    return uuid.uuid4().hex if always else mark


def files(text: str) -> Iterator[list]:
    """Size and time of every file that a widget's text may name, in any of the host's model folders or as a whole path."""
    if not text.strip("./\\ ") or len(text) >= LONGEST_NAME or "\n" in text or "\0" in text:
        return
    folders = [folder for paths, *_ in folder_paths.folder_names_and_paths.values() for folder in paths]
    inside = [path for folder in folders if (path := os.path.normpath(os.path.join(folder, text))).startswith(os.path.normpath(folder) + os.sep)]
    for path in dict.fromkeys([*inside, *([text] if os.path.isabs(text) else [])]):
        if os.path.isfile(path):
            yield facts(path)
        elif os.path.isdir(path):
            yield from map(facts, islice(below(path), FILES))


def below(folder: str) -> Iterator[str]:
    """All files in a folder, in an order that stays."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(place, name) for name in sorted(names))


def facts(path: str) -> list:
    try:
        found = os.stat(path)
    except OSError:
        return [os.path.basename(path), uuid.uuid4().hex]  # it is being changed
    return [os.path.basename(path), found.st_size, found.st_mtime_ns]


def contents(request: Any) -> list[str]:
    """Digests of the latent, the noise levels and the conditioning, whatever made them."""
    setups = [setup for setup in (request.sampling, request.draft) if setup is not None]
    return [of_tensor(tensor) for setup in setups
            for tensor in tensors([setup.sigmas, setup.latent, getattr(setup.guider, "original_conds", {}), setup.settings])]


def held_by(verifier: Any) -> list[str]:
    """Digests of the pictures and masks that verifiers compare with or look through, whatever made them."""
    found, waiting, seen = [], [verifier], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, torch.nn.Module | str | int | float | type(None)):
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            found.append(of_tensor(one))
        elif isinstance(one, list | tuple):
            waiting += reversed(one)
        elif isinstance(one, Mapping):
            waiting += reversed(list(one.values()))
        elif type(one).__module__.partition(".")[0] == __name__.partition(".")[0]:
            waiting += reversed(list(getattr(one, "__dict__", {}).values()))
    return found


def tensors(value: Any) -> Iterator[Tensor]:
    if getattr(value, "is_nested", False):
        yield from streams(value)
    elif isinstance(value, comfy.controlnet.ControlBase):
        yield from tensors([value.cond_hint_original, value.previous_controlnet])
    elif isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors(part)


def of_tensor(tensor: Tensor) -> str:
    data = tensor.detach().cpu().contiguous()
    marks = f"{data.dtype} {tuple(data.shape)}".encode()
    return hashlib.blake2b(marks + data.reshape(-1).view(torch.uint8).numpy().tobytes(), digest_size=16).hexdigest()
