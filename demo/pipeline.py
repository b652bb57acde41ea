"""The exported checkpoint in plain torch: captions and seeds to pictures, equal to the host's own to rounding."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import text_encoder
from .mmdit import HEAD_WIDTH, TEXT_WIDTH, MMDiT, sample
from .vae import Decoder

CFG, STEPS = 3.0, 20
LATENT_SHAPE = (16, 8, 8)


class Pipeline:
    """Euler on the simple schedule at shift 3, with the empty caption as the negative one.

    Args:
        path: A checkpoint written by `demo.export`.
    """

    def __init__(self, path: Path):
        weights = torch.load(path, weights_only=True)
        denoiser = _part(weights, "model.diffusion_model.")
        denoiser["context_embedder.weight"] = denoiser["context_embedder.weight"][:, :TEXT_WIDTH]
        self.model = MMDiT(len(denoiser["context_embedder.bias"]) // HEAD_WIDTH, text_encoder.PADS).eval()
        self.model.load_state_dict(denoiser)
        self.decoder = Decoder().eval()
        wanted = self.decoder.state_dict()
        codec = _part(weights, "first_stage_model.taesd_decoder.")
        self.decoder.load_state_dict({name: codec[name] for name in wanted})

    @torch.inference_mode()
    def __call__(self, captions: list[str], noise: Tensor, steps: int = STEPS, cfg: float = CFG) -> np.ndarray:
        """Pictures `(n, 64, 64, 3)` in [0, 1] from noise `(n, 16, 8, 8)`, one caption each."""
        text, empty = (text_encoder.encode(text_encoder.token_batch(texts)) for texts in (captions, [""]))
        latents = sample(self.model, noise, text, empty, steps, cfg)
        return self.decoder.decode(latents).permute(0, 2, 3, 1).numpy()


def draw_noise(seeds: list[int]) -> Tensor:
    """The host's noise for each seed as a batch of one, `(n, 16, 8, 8)`."""
    drawn = [torch.randn(LATENT_SHAPE, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(drawn)


def _part(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value.float() for name, value in weights.items() if name.startswith(prefix)}
