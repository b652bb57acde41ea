"""Toy scores of noises with known answers: a linear one, and random fields whose roughness is a number."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from noise_search.search import Budget, Candidate, Measured, SeedStream, Trace, fresh, leaf, materialize, run
from noise_search.search.noise import NO_LEAVES
from torch import Tensor

SHAPES = [(192,)]


def linear(noise: Tensor) -> float:
    """Score `a.z` with |a| = 1: N(0, 1) over noises."""
    return noise[0].item()


class RandomField:
    """A Gaussian field on the sphere of noises, correlated by `exp(-roughness (1 - cosine))`, drawn exactly where it is
    looked at.

    Roughness 2 is smooth, 15 is like the tiny text-to-image model (facts of its pass rates around good noises), 40 is
    rough.
    """

    def __init__(self, roughness: float, seed: int):
        self.roughness, self.generator = roughness, torch.Generator().manual_seed(seed)
        self.points = torch.empty(0, *SHAPES[0])
        self.root, self.draws = torch.zeros(0, 0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)

    def __call__(self, noise: Tensor) -> float:
        point = noise / noise.norm()
        near = torch.exp(-self.roughness * (1 - self.points @ point).double())
        row = torch.linalg.solve_triangular(self.root, near[:, None], upper=False)[:, 0] if len(near) else near
        rest = (1 - row @ row).clamp(min=1e-12).sqrt()
        self.draws = torch.cat([self.draws, torch.randn(1, generator=self.generator, dtype=torch.float64)])
        self.points = torch.cat([self.points, point[None]])
        self.root = torch.nn.functional.pad(self.root, (0, 1, 0, 1))
        self.root[-1] = torch.cat([row, rest[None]])
        return (self.root[-1] @ self.draws).item()


def measured_by(score, masks: Mapping[str, Sequence[Tensor]] = NO_LEAVES):
    """Make a `measure` of a score of one noise. It remembers noises, so that a long chain of moves costs one move."""
    known: dict[Candidate, Tensor] = {}

    def noise_of(candidate: Candidate) -> Tensor:
        if candidate.operation == "mix" and candidate.parents[0] in known:
            last = replace(candidate, parents=(leaf("parent", 0),))
            return materialize([last], SHAPES, {**masks, "parent": (known[candidate.parents[0]],)})[0]
        return materialize([candidate], SHAPES, masks)[0]

    def measure(candidates: Sequence[Candidate]) -> Measured:
        for candidate in candidates:
            known[candidate] = noise_of(candidate)
        return Measured(tuple((score(known[candidate][0]),) for candidate in candidates), nfe=1)

    return measure


def single(pool: Tensor) -> Tensor:
    return pool[:, 0]


def searched(make, score, pictures: int, seed: int, group: int = 8) -> Trace:
    """Run a search from a fresh noise and return its trace."""
    seeds = SeedStream(seed)
    start, trace = fresh(seeds.at(1, 0)), Trace(("score",))
    for _ in run(
        make(start, seeds),
        measured_by(score),
        single,
        Budget(pictures),
        group=group,
        trace=trace,
        first=[(start, "own seed")],
    ):
        pass
    return trace


def mean_best(make, landscape, pictures: int, runs: int) -> float:
    """Average the best score over seeds; `landscape` makes a score of a seed."""
    return math.fsum(max(searched(make, landscape(seed), pictures, seed).scores) for seed in range(runs)) / runs
