"""The searches that pages can show: those in memory, and those on the shelves of the users."""

import threading
from collections.abc import Collection, Sequence
from typing import Any, cast

from ....search.run import Budget
from ..engine.control import RUNNING
from ..engine.request import read_recipes
from ..files.resave import SEARCH as AGAIN
from ..graph.upstream import is_same
from ..store.identity import Identity
from ..store.memo import Memo
from .live import Live
from .origin import Known, made_from
from .pages import user_of_page
from .shelf import Shelved, shelf_of

# of which searches are in memory, per server; a list or a loop in one prompt is one run of its node, with as many
# searches as it takes; what is over is on the shelf as well
RUNS = 16
ROWS = 200_000  # candidates in memory, per server; searches that run always are

_known: dict[str, Live] = {}  # those of before in the order that somebody asked for them again
_known_lock = threading.Lock()


def search_again(shelved: Shelved) -> Live | None:
    """A search of before as it was when it ended; None where it is gone, or of another version. It reads the disk."""
    if (content := shelved.content()) is None:
        return None
    try:
        return _live_of(shelved, content)
    except (KeyError, TypeError, ValueError):
        return None


def _live_of(shelved: Shelved, content: Any) -> Live:
    header, state, (recipe, proposed) = shelved.header, content["state"], read_recipes(content["recipes"])
    identity = Identity(header["setup"], header["drafting"], content["judging"], content["run"])
    memo = Memo(identity, state["columns"], user=shelved.origin.user)
    live = Live(shelved.origin, (*content["queued"],), state["columns"], recipe, memo)
    live.budget = Budget(pictures=state["pictures"], minutes=state["minutes"])
    live.ended, live.version, live.shelved = shelved.status, shelved.version, True
    live.accepted, live.kept = state["accepted"], dict(shelved.kept)
    live.notes, live.rows, live.used, live.proposed = state["notes"], state["candidates"], state["used"], proposed
    live.result, live.stopped, live.pinned, live.error = (
        header[name] for name in ("result", "stopped", "pinned", "error")
    )
    return live


def whole(found: Known) -> Live | None:
    """A search with all that it can; None where the shelf has nothing of it any more."""
    if isinstance(found, Live):
        return found
    live = find_search(found.id) or search_again(cast("Shelved", found))
    if live is not None:
        with _known_lock:
            live = _known.setdefault(live.id, live)
            forget_old_runs()
    return live


def add_search(live: Live) -> None:
    """Adds a search, and forgets the oldest runs that are over and too many."""
    with _known_lock:
        _known[live.id] = live
        forget_old_runs()
    for other in all_of(live.origin.user):  # what this page queued takes the place of what it only watched
        if other.node == live.node:
            other.audience.leave(live.audience.page, live.workflow)


def forget_old_runs() -> None:
    """First those that only saved a picture, which no page shows."""
    runs = list(dict.fromkeys(known.audience for known in _known.values()))
    order = {audience: place for place, audience in enumerate(runs)}
    over = [old for old in _known.values() if old.status not in RUNNING]
    over.sort(key=lambda old: (old.node != AGAIN, order[old.audience], old.number))
    while over and (
        len({known.audience for known in _known.values()}) > RUNS
        or sum(len(old.rows) for old in _known.values()) > ROWS
    ):
        _known.pop(over.pop(0).id).thumbnails.remove()


def find_search(search: str) -> Live | None:
    with _known_lock:
        return _known.get(search)


def everywhere() -> list[Live]:
    """All searches that are in memory, in the order of starting."""
    with _known_lock:
        return sorted(_known.values(), key=lambda live: live.number)


def all_of(user: str) -> list[Live | Shelved]:
    """With those on the user's shelf."""
    lives = everywhere()
    there = {live.id for live in lives}
    shelved = [one for one in shelf_of(user).searches() if one.id not in there]
    return sorted([*lives, *shelved], key=lambda found: found.number)


def runs_in_place(page: str, workflow: str) -> list[Live | Shelved]:
    """All searches that a page may show in a workflow, in the order of starting."""
    return [found for found in all_of(user_of_page(page)) if found.audience.in_place(page, workflow) is not None]


def elsewhere(user: str, page: str, workflow: str, open_: Collection[str] = ()) -> list[Live | Shelved]:
    """The user's searches that another place queued, of nodes in which this one has none of its own.

    Args:
        open_: Ids of the other workflows that the page has open: what it steers is shown there.
    """
    known = all_of(user)
    own = {live.node for live in known if live.audience.in_place(page, workflow)}
    found = [live for live in known if live.node not in own and live.node != AGAIN and live.audience.is_of(user)]
    return [live for live in found if not any(live.audience.in_place(page, other) for other in open_)]


def watch(user: str, page: str, workflow: str, prompt: Any, open_: Collection[str] = ()) -> list[Live | Shelved]:
    """Of what is elsewhere, the last run of each node that is made from the same as in this prompt: it is watched from
    now on, the rest no more.
    """
    candidates = elsewhere(user, page, workflow, open_)
    made = {node: made_from(prompt, node) for node in {live.node for live in candidates}}
    last = {live.node: live.audience for live in candidates if is_same(live.made_from, made[live.node])}
    for audience in {live.audience for live in candidates}:
        if last.get(audience.node) is audience:
            audience.watch(page, workflow)
        else:
            audience.leave(page, workflow)
    return [live for live in candidates if last.get(live.node) is live.audience]


def take_over(live: Live, page: str, workflow: str) -> None:
    """The page steers the run from now on, also after a restart."""
    live.audience.take_over(page, workflow)
    for found in all_of(live.origin.user):
        if found.audience is live.audience:
            found.keep_change()


def out_of_book(entry: int, user: str) -> None:
    """An entry of the user's seed book is gone, and no candidate is in it any more. It reads and writes the disk."""
    for found in all_of(user):
        if found.origin.user == user and entry in found.kept.values() and (live := whole(found)) is not None:
            for candidate in [number for number, one in live.kept.items() if one == entry]:
                live.book(candidate, None)


def made_otherwise(page: str, workflow: str, prompt: Any) -> list[str]:
    """Ids of the page's searches in a workflow whose node is made from something else in this prompt, or not in it."""
    found = runs_in_place(page, workflow)
    now = {node: made_from(prompt, node) for node in {live.node for live in found}}
    return [live.id for live in found if not is_same(live.made_from, now[live.node])]


def that_found(live: Live, replayed: Sequence[Any]) -> Live | None:
    """The earlier search in this one's node, made from the same, that has found all that is made again now."""
    for found in reversed(runs_in_place(live.audience.page, live.workflow) if live.workflow else ()):
        same = (found.node, found.made_from, found.turn) == (live.node, live.made_from, live.turn)
        same = same and found.status not in RUNNING
        if same and found.audience.in_place(live.audience.page, live.workflow):
            earlier = whole(found)
            if earlier is not None and set(replayed) <= set(earlier.proposed):
                return earlier
    return None
