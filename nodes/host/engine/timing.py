"""How long things took the last time, a few numbers for as long as the host runs: per setup, what a limit in minutes is
checked against before anything is sampled, and what a search with such a limit plans by; per judge, a look of its.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ....search.allowance import Allowance, Record
from ....search.run import Budget
from ....search.trace import Trace
from ..setup.sampling import Sampling

Rates = Mapping[str, tuple[float | None, float | None]]

_seconds: dict[tuple, float] = {}
_rates: dict[tuple, Rates] = {}
_looks: dict[tuple, float] = {}


def check_minutes(budget: Budget, sampling: Sampling) -> None:
    """Refuses a limit that, by the last time, is over before one picture is there. A setup that never ran passes."""
    known = _seconds.get(setup(sampling), 0.0)
    if 0 < budget.minutes * 60 < known:
        raise ValueError(
            f"minutes must allow one picture: {budget.minutes:g} minutes are {budget.minutes * 60:.0f} s, "
            f"and a picture of this setup took {known:.0f} s the last time"
        )


def note_pace(trace: Trace, sampling: Sampling) -> None:
    """Keeps the fastest picture's time: the first ones of a run also load the models."""
    known = {trial.round for trial in trace.trials if trial.remembered}
    paid = [trial.seconds for trial in trace.trials if trial.round not in known]
    if paid:
        _seconds[setup(sampling)] = min(paid)


def last_pace(sampling: Sampling, draft: Sampling | None, judge: Any) -> Record:
    """What the last search with this setup and this judge took; an empty one where there was none."""
    rates = _rates.get(_with(sampling, draft, judge))
    return Record() if rates is None else Record(pace=dict(rates), paced=True)


def note_rates(allowance: Allowance, sampling: Sampling, draft: Sampling | None, judge: Any) -> None:
    """Keeps what the fastest groups of this one took: full ones, whose models were loaded."""
    if fastest := allowance.pace.fastest:
        _rates[_with(sampling, draft, judge)] = fastest


def last_look(judge: Any, sampling: Sampling) -> float | None:
    """Seconds that a look of this judge at a picture of such a setup took the last time."""
    return _looks.get((_named(judge), sampling.finished_shapes))


def note_looks(judge: Any, sampling: Sampling, seconds: Sequence[float]) -> None:
    """Keeps their median: the first one may also load the judge."""
    if seconds:
        _looks[_named(judge), sampling.finished_shapes] = statistics.median(seconds)


def _with(sampling: Sampling, draft: Sampling | None, judge: Any) -> tuple:
    return setup(sampling), draft and setup(draft), _named(judge)


def _named(judge: Any) -> tuple[str, str] | None:
    return judge and (type(judge).__name__, judge.card.name)


def setup(sampling: Sampling) -> tuple:
    model = type(sampling.guider.model_patcher.model).__name__
    return model, sampling.shapes, tuple(sampling.sigmas.tolist()), repr(sorted(sampling.settings.items()))
