"""Prompts: what a verifier reads of a prompt that was written for ComfyUI."""

import re

NETWORK = re.compile(r"<\s*(?:lora|lyco|locon|hypernet)\s*:[^<>]*>", re.IGNORECASE)
EMBEDDING = re.compile(r"\bembedding:[^\s,()]+", re.IGNORECASE)
BREAK = re.compile(r"\bBREAK\b")
WEIGHT = re.compile(r":\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*(?=\))")
MARKS = re.compile(r"<\|[^<>|]{1,40}\|>")  # of chat templates, as <|im_end|>
TURN = re.compile(r"<\|im_start\|>\s*user\b(.*?)(?=<\|im_end\|>|<\|im_start\|>|\Z)", re.DOTALL)
HEADED = re.compile(
    r"<\|start_header_id\|>\s*user\s*<\|end_header_id\|>(.*?)(?=<\|eot_id\|>|<\|start_header_id\|>|\Z)", re.DOTALL
)
START = re.compile(r"<\s*prompt start\s*>", re.IGNORECASE)
ASSISTANT = re.compile(r"\A\s*You are an?\s(?:[\w-]+\s){0,5}assistant\b[^.:!?\n]*(?:[.:!?\n]\s*|\Z)", re.IGNORECASE)
OPEN, CLOSE = "\0", "\1"  # stand for escaped parentheses, which are text


def without_preamble(prompt: str) -> str:
    """The artist's part of a text that also tells a language model what it is: "You are an assistant … <Prompt Start> a
    red fox", or a chat template with a turn of the user in it.
    """
    turns = TURN.findall(prompt) or HEADED.findall(prompt) or [prompt]
    text = ASSISTANT.sub("", START.split(MARKS.sub(" ", turns[-1]))[-1], count=1)
    return prompt if text == prompt else text.strip()


def plain(prompt: str) -> str:
    r"""The prompt without what only ComfyUI and language models understand; apply once, since `\(` becomes `(`.

    Removes weights `(cat:1.2)` and emphasis `((cat))`, `<lora:name:0.8>`, `embedding:name`, BREAK and what tells a
    language model its part.
    """
    text = without_preamble(prompt).replace(r"\(", OPEN).replace(r"\)", CLOSE)
    for extra in (NETWORK, EMBEDDING, BREAK):
        text = extra.sub(" ", text)
    text = re.sub(r"[()]", "", WEIGHT.sub("", text))
    return _tidy(text).replace(OPEN, "(").replace(CLOSE, ")")


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+,", ",", text)
    return re.sub(r",(?:\s*,)+", ",", text).strip(" ,")
