"""What is said about a search, while it runs and when it is over."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ....search.path import Proposal
from ....search.trace import Trace, Trial

ENDINGS = {
    "pictures": "budget used",
    "minutes": "time is up",
    "target": "target reached",
    "patience": "no more gain",
    "finished": "nothing left to try",
    "you": "finished by you",
}

MADE = {
    "refined": "a picture that was refined",
    "path": "a walk along the path",
    "recipe": "a recipe",
    "own picture": "the picture that came in",
}


def headline(trace: Trace) -> str:
    """The best so far against the candidate that the search began with."""
    if not trace.columns:
        return "unjudged"
    taken, first = trace.winner, trace.scores[0]
    score = trace.scores[taken.id]
    return f"{trace.taken_as} {score:.4g} ({trace.trials[0].how} {first:.4g}, {score - first:+.3g})"


def summary(trace: Trace, seconds: float) -> str:
    if not trace.columns:
        seeds = ", ".join(
            str(trial.candidate.plain_seed) for trial in trace.trials if trial.candidate.plain_seed is not None
        )
        say = (
            f"you picked {picked(trace)} of the seeds {seeds}" if trace.by_hand else f"choose one by its seed: {seeds}"
        )
        return f"{counted(trace)} in {spoken(seconds)}, no verifier: {say}.{remembered(trace)}"
    best = trace.winner
    seed = best.candidate.plain_seed
    made = f"seed {seed}" if seed is not None else MADE.get(best.how, f"a mixed noise ({best.how})")
    return (
        f"{counted(trace)} in {spoken(seconds)}, {headline(trace)}, from {made}, "
        f"{trace.ledger.nfe} model calls, {ENDINGS[trace.stopped]}.{behind(trace)}{remembered(trace)}"
    )


def picked(trace: Trace) -> str:
    """What the artist picked, by its numbers in the panel."""
    return ", ".join(trace.trials[number].name for number in trace.result)


def accepted_note(trace: Trace) -> list[str]:
    """What the second judge did, in a sentence; nothing without one."""
    accepted = trace.accepted
    if accepted is None:
        return []
    best, taken = trace.trials[accepted.ids[0]], trace.trials[accepted.taken]
    saw = f"accept: {accepted.judge} saw the best pictures of {len(accepted.ids)} different noises"
    values = dict(zip(accepted.ids, accepted.scores, strict=True))
    if taken is best:
        return [f"{saw} and took the one with the best score, {best.name} (its own score {values[best.id]:.4g})."]
    return [
        f"{saw} and took {taken.name} (its own score {values[taken.id]:.4g}; score of the search"
        f" {trace.scores[taken.id]:.4g}), not {best.name} ({values[best.id]:.4g}; {trace.scores[best.id]:.4g})."
    ]


LISTED = 100  # candidates in the history: it is kept in memory, and sent to pages


def facts(trace: Trace, best: Trial, recipe: str) -> dict[str, Any]:
    """What the browser and the API learn about the result, as plain JSON. Seeds are text: a browser rounds large
    numbers.
    """
    judged = bool(trace.columns)
    return {
        "score": trace.scores[best.id] if judged else None,
        "first_score": trace.scores[0] if judged else None,
        "seed": str(best.candidate.plain_seed) if best.candidate.plain_seed is not None else None,
        "how": best.how,
        "pictures": len(trace.trials),
        "cost": round(trace.pictures, 3),
        "nfe": trace.ledger.nfe,
        "stopped": trace.stopped,
        "accepted": asdict(trace.accepted) if trace.accepted else None,
        "by_hand": trace.by_hand,
        "recipe": recipe,
    }


def listed(trace: Trace, recipe_of: Callable[[Proposal], str]) -> list[dict[str, Any]]:
    """The finished candidates for scripts, best first, the earlier one first where nothing says better; at most
    `LISTED`.
    """
    judged = bool(trace.columns)
    finished = [trial for trial in trace.trials if trial.finished]
    if judged:
        finished.sort(key=lambda trial: -trace.scores[trial.id])
    return [
        {
            "candidate": trial.id,
            "score": trace.scores[trial.id] if judged else None,
            "seed": str(trial.candidate.plain_seed) if trial.candidate.plain_seed is not None else None,
            "how": trial.how,
            "recipe": recipe_of(trial.candidate),
        }
        for trial in finished[:LISTED]
    ]


def counted(trace: Trace) -> str:
    """How much was sampled, in full pictures' worth, and how many pictures that gave where these differ."""
    cost, made = trace.pictures, sum(trial.finished for trial in trace.trials)
    worth = "1 picture" if round(cost, 2) == 1 else f"{cost:.4g} pictures"
    return worth if cost == len(trace.trials) else f"{worth}' worth of steps ({made} finished)"


def behind(trace: Trace) -> str:
    """What was made beside the picture that reached the target, and came too late to win."""
    return f" {trace.behind} made together with the one that reached it do not count." if trace.behind else ""


def remembered(trace: Trace) -> str:
    """How much of it an earlier run had paid for."""
    known = sum(trial.cost for trial in trace.trials if trial.remembered)
    return f" {known:.4g} of these pictures were known from an earlier run." if known else ""


def spoken(seconds: float) -> str:
    """`"1:05"` from 65 seconds."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
