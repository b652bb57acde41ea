"""Zero-order search: move the pivot to its best neighbor.

Ma et al., Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps, arXiv:2501.09732. Their rule is
`warmup=1, adapt=False, restart="fresh"`: neighbors at cosine 0.95, and where no neighbor beats the pivot, which was
scored before, a fresh noise is the next one. The default deviates where it helps: the first pivot is the best of a few
fresh noises, neighbors are Crank-Nicolson moves (exactly N(0, I) and at the same cosine), the pivot stays until it is
beaten, and the stride grows with success and shrinks with failure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from .noise import Candidate, fresh, mix, unused
from .stages import Scores, Stage, Stages, Story

RESTARTS = ("keep", "fresh")
SUCCESS = 0.3  # share of neighbors that beat the pivot at the best stride, as in the one-fifth success rule
GAIN = 0.6  # how fast the stride follows; more neighbors tell its success more surely
SHORTEST, LONGEST = 0.05, 0.9


class ZeroOrderSearch(Stages):
    """Hill climbing around one pivot, without gradients.

    Args:
        start: Candidate to climb from; the first of the warm-up.
        seeds: Yields a new seed per draw; the only source of randomness.
        neighbors: Neighbors rolled out per round (N in the paper), at least 1.
        similarity: Cosine between a neighbor and its pivot, in (0, 1); where the stride adapts, of the first round.
        warmup: Noises in the first round, what came in and fresh ones; the best is the first pivot. At least 1.
        adapt: Let the stride follow success and failure.
        restart: After a round that does not beat the pivot: "keep" it, or go on from a "fresh" noise.
    """

    def __init__(
        self,
        start: Candidate,
        seeds: Iterator[int],
        *,
        neighbors: int = 4,
        similarity: float = 0.95,
        warmup: int = 6,
        adapt: bool = True,
        restart: str = "keep",
    ):
        _check(neighbors, similarity, warmup, restart)
        self.neighbors, self.warmup, self.adapt, self.restart = neighbors, warmup, adapt, restart
        self.stride = self._first_stride = math.sqrt(1 - similarity**2)  # share of fresh noise in a neighbor
        self.pivot, self._seeds = start, unused(seeds, start)
        super().__init__(self._story())

    def _story(self) -> Story:
        came_in = [noise for noise in self._came_in if isinstance(noise, Candidate)] or [self.pivot]
        self._seeds = unused(self._seeds, *came_in)
        if max(self.warmup, len(came_in)) > 1:
            noises = (*came_in, *self._draws(self.warmup - len(came_in)))
            scores = yield Stage(noises)
            self.pivot = max(noises, key=scores.__getitem__)
            pivot_known = True
        else:
            pivot_known = False
        while True:
            new = self._neighbors()
            scores = yield Stage(tuple(new), (self.pivot,)) if pivot_known else Stage((self.pivot, *new))
            pivot_known = self._move(new, scores)

    def _move(self, neighbors: list[Candidate], scores: Scores) -> bool:
        """Choose the next pivot; whether it was scored before."""
        better = [candidate for candidate in neighbors if scores[candidate] > scores[self.pivot]]
        if self.adapt:
            self.stride *= math.exp(GAIN * math.sqrt(self.neighbors) * (len(better) / self.neighbors - SUCCESS))
            self.stride = min(max(self.stride, SHORTEST), LONGEST)
        if better:
            self.pivot = max(better, key=scores.__getitem__)
        elif self.restart == "fresh":
            self.pivot, self.stride = self._draws(1)[0], self._first_stride
            return False
        return True

    def _draws(self, count: int) -> list[Candidate]:
        return [fresh(next(self._seeds)) for _ in range(count)]

    def _neighbors(self) -> list[Candidate]:
        rho = round(math.sqrt(1 - self.stride**2), 6)  # six digits keep a recipe short
        return [mix(self.pivot, next(self._seeds), rho) for _ in range(self.neighbors)]


def _check(neighbors: int, similarity: float, warmup: int, restart: str) -> None:
    if neighbors < 1:
        raise ValueError(f"neighbors must be at least 1, got {neighbors}")
    if not 0 < similarity < 1:
        raise ValueError(f"similarity must be in (0, 1), got {similarity}")
    if warmup < 1:
        raise ValueError(f"warmup must be at least 1, got {warmup}")
    if restart not in RESTARTS:
        raise ValueError(f"restart must be one of {RESTARTS}, got {restart!r}")
