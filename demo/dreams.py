"""Pictures that the trained denoiser draws for training captions, so that the CLIP also learns from real mistakes."""

import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from . import text_encoder, train_vae
from .captions import Scene, parse
from .mmdit import MMDiT, sample
from .scenes import draw_training
from .train_diffusion import DEPTHS
from .training import DEVICE, mixed_precision

log = logging.getLogger("noise_search.demo")
SEED, CFG, STEPS, CHUNK = 61, 3.0, 12, 20


class Dreams(NamedTuple):
    """Training captions and what was drawn for each, `(captions, pictures, 64, 64, 3)` uint8."""

    captions: list[str]
    pictures: np.ndarray

    def endless(self, rng: random.Random) -> Iterator[tuple[Scene, np.ndarray]]:
        """Scene and pictures `(pictures, 64, 64, 3)` in [0, 1], in random order, again and again."""
        while True:
            for index in rng.sample(range(len(self.captions)), len(self.captions)):
                yield parse(self.captions[index]), self.pictures[index].astype(np.float32) / 255


@torch.inference_mode()
def run(folder: Path, captions: int, pictures: int = 5, size: str = "base") -> None:
    """Draws and keeps `dreams.npz`; never for a held-out meaning."""
    rng = random.Random(SEED)
    torch.manual_seed(SEED)
    wanted = [draw_training(rng).caption for _ in range(captions)]
    decoder, _ = train_vae.load(folder)
    model = MMDiT(DEPTHS[size], text_encoder.PADS).to(DEVICE).eval()
    model.load_state_dict(torch.load(folder / f"diffusion_{size}.pt", weights_only=True)["average"])
    empty = text_encoder.encode(text_encoder.token_batch([""])).to(DEVICE)
    drawn = []
    for start in range(0, captions, CHUNK):
        texts = [text for text in wanted[start : start + CHUNK] for _ in range(pictures)]
        text = text_encoder.encode(text_encoder.token_batch(texts)).to(DEVICE)
        with mixed_precision():
            latents = sample(model, torch.randn(len(texts), 16, 8, 8).to(DEVICE), text, empty, STEPS, CFG)
            images = decoder.to(DEVICE).decode(latents).permute(0, 2, 3, 1).cpu().numpy()
        drawn.append((images * 255).astype(np.uint8).reshape(-1, pictures, *images.shape[1:]))
    # In one move: a training of the CLIP that is under way takes the file up when it appears.
    np.savez(folder / "dreams.tmp.npz", captions=np.array(wanted), pictures=np.concatenate(drawn))
    (folder / "dreams.tmp.npz").replace(folder / "dreams.npz")
    log.info("%d dreams of %d training captions", captions * pictures, captions)


def load(folder: Path) -> Dreams | None:
    path = folder / "dreams.npz"
    if not path.exists():
        return None
    stored = np.load(path)
    return Dreams([str(caption) for caption in stored["captions"]], stored["pictures"])
