"""The picture codec, in TAESD's shape: 8x8 pixels to 16 numbers and back.

The encoder is not trained. It is the best linear code of 8x8 patches (PCA), written exactly into TAESD's convolutions:
three stride-2 steps that only move pixels into channels, the last one times plus and minus the components, so that the
ReLUs lose nothing. Only the decoder is trained; some of its blocks stay zero, which is the identity and costs nothing
in a torch file.
"""

import random
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .scenes import draw_training, picture
from .shapes import BACKGROUND

# SD3's latent format: model space is (latent - SHIFT) * SCALE.
SCALE, SHIFT = 1.5305, 0.0609
CHANNELS, PATCH, WIDTH = 16, 8, 64
ENCODER_BLOCKS = (1, 3, 4, 5, 7, 8, 9, 11, 12, 13)
DECODER_BLOCKS, DECODER_IDENTITIES = (3, 4, 5, 8, 9, 10, 13, 14, 15, 18), (10, 14, 15, 18)
DECODER_UPSAMPLES, DECODER_CONVOLUTIONS = (6, 11, 16), (7, 12, 17)
# 1 would make every component equally loud, 0 none; in between keeps the picture's large strokes dominant.
WHITENING = 0.5
FIT_PICTURES, FIT_SEED = 4000, 7


class PatchCode(NamedTuple):
    """The linear code: background patch `(192,)` and components `(192, 16)` in model space."""

    background: Tensor
    components: Tensor

    def encode(self, images: Tensor) -> Tensor:
        """Pictures `(n, 3, h, w)` to model-space latents `(n, 16, h / 8, w / 8)`."""
        patches = F.unfold(images, PATCH, stride=PATCH).transpose(1, 2) - self.background
        rows, columns = images.shape[2] // PATCH, images.shape[3] // PATCH
        return (patches @ self.components).transpose(1, 2).reshape(len(images), CHANNELS, rows, columns)


def fit_patch_code() -> PatchCode:
    """The code of training pictures, always the same one."""
    rng = random.Random(FIT_SEED)
    images = torch.from_numpy(np.stack([picture(draw_training(rng), rng) for _ in range(FIT_PICTURES)]))
    patches = F.unfold(images.permute(0, 3, 1, 2), PATCH, stride=PATCH).transpose(1, 2).reshape(-1, 3 * PATCH**2)
    background = torch.from_numpy(BACKGROUND).repeat_interleave(PATCH**2)
    drawn = patches - background
    drawn = drawn[drawn.abs().sum(1) > 1e-3]
    directions = torch.linalg.eigh(drawn.T @ drawn / len(drawn)).eigenvectors.flip(1)[:, :CHANNELS]
    spread = ((patches - background) @ directions).std(0)
    loudness = spread ** (1 - WHITENING)
    components = directions / spread**WHITENING / loudness.square().mean().sqrt()
    return PatchCode(background, components)


class Decoder(nn.Sequential):
    """TAESD's decoder: latents `(n, 16, h, w)` as the host stores them to pictures `(n, 3, 8h, 8w)`."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Identity(), _convolution(CHANNELS, WIDTH), nn.ReLU()]
        for index in range(3, 19):
            if index in DECODER_UPSAMPLES:
                layers.append(nn.Upsample(scale_factor=2))
            elif index in DECODER_CONVOLUTIONS:
                layers.append(_convolution(WIDTH, WIDTH, bias=False))
            else:
                layers.append(nn.ReLU() if index in DECODER_IDENTITIES else Block())
        super().__init__(*layers, _convolution(WIDTH, 3))
        with torch.no_grad():
            self[19].weight.mul_(0.3)
            self[19].bias.copy_(torch.from_numpy(BACKGROUND))

    def forward(self, latents: Tensor) -> Tensor:
        return super().forward(torch.tanh(latents / 3) * 3)

    def decode(self, latents: Tensor) -> Tensor:
        """Model-space latents to pictures in [0, 1]."""
        return self(latents / SCALE + SHIFT).float().clamp(0, 1)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        convolutions = [_convolution(WIDTH, WIDTH) for _ in range(3)]
        self.conv = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.ReLU(), convolutions[2])
        with torch.no_grad():
            self.conv[4].weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x) + x)


def state_dict(decoder: Decoder, code: PatchCode) -> dict[str, Tensor]:
    """Encoder and decoder under TAESD's names, half precision; only meaningful in a torch file, which keeps strides."""
    weights = _encoder_weights(code)
    weights |= {f"taesd_decoder.{name}": value.detach().half() for name, value in decoder.state_dict().items()}
    for index in DECODER_IDENTITIES:
        weights |= _zero_block(f"taesd_decoder.{index}.")
    return weights | {"vae_scale": torch.tensor(1.0), "vae_shift": torch.tensor(0.0)}


def _encoder_weights(code: PatchCode) -> dict[str, Tensor]:
    components = code.components / SCALE
    weights: dict[str, Tensor] = {}
    for index in ENCODER_BLOCKS:
        weights |= _zero_block(f"taesd_encoder.{index}.")
    first = torch.zeros(WIDTH, 3, 3, 3)
    for color in range(3):
        first[color, color, 1, 1] = 1
    last = torch.zeros(CHANNELS, WIDTH, 3, 3)
    for channel in range(CHANNELS):
        last[channel, channel, 1, 1], last[channel, CHANNELS + channel, 1, 1] = 1, -1
    weights["taesd_encoder.0.weight"] = first.half()
    weights["taesd_encoder.0.bias"] = _zeros(WIDTH)
    weights["taesd_encoder.2.weight"] = _space_to_channels(3).half()
    weights["taesd_encoder.6.weight"] = _space_to_channels(12).half()
    weights["taesd_encoder.10.weight"] = _project(components).half()
    weights["taesd_encoder.14.weight"] = last.half()
    weights["taesd_encoder.14.bias"] = (SHIFT - code.background @ components).half()
    return weights


def _space_to_channels(channels: int) -> Tensor:
    """A stride-2 convolution that moves each 2x2 square of a channel into four channels."""
    weight = torch.zeros(WIDTH, WIDTH, 3, 3)
    for channel in range(channels):
        for y, x in np.ndindex(2, 2):
            weight[channel * 4 + y * 2 + x, channel, 1 + y, 1 + x] = 1
    return weight


def _project(components: Tensor) -> Tensor:
    """The third stride-2 step, times plus and minus the components `(192, 16)`."""
    weight = torch.zeros(WIDTH, WIDTH, 3, 3)
    for color, y, x in np.ndindex(3, PATCH, PATCH):
        channel = ((color * 4 + y % 2 * 2 + x % 2) * 4) + y // 2 % 2 * 2 + x // 2 % 2
        value = components[color * PATCH**2 + y * PATCH + x]
        weight[:CHANNELS, channel, 1 + y // 4, 1 + x // 4] = value
        weight[CHANNELS : 2 * CHANNELS, channel, 1 + y // 4, 1 + x // 4] = -value
    return weight


def _convolution(inputs: int, outputs: int, bias: bool = True) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _zero_block(prefix: str) -> dict[str, Tensor]:
    weights = {}
    for index in (0, 2, 4):
        weights[f"{prefix}conv.{index}.weight"] = _zeros(WIDTH, WIDTH, 3, 3)
        weights[f"{prefix}conv.{index}.bias"] = _zeros(WIDTH)
    return weights


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(1, dtype=torch.float16).expand(*shape)
