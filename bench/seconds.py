"""Searches against best of N in equal seconds, by the judge that they search with and by one that they never see.

By default on the bundled tiny model and held-out captions of its harder families. The judge of the searches is a CLIP
that saw drawn scenes and captions only; the one that accepts is another of its kind with another task; the unseen ones
are the exact checker and the distances of `demo.grades`, which no training saw either. Of each caption, random
pictures tell the pace, and then every search gets the seconds that so many random pictures take: sampling, decoding and
all judging are on the clock. What it really took is what best of N is given.

    dev.py bench seconds --workflow my.json --prompts my.txt --url http://... --judge NAME --accept NAME

measures yours, 30 prompts by default, with the entries of Load Verifier that are named. What was measured stays, so
that an interrupted run goes on where it was; `--report` tells what is there.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from demo.client import Client
from demo.comparison import own_seed
from demo.examples import VERIFIER
from search.lineages import ACCEPTED_FROM

from . import pool
from .algorithms import Algorithm, Nodes
from .cases import Case, Found, Store, harder_cases, run_all, weights_digest
from .curves import best_of_curve, equivalent_interval, mean_interval, resamples, standard
from .farm import servers, work
from .pool import load_pool
from .results import OUTPUT, RESAMPLES, write
from .searches import record
from .session import tidy
from .sizes import machine
from .workflow import ACCEPTING, DRAWN, Workflow, WorkflowError, bundled, from_file, read_prompts

WORTHS = (8, 16, 32, 96)  # of how many random pictures a search gets the time
AUTO = (Algorithm("auto", "AutoSearch", WORTHS), Algorithm("auto, accept", "AutoSearch", WORTHS))
OTHERS = (
    Algorithm("refine", "RefineSearch", (32, 96)),
    Algorithm("steered", "SteeredSearch", (32, 96)),
    Algorithm("path", "PathSearch", (32, 96)),
)
OWN = (*AUTO, Algorithm("refine", "RefineSearch", (8, 32, 96)))  # of a workflow of one's own
OWN_PROMPTS = 30
MANY = 100_000  # pictures: more than any of these times allow
ENOUGH = 24  # prompts that a row of the documentation needs
LEVEL = 0.05
# What is told of a winner: its value by the judge of the search in standard deviations of random pictures, the
# checker's share of claims and whether all hold, of 100; and how near it is to its scene, in hundredths of an object.
SCALES = {"verifier": 1.0, "judge": 100.0, "passed": 100.0, "near": 100.0}


@dataclass(frozen=True)
class Plan:
    """What is measured with what.

    Args:
        workflow: Its verifiers are "searched", and "accept" and "judge" where there are such.
        cases: The prompts.
        others: Of how many the searches beside Auto Search are measured.
        algorithms: Auto Search first.
        store: Where measurements lie.
        pictures: Random ones per prompt.
        elsewhere: Whether the server is one that was there before, and keeps what it samples.
    """

    workflow: Workflow
    cases: list[Case]
    others: int
    algorithms: Sequence[Algorithm]
    store: Store
    pictures: int
    elsewhere: bool = False

    def seed(self, case: Case, unit: str) -> int:
        """The own seed of a search: the prompt's, or one that no other search has."""
        return own_seed(f"{case.text} @ {unit}") if self.elsewhere else case.seed()

    @property
    def judged(self) -> bool:
        """Whether a verifier of the workflow is the unseen judge, and no exact one."""
        return "judge" in self.workflow.verifiers

    def wanted(self, number: int) -> Iterator[tuple[Algorithm, int]]:
        """Searches and their worths for the case of this number."""
        for algorithm in self.algorithms:
            accepts = algorithm.name.endswith(", accept")
            other = algorithm.name in {one.name for one in OTHERS} and not self.judged
            if accepts and "accept" not in self.workflow.verifiers or other and number >= self.others:
                continue
            yield from ((algorithm, worth) for worth in algorithm.budgets)


