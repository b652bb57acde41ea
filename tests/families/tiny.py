"""Tiny models with random weights, one per family of the host, made from the host's own model classes with small
settings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

TOKENS = 4
ONES = torch.ones(1, TOKENS).long()
FRAMES_PER_STEP = 2  # frames of a video per frame of its latent


@dataclass(frozen=True, eq=False)
class Family:
    """One family.

    Args:
        name: As artists call it.
        config: The host's class in `comfy.supported_models`.
        makes: image, video, video and sound, sound, 3D.
        net: Small settings for its network, beside those that the class fixes.
        shapes: One latent per stream, without the batch, as its empty latent node makes it.
        context: Width of its text tokens.
        pooled: Shape of its pooled text without the batch, () = none.
        extra: Further conditioning, by what the host calls it, given a function that draws a random tensor.
        weights: What its class reads from the checkpoint besides the network.
        like: Other classes of the host that are the same network in another size.
        unused: Where the names of weights start that a prompt without the family's own text encoder does not touch.
        decoded: The latent's shape where it leaves the sampler in another one.
    """

    name: str
    config: str
    makes: str
    shapes: tuple[tuple[int, ...], ...]
    net: Mapping[str, Any]
    context: int = 32
    pooled: tuple[int, ...] = ()
    extra: Callable[[Callable[..., torch.Tensor]], dict] = lambda randn: {}
    weights: Callable[[], dict] = dict
    like: tuple[str, ...] = ()
    unused: str = "nothing"
    decoded: tuple[int, ...] | None = None


def family(name: str, config: str, makes: str, *shapes: tuple[int, ...], net: Mapping[str, Any], **rest: Any) -> Family:
    return Family(name, config, makes, shapes, net, **rest)


def build(one: Family, toys: ModuleType) -> SimpleNamespace:
    """Model, positive, negative, latent and vae of a family. `toys` draws the weights, the same on every call."""
    return SimpleNamespace(
        model=model(one, toys),
        positive=conditioning(one, 1),
        negative=conditioning(one, 2),
        latent=latent(one),
        vae=vae(one, toys),
    )


def model(one: Family, toys: ModuleType) -> Any:
    import comfy.model_management as memory
    import comfy.model_patcher
    import comfy.ops
    import comfy.supported_models

    cpu, kind = torch.device("cpu"), getattr(comfy.supported_models, one.config)
    config = kind({**kind.unet_config, **one.net})
    config.unet_config.update(one.net)  # the class sets some of them itself
    card = memory.get_torch_device()
    config.set_inference_dtype(memory.unet_dtype(card, supported_dtypes=config.supported_inference_dtypes), None)
    config.custom_operations = comfy.ops.disable_weight_init
    made = config.get_model(one.weights(), "", device=cpu)
    if one.makes not in ("sound", "3D"):  # those are refused before they are sampled
        fill(made.diffusion_model, toys, one.unused)
    return comfy.model_patcher.ModelPatcher(made, load_device=card, offload_device=cpu)


def fill(net: torch.nn.Module, toys: ModuleType, unused: str) -> None:
    """Random weights for all that a checkpoint holds."""
    held = {
        name: value
        for name, value in net.state_dict().items()
        if value.is_floating_point() and not name.startswith(unused)
    }
    net.load_state_dict(toys.random_weights(SimpleNamespace(state_dict=lambda: held)), strict=False)


def conditioning(one: Family, seed: int) -> list:
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    extra = one.extra(randn) | ({"pooled_output": randn(1, *one.pooled)} if one.pooled else {})
    return [[randn(1, TOKENS, one.context), extra]]


def latent(one: Family) -> dict:
    """An empty LATENT of one row."""
    return {"samples": joined([torch.zeros(1, *shape) for shape in one.shapes])}


def joined(parts: list[torch.Tensor]) -> Any:
    from comfy.nested_tensor import NestedTensor

    return parts[0] if len(parts) == 1 else NestedTensor(parts)


@functools.cache
def vae(one: Family, toys: ModuleType) -> Any:
    """A VAE of the host whose network is one fixed random map from the latent's channels to colours, so that decoding
    takes no time.
    """
    import comfy.sd

    if one.makes == "image" and one.shapes[0][0] == 3:
        return comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
    made = comfy.sd.VAE(
        sd={key: value for key, value in toys.random_weights(taesd()).items() if not key.startswith("vae_")}
    )
    made.first_stage_model, made.latent_dim = Projection(), len(one.decoded or one.shapes[0]) - 1
    made.output_channels = 2 if one.makes == "sound" else 3
    return made


@functools.cache
def taesd() -> torch.nn.Module:
    from comfy.taesd.taesd import TAESD

    return TAESD(latent_channels=4)


class Projection(torch.nn.Module):
    """Latents `(n, c, h, w)` or `(n, c, t, h, w)` to colours in -1 to 1, 2 x 2 pixels per place and 2 frames per
    frame.
    """

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(latents.shape[1])
        drawn = torch.randn(3, latents.shape[1], generator=generator)
        colours = drawn.to(latents) / latents.shape[1] ** 0.5
        scale = latents.flatten(1).std(1).clamp(min=1e-6).reshape(-1, *[1] * (latents.ndim - 1))
        seen = torch.einsum("nc...,rc->nr...", latents / scale, colours).tanh()
        for dimension in range(2, latents.ndim):
            seen = seen.repeat_interleave(2, dimension)
        return seen
