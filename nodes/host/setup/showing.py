"""What of a latent is decoded, judged and shown, and how it is decoded: as the workflow around a search does it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..compat import host_node
from ..graph.downstream import TILES, Shown
from .noise import Shape


@dataclass(frozen=True)
class Showing:
    """What is asked for; None = as the workflow has it, or, where that is not known, the whole.

    Args:
        first: Frames of the latent that are left out at its beginning.
        last: Frames of the latent that are left out at its end.
        tiles: Settings of a tiled decoding by name, as the host's node takes them.
        slices: Frames of each of the parts that are decoded one by one; 0 = all together.
        frames: The first one and the number of the decoded frames that are shown, or None for all.
    """

    first: int | None = None
    last: int | None = None
    tiles: Mapping[str, int] | None = None
    slices: int = 0
    frames: tuple[int, int] | None = None

    def left(self, frames: int) -> int:
        """Frames of a latent that are shown, of so many."""
        return frames - (self.first or 0) - (self.last or 0)

    def as_in(self, shown: Shown | None, guides: int) -> "Showing":
        """The same, where nothing was asked for as the workflow has it.

        Args:
            shown: How the workflow shows the latent, or None where it does not show it.
            guides: Guide frames at the end of the latent.
        """
        found = shown or Shown(guides=True)
        return replace(
            self,
            first=found.first if self.first is None else self.first,
            last=guides * found.guides if self.last is None else self.last,
            tiles=found.tiles if self.tiles is None else self.tiles,
            slices=found.slices,
            frames=found.frames,
        )

    def check(self, shape: Shape) -> None:
        """Refuses what leaves nothing of a latent of this shape, without the batch."""
        for name, count in (("skip_first", self.first), ("skip_last", self.last)):
            if count and len(shape) < 4:
                raise ValueError(f"{name} must be 0 or -1 where the latent has no frames, got {count}")
        if len(shape) > 3 and self.left(shape[1]) < 1:
            raise ValueError(
                f"skip_first and skip_last must leave at least one of the latent's {shape[1]} frames, got"
                f" {self.first or 0} and {self.last or 0}"
            )

    def decode(self, vae: Any, latents: Tensor, tiled: bool = True) -> Tensor:
        """Pictures `(n, h, w, c)`, or videos `(n, frames, h, w, c)`, of latents `(n, …)`.

        Args:
            tiled: Whether the tiles are for this VAE.
        """
        count, part = len(latents), self.cut(latents)
        images = decoded_in_tiles(vae, part, self.tiles) if tiled and self.tiles else vae.decode(part)
        if self.slices and latents.ndim == 5:
            images = images.reshape(count, -1, *images.shape[-3:])
        if self.frames and images.ndim == 5:
            begin, length = self.frames
            begin = max(0, min(begin + images.shape[1] * (begin < 0), images.shape[1] - 1))  # as the host has it
            images = images[:, begin : begin + length]
        return images

    def cut(self, latents: Tensor) -> Tensor:
        """What is decoded of them."""
        if latents.ndim != 5:
            return latents
        part = latents[:, :, self.first or 0 : latents.shape[2] - (self.last or 0)]
        if not self.slices:
            return part
        size = min(self.slices, part.shape[2])
        part = part[:, :, : part.shape[2] // size * size]
        return torch.cat([torch.cat(row.split(size, dim=2)) for row in part.split(1)])


class Apart:
    """A VAE for the host's node, which puts the videos that it decoded one behind the other: here they stay apart."""

    def __init__(self, vae: Any):
        self.vae, self.images = vae, torch.empty(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.vae, name)

    def decode_tiled(self, *arguments: Any, **options: Any) -> Tensor:
        self.images = self.vae.decode_tiled(*arguments, **options)
        return self.images


def decoded_in_tiles(vae: Any, latents: Tensor, tiles: Mapping[str, int]) -> Tensor:
    """As VAE Decode (Tiled) does it."""
    apart = Apart(vae)
    host_node("VAEDecodeTiled")().decode(apart, {"samples": latents}, **tiles)
    return apart.images


def asked_for(skip_first: int = -1, skip_last: int = -1, tile_size: int = 0) -> Showing:
    """What the widgets of a node say.

    Raises:
        ValueError: For a size of tiles that the host does not take.
    """
    if tile_size and tile_size < 64:
        raise ValueError(f"tile_size must be 0 or at least 64, got {tile_size}")
    return Showing(
        None if skip_first < 0 else skip_first,
        None if skip_last < 0 else skip_last,
        {**TILES, "tile_size": tile_size} if tile_size else None,
    )


def guide_frames(guider: Any, shape: Shape) -> int:
    """Guide frames that the conditioning has at the end of a latent of this shape, without the batch: what LTXV Crop
    Guides cuts off.
    """
    entries = getattr(guider, "original_conds", {}).get("positive", ())
    places = next((entry["keyframe_idxs"] for entry in entries if entry.get("keyframe_idxs") is not None), None)
    if places is None or len(shape) < 4:
        return 0
    return places.shape[2] // (shape[-2] * shape[-1])
