"""Searches as a browser sees them: what is found so far, and what the artist wants of the one that runs."""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from itertools import count
from typing import Any, cast

import comfy.model_management as memory
from comfy_execution.utils import get_executing_context
from torch import Tensor

from ....search.run import Budget
from ....search.trace import Trace, Trial
from ..background import Background
from ..engine.control import RUNNING, Control
from ..engine.watcher import Doing, RoundOver
from ..files.pictures import moves
from ..files.resave import SEARCH as AGAIN
from ..graph.upstream import CHOOSING, is_same, lineage_digest, shown_node, workflow_of
from ..store.memo import Memo
from .audience import audience_of
from .messages import TILES, UPDATE, AcceptedState, Candidate, InTheMaking, SearchChanges, SearchName, SearchState, Status
from .pages import Watch
from .thumbnails import Thumbnails, too_many
from .tiles import Tiles

PINNED = "pinned"  # what the memo notes of a search whose candidates the artist pinned
# of which searches are kept, per server; a list or a loop in one prompt is one run of its node, with as many searches
# as it takes
RUNS = 16
ROWS = 200_000  # candidates kept, per server; searches that run are always kept
PROGRESS_SECONDS = 0.25  # between two events that only say how far the pictures in the making are
LEFT_PAUSED = "The pause ended by itself: no page of ComfyUI was open for a while, and others may be waiting."

_known: dict[str, "Live"] = {}  # in the order of starting
_numbers = count(1)
_known_lock = threading.Lock()


