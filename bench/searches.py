"""All searches of one prompt in one go, and what is kept of each: numbers only."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demo.client import Client
from search.trace import Trace

from .algorithms import Algorithm, Nodes
from .cases import Case, Found, Store, run_all
from .workflow import Workflow

SECONDS = ("sampling_seconds", "decoding_seconds", "scoring_seconds")


@dataclass(frozen=True)
class Unit:
    """One search at one budget, for the first `cases` of the prompts."""

    algorithm: Algorithm
    pictures: int
    keep: int = 1
    cases: int = 1_000_000

    @property
    def name(self) -> str:
        name = self.algorithm.unit(self.pictures)
        return f"{name} keep {self.keep}" if self.keep > 1 else name


def units(algorithms: Sequence[Algorithm], most: int = 1_000_000) -> list[Unit]:
    """Every algorithm at each of its budgets, up to `most` pictures."""
    return [Unit(algorithm, pictures) for algorithm in algorithms for pictures in algorithm.budgets if pictures <= most]


def measure_searches(
    client: Client, workflow: Workflow, nodes: Nodes, case: Case, number: int, store: Store, wanted: Sequence[Unit]
) -> None:
    """Runs what is not in the store yet, all in one prompt, and adds it."""
    records = store.read(case)
    todo = [unit for unit in wanted if unit.name not in records and number < unit.cases]
    if not todo:
        return
    searches = {
        f"unit_{place}": nodes.search(
            unit.algorithm, workflow.link(unit.algorithm.verifier), unit.pictures, case.seed(), unit.keep
        )
        for place, unit in enumerate(todo)
    }
    found = run_all(client, workflow, case.text, searches)
    records |= {unit.name: record(found[f"unit_{place}"], case) for place, unit in enumerate(todo)}
    store.write(case, records)


def record(found: Found, case: Case) -> dict:
    """A search's winner with its raw values and the exact judge's, its cost, and how its best score grew."""
    trace = Trace.from_json(json.dumps(found.trace))
    winner, judged = trace.winner, [case.judge(picture) for picture in found.pictures]
    ledger = found.trace["ledger"]
    return {
        "values": list(winner.values),
        "columns": list(trace.columns),
        "how": winner.how,
        "checked": known(judged[0][0]),
        "passed": known(judged[0][1]),
        "cost": round(trace.pictures, 4),
        "tries": len(trace.trials),
        "nfe": ledger["nfe"],
        "decodes": ledger["decodes"],
        "scores": ledger["scores"],
        "seconds": [round(ledger[name], 3) for name in SECONDS],
        "stopped": trace.stopped,
        "said": found.said,
        "curve": curve(trace),
        "kept": [known(share) for share, _ in judged],
        "apart": apart(found.pictures),
    }


def known(number: float) -> float | None:
    return None if math.isnan(number) else number


def curve(trace: Trace) -> list[list[float]]:
    """(cost so far, first raw value of the best finished picture so far), whenever there was a better one."""
    points, paid = [], 0.0
    for trial in trace.trials:
        paid += trial.cost
        if trial.finished and (not points or trial.values[0] > points[-1][1]):
            points.append([round(paid, 4), trial.values[0]])
    return points


def apart(pictures: np.ndarray) -> float | None:
    """Mean distance between the pictures that were kept, root mean square over pixels, in levels of 0 to 255."""
    if len(pictures) < 2:
        return None
    flat = pictures.reshape(len(pictures), -1).astype(float)
    pairs = [(a, b) for a in range(len(flat)) for b in range(a)]
    return float(np.mean([np.sqrt(np.mean((flat[a] - flat[b]) ** 2)) for a, b in pairs]))
