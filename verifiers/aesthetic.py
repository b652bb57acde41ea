"""LAION aesthetic score: how a picture would be rated for its looks.

Schuhmann, improved-aesthetic-predictor (2022), "sac+logos+ava1-l14-linearMSE": a head on CLIP ViT-L/14 (OpenAI) embeddings. Its five
linear layers have no activations between them, so the head is one vector and one number; they are multiplied out in float64.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .base import Card
from .weights import WeightsError, read_tensors, some

LAYERS = (0, 2, 4, 6, 7)  # the gaps were dropouts
KEYS = {f"layers.{layer}.{kind}" for layer in LAYERS for kind in ("weight", "bias")}


class AestheticScore:
    """A human rating, roughly 1 to 10; most pictures 4 to 7, good ones above 6. Ignores the prompt.

    Args:
        encoder: Maps pictures `(n, 3, h, w)` in [0, 1] to CLIP embeddings `(n, d)`, of any length.
        weight: The head as one vector, `(d,)`.
        bias: Rating of an embedding of length 0.
        modules: What of the encoder has weights, for the caller to move.
    """

    columns = ("aesthetic",)
    card = Card(
        name="LAION aesthetic",
        range="rating, mostly 4 to 7",
        spread=0.4,
        prompt=False,
        licence="Apache-2.0",
        source="https://github.com/christophschuhmann/improved-aesthetic-predictor",
    )

    def __init__(
        self, encoder: Callable[[Tensor], Tensor], weight: Tensor, bias: float, *, modules: tuple[nn.Module, ...] = ()
    ):
        self.encoder, self.weight, self.bias, self.modules = encoder, weight.double(), bias, modules

    @classmethod
    def load(
        cls, path: Path | str, encoder: Callable[[Tensor], Tensor], *, modules: tuple[nn.Module, ...] = ()
    ) -> "AestheticScore":
        """Read the head from a file, to sit on the given encoder."""
        path = Path(path)
        weight, bias = fold(read_tensors(path), path.name)
        return cls(encoder, weight, bias, modules=modules)

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        embeddings = self.encoder(images).double().cpu()
        if embeddings.shape[1:] != self.weight.shape:
            raise WeightsError(
                f"{self.card.name} needs embeddings of {len(self.weight)} numbers, as CLIP ViT-L/14 gives,"
                f" got {tuple(embeddings.shape[1:])}"
            )
        return (normalize(embeddings, dim=-1) @ self.weight + self.bias).float().unsqueeze(1)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> None:
        return None


def fold(state: Mapping[str, Tensor], name: str) -> tuple[Tensor, float]:
    """The head's layers multiplied out: vector `(d,)` in float64, and the number to add."""
    if set(state) != KEYS:
        raise WeightsError(f"{name} must be a linear LAION head with layers {LAYERS}, got {some(list(state), 12)}")
    width = state["layers.0.weight"].shape[-1]
    weight, bias = torch.eye(width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
    for layer in LAYERS:
        matrix, shift = state[f"layers.{layer}.weight"].double(), state[f"layers.{layer}.bias"].double()
        if matrix.shape != (len(shift), len(weight)):
            raise WeightsError(f"layers.{layer}.weight of {name} must be {(len(shift), len(weight))}, got {tuple(matrix.shape)}")
        weight, bias = matrix @ weight, matrix @ bias + shift
    if len(weight) != 1:
        raise WeightsError(f"{name} must end in one rating, got {len(weight)}")
    return weight[0], bias.item()