class Live:
    """One search, written by the thread that runs it, read and steered by the routes.

    Use it as a context manager around all that the node does: an exception leaves "interrupted" or "failed" behind.

    Args:
        hidden: The node's hidden inputs.
        columns: Names of the raw values.
        recipe: Writes a candidate's recipe; must hold on to no tensors.
        memo: Where what the artist pins is kept for the next time that this search runs.
        background: Where the pictures for the pages are written.
    """

    def __init__(
        self,
        hidden: Any,
        columns: Sequence[str],
        recipe: Callable[[Any], str],
        memo: Memo | None = None,
        background: Background | None = None,
    ):
        context = get_executing_context()
        self.id, self.prompt_id = uuid.uuid4().hex, context.prompt_id if context else ""
        self.copy, self.node, self.workflow = str(hidden.unique_id or ""), shown_node(hidden), workflow_of(hidden)
        self.number, self.turn = next(_numbers), (self.copy, context.list_index if context else None)
        self.audience = audience_of(hidden, self.prompt_id, self.node)
        self.queued = (hidden.prompt, hidden.extra_pnginfo)
        self.made_from = made_from(hidden.prompt, self.node)
        self.columns, self.recipe, self.budget = tuple(columns), recipe, Budget(pictures=1)
        self.control = Control(lambda: Watch(self.audience.is_attended).all_gone, self._go_on_alone)
        self.ended, self.stopped, self.error, self.version = "", "", "", 0
        self.used, self.remembered = 0.0, 0.0  # pictures' worth
        self.notes: list[str] = []
        self.rows: list[Candidate] = []
        self.proposed: list[Any] = []
        background = background or Background()
        self.memo, self.thumbnails = memo or Memo(), Thumbnails(self.id, background, self._lose)
        self.tiles = Tiles(background, self._send_tiles, self.audience.is_attended, self.control.clock)
        self.pinned: list[int] = []
        self._pinned_before = pinned_before(self.memo)
        self.result: list[int] = []
        self.accepted: AcceptedState | None = None
        self._lock, self._pinning = threading.RLock(), threading.Lock()
        self._began, self._told = self.control.clock(), 0.0
        self._earlier: Live | None = None

    def begin(self, budget: Budget, notes: Sequence[str] = (), replayed: Sequence[Any] = ()) -> None:
        """Shows the search in the pages, in the place of the node's last one.

        Args:
            notes: What the scores mean, and what the artist should know.
            replayed: The candidates of recipes, where nothing is searched. If an earlier search of the node, made from
                the same, has found them, that one stays and learns that these are its result now.
        """
        self.budget, self.notes = budget, list(notes)
        self._earlier = self._before(replayed) if replayed else None
        if self._earlier is None:
            add_search(self)
            self.send(self.state())
            self.audience.offer()

    # What the running search calls

    def round(self, over: RoundOver) -> None:
        if self._earlier:
            return
        self.tiles.over()
        trace, trials = over.trace, over.trials
        new = [self._row(trial, trace, over.images.get(trial.candidate.key)) for trial in trials]
        with self._lock:
            self.rows += new
            self.proposed += [trial.candidate for trial in trials]
            self.used = trace.pictures
            self.remembered += sum(trial.cost for trial in trials if trial.remembered)
            left = self.seconds_left()
            changed = SearchChanges(candidates=new, used=self.used, making=0.0, seconds_left=left)
            if over.rescored and self.columns:
                changed["scores"] = self._rescored(trace)
            if again := [trial.id for trial in trials if trial.candidate.key in self._pinned_before]:
                changed["pinned"] = self.pinned = self.pinned + again
            if gone := self._forget_the_worst():
                changed["gone"] = gone
        for row, trial in zip(new, trials):
            if row["picture"]:
                self.thumbnails.keep(trial.id, over.images[trial.candidate.key])
        self.send(changed)

    def making(self, pictures: float) -> None:
        if not self._earlier and time.monotonic() - self._told > PROGRESS_SECONDS:
            self._told = time.monotonic()
            self.send(SearchChanges(making=pictures, seconds_left=self.seconds_left(pictures)))

    def doing(self, doing: Doing) -> None:
        if not self._earlier:
            self.tiles.doing(doing, len(self.rows))

    def done(self, trace: Trace, winners: Sequence[Trial]) -> None:
        """The search is over, and these, best first, are its result."""
        if self._earlier:
            self._earlier.choose([trial.candidate for trial in winners])
            return
        with self._lock:
            self.ended, self.stopped, self.result = "done", trace.stopped, [trial.id for trial in winners]
            if (said := trace.accepted) is not None:
                self.accepted = AcceptedState(judge=said.judge, ids=said.ids, scores=said.scores)
        over = SearchChanges(
            status=self.status,
            stopped=self.stopped,
            result=self.result,
            accepted=self.accepted,
            making=0.0,
            seconds_left=0.0,
        )
        self.send(over)

    def __enter__(self) -> None:
        """Begins nothing yet: what is refused before the search begins leaves the last one in sight."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *where: object) -> None:
        self.tiles.end()
        if kind is not None and not self._earlier and self.version:
            cancelled = issubclass(kind, memory.InterruptProcessingException)
            self.ended, self.error = ("interrupted", "") if cancelled else ("failed", str(error) or kind.__name__)
            self.send(SearchChanges(status=self.status, making=0.0, error=self.error))

    # What the routes call

    @property
    def count(self) -> int:
        """How many candidates there are."""
        with self._lock:
            return len(self.proposed)

    def place_of(self, candidate: Any) -> int | None:
        with self._lock:
            return self.proposed.index(candidate) if candidate in self.proposed else None

    @property
    def status(self) -> Status:
        return cast("Status", self.ended or self.control.status)

    def steer(self, action: str) -> bool:
        """Finishes, pauses or continues; False where the search is over."""
        with self._lock:
            if self.ended:
                return False
            self.control.steer(action)
        self.send(SearchChanges(status=self.status, seconds_left=self.seconds_left()))
        return True

    def pin(self, candidate: int, on: bool) -> None:
        """Keeps a candidate in front of the others in every browser. It has no effect on the result."""
        with self._pinning:  # the last one that is written is the last one that was asked for
            with self._lock:
                self.pinned = [*(other for other in self.pinned if other != candidate), *([candidate] if on else [])]
                keys = [self.proposed[number].key for number in self.pinned]
            self.memo.note(PINNED, {"keys": keys})
        self.send(SearchChanges(pinned=self.pinned))

    def choose(self, candidates: Sequence[Any]) -> None:
        """The node's result is these candidates now."""
        self.result, self.stopped = [self.proposed.index(candidate) for candidate in candidates], "choice"
        self.send(SearchChanges(result=self.result, stopped=self.stopped))

    def state(self) -> SearchState:
        """All that a page needs which knows nothing yet."""
        with self._lock:
            return SearchState(
                columns=self.columns,
                notes=self.notes,
                pictures=self.budget.pictures,
                used=self.used,
                making=0.0,
                minutes=self.budget.minutes,
                seconds_left=self.seconds_left(),
                status=self.status,
                result=self.result,
                accepted=self.accepted,
                stopped=self.stopped,
                pinned=self.pinned,
                tiles=self.tiles.state(),
                error=self.error,
                **self.name(),
                candidates=list(self.rows),
            )

    def name(self) -> SearchName:
        return SearchName(
            search=self.id,
            node=self.node,
            workflow=self.workflow,
            version=self.version,
            mine=True,
            prompt_id=self.prompt_id,
            number=self.number,
        )

    # Inside

    def _before(self, replayed: Sequence[Any]) -> "Live | None":
        """The search in this node of this workflow that has found what is replayed now."""
        for live in reversed(runs_in_place(self.audience.page, self.workflow) if self.workflow else ()):
            same = (live.node, live.made_from, live.turn) == (self.node, self.made_from, self.turn)
            same = same and set(replayed) <= set(live.proposed)
            if same and live.status not in RUNNING and live.audience.in_place(self.audience.page, self.workflow):
                return live
        return None

    def seconds_left(self, making: float = 0.0) -> float | None:
        """By the pace so far of what no earlier run had paid for, within the limit in minutes; None while nothing is
        known.
        """
        spent, paid = self.control.clock() - self._began, self.used - self.remembered + making
        if paid < 0.2:
            return None
        left = spent / paid * max(0.0, self.budget.pictures - self.used - making)
        return min(left, max(0.0, self.budget.minutes * 60 - spent)) if self.budget.minutes else left

    def send(self, changed: SearchChanges | SearchState) -> None:
        """To the pages that see this search. A page that missed one sees it by the version."""
        with self._lock:
            self.version += 1
            data = {**changed, **self.name()}
        self.audience.send(UPDATE, data)

    def _send_tiles(self, now: InTheMaking) -> None:
        self.audience.send(TILES, {**now, **self.name()})

    def _row(self, trial: Trial, trace: Trace, image: Tensor | None) -> Candidate:
        seed = trial.candidate.plain_seed
        return Candidate(
            id=trial.id,
            how=trial.how,
            parents=trial.parents,
            cost=trial.cost,
            values=trial.values,
            score=self._score(trace, trial.id),
            seed=None if seed is None else str(seed),
            finished=trial.finished,
            picture=image is not None,
            moving=image is not None and moves(image),
        )

    def _score(self, trace: Trace, number: int) -> float | None:
        return trace.scores[number] if self.columns else None

    def _rescored(self, trace: Trace) -> list[float | None]:
        """Takes the present scores of all."""
        for row in self.rows:
            row["score"] = self._score(trace, row["id"])
        return [row["score"] for row in self.rows]

    def _forget_the_worst(self) -> list[int]:
        gone = too_many(self.rows, self.pinned)
        self.thumbnails.drop(gone)
        for number in gone:
            self.rows[number]["picture"] = False
        return gone

    def _lose(self, candidate: int) -> None:
        """Its picture could not be written."""
        with self._lock:
            self.rows[candidate]["picture"] = False
        self.send(SearchChanges(gone=[candidate]))

    def _go_on_alone(self) -> None:
        """Nobody is there any more who could end the pause."""
        if self.steer("continue"):
            self.notes = [*self.notes, LEFT_PAUSED]
            self.send(SearchChanges(notes=self.notes))


