"""Pictures or videos and what belongs to them, put in one order. What came as one batch leaves as one, what came as a
list as a list.

An order names places among `of` pictures; without `of`, it names all of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..files.pictures import frames_of
from ..setup.noise import OurNoise, ReorderedNoise, joined, streams

Order = Sequence[int]


def clip_lengths(images: Sequence[Tensor], latents: Sequence[dict] | None = None, typed: int = 0) -> list[int]:
    """How many frames of each IMAGE batch `(n, h, w, c)` are one video; 1 where they are pictures.

    Args:
        images: Batches, as they came in.
        latents: LATENTs of the same pictures or videos, where they are connected.
        typed: Frames of each video as the artist says, 0 where the pack finds out: from what left a search, or from
            latents of videos.

    Raises:
        ValueError: Where a batch is no multiple of the frames.
    """
    if not typed:
        rows = [streams(latent["samples"])[0] for latent in latents or ()]
        clips = sum(map(len, rows)) if rows and all(row.ndim == 5 for row in rows) else 0
        total = sum(map(len, images))
        evenly = total // clips if clips and total % clips == 0 else 1
        lengths = [frames_of(batch) or evenly for batch in images]
    else:
        lengths = [typed] * len(images)
    for batch, length in zip(images, lengths, strict=True):
        if len(batch) % length:
            raise ValueError(f"frames_per_video must divide the {len(batch)} frames of a batch, got {length}")
    return lengths


def clips_in(images: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
    """Single pictures `(1, h, w, c)` or videos `(frames, h, w, c)` of IMAGE batches; their sizes may differ."""
    return [clip for batch, length in zip(images, lengths, strict=True) for clip in batch.split(length)]


def sort_images(images: Sequence[Tensor], order: Order, lengths: Sequence[int], of: int = 0) -> list[Tensor]:
    """Pictures, or whole videos, in an order."""
    clips = [batch.unflatten(0, (-1, length)) for batch, length in zip(images, lengths, strict=True)]
    sorted_clips = arrange(clips, order, len, lambda batch, rows: batch[list(rows)], "images", of)
    return [batch.flatten(0, 1) for batch in sorted_clips]


def sort_latents(latents: Sequence[dict], order: Order, of: int = 0) -> list[dict]:
    return arrange(latents, order, lambda latent: len(streams(latent["samples"])[0]), latent_rows, "latents", of)


def sort_noises(noises: Sequence[Any], order: Order, of: int = 0) -> list[Any]:
    """NOISE objects: one that holds all the candidates, or one for each picture."""
    if len(noises) == 1:
        return arrange(noises, order, lambda noise: held(noise, of or len(order)), ReorderedNoise, "noises", of)
    return sort_values(noises, order, "noises", of)


def sort_values(values: Sequence[Any], order: Order, name: str, of: int = 0) -> list[Any]:
    if len(values) != (of or len(order)):
        raise ValueError(f"{name} must be as many as the pictures, {of or len(order)}, got {len(values)}")
    return [values[index] for index in order]


def arrange(batches: Sequence[Any], order: Order, count: Callable, take: Callable, name: str, of: int) -> list[Any]:
    """Rows of batches in the given order: in one batch if there was one, else each on its own."""
    places = [(batch, row) for batch in batches for row in range(count(batch))]
    if len(places) != (of or len(order)):
        raise ValueError(f"{name} must be as many as the pictures, {of or len(order)}, got {len(places)}")
    if len(batches) == 1:
        return [take(batches[0], order)]
    return [take(batch, [row]) for batch, row in (places[index] for index in order)]


def latent_rows(latent: dict, rows: Order) -> dict:
    """Rows of a LATENT with what the host keeps per row."""
    count, rows = len(streams(latent["samples"])[0]), list(rows)
    taken = {**latent, "samples": joined([part[rows] for part in streams(latent["samples"])])}
    mask, index = latent.get("noise_mask"), latent.get("batch_index")
    if torch.is_tensor(mask) and mask.ndim > 2 and len(mask) == count:
        taken["noise_mask"] = mask[rows]
    if index is not None and len(index) == count:
        taken["batch_index"] = [index[row] for row in rows]
    return taken


def held(noise: Any, otherwise: int) -> int:
    """How many candidates a NOISE says that it holds; one of another pack does not say."""
    return len(noise.sampler_seeds) if isinstance(noise, OurNoise) else otherwise
