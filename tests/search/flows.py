"""Models whose every expectation is known: mixtures of Gaussians with their exact denoiser, and searches that walk on
them.

`hierarchy` is the bench of the path methods: coarse modes are chosen early on the path, fine ones later, details last,
as composition, objects and texture are. `gaussian` is one mode, where every walk is an affine map and every law a
normal one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from noise_search.search import (
    Budget,
    Measured,
    Path,
    Proposal,
    RandomSearch,
    Schedule,
    SeedStream,
    Trace,
    finish,
    fresh,
    run,
)
from noise_search.tests.search.walker import Walker
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """Data of equally likely Gaussian modes.

    Args:
        means: `(k, d)`.
        deviation: Of each mode, the same in all directions.
        flow: Whether a state is `(1 - sigma) x0 + sigma eps`; otherwise it is `x0 + sigma eps`.
    """

    means: Tensor
    deviation: float
    flow: bool = True

    @property
    def size(self) -> int:
        return self.means.shape[1]

    def denoise(self, state: Tensor, level: float) -> Tensor:
        """Expected clean state given the noised ones `(n, d)`, exact."""
        alpha = 1 - level if self.flow else 1.0
        variance = (alpha * self.deviation) ** 2 + level**2
        logits = (alpha * state @ self.means.T - alpha**2 * self._half_norms) / variance
        mean = logits.softmax(1) @ self.means
        return mean + alpha * self.deviation**2 / variance * (state - alpha * mean)

    def draw(self, count: int, seed: int) -> Tensor:
        """Data, `(count, d)`."""
        generator = torch.Generator().manual_seed(seed)
        mode = torch.randint(len(self.means), (count,), generator=generator)
        return self.means[mode] + self.deviation * torch.randn(count, self.size, generator=generator)

    @cached_property
    def _half_norms(self) -> Tensor:
        return self.means.square().sum(1) / 2


@dataclass(frozen=True)
class Hierarchy:
    """A mixture of mixtures with a score in standard deviations over the data: of a mode, of one within it, and of
    details.

    Args:
        data: Its `coarse * fine` modes, those of one coarse mode in a row.
        values: Of each mode, `(coarse * fine,)`.
        direction: Of the details that score, `(d,)`, unit norm.
    """

    data: Mixture
    values: Tensor
    direction: Tensor

    def score(self, clean: Tensor) -> Tensor:
        """Clean states `(n, d)` to scores `(n,)`: details saturate, and far from all modes it is lower."""
        distances = torch.cdist(clean, self.data.means)
        mode = distances.argmin(1)
        details = (clean - self.data.means[mode]) @ self.direction / self.data.deviation
        typical = self.data.deviation * math.sqrt(self.data.size)
        off = (distances.min(1).values / typical - 1.2).clamp(min=0)
        return (self.values[mode] + 0.4 * 2 * (details / 2).tanh() - off) / math.sqrt(
            self.values.var(correction=0).item() + 0.4**2
        )


def hierarchy(seed: int, size: int = 48, coarse: int = 6, fine: int = 6, flow: bool = True) -> Hierarchy:
    """Draw one; the seed is its "prompt"."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    centers = 0.7 * normal(coarse, 1, size)
    means = (centers + 0.28 * normal(coarse, fine, size)).reshape(-1, size)
    values = (0.8 * normal(coarse, 1) + 0.6 * normal(coarse, fine)).reshape(-1)
    direction = normal(size)
    return Hierarchy(Mixture(means, 0.16, flow), values - values.mean(), direction / direction.norm())


def gaussian(mean: float, deviation: float, size: int, flow: bool = True) -> Mixture:
    """One mode, at `mean` in every coordinate."""
    return Mixture(torch.full((1, size), mean), deviation, flow)


def flow_schedule(steps: int, shift: float = 1.0) -> Schedule:
    """Levels of a flow model from 1 to 0; a shift above 1 spends more steps at high noise."""
    even = [1 - index / steps for index in range(steps + 1)]
    return Schedule(tuple(shift * time / (1 + (shift - 1) * time) for time in even), flow=True)


