"""Candidates as the host's NOISE, and the host's NOISE as candidates."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast, runtime_checkable

import comfy.nested_tensor
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ....search.leaves import leaf_digest
from ....search.noise import Candidate, SeedStream, Shape, draw, fresh, leaf, materialize, mix, unused
from ....search.recipe import Recipe, check_shapes
from ..errors import failing

Latent = Any  # a tensor, or the host's NestedTensor of one tensor per stream
Leaves = Mapping[str, Sequence[Tensor]]


def streams(latent: Latent) -> tuple[Tensor, ...]:
    """The tensors of a latent, each `(n, *shape)`: one, or several for models with picture and sound."""
    return tuple(latent.unbind()) if latent.is_nested else (latent,)


def joined(parts: Sequence[Tensor]) -> Latent:
    """Inverse of `streams`."""
    return parts[0] if len(parts) == 1 else comfy.nested_tensor.NestedTensor(list(parts))


def owned(tensor: Tensor) -> Tensor:
    """The tensor, or a copy where it is a view of a larger one."""
    return tensor if is_owned(tensor) else tensor.clone()


def is_owned(tensor: Tensor) -> bool:
    """Whether it is no view of a larger one, which it would keep alive."""
    return tensor.untyped_storage().nbytes() == tensor.nbytes


def shapes_of(latent: Latent) -> tuple[Shape, ...]:
    return tuple(tuple(part.shape[1:]) for part in streams(latent))


@dataclass(frozen=True, eq=False)
class Resolved:
    """Candidates for one latent shape, with the tensors that their leaves name."""

    candidates: tuple[Candidate, ...]
    leaves: Leaves = field(default_factory=dict)


class CandidateNoise:
    """A host NOISE of n candidates, best first. Immutable.

    Args:
        candidates: At least one.
        leaves: Tensors that they name.
        domain: Of the seeds of the search that found them, "" for the plain ones.
    """

    def __init__(self, candidates: Sequence[Candidate], leaves: Leaves | None = None, domain: str = ""):
        self.resolved, self.domain = Resolved(tuple(candidates), dict(leaves or {})), domain

    @property
    def seed(self) -> int:
        return self.sampler_seeds[0]

    @property
    def sampler_seeds(self) -> list[int]:
        """What a stochastic sampler draws from for each row."""
        return [candidate.sampler_seed for candidate in self.resolved.candidates]

    def resolve(self, latent: Latent) -> Resolved:
        return self.resolved

    def generate_noise(self, input_latent: dict) -> Latent:
        return rows(self, input_latent["samples"])


@runtime_checkable
class OurNoise(Protocol):
    """A NOISE of this pack: it knows its candidates; one of another pack only draws."""

    @property
    def sampler_seeds(self) -> list[int]:
        """What a stochastic sampler draws from for each row."""
        ...

    def resolve(self, latent: Latent) -> Resolved:
        """The candidates for the shape of a latent."""
        ...


class VariedNoise:
    """Variations around the first noise of another NOISE, each at the same similarity to it.

    Args:
        source: Any host NOISE.
        seed: Run seed of the variations.
        count: How many, at least 1.
        similarity: Cosine between a variation and its source, in [0, 1].
        include_source: Puts the source itself first; it counts as one of `count`.
    """

    def __init__(self, source: Any, *, seed: int, count: int, similarity: float, include_source: bool):
        self.source, self.run_seed, self.count = source, seed, count
        self.similarity, self.include_source = similarity, include_source
        self.domain: str = getattr(source, "domain", "")

    @property
    def seed(self) -> int:
        return self.source.seed

    @property
    def sampler_seeds(self) -> list[int]:
        return [self.seed] * self.count

    def resolve(self, latent: Latent) -> Resolved:
        base = resolve(self.source, latent)
        parent = base.candidates[0]
        seeds = unused(SeedStream(self.run_seed), parent)
        moves = [mix(parent, next(seeds), self.similarity) for _ in range(self.count)]
        if self.include_source:
            moves = [parent, *moves[:-1]]
        return Resolved(tuple(moves), base.leaves)

    def generate_noise(self, input_latent: dict) -> Latent:
        return rows(self, input_latent["samples"])


class RecipeNoise:
    """The noises of recipes, made again, in their order.

    Args:
        recipes: What to make, at least one.
        source: The NOISE that the recipes began with, where that came in from elsewhere.
        region: The mask `(n, h, w)` that was searched in, where there was one.
    """

    def __init__(self, recipes: Sequence[Recipe], source: Any = None, region: Tensor | None = None):
        found = cast("tuple[Candidate, ...]", tuple(recipe.candidate for recipe in recipes))
        self.candidates, self.source, self.region = found, source, region
        self.recipes = tuple(recipes)

    @property
    def seed(self) -> int:
        return self.sampler_seeds[0]

    @property
    def sampler_seeds(self) -> list[int]:
        return [candidate.sampler_seed for candidate in self.candidates]

    def resolve(self, latent: Latent) -> Resolved:
        for recipe in self.recipes:
            check_shapes(recipe, shapes_of(latent))
        leaves = dict(resolve(self.source, latent).leaves) if self.source is not None else {}
        if self.region is not None:
            leaves |= region_leaves(self.region, shapes_of(latent))
        return Resolved(self.candidates, leaves)

    def generate_noise(self, input_latent: dict) -> Latent:
        return rows(self, input_latent["samples"])


class ReorderedNoise:
    """Rows of another NOISE, all or some of them, in another order."""

    def __init__(self, source: Any, order: Sequence[int]):
        self.source, self.order = source, tuple(order)
        self.domain: str = getattr(source, "domain", "")

    @property
    def seed(self) -> int:
        return self.sampler_seeds[0]

    @property
    def sampler_seeds(self) -> list[int]:
        source = self.source
        if isinstance(source, OurNoise):
            return [source.sampler_seeds[index] for index in self.order]
        return [source.seed for _ in self.order]

    def resolve(self, latent: Latent) -> Resolved:
        base = resolve(self.source, latent, max(self.order) + 1)
        return Resolved(tuple(base.candidates[index] for index in self.order), base.leaves)

    def generate_noise(self, input_latent: dict) -> Latent:
        return rows(self, input_latent["samples"])


def rows(noise: Any, latent: Latent) -> Latent:
    """The first B noises of one of our NOISE for a latent batch of B."""
    resolved, batch = noise.resolve(latent), streams(latent)[0].shape[0]
    if batch > len(resolved.candidates):
        raise ValueError(
            f"noise must hold at least one candidate per latent: the latent batch has {batch} rows, "
            f"noise holds {len(resolved.candidates)}"
        )
    parts = materialize(resolved.candidates[:batch], shapes_of(latent), resolved.leaves)
    return joined([part.to(row.dtype) for part, row in zip(parts, streams(latent))])


def resolve(noise: Any, latent: Latent, count: int = 1) -> Resolved:
    """Any NOISE as candidates for the shape of `latent`.

    A foreign NOISE that draws what the stock sampler draws for its seed is that plain seed; any other becomes a leaf,
    named by its digest.

    Args:
        noise: A NOISE of this pack, of the host or of another pack.
        latent: Latent whose rows give the shape.
        count: How many rows a foreign NOISE is asked for.
    """
    if isinstance(noise, OurNoise):
        return noise.resolve(latent)
    shapes = shapes_of(latent)
    batch = joined([part[:1].expand(count, *part.shape[1:]).contiguous() for part in streams(latent)])
    with failing("The noise that comes in", (), "Check the node that it comes from."):
        drawn = streams(noise.generate_noise({"samples": batch}))
    check_drawn(drawn, shapes)
    single = [tuple(part[row : row + 1].float() for part in drawn) for row in range(drawn[0].shape[0])]
    candidates, leaves = [], {}
    for row, parts in enumerate(single):
        if row == 0 and is_plain(parts, noise.seed, shapes):
            candidates.append(fresh(host_seed(noise.seed)))
            continue
        name = leaf_digest(parts)
        leaves[name] = parts
        candidates.append(leaf(name, host_seed(noise.seed)))
    return Resolved(tuple(candidates), leaves)


def domain_of(noise: Any, candidates: Sequence[Candidate]) -> str:
    """The domain of the seeds of a search that begins with a NOISE: another one for each link of a chain of searches,
    also where one of them found nothing better and passes on what it got.

    Args:
        noise: What came in.
        candidates: Those that it holds.
    """
    parts = (getattr(noise, "domain", ""), *(candidate.key for candidate in candidates))
    return hashlib.blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()


def is_plain(parts: Sequence[Tensor], seed: int, shapes: Sequence[Shape]) -> bool:
    return all(torch.equal(part, stock) for part, stock in zip(parts, draw(seed, shapes)))


def host_seed(seed: int) -> int:
    """A seed as the host's own nodes take it that another node gives: torch counts those below 0 from 2**64."""
    return seed % 2**64


