"""Whose run it is: the pages that see what a node does in one prompt, and those that may steer it."""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from server import PromptServer

from ..graph.upstream import workflow_of
from . import pages
from .messages import ELSEWHERE, Elsewhere

_audiences: WeakValueDictionary[tuple[str, str], "Audience"] = WeakValueDictionary()
_lock = threading.RLock()


class Asker(NamedTuple):
    """Who sends a request.

    Args:
        page: Its client id, "" where it is none: a script.
        user: Of a host with `--multi-user`, "" where that is not known; else always the same.
    """

    page: str
    user: str


class Audience:
    """Those who see what a node does in one prompt. A page shows it in one of its workflows: a place is (client id, id
    of the workflow).

    Args:
        page: Client id that queued the prompt, "" = a script without one.
        workflow: Id of the workflow that was queued, "" = none.
        node: The node of the page that shows it.
    """

    def __init__(self, page: str, workflow: str, node: str):
        self.page, self.node, self._user = page, node, ""
        self._places: dict[tuple[str, str], bool] = {(page, workflow): True}  # whether it steers
        self._shown: set[str] = {page}  # pages that saw it at some time

    def to_dict(self) -> dict[str, Any]:
        with _lock:
            places = [[*place, steers] for place, steers in self._places.items()]
            return {"page": self.page, "places": places, "saw": sorted(self._shown)}

    @property
    def user(self) -> str:
        """Whose it is; "" where that is not known (yet)."""
        self._user = self._user or pages.user_of_page(self.page)
        return self._user

    def steers(self, asker: Asker) -> bool:
        """Whether it queued this, or took it over."""
        return self._is_among(asker, [page for (page, _), steers in self.places() if steers])

    def sees(self, asker: Asker) -> bool:
        return self._is_among(asker, [page for (page, _), _ in self.places()])

    def saw(self, asker: Asker) -> bool:
        """Whether it sees this or did: pictures that it was shown may still be on their way when it is shown them no
        more.
        """
        with _lock:
            return self._is_among(asker, list(self._shown)) or self.sees(asker)

    def is_of(self, user: str) -> bool:
        return bool(user) and user == self.user

    def in_place(self, page: str, workflow: str) -> bool | None:
        """Whether it is steered in that place; None where it is not seen there."""
        with _lock:
            return self._places.get((page, workflow))

    def places(self) -> list[tuple[tuple[str, str], bool]]:
        with _lock:
            return list(self._places.items())

    def watch(self, page: str, workflow: str) -> None:
        """It sees this from now on; what it may do stays."""
        with _lock:
            self._places.setdefault((page, workflow), False)
            self._shown.add(page)

    def leave(self, page: str, workflow: str) -> None:
        """It watches this no more. Who steers stays."""
        with _lock:
            if self._places.get((page, workflow)) is False:
                del self._places[page, workflow]

    def take_over(self, page: str, workflow: str) -> None:
        with _lock:
            self._places[page, workflow] = True
            self._shown.add(page)

    def is_attended(self) -> bool:
        """Whether a page that sees this is connected now."""
        return any(pages.is_connected(page) for (page, _), _ in self.places())

    def is_steered(self) -> bool:
        """Whether a page that can answer is connected now."""
        return any(pages.is_connected(page) for (page, _), steers in self.places() if steers)

    def send(self, event: str, data: Mapping[str, object]) -> None:
        """To the pages that see this, and to nobody else: each hears where it shows it, and whether it steers."""
        for (page, workflow), steers in self.places():
            if page:
                PromptServer.instance.send_sync(event, {**data, "workflow": workflow, "mine": steers}, page)

    def offer(self) -> None:
        """Tells the user's other pages that there is something they may be shown if their graph is the same; not
        what.
        """
        told: Elsewhere = {"node": self.node}
        seen = {page for (page, _), _ in self.places()}
        for page in pages.connected(self.user):
            if page not in seen:
                PromptServer.instance.send_sync(ELSEWHERE, told, page)

    def _is_among(self, asker: Asker, names: list[str]) -> bool:
        return asker.user == self.user and asker.page in names


def audience_of(hidden: Any, prompt_id: str, node: str) -> Audience:
    """The one that all runs of a node in one prompt share: of a list, of a loop."""
    with _lock:
        known = _audiences.get((prompt_id, node)) if prompt_id else None
        if known is None:
            known = _audiences[prompt_id, node] = Audience(
                PromptServer.instance.client_id or "", workflow_of(hidden), node
            )
        return known


def audience_again(found: Mapping[str, Any], prompt_id: str, node: str, user: str) -> Audience:
    """What `to_dict` wrote: all runs of that node in that prompt share it, those of a server before as well.

    Args:
        user: Whose it was, "" where that is not known.
    """
    with _lock:
        known = _audiences.get((prompt_id, node)) if prompt_id else None
        if known is None:
            known = Audience(found["page"], "", node)
            known._user = user
            known._places = {(page, workflow): bool(steers) for page, workflow, steers in found["places"]}
            known._shown = set(found["saw"])
            if prompt_id:
                _audiences[prompt_id, node] = known
        return known
