"""Random search: best of N independent noises.

Ma et al., Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps, arXiv:2501.09732. The first of
the N is the given start.
"""

from collections.abc import Iterator, Sequence

from .noise import Candidate, fresh
from .path import Proposal
from .stages import Scores


class RandomSearch:
    """Best of N: the start and then one fresh noise after the other, until the budget is over.

    Args:
        start: Candidate that is asked first.
        seeds: Yields a new seed per draw; the only source of randomness.
    """

    def __init__(self, start: Candidate, seeds: Iterator[int]):
        self._first, self._seeds = [start], seeds

    def ask(self, limit: int) -> list[Candidate]:
        first, self._first = self._first, []
        return first + [fresh(next(self._seeds)) for _ in range(limit - len(first))]

    def tell(self, measured: Sequence[Proposal], scores: Scores) -> None:
        """Learn nothing: every draw is independent."""
