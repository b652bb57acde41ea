"""Tiny checkpoints of every verifier that is not open_clip's, in the layouts that real ones come in, with random
weights.

Each `write_*` returns the network it wrote, for an outside reference.
"""

import json
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn

TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
SIDE = 28
EYE = {**TOWER, "image_size": SIDE, "patch_size": 14}
CLIP_PIXELS = {
    "crop_size": {"height": SIDE, "width": SIDE},
    "do_center_crop": True,
    "size": {"shortest_edge": SIDE},
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "CLIPImageProcessor",
}
HALF = {"size": {"height": SIDE, "width": SIDE}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
SIGLIP_PIXELS = {**HALF, "resample": 3, "image_processor_type": "SiglipImageProcessor"}
SIGLIP2_PIXELS = {**HALF, "resample": 2, "image_processor_type": "SiglipImageProcessor"}
VIT_PIXELS = {**HALF, "resample": 2, "image_processor_type": "ViTImageProcessor"}
WORDS = ["a", "red", "cube", "blue", "house", "cat", "dog", "with", "the", "of"]


def lively(module: nn.Module, seed: int = 7) -> nn.Module:
    """Weights under which what goes in shows in what comes out."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in module.named_parameters():
        size = 0.3 if "embed" in name or weight.ndim < 2 else weight.shape[-1] ** -0.5
        weight.data = torch.randn(weight.shape, generator=generator) * size + (
            1 if "norm" in name and name.endswith("weight") else 0
        )
    return module.eval().requires_grad_(False)


def write_folder(
    folder: Path, module: nn.Module, config: dict, pixels: dict | None = None, layout: str = "safetensors"
) -> None:
    """A folder as a hub has it, its weights in one file or in parts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if pixels is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    write_weights(folder, dict(module.state_dict()), layout)


def write_weights(folder: Path, state: dict, layout: str = "safetensors") -> None:
    match layout:
        case "safetensors":
            save_file(state, folder / "model.safetensors")
        case "bin":
            torch.save(state, folder / "pytorch_model.bin")
        case "parts":
            names = list(state)
            parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
            for file, keys in parts.items():
                save_file({key: state[key] for key in keys}, folder / file)
            places = {key: file for file, keys in parts.items() for key in keys}
            (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def settings(module: nn.Module, **more) -> dict:
    return {
        **json.loads(module.config.to_json_string(use_diff=False)),
        "architectures": [type(module).__name__],
        **more,
    }


@cache
def byte_pairs() -> tuple[str, str]:
    """CLIP's vocabulary and merges, as files."""
    from open_clip.tokenizer import SimpleTokenizer

    words = SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {names.get(word, word): index for word, index in words.encoder.items()}
    return json.dumps(vocabulary), "#version: 0.2\n" + "\n".join(" ".join(pair) for pair in words.bpe_ranks) + "\n"


def write_byte_pairs(folder: Path) -> None:
    vocabulary, merges = byte_pairs()
    (folder / "vocab.json").write_text(vocabulary, encoding="utf-8")
    (folder / "merges.txt").write_text(merges, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77})
    )


def write_clip(
    folder: Path, *, activation: str = "quick_gelu", layout: str = "safetensors", seed: int = 7
) -> nn.Module:
    from transformers import CLIPConfig, CLIPModel

    text = {**TOWER, "hidden_act": activation, "eos_token_id": 49407, "bos_token_id": 49406, "pad_token_id": 1}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config={**EYE, "hidden_act": activation}, projection_dim=16))
    lively(model, seed).logit_scale.data.fill_(4.6)
    write_folder(folder, model, settings(model), CLIP_PIXELS, layout)
    write_byte_pairs(folder)
    return model


def write_siglip(folder: Path, *, second: bool = False, layout: str = "safetensors", seed: int = 7) -> nn.Module:
    """The first SigLIP or SigLIP 2: the same network with another tokenizer, another vocabulary and other pixels."""
    from transformers import SiglipConfig, SiglipModel

    words = 32100 if second else 128
    text = {
        **TOWER,
        "vocab_size": words,
        "max_position_embeddings": 64,
        "bos_token_id": None,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }
    model = lively(SiglipModel(SiglipConfig(text_config=text, vision_config=EYE)), seed)
    write_folder(folder, model, settings(model), SIGLIP2_PIXELS if second else SIGLIP_PIXELS, layout)
    (_gemma if second else _sentence_pieces)(folder)
    return model


def write_open_clip_siglip(library, folder: Path) -> nn.Module:
    """SigLIP as open_clip has it: an image tower of timm, and a text tower with a tokenizer of its own."""
    text = {
        "context_length": 64,
        "vocab_size": 128,
        "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 32,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
    }
    eye = {
        "image_size": 224,
        "timm_model_name": "vit_tiny_patch16_224",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    }
    config = {"embed_dim": 192, "init_logit_bias": -10, "custom_text": True, "vision_cfg": eye, "text_cfg": text}
    model = lively(library.CustomTextCLIP(**{key: value for key, value in config.items() if key != "custom_text"}))
    folder.mkdir(parents=True)
    seen = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": seen}))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    _sentence_pieces(folder)
    marks = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "model_max_length": 64, **marks})
    )
    return model


def _sentence_pieces(folder: Path) -> None:
    pieces = [("<unk>", 0.0), ("</s>", 0.0), *((f"▁{word}", -1.0) for word in WORDS)]
    words = Tokenizer(
        models.Unigram([*pieces, *((letter, -9.0) for letter in "▁abcdefghijklmnopqrstuvwxyz.,")], unk_id=0)
    )
    words.pre_tokenizer = pre_tokenizers.Metaspace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    words.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "SiglipTokenizer", "model_max_length": 64})
    )


