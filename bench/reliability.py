"""What the pack promises for long jobs: killed searches resumed, strangers' input by chance, memory over thousands of
candidates.

Everything that was measured stays in bench/output/runs; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from pathlib import Path

from . import fuzzing, killing, opening, soaking
from .overhead import start_host
from .results import OUTPUT, read, write
from .steps import Steps

SECTIONS = ("kill", "fuzz", "soak", "keys", "store")
FULL = {"kill": 30, "fuzz": 100_000, "candidates": 4096, "searches": 200, "keys": 100, "store": 300}
QUICK = {"kill": 2, "fuzz": 2000, "candidates": 512, "searches": 40, "keys": 10, "store": 60}
PART = 1000  # examples


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench reliability", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all if none is given"
    )
    parser.add_argument(
        "--redo", action="append", default=[], choices=SECTIONS, help="measure this section again; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="few of everything, for a first look")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"SECTION must be one of {', '.join(SECTIONS)}, got {', '.join(sorted(unknown))}")
    name, sizes = ("reliability_quick", QUICK) if options.quick else ("reliability", FULL)
    steps, figures = Steps(name), read(name)
    for section in options.redo:
        steps.forget(section)
    for section in options.sections or SECTIONS:
        figures[section] = {"kill": kill, "fuzz": fuzz, "soak": soak, "keys": keys, "store": store}[section](
            steps, sizes
        )
        path = write(name, figures)
    if "soak" in figures:
        print(f"Plot: {soaking.plot(figures['soak'], OUTPUT / f'{name}_memory.png')}")
    print(f"{told(figures)}\nFigures: {path}")
    return 0 if kept(figures) else 1


def kill(steps: Steps, sizes: dict) -> dict:
    numbers = range(sizes["kill"])
    alone_parts, parts = ([f"kill_{kind}_{number:03}" for number in numbers] for kind in ("alone", "again"))
    number_of = {part: number for names in (alone_parts, parts) for number, part in enumerate(names)}
    with tempfile.TemporaryDirectory(prefix="noise-search-kill-") as scratch:
        host = os.environ["COMFYUI_PATH"]
        with killing.remembering(False), killing.Victim(host, Path(scratch) / "alone") as victim:
            alone = steps.all(alone_parts, lambda part: killing.undisturbed(victim, number_of[part]))
        with killing.remembering(True), killing.Victim(host, Path(scratch) / "killed") as victim:
            runs = steps.all(parts, lambda part: killing.killed(victim, number_of[part], alone[number_of[part]]))
    return killing.summary(runs)


def fuzz(steps: Steps, sizes: dict) -> dict:
    parts = [f"fuzz_{number:03}" for number in range(sizes["fuzz"] // PART)]
    if all(map(steps.done, parts)):
        return fuzzing.summary([steps.read(part) for part in parts])
    with in_process() as host:
        fuzzer = fuzzing.Fuzz(host)
        try:
            return fuzzing.summary(steps.all(parts, lambda part: fuzzer.part(int(part[-3:]), PART)))
        finally:
            fuzzer.close()


def soak(steps: Steps, sizes: dict) -> dict:
    measure = {"soak_candidates": lambda host: soaking.candidates(host, sizes["candidates"]),
               "soak_searches": lambda host: soaking.searches(host, sizes["searches"])}  # fmt: skip
    for part, curve in measure.items():
        if not steps.done(part):
            print(f"{part}: {sizes[part[5:]]} of them", flush=True)
            with killing.remembering(True), in_process() as host:
                points = curve(host)
                steps.write(
                    part,
                    {"points": points, "stored_bytes": sum(path.stat().st_size for path in killing.stored(host.base))},
                )
    found = [steps.read(part) for part in measure]
    return {
        **soaking.summary(*(one["points"] for one in found)),
        "stored_bytes": [one["stored_bytes"] for one in found],
    }


def keys(steps: Steps, sizes: dict) -> dict:
    """Graphs by chance, each with five changes and five things that change no picture."""
    parts = [f"keys_{number:03}" for number in range(sizes["keys"])]
    if not all(map(steps.done, parts)):
        with in_process() as host, tempfile.TemporaryDirectory(prefix="noise-search-keys-") as scratch:
            from noise_search.tests.people.generating import Generating

            gc.freeze()
            with killing.remembering(True), Generating(host, Path(scratch)) as generating:
                steps.all(parts, lambda part: generating.cases(int(part[-3:]), 5))
    found = [steps.read(part) for part in parts]
    return {"cases": sum(one["cases"] for one in found), "changed": sum(one["changed"] for one in found),
            "wrong": [f"graph {one['graph']}: {what}" for one in found for what in one["wrong"]]}  # fmt: skip


def store(steps: Steps, sizes: dict) -> dict:
    if not steps.done("store"):
        with in_process() as host:
            steps.write("store", opening.measured(host, sizes["store"]))
    return steps.read("store")


class in_process:
    """The real host in this process, once: it cannot be unloaded."""

    host, folder = None, None

    def __enter__(self):
        if in_process.host is None:
            in_process.folder = tempfile.TemporaryDirectory(prefix="noise-search-bench-", ignore_cleanup_errors=True)
            in_process.host = start_host(Path(in_process.folder.name))
        return in_process.host

    def __exit__(self, *error: object) -> None:
        """It stays for the next section."""


def kept(figures: dict) -> bool:
    """Whether every promise that was measured holds."""
    kills, memory, found, opened = (figures.get(name) for name in ("kill", "soak", "keys", "store"))
    return (
        (not opened or opened["most_seconds"] < opening.LIMIT_SECONDS)
        and (not found or not found["wrong"])
        and (
            not kills
            or (kills["same_result"] == kills["searches"] and not kills["steps_paid_twice_beyond_those_in_flight"])
        )
        and (
            not memory
            or (
                memory["bytes_per_candidate"] <= soaking.LIMIT_CANDIDATE
                and memory["bytes_per_search"] <= soaking.LIMIT_SEARCH
            )
        )
    )


def told(figures: dict) -> str:
    lines = []
    if found := figures.get("kill"):
        lines.append(f"killed and resumed: {found['same_result']} of {found['searches']} results identical, "
                     f"{found['steps_paid_twice_beyond_those_in_flight']} steps paid for twice beyond those in flight "
                     f"(at most {found['most_steps_in_flight']} were in flight)")  # fmt: skip
    if found := figures.get("fuzz"):
        lines.append(f"strangers' input: {found['examples']} examples, {found['broken_promises']} broken promises")
    if found := figures.get("soak"):
        lines.append(f"memory: {found['bytes_per_candidate']} bytes per candidate over {found['candidates']}, "
                     f"{found['bytes_per_search'] / 1024:.1f} KB per search over {found['searches']}")  # fmt: skip
    if found := figures.get("keys"):
        lines.append(
            f"graphs by chance: {found['cases']} cases, {found['changed']} with another picture, {len(found['wrong'])}"
            " with a wrong key"
        )
    if found := figures.get("store"):
        lines.append(
            f"a store of {found['bytes'] / 1e6:.0f} MB: open and looked into in {1000 * found['median_seconds']:.1f} ms"
            f" (at most {1000 * found['most_seconds']:.1f} ms of {found['openings']} times)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
