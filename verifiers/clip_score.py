"""CLIP score: how well a picture fits its prompt.

Hessel et al., CLIPScore: A Reference-free Evaluation Metric for Image Captioning, arXiv:2104.08718. Without the paper's
caption prefix, factor 2.5 and clipping at 0, which change no ranking: 100 x cosine, as most later work reports it.
"""

from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from .base import Card
from .clip_model import ClipModel
from .keys import Keyed

SPREAD = 3.0  # typical standard deviation among pictures of one prompt


class Embedder(Protocol):
    """Embeds pictures and texts in one space: `ClipModel` with open_clip, `TransformersClip` with transformers."""

    @property
    def name(self) -> str: ...

    @property
    def module(self) -> nn.Module: ...

    @property
    def token_limit(self) -> int: ...

    def count_tokens(self, text: str) -> int: ...

    def embed_images(self, images: Tensor) -> Tensor: ...

    def embed_text(self, text: str) -> Tensor: ...


class ClipScore(Keyed):
    """100 x cosine between the embeddings of picture and prompt, in -100 to 100; good matches 22 to 32 (ViT-L/14), 28
    to 40 (ViT-H/14).

    SigLIP's cosines are lower: good matches 8 to 18.

    Args:
        model: Embeds pictures and texts.
        licence: Of the weights, if known.
    """

    columns: tuple[str, ...] = ("clip",)

    def __init__(self, model: Embedder, licence: str = ""):
        self.model = model
        self.modules: tuple[nn.Module, ...] = (model.module,)
        self.card = self._card(licence)

    @classmethod
    def load(cls, path: Path | str, architecture: str | None = None) -> "ClipScore":
        """Read an open_clip checkpoint: a file of any layout, or a folder with its config."""
        return cls(ClipModel.load(path, architecture))

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        cosines = self.model.embed_images(images) @ self.model.embed_text(prompt).T
        return (self._scale() * cosines).float().cpu()

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> int:
        return self.model.count_tokens(prompt)

    def _scale(self) -> float | Tensor:
        return 100

    def _card(self, licence: str) -> Card:
        siglip = getattr(self.model.module, "logit_bias", None) is not None
        return Card(
            name=f"CLIP score ({self.model.name})",
            family="CLIP",
            range=f"100 x cosine, mostly {'0 to 20' if siglip else '15 to 40'}",
            spread=SPREAD,
            prompt=True,
            token_limit=self.model.token_limit,
            licence=licence,
            source="arXiv:2303.15343" if siglip else "arXiv:2104.08718",
        )
