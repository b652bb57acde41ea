"""Several verifiers that judge together."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .abilities import estimate_level, is_apart, is_focused, missed, sees_clips
from .base import COSTS, Card, Verifier
from .clips import measure_clips
from .combine import COMBINATIONS, gated
from .focus import Adjusted, judge, measure, no_final
from .keys import key_of, together


class Ensemble:
    """Measures with every verifier, one after the other, and combines what they say over the pool.

    A picture that misses the floor of any member ranks behind all that miss none.

    Args:
        verifiers: At least one; each may be an ensemble itself, or have settings of its own (`Adjusted`).
        weights: How much each counts, times the weight among its own settings; equal if not given. A negative one turns
            a verifier round.
        combination: "mean rank" (ignores scales), "z-score", "weighted sum" (of raw values) or "min" (the worst
            z-score).
    """

    def __init__(self, verifiers: Sequence[Verifier], weights: Sequence[float] = (), combination: str = "mean rank"):
        if not verifiers:
            raise ValueError("an ensemble must have at least one verifier, got none")
        if combination not in COMBINATIONS:
            raise ValueError(f"combination must be one of {', '.join(COMBINATIONS)}, got {combination}")
        for verifier in verifiers:
            no_final(verifier, "an ensemble")
        self.verifiers, self.combination = tuple(verifiers), combination
        self.weights = _weights(tuple(weights) or (1.0,) * len(verifiers), self.verifiers)
        self.columns = _distinct([column for verifier in self.verifiers for column in verifier.columns])
        self.modules: tuple[nn.Module, ...] = tuple(
            module for verifier in self.verifiers for module in verifier.modules
        )
        self.estimate_at = _common_level(self.verifiers)
        self.only_clips = any(sees_clips(verifier) for verifier in self.verifiers)
        self.focused = any(is_focused(verifier) for verifier in self.verifiers)
        self.card = _card(self.verifiers, self.weights, combination)

    def measure(self, images: Tensor, prompt: str, estimates: Tensor | None = None) -> Tensor:
        return torch.cat([measure(verifier, images, prompt, estimates) for verifier in self.verifiers], dim=1)

    def measure_clips(self, clips: Sequence[Tensor], prompt: str, estimates: Sequence[Tensor] | None = None) -> Tensor:
        return torch.cat(
            [measure_clips(verifier, clips, prompt, estimates).double() for verifier in self.verifiers], dim=1
        )

    def combine(self, pool: Tensor) -> Tensor:
        return gated(self._combine, pool, self.missed(pool))

    def missed(self, pool: Tensor) -> Tensor:
        """By how much the rows of a pool `(m, k)` miss the floors of all members, added up: `(m,)`, 0 = none."""
        return torch.stack([missed(verifier, part) for verifier, part in zip(self.verifiers, self._parts(pool))]).sum(
            dim=0
        )

    def apart(self, device: torch.device) -> bool:
        """Whether all of its members leave this device alone."""
        return all(is_apart(verifier, device) for verifier in self.verifiers)

    def key(self) -> str:
        """That of its members: weights and combination rank what these measured."""
        return together("ensemble", *map(key_of, self.verifiers))

    def count_tokens(self, prompt: str) -> int | None:
        counts = [verifier.count_tokens(prompt) for verifier in self.verifiers]
        return max((count for count in counts if count is not None), default=None)

    def _combine(self, pool: Tensor) -> Tensor:
        parts = zip(self.verifiers, self._parts(pool))
        scores = torch.stack([judge(verifier).combine(part).double() for verifier, part in parts], dim=1)
        spreads = torch.tensor([verifier.card.spread for verifier in self.verifiers])
        return COMBINATIONS[self.combination](scores, torch.tensor(self.weights), spreads)

    def _parts(self, pool: Tensor) -> tuple[Tensor, ...]:
        return pool.split([len(verifier.columns) for verifier in self.verifiers], dim=1)


def members(verifier: Verifier) -> list[Verifier]:
    """The single verifiers of an ensemble, of ensembles in it too, each with what it reads; a single one is its own
    member.
    """
    if isinstance(verifier, Adjusted) and isinstance(judge(verifier), Ensemble):
        return [Adjusted(member, prompt=verifier.prompt) for member in members(verifier.verifier)]
    if not isinstance(verifier, Ensemble):
        return [verifier]
    return [member for part in verifier.verifiers for member in members(part)]


def _weights(given: tuple[float, ...], verifiers: tuple[Verifier, ...]) -> tuple[float, ...]:
    if len(given) != len(verifiers):
        raise ValueError(f"weights must be one number per verifier, {len(verifiers)} in all, got {len(given)}")
    weights = tuple(weight * _own_weight(verifier) for weight, verifier in zip(given, verifiers))
    if not all(math.isfinite(weight) for weight in weights) or not any(weights):
        raise ValueError(f"weights must be finite and not all 0, got {', '.join(map(str, weights))}")
    return weights


def _own_weight(verifier: Verifier) -> float:
    return verifier.weight * _own_weight(verifier.verifier) if isinstance(verifier, Adjusted) else 1.0


def _common_level(verifiers: tuple[Verifier, ...]) -> float | None:
    levels = {level for verifier in verifiers if (level := estimate_level(verifier)) is not None}
    if len(levels) > 1:
        raise ValueError(
            f"estimate_at must be the same for all verifiers that have one, got {', '.join(map(str, sorted(levels)))}"
        )
    return next(iter(levels), None)


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
        "min": ("the worst verifier's standard deviations from the pool's median", 1.0),
    }
    text, spread = scales[combination]
    return Card(
        name=f"Ensemble of {', '.join(card.name for card in cards)}",
        range=text,
        spread=spread,
        prompt=any(card.prompt for card in cards),
        token_limit=min(limits, default=None),
        cost=max((card.cost for card in cards), key=COSTS.index),
        licence=", ".join(dict.fromkeys(card.licence for card in cards if card.licence)),
        working_bytes=max(card.working_bytes for card in cards),
        absolute=combination == "weighted sum" and all(card.absolute for card in cards),
    )
