"""What a search may still use: pictures' worth of denoising by its budget, and seconds by the clock.

Seconds are counted at the measured pace. Denoising has its price per picture's worth, and each look, which is decoding
and judging, has its own; pictures, drafts and previews are timed apart, as other models may make and show them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .path import Path, Proposal
from .trace import Measured

PICTURE, DRAFT, PREVIEW = "picture", "draft", "preview"
ROUNDING = 1e-6  # of pictures' worth, and of seconds


@dataclass(frozen=True)
class Work:
    """Something to be made and looked at.

    Args:
        worth: Full pictures' worth of denoising, at least 0.
        kind: "picture", "draft" or "preview".
        count: How many of it, at least 0; a share where it is one of a mean.
        begins: Whether it begins a lineage, which a second judge may look at when the search is over.
    """

    worth: float
    kind: str = PICTURE
    count: float = 1.0
    begins: bool = False


WHOLE = Work(1.0, begins=True)  # a noise in full


def kind_of(proposed: Proposal) -> str:
    """Whether it is a picture, a draft or a preview."""
    if not isinstance(proposed, Path):
        return PICTURE
    return DRAFT if proposed.draft else PREVIEW if proposed.end else PICTURE


@dataclass
class _Rate:
    """Seconds of one kind, None where not measured yet."""

    denoising: float | None = None  # per picture's worth
    look: float | None = None

    def least(self, other: _Rate | None) -> _Rate:
        """The least of both, each for itself."""
        pairs = ((self.denoising, other and other.denoising), (self.look, other and other.look))
        return _Rate(*(min((one for one in pair if one is not None), default=None) for pair in pairs))


class Pace:
    """How many seconds work takes, by the last group of its kind. What was remembered from an earlier run took next to
    no time and tells nothing.

    Args:
        rates: What is known already, as `rates` gives it.
    """

    def __init__(self, rates: Mapping[str, tuple[float | None, float | None]] = MappingProxyType({})) -> None:
        self._rates = {kind: _Rate(*rate) for kind, rate in rates.items()}
        self._fastest: dict[str, _Rate] = {}

    @property
    def fastest(self) -> dict[str, tuple[float | None, float | None]]:
        """As `rates`, of the groups that went fastest: full ones, whose models are loaded."""
        return {kind: (rate.denoising, rate.look) for kind, rate in self._fastest.items()}

    @property
    def rates(self) -> dict[str, tuple[float | None, float | None]]:
        """Seconds of denoising, per picture's worth, and of a look, by kind."""
        return {kind: (rate.denoising, rate.look) for kind, rate in self._rates.items()}

    @property
    def known(self) -> bool:
        """Whether denoising was timed yet."""
        return any(rate.denoising is not None for rate in self._rates.values())

    def seconds(self, *works: Work) -> float:
        """What work takes, 0 where nothing is known; of a kind that was not timed yet, what a picture takes."""
        return math.fsum(
            work.count * (work.worth * self._denoising(work.kind) + self._look(work.kind)) for work in works
        )

    def look(self, kind: str = PICTURE) -> float:
        """Seconds of one look, in pictures' worth of denoising; 0 where nothing is known."""
        denoising = self._denoising(PICTURE)
        return self._look(kind) / denoising if denoising else 0.0

    def note(self, proposed: Sequence[Proposal], costs: Sequence[float], measured: Measured, elapsed: float) -> None:
        """A group was measured.

        Args:
            costs: Pictures' worth of denoising of each.
            measured: How long its parts took; where it does not tell, all of the time was denoising.
            elapsed: Seconds by the clock.
        """
        new = [place for place in range(len(proposed)) if not (measured.remembered and measured.remembered[place])]
        if not new:
            return
        scale = elapsed / measured.seconds if measured.seconds > 0 else 0.0
        looking = scale * (
            measured.decoding_seconds * len(new) / len(proposed)  # what was remembered is decoded again
            + measured.scoring_seconds
        )
        denoising = elapsed - scale * (measured.decoding_seconds + measured.scoring_seconds)
        kinds = [kind_of(proposed[place]) for place in new]
        worth = dict.fromkeys(kinds, 0.0)
        for place, kind in zip(new, kinds, strict=True):
            worth[kind] += costs[place]
        if not any(worth.values()):  # a picture that came in
            denoising, looking = 0.0, denoising + looking
        expected = {kind: (self._denoising(kind) or 1.0, self._look(kind) or 1.0) for kind in worth}
        expected_denoising = math.fsum(worth[kind] * rate for kind, (rate, _) in expected.items())
        expected_looking = math.fsum(kinds.count(kind) * look for kind, (_, look) in expected.items())
        for kind, (rate, look) in expected.items():
            known = self._rates.setdefault(kind, _Rate())
            known.look = looking * look / expected_looking
            if worth[kind]:
                known.denoising = denoising * rate / expected_denoising
            self._fastest[kind] = known.least(self._fastest.get(kind))

    def _denoising(self, kind: str) -> float:
        for name in (kind, PICTURE, *self._rates):
            if (rate := self._rates.get(name)) is not None and rate.denoising is not None:
                return rate.denoising
        return 0.0

    def _look(self, kind: str) -> float:
        for name in (kind, PICTURE, *self._rates):
            if (rate := self._rates.get(name)) is not None and rate.look is not None:
                return rate.look
        return 0.0


