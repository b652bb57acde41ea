"""Points along a sampling path: expressions of seeds and noise levels, as `noise.Candidate` is one of seeds.

The state at level sigma is (x0, eps, sigma): an estimate of the picture and the unit noise that it is hidden under.
Walking down is the probability-flow ODE on some of the schedule's levels. Noise comes in by mixing fresh noise into
eps, which keeps its law in both cases: going up from t to s, eps' = rho eps + sqrt(1 - rho^2) xi with rho = ve(t) /
ve(s), and in a stochastic step, rho = cos(eta pi / 2) (coefficient-preserving sampling, arXiv:2509.05952; DDIM's eta
for models that predict eps).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .noise import Candidate, ancestry, check_independent, checked_seed
from .operations import Operation, earlier_one, incomplete, is_number, operation_of, register


@dataclass(frozen=True)
class Schedule:
    """The noise levels of a setup, and what they mean.

    Args:
        levels: Descending, `steps + 1` of them, the last one 0; in the model's own scale.
        flow: Whether a state is `(1 - sigma) x0 + sigma eps`; otherwise it is `x0 + sigma eps`.
    """

    levels: tuple[float, ...]
    flow: bool

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or self.levels[-1] != 0 or any(a <= b for a, b in zip(self.levels, self.levels[1:])):
            raise ValueError(f"the schedule must go down to 0 in at least one step, got {_short(self.levels)}")

    @property
    def steps(self) -> int:
        return len(self.levels) - 1

    def time(self, level: float) -> float:
        """Share of noise in [0, 1]: noise / (noise + signal). For a flow model the level itself."""
        return level if self.flow else level / (1 + level)

    def level(self, time: float) -> float:
        """The level with this share of noise in [0, 1)."""
        return time if self.flow else time / (1 - time)

    def between(self, start: float, end: float) -> tuple[float, ...]:
        """Levels from `start` down to `end`, by way of those of the schedule that lie between; one NFE each but the
        last.
        """
        if not self.levels[0] >= start > end >= 0:
            raise ValueError(f"a walk must go down within {self.levels[0]:g} and 0, got {start:g} to {end:g}")
        return (start, *(level for level in self.levels if end < level < start), end)

    def nearest(self, time: float) -> float:
        """The level of the schedule, above 0, whose share of noise is nearest."""
        return min(self.levels[:-1], key=lambda level: abs(self.time(level) - time))

    def coarse(self, steps: int) -> tuple[float, ...]:
        """All the way down in fewer steps: evenly chosen levels of the schedule."""
        if not 1 <= steps <= self.steps:
            raise ValueError(f"steps must be between 1 and {self.steps}, got {steps}")
        return tuple(self.levels[round(index * self.steps / steps)] for index in range(steps + 1))

    def cost(self, proposed: Candidate | Path) -> float:
        """Full pictures' worth of denoising that this takes, when what it goes on from is there."""
        steps = operation_of(proposed).steps
        return 1.0 if steps is None else steps(proposed) / self.steps


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Path:
    """A walk that goes on from where its parent ended: immutable, hashable, a few numbers and never a tensor.

    Args:
        parent: A candidate, whose noise it starts with; a path to go on from; None for the clean latent that came in.
        levels: Descending. The first is where the parent ended or, with noise of `seed` added, above it. The last may
            be 0: a picture.
        seed: Seed of all noise that comes in on this walk; of no meaning where none does.
        eta: Share of fresh noise in each step, in [0, 1]; 0 is the ODE.
        draft: Whether it only foretells a picture and is never a result itself.
    """

    parent: Candidate | Path | None
    levels: tuple[float, ...]
    seed: int = 0
    eta: float = 0.0
    draft: bool = False
    key: str = field(init=False)

    def __post_init__(self) -> None:
        checked_seed(self.seed)
        if (
            not self.levels
            or any(a <= b for a, b in zip(self.levels, self.levels[1:]))
            or not 0 <= self.levels[-1] < math.inf
        ):
            raise ValueError(f"levels must go down and not below 0, got {_short(self.levels)}")
        if isinstance(self.parent, Path) and self.levels[0] < self.parent.levels[-1]:
            raise ValueError(
                f"levels must start at or above {self.parent.levels[-1]:g}, where the parent ends, got"
                f" {self.levels[0]:g}"
            )
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must be in [0, 1], got {self.eta}")
        parent = self.parent.key if self.parent else ""
        parts = ("path", parent, self.levels, self.seed, self.eta, self.draft)
        object.__setattr__(self, "key", hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest())

    @property
    def steps(self) -> int:
        return len(self.levels) - 1

    @property
    def end(self) -> float:
        """Where it ends; 0 for a picture."""
        return self.levels[-1]

    @property
    def renoised(self) -> bool:
        """Whether it starts above where its parent ended."""
        return not isinstance(self.parent, Candidate) and self.levels[0] > (self.parent.end if self.parent else 0.0)

    @property
    def made_by(self) -> str:
        """The name of its operation."""
        return "walk"

    @property
    def operation(self) -> str:
        """What the walk is for."""
        if self.draft:
            return "draft"
        if self.end:
            return "preview"
        return "renoise" if self.renoised else "walk"

    @property
    def parents(self) -> tuple[Candidate | Path, ...]:
        return () if self.parent is None else (self.parent,)

    @property
    def noise(self) -> Candidate | None:
        """The noise that it all began with; None for a latent that came in."""
        node: Candidate | Path | None = self
        while isinstance(node, Path):
            node = node.parent
        return node

    @property
    def sampler_seed(self) -> int:
        """The seed that a stochastic sampler gets."""
        if self.renoised or self.eta:
            return self.seed
        return self.parent.sampler_seed if self.parent else self.seed

    @property
    def plain_seed(self) -> None:
        """No stock sampler makes this of a seed alone."""
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"<{self.operation} {self.levels[0]:.3g} to {self.end:.3g} {self.key[:8]}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Path:
        return self


