"""Weights: files of plain tensors, loaded completely or not at all."""

from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

SAFE = (".safetensors", ".sft")
SUFFIXES = (*SAFE, ".pt", ".pth", ".bin", ".ckpt")
BEGINNINGS = (b"PK", b"\x80")  # of what torch.save writes: a zip file, or a pickle
SHOWN = 40  # characters of a file that holds something else


class WeightsError(ValueError):
    """A file that is not what a verifier needs: of another architecture, incomplete or no plain tensors."""


def read_tensors(path: Path, device: str = "cpu") -> dict[str, Tensor]:
    """Named tensors of a file: a plain state dict, one under "state_dict", with or without "module." before the
    names.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} not found in {path.parent}")
    content = _read(path, device)
    content = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise WeightsError(f"{path.name} must hold named tensors, got {_describe(content)}")
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    return dict(content)


def tensor_names(path: Path) -> list[str]:
    """Names of a file's tensors, which are not read."""
    if path.suffix not in SAFE:
        return list(read_tensors(path, device="meta"))
    _check_beginning(path)
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except SafetensorError as error:
        raise _broken(path, error) from error


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load weights if they are exactly the module's, by name and shape. Nothing is left as it was initialized."""
    _check(module, state, name)
    module.load_state_dict(state)


def assemble(make: Callable[[], nn.Module], state: Mapping[str, Tensor], name: str) -> nn.Module:
    """The module that `make` gives, with exactly these weights, in single precision; no time is spent on random
    ones.
    """
    with torch.device("meta"):
        module = make()
    _check(module, state, name)
    module.load_state_dict({key: v.float() if v.is_floating_point() else v for key, v in state.items()}, assign=True)
    for path, buffer in [(path, buffer) for path, buffer in module.named_buffers() if buffer.is_meta]:
        parent, _, kind = path.rpartition(".")
        if kind != "position_ids":
            raise RuntimeError(f"{path} of {name} must be in the file or known, got a new buffer of transformers")
        module.get_submodule(parent).register_buffer(kind, torch.arange(buffer.shape[-1])[None], persistent=False)
    return module.eval().requires_grad_(False)


def _check(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    mismatched = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in state and state[key].shape != value.shape
    ]
    problems = {"missing": missing, "unexpected": unexpected, "of another shape": mismatched}
    if any(problems.values()):
        texts = [f"{len(keys)} {kind} ({some(keys)})" for kind, keys in problems.items() if keys]
        raise WeightsError(f"{name} is not the architecture it was taken for: " + ", ".join(texts))


def some(names: list[str], most: int = 3) -> str:
    """The first few names, for messages."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _read(path: Path, device: str) -> object:
    _check_beginning(path)
    if path.suffix in SAFE:
        try:
            return load_file(path)
        except SafetensorError as error:
            raise _broken(path, error) from error
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it is empty"
        raise WeightsError(
            f"{path.name} must hold plain tensors (no programs, no TorchScript), got: {reason}"
        ) from error


def _check_beginning(path: Path) -> None:
    """Says what a file is that its reader would fail on in words of its own: mostly a page or a pointer in place of
    what was to be downloaded.

    A safetensors file begins with the length of its header, 8 bytes of which the last are 0; a text has none of those.
    """
    with path.open("rb") as file:
        begin = file.read(SHOWN)
    if b"\0" in begin[:8] if path.suffix in SAFE else begin.startswith(BEGINNINGS):
        return
    if not begin:
        raise WeightsError(f"{path.name} must be a file of weights, got one that is empty; download it again")
    text = begin.decode("utf-8-sig", errors="replace").splitlines()[0]
    raise WeightsError(
        f"{path.name} must be a file of weights, got one that begins with {text!r}; "
        "an error page or a pointer to the file was saved in its place: download it again"
    )


def _broken(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path.name} must be a complete safetensors file, got one that does not open: {error}")


def _describe(content: object) -> str:
    if not isinstance(content, Mapping):
        return type(content).__name__
    return f"entries {some([str(key) for key in content])}" if content else "nothing"
