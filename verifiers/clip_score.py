"""CLIP score: how well a picture fits its prompt.

Hessel et al., CLIPScore: A Reference-free Evaluation Metric for Image Captioning, arXiv:2104.08718. Without the paper's caption
prefix, factor 2.5 and clipping at 0, which change no ranking: 100 x cosine, as most later work reports it.
"""

from pathlib import Path

from torch import Tensor, nn

from .base import Card
from .clip_model import ClipModel


class ClipScore:
    """100 x cosine between the embeddings of picture and prompt, in -100 to 100; good matches 22 to 32 (ViT-L/14), 28 to 40 (ViT-H/14).

    Args:
        model: Embeds pictures and texts.
    """

    columns = ("clip",)

    def __init__(self, model: ClipModel):
        self.model = model
        self.modules: tuple[nn.Module, ...] = (model.module,)
        self.card = Card(
            name=f"CLIP score ({model.name})",
            range="100 x cosine, mostly 15 to 40",
            spread=3.0,
            prompt=True,
            token_limit=model.token_limit,
            source="arXiv:2104.08718",
        )

    @classmethod
    def load(cls, path: Path | str, architecture: str | None = None) -> "ClipScore":
        """Read an open_clip checkpoint: a file of any layout, or a folder with its config."""
        return cls(ClipModel.load(path, architecture))

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        cosines = self.model.embed_images(images) @ self.model.embed_text(prompt).T
        return (100 * cosines).cpu()

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> int:
        return self.model.count_tokens(prompt)
