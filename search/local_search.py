"""Local search: from several good noises at once, with strides that follow success, and in the span of what was
measured.

Crank-Nicolson moves around the best of a warm-up, re-centred on the best of all that was measured: Schweiger et al.,
Trust-Region Noise Search, arXiv:2603.14504, with moves that keep N(0, I). Directions in the span of measured noises are
the surrogate latent space of Willis et al., arXiv:2509.23800, searched by expected improvement. The preset "evolution"
crosses the best and mutates the children, as EvoSearch does with its first noises (He et al., arXiv:2505.17618).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch

from .allowance import WHOLE
from .landscape import Landscape
from .noise import Candidate, fresh, mix, unused
from .path import Proposal
from .spans import draws_of, towards, vectors
from .stages import Scores, Stage, Stages, Story
from .zero_order import GAIN, LONGEST, SHORTEST, SUCCESS

PRESETS = {"local": ("step", "span"), "evolution": ("cross", "step")}
BANDS = {"coarse": (0.0, 0.25), "fine": (0.25, 1.0)}  # moves that change the layout, or all but the layout
MOVES = ("step", "span", "cross", *BANDS)
MEMORY = 128  # measured noises that are compared with, the best ones
ELITES = 6  # parents of the next generation
FORGET = 0.9  # of the successes of a move, per round
PICTURES_PER_CENTER, MOST_CENTERS = 25, 8
FEWEST_WARM, WARM_SHARE = 6, 1 / 6


@dataclass(frozen=True)
class Child:
    """A noise to be measured, and what its success will be credited to."""

    candidate: Candidate
    center: Candidate
    move: str


class LocalSearch(Stages):
    """Adaptive multi-centre local search, without gradients.

    Args:
        start: Candidate that is asked first; one of the warm-up.
        seeds: Yields a new seed per draw; the only source of randomness.
        pictures: Budget that warm-up and centers are planned for, at least 1, or what the clock pays for where that is
            less; it goes on for as long as it is asked.
        preset: "local" steps around the centers and along what the measured noises span; "evolution" crosses and
            mutates the best.
        centers: Best noises that are searched around at once; 0 for what suits the budget: one per 25 pictures, at most
            8.
        neighbors: Noises per round, dealt out to the centers, at least 1.
        similarity: Cosine between a neighbor and its center in the first round, in (0, 1).
        warmup: Noises in the first round, what came in and fresh ones; 0 for what suits the budget.
        moves: Other moves than the preset's, any of "step", "span", "cross", "coarse", "fine"; () for the preset's.
        masks: Digests of masks; every move then is a step inside one of them, in turn, and everything else stays as in
            the start.
    """

    def __init__(
        self,
        start: Candidate,
        seeds: Iterator[int],
        *,
        pictures: int,
        preset: str = "local",
        centers: int = 0,
        neighbors: int = 4,
        similarity: float = 0.95,
        warmup: int = 0,
        moves: Sequence[str] = (),
        masks: Sequence[str] = (),
    ):
        _check(pictures, preset, centers, neighbors, similarity, warmup, moves)
        self._knobs, self._pictures = (centers, warmup), pictures
        self.centers, self.warmup = self._suited(pictures)
        self.neighbors, self.masks = neighbors, tuple(masks)
        self.moves = ("step",) if masks else tuple(moves) or PRESETS[preset]
        self._seeds = unused(seeds, start)
        self._successes, self._tries = dict.fromkeys(self.moves, 0.0), dict.fromkeys(self.moves, 0.0)
        first = dict.fromkeys(("step", *self.moves), math.sqrt(1 - similarity**2))
        # of each measured noise, by move: shares of fresh noise; in the order of measuring
        self.strides = {start: first}
        super().__init__(self._story())

    @property
    def alive(self) -> tuple[Proposal, ...]:
        """None: no noise goes on from the state of another."""
        return ()

    def _suited(self, pictures: int) -> tuple[int, int]:
        """Centers and warm-up, as asked for or as they suit a budget."""
        centers, warmup = self._knobs
        return (
            centers or min(max(pictures // PICTURES_PER_CENTER, 1), MOST_CENTERS),
            warmup or max(min(FEWEST_WARM, pictures), round(pictures * WARM_SHARE)),
        )

    def _story(self) -> Story:
        ((start, first),) = self.strides.items()
        came_in = [noise for noise in self._came_in if isinstance(noise, Candidate)]
        self._seeds = unused(self._seeds, *came_in)
        self.strides |= dict.fromkeys(came_in, first)
        if self._allowance.timed:  # these tell the pace
            yield Stage(tuple(self.strides))
            whole = math.floor(self._allowance.spent + self._allowance.worth(WHOLE))
            self.centers, self.warmup = self._suited(max(1, min(self._pictures, whole)))
        while len(self.strides) < self.warmup:
            seed = next(self._seeds)
            self.strides[mix(start, seed, 0.0, self._mask(len(self.strides))) if self.masks else fresh(seed)] = first
        scores: Scores = yield Stage(tuple(self.strides))
        while True:
            children = self._children(scores)
            scores = yield Stage(tuple(child.candidate for child in children), tuple(scores))
            self._learn(children, scores)
            kept = set(sorted(self.strides, key=scores.__getitem__, reverse=True)[:MEMORY])
            self.strides = {candidate: strides for candidate, strides in self.strides.items() if candidate in kept}
            scores = dict[Proposal, float]((candidate, scores[candidate]) for candidate in self.strides)

    def _children(self, scores: Scores) -> list[Child]:
        # the earlier one first where scores are equal
        best = sorted(self.strides, key=scores.__getitem__, reverse=True)
        centers, chance, count = best[: self.centers], Random(next(self._seeds)), max(self.neighbors, self.centers)
        span = _Span(scores) if self.moves != ("step",) else None
        children: list[Child] = []
        for number in range(count):
            center, move = centers[number % len(centers)], self._chosen(chance)
            if span is None or center not in span.places and move in ("span", "cross"):
                move = "step"
            children.append(Child(self._made(move, center, best[:ELITES], span, chance, number), center, move))
        return children

    def _chosen(self, chance: Random) -> str:
        """A move, each as often as it succeeds."""
        rates = [(self._successes[move] + 1) / (self._tries[move] + 2) for move in self.moves]
        return chance.choices(self.moves, rates)[0]

    def _made(
        self, move: str, center: Candidate, elites: Sequence[Candidate], span: _Span | None, chance: Random, number: int
    ) -> Candidate:
        seed, rho = next(self._seeds), round(math.sqrt(1 - self.strides[center][move] ** 2), 6)
        if span is not None and move == "span":
            return span.promising(center, seed)
        if span is not None and move == "cross":
            return mix(span.crossed(center, elites, chance), seed, rho)
        if move in BANDS:
            return mix(center, seed, rho, band=BANDS[move])
        return mix(center, seed, rho, self._mask(number) if self.masks else "")

    def _mask(self, number: int) -> str:
        return self.masks[number % len(self.masks)]

    def _learn(self, children: Sequence[Child], scores: Scores) -> None:
        """Strides follow the share of neighbors that beat their center, moves their own success."""
        for center in dict.fromkeys(child.center for child in children):
            own = [child for child in children if child.center == center]
            strides = dict(self.strides[center])
            for move in dict.fromkeys(child.move for child in own):
                won = [scores[child.candidate] > scores[center] for child in own if child.move == move]
                strides[move] = _followed(strides[move], sum(won), len(won))
            self.strides[center] = strides
            self.strides |= {child.candidate: strides for child in own}
        for move in self.moves:
            won = [scores[child.candidate] > scores[child.center] for child in children if child.move == move]
            self._successes[move] = FORGET * self._successes[move] + sum(won)
            self._tries[move] = FORGET * self._tries[move] + len(won)


class _Span:
    """What the measured noises span."""

    def __init__(self, scores: Scores):
        noises = [proposed for proposed in scores if isinstance(proposed, Candidate)]
        families = {noise: draws for noise in noises if (draws := draws_of(noise)) is not None}
        self.points, self.columns = vectors(list(families.values()))
        self.places = {candidate: place for place, candidate in enumerate(families)}
        self._scores = torch.tensor([scores[candidate] for candidate in families], dtype=torch.float64)
        self._landscape: Landscape | None = None

    def promising(self, center: Candidate, seed: int) -> Candidate:
        """Where the landscape promises most, uphill from a center, with as much fresh noise as promises most."""
        if self._landscape is None:
            self._landscape = Landscape(self.points, self._scores)
        uphill = self._landscape.climb(self.points[self.places[center]])
        rho = self._landscape.step(uphill)
        return mix(towards(uphill, self.columns), seed, rho) if rho else fresh(seed)

    def crossed(self, center: Candidate, elites: Sequence[Candidate], chance: Random) -> Candidate:
        """Somewhere between a center and another of the elites, on the sphere."""
        others = [other for other in elites if other in self.places and other != center]
        if not others:
            return center
        angle, other = chance.uniform(0, math.pi / 2), chance.choice(others)
        between = math.cos(angle) * self.points[self.places[center]] + math.sin(angle) * self.points[self.places[other]]
        return towards(between, self.columns)


def _followed(stride: float, won: int, proposed: int) -> float:
    stride *= math.exp(GAIN * math.sqrt(proposed) * (won / proposed - SUCCESS))
    return min(max(stride, SHORTEST), LONGEST)


def _check(
    pictures: int, preset: str, centers: int, neighbors: int, similarity: float, warmup: int, moves: Sequence[str]
) -> None:
    for name, value, least in (
        ("pictures", pictures, 1),
        ("centers", centers, 0),
        ("neighbors", neighbors, 1),
        ("warmup", warmup, 0),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {tuple(PRESETS)}, got {preset!r}")
    if not 0 < similarity < 1:
        raise ValueError(f"similarity must be in (0, 1), got {similarity}")
    if unknown := set(moves) - set(MOVES):
        raise ValueError(f"moves must be any of {MOVES}, got {sorted(unknown)}")