def main() -> int:
    options = parsed()
    plan = planned(options)
    # of the servers that begin here: what one search sampled is no gift to the next
    os.environ["NOISE_SEARCH_STORE"] = "off"
    if not options.report:
        with servers(options.servers, options.url) as clients:
            nodes, numbers = Nodes(clients[0]), {case: number for number, case in enumerate(plan.cases)}
            todo = [case for case in plan.cases if missing(plan, case, numbers[case])]
            work(clients, todo, lambda client, case: measure(client, plan, nodes, case, numbers[case]), "prompts")
    found = raw(plan)
    figures = told(found, plan.algorithms)
    if not figures["rows"]:
        raise SystemExit("nothing was measured yet")
    body = {**figures, "machine": machine(), "measured": found}
    parts = ["seconds", "quick" * options.quick, "own" * bool(options.workflow)]
    parts += [f"from_{options.skip + 1}" * bool(options.skip)]
    path = write("_".join(filter(None, parts)), tidy(body))
    print("\n".join([*table(figures), f"Figures: {path}"]))
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py bench seconds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workflow", type=Path, help="an API-format workflow with one search node or sampling setup")
    parser.add_argument("--prompts", type=Path, help="with --workflow: a text file, one prompt per line")
    parser.add_argument("--url", action="append", default=[], help="with --workflow: a running ComfyUI; may repeat")
    parser.add_argument("--judge", default="", help="with --workflow: entry of Load Verifier that no search sees")
    parser.add_argument("--accept", default="", help="with --workflow: entry of Load Verifier that accepts")
    parser.add_argument("--captions", type=int, default=0, help="prompts at most; 64, or 30 of your own")
    parser.add_argument("--skip", type=int, default=0, help="prompts before these, which were looked at already")
    parser.add_argument("--worths", type=int, nargs="+", choices=WORTHS, help="only the time of so many pictures")
    parser.add_argument("--others", type=int, default=24, help="of how many prompts the other searches are measured")
    parser.add_argument("--pool", type=int, default=128, help="random pictures per prompt")
    parser.add_argument("--servers", type=int, default=2, help="ComfyUI processes side by side, without --url")
    parser.add_argument("--report", action="store_true", help="measure nothing; figures of what is there")
    parser.add_argument("--quick", action="store_true", help="2 captions and 8 pictures' time")
    options = parser.parse_args()
    if len({bool(options.workflow), bool(options.prompts), bool(options.url)}) > 1:
        parser.error("--workflow, --prompts and --url belong together")
    if options.workflow and not options.judge:
        parser.error("--workflow needs --judge: without a judge that no search sees, nothing is known of the gain")
    if (options.judge or options.accept) and not options.workflow:
        parser.error("--judge and --accept belong to --workflow: the bundled model has its own")
    options.captions = options.captions or (OWN_PROMPTS if options.workflow else 64)
    if options.skip < 0:
        parser.error(f"--skip must be at least 0, got {options.skip}")
    if options.quick:
        options.captions, options.others, options.pool = 2, 0, 16
    return options


def planned(options: argparse.Namespace) -> Plan:
    try:
        if options.workflow:
            workflow = with_judges(from_file(options.workflow), options.judge, options.accept)
            cases = [Case(text) for text in read_prompts(options.prompts)]
        else:
            workflow, cases = bundled(verifier=DRAWN, accept=ACCEPTING), harder_cases(options.skip + options.captions)
    except (WorkflowError, OSError) as error:
        raise SystemExit(str(error)) from None
    algorithms = OWN if options.workflow else (*AUTO, *OTHERS)
    if options.quick:
        algorithms = tuple(replace(one, budgets=one.budgets[:1]) for one in algorithms)
    if options.worths:
        algorithms = tuple(only(algorithms, options.worths))
    cases = cases[options.skip : options.skip + options.captions]
    weights = "own" if options.workflow else weights_digest(VERIFIER, DRAWN, ACCEPTING)
    store = Store(OUTPUT / "runs" / f"seconds-{weights}-{workflow.digest()}{'-quick' * options.quick}")
    return Plan(workflow, cases, options.others, algorithms, store, options.pool, bool(options.url))


def only(algorithms: Sequence[Algorithm], worths: Sequence[int]) -> Iterator[Algorithm]:
    """Those that have such a time among theirs, with no other."""
    for one in algorithms:
        if budgets := tuple(worth for worth in one.budgets if worth in worths):
            yield replace(one, budgets=budgets)


