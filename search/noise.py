"""The noise algebra: expressions of seeds that are exactly N(0, I), and how they become tensors.

Every operation keeps the standard normal law: a fresh draw, the Crank-Nicolson move of `mix`, unit-norm combinations of
independent noises.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor

from .bands import WHOLE, Band, check_band, in_band
from .leaves import Shape, Streams, mask_leaf, noise_leaf
from .operations import Operation, earlier_one, incomplete, is_number, operation_of, register

if TYPE_CHECKING:
    from .path import Proposal

NO_LEAVES: Mapping[str, Streams] = MappingProxyType({})
STATES = 64  # of generators, 5 KB each, that are known from the last draws
SEED_BITS = 50  # whole in a JavaScript Number, which a browser makes of every widget

_states: dict[tuple[int, tuple[Shape, ...]], Tensor] = {}


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Candidate:
    """An expression of the noise algebra: immutable, hashable, a few numbers and never a tensor.

    Args:
        operation: What it is made by: "fresh", "mix", "span", "leaf", or one that another module registers.
        parents: What a mix (one) or a span (one or more) is made of.
        seed: Seed of the draw (fresh, mix) or sampler seed of the noise that came in (leaf), in [0, 2**64).
        weights: `(rho,)` of a mix, `(rho, low, high)` of one in a band; the unit-norm weights of a span.
        leaf: Digest of the tensors of a leaf; of the mask of a mix, or "".
    """

    operation: str
    parents: tuple[Candidate, ...] = ()
    seed: int = 0
    weights: tuple[float, ...] = ()
    leaf: str = ""
    key: str = field(init=False)
    sampler_seed: int = field(init=False)  # the seed that a stochastic sampler gets

    def __post_init__(self) -> None:
        parts = (self.operation, self.seed, self.weights, self.leaf, tuple(parent.key for parent in self.parents))
        object.__setattr__(self, "key", hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest())
        object.__setattr__(self, "sampler_seed", self.parents[0].sampler_seed if self.parents else self.seed)

    @property
    def plain_seed(self) -> int | None:
        """The seed to type into a stock sampler, where there is one."""
        return self.seed if self.operation == "fresh" else None

    @property
    def made_by(self) -> str:
        """The name of its operation."""
        return self.operation

    @property
    def band(self) -> Band:
        """The frequencies that a mix changes."""
        return self.weights[1:] if self.operation == "mix" and len(self.weights) == 3 else WHOLE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Candidate) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"<{self.operation} {self.key[:8]}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Candidate:
        return self


Noise = TypeVar("Noise", Candidate, "Proposal")  # noises are made of noises, walks of both


def fresh(seed: int) -> Candidate:
    """Draw what the host draws for this seed at batch size 1; seed in [0, 2**64)."""
    return Candidate("fresh", seed=checked_seed(seed))


def mix(parent: Candidate, seed: int, rho: float, mask: str = "", band: Band = WHOLE) -> Candidate:
    """Move to `rho z + sqrt(1 - rho**2) xi(seed)`, rho in [0, 1]; inside the mask or the frequency band only, where one
    is given.

    Args:
        mask: Digest of a mask, or "".
        band: From and up to which share of the highest frequency, in [0, 1]; only where there is no mask.
    """
    if not 0 <= rho <= 1:
        raise ValueError(f"rho must be in [0, 1], got {rho}")
    band = check_band(band)
    if mask and band != WHOLE:
        raise ValueError(f"a mix must be inside a mask or a band, got both: {mask} and {band}")
    return Candidate("mix", (parent,), checked_seed(seed), (float(rho), *(band if band != WHOLE else ())), mask)


def span(weights: Sequence[float], parents: Sequence[Candidate]) -> Candidate:
    """Combine independent parents to `sum w_i z_i`; the weights have unit norm (rounding is repaired)."""
    if not parents or len(weights) != len(parents):
        raise ValueError(f"weights must be one per parent, got {len(weights)} for {len(parents)}")
    square = math.fsum(weight * weight for weight in weights)
    if not abs(square - 1) < 1e-6:
        raise ValueError(f"weights must have unit norm, got a sum of squares of {square}")
    norm = math.sqrt(square) if abs(square - 1) > 1e-12 else 1.0
    return Candidate("span", tuple(parents), weights=tuple(float(weight) / norm for weight in weights))


def leaf(name: str, seed: int) -> Candidate:
    """Stand for noise that came in from elsewhere by its digest; seed is what a stochastic sampler gets with it."""
    return Candidate("leaf", seed=checked_seed(seed), leaf=name)


def draw(seed: int, shapes: Sequence[Shape]) -> tuple[Tensor, ...]:
    """Draw N(0, I), each stream `(1, *shape)` float32: what the host's `prepare_noise` draws for this seed at batch
    size 1.
    """
    drawn, _states[seed, tuple(map(tuple, shapes))] = _streams_and_state(seed, shapes)
    while len(_states) > STATES:
        _states.pop(next(iter(_states)), None)
    return drawn


def state_behind(seed: int, shapes: Sequence[Shape]) -> Tensor:
    """The state of a generator that drew this noise: as it was left then, if that was not long ago."""
    known = _states.get((seed, tuple(map(tuple, shapes))))
    return _streams_and_state(seed, shapes)[1] if known is None else known


def _streams_and_state(seed: int, shapes: Sequence[Shape]) -> tuple[tuple[Tensor, ...], Tensor]:
    """The streams, and the state that the generator is in then."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn((1, *shape), generator=generator) for shape in shapes), generator.get_state()


