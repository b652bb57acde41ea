"""PickScore: which of two pictures of one prompt people would rather have.

Kirstain et al., Pick-a-Pic: An Open Dataset of User Preferences for Text-to-Image Generation, arXiv:2305.01569. A CLIP
ViT-H/14 of the transformers package, trained on choices between two pictures.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from .base import Card
from .clip_score import ClipScore
from .transformers_clip import TransformersClip

REPOSITORY = "https://huggingface.co/yuvalkirstain/PickScore_v1"


class PickScore(ClipScore):
    """Cosine between picture and prompt times the model's own scale (about 100), mostly 18 to 24.

    The sigmoid of the difference between two pictures of one prompt is the chance that the first is preferred.
    """

    columns = ("pickscore",)

    @classmethod
    def load(cls, folder: Path | str) -> "PickScore":
        """Read the folder as published."""
        return cls(TransformersClip.load(folder))

    def _scale(self) -> Tensor:
        module: Any = self.model.module
        return module.logit_scale.float().exp()

    def _card(self, licence: str) -> Card:
        return Card(
            name="PickScore",
            family="CLIP",
            range="about 100 x cosine, mostly 18 to 24; compare within one prompt",
            spread=0.61,
            prompt=True,
            token_limit=self.model.token_limit,
            licence=licence or "none stated",
            source=REPOSITORY,
        )
