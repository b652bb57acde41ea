"""HPS v2 and v2.1: which picture of a prompt people prefer.

Wu et al., Human Preference Score v2, arXiv:2306.09341. A CLIP ViT-H/14 of the open_clip package, with its usual names,
trained on preferences. The whole picture is seen: resized to its longest side and padded with black, on floating-point
pixels with antialiasing, as the authors' package does it with today's torchvision (their tables were made without
antialiasing, in 2023).
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from .base import Card
from .clip_checkpoint import Recipe, fits, open_clip, resembles
from .clip_model import NO_WEIGHTS, ClipModel
from .clip_score import ClipScore
from .images import CLIP_MEAN, CLIP_STD, bytes_of
from .weights import WeightsError, read_tensors, some

REPOSITORY = "https://huggingface.co/xswu/HPSv2"


@dataclass(frozen=True)
class Letterbox:
    """The whole picture on a black square: pictures `(n, 3, h, w)` in [0, 1] to the network's input `(n, 3, side,
    side)`, on CPU.

    Args:
        side: Of the square, in pixels.
    """

    side: int

    def __call__(self, images: Tensor) -> Tensor:
        pixels = bytes_of(images).movedim(-1, 1).contiguous().float().div(255)
        mean, std = torch.tensor(CLIP_MEAN).view(-1, 1, 1), torch.tensor(CLIP_STD).view(-1, 1, 1)
        return self.frame(pixels).sub(mean).div(std)

    def frame(self, pixels: Tensor) -> Tensor:
        """Resized to the longest side; the bicubic filter may leave [0, 1] a little, which is not cut. Padded
        evenly.
        """
        height, width = pixels.shape[-2:]
        scale = self.side / max(height, width)
        if scale != 1:
            height, width = round(height * scale), round(width * scale)
            pixels = interpolate(pixels, (height, width), mode="bicubic", align_corners=False, antialias=True)
        down, right = self.side - height, self.side - width
        return pad(pixels, (right // 2, right - right // 2, down // 2, down - down // 2))


class HpsScore(ClipScore):
    """Cosine between picture and prompt, mostly 0.24 to 0.29 (v2) or 0.14 to 0.34 (v2.1); the authors' tables show it
    times 100.

    Args:
        model: The network, with the authors' letterbox as its pixels.
        licence: Of the weights.
        version: "2" or "2.1".
    """

    columns = ("hps",)

    def __init__(self, model: ClipModel, licence: str = "Apache-2.0", version: str = "2.1"):
        self.version = version
        super().__init__(model, licence)

    @classmethod
    def load(cls, path: Path | str, version: str = "2.1") -> "HpsScore":
        """Read the checkpoint as published, or as safetensors with "model." before the names."""
        path = Path(path)
        state = read_tensors(path)
        if all(key.startswith("model.") for key in state):
            state = {key.removeprefix("model."): value for key, value in state.items()}
        state = {key: value for key, value in state.items() if key not in NO_WEIGHTS}
        model = ClipModel.built(path, state, _recipe(path, state))
        return cls(replace(model, pixels=Letterbox(model.pixels.size[0])), version=version)

    def _scale(self) -> float:
        return 1

    def _card(self, licence: str) -> Card:
        return Card(
            name=f"HPSv{self.version}",
            family="CLIP",
            range="cosine, mostly 0.14 to 0.34; compare within one prompt",
            spread=0.0082,
            prompt=True,
            token_limit=self.model.token_limit,
            licence=licence,
            source=REPOSITORY,
        )


def _recipe(path: Path, state: dict[str, Tensor]) -> Recipe:
    """The open_clip architecture of these weights, with the plain activation; the nearest one if some are missing."""
    configs = {name: open_clip().get_model_config(name) for name in open_clip().list_models()}
    near = [name for name, config in configs.items() if not config.get("quick_gelu") and resembles(config, state)]
    if not near:
        raise WeightsError(
            f"{path.name} must be a CLIP of the open_clip package, as HPS is, got one that holds {some(list(state))}"
        )
    name = next((name for name in near if fits(name, state)), near[0])
    return Recipe(configs[name], {}, name)
