"""What is said about a search, while it runs and when it is over."""

from typing import Any

from ...search.trace import Trace
from .progress import spoken

ENDINGS = {"pictures": "budget used", "minutes": "time is up", "target": "target reached", "patience": "no more gain",
           "finished": "nothing left to try"}


def headline(trace: Trace) -> str:
    """The best so far against the candidate that the search began with."""
    if not trace.columns:
        return "unjudged"
    score, first = trace.scores[trace.best(1)[0].id], trace.scores[0]
    return f"best {score:.4g} ({trace.trials[0].how} {first:.4g}, {score - first:+.3g})"


def summary(trace: Trace, seconds: float) -> str:
    if not trace.columns:
        seeds = ", ".join(str(trial.candidate.plain_seed) for trial in trace.trials if trial.candidate.plain_seed is not None)
        return f"{counted(trace)} in {spoken(seconds)}, no verifier: choose one by its seed: {seeds}."
    best = trace.best(1)[0]
    seed = best.candidate.plain_seed
    made = f"seed {seed}" if seed is not None else f"a mixed noise ({best.how})"
    return (f"{counted(trace)} in {spoken(seconds)}, {headline(trace)}, from {made}, "
            f"{trace.ledger.nfe} model calls, {ENDINGS[trace.stopped]}.")


def facts(trace: Trace, recipe: str) -> dict[str, Any]:
    """What the browser and the API learn about the result, as plain JSON. Seeds are text: a browser rounds large numbers."""
    best = trace.best(1)[0]
    judged = bool(trace.columns)
    return {"score": trace.scores[best.id] if judged else None, "first_score": trace.scores[0] if judged else None,
            "seed": str(best.candidate.plain_seed) if best.candidate.plain_seed is not None else None, "how": best.how,
            "pictures": len(trace.trials), "nfe": trace.ledger.nfe, "stopped": trace.stopped, "recipe": recipe}


def counted(trace: Trace) -> str:
    return "1 picture" if len(trace.trials) == 1 else f"{len(trace.trials)} pictures"
