"""Particle steering: many pictures come down together, and at some levels the promising ones go on in place of the
others.

One frame for three published methods, after Zhang et al., Inference-time Scaling of Diffusion Models through Classical
Search, arXiv:2505.23614. At every rung the previews are scored, a potential and a strength make the scores weights, and
a resampler makes the weights ancestors; copies part by the noise that comes in on their next walk.

    "best known"   best preview so far, rising strength, SSP resampling; the ODE to the first rung and from just below
    the last one "FK steering"  best preview so far, constant strength, multinomial resampling, eta 1 (Singhal et al.,
    arXiv:2501.06848) "SVDD"         at every step all go on from the best preview, eta 1 (Li et al., arXiv:2408.08252)

Verifiers have scales of their own, so a score is counted in standard deviations of its rung, from the mean of it,
unless `standardize` is off. Noise comes in after the last rung too, before the ODE takes over, so that no two copies
become the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from .allowance import PREVIEW, WHOLE, Work
from .correlation import spearman
from .noise import Candidate, fresh
from .path import Path, Proposal, Schedule
from .planned import Planned
from .resampling import RESAMPLERS, effective_sample_size
from .stages import Scores, Stage, Story
from .tensors import listed

POTENTIALS = ("max", "difference", "current")
TEMPERATURES = ("increasing", "constant", "infinite")
AS_PRESET = "as preset"
SMALLEST = 4  # particles of the first pool by the clock
ROUNDING = 1e-6  # of a score: previews that differ by less are equal, as all are where nothing is to be seen yet


@dataclass(frozen=True)
class Preset:
    """What a method fills in: the knobs of `SteeredSearch` by the same names.

    Args:
        calm: Whether the ways to the first rung, where the noises differ anyway, and from just below the last one are
            the ODE.
    """

    rungs: tuple[float, ...]  # empty for every step
    potential: str
    temperature: str
    strength: float
    resampler: str
    eta: float
    calm: bool


PRESETS = {
    "best known": Preset((0.7, 0.55, 0.4), "max", "increasing", 3.0, "SSP", 0.5, calm=True),
    "FK steering": Preset((0.8, 0.6, 0.4, 0.2), "max", "constant", 3.0, "multinomial", 1.0, calm=False),
    "SVDD": Preset((), "current", "infinite", 1.0, "multinomial", 1.0, calm=False),
}


class Particle(NamedTuple):
    """One of the pictures that come down together.

    Args:
        place: Where its walk stands.
        peak: Best preview among its ancestors.
        paid: Log potentials that it was weighed by so far.
        log_weight: Those since the last resampling.
    """

    place: Proposal
    peak: float = -math.inf
    paid: float = 0.0
    log_weight: float = 0.0


class SteeredSearch(Planned):
    """Particles that are resampled by their previews. The start's own picture is measured as well; all particles are
    fresh noises. By the clock, pools begin small and grow, and those come down that the time pays for.

    Args:
        start: Candidate that is measured first.
        seeds: Yields a new seed per draw; the only source of randomness.
        schedule: Noise levels of the setup.
        pictures: Full pictures' worth of denoising; a particle takes exactly one.
        preset: One of `PRESETS`, for every knob that is left as it is.
        particles: How many come down together, pool after pool; 0 for one pool of as many as the pictures pay for.
        rungs: Shares of noise in (0, 1), descending, at whose nearest levels previews are scored; none for the
            preset's.
        potential: What a particle is weighed by: "max" of its previews so far, the "current" one, or its "difference"
            to what was paid.
        temperature: Strength over the rungs: "increasing" with the share of signal up to full strength at the last one,
            "constant", or "infinite", where all go on from the best.
        strength: Log weight per standard deviation (lambda), above 0; 0 for the preset's.
        resampler: One of `RESAMPLERS`.
        eta: Share of fresh noise in each step, in [0, 1]; below 0 for the preset's.
        least_ess: Resample where the effective sample size is below this share of the particles, in (0, 1].
        standardize: Whether scores are counted in standard deviations of their rung.
    """

    def __init__(
        self,
        start: Proposal,
        seeds: Iterator[int],
        *,
        schedule: Schedule,
        pictures: int,
        preset: str = "best known",
        particles: int = 0,
        rungs: Sequence[float] = (),
        potential: str = AS_PRESET,
        temperature: str = AS_PRESET,
        strength: float = 0.0,
        resampler: str = AS_PRESET,
        eta: float = -1.0,
        least_ess: float = 1.0,
        standardize: bool = True,
    ):
        chosen = PRESETS[_one_of("preset", preset, PRESETS)]
        self.potential = _one_of("potential", chosen.potential if potential == AS_PRESET else potential, POTENTIALS)
        self.temperature = _one_of(
            "temperature", chosen.temperature if temperature == AS_PRESET else temperature, TEMPERATURES
        )
        self.resampler = RESAMPLERS[
            _one_of("resampler", chosen.resampler if resampler == AS_PRESET else resampler, RESAMPLERS)
        ]
        _check(particles, strength, eta, least_ess)
        super().__init__(start, seeds, schedule, pictures)
        self.strength, self.eta, self.calm = strength or chosen.strength, chosen.eta if eta < 0 else eta, chosen.calm
        self.particles, self.least_ess, self.standardize = particles, least_ess, standardize
        self.rungs = _rungs(schedule, rungs, chosen.rungs)
        if self.rungs and self.eta == 0:
            raise ValueError("eta must be above 0, or copies would stay the same picture, got 0")
        self.log_evidence = 0.0  # log of the mean of exp(strength * score) in the last pool, for scores as they are
        self._seen: dict[Proposal, float] = {}  # scores of the previews at the rungs
        # with those of the pictures
        self._foreseen: dict[float, list[tuple[float, float]]] = {level: [] for level in self.rungs}
        # levels and eta of each, for two particles and more; none where nothing can be chosen on the way
        self.walks = self._walks()

    def _story(self) -> Story:
        yield from self._arrived()
        best = self._start
        while (count := self._pool()) > 0:
            self._spend(count)
            noises = [fresh(next(self._seeds)) for _ in range(count)]
            best = yield from self._steered(noises, best)
        # less than a picture: the best one is brought down once more
        if (steps := self._room()) >= self._least:
            yield Stage((self._again(best, steps),))

    def _pool(self) -> int:
        """How many particles come down next."""
        if not self._timed:
            return min(self.particles or self._left, self._left // self._schedule.steps)
        count = min(self._times(*self._way()), max(SMALLEST, math.floor(self._grown())))
        # with one there is nothing to choose on the way, and nothing to look at
        return min(self.particles or count, count) if count > 1 else min(1, self._times(WHOLE))

    def _way(self, begun: int = 0) -> list[Work]:
        """What is still to be done of one particle that has come down some of the walks."""
        worths = [(len(levels) - 1) / self._schedule.steps for levels, _ in self.walks[begun:]]
        return [*(Work(worth, PREVIEW) for worth in worths[:-1]), Work(worths[-1], begins=True)] if worths else [WHOLE]

    def _steered(self, noises: Sequence[Candidate], best: Proposal) -> Generator[Stage, Scores, Proposal]:
        """Bring a pool down; returns the best picture so far."""
        particles = [Particle(noise) for noise in noises]
        self.log_evidence = 0.0
        scores: Scores = {}
        for number, (levels, eta) in enumerate(self.walks if len(noises) > 1 else ()):
            if self._timed and number:  # the time may have gone faster
                particles = self._promising(particles, scores, max(1, self._allowance.times(*self._way(number))))
            walks = [Path(particle.place, levels, next(self._seeds) if eta else 0, eta) for particle in particles]
            scores = yield Stage(tuple(walks), (best,))
            particles = [particle._replace(place=walk) for particle, walk in zip(particles, walks, strict=True)]
            if number < len(self.rungs):
                self._seen |= {walk: scores[walk] for walk in walks}
                particles = self._resampled(self._weighed(particles, scores, self._strength(number)))
        pictures = [particle.place for particle in particles]
        if pictures == noises:  # nothing to choose on the way
            scores = yield Stage(tuple(pictures), (best,))
        self._close(particles, scores)
        self._look_back(pictures, scores)
        return max([best, *pictures], key=scores.__getitem__)

    def _promising(self, particles: list[Particle], scores: Scores, count: int) -> list[Particle]:
        """As many of the particles, those with the best previews, in their order."""
        best = sorted(range(len(particles)), key=lambda place: scores[particles[place].place], reverse=True)[:count]
        return [particles[place] for place in sorted(best)]

    def _look_back(self, pictures: Sequence[Proposal], scores: Scores) -> None:
        """Pair the pictures with the previews that they came by."""
        for picture in pictures:
            node: Proposal | None = picture
            while isinstance(node, Path):
                node = node.parent
                if isinstance(node, Path) and node in self._seen:
                    self._foreseen[node.end].append((self._seen[node], scores[picture]))

    def explain(self) -> str:
        """How well the previews foretold the pictures, in a sentence: rungs where they did not are of no use."""
        told = [
            f"{spearman(*zip(*pairs))} at noise {self._schedule.time(level):.2f}"
            for level, pairs in self._foreseen.items()
            if pairs
        ]
        return (
            f"Rank correlation of previews and pictures: {'; '.join(told)}."
            if told
            else "No previews: all pictures in full."
        )

    def _walks(self) -> list[tuple[tuple[float, ...], float]]:
        if not self.rungs:
            return []
        cuts = [self._schedule.levels[0], *self.rungs]
        if self.calm:
            cuts.append(max(level for level in self._schedule.levels if level < cuts[-1]))
        ways = [self._schedule.between(start, end) for start, end in pairwise([*cuts, 0.0])]
        ode = (0, len(ways) - 1) if self.calm else ()
        return [(levels, 0.0 if number in ode else self.eta) for number, levels in enumerate(ways)]

    def _strength(self, rung: int) -> float:
        if self.temperature == "increasing":
            signal, last = (1 - self._schedule.time(level) for level in (self.rungs[rung], self.rungs[-1]))
            return self.strength * signal / last
        return self.strength if self.temperature == "constant" else math.inf

    def _weighed(self, particles: list[Particle], scores: Scores, strength: float) -> list[Particle]:
        """Pay the potential of a rung."""
        values = torch.tensor([scores[particle.place] for particle in particles], dtype=torch.float64)
        if self.standardize:
            spread = values.std(correction=0)
            values = (
                (values - values.mean()) / spread
                if spread > ROUNDING * values.abs().max()
                else torch.zeros_like(values)
            )
        weighed: list[Particle] = []
        counted: list[float] = listed(values)
        for particle, value in zip(particles, counted, strict=True):
            peak = max(particle.peak, value)
            power = peak if self.potential == "max" else value
            if strength < math.inf:
                power = strength * power - (particle.paid if self.potential == "difference" else 0.0)
            weighed.append(
                particle._replace(peak=peak, paid=particle.paid + power, log_weight=particle.log_weight + power)
            )
        return weighed

    def _resampled(self, particles: list[Particle]) -> list[Particle]:
        log_weights = torch.tensor([particle.log_weight for particle in particles], dtype=torch.float64)
        if self.temperature == "infinite":
            return [particles[int(log_weights.argmax())]._replace(log_weight=0.0)] * len(particles)
        if effective_sample_size(log_weights) >= self.least_ess * len(particles):
            return particles
        self.log_evidence += _log_mean(log_weights)
        generator = torch.Generator().manual_seed(next(self._seeds))
        ancestors: list[int] = listed(self.resampler(log_weights.softmax(0), len(particles), generator))
        return [particles[ancestor]._replace(log_weight=0.0) for ancestor in ancestors]

    def _close(self, particles: list[Particle], scores: Scores) -> None:
        """Pay what is owed: all potentials of a particle sum up to strength times the score of its picture."""
        owed = [self.strength * scores[particle.place] - particle.paid + particle.log_weight for particle in particles]
        self.log_evidence += _log_mean(torch.tensor(owed, dtype=torch.float64))


def _log_mean(log_weights: Tensor) -> float:
    return (log_weights.logsumexp(0) - math.log(len(log_weights))).item()


def _rungs(schedule: Schedule, asked: Sequence[float], preset: Sequence[float]) -> tuple[float, ...]:
    """Levels of the schedule. Two steps are left below the last one, for the noise that parts copies and for the way to
    0.
    """
    grid, highest = schedule.levels[1:-2], schedule.time(schedule.levels[0])
    if any(not 0 < time < highest for time in asked) or any(a <= b for a, b in pairwise(asked)):
        raise ValueError(f"rungs must go down within {highest:.3g} and 0, where the schedule is, got {tuple(asked)}")
    near = [min(grid, key=lambda level: abs(schedule.time(level) - time)) for time in asked or preset if grid]
    levels = tuple(dict.fromkeys(near)) if asked or preset else grid
    if asked and len(levels) < len(asked):
        raise ValueError(
            f"rungs must have levels of their own among the {len(grid)} that {schedule.steps} steps allow, got"
            f" {tuple(asked)}"
        )
    return levels


def _one_of(name: str, value: str, known: Collection[str]) -> str:
    if value not in known:
        raise ValueError(f"{name} must be one of {tuple(known)}, got {value!r}")
    return value


def _check(particles: int, strength: float, eta: float, least_ess: float) -> None:
    if particles < 0:
        raise ValueError(f"particles must be at least 0 (as many as the pictures pay for), got {particles}")
    if not 0 <= strength < math.inf:
        raise ValueError(f"strength must be above 0, or 0 for that of the preset, got {strength}")
    if not eta <= 1:
        raise ValueError(f"eta must be in [0, 1], or below 0 for that of the preset, got {eta}")
    if not 0 < least_ess <= 1:
        raise ValueError(f"least_ess must be in (0, 1], got {least_ess}")
