"""What the authors of verifiers compute, in plain torch and under the names of their files: the outside references."""

import torch
from torch import nn
from torch.nn.functional import gelu, softmax


def attend(queries, keys, values, heads, hidden=None):
    """Multi-head attention over `(n, t, d)`; `hidden` is True where keys are not seen, `(n, t)`."""
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (queries, keys, values))
    weights = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if hidden is not None:
        weights = weights.masked_fill(hidden[:, None, None, :], -1e9)
    return (softmax(weights, -1) @ v).transpose(1, 2).flatten(2)


class Block(nn.Module):
    """Of timm's vision transformer."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x):
        x = x + self.attn["proj"](attend(*self.attn["qkv"](self.norm1(x)).chunk(3, -1), self.heads))
        return x + self.mlp["fc2"](gelu(self.mlp["fc1"](self.norm2(x))))


class Eye(nn.Module):
    def __init__(self, width, heads, side, patch=16, depth=2):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + 1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, pixels):
        patches = self.patch_embed["proj"](pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(pixels), -1, -1), patches], 1) + self.pos_embed
        return self.norm(self.blocks(x))


class Attention(nn.Module):
    """Of BERT, to itself or to something `seen` wide."""

    def __init__(self, width, heads, seen):
        super().__init__()
        self.heads = heads
        self.self = nn.ModuleDict(
            {"query": nn.Linear(width, width), "key": nn.Linear(seen, width), "value": nn.Linear(seen, width)}
        )
        self.output = nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, eps=1e-12)})

    def forward(self, x, seen, hidden=None):
        found = attend(self.self["query"](x), self.self["key"](seen), self.self["value"](seen), self.heads, hidden)
        return self.output["LayerNorm"](self.output["dense"](found) + x)


class Layer(nn.Module):
    def __init__(self, width, heads, seen):
        super().__init__()
        self.attention, self.crossattention = Attention(width, heads, width), Attention(width, heads, seen)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, 4 * width)})
        self.output = nn.ModuleDict({"dense": nn.Linear(4 * width, width), "LayerNorm": nn.LayerNorm(width, eps=1e-12)})

    def forward(self, x, tokens, hidden):
        x = self.crossattention(self.attention(x, x, hidden), tokens)
        return self.output["LayerNorm"](self.output["dense"](gelu(self.intermediate["dense"](x))) + x)


class Reader(nn.Module):
    def __init__(self, width, heads, seen, words, depth=2):
        super().__init__()
        names = {"word_embeddings": nn.Embedding(words, width), "position_embeddings": nn.Embedding(64, width)}
        self.embeddings = nn.ModuleDict({**names, "LayerNorm": nn.LayerNorm(width, eps=1e-12)})
        self.embeddings.register_buffer("position_ids", torch.arange(64)[None])
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList([Layer(width, heads, seen) for _ in range(depth)])})

    def forward(self, ids, mask, tokens):
        places = self.embeddings["position_embeddings"](self.embeddings.position_ids[:, : ids.shape[1]])
        x = self.embeddings["LayerNorm"](self.embeddings["word_embeddings"](ids) + places)
        for layer in self.encoder["layer"]:
            x = layer(x, tokens, mask == 0)
        return x


class UpstreamImageReward(nn.Module):
    """ImageReward's network with all that its file holds, in a small size: heads of 64 numbers, three to see and two to
    read.
    """

    def __init__(self, side=32, words=40):
        super().__init__()
        self.blip = nn.ModuleDict({"visual_encoder": Eye(192, 3, side), "text_encoder": Reader(128, 2, 192, words),
                                   "vision_proj": nn.Linear(192, 8), "text_proj": nn.Linear(128, 8)})  # fmt: skip
        sizes = [(128, 24), (24, 12), (12, 8), (8, 6), (6, 1)]
        linear = [nn.Linear(*size) for size in sizes]
        layers = [
            linear[0],
            nn.Dropout(0.2),
            linear[1],
            nn.Dropout(0.2),
            linear[2],
            nn.Dropout(0.1),
            linear[3],
            linear[4],
        ]
        self.mlp = nn.ModuleDict({"layers": nn.Sequential(*layers)})

    def forward(self, pixels, ids, mask):
        tokens = self.blip["visual_encoder"](pixels)
        read = self.blip["text_encoder"](ids.expand(len(pixels), -1), mask.expand(len(pixels), -1), tokens)
        return (self.mlp["layers"](read[:, 0]) - 0.16717362830052426) / 1.0333394966054072


def hps_letterbox(picture, side):
    """The authors' preprocessing of a Pillow picture for the network's input, with torchvision as they use it."""
    from torchvision.transforms import InterpolationMode, functional

    pixels = functional.to_tensor(picture)
    scale = side / max(pixels.shape[1:])
    if scale != 1:
        pixels = functional.resize(
            pixels, [round(length * scale) for length in pixels.shape[1:]], InterpolationMode.BICUBIC
        )
    down, right = side - pixels.shape[1], side - pixels.shape[2]
    pixels = functional.pad(pixels, [right // 2, down // 2, right - right // 2, down - down // 2], fill=0)
    return functional.normalize(pixels, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
