"""The round in the making as a page sees it: a tile for each candidate, which sharpens while it is sampled."""

import threading
from collections.abc import Callable, Mapping

from ..background import Background
from ..engine.watcher import Doing
from .messages import InTheMaking, Tile
from .previewing import EVERY, Previewing


class Tiles:
    """Written by the thread that searches and by the background, read by the routes.

    Args:
        background: Where previews are made.
        send: To the pages that see the search.
        is_seen: Whether there is such a page now: without one nothing is sent, and there are no previews.
        clock: Seconds, which stand still in a pause.
    """

    def __init__(
        self,
        background: Background,
        send: Callable[[InTheMaking], None],
        is_seen: Callable[[], bool],
        clock: Callable[[], float],
    ):
        self.send, self.is_seen, self.clock = send, is_seen, clock
        self.previewing = Previewing(background, clock)
        self._now: InTheMaking | None = None
        self._pictures: dict[int, str] = {}
        self._ahead: dict[int, str] = {}  # of the next round, which a page is told again once that begins
        self._told = 0.0
        self._lock = threading.Lock()

    def doing(self, doing: Doing, first: int) -> None:
        """Something else is being done, or a step is over.

        Args:
            first: Id that the round's first candidate will have.
        """
        if doing.expected is not None:
            self.previewing.allowance.stepped()
        changed = self._set(doing, first)
        if self.is_seen():
            if changed or self.clock() - self._told > EVERY:
                self._tell(first, self._made_ahead(first))
            if doing.expected is not None:
                self.previewing.make(doing, doing.expected, lambda found: self._tell(first, found))
        self.previewing.allowance.begin()

    def over(self, count: int) -> None:
        """The round is over, and there are so many candidates now. What was made ahead keeps its previews."""
        with self._lock:
            self._now = None
            self._pictures = {number: picture for number, picture in self._pictures.items() if number >= count}
            self._ahead = dict(self._pictures)

    def end(self) -> None:
        """The search is over: what is not there now never will be."""
        with self._lock:
            self._now, self._pictures, self._ahead = None, {}, {}
        self.previewing.stop()

    def state(self) -> InTheMaking | None:
        """What is being made, with the previews so far; None between two rounds."""
        with self._lock:
            return None if self._now is None else with_pictures(self._now, self._pictures)

    def _set(self, doing: Doing, first: int) -> bool:
        """Whether more has changed than the step."""
        rows = [first + row for row in doing.rows]
        now = InTheMaking(
            what=doing.what,
            first=first,
            count=doing.count,
            judged=doing.judged,
            rows=rows,
            step=doing.step,
            steps=doing.steps,
            pictures=[],
        )
        with self._lock:
            before, self._now = self._now, now
        return before is None or (before["what"], before["rows"]) != (doing.what, rows)

    def _made_ahead(self, first: int) -> dict[int, str]:
        """Previews, once, by the place in the round."""
        ahead, self._ahead = self._ahead, {}
        return {number - first: picture for number, picture in ahead.items()}

    def _tell(self, first: int, found: Mapping[int, str]) -> None:
        """Also from the background: then the round may be over.

        Args:
            found: New previews by their place in the round.
        """
        new = {first + place: picture for place, picture in found.items()}
        with self._lock:
            if self._now is None or self._now["first"] != first:
                return
            self._pictures |= new
            self._told = self.clock()
            now = with_pictures(self._now, new)
        self.send(now)


def with_pictures(now: InTheMaking, pictures: Mapping[int, str]) -> InTheMaking:
    shown = [Tile(id=number, picture=picture) for number, picture in pictures.items()]
    return InTheMaking(**{**now, "pictures": shown})
