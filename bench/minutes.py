"""Searches with a limit in `minutes` alone, side by side, in as many seconds as 10, 30 and 100 random pictures take.

Of each caption Random Search, which is best of N, and Auto Search run in turns on one server, with more `pictures` than
the time allows; sampling, decoding and judging are all on the clock. The tiny CLIP, which they search by, and the exact
checker, which neither sees, judge the winners.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence

from demo.client import Client

from .algorithms import Algorithm, Nodes
from .cases import Case, Found, harder_cases, run_all
from .farm import servers
from .results import paired_bootstrap, write
from .searches import record
from .workflow import Workflow, bundled

SEARCHES = (Algorithm("random", "RandomSearch", ()), Algorithm("auto", "AutoSearch", ()))
WORTHS = {10: 40, 30: 24, 100: 8}  # random pictures' worth of time -> captions
QUICK = {10: 4, 30: 2}
MANY = 100_000  # pictures: more than any of these times allow
VALUES = {"values": "score by the verifier", "checked": "by the judge that no search sees, of 100"}
PACE_OF = 32  # pictures whose time says what one takes


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench minutes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer captions, and no 100 pictures")
    worths = QUICK if parser.parse_args().quick else WORTHS
    workflow, cases = bundled(), harder_cases(max(worths.values()))
    with servers(1) as (client,):
        nodes = Nodes(client)
        runs = [
            run for worth, count in worths.items() for run in compared(client, workflow, nodes, cases[:count], worth)
        ]
    figures = {"runs": runs, "differences": [difference(runs, worth, value) for worth in worths for value in VALUES]}
    path = write("minutes" + ("_quick" if worths is QUICK else ""), figures)
    print("\n".join([*map(line, figures["differences"]), f"Figures: {path}"]))
    return 0


def compared(client: Client, workflow: Workflow, nodes: Nodes, cases: Sequence[Case], worth: int) -> list[dict]:
    """One record per caption and search; which of the two is first changes with the caption."""
    found = []
    for number, case in enumerate(cases):
        pace = seconds(found_by(client, workflow, nodes, case, SEARCHES[0], PACE_OF, 0.0, number)) / PACE_OF
        for algorithm in SEARCHES if number % 2 else SEARCHES[::-1]:
            result = found_by(client, workflow, nodes, case, algorithm, MANY, worth * pace, number)
            one = record(result, case)
            kept = {name: one[name] for name in ("values", "checked", "passed", "cost", "tries")}
            found.append({"caption": number, "worth": worth, "search": algorithm.name, "limit": round(worth * pace, 3),
                          "seconds": round(seconds(result), 3), **kept})  # fmt: skip
            print(found[-1], flush=True)
    return found


def found_by(
    client: Client, workflow: Workflow, nodes: Nodes, case: Case, algorithm: Algorithm, pictures: int, limit: float,
    number: int,
) -> Found:  # fmt: skip
    """What a search finds within so many seconds, 0 for no limit."""
    search = nodes.search(algorithm, workflow.link("searched"), pictures, case.seed())
    search["inputs"]["minutes"] = limit / 60
    return run_all(client, workflow, case.text, {f"{algorithm.name}_{number}": search})[f"{algorithm.name}_{number}"]


def seconds(found: Found) -> float:
    """Of sampling, decoding and judging."""
    return math.fsum(value for name, value in found.trace["ledger"].items() if name.endswith("_seconds"))


def difference(runs: Sequence[dict], worth: int, value: str) -> dict:
    """Auto Search less Random Search, paired by caption: mean and 95 % interval."""
    there = [run for run in runs if run["worth"] == worth]
    sides = {name: [number_of(run, value) for run in there if run["search"] == name] for name in ("auto", "random")}
    mean, low, high = paired_bootstrap([mine - other for mine, other in zip(*sides.values(), strict=True)])
    over = [run["seconds"] / run["limit"] for run in there]
    return {
        "worth": worth,
        "value": value,
        "captions": len(sides["auto"]),
        **{name: round(statistics.fmean(numbers), 4) for name, numbers in sides.items()},
        "difference": [round(one, 4) for one in (mean, low, high)],
        "share of the limit": [round(min(over), 3), round(max(over), 3)],
    }


def number_of(run: dict, value: str) -> float:
    return float(run["values"][0]) if value == "values" else 100 * float(run["checked"])


def line(found: dict) -> str:
    mean, low, high = found["difference"]
    return (
        f"{found['worth']:4} pictures' time, {found['captions']} captions, {VALUES[found['value']]}: auto"
        f" {found['auto']:.4g}, random {found['random']:.4g}, difference {mean:+.3g} ({low:+.3g} to {high:+.3g})"
    )


if __name__ == "__main__":
    sys.exit(main())
