"""The denoiser: SD3's multimodal diffusion transformer at toy size, with the parameter names of ComfyUI's own.

Esser et al., Scaling Rectified Flow Transformers for High-Resolution Image Synthesis, arXiv:2403.03206. Hidden width,
heads and blocks follow from one number, the depth, as the host reads them from the weights. No pooled text input.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS, PATCH, HEAD_WIDTH, TEXT_WIDTH = 16, 2, 64, 768
TRAINING_STEPS = 1000
SHIFT = 3.0
# The host scales positions so that every picture spans the same 15 units.
POSITION_SPAN = 7.5


class MMDiT(nn.Module):
    """Predicts the velocity `noise - latent` of a rectified flow.

    Args:
        depth: Blocks, heads, and hidden width / 64.
        pads: How many identical pad tokens the last text token stands for.
    """

    def __init__(self, depth: int = 3, pads: int = 1):
        super().__init__()
        width = HEAD_WIDTH * depth
        self.width, self.pads = width, pads
        self.x_embedder = PatchEmbedder(width)
        self.t_embedder = TimeEmbedder(width)
        self.context_embedder = nn.Linear(TEXT_WIDTH, width)
        self.joint_blocks = nn.ModuleList([JointBlock(width, depth, index == depth - 1) for index in range(depth)])
        self.final_layer = FinalLayer(width)
        self.apply(_initialize)
        for block in self.joint_blocks:
            nn.init.zeros_(block.context_block.adaLN_modulation[1].weight)
            nn.init.zeros_(block.x_block.adaLN_modulation[1].weight)
        nn.init.zeros_(self.final_layer.adaLN_modulation[1].weight)
        nn.init.zeros_(self.final_layer.linear.weight)

    def forward(self, latent: Tensor, time: Tensor, text: Tensor) -> Tensor:
        """Velocity `(n, 16, h, w)` at `time` `(n,)` in [0, 1000], given text features `(n, tokens, 768)`."""
        batch, _, height, width = latent.shape
        rows, columns = height // PATCH, width // PATCH
        condition = self.t_embedder(time)
        text = self.context_embedder(text)
        image = self.x_embedder(latent) + grid_positions(self.width, rows, columns).to(latent.device)
        key_bias = torch.zeros(text.shape[1] + rows * columns, device=latent.device)
        key_bias[text.shape[1] - 1] = math.log(self.pads)
        for block in self.joint_blocks:
            text, image = block(text, image, condition, key_bias)
        patches = self.final_layer(image, condition).view(batch, rows, columns, PATCH, PATCH, CHANNELS)
        return patches.permute(0, 5, 1, 3, 2, 4).reshape(batch, CHANNELS, height, width)


class JointBlock(nn.Module):
    """Text and image tokens with weights of their own and one attention over both. The last block drops the text."""

    def __init__(self, width: int, heads: int, last: bool):
        super().__init__()
        self.context_block = Stream(width, heads, attention_only=last)
        self.x_block = Stream(width, heads)

    def forward(self, text: Tensor, image: Tensor, condition: Tensor, key_bias: Tensor) -> tuple[Tensor, Tensor]:
        tokens, last = text.shape[1], self.context_block.attention_only
        text_modulation, image_modulation = self.context_block.modulate(condition), self.x_block.modulate(condition)
        text_query, text_key, text_value = self.context_block.heads(text, text_modulation)
        image_query, image_key, image_value = self.x_block.heads(image, image_modulation)
        query = image_query if last else torch.cat([text_query, image_query], 2)
        key, value = torch.cat([text_key, image_key], 2), torch.cat([text_value, image_value], 2)
        mixed = attend(query, key, value, key_bias)
        if last:
            return text, self.x_block.update(image, mixed, image_modulation)
        text = self.context_block.update(text, mixed[:, :tokens], text_modulation)
        return text, self.x_block.update(image, mixed[:, tokens:], image_modulation)


class Stream(nn.Module):
    """One modality's half of a joint block."""

    def __init__(self, width: int, heads: int, attention_only: bool = False):
        super().__init__()
        self.attention_only = attention_only
        self.attn = Projections(width, heads, attention_only)
        if not attention_only:
            self.mlp = Mlp(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, (2 if attention_only else 6) * width))

    def modulate(self, condition: Tensor) -> tuple[Tensor, ...]:
        """Shift, scale and gate of the attention, then of the MLP, `(n, 1, width)` each."""
        return self.adaLN_modulation(condition)[:, None].chunk(2 if self.attention_only else 6, -1)

    def heads(self, tokens: Tensor, modulation: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        return self.attn(_modulated(tokens, *modulation[:2]))

    def update(self, tokens: Tensor, mixed: Tensor, modulation: tuple[Tensor, ...]) -> Tensor:
        _, _, attention_gate, shift, scale, mlp_gate = modulation
        tokens = tokens + attention_gate * self.attn.proj(mixed)
        return tokens + mlp_gate * self.mlp(_modulated(tokens, shift, scale))


class Projections(nn.Module):
    def __init__(self, width: int, heads: int, attention_only: bool):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        if not attention_only:
            self.proj = nn.Linear(width, width)
        self.ln_q, self.ln_k = RMSNorm(width // heads), RMSNorm(width // heads)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value, `(n, heads, tokens, 64)`."""
        query, key, value = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.ln_q(query), self.ln_k(key), value


class RMSNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6)
        return x * (scale * self.weight).to(x.dtype)


class Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class FinalLayer(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, PATCH * PATCH * CHANNELS)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        return self.linear(_modulated(tokens, *self.adaLN_modulation(condition)[:, None].chunk(2, -1)))


class PatchEmbedder(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.proj = nn.Conv2d(CHANNELS, width, PATCH, PATCH)

    def forward(self, latent: Tensor) -> Tensor:
        return self.proj(latent).flatten(2).transpose(1, 2)


class TimeEmbedder(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: Tensor) -> Tensor:
        frequencies = torch.exp(-math.log(10000) * torch.arange(128, device=time.device) / 128)
        angles = time[:, None].float() * frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], -1))


