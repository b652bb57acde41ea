"""A picture that is to be refined: as a latent to begin with, or a part of it at a working size, pasted back when it is
done.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import comfy.utils
import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from .noise import Latent
from .sampling import Sampling

GRID = 16  # pixels that the sides of a working picture are whole multiples of
LARGEST = 4096  # pixels of its longer side
# conditioning that would have to be cut along
WHOLE_PICTURE = ("control", "area", "concat_latent_image", "reference_latents", "mask")


@dataclass(frozen=True, eq=False)
class Region:
    """Where a working picture belongs.

    Args:
        whole: The picture, `(1, h, w, c)` in 0..1.
        box: `(left, top, right, bottom)` of the part that is worked on, in pixels.
        soft: What is replaced, `(1, h, w)` in 0..1, soft at the edge; None for all of the box.
    """

    whole: Tensor
    box: tuple[int, int, int, int]
    soft: Tensor | None

    def pasted(self, image: Tensor, unchanged: bool = False) -> Tensor:
        """The whole picture `(h, w, c)` with the working picture in its place; as it came in where nothing better was
        found.
        """
        if self.soft is None:
            return image
        whole = self.whole[0]
        if unchanged:
            return whole
        left, top, right, bottom = self.box
        # with --gpu-only pictures stay on the card, and what came in from a file does not
        part = resized(image[None], right - left, bottom - top)[0].to(whole.device)
        share = self.soft[0, top:bottom, left:right, None].to(whole.device)
        pasted = whole.clone()
        pasted[top:bottom, left:right] = share * part + (1 - share) * whole[top:bottom, left:right]
        return pasted


def refining(
    sampling: Sampling, *, image: Tensor | None, latent: dict | None, mask: Tensor | None, size: int, context: float
) -> tuple[Sampling, Region | None]:
    """The setup with a picture, or the part of it around a mask, as its latent.

    Args:
        image: `(1, h, w, c)` in 0..1; or
        latent: A LATENT of one.
        mask: `(1, h, w)` of the image: what may change; None for all of it.
        size: Pixels of the working picture's longer side; 0 for what it has.
        context: How much wider than the mask the part is that is worked on, at least 1.

    Raises:
        ValueError: For any of them that does not fit; the message names it.
    """
    if image is not None and latent is not None:
        raise ValueError("image and latent must not both be connected: they are two pictures to begin with")
    if latent is not None:
        if mask is not None:
            raise ValueError("mask must come with an image, got a latent: use Set Latent Noise Mask on it")
        return replace(sampling, latent=one_latent(latent, sampling)), None
    image = checked_image(image, mask, size, context)
    pixels = image[..., :3]
    box = (0, 0, pixels.shape[2], pixels.shape[1]) if mask is None else box_around(mask, context)
    left, top, right, bottom = box
    width, height = working_size(right - left, bottom - top, size)
    encoded = {"samples": sampling.vae.encode(resized(pixels[:, top:bottom, left:right], width, height))}
    if mask is None:
        return replace(sampling, latent=encoded), Region(image, box, None)
    check_conditioning(sampling)
    part = interpolate(mask[:, None, top:bottom, left:right], size=(height, width), mode="bilinear")[:, 0]
    region = Region(pixels, box, soft_edge(mask, max(2, (right - left) // 32)))
    return replace(sampling, latent={**encoded, "noise_mask": (part > 0.5).float()}), region


def checked_image(image: Tensor | None, mask: Tensor | None, size: int, context: float) -> Tensor:
    if image is None:
        raise ValueError("image or latent must be connected: the search begins with a picture, got neither")
    if image.shape[0] != 1:
        raise ValueError(f"image must be one picture, got a batch of {image.shape[0]}")
    if size and not 64 <= size <= LARGEST:
        raise ValueError(f"size must be 0 or between 64 and {LARGEST} pixels, got {size}")
    if context < 1:
        raise ValueError(f"context must be at least 1, got {context}")
    if mask is None:
        return image
    if mask.shape[0] != 1 or mask.shape[1:] != image.shape[1:3]:
        raise ValueError(
            f"mask must have the image's size, {size_of(image.shape[1:3])}, got "
            f"{mask.shape[0]} of {size_of(mask.shape[1:])}"
        )
    if not (mask > 0.5).any():
        raise ValueError("mask must cover something of the image, got an empty one")
    return image


def check_conditioning(sampling: Sampling) -> None:
    conditions = getattr(sampling.guider, "original_conds", {})
    for entries in conditions.values():
        for entry in entries:
            if found := next((key for key in WHOLE_PICTURE if entry.get(key) is not None), None):
                raise ValueError(
                    "conditioning must not depend on places of the whole picture when a mask is given, because the"
                    f" search works on a part of it, got {found}"
                )


def one_latent(latent: Mapping[str, Any], sampling: Sampling) -> dict:
    samples: Latent = latent["samples"]
    want = sampling.shapes[0]
    if samples.is_nested or samples.shape[0] != 1 or samples.ndim != len(want) + 1 or samples.shape[1] != want[0]:
        raise ValueError(
            f"latent must be one latent of the setup's kind, {want[0]} channels, got {tuple(samples.shape)}"
        )
    return {key: value for key, value in latent.items() if key in ("samples", "noise_mask")}


def box_around(mask: Tensor, context: float) -> tuple[int, int, int, int]:
    """The mask's bounding box, `context` times as wide and high, at least a few cells, within the picture."""
    rows, columns = (mask[0] > 0.5).any(1).nonzero(), (mask[0] > 0.5).any(0).nonzero()
    top, bottom = grown(int(rows[0]), int(rows[-1]) + 1, context, mask.shape[1])
    left, right = grown(int(columns[0]), int(columns[-1]) + 1, context, mask.shape[2])
    return left, top, right, bottom


def grown(start: int, end: int, context: float, limit: int) -> tuple[int, int]:
    wanted = min(limit, max(math.ceil((end - start) * context), min(limit, 4 * GRID)))
    first = min(max(0, (start + end - wanted) // 2), limit - wanted)
    return first, first + wanted


def working_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Sides with the part's proportions, whole multiples of the grid, the longer one nearest to `size`."""
    scale = size / max(width, height) if size else 1.0
    return max(GRID, round(width * scale / GRID) * GRID), max(GRID, round(height * scale / GRID) * GRID)


def resized(image: Tensor, width: int, height: int) -> Tensor:
    """IMAGE `(n, h, w, c)` at another size, as the host's own image scaling does it."""
    if image.shape[1:3] == (height, width):
        return image
    kind = "area" if width * height < image.shape[1] * image.shape[2] else "bicubic"
    return comfy.utils.common_upscale(image.movedim(-1, 1), width, height, kind, "disabled").movedim(1, -1).clamp(0, 1)


def soft_edge(mask: Tensor, reach: int) -> Tensor:
    """The mask grown by `reach` pixels with an edge that fades over as many, `(1, h, w)`: all that was masked is
    replaced in full.
    """
    hard = (mask > 0.5).float()[:, None]
    wide = max_pool2d(hard, 2 * reach + 1, stride=1, padding=reach)
    padded = torch.nn.functional.pad(wide, (reach,) * 4, mode="replicate")
    return torch.maximum(hard, torch.nn.functional.avg_pool2d(padded, 2 * reach + 1, stride=1))[:, 0]


def size_of(shape: Any) -> str:
    return f"{shape[1]}x{shape[0]}"
