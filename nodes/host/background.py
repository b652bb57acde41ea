"""Work that the card does not need, on a thread of its own while the next candidates are sampled."""

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

log = logging.getLogger("noise_search")

ROOM = 2**27  # bytes of tensors that may wait


class Background:
    """Does one thing after the other, in the order that they came, as seen from the prompt that asked for them.

    Use it as a context manager: what still waits at the end is done; where the block failed, its error stays the error.

    Args:
        room: Bytes of tensors that may wait. Where it would be more, whoever adds to it waits for the oldest.
    """

    def __init__(self, room: int = ROOM):
        self.room = room
        self._pool = ThreadPoolExecutor(1, "noise_search")  # its thread begins with the first work
        self._waiting: deque[tuple[Future, int]] = deque()

    def do(self, work: Callable[..., Any], *arguments: Any, size: int = 0) -> Future:
        """Soon.

        Args:
            size: Bytes of the tensors that the work holds.

        Raises:
            Exception: What earlier work raised, once; this work is done all the same.
        """
        try:
            while self._waiting and (self._waiting[0][0].done() or self._held() + size > self.room):
                self._waiting.popleft()[0].result()
        finally:
            future = self._pool.submit(copy_context().run, work, *arguments)
            self._waiting.append((future, size))
        return future

    def settle(self) -> None:
        """Waits until everything is done.

        Raises:
            Exception: What the first of it raised that failed.
        """
        while self._waiting:
            self._waiting.popleft()[0].result()

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            self.settle()
        except Exception as problem:
            if kind is None:
                raise
            log.warning("Beside the error that ended the search: %s", str(problem))
        finally:
            self._pool.shutdown()

    def _held(self) -> int:
        return sum(size for _, size in self._waiting)