def ancestry(*candidates: Noise) -> list[Noise]:
    """List all that the candidates are made of, themselves too, each once and after its parents."""
    order: list[Noise] = []
    seen: set[str] = set()
    stack: list[tuple[Noise, bool]] = [(candidate, False) for candidate in reversed(candidates)]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif node.key not in seen:
            seen.add(node.key)
            stack.append((node, True))
            parents = cast("Sequence[Noise]", node.parents)  # of a noise they are noises
            stack.extend((parent, False) for parent in reversed(parents) if parent.key not in seen)
    return order


def unused(seeds: Iterator[int], *candidates: Proposal) -> Iterator[int]:
    """Skip the seeds that the candidates are made of: moving one by a draw that is in it already would not keep N(0,
    I).
    """
    # of a walk, what came in on it too
    used = {node.seed for node in ancestry(*candidates) if node.operation not in ("span", "leaf")}
    return (seed for seed in seeds if seed not in used)


def check_independent(candidate: Candidate) -> None:
    """Refuse an expression that uses a draw or a leaf twice: its variance would not be 1."""
    used: set[int | str] = set()
    stack = [candidate]
    while stack:
        node = stack.pop()
        source = node.seed if operation_of(node).draws else node.leaf
        if source in used:
            raise ValueError(f"a candidate must use every draw once, got {source} twice in {candidate}")
        if node.operation != "span":
            used.add(source)
        stack.extend(node.parents)


def check_leaves(candidate: Proposal, shapes: Sequence[Shape], leaves: Mapping[str, Streams]) -> None:
    """Refuse an expression whose tensors are not there; the error says which, and what to connect."""
    for node in ancestry(candidate):
        if isinstance(node, Candidate) and node.operation == "leaf":
            noise_leaf(node.leaf, shapes, leaves)
        elif isinstance(node, Candidate) and node.leaf:
            mask_leaf(node.leaf, shapes, leaves)


def materialize(
    candidates: Sequence[Candidate], shapes: Sequence[Shape], leaves: Mapping[str, Streams] = NO_LEAVES
) -> tuple[Tensor, ...]:
    """Compute the noise of the candidates, per stream `(n, *shape)` float32 on the CPU.

    Args:
        candidates: Expressions, n of them. What they share is computed once and dropped after its last use.
        shapes: Per stream, without batch dimension.
        leaves: By digest: noises `(1, *shape)`, and masks in [0, 1] that broadcast to `(1, *shape)`, one tensor per
            stream.
    """
    for candidate in candidates:
        check_independent(candidate)
    if len(candidates) == 1 and candidates[0].operation == "fresh":
        return draw(candidates[0].seed, shapes)  # that of a clip is large: not copied
    rows: dict[str, list[int]] = defaultdict(list)
    for row, candidate in enumerate(candidates):
        rows[candidate.key].append(row)
    order = ancestry(*candidates)
    uses = Counter(parent.key for node in order for parent in node.parents)
    noise = tuple(torch.empty((len(candidates), *shape)) for shape in shapes)
    alive: dict[str, tuple[Tensor, ...]] = {}
    for node in order:
        evaluate = operation_of(node).evaluate
        assert evaluate is not None, "noises need no model"
        streams = evaluate(node, [alive[parent.key] for parent in node.parents], shapes, leaves)
        if node.key in rows:
            for whole, stream in zip(noise, streams, strict=True):
                whole[rows[node.key]] = stream
        alive[node.key] = streams
        uses.subtract(parent.key for parent in node.parents)
        for done in (node, *node.parents):
            if not uses[done.key]:
                alive.pop(done.key, None)
    return noise


