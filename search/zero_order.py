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
        if neighbors < 1:
            raise ValueError(f"neighbors must be at least 1, got {neighbors}")
        if not 0 < similarity < 1:
            raise ValueError(f"similarity must be in (0, 1), got {similarity}")
        if warmup < 1:
            raise ValueError(f"warmup must be at least 1, got {warmup}")
        if restart not in RESTARTS:
            raise ValueError(f"restart must be one of {', '.join(RESTARTS)}, got {restart}")
        self.neighbors, self.adapt, self.restart = neighbors, adapt, restart
        self.stride = math.sqrt(1 - similarity**2)  # share of fresh noise in a neighbor
        self.pivot: Candidate | None = None
        self._seeds = unused(seeds, start)
        self._round = [start] + [fresh(next(self._seeds)) for _ in range(warmup - 1)]
        self._asked = self._told = 0  # so many of this round

    @property
    def held(self) -> tuple[Candidate, ...]:
        """The pivot and those of its neighbors that were told already, where a round is asked in parts."""
        return (*([self.pivot] if self.pivot else []), *self._round[: self._told])

    def ask(self, limit: int) -> list[Candidate]:
        asked = self._round[self._asked : self._asked + limit]
        self._asked += len(asked)
        return asked

    def tell(self, candidates: Sequence[Candidate], scores: Sequence[float]) -> None:
        self._told = self._asked
        if self._told == len(self._round):
            self._move(dict(zip(candidates, scores, strict=True)))
