"""Several verifiers that judge together."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .base import Card, Verifier
from .combine import COMBINATIONS


class Ensemble:
    """Measures with every verifier, one after the other, and combines what they say over the pool.

    Args:
        verifiers: At least one; each may be an ensemble itself.
        weights: How much each counts; equal if not given. A negative one turns a verifier round.
        combination: "mean rank" (ignores scales), "z-score" or "weighted sum" (of raw values).
    """

    def __init__(self, verifiers: Sequence[Verifier], weights: Sequence[float] = (), combination: str = "mean rank"):
        if not verifiers:
            raise ValueError("an ensemble must have at least one verifier, got none")
        if combination not in COMBINATIONS:
            raise ValueError(f"combination must be one of {', '.join(COMBINATIONS)}, got {combination}")
        self.verifiers, self.combination = tuple(verifiers), combination
        self.weights = _checked(tuple(weights) or (1.0,) * len(verifiers), len(verifiers))
        self.columns = _distinct([column for verifier in self.verifiers for column in verifier.columns])
        self.modules: tuple[nn.Module, ...] = tuple(module for verifier in self.verifiers for module in verifier.modules)
        self.card = _card(self.verifiers, self.weights, combination)

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        return torch.cat([verifier.measure(images, prompt) for verifier in self.verifiers], dim=1)

    def combine(self, pool: Tensor) -> Tensor:
        parts = pool.split([len(verifier.columns) for verifier in self.verifiers], dim=1)
        scores = torch.stack([verifier.combine(part).double() for verifier, part in zip(self.verifiers, parts)], dim=1)
        spreads = torch.tensor([verifier.card.spread for verifier in self.verifiers])
        return COMBINATIONS[self.combination](scores, torch.tensor(self.weights), spreads)

    def count_tokens(self, prompt: str) -> int | None:
        counts = [verifier.count_tokens(prompt) for verifier in self.verifiers]
        return max((count for count in counts if count is not None), default=None)


def members(verifier: Verifier) -> list[Verifier]:
    """The single verifiers of an ensemble, of ensembles in it too; a single one is its own member."""
    if not isinstance(verifier, Ensemble):
        return [verifier]
    return [member for part in verifier.verifiers for member in members(part)]


def _checked(weights: tuple[float, ...], count: int) -> tuple[float, ...]:
    if len(weights) != count:
        raise ValueError(f"weights must be one number per verifier, {count} in all, got {len(weights)}")
    if not all(math.isfinite(weight) for weight in weights) or not any(weights):
        raise ValueError(f"weights must be finite and not all 0, got {', '.join(map(str, weights))}")
    return weights


def _distinct(names: list[str]) -> tuple[str, ...]:
    """Names with " 2", " 3" behind repeated ones, so that each column of a trace has its own."""
    return tuple(
        name if (nth := names[:index].count(name)) == 0 else f"{name} {nth + 1}" for index, name in enumerate(names)
    )


def _card(verifiers: tuple[Verifier, ...], weights: tuple[float, ...], combination: str) -> Card:
    cards = [verifier.card for verifier in verifiers]
    limits = [card.token_limit for card in cards if card.token_limit is not None]
    scales = {
        "mean rank": ("mean rank in the pool, 0 to 1", 0.3),
        "z-score": ("standard deviations from the pool's median", 1.0),
        "weighted sum": ("weighted sum of values", math.hypot(*(w * card.spread for w, card in zip(weights, cards)))),
    }
    text, spread = scales[combination]
    return Card(
        name=f"Ensemble of {', '.join(card.name for card in cards)}",
        range=text,
        spread=spread,
        prompt=any(card.prompt for card in cards),
        token_limit=min(limits, default=None),
        licence=", ".join(dict.fromkeys(card.licence for card in cards if card.licence)),
        working_bytes=max(card.working_bytes for card in cards),
    )
