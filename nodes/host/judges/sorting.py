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
        known = [frames_of(batch) for batch in images]
        found = [0] * len(images) if all(known) else lengths_by(latents or (), images)
        return [length or other or 1 for length, other in zip(known, found, strict=True)]
    for batch in images:
        if len(batch) % typed:
            raise ValueError(f"frames_per_video must divide the {len(batch)} frames of a batch, got {typed}")
    return [typed] * len(images)


def lengths_by(latents: Sequence[dict], images: Sequence[Tensor]) -> list[int]:
    """How many frames of each batch are one video where latents of videos tell; 0 where they do not."""
    rows = [streams(latent["samples"])[0] for latent in latents]
    if not rows or any(row.ndim != 5 for row in rows):
        return [0] * len(images)
    clips, total = sum(map(len, rows)), sum(map(len, images))
    if clips == len(images):
        return list(map(len, images))
    length = total // clips
    if total % clips or any(len(batch) % length for batch in images):
        batches = f"{len(images)} batches" if len(images) > 1 else "one batch"
        raise ValueError(
            f"latents must hold as many videos as the images, {total} frames in {batches} that"
            f" they divide into equal parts, got {clips} videos. Where that is not so, set frames_per_video"
        )
    return [length] * len(images)


def clips_in(images: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
    """Single pictures `(1, h, w, c)` or videos `(frames, h, w, c)` of IMAGE batches; their sizes may differ."""
    return [clip for batch, length in zip(images, lengths, strict=True) for clip in batch.split(length)]


def sort_images(images: Sequence[Tensor], order: Order, lengths: Sequence[int], of: int = 0) -> list[Tensor]:
    """Pictures, or whole videos, in an order."""
    clips = [batch.unflatten(0, (-1, length)) for batch, length in zip(images, lengths, strict=True)]
    sorted_clips = arrange(clips, order, len, lambda batch, rows: batch[list(rows)], "images", of)
    return [batch.flatten(0, 1) for batch in sorted_clips]


def sort_latents(latents: Sequence[dict], order: Order, of: int = 0, lengths: Sequence[int] = ()) -> list[dict]:
    """Latents of pictures, or of whole videos.

    Args:
        lengths: Frames of each video in the batches that the latents belong to, where these may have a row per frame.
    """
    counts = [len(streams(latent["samples"])[0]) for latent in latents]
    each = lengths if has_rows_for_frames(counts, lengths, of or len(order)) else [1] * len(latents)
    clips = list(zip(latents, counts, each, strict=True))
    return arrange(clips, order, lambda clip: clip[1] // clip[2], latent_of_clips, "latents", of)


def has_rows_for_frames(counts: Sequence[int], lengths: Sequence[int], of: int) -> bool:
    """Whether latents have as many rows as so many videos have frames."""
    if len(lengths) != len(counts) or any(count % length for count, length in zip(counts, lengths)):
        return False
    return sum(count // length for count, length in zip(counts, lengths)) == of


def latent_of_clips(clip: tuple[dict, int, int], places: Order) -> dict:
    latent, _, length = clip
    return latent_rows(latent, [place * length + row for place in places for row in range(length)])


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
