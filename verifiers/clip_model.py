"""CLIP models of the open_clip package, from a single file or from a folder, without a download."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import normalize

from .base import home
from .clip_checkpoint import Recipe, build, fitted, open_clip, read_recipe, recognise, weights_file
from .images import CLIP_MEAN, CLIP_STD, Pixels
from .weights import WeightsError, load_strictly, read_tensors

NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size")  # numbers that OpenAI's files carry along


@dataclass(frozen=True, eq=False)
class ClipModel:
    """Embeds pictures and texts in one space, as unit vectors.

    Args:
        name: File or folder it came from, for messages.
        module: A module that has `encode_image` and `encode_text`.
        tokenizer: Maps a text to ids `(1, t)`, cut to the context length.
        pixels: What the image tower wants to see.
    """

    name: str
    module: Any
    tokenizer: Any
    pixels: Pixels

    @classmethod
    def load(cls, path: Path | str, architecture: str | None = None) -> "ClipModel":
        """Read a file or folder; `architecture` names an open_clip config where the file alone does not tell."""
        path = Path(path)
        state = {key: value for key, value in read_tensors(weights_file(path)).items() if key not in NO_WEIGHTS}
        recipe = read_recipe(path) if path.is_dir() else recognise(path, state, architecture)
        return cls.built(path, state, recipe)

    @classmethod
    def built(cls, path: Path, state: Mapping[str, Tensor], recipe: Recipe) -> "ClipModel":
        """The model of a recipe, with exactly these weights."""
        if "hf_model_name" in recipe.config["text_cfg"]:
            raise WeightsError(f"{path.name} has a text tower that would have to be downloaded, which is not supported")
        module = build(recipe.config)
        load_strictly(module, fitted(state, module), path.name)
        module.eval().requires_grad_(False)
        return cls(path.name, module, open_clip().get_tokenizer(recipe.tokenizer), _pixels(recipe.preprocess, module))

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


def _pixels(preprocess: Mapping, module: Any) -> Pixels:
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
