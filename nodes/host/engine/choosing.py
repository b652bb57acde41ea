"""Who has the last word about what leaves a search: the artist, where the node waits for that. No server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ....search.trace import Trace, Trial


@dataclass(frozen=True)
class Chosen:
    """What was said of a search's own winners.

    Args:
        ids: Of finished candidates that leave instead, best first; none where the winners stay.
        note: What the artist should know of it.
    """

    ids: tuple[int, ...] = ()
    note: str = ""


Chooser = Callable[[Trace, Sequence[Trial]], Chosen]  # asked once, when the search is over and has its winners
