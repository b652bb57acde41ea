"""One progress bar over the whole search, with the time left and a preview of the best so far."""

import time
from typing import Any

import comfy.utils
from server import PromptServer
from torch import Tensor

from .live import Live
from .pictures import preview

TICKS = 100  # of the bar, per picture


class SearchProgress:
    """Tells the browser how far a search is.

    Args:
        node_id: The node that shows the bar and the text.
        pictures: Pictures of the whole search.
        live: Hears of every step, and may hold or end the search at each.
    """

    def __init__(self, node_id: str, pictures: int, live: Live | None = None):
        self.node_id, self.pictures, self.live = node_id, pictures, live
        self.done, self.said = 0.0, ""
        self.started = time.monotonic()
        self.bar = comfy.utils.ProgressBar(pictures * TICKS, node_id=node_id)

    def after_step(self, count: int, step: int, total: int) -> None:
        """Moves the bar while `count` pictures are being sampled; the last step waits for the judge."""
        part = count * step / (total + 1)
        self.bar.update_absolute(int((self.done + part) * TICKS), self.pictures * TICKS)
        if self.live:
            self.live.making(part)

    def after_round(self, done: float, headline: str, best: Tensor | None) -> None:
        """Shows what a finished round found; `best` only where it is a new one."""
        self.done = done
        shown = None if best is None else preview(best)
        self.bar.update_absolute(int(done * TICKS), self.pictures * TICKS, shown)
        self.say(f"{done:.3g} of {self.pictures} pictures, {headline}, {spoken(self.seconds_left())} left")

    def seconds_left(self) -> float:
        known = self.live.seconds_left() if self.live else None
        return (time.monotonic() - self.started) / max(self.done, 1) * (self.pictures - self.done) if known is None else known

    def finish(self, text: str) -> None:
        self.bar.update_absolute(self.pictures * TICKS, self.pictures * TICKS)
        self.say(text)

    def say(self, text: str) -> None:
        """What the node's "text" output says; a page shows the panel instead."""
        self.said = text


def say(node_id: str, text: str) -> None:
    """Shows a text in a node of the page that queued the prompt."""
    server: Any = PromptServer.instance
    if node_id and server.client_id is not None:  # without a client it would reach every open page
        server.send_progress_text(text, node_id, server.client_id)


def spoken(seconds: float) -> str:
    """`"1:05"` from 65 seconds."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
