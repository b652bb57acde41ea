"""DINOv2 in single files: with transformers' names, as the host's folder of vision encoders has them, or with its
authors' own.

Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, arXiv:2304.07193. The size is read from the
shapes.
"""

import math
import re
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from .pretrained import load_pretrained
from .weights import WeightsError

NAMES = (  # the authors' names, and transformers'
    (r"^blocks\.", "encoder.layer."),
    (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"^pos_embed$", "embeddings.position_embeddings"),
    (r"^(cls_token|mask_token|register_tokens)$", r"embeddings.\1"),
    (r"^norm\.", "layernorm."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.ls([12])\.gamma$", r".layer_scale\1.lambda1"),
    (r"\.mlp\.w12\.", ".mlp.weights_in."),
    (r"\.mlp\.w3\.", ".mlp.weights_out."),
)
QKV = re.compile(r"(.*)\.attn\.qkv\.(weight|bias)")
HEAD = 64  # numbers per attention head, in all sizes


def recognises(names: Iterable[str]) -> bool:
    """Whether tensors of these names are a DINOv2."""
    return bool({"encoder.layer.0.layer_scale1.lambda1", "blocks.0.ls1.gamma"} & set(names))


def build(state: Mapping[str, Tensor], name: str) -> nn.Module:
    """The transformers model of a file's weights, all of them found in the file."""
    from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    state = {key: value.float() for key, value in renamed(state).items()}
    settings = _settings(state, name)
    if "num_register_tokens" in settings:
        kind, config = Dinov2WithRegistersModel, Dinov2WithRegistersConfig(**settings)
    else:
        kind, config = Dinov2Model, Dinov2Config(**settings)
    return load_pretrained(kind, None, name, config=config, state_dict=state)


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under transformers' names; those that have them already stay."""
    found = {}
    for key, value in state.items():
        for pattern, replacement in NAMES:
            key = re.sub(pattern, replacement, key)
        if joint := QKV.fullmatch(key):
            parts = zip(("query", "key", "value"), value.chunk(3))
            found |= {f"{joint[1]}.attention.attention.{part}.{joint[2]}": rows.clone() for part, rows in parts}
        else:
            found[key] = value
    return found


def _settings(state: Mapping[str, Tensor], name: str) -> dict:
    patches, places = (
        state.get("embeddings.patch_embeddings.projection.weight"),
        state.get("embeddings.position_embeddings"),
    )
    if patches is None or places is None:
        raise WeightsError(f"{name} must hold all of a DINOv2, got one without patch or position embeddings")
    width, _, _, patch = patches.shape
    blocks = {found[1] for key in state if (found := re.match(r"encoder\.layer\.(\d+)\.", key))}
    settings = {
        "hidden_size": width,
        "num_hidden_layers": len(blocks),
        "num_attention_heads": max(1, width // HEAD),
        "image_size": math.isqrt(places.shape[1] - 1) * patch,
        "patch_size": patch,
        "use_swiglu_ffn": "encoder.layer.0.mlp.weights_in.weight" in state,
    }
    registers = state.get("embeddings.register_tokens")
    return settings if registers is None else {**settings, "num_register_tokens": registers.shape[1]}
