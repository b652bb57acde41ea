"""Failures of a model, a VAE or a verifier: told with the part that failed, the candidates that it failed for, and what to do."""

from collections.abc import Sequence
from types import TracebackType

import comfy.model_management as memory

from ...search.path import Tried
from ...search.run import HOW
from .versions import is_out_of_memory

NAMED = 3  # candidates in a message
SAMPLING = "Try the same inputs in a KSampler: the search runs them as that does."
DECODING = "Check that it is the VAE of this model; VAE Decode should be able to decode the same latents."
JUDGING = "Try it alone with Verifier Score, or go on with another verifier."
SECOND_JUDGE = "The search itself is over: disconnect held_out and queue again."
COMBINING = "Check its settings, or connect another verifier."


class PartFailed(RuntimeError):
    """A part of the workflow failed; the message says which, for what, and what to do."""

    __module__ = "noise_search"  # the host shows it; its own would be a path


class JudgeFailed(RuntimeError):
    """A verifier failed; the message names it. Whoever asked it says for what."""


class OutOfMemory(memory.OOM_EXCEPTION):
    """There was no room even for one picture at a time. The host takes it for its own: it empties the memory and gives its tips."""

    __module__ = "noise_search"


class failing:
    """Around what a part of the workflow does: its errors leave as PartFailed, interrupts as they are.

    Args:
        part: As a sentence begins: "The VAE".
        tried: Candidates that it works on.
        advice: What to do about it, a sentence.
    """

    def __init__(self, part: str, tried: Sequence[Tried], advice: str):
        self.part, self.tried, self.advice = part, tried, advice

    def __enter__(self) -> None:
        """Nothing is needed before it."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if not isinstance(error, Exception) or isinstance(error, (memory.InterruptProcessingException, PartFailed, OutOfMemory)):
            return
        if is_out_of_memory(error):
            raise OutOfMemory(f"{self.part} ran out of memory with one picture at a time{given(self.tried)}: {told(error)}. "
                              "Make smaller pictures, or free memory that other programs and models take.") from error
        text = told(error)
        what = text if text.startswith(self.part) else f"{self.part} failed: {text}"
        raise PartFailed(f"{what}{given(self.tried)}. {self.advice}") from error


class judging:
    """Around what one verifier measures: errors that were not written for the artist leave with its name."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None:
        """Nothing is needed before it."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        passes = (memory.InterruptProcessingException, ValueError, JudgeFailed)
        if isinstance(error, Exception) and not isinstance(error, passes) and not is_out_of_memory(error):
            raise JudgeFailed(f"{self.name} failed: {told(error)}") from error


def told(error: Exception) -> str:
    """What an error says, without a full stop; its kind where the text was not written for the artist."""
    text = str(error).strip().rstrip(".")
    return text if isinstance(error, (ValueError, JudgeFailed)) and text else f"{type(error).__name__}: {text}".rstrip(": ")


def given(tried: Sequence[Tried]) -> str:
    return f" (at {named(tried)})" if tried else ""


def named(tried: Sequence[Tried]) -> str:
    names = [name_of(one) for one in tried]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def name_of(tried: Tried) -> str:
    """ "seed 5", or how it was made of what."""
    if tried.plain_seed is not None:
        return f"seed {tried.plain_seed}"
    origin = tried
    while origin.parents:
        origin = origin.parents[0]
    source = f"seed {origin.seed}" if origin.operation == "fresh" else "what came in"
    return f"{HOW[tried.operation]} of {source}" if origin is not tried else "the noise that came in"
