"""What is being done for a round, told while it is done: loading, sampling step by step, decoding, judging."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..setup.noise import Latent, streams
from .watcher import Doing


class Making:
    """Follows one evaluator through its rounds. Outside of a round nothing is told: what is sampled then is made again.

    Args:
        tell: Called on the thread that samples.
    """

    def __init__(self, tell: Callable[[Doing], None] = lambda doing: None):
        self._tell = tell
        self._count, self._before, self._rows, self._loading = 0, 0, (), False

    @contextmanager
    def round(self, count: int) -> Iterator[None]:
        """Around the making of so many candidates."""
        self._count = count
        try:
            yield
        finally:
            self._count, self._rows, self._loading = 0, (), False

    @contextmanager
    def ahead(self, count: int) -> Iterator[None]:
        """Within a round, while all of it is judged elsewhere: around the making of so many more, which come behind
        it.
        """
        self._before = self._count
        self._count += count
        try:
            yield
        finally:
            self._count, self._before, self._rows, self._loading = self._before, 0, (), False

    def batch(self, rows: Sequence[int]) -> None:
        """These are sampled together next; until the model is called, what it needs is loaded."""
        self._loading = True
        self._now("loading", rows)

    def called(self, steps: int) -> None:
        """The model is called: it is loaded."""
        if self._loading:
            self._loading = False
            self._now("sampling", self._rows, steps=steps)

    def step(self, step: int, steps: int, expected: Latent, patcher: Any) -> None:
        """So many steps are done, after which the model `patcher` expects this."""
        rows = streams(expected)[0]
        if len(rows) == len(self._rows):  # not a parent's state, sampled anew on the way
            self._now("sampling", self._rows, step, steps, rows, patcher)

    def decoding(self, rows: Sequence[int]) -> None:
        self._now("decoding", rows)

    def judging(self) -> None:
        self._now("judging", range(self._count))

    def _now(self, what: Any, rows: Sequence[int], *more: Any, **named: Any) -> None:
        self._rows = tuple(rows)
        if self._count:
            places = tuple(self._before + row for row in rows)
            self._tell(Doing(what, self._count, places, *more, **named, judged=self._before))
