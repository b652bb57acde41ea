"""Searches as a browser sees them: what is found so far, and what the artist wants of the one that runs."""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import comfy.model_management as memory
from torch import Tensor

from ....search.lineages import Firsts
from ....search.run import Budget
from ....search.trace import Trace, Trial
from ..background import Background
from ..engine.control import Control
from ..engine.request import RecipeWriter
from ..engine.watcher import Doing, RoundOver
from ..files.pictures import moves
from ..files.resave import SEARCH as AGAIN
from ..files.resave import plain
from ..store import seed_book
from ..store.memo import Memo
from .messages import (
    TILES,
    UPDATE,
    AcceptedState,
    AskedState,
    Candidate,
    InTheMaking,
    SearchChanges,
    SearchState,
    Status,
)
from .origin import Known, Origin
from .pages import Watch
from .question import Answer, Question
from .shelf import began_with, shelf_of
from .thumbnails import Thumbnails, too_many
from .tiles import Tiles

PINNED = "pinned"  # what the memo notes of a search whose candidates the artist pinned
BOOKED = "booked"  # and of one whose noises are in the seed book
SHELVED = (
    "columns",
    "notes",
    "pictures",
    "used",
    "minutes",
    "accepted",
    "candidates",
)  # of its state, what stays as it is
PROGRESS_SECONDS = 0.25  # between two events that only say how far the pictures in the making are
LEFT_PAUSED = "The pause ended by itself: no page of ComfyUI was open for a while, and others may be waiting."


