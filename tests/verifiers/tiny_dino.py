"""A tiny DINOv2 with random weights, in every layout that real ones come in."""

import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    BitImageProcessor,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
)

SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 56, "patch_size": 14}
PROCESSOR = {
    "size": {"shortest_edge": 256},
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def make_dino(seed=5, registers=0, **changes):
    torch.manual_seed(seed)
    settings = {**SIZES, **changes}
    if registers:
        model = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**settings, num_register_tokens=registers))
    else:
        model = Dinov2Model(Dinov2Config(**settings))
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    return model.eval().requires_grad_(False)


def write_folder(folder: Path, model) -> Path:
    model.save_pretrained(folder)
    BitImageProcessor(**PROCESSOR).save_pretrained(folder)
    return folder


def named_as_published(folder: Path) -> dict:
    """Weights of a folder under the names of the published files."""
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def authors_names(state: dict) -> dict:
    """Weights of transformers under the names that DINOv2's authors gave them."""
    found = {}
    for key, value in state.items():
        key = key.replace("encoder.layer.", "blocks.").replace(
            "embeddings.patch_embeddings.projection", "patch_embed.proj"
        )
        key = (
            key.replace("embeddings.position_embeddings", "pos_embed")
            .replace("embeddings.", "")
            .replace("layernorm.", "norm.")
        )
        key = (
            key.replace("attention.output.dense", "attn.proj").replace("weights_in", "w12").replace("weights_out", "w3")
        )
        found[re.sub(r"layer_scale([12])\.lambda1", r"ls\1.gamma", key)] = value
    for key in [key for key in found if ".attention.attention.query." in key]:
        parts = [found.pop(key.replace("query", part)) for part in ("query", "key", "value")]
        found[key.replace("attention.attention.query", "attn.qkv")] = torch.cat(parts)
    return found


def write_file(path: Path, state: dict) -> Path:
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path