Proposal = Candidate | Path  # what a search asks to be measured


def stage(proposed: Proposal) -> str:
    """What its score can be compared with: "" for pictures; drafts and previews of one level are pools of their own."""
    if isinstance(proposed, Candidate):
        return ""
    if proposed.draft:
        return f"draft of {proposed.steps} steps"
    return f"preview at {proposed.end:.6g}" if proposed.end else ""


def check_draws(path: Path) -> None:
    """Refuse a walk that draws the same noise twice on its way: it would not be noise any more."""
    used: set[int] = set()
    node: Proposal | None = path
    while isinstance(node, Path):
        if node.renoised or node.eta:
            if node.seed in used:
                raise ValueError(f"a walk must draw every noise once, got seed {node.seed} twice")
            used.add(node.seed)
        node = node.parent
    if node is not None:
        check_independent(node)
        if again := used & {part.seed for part in ancestry(node) if operation_of(part).draws}:
            raise ValueError(f"a walk must draw every noise once, got seed {min(again)} in its first noise as well")


def finish(proposed: Proposal, schedule: Schedule) -> Path:
    """The finished picture of a candidate as a state to go on from: what the setup itself samples."""
    return proposed if isinstance(proposed, Path) else Path(proposed, schedule.levels)


def draft(candidate: Candidate, levels: Sequence[float]) -> Path:
    """A cheap picture of the same noise, in few steps."""
    return Path(candidate, tuple(levels), draft=True)


def renoise(parent: Path | None, levels: Sequence[float], seed: int, eta: float = 0.0) -> Path:
    """Back up to `levels[0]` with fresh noise, and down again along the levels."""
    return Path(parent, tuple(levels), seed, eta)


def _short(levels: Sequence[float]) -> str:
    shown = ", ".join(f"{level:g}" for level in levels[:6])
    return f"{shown}, ... ({len(levels)} levels)" if len(levels) > 6 else shown or "none"


def _read_walk(entry: Sequence[Any], earlier: Sequence[Proposal]) -> Path:
    match entry:
        case [parent, [*levels], seed, int() | float() as eta, *drafted] if drafted in ([], [True]):
            if not all(map(is_number, levels)):
                raise incomplete()
            start = None if parent is None else earlier_one(parent, earlier, (Candidate, Path))
            return Path(start, tuple(map(float, levels)), seed, float(eta), bool(drafted))
        case _:
            raise incomplete()


def _write_walk(node: Path, places: Mapping[str, int]) -> list[Any]:
    parent = None if node.parent is None else places[node.parent.key]
    return [parent, list(node.levels), node.seed, node.eta, *([True] if node.draft else [])]


register(Operation("walk", _write_walk, _read_walk, steps=lambda node: node.steps, version=lambda node: 2))
