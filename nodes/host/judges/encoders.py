"""Image encoders from the host's folder of verifiers, or the host's own, for verifiers that compare pictures."""

from typing import Any

import torch
from torch import Tensor

from ....verifiers.image_encoder import ImageEncoder, is_encoder
from ....verifiers.images import rgb
from ....verifiers.published import ENCODERS
from ....verifiers.reference import ReferenceScore
from ....verifiers.self_supervised import SelfSupervisedScore
from . import model_files as files
from .host_verifier import ClipVisionTrunk, HostVerifier

DINO, CLIP = ("dinov2", "dinov3"), "clip_vision_model"


def choices() -> list[str]:
    """The dropdown: folders that hold an image encoder, loose files, then what is known and missing."""
    here = files.present()
    usable = [name for name in here if not (path := files.located(name)).is_dir() or is_encoder(path)]
    return usable + [files.label(known) for known in ENCODERS if known.name not in here]


def open_encoder(choice: str, clip_vision: Any = None) -> ImageEncoder:
    """The connected CLIP_VISION, else the encoder behind an entry of the dropdown."""
    if clip_vision is not None:
        return ImageEncoder("CLIP_VISION", checked(clip_vision))
    with torch.inference_mode(False):
        return ImageEncoder.load(files.find_model(choice))


def checked(clip_vision: Any) -> ClipVisionTrunk:
    kind = getattr(clip_vision, "model_type", CLIP)
    if kind != CLIP and kind not in DINO:
        raise ValueError(
            f"clip_vision must give one vector per picture, as CLIP and DINO do, got {kind}: load it from"
            " models/verifiers"
        )
    return ClipVisionTrunk(clip_vision)


def encoder_stamp(choice: str) -> tuple:
    """What changes when the file behind an entry does; empty while there is none, since CLIP_VISION may stand in for
    it.
    """
    return files.file_stamp(choice) if files.name_in(choice) in files.present() else ()


def reference(choice: str, device: str, images: Tensor, similarity: str, clip_vision: Any = None) -> HostVerifier:
    """Judges by likeness to an IMAGE batch."""
    pictures = rgb(images.movedim(-1, 1))
    return HostVerifier(
        ReferenceScore(open_encoder(choice, clip_vision), pictures, similarity), device, encoder_stamp(choice)
    )


def self_supervised(choice: str, device: str, noise_level: float, clip_vision: Any = None) -> HostVerifier:
    return HostVerifier(
        SelfSupervisedScore(open_encoder(choice, clip_vision), noise_level), device, encoder_stamp(choice)
    )