def with_judges(workflow: Workflow, judge: str, accept: str) -> Workflow:
    """The same with the judges that are named, each by Load Verifier."""
    nodes, links = dict(workflow.nodes), dict(workflow.verifiers)
    for name, entry in (("judge", judge), ("accept", accept)):
        if entry:
            nodes[f"bench_{name}"] = {"class_type": "LoadVerifier", "inputs": {"verifier": entry, "device": "auto"}}
            links[name] = [f"bench_{name}", 0]
    return replace(workflow, nodes=nodes, verifiers=links)


# What is measured


def missing(plan: Plan, case: Case, number: int) -> bool:
    records = plan.store.read(case)
    return any(algorithm.unit(worth) not in records for algorithm, worth in plan.wanted(number))


def measure(client: Client, plan: Plan, nodes: Nodes, case: Case, number: int) -> None:
    """All of one prompt that is not there: random pictures, which tell the pace, and the searches right behind them."""
    unseen = {"held_out": plan.workflow.link("judge")} if plan.judged else {}
    if not plan.store.path(case, "npz").exists():
        pool.measure_pool(client, plan.workflow, case, plan.store, plan.pictures, unseen, opinions)
    pace = math.fsum(load_pool(plan.store, case).seconds)
    records = plan.store.read(case)
    for algorithm, worth in plan.wanted(number):
        if (name := algorithm.unit(worth)) in records:
            continue
        search = nodes.search(algorithm, plan.workflow.link(), MANY, plan.seed(case, name))
        search["inputs"] |= {"minutes": max(worth * pace, 1.001) / 60, **unseen}
        if algorithm.name.endswith(", accept"):
            search["inputs"]["accept"] = plan.workflow.link("accept")
        key = re.sub(r"\W+", "_", name)
        found = run_all(client, plan.workflow, case.text, {key: search})[key]
        records[name] = one = record(found, case)
        one["limit"] = worth * pace
        if plan.judged:
            (one["checked"],) = opinions(found)
        elif case.scene is not None:
            one["distance"] = case.distance(found.pictures[0])
        plan.store.write(case, records)


def opinions(found: Found) -> list[float]:
    """What a verifier that took no part says of the winners, best first, from the node's text."""
    said = re.search(r"held out: .*? ([-+.\de]+(?:, [-+.\de]+)*)(?: \(own seed|$)", found.said, re.MULTILINE)
    if said is None:
        raise RuntimeError(f"the search said nothing of the unseen judge: {found.said}")
    return [float(value) for value in said[1].split(", ")]


# What is told


def raw(plan: Plan) -> list[dict[str, Any]]:
    """All that was measured, in numbers: of each prompt its random pictures and its searches."""
    done = [case for case in plan.cases if plan.store.path(case, "npz").exists()]
    second = second_judge() if done and not plan.judged else None
    return [measured_of(plan, case, second) for case in done]


def measured_of(plan: Plan, case: Case, second: Any) -> dict[str, Any]:
    """Of one prompt.

    Args:
        second: Values of pictures `(n, h, w, 3)` for a text by the judge that accepts; None where it is not at hand.
    """
    found = load_pool(plan.store, case)
    pool_of = {"verifier": found.values[:, 0], "judge": found.checked, "passed": found.passed}
    if case.scene is not None:
        pool_of["near"] = np.array([-case.distance(picture) for picture in found.pictures])
    if second is not None:
        pool_of["accept"] = second(found.pictures, case.text)
    return {
        "text": case.text,
        "pace": math.fsum(found.seconds),
        "pool": {name: [round(float(one), 4) for one in values] for name, values in pool_of.items()},
        "runs": {name: brief(one) for name, one in plan.store.read(case).items()},
    }


