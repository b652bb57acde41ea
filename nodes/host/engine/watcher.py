"""What a search tells while it runs, to whoever looks: a panel, a progress bar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

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

    def round(self, over: RoundOver) -> None:
        """A round is over."""

    def done(self, trace: Trace, winners: Sequence[Trial]) -> None:
        """The search is over, and these, best first, are its result."""
