"""Pixels: the one way in which pictures reach a verifier's network.

A float picture is clamped and rounded to 8 bits, which is the PNG that it would be saved as, and then resized by
Pillow, which is what the networks saw in training: filters of tensor libraries give slightly, without antialiasing
entirely, different numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor

import numpy
import torch
from PIL import Image
from torch import Tensor

from .workers import of_each

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
FITS = ("shortest", "squash", "longest")
CENTRES = ("round", "floor")
STRIP = 2**17  # numbers of a picture that are rounded at once


def rgb(images: Tensor) -> Tensor:
    """Pictures `(n, c, h, w)` with three channels: grey is repeated, alpha dropped."""
    if images.ndim != 4:
        raise ValueError(
            f"pictures must be a batch of four dimensions, frames of a video one by one, got {tuple(images.shape)}"
        )
    channels = images.shape[1]
    if channels not in (1, 3, 4):
        raise ValueError(f"pictures must have 1 (grey), 3 (RGB) or 4 (RGBA) channels, got {channels}")
    return images.expand(-1, 3, -1, -1) if channels == 1 else images[:, :3]


def bytes_of(images: Tensor) -> Tensor:
    """Pictures `(n, 3, h, w)` in [0, 1] as uint8 `(n, h, w, 3)` on CPU, rounded; values outside are clamped."""
    return torch.from_numpy(numpy.stack(of_each(rounded, images)))


def rounded(picture: numpy.ndarray) -> numpy.ndarray:
    """One picture `(h, w, c)`, float32 in [0, 1], as uint8."""
    found = numpy.empty(picture.shape, numpy.uint8)
    rows = max(1, STRIP // max(1, picture[0].size))
    for top in range(0, len(picture), rows):  # in the processor's cache
        strip = picture[top : top + rows] * numpy.float32(255)
        with numpy.errstate(invalid="ignore", over="ignore"):
            finite = numpy.isfinite(strip.sum())
        if not finite:
            raise ValueError("pixels must be finite, got NaN or infinite ones")
        numpy.rint(strip.clip(0, 255, out=strip), out=strip)
        found[top : top + rows] = strip
    return found


def together(parts: Sequence[Tensor]) -> Tensor:
    """One batch of batches of one size. Pictures that follow each other in memory, as they were decoded, are not
    copied.
    """
    first, places = parts[0], [part.storage_offset() for part in parts]
    memory = {part.untyped_storage().data_ptr() for part in parts}
    alike = {(part.shape, part.stride()[1:], part.dtype, part.device) for part in parts}
    step = places[1] - places[0] if len(parts) > 1 else 0
    evenly = step > 0 and places == list(range(places[0], places[0] + step * len(parts), step))
    if len(parts) == 1 or len(first) != 1 or len(memory) > 1 or len(alike) > 1 or not evenly:
        return first if len(parts) == 1 else torch.cat(list(parts))
    return first.as_strided((len(parts), *first.shape[1:]), (step, *first.stride()[1:]), places[0])


def are_finite(images: Tensor) -> Tensor:
    """Whether all pixels of each picture `(n, ..., h, w, c)` are finite, `(n,)`: their sum is, and takes one pass and
    no memory.
    """
    if images.device.type == "cpu":
        frames = images.flatten(0, -4)
        sums = torch.tensor(of_each(lambda picture: float(numpy.sum(picture)), frames)).view(len(images), -1)
    else:
        sums = images.flatten(1).sum(1, dtype=torch.float32, keepdim=True)
    return sums.isfinite().all(1)


@dataclass(frozen=True)
class Pixels:
    """How a network wants to see a picture.

    Args:
        size: Height and width that it sees, in pixels.
        mean: Subtracted per channel, on the scale 0 to 1.
        std: Divided by per channel.
        interpolation: "bicubic" or "bilinear".
        fit: "shortest" fills the size and crops the centre, "longest" pads, "squash" changes the aspect ratio.
        fill: Grey value of the padding, 0 to 255.
        short: For "shortest" with a square size: the shortest side before the crop, in pixels; 0 for that of the size.
        centre: Where a crop with an odd rest begins: "round" as in torchvision and open_clip, "floor" as in
            transformers.
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    interpolation: str = "bicubic"
    fit: str = "shortest"
    fill: int = 0
    short: int = 0
    centre: str = "round"

    def __post_init__(self):
        if self.interpolation not in FILTERS:
            raise ValueError(f"interpolation must be one of {', '.join(FILTERS)}, got {self.interpolation}")
        if self.fit not in FITS:
            raise ValueError(f"fit must be one of {', '.join(FITS)}, got {self.fit}")
        if self.centre not in CENTRES:
            raise ValueError(f"centre must be one of {', '.join(CENTRES)}, got {self.centre}")

    def __call__(self, images: Tensor) -> Tensor:
        """Pictures `(n, 3, h, w)` in [0, 1] as the network's input `(n, 3, *size)`, float32 on CPU."""
        mean, std = torch.tensor(self.mean).view(-1, 1, 1), torch.tensor(self.std).view(-1, 1, 1)
        return self.resize(images).sub_(mean).div_(std)

    def resize(self, images: Tensor) -> Tensor:
        """Pictures `(n, 3, h, w)` in [0, 1] at the network's size, `(n, 3, *size)`, still in [0, 1]."""
        framed = of_each(lambda picture: numpy.array(self.frame(Image.fromarray(rounded(picture)))), images)
        return torch.from_numpy(numpy.stack(framed)).movedim(-1, 1).contiguous().float().div_(255)

    def frame(self, picture: Image.Image) -> Image.Image:
        """One picture resized, then cropped or padded to the size."""
        height, width = self._resized(picture.height, picture.width)
        resized = picture.resize((width, height), FILTERS[self.interpolation])
        return _centred(resized, self.size, self.fill, floor if self.centre == "floor" else round)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if self.fit == "squash":
            return self.size
        if self.fit == "shortest" and self.size[0] == self.size[1]:  # truncates, as torchvision's Resize does
            short, wanted = min(height, width), self.short or self.size[0]
            return int(wanted * height / short), int(wanted * width / short)
        ratios = height / self.size[0], width / self.size[1]
        ratio = max(ratios) if self.fit == "longest" else min(ratios)
        return round(height / ratio), round(width / ratio)


def _centred(picture: Image.Image, size: tuple[int, int], fill: int, centre: Callable[[float], int]) -> Image.Image:
    height, width = size
    if picture.width < width or picture.height < height:
        canvas = Image.new("RGB", (max(width, picture.width), max(height, picture.height)), (fill,) * 3)
        canvas.paste(picture, (max(0, width - picture.width) // 2, max(0, height - picture.height) // 2))
        picture = canvas
    left, top = centre((picture.width - width) / 2), centre((picture.height - height) / 2)
    return picture.crop((left, top, left + width, top + height))
