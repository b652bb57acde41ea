"""What is known of a score around measured noises: a Gaussian process over their directions.

Two noises with cosine c are taken to score alike by `exp(-roughness (1 - c))`; how rough the score is, and how much of
it no direction explains, is what makes the measured scores likeliest. Directions are unit vectors over independent
draws (`spans.vectors`), so that a fresh draw, which has cosine 0 to all that is known, needs no dimensions of its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .tensors import cholesky, length, solve_lower

ROUGHNESS = (1.0, 3.0, 8.0, 24.0, 64.0)
CHANCE = (0.003, 0.1, 0.5)  # variance that directions do not explain, in units of what they do
# roughness where the scores do not say, and how far from it they may say, as a factor exp(1.5)
TYPICAL, PRIOR = 8.0, 1.5
RHOS = (0.995, 0.98, 0.95, 0.9, 0.8, 0.6, 0.3, 0.0)
LEAST = 1e-12  # of a variance of scores whose own is 1
CLIMB = 40  # steps of at most the length that keeps to where the score is known


class Landscape:
    """A score over directions, fitted to what was measured.

    Args:
        points: Unit vectors, `(n, d)` float64.
        scores: Their scores, `(n,)`, n at least 2.
    """

    def __init__(self, points: Tensor, scores: Tensor):
        self.points = points
        scores = scores.double()
        self.scores = (scores - scores.mean()) / scores.std().clamp(min=1e-9)
        cosines = points @ points.T
        fits = [_Fit(cosines, self.scores, roughness, chance) for roughness in ROUGHNESS for chance in CHANCE]
        self.fit = max(fits, key=lambda fit: fit.likelihood)
        self.best = (
            self.fit.mean + (self.fit.likeness(cosines) @ self.fit.weights).max().item()
        )  # as expected, not as measured: chance does not last

    def climb(self, start: Tensor) -> Tensor:
        """Follow the expected score from a unit vector `(d,)` uphill, within the span of the points."""
        fit, here = self.fit, start
        for _ in range(CLIMB):
            pull = fit.weights * fit.likeness(self.points @ here) * fit.roughness
            here = here + (pull @ self.points) / pull.abs().sum().clamp(min=1e-12)
            here = here / length(here)
        return here

    def step(self, direction: Tensor) -> float:
        """The rho of the mix of a direction `(d,)` with fresh noise that promises most."""
        cosines = self.points @ direction
        return max(RHOS, key=lambda rho: self.promise(rho * cosines))

    def promise(self, cosines: Tensor) -> float:
        """Expected improvement over the best of a noise with these cosines to the points, `(n,)`, in standard
        deviations.
        """
        mean, spread = self.fit.at(cosines)
        level = (self.best - mean) / spread
        return spread * (
            math.exp(-level * level / 2) / math.sqrt(2 * math.pi) - level * math.erfc(level / math.sqrt(2)) / 2
        )


class _Fit:
    """The process at one roughness, by restricted likelihood."""

    def __init__(self, cosines: Tensor, scores: Tensor, roughness: float, chance: float):
        self.roughness, count = roughness, len(scores)
        self.root = cholesky(self.likeness(cosines) + chance * torch.eye(count, dtype=torch.float64))
        ones = torch.ones_like(scores)
        solved = torch.cholesky_solve(torch.stack([scores, ones], dim=1), self.root)  # (n, 2)
        # about the mean of the process, which is not that of the scores: those are related
        known = solved[:, 1].sum().item()
        self.mean = solved[:, 0].sum().item() / known
        self.weights = solved[:, 0] - self.mean * solved[:, 1]
        self.variance = max((scores @ self.weights).item() / (count - 1), LEAST)  # none where all score the same
        self.likelihood = (
            -(count - 1) / 2 * math.log(self.variance) - self.root.diagonal().log().sum().item() - math.log(known) / 2
        )
        self.likelihood -= (math.log(roughness / TYPICAL) / PRIOR) ** 2 / 2

    def likeness(self, cosines: Tensor) -> Tensor:
        return torch.exp(-self.roughness * (1 - cosines))

    def at(self, cosines: Tensor) -> tuple[float, float]:
        """Expected score, and its standard deviation."""
        near = self.likeness(cosines)
        known = solve_lower(self.root, near[:, None])
        return self.mean + (near @ self.weights).item(), math.sqrt(
            self.variance * max(1 - known.square().sum().item(), 1e-9)
        )
