"""Zero-order search: move the pivot to its best neighbor.

Ma et al., Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps, arXiv:2501.09732. Their rule is `warmup=1, adapt=False,
restart="fresh"`: neighbors at cosine 0.95, and where no neighbor beats the pivot, which was scored before, a fresh noise is the next one.
The default deviates where it helps: the first pivot is the best of a few fresh noises, neighbors are Crank-Nicolson moves (exactly N(0, I)
and at the same cosine), the pivot stays until it is beaten, and the stride grows with success and shrinks with failure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .noise import Candidate, fresh, mix, unused

RESTARTS = ("keep", "fresh")
SUCCESS = 0.3  # share of neighbors that beat the pivot at the best stride, as in the one-fifth success rule
GAIN = 0.6  # how fast the stride follows; more neighbors tell its success more surely
SHORTEST, LONGEST = 0.05, 0.9


class ZeroOrderSearch:
    """Hill climbing around one pivot, without gradients.

    Args:
        start: Candidate to climb from; the first of the warm-up.
        seeds: Yields a new seed per draw; the only source of randomness.
        neighbors: Neighbors rolled out per round (N in the paper), at least 1.
        similarity: Cosine between a neighbor and its pivot, in (0, 1); where the stride adapts, of the first round.
        warmup: Noises in the first round, the start and fresh ones; the best is the first pivot. At least 1.
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
        self.neighbors, self.adapt, self.restart = neighbors, adapt, restart
        self.stride = self._first_stride = math.sqrt(1 - similarity**2)  # share of fresh noise in a neighbor
        self.pivot, self._seeds = start, unused(seeds, start)
        self._round = [start, *(self._draws(warmup - 1) if warmup > 1 else self._neighbors())]
        self._moves = warmup == 1  # whether this round is one of neighbors
        self._asked = self._told = 0  # so many of this round

    @property
    def held(self) -> tuple[Candidate, ...]:
        """The pivot, and what was told of a round that is asked in parts."""
        known = self._round[: self._told]
        return tuple(known if self.pivot in self._round else [self.pivot, *known])

    def ask(self, limit: int) -> list[Candidate]:
        asked = self._round[self._asked : self._asked + limit]
        self._asked += len(asked)
        return asked

    def tell(self, candidates: Sequence[Candidate], scores: Sequence[float]) -> None:
        self._told = self._asked
        if self._told == len(self._round):
            self._move(dict(zip(candidates, scores, strict=True)))
            self._asked = self._told = 0

    def _move(self, scores: dict[Candidate, float]) -> None:
        best = max(self._round, key=scores.__getitem__)
        better = [candidate for candidate in self._round if scores[candidate] > scores[self.pivot]]
        if self.adapt and self._moves:
            self.stride *= math.exp(GAIN * math.sqrt(self.neighbors) * (len(better) / self.neighbors - SUCCESS))
            self.stride = min(max(self.stride, SHORTEST), LONGEST)
        fresh_pivot = self._moves and not better and self.restart == "fresh"
        if fresh_pivot:
            self.stride = self._first_stride
        self.pivot = self._draws(1)[0] if fresh_pivot else best if better else self.pivot
        self._round = [*([self.pivot] if fresh_pivot else []), *self._neighbors()]
        self._moves = True

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
