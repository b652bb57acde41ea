"""Setups of two stages: a pair of models that share one way down, and a finished picture that is enlarged and sampled
on.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.utils
import torch
from torch import Tensor

from ....search.noise import draw
from .beginnings import changed, continued
from .noise import Latent, joined, streams
from .rowwise import stock, with_row_noise


class PairGuider:
    """Two guiders, of the same kind of latents, one after the other on one way down: what a pair of KSampler (Advanced)
    does.

    Args:
        high: Samples above the boundary.
        low: Takes over there, without new noise.
        boundary: Noise level, one of the schedule's.
        seed_low: Of the second one's sampler, whatever the candidate is, as in the second KSampler (Advanced); None for
            the candidate's own.
    """

    def __init__(self, high: Any, low: Any, boundary: float, seed_low: int | None = None):
        self.high, self.low, self.boundary, self.seed_low = high, low, boundary, seed_low

    @property
    def model_patcher(self) -> Any:
        return self.high.model_patcher

    @property
    def cfg(self) -> float:
        return max(getattr(self.high, "cfg", 0), getattr(self.low, "cfg", 0))

    @property
    def original_conds(self) -> Mapping[str, Any]:
        """The conditioning of both, for those who look at it."""
        found: dict[str, list] = {}
        for part in (self.high, self.low):
            for name, entries in getattr(part, "original_conds", {}).items():
                found[name] = [*found.get(name, []), *entries]
        return found

    def each(self, change: Callable[[Any], Any]) -> "PairGuider":
        """A pair of changed guiders."""
        return PairGuider(change(self.high), change(self.low), self.boundary, self.seed_low)

    def sample(
        self,
        noise: Latent,
        latent: Latent,
        sampler: Any,
        sigmas: Tensor,
        callback: Callable | None = None,
        **options: Any,
    ) -> Latent:
        place = int((sigmas > self.boundary + 1e-6).sum())  # of the first level that is the second one's
        if place == 0:
            return self.below(noise, latent, sampler, sigmas, callback, options)
        if place >= len(sigmas) - 1:
            return self.high.sample(noise, latent, sampler, sigmas, callback=callback, **options)
        between = self.high.sample(noise, latent, sampler, sigmas[: place + 1], callback=callback, **options)
        sampler = continued(sampler)
        silence = joined([torch.zeros_like(part) for part in streams(noise)])
        return self.below(silence, between, sampler, sigmas[place:], shifted(callback, place), options)

    def below(
        self,
        noise: Latent,
        latent: Latent,
        sampler: Any,
        sigmas: Tensor,
        callback: Callable | None,
        options: dict[str, Any],
    ) -> Latent:
        """The second one's part, with its own seed for every row."""
        if self.seed_low is not None:
            seeds = [self.seed_low] * len(streams(noise)[0])
            sampler = changed(sampler, lambda own: with_row_noise(stock(own), seeds))
            options = {**options, "seed": self.seed_low}
        return self.low.sample(noise, latent, sampler, sigmas, callback=callback, **options)


@dataclass(frozen=True, eq=False)
class Hires:
    """A second pass over the enlarged picture.

    Args:
        scale: How much larger its sides are, above 1.
        method: Of the host's latent upscaling.
        sampler, sigmas: What the second pass is sampled with.
    """

    scale: float
    method: str
    sampler: Any
    sigmas: Tensor

    def enlarged(self, latent: Latent) -> Latent:
        """The latents at the size of the second pass."""

        def grown(part: Tensor) -> Tensor:
            height, width = (round(side * self.scale) for side in part.shape[-2:])
            return comfy.utils.common_upscale(part, width, height, self.method, "disabled")

        return joined([grown(part) for part in streams(latent)])

    def noise(self, seeds: Sequence[int], latent: Latent) -> Latent:
        """What a KSampler draws for each seed and the enlarged latent."""
        parts = streams(latent)
        rows = [draw(seed, [tuple(part.shape[1:]) for part in parts]) for seed in seeds]
        return joined([torch.cat(row).to(part.dtype) for row, part in zip(zip(*rows), parts)])


def guider_with(guider: Any, change: Callable[[Any], Any]) -> Any:
    """A changed copy of a guider, or of both of a pair."""
    return (
        guider.each(lambda part: change(copy.copy(part)))
        if isinstance(guider, PairGuider)
        else change(copy.copy(guider))
    )


def shifted(callback: Callable | None, place: int) -> Callable | None:
    if callback is None:
        return None
    return lambda step, x0, x, total: callback(step + place, x0, x, total + place)
