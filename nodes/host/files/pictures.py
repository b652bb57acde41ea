"""Pictures on their way out: previews, files, frames for the verifiers."""

import json
import os
from collections.abc import MutableMapping
from typing import Any

import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy.cli_args import args
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ....verifiers.images import STRIP
from .metadata import carried

PREVIEW_SIZE = 512  # pixels of the longer side
CAPTION_WIDTH = 256  # pixels that a caption needs
SMALL = 192  # pixels of the longer side of a small picture
MOVING = 16  # frames of a small picture that moves

_frames: MutableMapping[Tensor, int] = WeakTensorKeyDictionary()  # of IMAGE batches that hold videos: frames of each


def clip_of(image: Tensor) -> Tensor:
    """One rollout as verifiers take it, `(frames, h, w, c)`: a video, or a picture as one of one frame."""
    return image if image.ndim == 4 else image[None]


def middle_of(image: Tensor) -> Tensor:
    """A picture, or the frame in the middle of a video: where a video begins, all that go on from one picture agree."""
    return image if image.ndim == 3 else image[len(image) // 2]


def look_of(image: Tensor) -> Tensor:
    """How a picture looks, a video by its middle frame: its colours at 16 x 16, `(768,)`."""
    colours = middle_of(image)[None, ..., :3].movedim(-1, 1).float()
    return comfy.utils.common_upscale(colours, 16, 16, "area", "center").flatten()


def distances(looks: list[Tensor]) -> Tensor:
    """How different pictures look, `(m, m)`: root mean square difference of their looks."""
    flat = torch.stack(looks)
    return torch.cdist(flat, flat) / flat.shape[1] ** 0.5


def as_batch(images: list[Tensor]) -> Tensor:
    """An IMAGE batch `(n, h, w, c)`; frames of videos follow each other. One picture is not copied, and of several each
    leaves the list once it was copied, so that all of them need not be there twice. `frames_of` knows videos in it.
    """
    frames = len(clip_of(images[0]))
    batch = clip_of(images[0]) if len(images) == 1 else _copied(images)
    if frames > 1:
        _frames[batch] = frames
    return batch


def frames_of(batch: Tensor) -> int:
    """Frames of each video in an IMAGE batch that left a search; 0 where it is not known to hold any."""
    return _frames.get(batch, 0)


def _copied(images: list[Tensor]) -> Tensor:
    first, place = clip_of(images[0]), 0
    out = first.new_empty(sum(len(clip_of(image)) for image in images), *first.shape[1:])
    del first
    while images:
        clip = clip_of(images.pop(0))
        out[place : place + len(clip)] = clip
        place += len(clip)
    return out


def moves(image: Tensor) -> bool:
    """Whether it is a video of more than one frame."""
    return image.ndim == 4 and len(image) > 1


def moving_of(image: Tensor) -> Tensor | None:
    """Of a video at most 16 frames `(n, h, w, c)`, spread over it, thinned out to about twice a small picture, that do
    not hold it; None of a picture.
    """
    if not moves(image):
        return None
    every = max(1, max(image.shape[1:3]) // (2 * SMALL))
    count = min(len(image), MOVING)
    places = [place * (len(image) - 1) // (count - 1) for place in range(count)]
    return torch.stack([image[place, ::every, ::every] for place in places])


def pixels_of(image: Tensor) -> np.ndarray:
    """The picture as the host saves it, `(h, w, c)` in 0..255; of a video the frame in its middle. A quarter of what
    the picture itself takes, which it does not hold.
    """
    picture = middle_of(image).float().cpu().numpy()
    found = np.empty(picture.shape, np.uint8)
    rows = max(1, STRIP // max(1, picture[0].size))
    for top in range(0, len(picture), rows):  # in the processor's cache, and not as large as the picture once more
        strip = picture[top : top + rows] * np.float32(255)
        np.fmax(strip, np.float32(0), out=strip)  # not a number is black, as in the host
        found[top : top + rows] = np.minimum(strip, np.float32(255), out=strip)
    return found


class Waiting:
    """A picture that is written later, on another thread: until then, its eight bits. Of a video, whose eight bits and
    frames that move take as long as a step of the model, it holds the video itself: only what is let go before the next
    one is decoded may wait so.

    Args:
        image: The picture or video.
    """

    def __init__(self, image: Tensor):
        self.clip = image if moves(image) else None
        self._pixels = pixels_of(image) if self.clip is None else np.empty(0, np.uint8)
        self.size = self._pixels.nbytes  # bytes that it takes beside the pictures of its round

    def pixels(self) -> np.ndarray:
        """As `pixels_of`."""
        return self._pixels if self.clip is None else pixels_of(self.clip)

    def moving(self) -> Tensor | None:
        """As `moving_of`."""
        return None if self.clip is None else moving_of(self.clip)


def to_pil(image: Tensor) -> Image.Image:
    """The same as an image of Pillow's."""
    return Image.fromarray(pixels_of(image))


def from_pil(picture: Image.Image) -> Tensor:
    """The picture as an IMAGE of one, `(1, h, w, 3)` in 0..1."""
    return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255.0)[None]


def preview(image: Tensor) -> tuple[str, Image.Image, int]:
    """What the host's progress bar takes as a preview, not much larger than it shows it: the search waits for it."""
    still = image if image.ndim == 3 else image[0]
    if (times := max(still.shape[:2]) // PREVIEW_SIZE) > 1:
        still = torch.nn.functional.avg_pool2d(still.movedim(-1, 0).float(), times).movedim(0, -1)
    return "JPEG", to_pil(still), PREVIEW_SIZE


def metadata(hidden: Any, recipe: str) -> PngInfo | None:
    """The prompt and the workflow, as the host writes them, with the recipe of this picture filled in."""
    if args.disable_metadata:
        return None
    info, extra = PngInfo(), hidden.extra_pnginfo or {}
    if hidden.prompt:
        info.add_text("prompt", json.dumps(hidden.prompt))
    for key, value in (carried(extra, str(hidden.unique_id or ""), recipe) if recipe else extra).items():
        info.add_text(key, json.dumps(value))
    return info


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """The picture, small ones enlarged, over a strip that says what it is."""
    zoom = max(1, CAPTION_WIDTH // picture.width)
    size = max(14, picture.width * zoom // 14)
    sheet = Image.new("RGB", (picture.width * zoom, picture.height * zoom + size * 3 // 2), "black")
    sheet.paste(picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.NEAREST))
    ImageDraw.Draw(sheet).text(
        (size // 2, picture.height * zoom + size // 5), text, "white", ImageFont.load_default(size)
    )
    return sheet


def save(picture: Image.Image, prefix: str, folder: str, hidden: Any, recipe: str = "") -> dict[str, str]:
    """Writes a picture into the host's "output" or "temp" folder; returns what the frontend needs to show it."""
    root = folder_paths.get_output_directory() if folder == "output" else folder_paths.get_temp_directory()
    path, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, root, picture.width, picture.height)
    file = f"{name}_{counter:05}_.png"
    picture.save(
        os.path.join(path, file), pnginfo=metadata(hidden, recipe), compress_level=1 if folder == "temp" else 4
    )
    return {"filename": file, "subfolder": subfolder, "type": folder}
