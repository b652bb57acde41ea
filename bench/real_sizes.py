"""Real latents and pictures without a real model: nodes whose model halves its input and whose VAE only enlarges, and
one that sees what is alive behind a search.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import comfy.sd
import psutil
import torch
from comfy_api.latest import io
from torch import Tensor

ONE_AT_A_TIME = 1e6  # a memory factor by which one clip fills every card
SEEN: list[dict[str, int]] = []  # what the nodes behind the search saw


class OnCard:
    """What a VAE on a card gives: nothing of it is in memory before it is moved to the CPU."""

    def __init__(self, make: Callable[[], Tensor]):
        self.make = make

    def to(self, *arguments: Any, **options: Any) -> Tensor:
        return self.make()


class Enlarger(torch.nn.Module):
    """Latents `(n, c, h, w)` or `(n, c, t, h, w)` to pixels in -1..1, eight by eight per place and four frames per
    `t`, with grain, so that files are about as large as those of photos.
    """

    def decode(self, latents: Tensor, **options: Any) -> OnCard:
        return OnCard(lambda: self.pixels(latents))

    def pixels(self, latents: Tensor) -> Tensor:
        count, height, width = len(latents), 8 * latents.shape[-2], 8 * latents.shape[-1]
        frames = [4 * (latents.shape[2] - 1) + 1] if latents.ndim == 5 else []
        out = torch.empty(count, 3, *frames, height, width)
        for row, latent in enumerate(latents.float()):
            for frame in range(*frames or [1]):
                still = latent[:3, (frame + 3) // 4] if frames else latent[:3]
                large = torch.nn.functional.interpolate(still[None], (height, width), mode="bilinear")[0]
                torch.add(large.tanh_(), grain(height, width), out=out[row, :, frame] if frames else out[row])
        return out


@cache
def grain(height: int, width: int) -> Tensor:
    return torch.randn(3, height, width, generator=torch.Generator().manual_seed(1)) * 0.03


def halving_model(toys: ModuleType, family: str) -> Any:
    """The network itself is replaced, not wrapped: what is put on a model could keep pictures out of one batch."""
    model = toys.model(family)
    model.model.diffusion_model.forward = lambda x, *arguments, **options: x * 0.5
    if family == "wan":
        model.model.memory_usage_factor = ONE_AT_A_TIME
    return model


def enlarging_vae(toys: ModuleType, video: bool, channels: int) -> comfy.sd.VAE:
    vae: Any = toys.vae.__wrapped__(channels)
    vae.first_stage_model, vae.latent_dim, vae.latent_channels = Enlarger(), 3 if video else 2, channels
    if video:
        vae.memory_used_decode = lambda shape, dtype: 1e11  # one clip at a time
        vae.upscale_ratio = (lambda length: max(0, length * 4 - 3), 8, 8)
        vae.downscale_ratio = (lambda length: max(0, (length + 3) // 4), 8, 8)
    return vae


class RealSize(io.ComfyNode):
    """What a sampler needs, at any size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        sides = [io.Int.Input(name, default=0, max=1 << 14) for name in ("width", "height", "frames", "channels")]
        outputs = [io.Model, io.Conditioning, io.Conditioning, io.Latent, io.Vae]
        return io.Schema(
            node_id="RealSize",
            category="noise search/bench",
            inputs=sides,
            outputs=[kind.Output(f"out{place}") for place, kind in enumerate(outputs)],
        )

    @classmethod
    def execute(cls, width: int, height: int, frames: int, channels: int) -> io.NodeOutput:
        toys = next(module for name, module in list(sys.modules.items()) if name.endswith("custom_nodes/toys"))
        family = "wan" if frames else "flux" if channels == 16 else "sd15"
        time = [(frames - 1) // 4 + 1] if frames else []
        return io.NodeOutput(
            halving_model(toys, family),
            toys.conditioning(family, 1),
            toys.conditioning(family, 2),
            {"samples": torch.zeros(1, channels, *time, height // 8, width // 8)},
            enlarging_vae(toys, bool(frames), channels),
        )


class Behind(io.ComfyNode):
    """Notes what is alive while it runs, without a collection of garbage and after one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.Image.Input("images")]
        return io.Schema(node_id="Behind", category="noise search/bench", inputs=inputs, is_output_node=True)

    @classmethod
    def execute(cls, images: Tensor) -> io.NodeOutput:
        look(images)
        return io.NodeOutput()


def look(images: Tensor) -> None:
    seen = {"out": images.nbytes, "alive": alive(), "resident": psutil.Process().memory_info().rss}
    gc.collect()
    SEEN.append({**seen, "collected": alive()})


def alive() -> int:
    """Bytes of all tensors on the CPU that Python knows, each storage once."""
    storages = {}
    for thing in gc.get_objects():
        if type(thing) in (Tensor, torch.nn.Parameter) and thing.device.type == "cpu":
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


NODES = {"RealSize": RealSize, "Behind": Behind}