class Live(Known):
    """One search, written by the thread that runs it, read and steered by the routes.

    Args:
        origin: Where it is from.
        queued: The prompt, and what the host saves beside it.
        columns: Names of the raw values.
        recipe: Writes a candidate's recipe.
        memo: Where what the artist pins is kept for the next time that this search runs.
        background: Where the pictures for the pages are written.
    """

    def __init__(
        self,
        origin: Origin,
        queued: tuple[Any, Any],
        columns: Sequence[str],
        recipe: RecipeWriter,
        memo: Memo | None = None,
        background: Background | None = None,
    ):
        super().__init__(origin)
        self.queued, self.columns, self.recipe = queued, tuple(columns), recipe
        self.budget, self.shelf, self.shelved = Budget(pictures=1), shelf_of(origin.user), False
        self.control = Control(lambda: Watch(self.audience.is_attended).all_gone, self._go_on_alone)
        self.ended, self.stopped, self.error = "", "", ""
        self.used, self.remembered = 0.0, 0.0  # pictures' worth
        self.notes: list[str] = []
        self.rows: list[Candidate] = []
        self.proposed: list[Any] = []
        background = background or Background()
        self.memo, self.thumbnails = memo or Memo(), Thumbnails(self.id, background, self._lose)
        self.tiles = Tiles(background, self._send_tiles, self.audience.is_attended, self.control.clock)
        self.pinned: list[int] = []
        self.kept: dict[int, int] = {}  # candidates that are in the seed book, and the numbers of their entries
        self._pinned_before: frozenset[str] = frozenset()
        self._kept_before: Mapping[str, int] = {}
        self._firsts = Firsts()
        self.result: list[int] = []
        self.accepted: AcceptedState | None = None
        self.question: Question | None = None  # while it waits for the artist, and afterwards
        self.most = 0  # pictures that may be picked
        self._lock, self._pinning = threading.RLock(), threading.Lock()
        self._began, self._told = self.control.clock(), 0.0

    # What the running search calls, by way of `display`

    def prepare(self, budget: Budget, notes: Sequence[str]) -> None:
        """Before any page hears of it.

        Args:
            notes: What the scores mean, and what the artist should know.
        """
        self.budget, self.notes = budget, list(notes)
        self._pinned_before, self._kept_before = pinned_before(self.memo), kept_before(self.memo, self.origin.user)

    def begin(self) -> None:
        """Shows the search in the pages, in the place of the node's last one."""
        self.send(self.state())
        self.audience.offer()

    def round(self, over: RoundOver) -> None:
        trace, trials = over.trace, over.trials
        self.tiles.over(len(trace.trials))
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
            if again := self._kept_again(trials):
                self.kept |= again
                changed["kept"] = list(self.kept)
            if gone := self._forget_the_worst():
                changed["gone"] = gone
        for row, trial in zip(new, trials):
            if row["picture"]:
                self.thumbnails.keep(trial.id, over.images[trial.candidate.key])
        self.send(changed)

    def making(self, pictures: float) -> None:
        if time.monotonic() - self._told > PROGRESS_SECONDS:
            self._told = time.monotonic()
            self.send(SearchChanges(making=pictures, seconds_left=self.seconds_left(pictures)))

    def doing(self, doing: Doing) -> None:
        self.tiles.doing(doing, len(self.rows))

    def ask(self, question: Question, most: int) -> None:
        """The search is over, and waits until the artist picks. A server that dies now has its pictures on the disk."""
        with self._lock:
            self.question, self.most, self.shelved = question, most, True
        self.tiles.end()
        self.shelf.keep(self._for_the_shelf)
        self.send(SearchChanges(status=self.status, asked=self.asked, making=0.0, seconds_left=0.0))

    def done(self, trace: Trace, winners: Sequence[Trial]) -> None:
        """The search is over, and these, best first, are its result."""
        with self._lock:
            self.ended, self.result = "done", [trial.id for trial in winners]
            self.stopped = "choice" if trace.by_hand else trace.stopped
            if (said := trace.accepted) is not None:
                self.accepted = AcceptedState(judge=said.judge, ids=said.ids, scores=said.scores)
        over = SearchChanges(
            status=self.status,
            stopped=self.stopped,
            result=self.result,
            accepted=self.accepted,
            asked=None,
            making=0.0,
            seconds_left=0.0,
        )
        self.send(over)

    def over(self, kind: type[BaseException] | None, error: BaseException | None) -> None:
        """The node returns, or an error ended it: that leaves "interrupted" or "failed" behind."""
        self.tiles.end()
        if kind is not None and self.version:
            cancelled = issubclass(kind, memory.InterruptProcessingException)
            self.ended, self.error = ("interrupted", "") if cancelled else ("failed", str(error) or kind.__name__)
            self.send(SearchChanges(status=self.status, making=0.0, error=self.error))
        if self.ended and self.node != AGAIN:
            self.shelved = True
            self.shelf.keep(self._for_the_shelf)

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
        return cast("Status", self.ended or ("waiting" if self.question else self.control.status))

    @property
    def asked(self) -> AskedState | None:
        """What it asks the artist now."""
        if self.ended or self.question is None:
            return None
        left = self.question.seconds_left()
        return AskedState(most=self.most, fallback=self.question.fallback.picked, seconds_left=left)

    def pick(self, picked: Sequence[int]) -> bool:
        """Lets these candidates go on, none of them for the search's own winners; False where nothing waits for it."""
        if self.question is None:
            return False
        return self.question.give(Answer(tuple(picked))) if picked else self.question.leave()

    def steer(self, action: str) -> bool:
        """Finishes, pauses or continues; False where the search is over."""
        with self._lock:
            if self.ended or self.question:
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
        self.keep_change()

    def book(self, candidate: int, entry: int | None) -> None:
        """The candidate is this entry of the seed book now; with None it is in it no more."""
        with self._pinning:
            with self._lock:
                others = {number: one for number, one in self.kept.items() if number != candidate}
                self.kept = others if entry is None else {**others, candidate: entry}
                entries = {self.proposed[number].key: one for number, one in self.kept.items()}
            self.memo.note(BOOKED, {"entries": entries})
        self.send(SearchChanges(kept=list(self.kept)))
        self.keep_change()

    def choose(self, candidates: Sequence[Any]) -> None:
        """The node's result is these candidates now."""
        self.result, self.stopped = [self.proposed.index(candidate) for candidate in candidates], "choice"
        self.send(SearchChanges(result=self.result, stopped=self.stopped))
        self.keep_change()

    def picture(self, candidate: int, kind: str) -> bytes | None:
        """The file of its picture; None where it is not kept any more. It reads the disk."""
        if coming := self.thumbnails.coming(candidate):
            coming.result()
        if os.path.isfile(path := self.thumbnails.path(candidate, kind)):
            with open(path, "rb") as file:
                return file.read()
        return self.shelf.picture(self.id, candidate, kind)

    def keep_change(self) -> None:
        """Of a search that is over: what is pinned, what its result is, who sees and steers it."""
        if self.shelved:
            self.shelf.change(self._header())

    def forget(self) -> int:
        """Removes what the disk has of it and of its setup; how many bytes that frees."""
        identity, self.shelved = self.memo.identity, False
        return self.memo.forget() + self.shelf.forget(self.id, (identity.sampling, identity.drafting))

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
                asked=self.asked,
                stopped=self.stopped,
                pinned=self.pinned,
                kept=list(self.kept),
                tiles=self.tiles.state(),
                error=self.error,
                **self.name(),
                candidates=list(self.rows),
            )

    # Inside

    def _header(self) -> dict[str, Any]:
        """What the shelf keeps of it that may change."""
        names = ("version", "status", "result", "stopped", "pinned", "count", "error")
        identity = self.memo.identity
        return {
            **self.origin.to_dict(),
            **{name: getattr(self, name) for name in names},
            "kept": [*self.kept.items()],
            "setup": identity.sampling,
            "drafting": identity.drafting,
        }

    def _for_the_shelf(self) -> tuple[dict[str, Any], dict[str, Any], Any]:
        prompt, info = self.queued
        state: Any = self.state()
        identity = self.memo.identity
        content = {
            "state": {name: state[name] for name in SHELVED},
            "recipes": self.recipe.to_dict(self.proposed),
            "queued": [plain(prompt or {}), info],
            "judging": identity.judging,
            "run": identity.run,
        }
        return self._header(), content, self.thumbnails.files()

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
            began=began_with(trial.candidate),
            lineage=self._firsts.of(trial.candidate, trial.id),
            finished=trial.finished,
            picture=image is not None,
            moving=image is not None and moves(image),
        )

    def _kept_again(self, trials: Sequence[Trial]) -> dict[int, int]:
        keys = {trial.id: trial.candidate.key for trial in trials}
        return {number: self._kept_before[key] for number, key in keys.items() if key in self._kept_before}

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


def kept_before(memo: Memo, user: str) -> dict[str, int]:
    """Keys of what was in the seed book when this search ran before, and still is, and the numbers of the entries."""
    noted = memo.noted(BOOKED).get("entries")
    found = noted if isinstance(noted, dict) else {}
    there = seed_book.those_of([one for one in found.values() if type(one) is int], user) if found else ()
    return {key: one for key, one in found.items() if one in there}