def brief(one: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a search."""
    found = {
        "verifier": one["values"][0],
        "judge": one["checked"],
        "passed": one["passed"],
        "near": -one["distance"] if "distance" in one else None,
        "seconds": round(math.fsum(one["seconds"]), 3),
        "limit": round(one["limit"], 3),
        "cost": one["cost"],
        "looks": one["tries"],
    }
    return {name: round(value, 4) for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Prompt:
    """What was measured of one prompt, as curves.

    Args:
        plain: Best of N by the judge of the searches, at each N from 1, per value of `SCALES`.
        accepted: The same where the second judge takes one of the best; empty without it.
        mean, spread: Of random pictures, by the judge of the searches.
        pace: Seconds of one random picture.
        runs: By search and worth.
        scales: `SCALES`, but for a judge of one's own, whose values are as it gives them.
    """

    plain: Mapping[str, np.ndarray]
    accepted: Mapping[str, np.ndarray]
    mean: float
    spread: float
    pace: float
    runs: Mapping[str, dict[str, Any]]
    scales: Mapping[str, float]


def prompt_of(found: Mapping[str, Any]) -> Prompt:
    values = np.array(found["pool"]["verifier"], dtype=float)
    worth = {name: np.array(found["pool"][name], dtype=float) for name in SCALES if name in found["pool"]}
    worth = {**worth, "verifier": standard(values, values)}
    scales = SCALES if "near" in worth else {**SCALES, "judge": 1.0}
    worth = {name: scales[name] * one for name, one in worth.items() if np.isfinite(one).all()}
    plain = {name: best_of_curve(values, one) for name, one in worth.items()}
    opinion = found["pool"].get("accept")
    accepted = accepted_curves(values, np.array(opinion), worth) if opinion else {}
    return Prompt(plain, accepted, float(values.mean()), float(values.std()), found["pace"], found["runs"], scales)


def accepted_curves(values: np.ndarray, opinion: np.ndarray, worth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As `best_of_curve` where a second judge takes one of the `ACCEPTED_FROM` best: means over subsets, by log N."""
    random, sizes = np.random.default_rng(0), sorted({1, 4, *WORTHS, len(values)})
    sizes = [size for size in sizes if size <= len(values)]
    lines: dict[str, list[float]] = {name: [] for name in worth}
    for size in sizes:
        taken = []
        for _ in range(200 if size < len(values) else 1):
            subset = random.permutation(len(values))[:size]
            best = subset[np.argsort(-values[subset], kind="stable")[:ACCEPTED_FROM]]
            taken.append(best[int(np.argmax(opinion[best]))])
        for name, one in worth.items():
            lines[name].append(float(one[taken].mean()))
    every = np.log(np.arange(1, len(values) + 1))
    return {name: np.interp(every, np.log(sizes), line) for name, line in lines.items()}


def at(curve: np.ndarray, number: float) -> float:
    """A best-of-N curve at an N between whole numbers, by the logarithm."""
    return float(np.interp(math.log(max(number, 1.0)), np.log(np.arange(1, len(curve) + 1)), curve))


def told(found: Sequence[Mapping[str, Any]], algorithms: Sequence[Algorithm]) -> dict[str, Any]:
    """Figures of what `raw` gives: a row per search and worth, and what the searches are to each other."""
    prompts = [prompt_of(one) for one in found]
    worths = algorithms[0].budgets
    rows = [row for one in algorithms for worth in one.budgets if (row := row_of(prompts, one, worth)) is not None]
    if prompts and all(one.accepted for one in prompts):
        rows += [accepted_row(prompts, worth) for worth in worths]
    compared = list(comparisons(prompts, algorithms))
    for name in SCALES:
        mark([row[name]["gain"] for row in rows if name in row])
    mark([one["difference"] for one in compared])
    return {"rows": rows, "compared": compared}


def worth_of(one: Mapping[str, Any], prompt: Prompt, name: str) -> float:
    """A search's winner, on a scale of `SCALES`."""
    if name == "verifier":
        return (one["verifier"] - prompt.mean) / prompt.spread if prompt.spread else 0.0
    return prompt.scales[name] * one[name] if name in one else math.nan


def row_of(prompts: Sequence[Prompt], algorithm: Algorithm, worth: int) -> dict[str, Any] | None:
    """One search at one worth against best of as many pictures as its own seconds pay for; None where it was not
    measured.
    """
    unit = algorithm.unit(worth)
    there = [prompt for prompt in prompts if unit in prompt.runs]
    if not there:
        return None
    runs = [prompt.runs[unit] for prompt in there]
    numbers = [one["seconds"] / prompt.pace for one, prompt in zip(runs, there, strict=True)]
    row: dict[str, Any] = {
        "search": algorithm.name,
        "worth": worth,
        "captions": len(there),
        "seconds": float(np.mean([one["seconds"] for one in runs])),
        "random pictures of these seconds": float(np.mean(numbers)),
        "steps, in pictures": float(np.mean([one["cost"] for one in runs])),
    }
    for scale in SCALES:
        mine = np.array([worth_of(one, prompt, scale) for one, prompt in zip(runs, there, strict=True)])
        if np.isfinite(mine).all():
            lines = np.array([prompt.plain[scale] for prompt in there])
            theirs = np.array([at(line, number) for line, number in zip(lines, numbers, strict=True)])
            row[scale] = {**compared_with(mine, theirs), "equivalent_n": equivalent(lines, mine)}
    return row


def equivalent(lines: np.ndarray, mine: np.ndarray) -> list[float]:
    """The N of best of N that is worth as much by this judge, with its interval; infinite beyond the pool."""
    return [one if one <= lines.shape[1] else math.inf for one in equivalent_interval(lines, mine)]


def accepted_row(prompts: Sequence[Prompt], worth: int) -> dict[str, Any]:
    """Best of N whose best few the second judge chooses from, against plain best of N."""
    row: dict[str, Any] = {"search": "best of N, accept", "worth": worth, "captions": len(prompts)}
    for scale in prompts[0].accepted:
        kinds = [(one.accepted[scale], one.plain[scale]) for one in prompts]
        mine, theirs = (np.array([at(pair[side], worth) for pair in kinds]) for side in (0, 1))
        lines = np.array([one.plain[scale] for one in prompts])
        row[scale] = {**compared_with(mine, theirs), "equivalent_n": equivalent(lines, mine)}
    return row


def compared_with(mine: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    return {"search": float(mine.mean()), "best_of_n": float(theirs.mean()), "gain": difference(mine - theirs)}


def difference(pairs: np.ndarray) -> dict[str, Any]:
    """Mean of paired differences, its 95 % interval, and how often the bootstrap's mean lies on the other side of 0."""
    mean, low, high = mean_interval(pairs)
    means = pairs[resamples(len(pairs), RESAMPLES)].mean(1)
    other = min(float((means <= 0).mean()), float((means >= 0).mean()))
    return {"mean": mean, "low": low, "high": high, "p": min(1.0, 2 * max(other, 1 / RESAMPLES))}


def mark(found: Sequence[dict[str, Any]]) -> None:
    """Notes which differences still hold for so many comparisons (Holm, 1979)."""
    holds = True
    for place, one in enumerate(sorted(found, key=lambda one: one["p"])):
        holds = holds and one["p"] <= LEVEL / (len(found) - place)
        one["holds"] = holds


def comparisons(prompts: Sequence[Prompt], algorithms: Sequence[Algorithm]) -> Iterator[dict[str, Any]]:
    """Auto Search against every other search by the unseen judges, and accept against none, paired by prompt."""
    auto = algorithms[0]
    for other in algorithms[1:]:
        for worth in other.budgets:
            units = [other.unit(worth), auto.unit(worth)]
            units = units if "accept" in other.name else units[::-1]
            there = [prompt for prompt in prompts if all(unit in prompt.runs for unit in units)]
            for scale in ("judge", "passed", "near"):
                sides = [np.array([worth_of(prompt.runs[unit], prompt, scale) for prompt in there]) for unit in units]
                if there and np.isfinite(sides).all():
                    pair = {"of": units[0], "less": units[1], "by": scale, "captions": len(there)}
                    yield {**pair, "difference": difference(sides[0] - sides[1])}


def second_judge() -> Any:
    """Values by the bundled judge that accepts, `(n, h, w, 3)` in 0..255 and a text to `(n,)`."""
    import open_clip
    import torch

    from demo.measure import scores_by
    from demo.train_drawn_clip import RECIPES

    folder = RECIPES["counts"].weights
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    torch.set_num_threads(1)
    return lambda pictures, text: scores_by(model.eval(), preprocess, tokenizer, pictures, text)


def table(figures: Mapping[str, Any]) -> list[str]:
    """The rows as text. "*" where a gain holds for all comparisons of its column together."""
    lines = list[str]()
    for row in figures["rows"]:
        parts = [f"{row['search']:18}{row['worth']:4}{row['captions']:4} captions"]
        for scale in SCALES:
            if scale in row:
                one, gain = row[scale], row[scale]["gain"]
                star = "*" if gain.get("holds") else " "
                worth = f" N {count(one['equivalent_n'])}" if "equivalent_n" in one else ""
                parts.append(
                    f"{scale} {one['search']:.2f} / {one['best_of_n']:.2f} {gain['mean']:+.2f} ({gain['low']:+.2f} to"
                    f" {gain['high']:+.2f}){star}{worth}"
                )
        lines.append(" | ".join(parts))
    for one in figures["compared"]:
        gain = one["difference"]
        lines.append(
            f"{one['of']} less {one['less']} by {one['by']}, {one['captions']} captions: {gain['mean']:+.2f}"
            f" ({gain['low']:+.2f} to {gain['high']:+.2f}){'*' if gain.get('holds') else ''}"
        )
    return lines


NAMES = {
    "auto": "Auto Search",
    "auto, accept": "Auto Search, accept",
    "refine": "Refine Search",
    "steered": "Steered Search",
    "path": "Path Search",
    "best of N, accept": "best of N, accept",
}


def documented(*figures: Mapping[str, Any]) -> list[str]:
    """The rows of the documentation's table: by the unseen judge, by whether all claims hold, by the verifier. A gain
    that holds for all comparisons of its column together has a star. Rows of too few prompts to say anything are left
    out.

    Args:
        figures: Of several runs, the later ones last. Of the same search and time the row of most prompts counts, and
            of as many the later one.
    """
    rows: dict[tuple[str, int], Mapping[str, Any]] = {}
    for row in (row for one in figures for row in one["rows"] if row["captions"] >= ENOUGH):
        key = row["search"], row["worth"]
        if key not in rows or row["captions"] >= rows[key]["captions"]:
            rows[key] = row
    lines, order = [], list(NAMES)
    for row in sorted(rows.values(), key=lambda row: (order.index(row["search"]), row["worth"])):
        judge, passed, verifier = row["judge"], row["passed"], row["verifier"]
        cells = [NAMES[row["search"]], str(row["worth"]), str(row["captions"])]
        cells += [f"{judge['search']:.1f} / {judge['best_of_n']:.1f}", gain(judge), gain(passed)]
        cells += [count(one["equivalent_n"]) for one in (judge, verifier)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def documented_differences(figures: Mapping[str, Any]) -> list[str]:
    """What Auto Search is to the other searches, as the documentation has it: the exact judge, and all claims."""
    found: dict[tuple[str, int, int], dict[str, str]] = {}
    for one in figures["compared"]:
        (of, worth), (less, _) = one["of"].split(" @ "), one["less"].split(" @ ")
        if one["captions"] >= ENOUGH and "accept" not in of:
            line = found.setdefault((NAMES[less], int(worth), one["captions"]), {})
            line[one["by"]] = gain({"gain": one["difference"]})
    return [
        f"| Auto Search less {name} | {worth} | {captions} | {by['judge']} | {by['passed']} |"
        for (name, worth, captions), by in found.items()
    ]


def gain(one: Mapping[str, Any]) -> str:
    found = one["gain"]
    return f"{found['mean']:+.1f} ({found['low']:+.1f} to {found['high']:+.1f}){'*' * bool(found['holds'])}"


def count(three: Sequence[float | None]) -> str:
    beyond = [number is None or not math.isfinite(number) for number in three]
    value, low, high = ("> pool" if far else f"{number:.0f}" for number, far in zip(three, beyond, strict=True))
    return f"{value} ({low} to {high})"


if __name__ == "__main__":
    sys.exit(main())
