"""The path engine on any denoiser in plain torch: what the host's engine promises, in thirty lines and with closed
forms to check it by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from noise_search.search import Candidate, Measured, Path, Proposal, Schedule, draw, finish, materialize
from torch import Tensor

Denoiser = Callable[[Tensor, float], Tensor]  # noised states (n, d) and their level to expected clean ones (n, d)


class Walker:
    """Measures candidates and walks by Euler steps; keeps every state, so that whatever is gone on from costs its own
    steps only.

    Args:
        denoise: The model.
        schedule: Noise levels.
        score: Clean states `(n, d)` to values `(n,)`.
        clean: The state that a walk without a parent starts from, `(1, d)`.
    """

    def __init__(
        self,
        denoise: Denoiser,
        schedule: Schedule,
        score: Callable[[Tensor], Tensor],
        size: int,
        clean: Tensor | None = None,
    ):
        self.denoise, self.schedule, self.score, self.size, self.clean = denoise, schedule, score, size, clean
        self.states: dict[Proposal, tuple[Tensor, Tensor]] = {}
        self.nfe = 0

    def measure(self, candidates: Sequence[Proposal]) -> Measured:
        states = [self.state(proposed) for proposed in candidates]
        values = self.score(torch.cat([x0 for x0, _ in states]))
        nfe = tuple(proposed.steps if isinstance(proposed, Path) else self.schedule.steps for proposed in candidates)
        return Measured(tuple((value,) for value in values.tolist()), nfe)

    def state(self, proposed: Proposal) -> tuple[Tensor, Tensor]:
        """Clean estimate and unit noise where a candidate's picture, or a walk, ends, both `(1, d)`."""
        walk = finish(proposed, self.schedule)
        if walk not in self.states:
            self.states[walk] = self.walked(walk, *self.start(walk))
        return self.states[walk]

    def start(self, walk: Path) -> tuple[Tensor, Tensor]:
        if isinstance(walk.parent, Candidate):
            eps = materialize([walk.parent], [(self.size,)])[0]
            return torch.zeros_like(eps), eps
        x0, eps = self.state(walk.parent) if walk.parent else (self.clean, torch.zeros_like(self.clean))
        if not walk.renoised:
            return x0, eps
        rho = self.noise_to_signal(walk.parent.end if walk.parent else 0.0) / self.noise_to_signal(walk.levels[0])
        return x0, rho * eps + math.sqrt(1 - rho * rho) * draw(walk.seed, [(self.size,)])[0]

    def noise_to_signal(self, level: float) -> float:
        time = self.schedule.time(level)
        return time / (1 - time) if time < 1 else math.inf

    def walked(self, walk: Path, x0: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(walk.seed + 1)
        alphas = [1 - level if self.schedule.flow else 1.0 for level in walk.levels]
        for start, end, alpha in zip(walk.levels, walk.levels[1:], alphas):
            state = alpha * x0 + start * eps
            x0 = self.denoise(state, start)
            self.nfe += len(state)
            eps = (state - alpha * x0) / start
            if walk.eta and end:
                rho = math.cos(walk.eta * math.pi / 2)
                eps = rho * eps + math.sqrt(1 - rho * rho) * torch.randn(eps.shape, generator=generator)
        return x0, eps
