"""Searches as a browser sees them: what is found so far, and what the artist wants of the one that runs."""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import comfy.model_management as memory
from comfy_execution.utils import get_executing_context
from torch import Tensor

from ...search.run import Budget
from ...search.trace import Trace, Trial
from .again import SEARCH as AGAIN
from .audience import audience_of
from .memo import Memo
from .pages import Watch
from .thumbnails import Thumbnails, too_many
from .upstream import CHOOSING, is_same, shown_node, signature, workflow_of

PINNED = "pinned"  # what the memo notes of a search whose candidates the artist pinned
EVENT = "noise_search.update"  # js/search_panel.js
RUNS = 16  # of which searches are kept, per server; a list or a loop in one prompt is one run of its node, with as many searches as it takes
ROWS = 200_000  # candidates kept, per server; searches that run are always kept
PROGRESS_SECONDS = 0.25  # between two events that only say how far the pictures in the making are
RUNNING = ("running", "paused", "finishing")
LEFT_PAUSED = "The pause ended by itself: no page of ComfyUI was open for a while, and others may be waiting."

_known: dict[str, "Live"] = {}  # in the order of starting
_numbers = count(1)
_known_lock = threading.Lock()


class Finish(BaseException):
    """The artist takes the best so far. Like the host's interrupt it passes through what catches ordinary exceptions."""


