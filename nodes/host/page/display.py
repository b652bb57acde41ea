"""A running search as the pages come to see it."""

from collections.abc import Sequence
from typing import Any

from ....search.run import Budget
from ....search.trace import Trace, Trial
from ..engine.watcher import Doing, RoundOver
from .live import Live
from .searches import add_search, that_found


class Display:
    """Watches a search, and shows it as one of its node's. Where recipes are made again that an earlier search of the
    node, made from the same, has found, that one stays in sight and learns that these are its result now.

    Use it as a context manager around all that the node does.

    Args:
        live: The search.
    """

    def __init__(self, live: Live):
        self.live = live
        self.earlier: Live | None = None

    def begin(self, budget: Budget, notes: Sequence[str] = (), replayed: Sequence[Any] = ()) -> None:
        self.earlier = that_found(self.live, replayed) if replayed else None
        if self.earlier is None:
            self.live.prepare(budget, notes)
            add_search(self.live)
            self.live.begin()

    def making(self, pictures: float) -> None:
        if self.earlier is None:
            self.live.making(pictures)

    def doing(self, doing: Doing) -> None:
        if self.earlier is None:
            self.live.doing(doing)

    def round(self, over: RoundOver) -> None:
        if self.earlier is None:
            self.live.round(over)

    def done(self, trace: Trace, winners: Sequence[Trial]) -> None:
        if self.earlier is None:
            self.live.done(trace, winners)
        else:
            self.earlier.choose([trial.candidate for trial in winners])

    def __enter__(self) -> None:
        """Begins nothing yet: what is refused before the search begins leaves the last one in sight."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *where: object) -> None:
        if self.earlier is None:
            self.live.over(kind, error)
