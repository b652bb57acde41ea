"""Likeness: how similar a picture is to one or several reference pictures.

Cosine of image embeddings. With DINOv2 (Oquab et al., arXiv:2304.07193) it follows the subject, as DreamBooth's DINO
score does (Ruiz et al., arXiv:2208.12242); with CLIP or SigLIP it follows what the picture shows, whoever it is.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .base import Card
from .image_encoder import ImageEncoder
from .keys import Keyed

POOLINGS = ("mean", "best")


class ReferenceScore(Keyed):
    """100 x cosine to the references, in -100 to 100; the same subject 50 to 80 (DINOv2), 70 to 90 (CLIP). Ignores the
    prompt.

    Args:
        encoder: Embeds pictures.
        references: Pictures `(r, 3, h, w)` in [0, 1], at least one.
        pooling: "mean" over the references, or "best": the one that is most similar.
    """

    columns = ("likeness",)

    def __init__(self, encoder: ImageEncoder, references: Tensor, pooling: str = "mean"):
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling}")
        if not len(references) or not references.isfinite().all():
            raise ValueError(
                "references must be one or more finite pictures, got"
                f" {'none' if not len(references) else 'NaN or infinity'}"
            )
        self.encoder, self.references, self.pooling = encoder, references, pooling
        self.modules: tuple[nn.Module, ...] = encoder.modules
        self._embedded: Tensor | None = None
        self.card = Card(
            name=f"Likeness ({encoder.name})",
            range="100 x cosine, mostly 30 to 90",
            spread=5.0,
            prompt=False,
            licence=encoder.licence,
            source="arXiv:2304.07193",
        )

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        if self._embedded is None:  # not earlier: the weights had not been moved to where they compute
            self._embedded = unit(self.encoder, self.references)
        cosines = unit(self.encoder, images) @ self._embedded.T  # (n, r)
        pooled = cosines.mean(1) if self.pooling == "mean" else cosines.amax(1)
        return 100 * pooled.unsqueeze(1)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> None:
        return None


def unit(encoder: ImageEncoder, images: Tensor) -> Tensor:
    """Embeddings of pictures as unit vectors `(n, d)`, float32 on CPU."""
    with torch.inference_mode(False), torch.no_grad():  # else what is kept could not be used in ordinary mode
        vectors = encoder.embed(images).float().cpu()
        if vectors.ndim != 2:
            raise ValueError(
                f"{encoder.name} must give one vector per picture, as CLIP and DINOv2 do, got shape"
                f" {tuple(vectors.shape)}"
            )
        return normalize(vectors, dim=-1)
