"""Trains the decoder of the picture codec: PCA latents plus a little noise back to pictures."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from .scenes import verify
from .shapes import BACKGROUND
from .training import DEVICE, Average, Clock, batches, learning_rate, mixed_precision, optimizers, save, update
from .vae import SCALE, SHIFT, Decoder, PatchCode, fit_patch_code

log = logging.getLogger("noise_search.demo")
BATCH, LEARNING_RATE, SEED = 16, 2e-3, 11
# The denoiser's latents are not exact, so the decoder learns to forgive up to this much noise.
MAX_NOISE = 0.2
FOREGROUND_WEIGHT = 4.0
TEST_PICTURES, TEST_SEED = 192, 99
STEPS_BETWEEN_TESTS = 500


def run(minutes: float, folder: Path) -> None:
    torch.manual_seed(SEED)
    code = fit_patch_code()
    decoder = Decoder().to(DEVICE, memory_format=torch.channels_last)
    average = Average(decoder, decay=0.998)
    made = optimizers(decoder, [], LEARNING_RATE, 0.0)
    clock = Clock(minutes)
    for step, (_, images) in enumerate(batches(BATCH, SEED)):
        update(decoder, _loss(decoder, code, images), made, learning_rate(step, clock.share(), flat=0.1))
        average.update(decoder)
        done = clock.share() >= 1
        if done or step % STEPS_BETWEEN_TESTS == STEPS_BETWEEN_TESTS - 1:
            _report(average, code, step, clock)
            save({"decoder": average.weights, "code": tuple(code)}, folder / "vae.pt")
        if done:
            return


def load(folder: Path) -> tuple[Decoder, PatchCode]:
    state = torch.load(folder / "vae.pt", weights_only=True)
    decoder = Decoder()
    decoder.load_state_dict(state["decoder"])
    return decoder.eval(), PatchCode(*state["code"])


def _loss(decoder: Decoder, code: PatchCode, images: Tensor) -> Tensor:
    latents = code.encode(images)
    latents = latents + torch.randn_like(latents) * MAX_NOISE * torch.rand(len(latents), 1, 1, 1)
    with mixed_precision():
        decoded = decoder((latents / SCALE + SHIFT).to(DEVICE, memory_format=torch.channels_last)).float()
    images = images.to(DEVICE)
    background = torch.from_numpy(BACKGROUND).view(1, 3, 1, 1).to(DEVICE)
    drawn = (images - background).abs().amax(1, keepdim=True) > 0.05
    error = decoded - images
    return ((1 + FOREGROUND_WEIGHT * drawn) * (error.abs() + 4 * error.square())).mean()


@torch.no_grad()
def _report(average: Average, code: PatchCode, step: int, clock: Clock) -> None:
    decoder = Decoder().to(DEVICE)
    decoder.load_state_dict(average.weights)
    scenes, images = next(batches(TEST_PICTURES, TEST_SEED))
    with mixed_precision():
        decoded = decoder.decode(code.encode(images).to(DEVICE)).cpu()
    psnr = -10 * (decoded - images).square().mean((1, 2, 3)).log10().mean()
    pictures = decoded.permute(0, 2, 3, 1).numpy()
    passed = sum(verify(one, scene).passed for one, scene in zip(pictures, scenes, strict=True)) / TEST_PICTURES
    log.info(
        "%4.0f s, step %d: %.1f dB, %.1f %% pass after a round trip", clock.elapsed(), step + 1, psnr, 100 * passed
    )
