"""A pair of models that share one way down."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

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
        sampler_low: The second one's, with a seed_low; None for the same.
    """

    def __init__(self, high: Any, low: Any, boundary: float, seed_low: int | None = None, sampler_low: Any = None):
        self.high, self.low, self.boundary = high, low, boundary
        self.seed_low, self.sampler_low = seed_low, sampler_low

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
        return PairGuider(change(self.high), change(self.low), self.boundary, self.seed_low, self.sampler_low)

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
            sampler = changed(sampler, lambda own: with_seeds(self.sampler_low or stock(own), seeds))
            options = {**options, "seed": self.seed_low}
        return self.low.sample(noise, latent, sampler, sigmas, callback=callback, **options)


def with_seeds(sampler: Any, seeds: Sequence[int]) -> Any:
    """The sampler for a batch of such seeds; one picture has what the host draws."""
    return sampler if len(seeds) == 1 else with_row_noise(sampler, seeds)


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
