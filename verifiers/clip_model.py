"""CLIP models of the open_clip package, from a single file or from a folder, without a download.

A file may be any of open_clip's layouts: a plain state dict, one under "state_dict", one with "module." before the names, safetensors.
A folder holds `open_clip_config.json` and the weights, as published on model hubs. A bare file does not say which activation and
which pixels it was trained with: these come from the tag in its name (`openai`, `laion2b_s32b_b79k`, …) and open_clip's own table.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .base import home
from .images import CLIP_MEAN, CLIP_STD, Pixels
from .weights import WeightsError, load_strictly, read_tensors, some

CONFIG = "open_clip_config.json"
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)
NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size")  # numbers that OpenAI's files carry along


@dataclass(frozen=True)
class Recipe:
    """What open_clip must know to build a model: its config, its pixels and where its tokenizer is."""

    config: dict
    preprocess: dict
    tokenizer: str

    @property
    def behaviour(self) -> str:
        """What the shapes of the weights do not show."""
        return json.dumps([bool(self.config.get("quick_gelu")), self.preprocess], sort_keys=True)


@dataclass(frozen=True, eq=False)
class ClipModel:
    """Embeds pictures and texts in one space, as unit vectors.

    Args:
        name: File or folder it came from, for messages.
        module: Has `encode_image` and `encode_text`.
        tokenizer: Maps a text to ids `(1, t)`, cut to the context length.
        pixels: What the image tower wants to see.
    """

    name: str
    module: nn.Module
    tokenizer: Callable[[str], Tensor]
    pixels: Pixels

    @classmethod
    def load(cls, path: Path | str, architecture: str | None = None) -> "ClipModel":
        """Read a file or folder; `architecture` names an open_clip config where the file alone does not tell."""
        path = Path(path)
        state = {key: value for key, value in read_tensors(_weights_file(path)).items() if key not in NO_WEIGHTS}
        recipe = _read_recipe(path) if path.is_dir() else _recognise(path, state, architecture)
        if "hf_model_name" in recipe.config["text_cfg"]:
            raise WeightsError(f"{path.name} has a text tower that would have to be downloaded, which is not supported")
        module = _build(recipe.config)
        load_strictly(module, _fitted(state, module), path.name)
        module.eval().requires_grad_(False)
        return cls(path.name, module, _open_clip().get_tokenizer(recipe.tokenizer), _pixels(recipe.preprocess, module))

    @property
    def token_limit(self) -> int:
        """Tokens of a text that are read, not counting the marks of its start and end."""
        return self.tokenizer.context_length - self._marks

    @property
    def _marks(self) -> int:
        inner = getattr(self.tokenizer, "tokenizer", None)
        return 2 if inner is None else inner.num_special_tokens_to_add()

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text, not counting the marks of its start and end."""
        inner = getattr(self.tokenizer, "tokenizer", None)
        if inner is None:
            return len(self.tokenizer.encode(text))
        return len(inner(self.tokenizer.clean_fn(text), add_special_tokens=False)["input_ids"])

    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors `(n, d)` of pictures `(n, 3, h, w)` in [0, 1], float32."""
        device, dtype = home((self.module,))
        pixels = self.pixels(images).to(device, dtype)
        return normalize(self.module.encode_image(pixels).float(), dim=-1)

    def embed_text(self, text: str) -> Tensor:
        """Unit vector `(1, d)` of a text, float32."""
        ids = self.tokenizer(text).to(home((self.module,))[0])
        return normalize(self.module.encode_text(ids).float(), dim=-1)


def _open_clip() -> ModuleType:
    try:
        import open_clip
    except ImportError as error:
        raise ImportError("CLIP verifiers need the package open_clip_torch: pip install open_clip_torch") from error
    return open_clip


def _weights_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in WEIGHTS:
        if (path / name).is_file():
            return path / name
    raise FileNotFoundError(f"{path.name} must hold {' or '.join(WEIGHTS[::2])} beside {CONFIG}, got neither in {path}")


def _read_recipe(folder: Path) -> Recipe:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if "model_cfg" not in config:
        raise WeightsError(f"{CONFIG} of {folder.name} must have an entry model_cfg, got {some(list(config))}")
    return Recipe(config["model_cfg"], config.get("preprocess_cfg", {}), f"local-dir:{folder}")


def _recognise(path: Path, state: Mapping[str, Tensor], architecture: str | None) -> Recipe:
    """The recipe whose model has exactly these weights and, where several behave differently, whose tag is in the name."""
    known = _open_clip().list_models()
    if architecture is not None and architecture not in known:
        raise WeightsError(f"architecture must be one that open_clip knows, got {architecture}")
    names = [name for name in known if _fits(name, state)] if architecture is None else [architecture]
    if not names:
        raise WeightsError(f"{path.name} is no CLIP model that open_clip knows; it holds {some(list(state))}")
    recipes = [recipe for name in names for recipe in _recipes(name)]
    told = [(len(_letters(tag)), recipe) for tag, recipe in recipes if tag and _letters(tag) in _letters(f"{path.parent.name}{path.name}")]
    chosen = [recipe for length, recipe in told if length == max(told, key=lambda t: t[0])[0]] or [recipe for _, recipe in recipes]
    if len({recipe.behaviour for recipe in chosen}) > 1:
        tags = some(sorted({tag for tag, _ in recipes if tag}), 8)
        raise WeightsError(
            f"{path.name} must name its training for its activation and pixels to be known: one of {tags}; or lie in a folder with {CONFIG}"
        )
    return chosen[0]


def _recipes(name: str) -> Iterator[tuple[str, Recipe]]:
    """Every published training of an architecture, as (tag, recipe); ("", as its config says) if there is none."""
    library = _open_clip()
    config = library.get_model_config(name)
    tags = library.list_pretrained_tags_by_model(name)
    for tag in tags:
        entry = library.get_pretrained_cfg(name, tag)
        preprocess = {key: entry[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in entry}
        quick = bool(config.get("quick_gelu") or entry.get("quick_gelu"))
        yield tag, Recipe({**config, "quick_gelu": quick}, preprocess, name)
    if not tags:
        yield "", Recipe(config, {}, name)


def _fits(name: str, state: Mapping[str, Tensor]) -> bool:
    """Whether an architecture has weights of exactly these names and shapes."""
    config = _open_clip().get_model_config(name)
    text = config["text_cfg"]
    embedding = state.get("token_embedding.weight", state.get("text.token_embedding.weight"))
    if embedding is None or "hf_model_name" in text or embedding.shape != (text.get("vocab_size", 49408), text.get("width", 512)):
        return False
    vision, patches = config["vision_cfg"], state.get("visual.conv1.weight")
    if isinstance(vision.get("layers"), int) and (patches is None or patches.shape[0] != vision.get("width", 768)):
        return False
    with torch.device("meta"):
        module = _build(config)
    shapes = {key: value.shape for key, value in module.state_dict().items()}
    return shapes == {key: value.shape for key, value in _fitted(state, module).items()}


def _build(config: Mapping) -> nn.Module:
    """A model of an open_clip config, its weights not loaded yet."""
    library, config = _open_clip(), deepcopy(dict(config))
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if not config.pop("custom_text", False):
        return library.CLIP(**config)
    return (library.CoCa if "multimodal_cfg" in config else library.CustomTextCLIP)(**config)


def _fitted(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Weights under the names of the module: older files have the text tower's at the top level, and scales as `(1,)`."""
    state = dict(state)
    if "positional_embedding" in state and not hasattr(module, "positional_embedding"):
        tower = ("text_projection", "positional_embedding", "token_embedding", "transformer", "ln_final")
        state = {f"text.{key}" if key.startswith(tower) else key: value for key, value in state.items()}
    for key in {"logit_scale", "logit_bias"} & state.keys():
        if state[key].numel() == 1 and getattr(module, key, None) is not None:
            state[key] = state[key].reshape(getattr(module, key).shape)
    return state


def _pixels(preprocess: Mapping, module: nn.Module) -> Pixels:
    size = module.visual.image_size
    mean, std = preprocess.get("mean") or CLIP_MEAN, preprocess.get("std") or CLIP_STD
    return Pixels(
        size=(size, size) if isinstance(size, int) else tuple(size),
        mean=tuple(mean) if isinstance(mean, list | tuple) else (mean,) * 3,
        std=tuple(std) if isinstance(std, list | tuple) else (std,) * 3,
        interpolation=preprocess.get("interpolation") or "bicubic",
        fit=preprocess.get("resize_mode") or "shortest",
        fill=preprocess.get("fill_color") or 0,
    )


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
