"""What an artist may want of a running search: pause it, let it go on, end it with the best so far. No server."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import comfy.model_management as memory

from ....search.trace import Trace

RUNNING = ("running", "paused", "finishing", "waiting")  # waiting: for the artist to pick
STATUS = {"finish": "finishing", "pause": "paused", "continue": "running"}  # by what is asked for
LOOK = 0.1  # seconds between two looks at whether somebody could still end a pause


class Finish(BaseException):
    """The artist takes the best so far. As with the host's interrupt, nothing that catches `Exception` stops it."""


class Control:
    """Steered from any thread; heard by the one that searches.

    Args:
        watch: Begins to look, at the begin of a pause, whether everybody who could end it is gone; gives that look.
        abandoned: Called once that is so.
    """

    def __init__(
        self,
        watch: Callable[[], Callable[[], bool]] = lambda: lambda: False,
        abandoned: Callable[[], None] = lambda: None,
    ):
        self.status = "running"
        self._watch, self._abandoned = watch, abandoned
        self._changed = threading.Condition()
        self._paused_at, self._lost = 0.0, 0.0
        self._trace: Trace | None = None  # while the search itself runs

    def steer(self, action: str) -> None:
        """ "finish", "pause" or "continue"; finishing is for good."""
        with self._changed:
            if self.status != "finishing":
                self._stop_the_clock(action == "pause")
                self.status = STATUS[action]
            self._changed.notify_all()

    def check(self) -> None:
        """Between batches, and after every step: waits through a pause; raises Finish where that is asked for and there
        is a picture to finish with.
        """
        if self.status == "paused":
            self._wait()
        trials = self._trace.trials if self._trace is not None and self.status == "finishing" else ()
        if any(trial.finished for trial in trials):
            raise Finish

    @contextmanager
    def searching(self, trace: Trace) -> Iterator[None]:
        """Around the search itself: the only place that the artist's Finish ends."""
        self._trace = trace
        try:
            yield
        except Finish:
            trace.stopped = "you"
        finally:
            self._trace = None

    def clock(self) -> float:
        """Seconds that stand still while the search is paused."""
        now = time.monotonic()
        return now - self._lost - (now - self._paused_at if self._paused_at else 0.0)

    def _wait(self) -> None:
        """Until somebody goes on, or nobody is there any more who could: a pause holds everybody's queue."""
        gone = self._watch()
        while self.status == "paused":
            memory.throw_exception_if_processing_interrupted()
            if gone():
                self._abandoned()
            with self._changed:
                if self.status == "paused":
                    self._changed.wait(LOOK)

    def _stop_the_clock(self, on: bool) -> None:
        if on and not self._paused_at:
            self._paused_at = time.monotonic()
        elif not on and self._paused_at:
            self._lost += time.monotonic() - self._paused_at
            self._paused_at = 0.0
