"""Prompts: what a verifier reads of a prompt that was written for ComfyUI."""

import re

NETWORK = re.compile(r"<\s*(?:lora|lyco|locon|hypernet)\s*:[^<>]*>", re.IGNORECASE)
EMBEDDING = re.compile(r"\bembedding:[^\s,()]+", re.IGNORECASE)
BREAK = re.compile(r"\bBREAK\b")
WEIGHT = re.compile(r":\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*(?=\))")
OPEN, CLOSE = "\0", "\1"  # stand for escaped parentheses, which are text


def plain(prompt: str) -> str:
    r"""The prompt without what only ComfyUI understands; apply once, since `\(` becomes `(`.

    Removes weights `(cat:1.2)` and emphasis `((cat))`, `<lora:name:0.8>`, `embedding:name` and BREAK.
    """
    text = prompt.replace(r"\(", OPEN).replace(r"\)", CLOSE)
    for extra in (NETWORK, EMBEDDING, BREAK):
        text = extra.sub(" ", text)
    text = re.sub(r"[()]", "", WEIGHT.sub("", text))
    return _tidy(text).replace(OPEN, "(").replace(CLOSE, ")")


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+,", ",", text)
    return re.sub(r",(?:\s*,)+", ",", text).strip(" ,")