def eps_schedule(steps: int, highest: float = 14.6, lowest: float = 0.03) -> Schedule:
    """Levels of a model that predicts eps, even in their seventh root, and then 0."""
    roots = [
        highest ** (1 / 7) + index / max(steps - 1, 1) * (lowest ** (1 / 7) - highest ** (1 / 7))
        for index in range(steps)
    ]
    return Schedule((*(root**7 for root in roots), 0.0), flow=False)


class Together(Walker):
    """Walks that take the same levels go as one batch: what a `Walker` finds, up to rounding, in a fraction of the
    time.
    """

    def measure(self, candidates: Sequence[Proposal]) -> Measured:
        alike: dict[tuple[tuple[float, ...], float], list[Path]] = {}
        for walk in dict.fromkeys(finish(proposed, self.schedule) for proposed in candidates):
            if walk not in self.states:
                alike.setdefault((walk.levels, walk.eta), []).append(walk)
        for walks in alike.values():
            x0, eps = (torch.cat(part) for part in zip(*map(self.start, walks), strict=True))
            x0, eps = self.walked_together(walks, x0, eps)
            self.states |= {walk: (x0[row : row + 1], eps[row : row + 1]) for row, walk in enumerate(walks)}
        return super().measure(candidates)

    def walked_together(self, walks: Sequence[Path], x0: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """What `walked` does, for walks of the same levels and eta; states `(n, d)`."""
        levels, eta = walks[0].levels, walks[0].eta
        generators = [torch.Generator().manual_seed(walk.seed + 1) for walk in walks]
        for start, end in pairwise(levels):
            alpha = 1 - start if self.schedule.flow else 1.0
            state = alpha * x0 + start * eps
            x0 = self.denoise(state, start)
            self.nfe += len(state)
            eps = (state - alpha * x0) / start
            if eta and end:
                rho = math.cos(eta * math.pi / 2)
                fresh_noise = torch.cat([torch.randn((1, self.size), generator=generator) for generator in generators])
                eps = rho * eps + math.sqrt(1 - rho * rho) * fresh_noise
        return x0, eps


Make = Callable[..., object]  # (start, seeds, *, schedule, pictures) to a search


def best_of_n(start: Proposal, seeds: SeedStream, *, schedule: Schedule, pictures: int) -> RandomSearch:
    """The search that every other one is compared with."""
    return RandomSearch(start, seeds)


def first_column(pool: Tensor) -> Tensor:
    return pool[:, 0]


def searched(
    make: Make,
    walker: Walker,
    pictures: int,
    seed: int,
    group: int = 64,
    combine: Callable[[Tensor], Tensor] = first_column,
) -> Trace:
    """Run a search from a fresh noise on a model and return its trace; the own seed is the same for all searches."""
    start, trace, schedule = fresh(SeedStream(seed).at(1, 0)), Trace(("score",)), walker.schedule
    search = make(start, SeedStream(seed), schedule=schedule, pictures=pictures)
    first = [(start, "own seed")]
    for _ in run(
        search, walker.measure, combine, Budget(pictures), group=group, trace=trace, first=first, cost=schedule.cost
    ):
        pass
    return trace


def bests(make: Make, schedule: Schedule, pictures: int, runs: int) -> Tensor:
    """Best score of a search on each of so many hierarchies, `(runs,)`: paired over searches, as own seed and model are
    the same.
    """
    found = []
    for seed in range(runs):
        model = hierarchy(seed, flow=schedule.flow)
        trace = searched(make, Together(model.data.denoise, schedule, model.score, model.data.size), pictures, seed)
        found.append(trace.scores[trace.best()[0].id])
    return torch.tensor(found)


def interval(differences: Tensor, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of a mean of paired differences `(n,)`."""
    rows = torch.randint(len(differences), (draws, len(differences)), generator=torch.Generator().manual_seed(0))
    low, high = differences[rows].mean(1).quantile(torch.tensor([0.025, 0.975])).tolist()
    return low, high
