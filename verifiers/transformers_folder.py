"""Folders of the transformers package: config, weights, pixels and tokenizer of a model, all from files, strictly and
without a download.

A folder holds `config.json`, the weights (`model.safetensors` or `pytorch_model.bin`, whole or in parts),
`preprocessor_config.json` and the files of the tokenizer, as published on model hubs. All of it reads the same with
transformers 4.50 and 5.
"""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

from .images import CLIP_MEAN, CLIP_STD, Pixels
from .weights import WeightsError, read_tensors

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
RESAMPLING = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def transformers() -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise ImportError("this verifier needs the package transformers: pip install transformers") from error
    return transformers


def read_json(path: Path) -> dict[str, Any]:
    """A file of settings; an error that names it if it is none."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent.name} must hold {path.name}, got none in {path.parent}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(
            f"{path.name} of {path.parent.name} must be JSON, got one that does not parse: {error}"
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path.name} of {path.parent.name} must hold named settings, got {type(content).__name__}")
    return content


def config_of(folder: Path) -> Any:
    """The config of the model, which must be of a type that transformers itself knows: no code of the folder is ever
    run.
    """
    try:
        return transformers().AutoConfig.from_pretrained(folder, local_files_only=True)
    except ValueError as error:
        kind, version = read_json(folder / CONFIG).get("model_type"), transformers().__version__
        raise WeightsError(
            f"{folder.name} must be of a model type that transformers {version} knows, got {kind}"
        ) from error


def weights_of(folder: Path) -> dict[str, Tensor]:
    """All tensors of the folder, without the numbers of places that old versions saved along."""
    state = {key: value for file in _weight_files(folder) for key, value in read_tensors(file).items()}
    return {key: value for key, value in state.items() if not key.endswith("embeddings.position_ids")}


def _weight_files(folder: Path) -> list[Path]:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
        if (folder / f"{name}.index.json").is_file():
            parts = read_json(folder / f"{name}.index.json").get("weight_map", {})
            return [folder / Path(part).name for part in sorted(set(parts.values()))]
    raise FileNotFoundError(f"{folder.name} must hold {' or '.join(WEIGHTS)} beside {CONFIG}, got neither in {folder}")


def tokenizer_of(folder: Path) -> Any:
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise FileNotFoundError(
            f"{folder.name} must hold its tokenizer ({' or '.join(TOKENIZERS[:2])}), got none in {folder}"
        )
    return transformers().AutoTokenizer.from_pretrained(folder, local_files_only=True)


def pixels_of(folder: Path) -> Pixels:
    """What the folder's image processor does, for the canonical pixel path."""
    settings = _processor(folder)
    if not settings.get("do_resize", True):
        raise WeightsError(f"the image processor of {folder.name} must resize, got do_resize {settings['do_resize']}")
    resample = settings.get("resample", 3)
    if resample not in RESAMPLING:
        raise WeightsError(
            f"resample of {folder.name} must be one of {', '.join(map(str, RESAMPLING))}, got {resample}"
        )
    normal = settings.get("do_normalize", True)
    return Pixels(
        **_geometry(settings, folder.name),
        mean=tuple(settings.get("image_mean", CLIP_MEAN)) if normal else (0.0,) * 3,
        std=tuple(settings.get("image_std", CLIP_STD)) if normal else (1.0,) * 3,
        interpolation=RESAMPLING[resample],
        centre="floor",
    )


def _processor(folder: Path) -> dict[str, Any]:
    for name in PROCESSORS:
        if (folder / name).is_file():
            settings = read_json(folder / name)
            return settings.get("image_processor", settings)
    return read_json(folder / PROCESSORS[0])


def _geometry(settings: dict[str, Any], name: str) -> dict[str, Any]:
    """Size and fit: crops are of the shortest side, everything else is squashed."""
    size, crop = settings.get("size"), settings.get("crop_size")
    if settings.get("do_center_crop", crop is not None) and crop is not None:
        short = size if isinstance(size, int) else (size or {}).get("shortest_edge")
        if short is not None:
            return {"size": _sides(crop, name), "fit": "shortest", "short": int(short)}
    return {"size": _sides(size, name), "fit": "squash"}


def _sides(size: Any, name: str) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if isinstance(size, dict) and {"height", "width"} <= size.keys():
        return int(size["height"]), int(size["width"])
    raise WeightsError(f"the image processor of {name} must give height and width, got {size}")
