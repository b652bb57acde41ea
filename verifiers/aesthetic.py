"""Aesthetic scores: how a picture would be rated for its looks.

Schuhmann, improved-aesthetic-predictor (2022), "sac+logos+ava1-l14-linearMSE": a head on CLIP ViT-L/14 (OpenAI)
embeddings. And discus0434, Aesthetic Predictor V2.5 (2024): one on the pooled output of SigLIP so400m/14 at 384 pixels.
The five linear layers of either have no activations between them, so a head is one vector and one number; they are
multiplied out in float64.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .base import Card
from .keys import Keyed
from .weights import WeightsError, read_tensors, some


@dataclass(frozen=True)
class Layout:
    """How a published head is stored.

    Args:
        name: Of the head, for messages.
        prefix: Before the number of a layer.
        layers: Numbers of the linear layers; the gaps were dropouts.
        trunk: What it was trained on, in words.
        column: Name of its value.
        card: What a user needs to know.
    """

    name: str
    prefix: str
    layers: tuple[int, ...]
    trunk: str
    column: str
    card: Card

    @property
    def keys(self) -> set[str]:
        return {f"{self.prefix}.{layer}.{kind}" for layer in self.layers for kind in ("weight", "bias")}


LAION = Layout(
    name="LAION head",
    prefix="layers",
    layers=(0, 2, 4, 6, 7),
    trunk="CLIP ViT-L/14",
    column="aesthetic",
    card=Card(
        name="LAION aesthetic",
        family="CLIP",
        range="rating, mostly 4 to 7",
        spread=0.4,
        prompt=False,
        licence="Apache-2.0",
        source="https://github.com/christophschuhmann/improved-aesthetic-predictor",
    ),
)
V2_5 = Layout(
    name="V2.5 head",
    prefix="scoring_head",
    layers=(0, 2, 4, 6, 8),
    trunk="SigLIP so400m/14 at 384 pixels",
    column="aesthetic 2.5",
    card=Card(
        name="Aesthetic V2.5",
        family="CLIP",
        range="rating, 1 to 10, great from 5.5",
        spread=0.6,
        prompt=False,
        licence="AGPL-3.0",
        source="https://github.com/discus0434/aesthetic-predictor-v2-5",
        working_bytes=192 * 2**20,
    ),
)


class AestheticScore(Keyed):
    """A human rating, roughly 1 to 10; most pictures 4 to 7, good ones above 6 (V2.5: above 5.5). Ignores the prompt.

    Args:
        encoder: Maps pictures `(n, 3, h, w)` in [0, 1] to embeddings `(n, d)`, of any length.
        weight: The head as one vector, `(d,)`.
        bias: Rating of an embedding of length 0.
        modules: What of the encoder has weights, for the caller to move.
        layout: Which head it is.
    """

    def __init__(
        self,
        encoder: Callable[[Tensor], Tensor],
        weight: Tensor,
        bias: float,
        *,
        modules: tuple[nn.Module, ...] = (),
        layout: Layout = LAION,
    ):
        self.encoder, self.weight, self.bias, self.modules = encoder, weight.double(), bias, modules
        self.columns, self.card, self.trunk = (layout.column,), layout.card, layout.trunk

    @classmethod
    def load(
        cls,
        path: Path | str,
        encoder: Callable[[Tensor], Tensor],
        *,
        modules: tuple[nn.Module, ...] = (),
        layout: Layout = LAION,
    ) -> "AestheticScore":
        """Read the head from a file, to sit on the given encoder."""
        path = Path(path)
        weight, bias = fold(read_tensors(path), path.name, layout)
        return cls(encoder, weight, bias, modules=modules, layout=layout)

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        embeddings = self.encoder(images).cpu().double()
        if embeddings.shape[1:] != self.weight.shape:
            raise WeightsError(
                f"{self.card.name} needs embeddings of {len(self.weight)} numbers, as {self.trunk} gives, got"
                f" {tuple(embeddings.shape[1:])}"
            )
        return (normalize(embeddings, dim=-1) @ self.weight + self.bias).float().unsqueeze(1)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> None:
        return None


def has_layout(names: Iterable[str], layout: Layout) -> bool:
    """Whether a file with tensors of these names is such a head; one that lacks a few is still meant to be."""
    return all(name.startswith(f"{layout.prefix}.") for name in names) and f"{layout.prefix}.0.weight" in names


def fold(state: Mapping[str, Tensor], name: str, layout: Layout = LAION) -> tuple[Tensor, float]:
    """The head's layers multiplied out: vector `(d,)` in float64, and the number to add."""
    if missing := sorted(layout.keys - state.keys()):
        raise WeightsError(
            f"{name} must be a linear {layout.name} with layers {layout.layers}, got none named {some(missing)}"
        )
    if unexpected := sorted(state.keys() - layout.keys):
        raise WeightsError(
            f"{name} must be a linear {layout.name} with layers {layout.layers}, got {some(unexpected)} too"
        )
    width = state[f"{layout.prefix}.0.weight"].shape[-1]
    weight, bias = torch.eye(width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
    for layer in layout.layers:
        key = f"{layout.prefix}.{layer}.weight"
        matrix, shift = state[key].double(), state[f"{layout.prefix}.{layer}.bias"].double()
        if matrix.shape != (len(shift), len(weight)):
            raise WeightsError(f"{key} of {name} must be {(len(shift), len(weight))}, got {tuple(matrix.shape)}")
        weight, bias = matrix @ weight, matrix @ bias + shift
    if len(weight) != 1:
        raise WeightsError(f"{name} must end in one rating, got {len(weight)}")
    return weight[0], bias.item()
