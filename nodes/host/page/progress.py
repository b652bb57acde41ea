"""One progress bar of the host over the whole search, with a preview of the best so far; and texts in nodes."""

from collections.abc import Sequence
from typing import Any

import comfy.utils
from server import PromptServer

from ....search.path import Proposal
from ....search.run import Budget
from ....search.trace import Trace, Trial
from ..engine.watcher import Doing, RoundOver
from ..files.pictures import preview

TICKS = 100  # of the bar, per picture


class ProgressBar:
    """Watches a search.

    Args:
        node_id: The node that shows the bar.
    """

    def __init__(self, node_id: str):
        self.node_id, self.pictures, self.done_before = node_id, 0, 0.0
        self.bar: Any = None

    def begin(self, budget: Budget, notes: Sequence[str], replayed: Sequence[Proposal]) -> None:
        self.pictures = budget.pictures
        self.bar = comfy.utils.ProgressBar(self.pictures * TICKS, node_id=self.node_id)

    def making(self, pictures: float) -> None:
        self._move(self.done_before + pictures)

    def doing(self, doing: Doing) -> None:
        """The bar shows only how far it is."""

    def round(self, over: RoundOver) -> None:
        self.done_before = over.trace.pictures
        self._move(self.done_before, None if over.best is None else preview(over.best))

    def done(self, trace: Trace, winners: Sequence[Trial]) -> None:
        self._move(self.pictures)

    def _move(self, pictures: float, shown: Any = None) -> None:
        self.bar.update_absolute(int(pictures * TICKS), self.pictures * TICKS, shown)


def say(node_id: str, text: str) -> None:
    """Shows a text in a node of the page that queued the prompt."""
    server: Any = PromptServer.instance
    if node_id and server.client_id is not None:  # without a client it would reach every open page
        server.send_progress_text(text, node_id, server.client_id)
