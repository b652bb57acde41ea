"""Prompts that tell a model how to change a picture, "remove the hat", and describe no picture."""

import re
from collections.abc import Mapping
from typing import Any

from .kinds import Kind
from .upstream import is_link

EDITORS = re.compile(r"Edit(?![a-z])|Kontext")  # in names of nodes that are for nothing else
PICTURES = ("IMAGE", "LATENT", "CLIP_VISION_OUTPUT", "VIDEO")  # types of inputs that a picture comes in by
BEGIN = re.compile(
    r"\W*(?:please\s+)?(?:add|adjust|alter|apply|change|colou?ri[sz]e|convert|crop|delete|draw|edit|erase|extract|fix"
    r"|have|keep|let|make|modify|move|paint|put|recolou?r|relight|remove|replace|restore|restyle|rotate|swap|transform"
    r"|turn|use|using)\b",
    re.IGNORECASE,
)
MENTION = re.compile(
    r"\b(?:the|this) (?:image|picture|photo|video)\b|\b(?:image|picture|figure) \d"
    r"|把|换成|替换|移除|去掉|去除|删除|添加|改成|改为|变成|变为|保持|参考|重新",
    re.IGNORECASE,
)


def is_order(text: str) -> bool:
    """Whether a text reads like an order to change a picture."""
    return bool(BEGIN.match(text) or MENTION.search(text))


def takes_picture(kind: Kind, inputs: Mapping[str, Any]) -> bool:
    """Whether a picture, or a latent of one, comes into a node."""
    return any(
        kind.type_of(key) in PICTURES or (not kind.type_of(key) and "image" in key)
        for key, value in inputs.items()
        if is_link(value)
    )