def _gemma(folder: Path) -> None:
    marks = ["<pad>", "<eos>", "<bos>", "<unk>"]
    letters = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,"
    words = Tokenizer(
        models.BPE(vocab={word: index for index, word in enumerate([*marks, *letters])}, merges=[], unk_token="<unk>")
    )
    words.normalizer = normalizers.Replace(" ", "▁")
    words.add_special_tokens(marks)
    words.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    words.save(str(folder / "tokenizer.json"))
    names = {f"{name}_token": f"<{name}>" for name in ("pad", "eos", "bos", "unk")}
    told = {"tokenizer_class": "GemmaTokenizer", "add_bos_token": False, "add_eos_token": True, "padding_side": "right"}
    (folder / "tokenizer_config.json").write_text(json.dumps({**told, **names, "model_max_length": 64}))


def write_siglip_eye(folder: Path, model: nn.Module) -> None:
    """The image tower of a SigLIP alone, with the prefix that such files have on hubs."""
    state = {key: value for key, value in model.state_dict().items() if key.startswith("vision_model.")}
    config = {
        **model.config.vision_config.to_dict(),
        "model_type": "siglip_vision_model",
        "architectures": ["SiglipVisionModel"],
    }
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(SIGLIP_PIXELS))
    save_file(state, folder / "model.safetensors")


def write_classifier(
    folder: Path, labels: tuple[str, ...] = ("normal", "nsfw"), layout: str = "safetensors"
) -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification

    names = dict(enumerate(labels))
    config = ViTConfig(
        **EYE, id2label=names, label2id={name: index for index, name in names.items()}, num_labels=len(labels)
    )
    model = lively(ViTForImageClassification(config))
    write_folder(folder, model, settings(model), VIT_PIXELS, layout)
    return model


def write_timm_classifier(folder: Path) -> nn.Module:
    import timm

    seen = {
        "input_size": [3, SIDE, SIDE],
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "crop_mode": "center",
    }
    arguments = {"img_size": SIDE, "patch_size": 14, "embed_dim": 32, "depth": 2, "num_heads": 2}
    model = lively(timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=2, **arguments))
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 2,
        "label_names": ["NSFW", "SFW"],
        "model_args": arguments,
        "pretrained_cfg": seen,
    }
    write_folder(folder, model, config)
    return model


class Checker(nn.Module):
    """Stable Diffusion's safety checker, as its authors store it: a tower within a tower, and concepts."""

    def __init__(self, config):
        from transformers import CLIPVisionModelWithProjection

        super().__init__()
        self.eye = CLIPVisionModelWithProjection(config.vision_config)
        self.concept_embeds, self.concept_embeds_weights = (
            nn.Parameter(torch.zeros(17, 16)),
            nn.Parameter(torch.zeros(17)),
        )
        self.special_care_embeds, self.special_care_embeds_weights = (
            nn.Parameter(torch.zeros(3, 16)),
            nn.Parameter(torch.zeros(3)),
        )

    def state_dict(self):
        own = {name: getattr(self, name).data for name, _ in self.named_parameters() if not name.startswith("eye.")}
        eye = {
            key.replace("vision_model.", "vision_model.vision_model.", 1): value
            for key, value in self.eye.state_dict().items()
        }
        return {**eye, **own}


def write_safety_checker(folder: Path) -> nn.Module:
    from transformers import CLIPConfig

    text = {**TOWER, "eos_token_id": 49407, "bos_token_id": 49406}
    config = CLIPConfig(
        text_config=text, vision_config={**EYE, "hidden_act": "quick_gelu", "projection_dim": 16}, projection_dim=16
    )
    model = lively(Checker(config))
    told = {**json.loads(config.to_json_string(use_diff=False)), "architectures": ["StableDiffusionSafetyChecker"]}
    write_folder(folder, model, told, CLIP_PIXELS, layout="bin")
    return model


def write_head(file: Path, prefix: str, layers: tuple[int, ...], width: int, seed: int = 3) -> nn.Sequential:
    """A linear head with dropouts in the gaps of its names; the network, whose forward pass is the reference."""
    torch.manual_seed(seed)
    sizes = iter(zip((width, 12, 8, 6, 4), (12, 8, 6, 4, 1)))
    head = nn.Sequential(
        *[nn.Linear(*next(sizes)) if index in layers else nn.Dropout(0.2) for index in range(max(layers) + 1)]
    )
    torch.save({f"{prefix}.{key}": value for key, value in head.state_dict().items()}, file)
    return head.eval().requires_grad_(False)


def write_image_reward(file: Path, vocabulary: Path | None = None) -> nn.Module:
    """ImageReward as published, and the words of bert-base-uncased in a folder beside it unless that is given."""
    from noise_search.tests.verifiers.upstream import UpstreamImageReward

    model = lively(UpstreamImageReward())
    torch.save(model.state_dict(), file)
    folder = vocabulary or file.parent / "bert-base-uncased"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", "##s", *WORDS]), encoding="utf-8"
    )
    return model


def write_hps(library, file: Path) -> nn.Module:
    """HPS as published: the training's dictionary around open_clip's names. The library must know the tiny
    architecture.
    """
    from noise_search.tests.verifiers.tiny_clip import make_clip

    model = make_clip(library)
    torch.save({"epoch": 10, "state_dict": model.state_dict()}, file)
    return model
