"""CLIP checkpoints of the open_clip package: which architecture a file or folder is, with which activation and pixels.

A file may be any of open_clip's layouts: a plain state dict, one under "state_dict", one with "module." before the
names, safetensors. A folder holds `open_clip_config.json` and the weights, as published on model hubs. A bare file does
not say which activation and which pixels it was trained with: these come from the tag in its name (`openai`,
`laion2b_s32b_b79k`, …) and open_clip's own table.
"""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from .weights import WeightsError, some

CONFIG = "open_clip_config.json"
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)


@dataclass(frozen=True)
class Recipe:
    """What open_clip must know to build a model: its config, its pixels and where its tokenizer is."""

    config: dict
    preprocess: dict
    tokenizer: str

    @property
    def behaviour(self) -> str:
        """What the shapes of the weights do not show."""
        activation = {"quick_gelu": bool(self.config.get("quick_gelu"))}
        return json.dumps([self.config | activation, self.preprocess], sort_keys=True)


def open_clip() -> ModuleType:
    try:
        import open_clip
    except ImportError as error:
        raise ImportError("CLIP verifiers need the package open_clip_torch: pip install open_clip_torch") from error
    return open_clip


def weights_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in WEIGHTS:
        if (path / name).is_file():
            return path / name
    raise FileNotFoundError(f"{path.name} must hold {' or '.join(WEIGHTS[::2])} beside {CONFIG}, got neither in {path}")


def read_recipe(folder: Path) -> Recipe:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if "model_cfg" not in config:
        raise WeightsError(f"{CONFIG} of {folder.name} must have an entry model_cfg, got {some(list(config))}")
    return Recipe(config["model_cfg"], config.get("preprocess_cfg", {}), f"local-dir:{folder}")


def recognise(path: Path, state: Mapping[str, Tensor], architecture: str | None) -> Recipe:
    """The recipe whose model has exactly these weights and, where several behave differently, whose tag is in the
    name.
    """
    recipes = [entry for name in architectures(path, state, architecture) for entry in _recipes(name)]
    told = {tag for tag, _ in recipes if tag and _letters(tag) in _letters(path.parent.name + path.name)}
    best = max(told, key=len, default=None)  # "dfn2b_s39b" rather than "dfn2b"
    chosen = [recipe for tag, recipe in recipes if best in (None, tag)]
    if len({recipe.behaviour for recipe in chosen}) > 1:
        tags = some(sorted({tag for tag, _ in recipes if tag}), 8)
        raise WeightsError(
            f"{path.name} must show how it was trained, for its activation and pixels to be known: by a tag in its name"
            f" ({tags}), or in a folder with {CONFIG}"
        )
    if "hf_tokenizer_name" in chosen[0].config["text_cfg"]:
        raise WeightsError(
            f"{path.name} must lie in a folder with {CONFIG} and the files of its own tokenizer, got the weights alone"
        )
    return chosen[0]


def architectures(path: Path, state: Mapping[str, Tensor], wanted: str | None) -> list[str]:
    known = open_clip().list_models()
    if wanted is not None and wanted not in known:
        raise WeightsError(f"architecture must be one that open_clip knows, got {wanted}")
    names = [wanted] if wanted else [name for name in known if fits(name, state)]
    if not names:
        raise WeightsError(f"{path.name} is no CLIP model that open_clip knows; it holds {some(list(state))}")
    return names


def _recipes(name: str) -> Iterator[tuple[str, Recipe]]:
    """Every published training of an architecture, as (tag, recipe); ("", as its config says) if there is none."""
    library = open_clip()
    config = library.get_model_config(name)
    tags = library.list_pretrained_tags_by_model(name)
    for tag in tags:
        entry = library.get_pretrained_cfg(name, tag)
        preprocess = {key: entry[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in entry}
        quick = bool(config.get("quick_gelu") or entry.get("quick_gelu"))
        yield tag, Recipe({**config, "quick_gelu": quick}, preprocess, name)
    if not tags:
        yield "", Recipe(config, {}, name)


def fits(name: str, state: Mapping[str, Tensor]) -> bool:
    """Whether an architecture has weights of exactly these names and shapes."""
    config = open_clip().get_model_config(name)
    if not resembles(config, state):
        return False
    with torch.device("meta"):
        module = build(config)
    shapes = {key: value.shape for key, value in module.state_dict().items()}
    return shapes == {key: value.shape for key, value in fitted(state, module).items()}


def resembles(config: Mapping, state: Mapping[str, Tensor]) -> bool:
    """Whether a config is worth building for a comparison; tells most apart in no time."""
    text, vision = config["text_cfg"], config["vision_cfg"]
    embedding = state.get("token_embedding.weight", state.get("text.token_embedding.weight"))
    if embedding is None or "hf_model_name" in text:
        return False
    if embedding.shape != (text.get("vocab_size", 49408), text.get("width", 512)):
        return False
    if _depth(state, r"(?:text\.)?transformer") != text.get("layers", 12):
        return False
    if "timm_model_name" in vision:
        return any(key.startswith("visual.trunk.") for key in state)
    if not isinstance(vision.get("layers", 12), int):  # a ResNet
        return "visual.layer1.0.conv1.weight" in state
    patch, side = vision.get("patch_size", 16), vision.get("image_size", 224)
    first, places = state.get("visual.conv1.weight"), state.get("visual.positional_embedding")
    return (
        first is not None
        and places is not None
        and first.shape == (vision.get("width", 768), 3, patch, patch)
        and len(places) == (side // patch) ** 2 + 1
        and _depth(state, r"visual\.transformer") == vision.get("layers", 12)
    )


def _depth(state: Mapping[str, Tensor], tower: str) -> int:
    """Blocks of a transformer, counted in the names of its weights."""
    return len({found[1] for key in state if (found := re.match(rf"{tower}\.resblocks\.(\d+)\.", key))})


def build(config: Mapping) -> nn.Module:
    """A model of an open_clip config, its weights not loaded yet."""
    library, config = open_clip(), deepcopy(dict(config))
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if not config.pop("custom_text", False):
        return library.CLIP(**config)
    return (library.CoCa if "multimodal_cfg" in config else library.CustomTextCLIP)(**config)


def fitted(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Weights under the names of the module: older files have the text tower's at the top level, and scales as
    `(1,)`.
    """
    state = dict(state)
    if "positional_embedding" in state and not hasattr(module, "positional_embedding"):
        tower = ("text_projection", "positional_embedding", "token_embedding", "transformer", "ln_final")
        state = {f"text.{key}" if key.startswith(tower) else key: value for key, value in state.items()}
    for key in {"logit_scale", "logit_bias"} & state.keys():
        if state[key].numel() == 1 and getattr(module, key, None) is not None:
            state[key] = state[key].reshape(getattr(module, key).shape)
    return state


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
