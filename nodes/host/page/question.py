"""What waits for the artist: who can be asked, for how long, and what was answered."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_management as memory

from .audience import Audience
from .messages import PickStatus
from .pages import Watch, note_unanswered, queued_by_page

POLL = 0.1  # seconds between two looks at the host's interrupt

WHY = {
    "alone": "no page of ComfyUI queued this, so nobody could be asked",
    "closed": "the page was closed",
    "timeout": "nobody answered in time",
    "left": "you left it to the node",
    "typed": "choice says so",
}

_lock = threading.Lock()


@dataclass(frozen=True)
class Answer:
    """What was picked: places or ids, best first; `roll` where other pictures are wanted.

    Args:
        by: "artist", "verifier", "scores" (that came in from elsewhere), "first" (nothing to go by) or "search".
        why: A key of `WHY`, or "".
    """

    picked: tuple[int, ...] = ()
    by: str = "artist"
    why: str = ""
    roll: bool = False


class Question:
    """Asked by the thread that runs the prompt, answered once: by the routes, or by nobody.

    Args:
        hidden: The hidden inputs of the node that asks.
        asking: That node.
        audience: Who sees it, and who may answer.
        fallback: What is taken if nobody answers.
        wake: Called where an answer has come; a RuntimeError of it says that nothing waits any more.
        told: Called after an answer.
    """

    def __init__(
        self,
        hidden: Any,
        asking: str,
        audience: Audience,
        fallback: Answer,
        wake: Callable[[], object],
        told: Callable[[], object] = lambda: None,
    ):
        self.asking, self.audience, self.fallback, self.answer = asking, audience, fallback, fallback
        self.status: PickStatus = "waiting"
        self.deadline, self._offered, self._wake, self._told = 0.0, False, wake, told
        self._from_page = isinstance((hidden.extra_pnginfo or {}).get("workflow"), dict)

    def can_be_asked(self) -> bool:
        """Whether a page queued the prompt that runs: a script is not kept waiting."""
        return self._from_page and queued_by_page()

    def unasked(self, why: str) -> Answer:
        """What is taken, and why nobody answered."""
        return Answer(self.fallback.picked, self.fallback.by, why)

    def begin(self, minutes: float) -> None:
        """The time begins to run.

        Args:
            minutes: How long to wait, 0 = as long as a page that shows it is open.
        """
        self._pages = Watch(self.audience.is_attended)
        self.deadline = time.monotonic() + minutes * 60 if minutes else 0.0

    def waits(self) -> bool:
        """A look at the host's interrupt, which ends it, at the time and at the pages; whether it still waits."""
        memory.throw_exception_if_processing_interrupted()
        self._offer()
        if (why := self._nobody()) and self.give(self.unasked(why)):
            note_unanswered(self.asking)
        return self.status == "waiting"

    def give(self, answer: Answer) -> bool:
        """Answers; False where it was answered already, or nothing waits for it any more."""
        with _lock:
            if self.status != "waiting":
                return False
            self.answer, self.status = answer, "rolled" if answer.roll else "picked"
        try:
            self._wake()
        except RuntimeError:  # the prompt has ended, and its loop with it
            self.cancel()
            return False
        self._told()
        return True

    def leave(self) -> bool:
        return self.give(self.unasked("left"))

    def cancel(self) -> None:
        """Nothing waits for an answer any more."""
        self.status = "cancelled"

    def is_offered(self) -> bool:
        """Whether another page may be shown it and take it over: it waits, and no page that could answer is open."""
        return self.status == "waiting" and not self.audience.is_steered()

    def seconds_left(self) -> float | None:
        """None = no limit."""
        return max(0.0, self.deadline - time.monotonic()) if self.deadline else None

    def _nobody(self) -> str:
        """Why nobody will answer, a key of `WHY`; "" while somebody may."""
        if self.deadline and time.monotonic() > self.deadline:
            return "timeout"
        return "closed" if self._pages.all_gone() else ""

    def _offer(self) -> None:
        """Other pages are told once when the last one that can answer is closed."""
        before, self._offered = self._offered, self.is_offered()
        if self._offered and not before:
            self.audience.offer()
