"""Models of the transformers package, from folders on disk: all their weights are found there, or none is used."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn

from .weights import WeightsError, some


def load_pretrained(kind: Any, folder: Path | None, name: str, *, extra: bool = False, **options: Any) -> nn.Module:
    """A model for use, never for training; `kind` is its class, or one of transformers' auto classes.

    Args:
        kind: Has `from_pretrained`.
        folder: Where config and weights are; None if both are among the options.
        name: For messages.
        extra: Whether there may be weights that the model does not have.
        options: For `from_pretrained`.
    """
    try:
        model, report = kind.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    except SafetensorError as error:
        raise WeightsError(
            f"{name} must hold complete safetensors files, got one that does not open: {error}"
        ) from error
    problems = {"missing": report["missing_keys"], "of another shape": report["mismatched_keys"]}
    if not extra:
        problems["unexpected"] = report["unexpected_keys"]
    if any(problems.values()):
        texts = [
            f"{len(keys)} {problem} ({some(sorted(map(_key, keys)))})" for problem, keys in problems.items() if keys
        ]
        raise WeightsError(f"{name} is not the architecture it was taken for: " + ", ".join(texts))
    return model.eval().requires_grad_(False)


def _key(entry: str | tuple) -> str:
    return entry if isinstance(entry, str) else entry[0]
