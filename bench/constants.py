"""Whether the constants of Auto Search, which were chosen on the tiny model, hold in worlds that nothing was chosen on.

The worlds are mixtures of Gaussians with their exact denoiser (`tests/search/flows.py`): coarse modes are chosen early
on the path, fine ones later, details last. Each constant is set lower and higher, alone, and what the search finds then
is compared with what it finds as it is, on the same models from the same seeds, in standard deviations of the score.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .curves import mean_interval
from .overhead import importable
from .results import write
from .seconds import difference, mark
from .session import tidy

OTHERWISE = {  # of search/auto_search.py: lower and higher
    "EXPLORED": (0.2, 0.5),
    "FINISHED": (0.15, 0.45),
    "DEPTH": (0.3, 0.6),
    "CHILDREN": (1, 6),
    "SUCCESS": (0.05, 0.2),
    "FORGET": (0.5, 0.95),
}
PICTURES = (8, 32)
MODELS = 64  # per world, none of which any test uses
FIRST_MODEL = 1000


@dataclass(frozen=True)
class World:
    """Models that are drawn alike, and how they are sampled.

    Args:
        size: Numbers of a state.
        coarse: Modes that are chosen early.
        fine: Modes within each of them.
        steps: Of the schedule.
        shift: Of a flow's schedule; 0 for a model that predicts eps.
    """

    size: int
    coarse: int
    fine: int
    steps: int
    shift: float


WORLDS = {
    "many compositions, 28 steps": World(96, 12, 3, 28, 1.0),
    "few compositions, eps, 20 steps": World(24, 3, 12, 20, 0.0),
    "8 steps": World(48, 6, 6, 8, 3.0),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench constants", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 models per world")
    options = parser.parse_args()
    importable()
    from noise_search.tests.search import flows

    models = 4 if options.quick else MODELS
    rows = [row for name, world in WORLDS.items() for row in rows_of(flows, name, world, models)]
    mark([row["change"] for row in rows])
    path = write("constants" + "_quick" * options.quick, tidy({"models": models, "rows": rows}))
    print("\n".join([*table(rows), f"Figures: {path}"]))
    return 0


def rows_of(flows: Any, name: str, world: World, models: int) -> Iterator[dict[str, Any]]:
    for pictures in PICTURES:
        as_it_is = found(flows, world, pictures, models)
        plain = found(flows, world, pictures, models, search="best of N")
        gain = mean_interval(np.subtract(as_it_is, plain).tolist())
        for constant, values in OTHERWISE.items():
            for value in values:
                changed = found(flows, world, pictures, models, **{constant: value})
                change = difference(np.subtract(changed, as_it_is))
                yield {
                    "world": name,
                    "pictures": pictures,
                    "gain": gain,
                    "constant": constant,
                    "value": value,
                    "change": change,
                }
        print(f"{name}, {pictures} pictures: done", flush=True)


def found(flows: Any, world: World, pictures: int, models: int, search: str = "", **constants: float) -> list[float]:
    """What the best picture is worth on each model."""
    from noise_search.search import auto_search

    schedule = flows.flow_schedule(world.steps, world.shift) if world.shift else flows.eps_schedule(world.steps)
    make = flows.best_of_n if search else auto_search.AutoSearch
    best = []
    with otherwise(auto_search, constants):
        for seed in range(FIRST_MODEL, FIRST_MODEL + models):
            model = flows.hierarchy(seed, world.size, world.coarse, world.fine, schedule.flow)
            walker = flows.Together(model.data.denoise, schedule, model.score, world.size)
            trace = flows.searched(make, walker, pictures, seed)
            best.append(float(trace.scores[trace.best()[0].id]))
    return best


@contextmanager
def otherwise(auto_search: Any, constants: Mapping[str, float]) -> Iterator[None]:
    """Auto Search with other constants."""
    before = {name: getattr(auto_search, name) for name in constants}
    try:
        vars(auto_search).update(constants)
        auto_search.AutoSearch.success = auto_search.SUCCESS
        yield
    finally:
        vars(auto_search).update(before)
        auto_search.AutoSearch.success = auto_search.SUCCESS


def table(rows: list[dict[str, Any]]) -> list[str]:
    """As the documentation has it: a line per world and amount, with what would have been better and worse."""
    lines = ["| world | pictures | gain over best of N, sd | better with another value | worse with another value |"]
    lines += ["|" + 5 * "---|"]
    for name in WORLDS:
        for pictures in PICTURES:
            those = [row for row in rows if (row["world"], row["pictures"]) == (name, pictures)]
            mean, low, high = those[0]["gain"]
            better, worse = (
                [row for row in those if row["change"]["holds"] and side * row["change"]["mean"] > 0]
                for side in (1, -1)
            )
            lines.append(
                f"| {name} | {pictures} | {mean:+.2f} ({low:+.2f} to {high:+.2f}) | {told(better)} | {told(worse)} |"
            )
    return lines


def told(rows: list[dict[str, Any]]) -> str:
    """The changes that hold for so many comparisons."""
    return (
        "; ".join(
            f"{row['constant']} {row['value']:g}: {row['change']['mean']:+.2f} ({row['change']['low']:+.2f} to"
            f" {row['change']['high']:+.2f})"
            for row in sorted(rows, key=lambda row: -abs(row["change"]["mean"]))
        )
        or "-"
    )


if __name__ == "__main__":
    sys.exit(main())
