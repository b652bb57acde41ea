"""Failures of a model, a VAE or a verifier: told with the part that failed, the candidates that it failed for, and what
to do.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import comfy.model_management as memory

from ...search.path import Proposal
from ...search.run import how_of
from .compat import is_out_of_memory

NAMED = 3  # candidates in a message
SAMPLING = "Try the same inputs in a KSampler: the search runs them as that does."
DECODING = "Check that it is the VAE of this model; VAE Decode should be able to decode the same latents."
JUDGING = "Try it alone with Verifier Score, or go on with another verifier."
SECOND_JUDGE = "The search itself is over: disconnect held_out and queue again."
ACCEPTING = "The search itself is over: disconnect accept and queue again."
COMBINING = "Check its settings, or connect another verifier."


class PartFailed(RuntimeError):
    """A part of the workflow failed; the message says which, for what, and what to do."""

    __module__ = "noise_search"  # the host shows it; its own would be a path


class JudgeFailed(RuntimeError):
    """A verifier failed; the message names it. Whoever asked it says for what."""


class OutOfMemory(memory.OOM_EXCEPTION):
    """There was no room even for one picture at a time. The host takes it for its own: it empties the memory and gives
    its tips.
    """

    __module__ = "noise_search"


class failing:
    """Around what a part of the workflow does: its errors leave as PartFailed, interrupts as they are.

    Args:
        part: As a sentence begins: "The VAE".
        proposed: Candidates that it works on.
        advice: What to do about it, a sentence.
    """

    def __init__(self, part: str, proposed: Sequence[Proposal], advice: str):
        self.part, self.proposed, self.advice = part, proposed, advice

    def __enter__(self) -> None:
        """Nothing is needed before it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or isinstance(
            error, (memory.InterruptProcessingException, PartFailed, OutOfMemory)
        ):
            return
        if is_out_of_memory(error):
            raise OutOfMemory(
                f"{self.part} ran out of memory with one picture at a time{given(self.proposed)}: {error_text(error)}. "
                "Make smaller pictures, or free memory that other programs and models take."
            ) from error
        text = error_text(error)
        what = text if text.startswith(self.part) else f"{self.part} failed: {text}"
        raise PartFailed(f"{what}{given(self.proposed)}. {self.advice}") from error


class judging:
    """Around what one verifier measures: errors that were not written for the artist leave with its name."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None:
        """Nothing is needed before it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        passes = (memory.InterruptProcessingException, ValueError, JudgeFailed)
        if isinstance(error, Exception) and not isinstance(error, passes) and not is_out_of_memory(error):
            raise JudgeFailed(f"{self.name} failed: {error_text(error)}") from error


def error_text(error: Exception) -> str:
    """What an error says, without a full stop; its kind where the text was not written for the artist."""
    text = str(error).strip().rstrip(".")
    return (
        text
        if isinstance(error, (ValueError, JudgeFailed)) and text
        else f"{type(error).__name__}: {text}".rstrip(": ")
    )


def given(proposed: Sequence[Proposal]) -> str:
    return f" (at {named(proposed)})" if proposed else ""


def named(proposed: Sequence[Proposal]) -> str:
    names = [candidate_name(one) for one in proposed]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def candidate_name(proposed: Proposal) -> str:
    """ "seed 5", or how it was made of what."""
    if proposed.plain_seed is not None:
        return f"seed {proposed.plain_seed}"
    origin = proposed
    while origin.parents:
        origin = origin.parents[0]
    source = f"seed {origin.seed}" if origin.operation == "fresh" else "what came in"
    return f"{how_of(proposed)} of {source}" if origin is not proposed else "the noise that came in"


def short(value: Any) -> str:
    """What somebody sent, for a message: at most 80 characters."""
    text = repr(value[:100] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."
