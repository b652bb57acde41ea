"""A CLIP-L that costs 0.3 MB: frozen random token and position features, every transformer layer zero.

The residual stream of such a CLIP-L is token + position, exactly, so SD3's text path hands the denoiser one distinct,
almost orthogonal vector per word, and the denoiser's text stream learns the language. A torch file stores storages, not
elements: zero matrices are one number with stride 0, and the token table is one random vector read with overlapping
    rows.
"""

from functools import cache

import torch
from torch import Tensor

VOCABULARY, WIDTH, LAYERS, POSITIONS = 49408, 768, 12, 77
START, END = 49406, 49407
# Positions from here on are identical, so late pads are interchangeable: one of them stands for PADS in training.
DISTINCT_POSITIONS = 24
TOKENS = DISTINCT_POSITIONS + 1
PADS = POSITIONS - DISTINCT_POSITIONS
POSITION_SCALE = 0.7
TOKEN_SEED, POSITION_SEED = 2601, 2602
# The stock CLIP tokenizer's ids of every word of the captions (a test compares them with the tokenizer itself).
WORDS = {
    "a": (320,),
    "an": (550,),
    "one": (637,),
    "two": (1237,),
    "three": (2097,),
    "four": (2721,),
    "five": (3127,),
    "small": (2442,),
    "big": (1205,),
    "red": (736,),
    "green": (1901,),
    "blue": (1746,),
    "yellow": (4481,),
    "purple": (5496,),
    "black": (1449,),
    "circle": (7117,),
    "square": (3999,),
    "triangle": (14615,),
    "cross": (3417,),
    "circles": (19411,),
    "squares": (26972,),
    "triangles": (924, 18627),
    "crosses": (20473,),
    "left": (1823,),
    "right": (1155,),
    "above": (4348,),
    "below": (3788,),
    "to": (531,),
    "the": (518,),
    "of": (539,),
    "in": (530,),
    "and": (537,),
    "photo": (1125,),
    "picture": (1674,),
    "image": (2867,),
    "top": (1253,),
    "bottom": (5931,),
    "corner": (5253,),
    "center": (2119,),
    "middle": (3694,),
    ",": (267,),
}


def tokenize(caption: str) -> list[int]:
    """The ids that the stock tokenizer gives a caption of the grammar, with start and end."""
    words = caption.lower().replace(",", " ,").split()
    unknown = [word for word in words if word not in WORDS]
    if unknown:
        raise ValueError(f"caption must use the words of the scenes, got {unknown} in {caption!r}")
    return [START, *(token for word in words for token in WORDS[word]), END]


def token_batch(captions: list[str]) -> Tensor:
    """Ids `(n, TOKENS)`, padded with the end token; the last one stands for every late pad."""
    batch = torch.full((len(captions), TOKENS), END)
    for row, caption in zip(batch, captions, strict=True):
        ids = tokenize(caption)
        if len(ids) > DISTINCT_POSITIONS:
            raise ValueError(f"caption must have at most {DISTINCT_POSITIONS} tokens, got {len(ids)}: {caption!r}")
        row[: len(ids)] = torch.tensor(ids)
    return batch


def encode(ids: Tensor) -> Tensor:
    """What SD3 receives from this CLIP-L, `(n, TOKENS, 768)`."""
    tokens, positions = _tables()
    return tokens[ids] + positions[:TOKENS]


def state_dict() -> dict[str, Tensor]:
    """The whole CLIP-L under its usual names, half precision; only meaningful in a torch file, which keeps strides."""
    weights = {
        "text_model.embeddings.token_embedding.weight": _token_table(),
        "text_model.embeddings.position_embedding.weight": _position_table(),
        "text_model.final_layer_norm.weight": _constant(1, WIDTH),
        "text_model.final_layer_norm.bias": _constant(0, WIDTH),
        "text_projection.weight": _constant(0, WIDTH, WIDTH),
    }
    for layer in range(LAYERS):
        weights |= _zero_layer(f"text_model.encoder.layers.{layer}.")
    return weights


def _token_table() -> Tensor:
    generator = torch.Generator().manual_seed(TOKEN_SEED)
    numbers = torch.randn(VOCABULARY + WIDTH, generator=generator).half()
    return numbers.as_strided((VOCABULARY, WIDTH), (1, 1))


def _position_table() -> Tensor:
    generator = torch.Generator().manual_seed(POSITION_SEED)
    distinct = (torch.randn(TOKENS, WIDTH, generator=generator) * POSITION_SCALE).half()
    return distinct[torch.arange(POSITIONS).clamp(max=DISTINCT_POSITIONS)].contiguous()


@cache
def _tables() -> tuple[Tensor, Tensor]:
    # The words' rows overlap in memory; as float32 they stay a view of 0.2 MB.
    return _token_table().as_strided((VOCABULARY + WIDTH,), (1,)).float().as_strided(
        (VOCABULARY, WIDTH), (1, 1)
    ), _position_table().float()


def _zero_layer(prefix: str) -> dict[str, Tensor]:
    weights = {}
    for name in ("layer_norm1", "layer_norm2"):
        weights[f"{prefix}{name}.weight"] = _constant(1, WIDTH)
        weights[f"{prefix}{name}.bias"] = _constant(0, WIDTH)
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        weights[f"{prefix}self_attn.{name}.weight"] = _constant(0, WIDTH, WIDTH)
        weights[f"{prefix}self_attn.{name}.bias"] = _constant(0, WIDTH)
    for name, rows, columns in (("fc1", 4 * WIDTH, WIDTH), ("fc2", WIDTH, 4 * WIDTH)):
        weights[f"{prefix}mlp.{name}.weight"] = _constant(0, rows, columns)
        weights[f"{prefix}mlp.{name}.bias"] = _constant(0, rows)
    return weights


def _constant(value: float, *shape: int) -> Tensor:
    return torch.full((1,), value, dtype=torch.float16).expand(*shape)
