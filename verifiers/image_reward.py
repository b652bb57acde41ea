"""ImageReward: what people would think of a picture that was made for a prompt.

Xu et al., ImageReward: Learning and Evaluating Human Preferences for Text-to-Image Generation, arXiv:2304.05977. The
authors' network, BLIP (a ViT-L/16 whose tokens a BERT reads along with the prompt), put together from the BLIP parts of
the transformers package. The layers of the head are all linear and are multiplied out.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .aesthetic import fold
from .base import Card, home
from .images import Pixels
from .keys import Keyed
from .transformers_folder import transformers
from .weights import WeightsError, assemble, read_tensors

REPOSITORY = "https://huggingface.co/THUDM/ImageReward"
VOCABULARY = "vocab.txt"
VOCABULARY_FOLDER = "bert-base-uncased"
MEAN, STD = 0.16717362830052426, 1.0333394966054072  # of the training set's raw rewards
TOKENS = 35  # of a prompt, with the marks of its start and end
HEAD_WIDTH = 64  # of one attention head, in pictures and in text
EYE, READER, HEAD = "blip.visual_encoder.", "blip.text_encoder.", "mlp."
UNUSED = ("blip.vision_proj.", "blip.text_proj.", "blip.text_encoder.embeddings.position_ids")
EYE_NAMES = (
    (r"^cls_token$", "embeddings.class_embedding"),
    (r"^pos_embed$", "embeddings.position_embedding"),
    (r"^patch_embed\.proj\.", "embeddings.patch_embedding."),
    (r"^norm\.", "post_layernorm."),
    (r"^blocks\.", "encoder.layers."),
    (r"\.norm([12])\.", r".layer_norm\1."),
    (r"\.attn\.qkv\.", ".self_attn.qkv."),
    (r"\.attn\.proj\.", ".self_attn.projection."),
)


def is_image_reward(names: Iterable[str]) -> bool:
    return {EYE + "cls_token", READER + "embeddings.word_embeddings.weight", HEAD + "layers.0.weight"} <= set(names)


class ImageReward(Keyed):
    """A reward with mean 0 and deviation 1 over many prompts, mostly -2.3 to 2. Compare within one prompt: some are
    easier than others.

    Args:
        eye: Gives tokens of pixels, transformers' BlipVisionModel.
        reader: Reads a prompt along with such tokens, transformers' BlipTextModel.
        weight: The head as one vector, `(d,)`.
        bias: Raw reward of a zero vector.
        tokenizer: That of bert-base-uncased.
    """

    columns = ("imagereward",)
    card = Card(
        name="ImageReward",
        family="BLIP",
        range="standard deviations from the mean, mostly -2.3 to 2; compare within one prompt",
        spread=0.5,
        prompt=True,
        token_limit=TOKENS - 2,
        licence="Apache-2.0",
        source=REPOSITORY,
    )

    def __init__(self, eye: Any, reader: nn.Module, weight: Tensor, bias: float, tokenizer: Any):
        self.eye, self.reader, self.weight, self.bias, self.tokenizer = eye, reader, weight, bias, tokenizer
        self.modules: tuple[nn.Module, ...] = (eye, reader)
        side = eye.config.image_size
        self.pixels = Pixels((side, side))

    @classmethod
    def load(cls, path: Path | str, vocabulary: Path | str | None = None) -> "ImageReward":
        """Read the checkpoint; the words are those of bert-base-uncased, looked for beside it if not given."""
        path = Path(path)
        state = {key: value for key, value in read_tensors(path).items() if not key.startswith(UNUSED)}
        if foreign := [key for key in state if not key.startswith((EYE, READER, HEAD))]:
            raise WeightsError(
                f"{path.name} must be an ImageReward checkpoint, got {len(foreign)} other weights"
                f" ({', '.join(foreign[:3])})"
            )
        tokenizer = _tokenizer(Path(vocabulary) if vocabulary else find_vocabulary(path))
        weight, bias = fold(_part(state, HEAD), path.name)
        eye = _eye({_renamed(key): value for key, value in _part(state, EYE).items()}, path.name)
        return cls(eye, _reader(_part(state, READER), path.name), weight, bias, tokenizer)

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        device, dtype = home(self.modules)
        tokens = self.eye(pixel_values=self.pixels(images).to(device, dtype)).last_hidden_state
        text = self.tokenizer(prompt, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        read = self.reader(
            input_ids=text["input_ids"].to(device).expand(len(tokens), -1),
            attention_mask=text["attention_mask"].to(device).expand(len(tokens), -1),
            encoder_hidden_states=tokens,
            encoder_attention_mask=torch.ones(tokens.shape[:2], dtype=torch.long, device=device),
            is_decoder=False,  # every token reads every other
        )
        rewards = read.last_hidden_state[:, 0].cpu().double() @ self.weight + self.bias
        return ((rewards - MEAN) / STD).float().unsqueeze(1)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> int:
        return len(self.tokenizer(prompt, add_special_tokens=False)["input_ids"])


def find_vocabulary(path: Path) -> Path:
    """The words of bert-base-uncased, beside a checkpoint or in a folder of that name."""
    places = [path.parent, path.parent / VOCABULARY_FOLDER, path.parent.parent / VOCABULARY_FOLDER]
    for place in places:
        if (place / VOCABULARY).is_file():
            return place / VOCABULARY
    raise FileNotFoundError(
        f"{path.name} needs the words of its prompts: get {VOCABULARY} (0.2 MB, Apache-2.0) from"
        f" https://huggingface.co/google-bert/bert-base-uncased and put it into {places[1]}"
    )


def _tokenizer(vocabulary: Path) -> Any:
    if vocabulary.name != VOCABULARY:
        raise ValueError(f"the vocabulary must be a file {VOCABULARY}, got {vocabulary.name}")
    return transformers().BertTokenizerFast.from_pretrained(vocabulary.parent, local_files_only=True)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _renamed(key: str) -> str:
    for pattern, name in EYE_NAMES:
        key = re.sub(pattern, name, key)
    return key


def _shape(state: Mapping[str, Tensor], key: str, name: str, dimensions: int) -> torch.Size:
    """Shape of a weight that the sizes are read from."""
    if key not in state or state[key].ndim != dimensions:
        raise WeightsError(f"{name} is not the architecture it was taken for: 1 missing ({key})")
    return state[key].shape


def _depth(state: Mapping[str, Tensor], tower: str) -> int:
    return len({found[1] for key in state if (found := re.match(rf"{tower}\.(\d+)\.", key))})


def _eye(state: Mapping[str, Tensor], name: str) -> nn.Module:
    """ViT-L/16 at 224 pixels with the sizes that the weights have: 24 layers, 1024 wide, 16 heads."""
    width, _, patch, _ = _shape(state, "embeddings.patch_embedding.weight", name, 4)
    side = patch * round((_shape(state, "embeddings.position_embedding", name, 3)[1] - 1) ** 0.5)
    config = transformers().BlipVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=_depth(state, r"encoder\.layers"),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        image_size=side,
        patch_size=patch,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
    )
    return assemble(lambda: transformers().BlipVisionModel(config), state, name)


def _reader(state: Mapping[str, Tensor], name: str) -> nn.Module:
    """BERT base with attention to the picture in every layer: 12 layers, 768 wide, 12 heads."""
    words, width = _shape(state, "embeddings.word_embeddings.weight", name, 2)
    config = transformers().BlipTextConfig(
        vocab_size=words,
        hidden_size=width,
        encoder_hidden_size=_shape(state, "encoder.layer.0.crossattention.self.key.weight", name, 2)[1],
        intermediate_size=4 * width,
        num_hidden_layers=_depth(state, r"encoder\.layer"),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        max_position_embeddings=_shape(state, "embeddings.position_embeddings.weight", name, 2)[0],
        is_decoder=True,  # gives it the attention to the picture
        bos_token_id=None,
        sep_token_id=None,
    )
    return assemble(lambda: transformers().BlipTextModel(config, add_pooling_layer=False), state, name)
