"""Which pages of ComfyUI can be asked something. A script on the host's websocket cannot: only a page says its name here."""

import threading
import time

from server import PromptServer

REMEMBERED = 256
GRACE = 60.0  # seconds without any open page before what waits for one goes on by itself

_pages: dict[str, None] = {}
_unanswered: dict[str, int] = {}  # node -> how often nobody answered
_lock = threading.Lock()


def announce(page: str) -> None:
    """A page that can show galleries says its name on the host's websocket."""
    with _lock:
        _pages.pop(page, None)
        _pages[page] = None
        while len(_pages) > REMEMBERED:
            del _pages[next(iter(_pages))]


def page_open() -> bool:
    """Whether any such page is connected now."""
    sockets = PromptServer.instance.sockets
    return any(page in sockets for page in tuple(_pages))


class Watch:
    """Looks for pages for as long as something waits for one."""

    def __init__(self) -> None:
        self._seen = time.monotonic()

    def all_gone(self) -> bool:
        """Whether no page has been open for the whole grace."""
        now = time.monotonic()
        self._seen = now if page_open() else self._seen
        return now - self._seen > GRACE


def queued_by_page() -> bool:
    """Whether one of them queued the prompt that runs, be it still open or not."""
    return PromptServer.instance.client_id in _pages


def note_unanswered(node: str) -> None:
    with _lock:
        _unanswered[node] = _unanswered.get(node, 0) + 1


def asked_anew(node: str) -> tuple[bool, int]:
    """Part of the node's signature: other when somebody can be asked now and could not before, and after nobody answered."""
    return queued_by_page(), _unanswered.get(node, 0)