def pinned_before(memo: Memo) -> frozenset[str]:
    """Keys of what was pinned when this search ran before."""
    keys = memo.noted(PINNED).get("keys")
    return frozenset(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else frozenset()


def add_search(live: Live) -> None:
    """Adds a search, and forgets the oldest runs that are over and too many; first those that only saved a picture,
    which no page shows.
    """
    with _known_lock:
        _known[live.id] = live
        runs = list(dict.fromkeys(known.audience for known in _known.values()))
        order = {audience: place for place, audience in enumerate(runs)}
        over = [old for old in _known.values() if old.status not in RUNNING]
        over.sort(key=lambda old: (old.node != AGAIN, order[old.audience], old.number))
        while over and (
            len({known.audience for known in _known.values()}) > RUNS
            or sum(len(old.rows) for old in _known.values()) > ROWS
        ):
            _known.pop(over.pop(0).id).thumbnails.remove()
    for other in everywhere():  # what this page queued takes the place of what it only watched
        if other.node == live.node:
            other.audience.leave(live.audience.page, live.workflow)


def find_search(search: str) -> Live | None:
    with _known_lock:
        return _known.get(search)


def everywhere() -> list[Live]:
    """All searches that are known, in the order of starting."""
    with _known_lock:
        return list(_known.values())


def runs_in_place(page: str, workflow: str) -> list[Live]:
    """All searches that a page may show in a workflow, in the order of starting."""
    return [live for live in everywhere() if live.audience.in_place(page, workflow) is not None]


def elsewhere(user: str, page: str, workflow: str, open_: Collection[str] = ()) -> list[Live]:
    """The user's searches that another place queued, of nodes in which this one has none of its own.

    Args:
        open_: Ids of the other workflows that the page has open: what it steers is shown there.
    """
    own = {live.node for live in everywhere() if live.audience.in_place(page, workflow)}
    found = [live for live in everywhere() if live.node not in own and live.node != AGAIN and live.audience.is_of(user)]
    return [live for live in found if not any(live.audience.in_place(page, other) for other in open_)]


def watch(user: str, page: str, workflow: str, prompt: Any, open_: Collection[str] = ()) -> list[Live]:
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


def made_otherwise(page: str, workflow: str, prompt: Any) -> list[str]:
    """Ids of the page's searches in a workflow whose node is made from something else in this prompt, or not in it."""
    found = runs_in_place(page, workflow)
    now = {node: made_from(prompt, node) for node in {live.node for live in found}}
    return [live.id for live in found if not is_same(live.made_from, now[live.node])]


def made_from(prompt: Any, node: str) -> str:
    """What a search node is made from, but for what decides how much is tried and what is chosen."""
    return lineage_digest(prompt, node, without=CHOOSING)