def region_leaves(region: Tensor, shapes: Sequence[Shape]) -> Leaves:
    """A mask of the picture `(n, h, w)` in [0, 1], the first of them, as one of its noise, by its digest. Sound stays
    out of it.
    """
    if not any(len(shape) > 2 for shape in shapes):
        raise ValueError(f"region must be for a latent with height and width, got one of {describe(shapes)}")
    masks = tuple(region_of(region.float().cpu().clamp(0, 1), shape) for shape in shapes)
    if not any(mask.any() for mask in masks):
        raise ValueError("region must leave something to search in, got an empty mask")
    return {leaf_digest(masks): masks}


def region_of(region: Tensor, shape: Shape) -> Tensor:
    """The share of each place of a latent stream that lies in the region, `(1, 1, ..., h, w)`."""
    if len(shape) < 3:
        return torch.zeros((1,) * (len(shape) + 1))
    small = interpolate(region[:1, None], shape[-2:], mode="area")
    return small.reshape((1,) * (len(shape) - 1) + tuple(shape[-2:]))


def check_drawn(drawn: Sequence[Tensor], shapes: Sequence[Shape]) -> None:
    found = [tuple(part.shape[1:]) for part in drawn]
    if found != [tuple(shape) for shape in shapes]:
        raise ValueError(f"noise must have the latent's shape {describe(shapes)}, got {describe(found)}")
    for part in drawn:
        if not torch.isfinite(part).all():
            raise ValueError("noise must be finite, got NaN or infinite values")
        if part.numel() > 1 and part.std() == 0:
            raise ValueError(f"noise must be random, got {part.flatten()[0].item():g} everywhere (Disable Noise?)")


def describe(shapes: Sequence[Shape]) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
