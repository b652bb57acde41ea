"""How long a picture took the last time, per setup: what a limit in minutes is checked against before anything is
sampled.
"""

from ....search.run import Budget
from ....search.trace import Trace
from ..setup.sampling import Sampling

_seconds: dict[tuple, float] = {}  # a few numbers per setup, for as long as the host runs


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


def setup(sampling: Sampling) -> tuple:
    model = type(sampling.guider.model_patcher.model).__name__
    return model, sampling.shapes, tuple(sampling.sigmas.tolist()), repr(sorted(sampling.settings.items()))
