"""One verifier with its own weight, gate, prompt and region: what it judges and how much that counts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from .abilities import HoldsFinal, can_compare, estimate_level, is_apart, is_focused, missed, sees_clips, shown_before
from .base import Verifier
from .clips import EVENLY, Frames, by_frames, measure_clips
from .combine import gated
from .keys import key_of, together

COVERED = 0.5  # least value of a mask that counts as covered
MARGIN = 0.25  # of the covered box's longer side, added on every side
LEAST = 64  # pixels of a side: smaller crops are a blur to a network that sees 224 or more
GREY = 0.5
ASPECT_TOLERANCE = 0.05  # sizes in steps of 8 or 16 pixels round the aspect ratio


class Focus:
    """Crops pictures to the square around what a mask covers.

    A square is what CLIP-like judges see. What surrounds the covered part within it stays as it is: networks trained on
    photographs misjudge cut-outs on an even ground (Liang et al., OVSeg, arXiv:2210.04150, section 3), statistics of
    sharpness or contrast would be those of the cut, and a hand is judged by the arm it sits on; where only the covered
    part was sampled anew, the rest is the same for all. Grey is added only where a covered part is longer than the
    picture is wide, so that none of it is cropped away.

    Args:
        mask: `(h, w)` or `(k, h, w)` in 0 to 1, several are joined; at least 0.5 counts as covered. Of the pictures'
            aspect ratio.
    """

    def __init__(self, mask: Tensor):
        covered = mask.detach().cpu().reshape(-1, *mask.shape[-2:]).amax(dim=0) >= COVERED
        if not covered.any():
            raise ValueError(f"mask must cover something (values of at least {COVERED}), got at most {mask.max():.3g}")
        self.height, self.width = covered.shape
        self.rows, self.columns = _extent(covered.any(dim=1)), _extent(covered.any(dim=0))

    def __call__(self, images: Tensor) -> Tensor:
        """The region of pictures `(n, c, h, w)`, `(n, c, s, s)`."""
        height, width = images.shape[-2:]
        if abs(math.log((height / self.height) / (width / self.width))) > ASPECT_TOLERANCE:
            raise ValueError(
                f"mask must have the aspect ratio of the pictures, {width} x {height}, got {self.width} x {self.height}"
            )
        rows, columns = _scaled(self.rows, height / self.height), _scaled(self.columns, width / self.width)
        longest = max(rows[1] - rows[0], columns[1] - columns[0])
        side = min(max(LEAST, longest * (1 + 2 * MARGIN)), max(longest, min(height, width)))
        (top, bottom), (left, right) = _window(rows, side, height), _window(columns, side, width)
        return _squared(images[..., top:bottom, left:right])


def _extent(covered: Tensor) -> tuple[int, int]:
    places = covered.nonzero()
    return int(places[0]), int(places[-1]) + 1


def _scaled(extent: tuple[int, int], factor: float) -> tuple[float, float]:
    return extent[0] * factor, extent[1] * factor


def _window(extent: tuple[float, float], side: float, length: int) -> tuple[int, int]:
    """Where a window of this side lies that has the extent in its middle, or as near to that as the picture's edge
    allows.
    """
    size = min(math.ceil(side), length)
    start = min(max(0, round((sum(extent) - size) / 2)), length - size)
    return start, start + size


def _squared(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    return pad(images, (left, side - width - left, top, side - height - top), value=GREY)


class Adjusted:
    """A verifier with settings of its own.

    Args:
        verifier: What judges; an ensemble counts as one verifier.
        weight: How much it counts beside others; a negative one turns it round, 0 leaves it its floor only. Alone, only
            the sign matters.
        floor: Least value that passes, in the verifier's own units: what is below ranks behind all that passes. None
            for no floor.
        prompt: What it reads instead of the prompt that all others read; "" for that one.
        focus: Crops pictures to the part that it judges, as `Focus` does; None for the whole.
        frames: Which frames of a video it sees.
    """

    def __init__(
        self,
        verifier: Verifier,
        *,
        weight: float = 1.0,
        floor: float | None = None,
        prompt: str = "",
        focus: Callable[[Tensor], Tensor] | None = None,
        frames: Frames = EVENLY,
    ):
        self.verifier, self.weight, self.floor, self.prompt, self.focus = verifier, weight, floor, prompt.strip(), focus
        self.frames, self.only_clips = frames, sees_clips(verifier)
        _check(self)
        self.estimate_at = estimate_level(verifier)
        self.focused = focus is not None or is_focused(verifier)
        self.shown_before = shown_before(verifier)
        region = " in the mask" if focus is not None else ""
        self.card = replace(
            verifier.card, name=verifier.card.name + region, prompt=verifier.card.prompt and not self.prompt
        )

    @property
    def columns(self) -> tuple[str, ...]:
        return self.verifier.columns

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return self.verifier.modules

    def measure(self, images: Tensor, prompt: str, estimates: Tensor | None = None) -> Tensor:
        """Raw values of the part of the pictures that it judges; weight and floor are for `combine`."""
        focus = self.focus or (lambda images: images)
        expected = None if estimates is None else focus(estimates)
        return measure(self.verifier, focus(images), self.prompt or prompt, expected)

    def measure_clips(self, clips: Sequence[Tensor], prompt: str, estimates: Sequence[Tensor] | None = None) -> Tensor:
        """Raw values `(n, k)` of clips, by the frames that it sees of them; the worst one is the one that it would rank
        last.
        """
        focus = self.focus or (lambda images: images)
        seen = [focus(clip) for clip in clips]
        expected = None if estimates is None else [focus(clip) for clip in estimates]
        if self.frames == EVENLY:
            return measure_clips(self.verifier, seen, self.prompt or prompt, expected)
        score = self.combine if self.weight else self.verifier.combine
        return by_frames(self.verifier, self.frames, seen, self.prompt or prompt, expected, score)

    @property
    def compares(self) -> bool:
        """Whether it can judge two pictures against each other."""
        return can_compare(self.verifier)

    def compare(self, images_a: Tensor, images_b: Tensor, prompt: str, question: str = "") -> Tensor:
        """P(a is better than b), `(n,)`, of the part of the pictures that it judges."""
        seen = [images if self.focus is None else self.focus(images) for images in (images_a, images_b)]
        comparing: Any = self.verifier  # whether it can is what `compares` says
        return comparing.compare(*seen, self.prompt or prompt, question)

    def apart(self, device: torch.device) -> bool:
        """Whether the verifier leaves this device alone."""
        return is_apart(self.verifier, device)

    def combine(self, pool: Tensor) -> Tensor:
        if self.weight > 0:  # what misses its own floor has a lower value anyway
            return self.verifier.combine(pool)
        return gated(
            lambda rows: -self.verifier.combine(rows) if self.weight else torch.zeros(len(rows)),
            pool,
            self.missed(pool),
        )

    def missed(self, pool: Tensor) -> Tensor:
        """By how many typical standard deviations each row of a pool `(m, k)` misses floors, all of them added up:
        `(m,)`, 0 = none.
        """
        others = missed(self.verifier, pool)
        if self.floor is None:
            return others
        return others + (self.floor - judge(self).combine(pool).double()).clamp(min=0) / self.card.spread

    def key(self) -> str:
        """The verifier's, and what it is shown. Weight and floor rank what was measured, and choose among frames where
        one stands for all.
        """
        ranks = (self.weight, self.floor, vars(self.verifier)) if self.frames.how == "worst" else ()
        return together(key_of(self.verifier), ["settings", self.prompt, self.focus, self.frames, ranks])

    def count_tokens(self, prompt: str) -> int | None:
        return self.verifier.count_tokens(self.prompt or prompt)


def judge(verifier: Verifier) -> Verifier:
    """The verifier within its settings."""
    while isinstance(verifier, Adjusted):
        verifier = verifier.verifier
    return verifier


def measure(verifier: Verifier, images: Tensor, prompt: str, estimates: Tensor | None) -> Tensor:
    """Raw values, with the estimates given only to a verifier that judges by them."""
    if estimates is None or estimate_level(verifier) is None:
        return verifier.measure(images, prompt)
    foreseeing: Any = verifier  # one with a level to judge by takes them as well
    return foreseeing.measure(images, prompt, estimates)


def no_final(verifier: Verifier, within: str) -> None:
    """An error for a verifier with a knockout of its own, which only the search that it goes to can hold."""
    if isinstance(verifier, HoldsFinal):
        raise ValueError(
            f"a pairwise final must come last, right before the search, got {verifier.card.name} within {within}"
        )


def _check(adjusted: Adjusted) -> None:
    card, floor = adjusted.verifier.card, adjusted.floor
    no_final(adjusted.verifier, "another verifier's settings or final")
    if not math.isfinite(adjusted.weight) or (adjusted.weight == 0 and floor is None):
        raise ValueError(f"weight must be finite, and not 0 without a gate, got {adjusted.weight}")
    if floor is not None and not math.isfinite(floor):
        raise ValueError(f"floor must be finite, got {floor}")
    if floor is not None and not card.absolute:
        raise ValueError(
            f"a gate must be on a verifier with values of its own, got {card.name}, which only compares pictures"
        )
    if adjusted.frames != EVENLY and sees_clips(adjusted.verifier):
        raise ValueError(
            f"frames must be left at {EVENLY.how} of {EVENLY.count} for {card.name}, which judges whole videos, "
            f"got {adjusted.frames.how} of {adjusted.frames.count}"
        )
    if adjusted.focus is not None and shown_before(adjusted.verifier):
        raise ValueError(f"mask must be left out for {card.name}, which compares whole pictures with the one before")
    if adjusted.focus is not None and is_focused(adjusted.verifier):
        raise ValueError(f"mask must be given once, and {card.name} has one already")
