"""Self-supervised verifier: how much of the picture was settled while it was still noisy.

Ma et al., Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps, arXiv:2501.09732, section 4.2:
cosine between the features of the model's estimate at noise level 0.4 and of the finished picture. The paper finds it
useful for classes (ImageNet, DINO correlates 0.74 with a classifier) and of almost no use for text-to-image (its table
8).
"""

from torch import Tensor, nn

from .base import Card
from .image_encoder import ImageEncoder
from .keys import Keyed
from .reference import unit

PAPER_LEVEL = 0.4


class SelfSupervisedScore(Keyed):
    """100 x cosine between what the sampler saw coming and what came, in -100 to 100; mostly 60 to 98. Ignores the
    prompt.

    Args:
        encoder: Embeds pictures.
        estimate_at: Share of the schedule's highest noise level, in (0, 1). The estimate is that of the first step at
            or below it. For flow models, whose highest level is 1, the paper's value is the share itself; `share_of`
            gives it for others.
    """

    columns = ("settled",)

    def __init__(self, encoder: ImageEncoder, estimate_at: float = PAPER_LEVEL):
        if not 0 < estimate_at < 1:
            raise ValueError(f"estimate_at must be above 0 and below 1, got {estimate_at}")
        self.encoder, self.estimate_at = encoder, estimate_at
        self.modules: tuple[nn.Module, ...] = encoder.modules
        self.card = Card(
            name=f"Self-supervised ({encoder.name})",
            range="100 x cosine, mostly 60 to 98",
            spread=3.0,
            prompt=False,
            licence=encoder.licence,
            source="arXiv:2501.09732",
        )

    def measure(self, images: Tensor, prompt: str, estimates: Tensor | None = None) -> Tensor:
        """Values `(n, 1)` of pictures `(n, 3, h, w)`, whose decoded estimates `(n, 3, h, w)` come in the same order."""
        if estimates is None:
            raise ValueError(
                f"{self.card.name} needs a search node: it compares a picture with the sampler's estimate of it"
                " halfway, which finished pictures do not have"
            )
        if len(estimates) != len(images):
            raise ValueError(f"estimates must be one per picture, {len(images)}, got {len(estimates)}")
        return 100 * (unit(self.encoder, images) * unit(self.encoder, estimates)).sum(1, keepdim=True)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> None:
        return None


def share_of(level: float, *, flow: bool, highest: float) -> float:
    """The share of a schedule's highest sigma that is as noisy as `level` of a flow model, at which x = (1 - level) x0
    + level noise.

    A flow model's sigma is that level. A model in x0 + sigma noise (SD 1.5, SDXL) is as noisy at sigma = level / (1 -
    level): 0.4 is 0.667, which of its highest sigma, 14.6, is a share of 0.046.
    """
    return (level if flow else level / (1 - level)) / highest
