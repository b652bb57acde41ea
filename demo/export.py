"""Writes the trained parts as files that stock loaders read: `python -m demo.export --folder STATES`, in the pack's
folder.
"""

import argparse
import logging
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from . import text_encoder, train_vae, training, vae

log = logging.getLogger("noise_search.demo")
WEIGHTS = Path(__file__).parent / "weights"
NAMES = {"base": "noise_search_tiny.ckpt", "small": "noise_search_tiny_small.ckpt"}
# SD3 pads CLIP-L's features with zeros to the width of its larger encoders.
HOST_TEXT_WIDTH = 4096


def checkpoint(average: dict[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """Denoiser, codec and text encoder under the names of an SD3 checkpoint, half precision."""
    weights = {f"model.diffusion_model.{name}": value.half().contiguous() for name, value in average.items()}
    context = "model.diffusion_model.context_embedder.weight"
    weights[context] = _padded_view(weights[context])
    codec = vae.state_dict(*train_vae.load(folder))
    weights |= {f"first_stage_model.{name}": value for name, value in codec.items()}
    return weights | {
        f"text_encoders.clip_l.transformer.{name}": value for name, value in text_encoder.state_dict().items()
    }


def export(folder: Path, size: str, snapshot: str = "") -> Path:
    """Writes the checkpoint of a size from its latest state, or from a numbered snapshot of it."""
    state = torch.load(folder / f"diffusion_{size}{snapshot and '_' + snapshot}.pt", weights_only=True)
    path = WEIGHTS / NAMES[size]
    training.save(checkpoint(state["average"], folder), path)
    return path


def _padded_view(weight: Tensor) -> Tensor:
    """`(width, 768)` as `(width, 4096)`. Rows overlap: what the host multiplies with zeros need not be stored."""
    rows, columns = weight.shape
    stored = F.pad(weight.flatten(), (0, HOST_TEXT_WIDTH - columns))
    return stored.as_strided((rows, HOST_TEXT_WIDTH), (columns, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/demo"), help="where training states are kept")
    parser.add_argument("--size", choices=tuple(NAMES), action="append", help="default: every size")
    parser.add_argument(
        "--clip", nargs="?", const="clip", choices=("clip", "drawn", "counts"), help="a CLIP instead of checkpoints"
    )
    parser.add_argument("--snapshot", default="", help="two digits of an earlier state, instead of the latest")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.clip:  # these need open_clip, which the checkpoints do without
        from . import train_clip, train_drawn_clip

        recipe = train_drawn_clip.RECIPES.get(options.clip)
        paths = [train_drawn_clip.export(options.folder, recipe) if recipe else train_clip.export(options.folder)]
    else:
        paths = [export(options.folder, size, options.snapshot) for size in options.size or NAMES]
    for path in paths:
        log.info("%s: %.2f MB", path.name, path.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