def attend(query: Tensor, key: Tensor, value: Tensor, key_bias: Tensor) -> Tensor:
    """Attention with a bias per key, heads merged. Written out: torch's fused CPU kernel is slow in bfloat16."""
    logits = query @ key.transpose(-1, -2) * key.shape[-1] ** -0.5 + key_bias.to(query.dtype)
    return (logits.softmax(-1).to(value.dtype) @ value).transpose(1, 2).flatten(2)


def grid_positions(width: int, rows: int, columns: int) -> Tensor:
    """Sine and cosine features of each patch's column and row, `(1, rows * columns, width)`, as the host makes them."""
    short = min(rows, columns)
    reach_y, reach_x = rows / short * POSITION_SPAN, columns / short * POSITION_SPAN
    y = torch.linspace(POSITION_SPAN - reach_y, POSITION_SPAN + reach_y, rows)
    x = torch.linspace(POSITION_SPAN - reach_x, POSITION_SPAN + reach_x, columns)
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.cat([_sines(grid_x.flatten(), width // 2), _sines(grid_y.flatten(), width // 2)], 1)[None]


def sigmas(steps: int) -> list[float]:
    """The host's "simple" schedule of `steps + 1` noise levels at shift 3, last 0."""
    time = torch.arange(1, TRAINING_STEPS + 1) / TRAINING_STEPS
    shifted = SHIFT * time / (1 + (SHIFT - 1) * time)
    stride = TRAINING_STEPS / steps
    return [float(shifted[-(1 + int(step * stride))]) for step in range(steps)] + [0.0]


@torch.inference_mode()
def sample(model: nn.Module, noise: Tensor, text: Tensor, empty: Tensor, steps: int = 20, cfg: float = 3.0) -> Tensor:
    """The host's euler sampler on its simple schedule: noise `(n, 16, h, w)` to latents in model space."""
    levels = sigmas(steps)
    count = len(noise)
    both = torch.cat([text, empty.expand(count, -1, -1)])
    latent = noise * levels[0]
    for level, following in zip(levels, levels[1:]):
        time = torch.full((2 * count,), level * TRAINING_STEPS, device=noise.device)
        wanted, unguided = model(torch.cat([latent, latent]), time, both).float().chunk(2)
        latent = latent + (unguided + cfg * (wanted - unguided)) * (following - level)
    return latent


def _sines(positions: Tensor, width: int) -> Tensor:
    frequencies = 10000 ** -(torch.arange(width // 2) / (width / 2))
    angles = positions[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)


def _modulated(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return F.layer_norm(tokens, tokens.shape[-1:], eps=1e-6) * (1 + scale) + shift


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, PatchEmbedder):
        nn.init.xavier_uniform_(module.proj.weight.view(module.proj.weight.shape[0], -1))
        nn.init.zeros_(module.proj.bias)
