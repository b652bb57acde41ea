"""Which pages of ComfyUI there are, and whose. A script on the host's websocket is none: only a page says its name
here.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from comfy.cli_args import args
from server import PromptServer

REMEMBERED = 256
GRACE = 60.0  # seconds without an open page that sees it before what waits for one goes on by itself
ONLY = "default"  # the one user of a host without `--multi-user`

_pages: dict[str, str] = {}  # client id -> user
_unanswered: dict[str, int] = {}  # node -> how often nobody answered
_lock = threading.Lock()


class NotYours(Exception):
    """A request names a page that is another user's."""


def announce(page: str, user: str = ONLY) -> None:
    """A page that can show galleries says its name on the host's websocket."""
    with _lock:
        _pages.pop(page, None)
        _pages[page] = user
        while len(_pages) > REMEMBERED:
            del _pages[next(iter(_pages))]


def user_of_page(page: str) -> str:
    """The page's user, "" where that is not known."""
    return _pages.get(page, "") if args.multi_user else ONLY


def user_of(request: Any, page: str) -> str:
    """The user who sends a request, as the host has it.

    Args:
        page: Client id that the request names: pictures are fetched without the host's header, for which the page
            stands.

    Raises:
        NotYours: If that page is another user's.
    """
    if not args.multi_user:
        return ONLY
    known = _pages.get(page, "")
    if "comfy-user" not in request.headers:
        return known if request.method == "GET" else ""
    try:
        user = PromptServer.instance.user_manager.get_request_user_id(request)
    except KeyError as error:
        raise NotYours(
            f"comfy-user must be a user of this server, got {request.headers['comfy-user'][:80]!r}"
        ) from error
    if known and known != user:
        raise NotYours("page must be one of yours, got one of another user")
    return user


def user_now() -> str:
    """The user whose page queued the prompt that runs; "" on a host with one user, and for what no page queued."""
    return user_of_page(PromptServer.instance.client_id or "") if args.multi_user else ""


def is_connected(page: str) -> bool:
    return page in _pages and page in PromptServer.instance.sockets


def connected(user: str) -> list[str]:
    """A user's open pages."""
    return [page for page in tuple(_pages) if user_of_page(page) == user and is_connected(page)]


class Watch:
    """Looks for pages for as long as something waits for one.

    Args:
        is_there: Whether one that could end the wait is open now.
    """

    def __init__(self, is_there: Callable[[], bool]):
        self._is_there, self._seen = is_there, time.monotonic()

    def all_gone(self) -> bool:
        """Whether there was none for the whole grace."""
        now = time.monotonic()
        self._seen = now if self._is_there() else self._seen
        return now - self._seen > GRACE


def queued_by_page() -> bool:
    """Whether one of them queued the prompt that runs, be it still open or not."""
    return PromptServer.instance.client_id in _pages


def note_unanswered(node: str) -> None:
    with _lock:
        _unanswered[node] = _unanswered.get(node, 0) + 1


def asked_anew(node: str) -> tuple[bool, int]:
    """Part of the node's signature: other when somebody can be asked now and could not before, and after nobody
    answered.
    """
    return queued_by_page(), _unanswered.get(node, 0)
