"""What the server and its pages say to each other: events, addresses, and what every message holds.

js/messages.js says the same for the page. tests/nodes/test_messages.py holds the two against each other and against
what is really sent; tests/js/messages.test.mjs sees that the page reads nothing else.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from ..engine.watcher import What

UPDATE = "noise_search.update"  # SearchState when a search begins, SearchUpdate whenever something has changed
TILES = "noise_search.tiles"  # TilesUpdate, while a round is made; one that a page missed is not asked for
PICK = "noise_search.pick"  # PickState
ELSEWHERE = "noise_search.elsewhere"  # Elsewhere
EVENTS = {"update": UPDATE, "tiles": TILES, "pick": PICK, "elsewhere": ELSEWHERE}

SEARCHES = "/noise_search/searches"
PICKS = "/noise_search/picks"
BOOK = "/noise_search/book"
ADDRESSES = {"searches": SEARCHES, "picks": PICKS, "book": BOOK}

Status = Literal["running", "paused", "finishing", "waiting", "done", "interrupted", "failed"]
PickStatus = Literal["waiting", "picked", "rolled", "cancelled"]


class Candidate(TypedDict):
    """One candidate of a search; its place in the list is its id.

    Args:
        how: How the search came to it, in the trace's words.
        parents: Ids of those it was made from.
        cost: Pictures' worth of denoising.
        values: Raw values, one per column.
        score: Rank among all; None without a verifier.
        seed: A plain seed as text, since a browser rounds large numbers; None where it has none.
        began: Of a draft and of any other walk, the plain seed of the noise that it began with; None where that has
            none, and of a noise in full.
        lineage: Id of the first candidate that goes back to the same first noise, or to the same picture that came in:
            all of these are versions of one picture.
        finished: False for drafts and previews.
        picture: Whether its picture can still be fetched.
        moving: Whether there is one that moves, of a video.
    """

    id: int
    how: str
    parents: Sequence[int]
    cost: float
    values: Sequence[float]
    score: float | None
    seed: str | None
    began: str | None
    lineage: int
    finished: bool
    picture: bool
    moving: bool


class SearchName(TypedDict):
    """Which search a message is about.

    Args:
        search: Its id; the addresses of its pictures have it.
        node: The node of the page that shows it.
        workflow: Where this page shows it.
        version: Counts the messages: a page that missed one asks for the whole.
        mine: Whether this page may steer it.
        prompt_id: The host's.
        number: Counts the searches of this server.
    """

    search: str
    node: str
    workflow: str
    version: int
    mine: bool
    prompt_id: str
    number: int


class Tile(TypedDict):
    """A preview of a candidate in the making; `picture` is an address that holds it."""

    id: int
    picture: str


class InTheMaking(TypedDict):
    """The round that is being made.

    Args:
        first: Id that its first candidate will have.
        count: How many they are.
        rows: Ids of those that this is done for now.
        step: Steps of these that are done.
        steps: Of so many; 0 where nothing is sampled.
        pictures: Previews that are new; of a whole state, all of them.
    """

    what: What
    first: int
    count: int
    judged: int
    rows: Sequence[int]
    step: int
    steps: int
    pictures: Sequence[Tile]


class TilesUpdate(SearchName, InTheMaking):
    """How far the round in the making is. It counts as no version of the search."""


class AcceptedState(TypedDict):
    """What a second judge said: the ids of the pictures that it saw, and its score of each."""

    judge: str
    ids: Sequence[int]
    scores: Sequence[float]


class AskedState(TypedDict):
    """A search that is over and waits for the artist to pick.

    Args:
        most: How many pictures may go on.
        fallback: Ids of the search's own winners, which go on where nobody picks.
        seconds_left: Until that; None = no limit.
    """

    most: int
    fallback: Sequence[int]
    seconds_left: float | None


class SearchState(SearchName):
    """All that a page needs which knows nothing yet.

    Args:
        columns: Names of the raw values; none without a verifier.
        pictures: Budget, in pictures' worth.
        used: Of it.
        making: Of the round that is being made.
        minutes: Limit; 0 = none.
        seconds_left: By the pace so far; None while nothing is known.
        stopped: Why it ended, "" while it runs.
        result: Ids of the winners, best first.
        accepted: What a second judge said of the best pictures of different noises; None before, and without one.
        asked: What it asks the artist while it waits for that; None else.
        pinned: Ids that the artist keeps in front.
        kept: Ids that are in the seed book.
        tiles: The round in the making; None between two.
        error: What ended it, where it failed.
    """

    columns: Sequence[str]
    notes: Sequence[str]
    pictures: int
    used: float
    making: float
    minutes: float
    seconds_left: float | None
    status: Status
    result: Sequence[int]
    accepted: AcceptedState | None
    asked: AskedState | None
    stopped: str
    pinned: Sequence[int]
    kept: Sequence[int]
    tiles: InTheMaking | None
    error: str
    candidates: Sequence[Candidate]


class SearchChanges(TypedDict, total=False):
    """What changed: `candidates` are new ones, `scores` those of all, `gone` ids whose pictures are no longer kept."""

    candidates: Sequence[Candidate]
    scores: Sequence[float | None]
    gone: Sequence[int]
    notes: Sequence[str]
    used: float
    making: float
    seconds_left: float | None
    status: Status
    stopped: str
    result: Sequence[int]
    accepted: AcceptedState | None
    asked: AskedState | None
    pinned: Sequence[int]
    kept: Sequence[int]
    error: str


class SearchUpdate(SearchName, SearchChanges):
    """A change of one search."""


class PickFacts(TypedDict):
    """What is shown beside the pictures of a gallery.

    Args:
        columns: Names of the values by which a verifier judged them.
        values: One row per picture.
        scores: One per picture, or none.
        notes: What the artist should know.
        roll: How often they were rolled again.
        rollable: Whether others can be made.
        seeds: One text per picture, or none.
    """

    columns: Sequence[str]
    values: Sequence[Sequence[float]]
    scores: Sequence[float]
    notes: Sequence[str]
    roll: int
    rollable: bool
    seeds: Sequence[str]


class PickState(PickFacts):
    """A gallery of Human Pick.

    Args:
        count: How many pictures there are.
        sizes: Width and height of each.
        frames: How many frames each has; more than 1 of a video, which has a picture that moves.
        pick: Its id; the addresses of its pictures have it.
        picked: Places of what goes on, best first; none while it waits.
        by: Who picked.
        why: Why nobody was asked or nobody answered, "" otherwise.
        fallback: Who picks where nobody answers, and then the places.
        seconds_left: Until that; None = no limit.
    """

    count: int
    sizes: Sequence[Sequence[int]]
    frames: Sequence[int]
    pick: str
    number: int
    version: int
    node: str
    workflow: str
    mine: bool
    prompt_id: str
    status: PickStatus
    picked: Sequence[int]
    by: str
    why: str
    fallback: Sequence[Any]
    seconds_left: float | None


class Elsewhere(TypedDict):
    """A run of this node began that a page with the same graph may be shown."""

    node: str


class Kept(TypedDict):
    """An entry of the seed book."""

    id: int
    recipe: str
    seed: str | None
    score: float | None
    judge: str
    prompt: str
    model: str
    how: str
    made: float
    picture: bool


class SheetCell(TypedDict):
    """One picture of a sheet.

    Args:
        small: The host's entry of its file, for the grid; None where it could not be written.
        large: The same as it came.
        size: Width and height.
        frames: More than 1 of a video, of which the middle one is shown.
        seed: As text, "" where it is not known.
        score: None where nothing judged.
        best: What it is the best of.
    """

    small: Any
    large: Any
    size: Sequence[int]
    frames: int
    seed: str
    score: float | None
    best: Sequence[Literal["all", "row", "column"]]


class SheetState(TypedDict):
    """What a Seed Sheet shows; it comes with the node's output.

    Args:
        title: "" for none.
        across: How many columns there are.
        rows: Labels, or none.
        columns: Labels, or none.
        cells: Row by row.
    """

    title: str
    across: int
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[SheetCell]


MESSAGES = {
    "candidate": Candidate,
    "search": SearchState,
    "update": SearchUpdate,
    "tiles": TilesUpdate,
    "tile": Tile,
    "pick": PickState,
    "elsewhere": Elsewhere,
    "noise": Kept,
    "sheet": SheetState,
    "cell": SheetCell,
}
