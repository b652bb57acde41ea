"""A tiny Qwen3-VL with random weights and a vocabulary of a few words, as real ones lie in a folder; Qwen2.5-VL where
it is the newest.
"""

from pathlib import Path

import torch
import transformers

NEWEST = hasattr(transformers, "Qwen3VLForConditionalGeneration")
WORDS = [
    "Yes",
    "yes",
    "No",
    "no",
    "A",
    "B",
    "Does",
    "this",
    "picture",
    "show",
    "a",
    "red",
    "cube",
    "blue",
    "house",
    "prompt",
    "better",
    "?",
]
MARKS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message.role }} {% for part in message.content %}{% if part.type =="
    " 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %} <|im_end|>"
    " {% endfor %}{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


def make_tokenizer(words=WORDS):
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    vocabulary = {word: index for index, word in enumerate([*MARKS, "<unk>", *words])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS])
    # its processor takes no other
    kind = transformers.PreTrainedTokenizerFast if NEWEST else transformers.Qwen2TokenizerFast
    return kind(tokenizer_object=inner, unk_token="<unk>", eos_token="<|im_end|>", pad_token="<|endoftext|>")


TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
VISION = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32}
IDS = {"image_token_id": 5, "video_token_id": 6, "vision_start_token_id": 3, "vision_end_token_id": 4}


def qwen3(vocabulary):
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2], "mrope_interleaved": True}
    text = TEXT | {"vocab_size": vocabulary, "head_dim": 16, "rope_parameters": rope}
    vision = VISION | {"deepstack_visual_indexes": [0, 1], "num_position_embeddings": 64}
    config = transformers.Qwen3VLConfig(text_config=text, vision_config=vision, **IDS)
    return transformers.Qwen3VLForConditionalGeneration(config)


def qwen2_5(vocabulary):
    text = TEXT | {
        "vocab_size": vocabulary,
        "rope_theta": 10000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": [4, 2, 2]},
    }
    vision = VISION | {"patch_size": 16, "window_size": 64, "fullatt_block_indexes": [1]}
    config = transformers.Qwen2_5_VLConfig(vision_config=vision, **text, **IDS)
    return transformers.Qwen2_5_VLForConditionalGeneration(config)


def make_model(vocabulary, seed=3):
    torch.manual_seed(seed)
    model = (qwen3 if NEWEST else qwen2_5)(vocabulary)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.5 if "lm_head" in name else weight[0].numel() ** -0.5 * 2)
    model.generation_config.eos_token_id = 2
    return model.eval()


def make_processor(tokenizer):
    patches = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
    least, most = 32 * 32, 64 * 64  # pixels
    if not NEWEST:
        eye = transformers.Qwen2VLImageProcessor(**patches, min_pixels=least, max_pixels=most)
        return transformers.Qwen2_5_VLProcessor(eye, tokenizer, chat_template=TEMPLATE)
    eye = transformers.Qwen2VLImageProcessor(**patches, size={"shortest_edge": least, "longest_edge": most})
    return transformers.Qwen3VLProcessor(
        eye, tokenizer, transformers.Qwen3VLVideoProcessor(**patches), chat_template=TEMPLATE
    )


def write_vlm(folder: Path, words=WORDS, seed=3) -> Path:
    tokenizer = make_tokenizer(words)
    make_processor(tokenizer).save_pretrained(folder)
    make_model(len(tokenizer), seed).save_pretrained(folder)
    return folder
