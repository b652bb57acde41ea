"""Replies of vision-language models: a value that the reply states beyond doubt, or an error; never a guess."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
OPENED = re.compile(r"<think(?:ing)?>.*", re.DOTALL | re.IGNORECASE)
CLOSED = re.compile(r".*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
NUMBER = r"[-+]?\d+(?:[.,]\d+)?"


class ReplyError(ValueError):
    """A reply that states no value beyond doubt."""


@dataclass(frozen=True)
class Reply:
    """What a model said.

    Args:
        text: With its thoughts, fences and all.
        cut: Whether it was not allowed to finish.
    """

    text: str
    cut: bool = False


def spoken(text: str) -> str:
    """The text without thoughts: closed ones, one that never ends, one whose beginning was in the question."""
    return OPENED.sub("", CLOSED.sub("", THOUGHTS.sub("", text))).strip()


def marks(reply: Reply, names: Sequence[str], top: float) -> list[float]:
    """The mark from 0 to `top` that a reply gives to each name: from JSON, also in fences or cut short, or from lines
    of text.
    """
    text = spoken(reply.text)
    if not text:
        raise ReplyError("it is empty")
    wanted = [_letters(name) for name in names]
    for found in reversed(list(_objects(text))):
        entries = {_letters(key): value for key, value in found.items()}
        if set(wanted) <= entries.keys():
            return [_mark(_score(entries[key]), name, top) for key, name in zip(wanted, names)]
    return [_mark(part, name, top) for part, name in zip(_stated(text, names, reply.cut), names)]


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Every JSON object in a text, outer ones before those in them."""
    decoder, at = json.JSONDecoder(), 0
    while (at := text.find("{", at)) >= 0:
        try:
            content, end = decoder.raw_decode(text, at)
        except ValueError:
            at += 1
            continue
        yield from _nested(content)
        at = end


def _nested(content: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, Mapping):
        yield content
        for value in content.values():
            yield from _nested(value)


def _score(entry: Any) -> Any:
    if isinstance(entry, Mapping):
        found = [value for key, value in entry.items() if _letters(key) in ("score", "rating", "mark")]
        return found[0] if len(found) == 1 else None
    return entry


def _stated(text: str, names: Sequence[str], cut: bool) -> list[str]:
    """The number stated behind each name, where JSON is broken or there is none."""
    places = []
    for name in names:
        found = [place.start() for place in re.finditer(rf"{_spelled(name)}[\"'*_\s]*[:=]", text, re.IGNORECASE)]
        if len(found) != 1:
            raise ReplyError(f"it says {'nothing' if not found else 'more than one thing'} of {name}")
        places += found
    parts = [text[start : min((other for other in places if other > start), default=None)] for start in places]
    return [_number(part, name, cut and start == max(places)) for part, name, start in zip(parts, names, places)]


def _number(part: str, name: str, cut: bool) -> str:
    """The one score in the part of a text that begins with a name; what stands at a cut may be half a number."""
    if re.match(rf"{_spelled(name)}[\"'*_\s]*[:=]\s*{{", part, re.IGNORECASE):
        part = part[: part.find("}") + 1] or part
    label = rf"(?:\b(?:score|rating|mark)\b|^{_spelled(name)})[\"'*_\s]*[:=][\"'*_\s]*"
    end = r"(?=[\"'*_\s;)}\]]|,\D|\.\s)" if cut else r"(?=[\"'*_\s,;)}\]]|\.(?!\d)|$)"
    values = {
        found[1]
        for found in re.finditer(rf"{label}({NUMBER}(?:\s*%|\s*/\s*\d+|\s*out of \d+)?){end}", part, re.IGNORECASE)
    }
    if len(values) != 1:
        raise ReplyError(f"it gives {'no' if not values else 'more than one'} score for {name}")
    return values.pop()


def _mark(value: Any, name: str, top: float) -> float:
    """A number from 0 to `top`, also where it is written as text, "7", "7.5" or "7/10"."""
    if isinstance(value, str):
        unit = rf"\s*(?:%|/\s*{top:g}|out of {top:g})?" if top == 100 else rf"\s*(?:/\s*{top:g}|out of {top:g})?"
        found = re.fullmatch(rf"\s*({NUMBER}){unit}\s*", value, re.IGNORECASE)
        value = float(found[1].replace(",", ".")) if found else value
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 <= value <= top
    ):
        raise ReplyError(f"{name} must be a number from 0 to {top:g}")
    return float(value)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _spelled(name: str) -> str:
    """A pattern for a name, however its words are joined."""
    return r"[\W_]+".join(map(re.escape, re.findall(r"[^\W_]+", name)))
