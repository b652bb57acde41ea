"""A process from inside: its resident memory at the peak, the time of a thread, and the lines of this pack
where they go.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import numpy
import psutil

PACK = Path(__file__).resolve().parents[1]
PARTS = ("nodes", "search", "verifiers")
SECONDS = 0.002  # between two looks


class Stopwatch:
    """What `ours` takes on the thread that calls it, in processor time and by the clock, without `theirs`, which it
    calls: an array of these two, in seconds.
    """

    def __init__(self) -> None:
        self.own, self.theirs, self.depth = numpy.zeros(2), numpy.zeros(2), 0
        self.thread = 0  # the one on which `ours` runs

    def ours(self, function: Callable) -> Callable:
        @wraps(function)
        def measured(*arguments: Any, **options: Any) -> Any:
            began, self.theirs, self.thread = spent(), numpy.zeros(2), threading.get_ident()
            try:
                return function(*arguments, **options)
            finally:
                self.own, self.thread = self.own + spent() - began - self.theirs, 0

        return measured

    def theirs_in(self, owner: Any, name: str) -> None:
        """What this function takes is not ours."""
        function = getattr(owner, name)

        @wraps(function)
        def measured(*arguments: Any, **options: Any) -> Any:
            self.enter()
            try:
                return function(*arguments, **options)
            finally:
                self.leave()

        setattr(owner, name, measured)

    def enter(self, *_: Any) -> None:
        if threading.get_ident() == self.thread:
            self.depth += 1
            if self.depth == 1:
                self._began = spent()

    def leave(self, *_: Any) -> None:
        if threading.get_ident() == self.thread:
            self.depth -= 1
            if self.depth == 0:
                self.theirs += spent() - self._began


def spent() -> numpy.ndarray:
    return numpy.array([time.thread_time(), time.monotonic()])


class Watch(threading.Thread):
    """Looks on from a thread of its own while its block runs.

    Args:
        stopwatch: Knows the thread whose lines are of interest, and when what it does is not ours.
    """

    def __init__(self, stopwatch: Stopwatch):
        super().__init__(daemon=True)
        self.stopwatch, self.over = stopwatch, threading.Event()
        self.start_bytes, self.peak, self.peak_at = 0, 0, ""
        self.lines = Counter[str]()  # seconds of processor time

    def __enter__(self) -> Watch:
        give_back()
        self.start_bytes = resident()
        forget_the_peak()
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.join()
        self.peak = max(self.peak, highest())

    def run(self) -> None:
        thread, now_at = 0, 0.0
        while not self.over.wait(SECONDS):
            now, line = resident(), line_of(sys._current_frames().get(self.stopwatch.thread))
            if now > self.peak:
                self.peak, self.peak_at = now, line
            before, now_at = now_at, processor_time(self.stopwatch.thread)
            if line and thread == self.stopwatch.thread and not self.stopwatch.depth:  # who waits spends nothing
                self.lines[line] += now_at - before
            thread = self.stopwatch.thread

    def shares(self, most: int) -> list[tuple[str, float]]:
        """The lines that took most of the thread's processor time, and their shares of it."""
        spent = max(self.lines.total(), 1e-9)
        return [(line, seconds / spent) for line, seconds in self.lines.most_common(most)]


def processor_time(thread: int) -> float:
    """Seconds that this running thread has taken, 0 where the system does not say."""
    if thread and hasattr(time, "pthread_getcpuclockid"):
        return time.clock_gettime(time.pthread_getcpuclockid(thread))
    return 0.0


def line_of(frame: FrameType | None) -> str:
    """The innermost line of this pack, "" where there is none."""
    while frame is not None:
        file = Path(frame.f_code.co_filename).resolve()
        if PACK in file.parents and file.relative_to(PACK).parts[0] in PARTS:
            return f"{file.relative_to(PACK).as_posix()}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def give_back() -> None:
    """Collects garbage, and has glibc return free memory, where there is one."""
    gc.collect()
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def resident() -> int:
    return psutil.Process().memory_info().rss


def forget_the_peak() -> None:
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def highest() -> int:
    """The system's own record of the resident memory since the peak was forgotten; 0 where it keeps none."""
    if sys.platform != "linux":
        return 0
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def limit_data(room: int) -> None:
    """Lets this process take no more than `room` bytes beyond what it has, of what it may write to and has for itself.

    That is the system's count of allocated, not of touched pages; large tensors are both.
    """
    import resource

    status = Path("/proc/self/status").read_text(encoding="ascii")
    has = 1024 * int(status.partition("VmData:")[2].split()[0])
    resource.setrlimit(resource.RLIMIT_DATA, (has + room, has + room))
