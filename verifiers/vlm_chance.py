"""How likely a model was to begin its answer with one word rather than another, from the probabilities that a server
returns.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

LEAST = 0.05  # of the probability that the two words must have together, where neither was said
DOUBT = 0.02  # how much a word that is not listed may matter


def chance(tokens: Sequence[Mapping[str, Any]], said: str, options: tuple[str, str]) -> float | None:
    """P(first option) against the second, 0 to 1; None if the tokens do not tell.

    Args:
        tokens: `logprobs.content` of an OpenAI-compatible answer: token, logprob, top_logprobs.
        said: The answer's text, without thoughts that came in a field of their own.
        options: Two words that differ in their first token, such as ("yes", "no").
    """
    answer = _answer(tokens, said)
    if not answer:
        return None
    wanted = tuple(option.casefold() for option in options)
    at = next((index for index, token in enumerate(answer) if _word(token["token"]) in wanted), 0)
    listed = _listed(answer[at])
    first, second = (sum(math.exp(value) for token, value in listed.items() if _word(token) == word) for word in wanted)
    if first + second < LEAST and _word(answer[at]["token"]) not in wanted:
        return None
    if first and second:
        return first / (first + second)
    return _one_sided(first, second, listed)


def _one_sided(first: float, second: float, listed: Mapping[str, float]) -> float | None:
    """One word is not listed, so it has less than the least probable that is, and less than what all leave over."""
    masses = [math.exp(value) for value in listed.values()]
    unlisted = max(0.0, min(min(masses), 1 - sum(masses)))
    if unlisted / (first + second + unlisted) > DOUBT:
        return None
    half = unlisted / 2
    return (first or half) / (first + second + half)


def _answer(tokens: Sequence[Mapping[str, Any]], said: str) -> list[Mapping[str, Any]]:
    """The tokens of the answer itself, behind any thoughts."""
    text = "".join(token["token"] for token in tokens)
    begin = text.rfind("</think>") + len("</think>") if "</think>" in text else max(0, text.rfind(said.strip()))
    place, answer = 0, []
    for token in tokens:
        place += len(token["token"])
        if place > begin:
            answer.append(token)
    return answer


def _listed(token: Mapping[str, Any]) -> dict[str, float]:
    """Tokens that could have stood here and the logarithms of their probabilities, the one that stands here among
    them.
    """
    others = {other["token"]: float(other["logprob"]) for other in token.get("top_logprobs") or []}
    return {token["token"]: float(token["logprob"])} | others


def _word(token: str) -> str:
    return re.sub(r"[\W_Ġ]+", "", token).casefold()
