"""Makes the files that the example workflows load besides models: a picture with a flaw under a mask, and a LoRA for
the tiny model.

python -m demo.stand_ins    writes them into demo/weights
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from .server import WEIGHTS
from .shapes import SIZE, Placed, render

SHARE = 0.35  # of a weight's own size that the LoRA changes at strength 1
RANK = 4
FLAWED = [Placed("circle", "red", 17, 20, 9), Placed("square", "blue", 44, 42, 10)]
BITES = [(38, 34, 7), (52, 48, 5)]  # x, y and radius of what is missing from the square
OTHERS = [
    [Placed("triangle", "green", 32, 34, 13)],
    [Placed("cross", "purple", 20, 32, 10), Placed("circle", "yellow", 46, 32, 9)],
    [Placed("square", "red", 32, 32, 12)],
]


def main() -> None:
    flawed_picture().save(WEIGHTS / "noise_search_tiny.png")
    save_file(lora(), WEIGHTS / "noise_search_tiny_lora.safetensors")


def flawed_picture() -> Image.Image:
    """Four scenes, one of them with pieces missing; transparent, which the host reads as masked, where that is."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    flawed, masked = render(FLAWED), np.zeros((SIZE, SIZE), bool)
    for x, y, radius in BITES:
        flawed[np.hypot(columns - x, rows - y) < radius] = flawed[0, 0]
    masked[28:57, 30:59] = True
    picture = np.block([[[render(OTHERS[0])], [render(OTHERS[1])]], [[render(OTHERS[2])], [flawed]]])
    alpha = np.zeros((2 * SIZE, 2 * SIZE), bool)
    alpha[SIZE:, SIZE:] = masked
    return Image.fromarray(np.dstack([picture * 255, np.where(alpha, 0, 255)]).round().astype(np.uint8), "RGBA")


def lora() -> dict[str, torch.Tensor]:
    """Random directions of low rank in every block: it changes pictures visibly, and means nothing."""
    model = torch.load(WEIGHTS / "noise_search_tiny.ckpt", map_location="cpu", weights_only=True)
    generator, found = torch.Generator().manual_seed(0), {}
    for key, weight in model.items():
        if key.endswith("x_block.mlp.fc2.weight"):
            up = torch.randn(weight.shape[0], RANK, generator=generator)
            down = torch.randn(RANK, weight.shape[1], generator=generator)
            size = (SHARE * weight.float().norm() / (up @ down).norm()).sqrt()
            name = key.removeprefix("model.").removesuffix(".weight")
            found |= {f"{name}.lora_up.weight": (up * size).half(), f"{name}.lora_down.weight": (down * size).half()}
    return found


if __name__ == "__main__":
    main()
