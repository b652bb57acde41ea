"""What the three trainings share: thread and precision choice, batches of scenes, Muon, the averaged weights, the
clock.
"""

import logging
import math
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .captions import Scene
from .scenes import draw_training, picture

log = logging.getLogger("noise_search.demo")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@cache
def has_fast_bfloat16() -> bool:
    """Whether matrix products in bfloat16 beat float32 here: on any GPU, and on CPUs with AMX (17 times there)."""
    cpu_flags = Path("/proc/cpuinfo")
    return DEVICE.type == "cuda" or cpu_flags.exists() and "amx_bf16" in cpu_flags.read_text()


def mixed_precision() -> AbstractContextManager:
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=has_fast_bfloat16())


def batches(count: int, seed: int) -> Iterator[tuple[list[Scene], Tensor]]:
    """Endless fresh training scenes and their pictures `(count, 3, 64, 64)`."""
    rng = random.Random(seed)
    while True:
        drawn = [draw_training(rng) for _ in range(count)]
        yield drawn, to_tensor([picture(scene, rng) for scene in drawn])


def to_tensor(images: list[np.ndarray]) -> Tensor:
    """Pictures `(h, w, 3)` to one batch `(n, 3, h, w)`."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


class Clock:
    """Wall time of a run, as the share of its minutes that is spent."""

    def __init__(self, minutes: float, spent: float = 0.0):
        self.seconds, self.started = 60 * minutes, time.monotonic() - spent

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def share(self) -> float:
        return self.elapsed() / self.seconds


def learning_rate(step: int, share: float, flat: float = 0.2, warmup: int = 100) -> float:
    """Warm-up by steps, a flat stretch, then linear to almost zero by time; a factor in (0, 1]."""
    return min(1.0, (step + 1) / warmup) * max(0.01, min(1.0, (1 - share) / (1 - flat)))


class Average:
    """Exponential moving average of a model's weights."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.steps = decay, 0
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.steps += 1
        share = 1 - min(self.decay, self.steps / (self.steps + 10))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, share)


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix updates are made orthogonal by five Newton-Schulz steps (Jordan et al., 2024)."""

    def __init__(self, parameters: list[nn.Parameter], lr: float = 0.02, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                momentum.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonalize(parameter.grad.lerp(momentum, group["momentum"]))
                rows, columns = parameter.shape
                parameter.add_(update, alpha=-group["lr"] * math.sqrt(max(1, rows / columns)))


def orthogonalize(matrix: Tensor) -> Tensor:
    """The nearest matrix with all singular values near 1."""
    linear, cubic, quintic = NEWTON_SCHULZ
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    x = x.bfloat16() if has_fast_bfloat16() else x
    for _ in range(5):
        gram = x @ x.T
        x = linear * x + (cubic * gram + quintic * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)


def optimizers(
    model: nn.Module, matrices: list[nn.Parameter], lr: float, muon_lr: float
) -> list[torch.optim.Optimizer]:
    """Muon for the given matrices, AdamW for everything else."""
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in chosen and parameter.requires_grad]
    made: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=0.01)]
    if matrices:
        made.append(Muon(matrices, muon_lr))
    for optimizer in made:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    return made


def update(model: nn.Module, loss: Tensor, made: list[torch.optim.Optimizer], factor: float) -> None:
    """One optimizer step at a factor of the base learning rates."""
    for optimizer in made:
        optimizer.zero_grad()
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in made:
        optimizer.step()


def save(value: object, path: Path) -> None:
    """Writes a torch file in one move, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    torch.save(value, temporary)
    temporary.replace(path)
