"""What a search did: one trial per measured candidate, their scores, and what it cost."""

from __future__ import annotations

import csv
import heapq
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from .path import Proposal, stage
from .recipe import decode, encode

VERSION = 2
CSV_COLUMNS = ("id", "how", "stage", "round", "cost", "cumulative cost", "nfe", "seconds", "score")


@dataclass
class Ledger:
    """Everything that was paid, in one place."""

    rollouts: int = 0
    nfe: int = 0  # denoiser calls per picture, summed; a CFG pair counts 2
    decodes: int = 0
    scores: int = 0
    sampling_seconds: float = 0.0
    decoding_seconds: float = 0.0
    scoring_seconds: float = 0.0

    def add(self, measured: Measured) -> None:
        rows = len(measured.values)
        self.rollouts += rows
        self.nfe += sum(measured.nfe_of(row) for row in range(rows))
        self.decodes += rows
        self.scores += sum(1 for row in measured.values if row)
        self.sampling_seconds += measured.sampling_seconds
        self.decoding_seconds += measured.decoding_seconds
        self.scoring_seconds += measured.scoring_seconds


@dataclass(frozen=True)
class Measured:
    """What a group of candidates turned out to be: one row of raw values per candidate, and the cost.

    Args:
        values: Per candidate k values, higher is better; k may be 0 where nothing judges.
        nfe: Denoiser calls of each candidate, one number where all took the same; a CFG pair counts 2.
        sampling_seconds, decoding_seconds, scoring_seconds: Of the whole group.
        remembered: Which of them an earlier run had paid for; empty for none.
    """

    values: tuple[tuple[float, ...], ...]
    nfe: int | tuple[int, ...] = 0
    sampling_seconds: float = 0.0
    decoding_seconds: float = 0.0
    scoring_seconds: float = 0.0
    remembered: tuple[bool, ...] = ()

    def nfe_of(self, row: int) -> int:
        return self.nfe if isinstance(self.nfe, int) else self.nfe[row]

    @property
    def seconds(self) -> float:
        return self.sampling_seconds + self.decoding_seconds + self.scoring_seconds


@dataclass(frozen=True)
class Trial:
    """One measured candidate.

    Args:
        id: Place in the trace; 0 is the user's own noise.
        candidate: What was measured: a noise that was sampled in full, or a walk along the path.
        parents: Ids of the trials whose candidates it was made from, where they were measured.
        how: "own seed", "start", "random", "neighbor", "combination"; "draft", "preview", "refined" or "path" along the
            path.
        round: The round that measured it.
        cost: Full pictures' worth of denoising that it took.
        values: Raw values, one per column of the trace.
        seconds: Its share of the time of its group.
        remembered: Whether an earlier run had paid for it; its cost counts all the same, so that the search goes as it
            went then.
    """

    id: int
    candidate: Proposal
    parents: tuple[int, ...]
    how: str
    round: int
    nfe: int
    values: tuple[float, ...]
    seconds: float
    cost: float = 1.0
    remembered: bool = field(default=False, compare=False)

    @property
    def finished(self) -> bool:
        """Whether it is a picture, and not only a draft or a preview of one."""
        return not stage(self.candidate)

    @property
    def name(self) -> str:
        """What pages and texts call it; they count from 1."""
        return f"#{self.id + 1}"


@dataclass(frozen=True)
class Accepted:
    """What a second judge said of the best pictures of different lineages when the search was over.

    Args:
        judge: Its name.
        ids: Of the trials that it saw, best first by the judge of the search.
        scores: Its own, one each, higher is better.
    """

    judge: str
    ids: tuple[int, ...]
    scores: tuple[float, ...]

    @property
    def taken(self) -> int:
        """Id of the one that it scores highest; of equals the one that the judge of the search puts first."""
        return self.ids[self.scores.index(max(self.scores))]


