"""CLIP, SigLIP and SigLIP 2 models of the transformers package, from a folder, without a download.

Radford et al., arXiv:2103.00020; Zhai et al., arXiv:2303.15343; Tschannen et al., arXiv:2502.14786. SigLIP texts are
lower-cased and filled up to 64 tokens as in training; the first SigLIP also drops punctuation.
"""

import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .base import home
from .images import Pixels
from .transformers_folder import config_of, pixels_of, tokenizer_of, transformers, weights_of
from .weights import WeightsError, assemble

SIGLIP_PAD = 1  # also its mark of the end
SIGLIP_WORDS = 32000  # vocabulary of the first SigLIP
PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
CLASSES = {"clip": "CLIPModel", "siglip": "SiglipModel"}


@dataclass(frozen=True, eq=False)
class TransformersClip:
    """Embeds pictures and texts in one space, as unit vectors.

    Args:
        name: Folder it came from, for messages.
        module: A CLIPModel or SiglipModel of transformers.
        tokenizer: The folder's own.
        pixels: What the image tower wants to see.
    """

    name: str
    module: Any
    tokenizer: Any
    pixels: Pixels

    @classmethod
    def load(cls, folder: Path | str) -> "TransformersClip":
        folder = Path(folder)
        config = config_of(folder)
        if config.model_type not in CLASSES:
            raise WeightsError(f"{folder.name} must be a model of type {' or '.join(CLASSES)}, got {config.model_type}")
        make = getattr(transformers(), CLASSES[config.model_type])
        module = assemble(lambda: make(config), weights_of(folder), folder.name)
        first = config.model_type == "siglip" and config.text_config.vocab_size <= SIGLIP_WORDS
        return cls(folder.name, module, _first_tokenizer(folder) if first else tokenizer_of(folder), pixels_of(folder))

    @property
    def siglip(self) -> bool:
        return self.module.config.model_type == "siglip"

    @property
    def token_limit(self) -> int:
        """Tokens of a text that are read, not counting the marks of its start and end."""
        return self.module.config.text_config.max_position_embeddings - (1 if self.siglip else 2)

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text, not counting the marks of its start and end."""
        return len(self.tokenizer(self._written(text), add_special_tokens=False)["input_ids"])

    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors `(n, d)` of pictures `(n, 3, h, w)` in [0, 1], float32."""
        device, dtype = home((self.module,))
        return _unit(self.module.get_image_features(pixel_values=self.pixels(images).to(device, dtype)))

    def embed_text(self, text: str) -> Tensor:
        """Unit vector `(1, d)` of a text, float32."""
        return _unit(self.module.get_text_features(input_ids=self.ids(text).to(home((self.module,))[0])))

    def ids(self, text: str) -> Tensor:
        """Token ids `(1, t)` as the text tower reads them, cut to its length."""
        length = self.module.config.text_config.max_position_embeddings
        if not self.siglip:  # what follows the mark of the end is not read, so nothing is filled up
            return torch.tensor([self.tokenizer(text, truncation=True, max_length=length)["input_ids"]])
        if not self._first:
            return torch.tensor(
                [
                    self.tokenizer(self._written(text), truncation=True, max_length=length, padding="max_length")[
                        "input_ids"
                    ]
                ]
            )
        words = self.tokenizer(self._written(text), add_special_tokens=False)["input_ids"][: length - 1]
        return torch.tensor([words + [SIGLIP_PAD] * (length - len(words))])

    @property
    def _first(self) -> bool:
        """Whether it is the first SigLIP rather than SigLIP 2, which have the same architecture but other words."""
        return self.module.config.text_config.vocab_size <= SIGLIP_WORDS

    def _written(self, text: str) -> str:
        """The text as the tokenizer should get it."""
        if not self.siglip:
            return text
        return PUNCTUATION.sub("", text.lower()).strip() if self._first else text.lower()


@dataclass(frozen=True, eq=False)
class SiglipEye:
    """The image tower of a SigLIP alone, for a head to sit on.

    Args:
        name: Folder it came from, for messages.
        module: A SiglipVisionModel.
        pixels: What it wants to see.
    """

    name: str
    module: nn.Module
    pixels: Pixels

    @classmethod
    def load(cls, folder: Path | str) -> "SiglipEye":
        """Read the image tower of a folder that has both towers, or that one only."""
        folder = Path(folder)
        config, state = config_of(folder), weights_of(folder)
        config = getattr(config, "vision_config", config)
        eye = {
            key.removeprefix("vision_model."): value for key, value in state.items() if key.startswith("vision_model.")
        } or state
        with torch.device("meta"):
            prefix = (
                "vision_model."
                if any(key.startswith("vision_model.") for key in _make_eye(config).state_dict())
                else ""
            )
        module = assemble(lambda: _make_eye(config), {prefix + key: value for key, value in eye.items()}, folder.name)
        return cls(folder.name, module, pixels_of(folder))

    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors `(n, d)` of pictures `(n, 3, h, w)` in [0, 1], float32."""
        device, dtype = home((self.module,))
        return _unit(self.module(pixel_values=self.pixels(images).to(device, dtype)))


def _make_eye(config: Any) -> nn.Module:
    return transformers().SiglipVisionModel(config)


def _first_tokenizer(folder: Path) -> Any:
    """That of the first SigLIP, from its file alone: its class would need two more packages."""
    if not (folder / "tokenizer.json").is_file():
        raise FileNotFoundError(f"{folder.name} must hold tokenizer.json, got none in {folder}")
    return transformers().PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))


def _unit(output: Any) -> Tensor:
    """Unit vectors of what transformers 4 gives as a tensor and transformers 5 as an output with several."""
    pooled = getattr(output, "pooler_output", None)
    return normalize((output if pooled is None else pooled).float(), dim=-1)