class SeedStream:
    """Endless seeds of one run, hashed from (run seed, round, index): below 2**50 and never counting up.

    Args:
        run_seed: What the user typed, in [0, 2**64).
        domain: Another one gives other seeds for the same run seed; "" for the plain stream.
    """

    def __init__(self, run_seed: int, domain: str = ""):
        self.run_seed, self.domain, self._index = checked_seed(run_seed), domain, 0

    def at(self, round: int, index: int) -> int:
        name = f"{self.run_seed} {round} {index}" + (f" {self.domain}" if self.domain else "")
        state = hashlib.blake2b(name.encode(), digest_size=8)
        return int.from_bytes(state.digest(), "big") >> (64 - SEED_BITS)

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self._index += 1
        return self.at(0, self._index - 1)


def checked_seed(seed: object) -> int:
    """The seed, if it is one."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be a whole number in [0, 2**64), got {seed!r}")
    return seed


Parents = Sequence[tuple[Tensor, ...]]
Leaves = Mapping[str, Streams]


def _drawn(node: Candidate, parents: Parents, shapes: Sequence[Shape], leaves: Leaves) -> tuple[Tensor, ...]:
    return draw(node.seed, shapes)


def _came_in(node: Candidate, parents: Parents, shapes: Sequence[Shape], leaves: Leaves) -> tuple[Tensor, ...]:
    return noise_leaf(node.leaf, shapes, leaves)


def _summed(node: Candidate, parents: Parents, shapes: Sequence[Shape], leaves: Leaves) -> tuple[Tensor, ...]:
    return tuple(
        sum((w * z for w, z in zip(node.weights, stream, strict=True)), torch.zeros(()))
        for stream in zip(*parents, strict=True)
    )


def _moved(node: Candidate, parents: Parents, shapes: Sequence[Shape], leaves: Leaves) -> tuple[Tensor, ...]:
    masks = mask_leaf(node.leaf, shapes, leaves) if node.leaf else [None] * len(shapes)
    fresh_noise = draw(node.seed, shapes)
    return tuple(
        _mixed(z, xi, node.weights[0], mask, node.band)
        for z, xi, mask in zip(parents[0], fresh_noise, masks, strict=True)
    )


def _mixed(z: Tensor, xi: Tensor, rho: float, mask: Tensor | None, band: Band) -> Tensor:
    share = math.sqrt((1 - rho) * (1 + rho))
    if mask is None:
        moved = math.sqrt(1 - share * share) * z + share * xi
        return moved if band == WHOLE else z + in_band(moved - z, band)
    part = mask.cpu().double() * share  # per element, so that a soft mask keeps the variance as well
    return (1 - part * part).sqrt().float() * z + part.float() * xi


def _read_fresh(entry: Sequence[Any], earlier: Sequence[Proposal]) -> Candidate:
    if len(entry) != 1:
        raise incomplete()
    return fresh(entry[0])


def _read_leaf(entry: Sequence[Any], earlier: Sequence[Proposal]) -> Candidate:
    match entry:
        case [str(name), seed]:
            return leaf(name, seed)
        case _:
            raise incomplete()


def _read_span(entry: Sequence[Any], earlier: Sequence[Proposal]) -> Candidate:
    match entry:
        case [[*parents], [*weights]] if all(isinstance(weight, int | float) for weight in weights):
            return span(weights, [earlier_one(parent, earlier, Candidate) for parent in parents])
        case _:
            raise incomplete()


def _read_mix(entry: Sequence[Any], earlier: Sequence[Proposal]) -> Candidate:
    match entry:
        case [parent, seed, int() | float() as rho]:
            return mix(earlier_one(parent, earlier, Candidate), seed, rho)
        case [parent, seed, int() | float() as rho, str(mask)]:
            return mix(earlier_one(parent, earlier, Candidate), seed, rho, mask)
        case [parent, seed, int() | float() as rho, [low, high]] if is_number(low) and is_number(high):
            return mix(earlier_one(parent, earlier, Candidate), seed, rho, band=(low, high))
        case _:
            raise incomplete()


def _write_mix(node: Candidate, places: Mapping[str, int]) -> list[Any]:
    where: list[Any] = [node.leaf] if node.leaf else [list(node.band)] if node.band != WHOLE else []
    return [places[node.parents[0].key], node.seed, node.weights[0], *where]


def _write_span(node: Candidate, places: Mapping[str, int]) -> list[Any]:
    return [[places[parent.key] for parent in node.parents], list(node.weights)]


register(Operation("fresh", lambda node, places: [node.seed], _read_fresh, _drawn, draws=True))
register(Operation("leaf", lambda node, places: [node.leaf, node.seed], _read_leaf, _came_in))
register(Operation("span", _write_span, _read_span, _summed))
register(
    Operation("mix", _write_mix, _read_mix, _moved, draws=True, version=lambda node: 1 if node.band == WHOLE else 2)
)