@dataclass
class Record:
    """What the clock said when a search planned, so that the same search can plan the same when it runs again.

    Args:
        count: How many times the clock was read.
        bounds: What it said where that was less than the pictures allow, by the number of the reading, from 1.
        pace: Seconds of denoising and of a look by kind, None where not measured.
        paced: Whether the pace was known before the first picture.
    """

    count: int = 0
    bounds: dict[int, float] = field(default_factory=dict[int, float])
    pace: dict[str, tuple[float | None, float | None]] = field(
        default_factory=dict[str, tuple[float | None, float | None]]
    )
    paced: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As it is written down."""
        bounds = {str(number): value for number, value in self.bounds.items()}
        pace = {kind: list(rate) for kind, rate in self.pace.items()}
        return {"count": self.count, "bounds": bounds, "pace": pace, "paced": self.paced}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Record:
        """As it was written down; an empty one of nothing."""
        bounds = {int(number): float(value) for number, value in written.get("bounds", {}).items()}
        pace = {kind: (denoising, look) for kind, (denoising, look) in written.get("pace", {}).items()}
        return cls(int(written.get("count", 0)), bounds, pace, bool(written.get("paced", False)))


class Allowance:
    """What is left at this moment. A search reads it when it plans; the driver keeps it up to date.

    Args:
        pictures: Full pictures' worth of denoising, more than 0.
        cost: Full pictures' worth of denoising that a candidate takes.
        seconds: Limit by the clock from now on, 0 for none.
        clock: Seconds.
        before: Of an earlier run of the same search. Where that read the clock, this one gets the same answers, and
            then new ones. Of another run of the same setup, only its pace.
    """

    def __init__(
        self,
        pictures: float,
        cost: Callable[[Proposal], float],
        seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        before: Record | None = None,
    ):
        self.cost, self._before = cost, before or Record()
        self._read = Record(paced=self._before.paced)
        self.pace = Pace(self._before.pace)
        self.bound = False  # whether the clock allowed less than the pictures when it was read last
        self._pictures, self.spent = pictures, 0.0  # pictures' worth
        self.second, self.seen = 0.0, 0  # seconds of a second judge's look, when it is over, and lineages that it sees
        self.lineages = 0  # those that are there
        self.first: tuple[Work, ...] = ()  # what is measured before all else, and is not there yet
        self._limit, self._clock, self._start = seconds, clock, clock() if seconds else 0.0

    @property
    def pictures(self) -> float:
        """Pictures' worth that is left by the budget."""
        return self._pictures - self.spent

    @property
    def timed(self) -> bool:
        """Whether there is a limit by the clock."""
        return self._limit > 0

    @property
    def seconds(self) -> float:
        """Seconds that are left, below 0 where the time is over; infinite without a limit."""
        if not self._limit:
            return math.inf
        return self._limit - self.second * min(self.lineages, self.seen) - (self._clock() - self._start)

    @property
    def paced(self) -> bool:
        """Whether the pace was known before the first picture."""
        return self._read.paced

    def work(self, proposed: Proposal) -> Work:
        """What a candidate takes."""
        return Work(self.cost(proposed), kind_of(proposed), begins=not proposed.parents)

    def second_looks(self, begun: float) -> float:
        """Seconds of a second judge's looks at so many lineages more."""
        return self.second * min(begun, max(0, self.seen - self.lineages))

    def times(self, *works: Work) -> int:
        """How many times all of this work can be done in what is left: of the pictures, and of the time. By the time
        alone where the work takes no denoising.
        """
        worth, by_time = math.fsum(work.count * work.worth for work in works), self._by_time(works)
        by_worth = math.inf if worth <= 0 else (self.pictures + ROUNDING) / worth
        if not by_worth < math.inf and not by_time < math.inf:
            raise ValueError("works must take denoising or time, got none of it")
        return math.floor(self._least(max(0.0, by_worth), by_time))

    def worth(self, *works: Work) -> float:
        """Pictures' worth that is left where all of it is spent on such work in these shares, at least 0."""
        worth, by_time = math.fsum(work.count * work.worth for work in works), self._by_time(works)
        return self._least(self.pictures, by_time * worth if by_time < math.inf else math.inf)

    def steps(self, share: float, most: int, before: Sequence[Work] = ()) -> int:
        """How many steps of one more picture the time pays for, together with the look at it; from 0 to `most`.

        Args:
            share: Pictures' worth of one step, above 0.
            most: Steps that are enough.
            before: Work that is done first.
        """
        look = self.pace.seconds(Work(0.0))
        step = self.pace.seconds(Work(share)) - look
        left = self.seconds - self.pace.seconds(*self.first, *before) - look + ROUNDING
        return math.floor(self._least(most, left / step if step > 0 else math.copysign(math.inf, left)))

    def look(self) -> float:
        """What a look at a picture takes, in pictures' worth of denoising; 0 where nothing is known."""
        return self._least(math.inf, self.pace.look())

    def dearness(self, work: Work) -> float:
        """What work takes, its look included, in times of a picture in full; 0 where nothing is known."""
        whole = self.pace.seconds(Work(1.0))
        return self._least(math.inf, self.pace.seconds(work) / whole if whole else 0.0)

    def record(self) -> Record:
        """What the clock said so far."""
        self._read.pace = self.pace.rates
        return self._read

    def _by_time(self, works: Sequence[Work]) -> float:
        """How many times the time that is left pays for all of this work, and for a second judge's looks at what it
        begins, as long as that does not see enough.
        """
        seconds = self.pace.seconds(*works)
        if seconds <= 0:
            return math.inf
        begun, first = math.fsum(work.count for work in works if work.begins), len(self.first)
        room = max(0, self.seen - self.lineages - first)
        left = self.seconds - self.pace.seconds(*self.first) - self.second_looks(first) + ROUNDING
        few = left / (seconds + self.second * begun)
        return few if few * begun <= room else (left - self.second * room) / seconds

    def _least(self, free: float, by_the_clock: float) -> float:
        """What is allowed, at least 0: without the clock, and by what it says now, or said in the earlier run."""
        if not self.timed:
            return free
        self._read.count = number = self._read.count + 1
        if number <= self._before.count:
            by_the_clock = self._before.bounds.get(number, math.inf)
        allowed = max(0.0, by_the_clock)
        self.bound = allowed < free
        if self.bound:
            self._read.bounds[number] = allowed
        return min(free, allowed)
