"""What a search tells while it runs, to whoever looks: a panel, a progress bar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor

from ....search.path import Proposal
from ....search.run import Budget
from ....search.trace import Trace, Trial


@dataclass(frozen=True, eq=False)
class RoundOver:
    """A round that was measured and ranked.

    Args:
        trace: All so far, scores of now included.
        trials: The new ones.
        images: Their pictures, by the key of the candidate.
        best: The picture of the best so far, where it is a new one and was judged.
        rescored: Whether the scores of older trials changed.
    """

    trace: Trace
    trials: Sequence[Trial]
    images: Mapping[str, Tensor]
    best: Tensor | None
    rescored: bool = False


What = Literal["loading", "sampling", "decoding", "judging"]


@dataclass(frozen=True, eq=False)
class Doing:
    """What is being done for the round in the making.

    Args:
        count: How many candidates the round has.
        rows: Places in it of those that it is done for.
        step: Steps of these that are done.
        steps: Of so many; 0 where nothing is sampled.
        expected: What the model expects of each row after this step, `(n, …)` in its own scale; None before the first.
        patcher: The MODEL that samples.
        judged: The first so many candidates are made already, and are being judged meanwhile.
    """

    what: What
    count: int
    rows: tuple[int, ...]
    step: int = 0
    steps: int = 0
    expected: Tensor | None = None
    patcher: Any = None
    judged: int = 0


class Watcher(Protocol):
    """Called on the thread that searches; what it raises ends the search."""

    def begin(self, budget: Budget, notes: Sequence[str], replayed: Sequence[Proposal]) -> None:
        """The search begins.

        Args:
            notes: What the scores mean, and what the artist should know.
            replayed: The candidates of recipes, where nothing is searched.
        """

    def making(self, pictures: float) -> None:
        """After a step: so many pictures' worth of the round in the making are done."""

    def doing(self, doing: Doing) -> None:
        """Something else is being done for the round in the making, or a step of it is over."""

    def round(self, over: RoundOver) -> None:
        """A round is over."""

    def done(self, trace: Trace, winners: Sequence[Trial]) -> None:
        """The search is over, and these, best first, are its result."""
