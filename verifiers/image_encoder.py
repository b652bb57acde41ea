"""Image encoders: what turns a picture into one vector, from DINOv2, CLIP and SigLIP checkpoints.

Folders as published on model hubs (transformers' or open_clip's), and single files: any open_clip layout, DINOv2 in
transformers' or in its authors' names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from . import dino_files
from .base import home
from .clip_checkpoint import CONFIG as OPEN_CLIP
from .clip_checkpoint import WEIGHTS as OPEN_CLIP_WEIGHTS
from .clip_model import ClipModel
from .images import Pixels
from .pretrained import load_pretrained
from .transformers_folder import CONFIG, pixels_of, read_json
from .weights import WeightsError, read_tensors, tensor_names

TEXT_TOWER = ("text_model", "text_projection")
SIGHT = Pixels((224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), short=256, centre="floor")  # DINOv2's
LICENCES = {  # by model type; "" = it depends on the folder
    "dinov2": "Apache-2.0",
    "dinov2_with_registers": "Apache-2.0",
    "dinov3_vit": "DINOv3 License",
    "clip": "",
    "clip_vision_model": "",
    "siglip": "",
    "siglip_vision_model": "",
}


@dataclass(frozen=True, eq=False)
class ImageEncoder:
    """Embeds pictures: those that show the same thing have a small angle between their vectors.

    Args:
        name: File or folder it came from.
        embed: Maps pictures `(n, 3, h, w)` in [0, 1] to vectors `(n, d)`, of any length.
        modules: What has weights, for the caller to move.
        licence: Of the weights; "" if unknown.
    """

    name: str
    embed: Callable[[Tensor], Tensor]
    modules: tuple[nn.Module, ...] = ()
    licence: str = ""

    @classmethod
    def load(cls, path: Path | str) -> "ImageEncoder":
        """Read a folder or a file."""
        path = Path(path)
        if path.is_dir() and (path / CONFIG).is_file() and not _is_open_clip(path):
            return _from_folder(path)
        if path.is_file() and dino_files.recognises(tensor_names(path)):
            return _encoder(path.name, dino_files.build(read_tensors(path), path.name), SIGHT, LICENCES["dinov2"])
        model = ClipModel.load(path)
        visual, pixels = model.module.visual, model.pixels
        return cls(path.name, lambda images: _run(visual, visual, pixels(images)), (visual,))


def is_encoder(folder: Path) -> bool:
    """Whether a folder holds an image encoder, as far as its config says."""
    try:
        return (folder / OPEN_CLIP).is_file() or read_json(folder / CONFIG).get("model_type") in LICENCES
    except (WeightsError, OSError):
        return False


def _is_open_clip(folder: Path) -> bool:
    return (folder / OPEN_CLIP).is_file() and any((folder / name).is_file() for name in OPEN_CLIP_WEIGHTS)


def _from_folder(folder: Path) -> ImageEncoder:
    from transformers import AutoModel

    kind = read_json(folder / CONFIG).get("model_type")
    if kind not in LICENCES:
        raise WeightsError(f"{folder.name} must be an image encoder ({', '.join(LICENCES)}), got {kind}")
    model = load_pretrained(AutoModel, folder, folder.name).float()
    for tower in TEXT_TOWER:
        if hasattr(model, tower):
            setattr(model, tower, nn.Identity())
    return _encoder(folder.name, model, pixels_of(folder), LICENCES[kind])


def _encoder(name: str, model: nn.Module, pixels: Pixels, licence: str) -> ImageEncoder:
    forward = getattr(model, "get_image_features", model)
    return ImageEncoder(
        name, lambda images: _run(model, lambda x: _pooled(forward(pixel_values=x)), pixels(images)), (model,), licence
    )


def _run(module: nn.Module, forward: Callable[[Tensor], Tensor], seen: Tensor) -> Tensor:
    device, dtype = home((module,))
    return forward(seen.to(device, dtype)).float()


def _pooled(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output.pooler_output