class _Present(Mapping[Proposal, float]):
    """Scores by candidate, as they are when they are read."""

    def __init__(self, trace: Trace):
        self._trace = trace

    def __getitem__(self, candidate: Proposal) -> float:
        return self._trace.score_of(candidate)

    def __iter__(self) -> Iterator[Proposal]:
        return (trial.candidate for trial in self._trace.trials)

    def __len__(self) -> int:
        return len(self._trace.trials)


@dataclass
class Trace:
    """All trials of one search; it grows while the search runs and stays readable if that fails.

    Args:
        columns: Names of the raw values.
        trials: In the order of measuring.
        scores: One per trial, higher is better, combined anew in every round over its pool: all pictures, or all
            previews of a level.
        stopped: Why the search ended: "pictures", "minutes", "target", "patience", "finished"; "" while it runs or when
            it was cut off.
        behind: How many of the last trials were measured together with the one that reached the target, and come after
            it. They are kept and paid for, and cannot win.
        accepted: What a second judge chose between the best of different lineages; None without one.
        result: Ids of the pictures that were kept, in their order; empty while it runs. They are the best ones, unless
            a final, a second judge, the wish for different ones or the artist had a say.
        by_hand: Whether the artist picked the result, whatever a judge thinks of it.
    """

    columns: tuple[str, ...] = ()
    trials: list[Trial] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    stopped: str = ""
    behind: int = 0
    accepted: Accepted | None = None
    result: tuple[int, ...] = ()
    by_hand: bool = False
    version: int = VERSION
    _ids: dict[Proposal, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    _paid: tuple[float, float] = field(default=(0.0, 0.0), init=False, repr=False, compare=False)  # and its rounding

    def __post_init__(self) -> None:
        self._ids = {trial.candidate: trial.id for trial in self.trials}
        self._pay([trial.cost for trial in self.trials])

    @property
    def pictures(self) -> float:
        """Full pictures' worth of denoising so far."""
        return self._paid[0]

    @property
    def present(self) -> Mapping[Proposal, float]:
        """The present scores of everything that was measured."""
        return _Present(self)

    def id_of(self, candidate: Proposal) -> int | None:
        """Find the trial that measured this candidate."""
        return self._ids.get(candidate)

    def score_of(self, candidate: Proposal) -> float:
        return self.scores[self._ids[candidate]]

    def best(self, k: int = 1) -> list[Trial]:
        """List the k best pictures, best first, the earlier one first where scores are equal. Drafts and previews are
        none, and what came after the one that reached the target does not count.
        """
        counted = len(self.trials) - self.behind
        finished = (trial for trial in self.trials[:counted] if trial.finished)
        return heapq.nsmallest(k, finished, key=lambda trial: (-self.scores[trial.id], trial.id))

    @property
    def winner(self) -> Trial:
        """The picture that was taken: the best, unless a final, a second judge or the artist took another one."""
        return self.first(1)[0]

    @property
    def taken_as(self) -> str:
        """How the winner came to be that: the best, or what the artist, a second judge, a final or a recipe took."""
        if self.by_hand:
            return "picked by you"
        return "best" if self.winner is self.best(1)[0] else "accepted" if self.accepted else "taken"

    def first(self, k: int) -> list[Trial]:
        """At most k pictures as they come: those that were kept, in their order, and then the best of the others."""
        kept = [self.trials[number] for number in self.result[:k]]
        others = [trial for trial in self.best(k) if trial.id not in self.result]
        return [*kept, *others][:k]

    def add(
        self,
        candidates: Sequence[Proposal],
        measured: Measured,
        hows: Sequence[str],
        round: int,
        costs: Sequence[float] = (),
    ) -> list[Trial]:
        """Append one trial per candidate and pay for them; a full picture each where no costs are given."""
        share, first = measured.seconds / len(candidates), len(self.trials)
        self.ledger.add(measured)
        for row, (candidate, values, how) in enumerate(zip(candidates, measured.values, hows, strict=True)):
            parents = tuple(
                self._ids[known] for parent in candidate.parents if (known := self._known(parent)) is not None
            )
            number, nfe, cost = len(self.trials), measured.nfe_of(row), costs[row] if costs else 1.0
            remembered = bool(measured.remembered) and measured.remembered[row]
            self._ids[candidate] = number
            self.trials.append(
                Trial(number, candidate, parents, how, round, nfe, tuple(values), share, cost, remembered)
            )
        self._pay([trial.cost for trial in self.trials[first:]])
        return self.trials[first:]

    def _pay(self, costs: Sequence[float]) -> None:
        paid = math.fsum([*self._paid, *costs])
        self._paid = (paid, math.fsum([*self._paid, *costs, -paid]))

    def _known(self, parent: Proposal) -> Proposal | None:
        """The parent as it was measured: the picture of a candidate may be written as the walk to it."""
        while parent not in self._ids:
            if not parent.parents or getattr(parent, "renoised", True):
                return None
            parent = parent.parents[0]
        return parent

    def to_json(self) -> str:
        """Write it as one line of JSON, candidates as in a recipe."""
        noise, places = encode([trial.candidate for trial in self.trials])
        rows = [[place, *_row(trial)] for place, trial in zip(places, self.trials, strict=True)]
        body: dict[str, Any] = {
            "noise_search_trace": self.version,
            "columns": self.columns,
            "noise": noise,
            "trials": rows,
        }
        body |= {"scores": self.scores, "ledger": asdict(self.ledger), "stopped": self.stopped}
        body |= {"behind": self.behind} if self.behind else {}
        body |= {"accepted": asdict(self.accepted)} if self.accepted else {}
        body |= {"result": self.result} if self.result else {}
        body |= {"by_hand": True} if self.by_hand else {}
        return json.dumps(body, separators=(",", ":"), allow_nan=False)

    def to_csv(self) -> str:
        """Write one row per trial, for a spreadsheet: what it was, what it took, its score and raw values, the ids of
        its parents.
        """
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([*CSV_COLUMNS, *self.columns, "parents"])
        paid = 0.0
        for trial, score in zip(self.trials, self.scores, strict=True):
            paid += trial.cost
            kind = stage(trial.candidate) or "picture"
            facts = [trial.id, trial.how, kind, trial.round, trial.cost, paid, trial.nfe, trial.seconds, score]
            rows.writerow([*facts, *trial.values, " ".join(map(str, trial.parents))])
        return text.getvalue()

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """Read what `to_json` wrote; another version is an error."""
        read: Any = json.loads(text)
        body = cast("dict[str, Any]", read if isinstance(read, dict) else {})
        version = body.get("noise_search_trace")
        if version != VERSION:
            raise ValueError(f"trace must be of version {VERSION}, got {version}")
        noise = decode(body["noise"])
        trials = [_trial(index, noise, row) for index, row in enumerate(body["trials"])]
        ledger, behind = Ledger(**body["ledger"]), body.get("behind", 0)
        accepted, result = _accepted(body.get("accepted")), tuple(body.get("result", ()))
        ended = (body["stopped"], behind, accepted, result, body.get("by_hand", False))
        return cls(tuple(body["columns"]), trials, body["scores"], ledger, *ended)


def _accepted(read: Mapping[str, Any] | None) -> Accepted | None:
    return None if read is None else Accepted(read["judge"], tuple(read["ids"]), tuple(read["scores"]))


def _row(trial: Trial) -> list[Any]:
    return [trial.parents, trial.how, trial.round, trial.nfe, trial.values, trial.seconds, trial.cost]


def _trial(index: int, noise: Sequence[Proposal], row: list[Any]) -> Trial:
    place, parents, how, round, nfe, values, seconds, cost = row
    candidate: Proposal = noise[int(place)]
    return Trial(index, candidate, tuple(parents), how, round, nfe, tuple(values), seconds, cost)
