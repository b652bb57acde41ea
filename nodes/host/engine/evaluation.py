"""A round of candidates: as it was made, and as it was judged."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import comfy.model_management as memory
from torch import Tensor

from ....search.path import Proposal
from ....search.trace import Measured
from ..setup.noise import Latent, joined, streams
from ..setup.particles import Ended
from .walker import Reached

Values = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """One candidate that was sampled, decoded and judged.

    Args:
        proposed: The candidate.
        values: Raw values by the verifier, one per column; none without a verifier.
        nfe: Model calls that it took.
        remembered: Whether an earlier run had paid for it.
        ended: Where it ended; for previews, what was expected there.
        image: Its picture `(h, w, c)`, or `(frames, h, w, c)`.
    """

    proposed: Proposal
    values: tuple[float, ...]
    nfe: int
    remembered: bool
    ended: Ended
    image: Tensor


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A round of candidates, in the order that was asked for, and the seconds that each part took."""

    found: tuple[Evaluated, ...]
    sampling: float
    decoding: float
    judging: float

    @property
    def measured(self) -> Measured:
        """The numbers, as the search's trace has them."""
        values, nfe, remembered = zip(*((one.values, one.nfe, one.remembered) for one in self.found))
        return Measured(values, nfe, self.sampling, self.decoding, self.judging, remembered)


@dataclass(frozen=True, eq=False)
class Made:
    """A round that was sampled and decoded, and is still to be judged.

    Args:
        batches: Where the candidates ended.
        images: Their pictures, in the order that was asked for.
        estimates: What was expected of them where the judge wants that, by their place.
        sampling: Seconds.
        decoding: Seconds.
    """

    proposed: tuple[Proposal, ...]
    batches: Sequence[Reached]
    images: Sequence[Tensor]
    estimates: dict[int, Tensor]
    sampling: float
    decoding: float

    def judged(self, values: Values, judging: float) -> Evaluation:
        """With the raw values of each, and the seconds that these took."""
        ends = in_order((batch.rows, ends_of(batch)) for batch in self.batches)
        nfe = in_order((batch.rows, [batch.nfe] * len(batch.rows)) for batch in self.batches)
        remembered = in_order((batch.rows, [batch.remembered] * len(batch.rows)) for batch in self.batches)
        found = tuple(Evaluated(*parts) for parts in zip(self.proposed, values, nfe, remembered, ends, self.images))
        return Evaluation(found, self.sampling, self.decoding, judging)


class Ahead:
    """The round after the one that is being judged, once it is made. Where that failed, it fails for who takes it."""

    def __init__(self) -> None:
        self.proposed: tuple[Proposal, ...] = ()
        self._made = Future[Made]()

    def make(self, proposed: Sequence[Proposal], make: Callable[[Sequence[Proposal]], Made]) -> None:
        """Now.

        Raises:
            InterruptProcessingException, Finish: What the artist wants is heard at once, and nothing is made then.
        """
        made = Future[Made]()
        try:
            made.set_result(make(proposed))
        except memory.InterruptProcessingException:
            raise
        except Exception as error:  # of the model, of other packs
            made.set_exception(error)
        self.proposed, self._made = tuple(proposed), made

    def take(self, proposed: Sequence[Proposal]) -> Made | None:
        """Where it is these; it is forgotten in any case."""
        before, made = self.proposed, self._made
        self.proposed, self._made = (), Future[Made]()
        return made.result() if before and before == tuple(proposed) else None


def in_order(parts: Any) -> list:
    """The rows of all parts, each `(places, rows)`, by place."""
    rows = {place: row for places, found in parts for place, row in zip(places, found)}
    return [rows[place] for place in sorted(rows)]


def ends_of(batch: Reached) -> list[Ended]:
    """Where each of a batch ended."""
    clean = rows_of(batch.latents)
    handed = [None] * len(clean) if batch.handed is None else rows_of(batch.handed)
    return [Ended(*one) for one in zip(clean, handed)]


def rows_of(latent: Latent) -> list[Latent]:
    parts = streams(latent)
    return [joined([part[row : row + 1] for part in parts]) for row in range(parts[0].shape[0])]
