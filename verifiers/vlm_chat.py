"""The contract of a vision-language model: something that is shown pictures and asked about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from PIL import Image
from torch import nn

from .vlm_reply import Reply, ReplyError, marks, spoken

TOKENS = (1024, 4096, 4096)  # that a reply may have, at each attempt
PERCENT = "percent"


@dataclass(frozen=True)
class Ask:
    """One question.

    Args:
        pictures: What it is about, in RGB.
        text: The question.
        label: Which picture of the batch it is about, for messages.
        earlier: A reply to the same question that could not be used, and what was wrong with it.
    """

    pictures: tuple[Image.Image, ...]
    text: str
    label: str
    earlier: tuple[str, str] | None = None


class Chat(Protocol):
    """A vision-language model; it answers questions independently of each other."""

    name: str  # for messages
    modules: tuple[nn.Module, ...]  # what has weights, for the host to move; () for a server

    def replies(self, asks: Sequence[Ask], tokens: int, schema: dict[str, Any] | None) -> list[Reply]:
        """What it says, at most `tokens` long, where possible as JSON of the schema."""
        ...

    def chances(self, asks: Sequence[Ask], options: tuple[str, str]) -> list[float]:
        """How likely its answer is the first option rather than the second, 0 to 1 each."""
        ...


def marked(
    chat: Chat, asks: Sequence[Ask], names: Sequence[str], top: float, schema: dict[str, Any]
) -> list[list[float]]:
    """Marks from 0 to `top`, one row per question; a reply that cannot be used is asked for again, with what was
    wrong.
    """
    done: dict[int, list[float]] = {}
    waiting, problem = dict(enumerate(asks)), ""
    for tokens in TOKENS:
        replies = chat.replies(list(waiting.values()), tokens, schema)
        for (index, ask), reply in zip(list(waiting.items()), replies):
            try:
                done[index] = marks(reply, names, top)
                del waiting[index]
            except ReplyError as error:
                problem = f"{ask.label}: {chat.name} must answer with a score for {', '.join(names)}, but {error}"
                waiting[index] = replace(
                    ask, earlier=(spoken(reply.text), f"That cannot be used: {error}. Answer again, with JSON only.")
                )
        if not waiting:
            return [done[index] for index in range(len(asks))]
    raise ReplyError(problem)


def schema_of(names: Sequence[str], explained: bool = True) -> dict[str, Any]:
    """JSON schema of marks under the given names; the explanation comes before the score, which it should lead to."""
    mark: dict[str, Any] = {"type": "number"}
    if explained:
        mark = {
            "type": "object",
            "properties": {"explanation": {"type": "string"}, "score": {"type": "number"}},
            "required": ["explanation", "score"],
            "additionalProperties": False,
        }
    fields = dict.fromkeys(names, mark)
    if not explained:
        fields = {"explanation": {"type": "string"}, **fields}
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