class Live:
    """One search, written by the thread that runs it, read and steered by the routes.

    Use it as a context manager around all that the node does: an exception leaves "interrupted" or "failed" behind.

    Args:
        hidden: The node's hidden inputs.
        columns: Names of the raw values.
        recipe: Writes a candidate's recipe; must hold on to no tensors.
        memo: Where what the artist pins is kept for the next time that this search runs.
    """

    def __init__(self, hidden: Any, columns: Sequence[str], recipe: Callable[[Any], str], memo: Memo | None = None):
        context = get_executing_context()
        self.id, self.prompt_id = uuid.uuid4().hex, context.prompt_id if context else ""
        self.copy, self.node, self.workflow = str(hidden.unique_id or ""), shown_node(hidden), workflow_of(hidden)
        self.number, self.turn = next(_numbers), (self.copy, context.list_index if context else None)
        self.audience = audience_of(hidden, self.prompt_id, self.node)
        self.queued = (hidden.prompt, hidden.extra_pnginfo)
        self.made_from = made_from(hidden.prompt, self.node)
        self.columns, self.recipe, self.budget = tuple(columns), recipe, Budget(pictures=1)
        self.status, self.stopped, self.version = "running", "", 0
        self.used, self.remembered = 0.0, 0.0  # pictures' worth
        self.notes: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.tried: list[Any] = []
        self.memo, self.thumbnails = memo or Memo(), Thumbnails(self.id)
        self.pinned: list[int] = []
        self._pinned_before = pinned_before(self.memo)
        self.result: list[int] = []
        self.wake, self._pinning = threading.Condition(), threading.Lock()
        self._began, self._paused_at, self._lost = time.monotonic(), 0.0, 0.0
        self._told, self._searching = 0.0, False
        self._earlier: Live | None = None

    def begin(self, budget: Budget, notes: Sequence[str] = (), replayed: Sequence[Any] = ()) -> None:
        """Shows the search in the pages, in the place of the node's last one.

        Args:
            notes: What the scores mean, and what the artist should know.
            replayed: The candidates of recipes, where nothing is searched. If they are of the node's last search, made from the same,
                that one stays and learns that these are its result now.
        """
        self.budget, self.notes = budget, list(notes)
        self._earlier = self._before(replayed) if replayed else None
        if self._earlier is None:
            remember(self)
            self.send(self.state())
            self.audience.offer()

    # What the running search calls

    def candidates(self, trials: Sequence[Trial], trace: Trace, images: Mapping[str, Tensor]) -> None:
        """A round is over: these trials are new, with their pictures by the key of the candidate."""
        if self._earlier:
            return
        new = [self._row(trial, trace, images.get(trial.candidate.key)) for trial in trials]
        with self.wake:
            self.rows += new
            self.tried += [trial.candidate for trial in trials]
            self.used = trace.pictures
            self.remembered += sum(trial.cost for trial in trials if trial.remembered)
            changed: dict[str, Any] = {"candidates": new, "used": self.used, "making": 0.0, "seconds_left": self.seconds_left()}
            if self._rescored(trace):
                changed["scores"] = [row["score"] for row in self.rows]
            if again := [trial.id for trial in trials if trial.candidate.key in self._pinned_before]:
                changed["pinned"] = self.pinned = self.pinned + again
            if gone := self._forget_the_worst():
                changed["gone"] = gone
        self.send(changed)

    @contextmanager
    def searching(self, trace: Trace) -> Iterator[None]:
        """Around the search itself: the only place that the artist's Finish ends."""
        self._searching = True
        try:
            yield
        except Finish:
            trace.stopped = "you"
        finally:
            self._searching = False

    def control(self) -> str:
        """ "finish" if that is asked for and there is a picture to finish with, else ""; waits while the search is paused."""
        if self.status == "paused":
            self._wait_paused()
        with self.wake:
            wanted = self._searching and self.status == "finishing"
            return "finish" if wanted and any(row["finished"] for row in self.rows) else ""

    def _wait_paused(self) -> None:
        """Until somebody goes on, or nobody is there any more who could: a pause holds everybody's queue."""
        pages = Watch(self.audience.is_attended)
        while self.status == "paused":
            memory.throw_exception_if_processing_interrupted()
            if pages.all_gone() and self.steer("continue"):
                self.notes = [*self.notes, LEFT_PAUSED]
                self.send({"notes": self.notes})
            with self.wake:
                if self.status == "paused":
                    self.wake.wait(0.1)

    def check(self) -> None:
        """Between batches, and after every step: raises Finish where `control` says so."""
        if self.control():
            raise Finish

    def making(self, pictures: float) -> None:
        """So many pictures' worth of the group in the making are done; waits and raises as `check` does."""
        self.check()
        if not self._earlier and time.monotonic() - self._told > PROGRESS_SECONDS:
            self._told = time.monotonic()
            self.send({"making": pictures, "seconds_left": self.seconds_left(pictures)})

    def done(self, trace: Trace, winners: Sequence[Trial]) -> None:
        """The search is over, and these, best first, are its result."""
        if self._earlier:
            self._earlier.choose([trial.candidate for trial in winners])
            return
        with self.wake:
            self.status, self.stopped, self.result = "done", trace.stopped, [trial.id for trial in winners]
        self.send({"status": self.status, "stopped": self.stopped, "result": self.result, "making": 0.0, "seconds_left": 0.0})

    def clock(self) -> float:
        """Seconds that stand still while the search is paused."""
        now = time.monotonic()
        return now - self._lost - (now - self._paused_at if self._paused_at else 0.0)

    def __enter__(self) -> None:
        """Begins nothing yet: what is refused before the search begins leaves the last one in sight."""

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None and not self._earlier and self.version:
            self.status = "interrupted" if issubclass(kind, memory.InterruptProcessingException) else "failed"
            self.send({"status": self.status, "making": 0.0})

    # What the routes call

    @property
    def count(self) -> int:
        """How many candidates there are."""
        with self.wake:
            return len(self.tried)

    def place_of(self, candidate: Any) -> int | None:
        with self.wake:
            return self.tried.index(candidate) if candidate in self.tried else None

    def steer(self, action: str) -> bool:
        """Finishes, pauses or continues; False where the search is over."""
        with self.wake:
            if self.status not in RUNNING:
                return False
            if self.status != "finishing":  # which is for good
                self._pause(action == "pause")
                self.status = {"finish": "finishing", "pause": "paused", "continue": "running"}[action]
            self.wake.notify_all()
        self.send({"status": self.status, "seconds_left": self.seconds_left()})
        return True

    def pin(self, candidate: int, on: bool) -> None:
        """Keeps a candidate in front of the others in every browser. It has no effect on the result."""
        with self._pinning:  # the last one that is written is the last one that was asked for
            with self.wake:
                self.pinned = [*(other for other in self.pinned if other != candidate), *([candidate] if on else [])]
                keys = [self.tried[number].key for number in self.pinned]
            self.memo.note(PINNED, {"keys": keys})
        self.send({"pinned": self.pinned})

    def choose(self, candidates: Sequence[Any]) -> None:
        """The node's result is these candidates now."""
        self.result, self.stopped = [self.tried.index(candidate) for candidate in candidates], "choice"
        self.send({"result": self.result, "stopped": self.stopped})

    def state(self) -> dict[str, Any]:
        """All that a page needs which knows nothing yet."""
        with self.wake:
            return {"columns": self.columns, "notes": self.notes, "pictures": self.budget.pictures, "used": self.used, "making": 0.0,
                    "minutes": self.budget.minutes, "seconds_left": self.seconds_left(), "status": self.status, "result": self.result,
                    "stopped": self.stopped, "pinned": self.pinned, **self.name(),
                    "candidates": list(self.rows)}

    def name(self) -> dict[str, Any]:
        return {"search": self.id, "node": self.node, "workflow": self.workflow, "version": self.version, "mine": True,
                "prompt_id": self.prompt_id, "number": self.number}

    # Inside

    def _before(self, replayed: Sequence[Any]) -> "Live | None":
        """The search in this node of this workflow that has found what is replayed now."""
        for live in reversed(in_place(self.audience.page, self.workflow).get(self.node, ()) if self.workflow else ()):
            same = (live.made_from, live.turn) == (self.made_from, self.turn) and set(replayed) <= set(live.tried)
            if same and live.status not in RUNNING and live.audience.in_place(self.audience.page, self.workflow):
                return live
        return None

    def seconds_left(self, making: float = 0.0) -> float | None:
        """By the pace so far of what no earlier run had paid for, within the limit in minutes; None while nothing is known."""
        spent, paid = self.clock() - self._began, self.used - self.remembered + making
        if paid < 0.2:
            return None
        left = spent / paid * max(0.0, self.budget.pictures - self.used - making)
        return min(left, max(0.0, self.budget.minutes * 60 - spent)) if self.budget.minutes else left

    def send(self, changed: dict[str, Any]) -> None:
        """To the pages that see this search. A page that missed one sees it by the version."""
        with self.wake:
            self.version += 1
            data = {**changed, **self.name()}
        self.audience.send(EVENT, data)

    def _row(self, trial: Trial, trace: Trace, image: Tensor | None) -> dict[str, Any]:
        seed = trial.candidate.plain_seed
        return {"id": trial.id, "how": trial.how, "parents": trial.parents, "cost": trial.cost, "values": trial.values,
                "score": self._score(trace, trial.id), "seed": None if seed is None else str(seed), "finished": trial.finished,
                "picture": image is not None and self.thumbnails.keep(trial.id, image)}

    def _score(self, trace: Trace, number: int) -> float | None:
        return trace.scores[number] if self.columns else None

    def _rescored(self, trace: Trace) -> bool:
        """Takes the present scores; whether an older one changed."""
        before = [row["score"] for row in self.rows]
        for row in self.rows:
            row["score"] = self._score(trace, row["id"])
        return before != [row["score"] for row in self.rows]

    def _forget_the_worst(self) -> list[int]:
        gone = too_many(self.rows, self.pinned)
        self.thumbnails.drop(gone)
        for number in gone:
            self.rows[number]["picture"] = False
        return gone

    def _pause(self, on: bool) -> None:
        if on and not self._paused_at:
            self._paused_at = time.monotonic()
        elif not on and self._paused_at:
            self._lost += time.monotonic() - self._paused_at
            self._paused_at = 0.0


