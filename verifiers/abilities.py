"""What a verifier may offer beside the contract in base.py, and what stands in for it where it does not.

Nothing else asks whether a verifier has something: it asks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class NeedsEstimates(Protocol):
    """Judges by the clean picture that was expected at an earlier noise level as well: `measure(…, estimates)`."""

    estimate_at: float | None  # share of the schedule's highest noise level, in (0, 1); None = it wants none


@runtime_checkable
class JudgesClips(Protocol):
    """Judges videos by more than single frames of them."""

    def measure_clips(self, clips: Sequence[Tensor], prompt: str, estimates: Sequence[Tensor] | None = None) -> Tensor:
        """Raw values `(n, k)` of clips, each `(frames, ...)`; a picture is a clip of one frame."""
        ...


@runtime_checkable
class SaysClipsOnly(Protocol):
    """Says whether it, or a verifier in it, judges videos as such and no single pictures."""

    only_clips: bool


@runtime_checkable
class Compares(Protocol):
    """Judges two pictures against each other."""

    def compare(self, images_a: Tensor, images_b: Tensor, prompt: str, question: str = "") -> Tensor:
        """P(a is better than b), `(n,)`."""
        ...


@runtime_checkable
class SaysWhetherItCompares(Protocol):
    """Says whether what is in it compares."""

    compares: bool


@runtime_checkable
class Gates(Protocol):
    """Has floors that pictures may miss."""

    def missed(self, pool: Tensor) -> Tensor:
        """By how many typical standard deviations each row of a pool `(m, k)` misses them, `(m,)`; 0 = none."""
        ...


@runtime_checkable
class SaysFocused(Protocol):
    """Says whether it, or a verifier in it, judges a part of the picture."""

    focused: bool


@runtime_checkable
class SaysShownBefore(Protocol):
    """Says whether it is shown the picture that was to be changed."""

    shown_before: bool


@runtime_checkable
class SaysApart(Protocol):
    """Says where it computes."""

    def apart(self, device: torch.device) -> bool:
        """Whether it leaves this device alone, whatever it is asked: on another machine, or on another processor."""
        ...


@runtime_checkable
class HoldsFinal(Protocol):
    """Compares the best pictures of a search at its end."""

    finalists: int

    def knockout(self, images: Tensor, prompt: str) -> list[int]:
        """Places of pictures that come best first, in their final order, best first."""
        ...

    def final_key(self) -> str:
        """What the outcome depends on beside the pictures; "" where that cannot be told."""
        ...


def estimate_level(verifier: Any) -> float | None:
    """The level whose estimates it wants; None = it wants none."""
    return verifier.estimate_at if isinstance(verifier, NeedsEstimates) else None


def sees_clips(verifier: Any) -> bool:
    """Whether it, or a verifier in it, judges clips as such and no single pictures."""
    return verifier.only_clips if isinstance(verifier, SaysClipsOnly) else False


def can_compare(verifier: Any) -> bool:
    if isinstance(verifier, SaysWhetherItCompares):
        return verifier.compares
    return isinstance(verifier, Compares)


def is_focused(verifier: Any) -> bool:
    return verifier.focused if isinstance(verifier, SaysFocused) else False


def shown_before(verifier: Any) -> bool:
    """Whether it is shown the picture that was to be changed, and reads the prompt as an order."""
    return verifier.shown_before if isinstance(verifier, SaysShownBefore) else False


def is_apart(verifier: Any, device: torch.device) -> bool:
    """Whether it can judge, on a thread of its own, while something else is computed on this device; not where it does
    not say so.
    """
    return verifier.apart(device) if isinstance(verifier, SaysApart) else False


def missed(verifier: Any, pool: Tensor) -> Tensor:
    """By how much the rows of a pool miss its floors, `(m,)`; zeros where it has none."""
    if isinstance(verifier, Gates):
        return verifier.missed(pool)
    return torch.zeros(len(pool), dtype=torch.float64)


def finalists_of(verifier: Any) -> int:
    """How many of the best it compares at the end; 0 for none."""
    return verifier.finalists if isinstance(verifier, HoldsFinal) else 0
