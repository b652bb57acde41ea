"""Previews of what is being sampled, at most a fiftieth of the time that sampling takes."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor

from ..background import Background
from ..engine.watcher import Doing
from ..files.previews import Previewers, as_address, is_light, pictures, stills

log = logging.getLogger("noise_search")

SHARE = 0.02  # of the time of sampling
GUESS = 0.005  # seconds per row, before a preview was made
EVERY = 0.25  # seconds between the first previews of two steps, at least

Deliver = Callable[[Mapping[int, str]], None]


class Allowance:
    """Time for previews: a share of what sampling took so far, less what they took.

    Args:
        clock: Seconds, which stand still in a pause.
    """

    def __init__(self, clock: Callable[[], float]):
        self.clock = clock
        self.worked, self.spent, self._each, self._since = 0.0, 0.0, 0.0, clock()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Sampling goes on now."""
        self._since = self.clock()

    def stepped(self) -> None:
        """A step is over."""
        self.worked += self.clock() - self._since

    def rows(self, most: int) -> int:
        """Of how many rows there may be a preview now: one, until it is known what that takes."""
        most, each = (most, self._each) if self._each else (1, GUESS)
        return max(0, min(most, int((SHARE * self.worked - self.spent) / each)))

    def spend(self, seconds: float, rows: int = 0) -> None:
        """This was taken: for the whole preview of so many rows, or for something else."""
        with self._lock:
            self.spent += seconds
            if rows:
                self._each = max(seconds / rows, 1e-6)


class Previewing:
    """Of one search. A preview must not cost it: where one fails, there are no more.

    Args:
        background: Where previews are made; never are two waiting there.
        clock: As of `Allowance`.
    """

    def __init__(self, background: Background, clock: Callable[[], float]):
        self.background, self.clock, self.allowance = background, clock, Allowance(clock)
        self._previewers, self._stopped = Previewers(), False
        self._last, self._next, self._waiting = 0.0, 0, False

    def make(self, doing: Doing, expected: Tensor, deliver: Deliver) -> None:
        """Of as many rows as there is time for, those that waited longest; `deliver` gets them by their places in the
        round, soon.
        """
        if self._stopped or self._waiting or self.clock() - self._last < EVERY:
            return
        if count := self.allowance.rows(len(doing.rows)):
            places = [(self._next + place) % len(doing.rows) for place in range(count)]
            work = None
            with self._harmless():
                work = self._begin(doing, stills(expected, places), [doing.rows[place] for place in places], deliver)
            self._last, self._next = self.clock(), places[-1] + 1
            if work:
                self._waiting = True
                self.background.do(work)  # may raise what earlier work raised, which is not a preview's to hide

    def stop(self) -> None:
        """Nothing is sampled any more: what the host previews with is let go."""
        self._stopped, self._previewers = True, Previewers()

    def _begin(
        self, doing: Doing, latents: Sequence[Tensor], rows: Sequence[int], deliver: Deliver
    ) -> Callable[[], None] | None:
        """What needs the card is done here, between two steps; the rest, or None where there are no previews."""
        began = self.clock()
        previewer = self._previewers.of(doing.patcher)
        self.allowance.spend(self.clock() - began)
        if previewer is None:
            return None
        latents[0].flatten()[0].item()  # waits for the step, whose time is not the preview's
        began = self.clock()
        light = is_light(previewer)
        made: Any = [latent.float().cpu() for latent in latents] if light else pictures(previewer, latents)
        return partial(self._finish, made, previewer if light else None, rows, deliver, self.clock() - began)

    def _finish(self, made: Any, previewer: Any, rows: Sequence[int], deliver: Deliver, before: float) -> None:
        """In the background."""
        began = self.clock()
        with self._harmless():
            shown = made if previewer is None else pictures(previewer, made)
            deliver({row: as_address(picture) for row, picture in zip(rows, shown, strict=True)})
        self.allowance.spend(before + self.clock() - began, len(rows))
        self._waiting = False

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of the host's, or another pack's, which may raise anything
            self._stopped = True
            log.warning("There are no more previews in this search: %s: %s", type(error).__name__, str(error))