def pinned_before(memo: Memo) -> frozenset[str]:
    """Keys of what was pinned when this search ran before."""
    keys = memo.noted(PINNED).get("keys")
    return frozenset(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else frozenset()


def remember(live: Live) -> None:
    """Adds a search, and forgets the oldest runs that are over and too many; first those that only saved a picture, which no page shows."""
    with _known_lock:
        _known[live.id] = live
        runs = list(dict.fromkeys(known.audience for known in _known.values()))
        order = {audience: place for place, audience in enumerate(runs)}
        over = [old for old in _known.values() if old.status not in RUNNING]
        over.sort(key=lambda old: (old.node != AGAIN, order[old.audience], old.number))
        while over and (len({known.audience for known in _known.values()}) > RUNS or sum(len(old.rows) for old in _known.values()) > ROWS):
            _known.pop(over.pop(0).id).thumbnails.remove()
    for other in everywhere():  # what this page queued takes the place of what it only watched
        if other.node == live.node:
            other.audience.leave(live.audience.page, live.workflow)


def find(search: str) -> Live | None:
    with _known_lock:
        return _known.get(search)


def everywhere() -> list[Live]:
    """All searches that are known, in the order of starting."""
    with _known_lock:
        return list(_known.values())


def in_place(page: str, workflow: str) -> dict[str, list[Live]]:
    """What a page shows in a workflow, by node: all searches of the node's last run, in the order of starting."""
    shown: dict[str, list[Live]] = {}
    for live in everywhere():
        if live.audience.in_place(page, workflow) is None:
            continue
        same = shown.get(live.node, [])
        shown[live.node] = [*same, live] if same and same[0].audience is live.audience else [live]
    return shown


def elsewhere(user: str, page: str, workflow: str, open_: Collection[str] = ()) -> list[Live]:
    """The user's searches that another place queued, of nodes in which this one has none of its own.

    Args:
        open_: Ids of the other workflows that the page has open: what it steers is shown there.
    """
    own = {live.node for live in everywhere() if live.audience.in_place(page, workflow)}
    found = [live for live in everywhere() if live.node not in own and live.node != AGAIN and live.audience.is_of(user)]
    return [live for live in found if not any(live.audience.in_place(page, other) for other in open_)]


def watch(user: str, page: str, workflow: str, prompt: Any, open_: Collection[str] = ()) -> list[Live]:
    """Of what is elsewhere, the last run of each node that is made from the same as in this prompt: it is watched from now on, the rest no more."""
    candidates = elsewhere(user, page, workflow, open_)
    made = {node: made_from(prompt, node) for node in {live.node for live in candidates}}
    last = {live.node: live.audience for live in candidates if is_same(live.made_from, made[live.node])}
    for audience in {live.audience for live in candidates}:
        if last.get(audience.node) is audience:
            audience.watch(page, workflow)
        else:
            audience.leave(page, workflow)
    return [live for live in candidates if last.get(live.node) is live.audience]


def made_from(prompt: Any, node: str) -> str:
    """What a search node is made from, but for what decides how much is tried and what is chosen."""
    return signature(prompt, node, without=CHOOSING)
