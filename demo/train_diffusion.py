"""Trains the denoiser: rectified flow on the linear latents of endless fresh scenes."""

import logging
import time
from collections import defaultdict
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn

from . import text_encoder, train_vae
from .captions import FAMILIES
from .mmdit import SHIFT, TRAINING_STEPS, MMDiT, sample
from .scenes import held_out, verify
from .training import DEVICE, Average, Clock, batches, learning_rate, mixed_precision, optimizers, save, update
from .vae import fit_patch_code

log = logging.getLogger("noise_search.demo")
DEPTHS = {"base": 3, "small": 2}
BATCH, LEARNING_RATE, MUON_LEARNING_RATE, AVERAGE_DECAY, SEED = 128, 1.5e-3, 0.02, 0.999, 31
CAPTION_DROPOUT = 0.1
# Half of the host's 20 steps lie above sigma 0.75; the uniform share keeps both ends of the schedule trained.
UNIFORM_SHARE = 0.15
TESTS, TEST_SCENES, TEST_CFG = 15, 104, 3.0


def run(minutes: float, folder: Path, size: str = "base", compiled: bool = True) -> None:
    """Trains from the seed, or goes on where a state file of the same size stopped."""
    torch.manual_seed(SEED)
    model = MMDiT(DEPTHS[size], text_encoder.PADS).to(DEVICE)
    average = Average(model, AVERAGE_DECAY)
    made = optimizers(model, _matrices(model), LEARNING_RATE, MUON_LEARNING_RATE)
    path = folder / f"diffusion_{size}.pt"
    begun, clock = _resume(path, model, average, made, minutes)
    forward = torch.compile(model) if compiled else model
    code = fit_patch_code()
    tests_done = int(clock.share() * TESTS)
    data = batches(BATCH, SEED + begun)
    for step in count(begun):
        scenes, images = next(data)
        loss = _loss(forward, code.encode(images).to(DEVICE), [scene.caption for scene in scenes])
        update(model, loss, made, learning_rate(step, clock.share()))
        average.update(model)
        if clock.share() * TESTS >= tests_done + 1:
            tests_done += 1
            log.info(
                "%s: %4.0f s, %d pictures seen, loss %.3f, held out: %s",
                size,
                clock.elapsed(),
                (step + 1) * BATCH,
                loss.item(),
                test(average.weights, size, folder),
            )
            state = {
                "model": model.state_dict(),
                "average": average.weights,
                "steps": average.steps,
                "step": step + 1,
                "elapsed": clock.elapsed(),
                "optimizers": [one.state_dict() for one in made],
            }
            save(state, path)
            save({"average": average.weights}, folder / f"diffusion_{size}_{tests_done:02d}.pt")
        if clock.share() >= 1:
            return


@torch.no_grad()
def test(weights: dict[str, Tensor], size: str, folder: Path) -> str:
    """Pass rates on held-out captions, one seed each, if a decoder is there to see them with."""
    if not (folder / "vae.pt").exists():
        return "no decoder yet"
    started = time.monotonic()
    decoder, _ = train_vae.load(folder)
    model = MMDiT(DEPTHS[size], text_encoder.PADS).to(DEVICE)
    model.load_state_dict(weights)
    scenes = held_out(count=TEST_SCENES, seed=1)
    noise = torch.randn(len(scenes), 16, 8, 8, generator=torch.Generator().manual_seed(1))
    text, empty = (
        text_encoder.encode(text_encoder.token_batch(captions)).to(DEVICE)
        for captions in ([scene.caption for scene in scenes], [""])
    )
    with mixed_precision():
        latents = sample(model, noise.to(DEVICE), text, empty, cfg=TEST_CFG)
        images = decoder.to(DEVICE).decode(latents).permute(0, 2, 3, 1).cpu().numpy()
    passed = defaultdict(list)
    for image, scene in zip(images, scenes, strict=True):
        passed[scene.family].append(verify(image, scene).passed)
    families = " ".join(f"{name} {sum(passed[name])}/{len(passed[name])}" for name in FAMILIES)
    total = sum(map(sum, passed.values())) / len(scenes)
    return f"pass {total:.3f} ({families}) in {time.monotonic() - started:.0f} s"


def _loss(model: nn.Module, latents: Tensor, captions: list[str]) -> Tensor:
    heard = [caption if keep else "" for caption, keep in zip(captions, torch.rand(len(captions)) >= CAPTION_DROPOUT)]
    text = text_encoder.encode(text_encoder.token_batch(heard)).to(DEVICE)
    uniform = torch.rand(len(latents)) < UNIFORM_SHARE
    position = torch.where(uniform, torch.rand(len(latents)), torch.randn(len(latents)).sigmoid())
    sigma = (SHIFT * position / (1 + (SHIFT - 1) * position)).to(DEVICE)
    noise = torch.randn_like(latents)
    mixed = latents + sigma.view(-1, 1, 1, 1) * (noise - latents)
    with mixed_precision():
        velocity = model(mixed, sigma * TRAINING_STEPS, text)
    return (velocity.float() - (noise - latents)).square().mean()


def _matrices(model: MMDiT) -> list[nn.Parameter]:
    """What Muon trains: the matrices of the blocks, but not their modulation."""
    return [
        parameter
        for name, parameter in model.joint_blocks.named_parameters()
        if parameter.ndim == 2 and "adaLN" not in name
    ]


def _resume(
    path: Path, model: MMDiT, average: Average, made: list[torch.optim.Optimizer], minutes: float
) -> tuple[int, Clock]:
    if not path.exists():
        return 0, Clock(minutes)
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    average.weights, average.steps = state["average"], state["steps"]
    for optimizer, saved in zip(made, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return state["step"], Clock(minutes, spent=state["elapsed"])
