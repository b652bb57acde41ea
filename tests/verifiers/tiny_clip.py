"""A tiny CLIP model, written in every layout that real ones come in."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 28, "layers": 2, "width": 32, "head_width": 16, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


def make_clip(library, config=TINY, seed=7):
    """A model as open_clip itself builds it, with weights that answer to the prompt."""
    torch.manual_seed(seed)
    model = library.CLIP(**config).eval().requires_grad_(False)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            weight.normal_(0, 0.3 if "embedding" in name else weight.shape[-1] ** -0.5)
    return model


def write_layout(layout, state, folder: Path) -> Path:
    match layout:
        case "plain":
            torch.save(state, folder / "clip.pt")
        case "state_dict":
            torch.save({"epoch": 3, "state_dict": state}, folder / "clip.pt")
        case "module":
            torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, folder / "clip.pt")
        case "safetensors":
            save_file(state, folder / "clip.safetensors")
            return folder / "clip.safetensors"
    return folder / "clip.pt"


def write_folder(folder: Path, state, config=TINY, **preprocess) -> Path:
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    save_file(state, folder / "open_clip_model.safetensors")
    return folder
