"""What a model expects, as small pictures: by the host's own previewer, as its samplers show them."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import latent_preview
import torch
from PIL import Image
from torch import Tensor

SIDE = 192  # pixels, at most
QUALITY = 80


class Previewers:
    """The host's, for the models of one search; each is loaded when it is first asked for."""

    def __init__(self) -> None:
        self._known: dict[type, Any] = {}

    def of(self, patcher: Any) -> Any:
        """For a MODEL; None where the host's previews are off, or cannot show its latents."""
        form = patcher.model.latent_format
        if type(form) not in self._known:
            self._known[type(form)] = latent_preview.get_previewer(patcher.load_device, form)
        return self._known[type(form)]


def is_light(previewer: Any) -> bool:
    """Whether it needs no card: a few multiplications per pixel."""
    return type(previewer) is latent_preview.Latent2RGBPreviewer


def stills(expected: Tensor, rows: Sequence[int]) -> list[Tensor]:
    """These rows, each `(1, …)`; of a video the frame in the middle."""
    found = [expected[row : row + 1] for row in rows]
    if expected.ndim != 5:
        return found
    middle = expected.shape[2] // 2
    return [still[:, :, middle : middle + 1] for still in found]


def pictures(previewer: Any, latents: Sequence[Tensor]) -> list[Image.Image]:
    """One per latent."""
    with torch.inference_mode():
        return [previewer.decode_latent_to_preview(latent) for latent in latents]


def as_address(picture: Image.Image) -> str:
    """A small JPEG as the address of an image."""
    picture.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
