"""Searches against best of N in equal seconds, by the judge that they search with and by one that they never see.

By default on the bundled tiny model and held-out captions of its harder families. The judge of the searches is a CLIP
that saw drawn scenes and captions only; the one that accepts is another of its kind with another task; the unseen ones
are the exact checker and the distances of `demo.grades`, which no training saw either. Of each caption, random pictures
tell the pace, and then every search gets the seconds that so many random pictures take: sampling, decoding and all
judging are on the clock. What it really took is what best of N is given.

    dev.py bench seconds --workflow my.json --prompts my.txt --url http://... --judge NAME --accept NAME

measures yours, 30 prompts by default, with the entries of Load Verifier that are named. What was measured stays, so that
an interrupted run goes on where it was; `--report` tells what is there.
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

from . import pool
from .algorithms import Algorithm, Nodes
from .cases import Case, Found, Store, harder_cases, run_all, weights_digest
from .curves import best_of_curve, equivalent_interval, mean_interval, resamples, standard
from .farm import servers, work
from .pool import Pool, load_pool
from .results import OUTPUT, RESAMPLES, write
from .searches import record
from .session import tidy
from .workflow import ACCEPTING, DRAWN, Workflow, WorkflowError, bundled, from_file, read_prompts

WORTHS = (8, 16, 32, 96)  # of how many random pictures a search gets the time
AUTO = (Algorithm("auto", "AutoSearch", WORTHS), Algorithm("auto, accept", "AutoSearch", WORTHS))
OTHERS = (
    Algorithm("refine", "RefineSearch", (32, 96)),
    Algorithm("steered", "SteeredSearch", (32, 96)),
    Algorithm("path", "PathSearch", (32, 96)),
)
OWN = (*AUTO, Algorithm("refine", "RefineSearch", (8, 32, 96)))  # of a workflow of one's own
OWN_WORTHS, OWN_PROMPTS = (8, 32, 96), 30
MANY = 100_000  # pictures: more than any of these times allow
SEEN = 8  # pictures that the second judge sees, as in nodes/host/engine/winners.py
LEVEL = 0.05
# What is told of a winner: its value by the judge of the search in standard deviations of random pictures, the checker's
# share of claims and whether all hold, of 100; and how near it is to its scene, in hundredths of an object.
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
    os.environ["NOISE_SEARCH_STORE"] = "off"  # of the servers that begin here: what one search sampled is no gift to the next
    if not options.report:
        with servers(options.servers, options.url) as clients:
            nodes, numbers = Nodes(clients[0]), {case: number for number, case in enumerate(plan.cases)}
            todo = [case for case in plan.cases if missing(plan, case, numbers[case])]
            work(clients, todo, lambda client, case: measure(client, plan, nodes, case, numbers[case]), "prompts")
    figures = told(plan)
    if not figures["rows"]:
        raise SystemExit("nothing was measured yet")
    path = write("seconds" + "_quick" * options.quick + "_own" * bool(options.workflow), tidy(figures))
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
    if options.quick:
        options.captions, options.others, options.pool = 2, 0, 16
    return options


def planned(options: argparse.Namespace) -> Plan:
    try:
        if options.workflow:
            workflow = with_judges(from_file(options.workflow), options.judge, options.accept)
            cases = [Case(text) for text in read_prompts(options.prompts)[: options.captions]]
        else:
            workflow, cases = bundled(verifier=DRAWN, accept=ACCEPTING), harder_cases(options.captions)
    except (WorkflowError, OSError) as error:
        raise SystemExit(str(error)) from None
    algorithms = OWN if options.workflow else (*AUTO, *OTHERS)
    if options.quick:
        algorithms = tuple(replace(one, budgets=one.budgets[:1]) for one in algorithms)
    name = f"seconds-{'own' if options.workflow else weights_digest()}-{workflow.digest()}{'-quick' * options.quick}"
    return Plan(workflow, cases, options.others, algorithms, Store(OUTPUT / "runs" / name), options.pool, bool(options.url))


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


@dataclass(frozen=True)
class Curves:
    """Best of N of one prompt by the judge of the searches, at each N from 1, per value of `SCALES`; the same where the
    second judge takes one of the best.
    """

    plain: Mapping[str, np.ndarray]
    accepted: Mapping[str, np.ndarray]
    mean: float
    spread: float
    pace: float


def curves(plan: Plan, case: Case, second: Any = None) -> Curves:
    """From the random pictures of a prompt.

    Args:
        second: Values of pictures `(n, h, w, 3)` for a text by the judge that accepts; None where it is not at hand.
    """
    found = load_pool(plan.store, case)
    values = found.values[:, 0]
    worth = {
        "verifier": standard(values, values),
        "judge": found.checked,
        "passed": found.passed,
        "near": nearness(case, found),
    }
    plain = {name: best_of_curve(values, one) for name, one in worth.items()}
    accepted = accepted_curves(values, second(found.pictures, case.text), worth) if second else {}
    return Curves(plain, accepted, float(values.mean()), float(values.std()), math.fsum(found.seconds))


def nearness(case: Case, found: Pool) -> np.ndarray:
    if case.scene is None:
        return np.full(len(found), np.nan)
    return np.array([-case.distance(picture) for picture in found.pictures])


def accepted_curves(values: np.ndarray, opinion: np.ndarray, worth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As `best_of_curve` where a second judge takes one of the `SEEN` best: means over subsets, by the logarithm of N."""
    random, sizes = np.random.default_rng(0), sorted({1, 4, *WORTHS, len(values)})
    sizes = [size for size in sizes if size <= len(values)]
    lines: dict[str, list[float]] = {name: [] for name in worth}
    for size in sizes:
        taken = []
        for _ in range(200 if size < len(values) else 1):
            subset = random.permutation(len(values))[:size]
            best = subset[np.argsort(-values[subset], kind="stable")[:SEEN]]
            taken.append(best[int(np.argmax(opinion[best]))])
        for name, one in worth.items():
            lines[name].append(float(one[taken].mean()))
    every = np.log(np.arange(1, len(values) + 1))
    return {name: np.interp(every, np.log(sizes), line) for name, line in lines.items()}


def at(curve: np.ndarray, number: float) -> float:
    """A best-of-N curve at an N between whole numbers, by the logarithm."""
    return float(np.interp(math.log(max(number, 1.0)), np.log(np.arange(1, len(curve) + 1)), curve))


def told(plan: Plan) -> dict[str, Any]:
    """Figures of all that was measured: a row per search and worth, and what the searches are to each other."""
    done = [case for case in plan.cases if plan.store.path(case, "npz").exists()]
    second = second_judge() if not plan.judged and done else None
    base = {case: curves(plan, case, second) for case in done}
    kept = {case: plan.store.read(case) for case in done}
    units = [(one, worth) for one in plan.algorithms for worth in one.budgets]
    rows = [row for one, worth in units if (row := row_of(plan, base, kept, one, worth)) is not None]
    if second is not None:
        rows += [accepted_row(base, worth) for worth in plan.algorithms[0].budgets]
    compared = list(comparisons(base, kept, plan.algorithms))
    for name in SCALES:
        mark([row[name]["gain"] for row in rows if name in row])
    mark([one["difference"] for one in compared])
    return {
        "captions": [case.text for case in done],
        "pictures": plan.pictures,
        "worths": list(plan.algorithms[0].budgets),
        "best_of_n": {
            name: [SCALES[name] * float(np.mean([at(one.plain[name], worth) for one in base.values()])) for worth in WORTHS]
            for name in SCALES
            if base
        },
        "rows": rows,
        "compared": compared,
        "pace": float(np.mean([one.pace for one in base.values()])) if base else math.nan,
        "runs": {case.text: {name: brief(one) for name, one in kept[case].items()} for case in done},
    }


def brief(one: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a run in the figures."""
    names = ("values", "checked", "passed", "distance", "cost", "tries", "seconds", "limit", "stopped")
    return {name: one[name] for name in names if name in one}


def worth_of(one: Mapping[str, Any], base: Curves, name: str) -> float:
    """A record's winner, on a scale of `SCALES`."""
    if name == "verifier":
        return (one["values"][0] - base.mean) / base.spread if base.spread else 0.0
    value = -one["distance"] if name == "near" and "distance" in one else one.get({"judge": "checked"}.get(name, name))
    return math.nan if value is None else SCALES[name] * value


def row_of(
    plan: Plan, base: Mapping[Case, Curves], kept: Mapping[Case, dict], algorithm: Algorithm, worth: int
) -> dict[str, Any] | None:
    """One search at one worth against best of as many pictures as its own seconds pay for; None where it was not
    measured.
    """
    name = algorithm.unit(worth)
    cases = [case for case in base if name in kept[case]]
    if not cases:
        return None
    records = [kept[case][name] for case in cases]
    seconds = [math.fsum(one["seconds"]) for one in records]
    numbers = [taken / base[case].pace for taken, case in zip(seconds, cases, strict=True)]
    row: dict[str, Any] = {
        "search": algorithm.name,
        "worth": worth,
        "captions": len(cases),
        "seconds": float(np.mean(seconds)),
        "random pictures of these seconds": float(np.mean(numbers)),
        "steps, in pictures": float(np.mean([one["cost"] for one in records])),
    }
    for scale in SCALES:
        mine = np.array([worth_of(one, base[case], scale) for one, case in zip(records, cases, strict=True)])
        if not np.isfinite(mine).all():
            continue
        lines = np.array([SCALES[scale] * base[case].plain[scale] for case in cases])
        theirs = np.array([at(line, number) for line, number in zip(lines, numbers, strict=True)])
        row[scale] = compared_with(mine, theirs)
        row[scale]["equivalent_n"] = equivalent(scale, lines, mine)
    return row


def equivalent(scale: str, lines: np.ndarray, mine: np.ndarray) -> tuple[float, float, float]:
    """The N of best of N that is worth as much by this judge, with its interval; infinite beyond the pool."""
    found = equivalent_interval(lines, mine)
    most = lines.shape[1]
    return tuple(one if one <= most else math.inf for one in found)  # type: ignore[return-value]


def accepted_row(base: Mapping[Case, Curves], worth: int) -> dict[str, Any]:
    """Best of N whose best few the second judge chooses from, against plain best of N."""
    row: dict[str, Any] = {"search": "best of N, accept", "worth": worth, "captions": len(base)}
    for scale in SCALES:
        mine, theirs = (
            np.array([SCALES[scale] * at(getattr(one, kind)[scale], worth) for one in base.values()])
            for kind in ("accepted", "plain")
        )
        row[scale] = compared_with(mine, theirs)
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


def comparisons(
    base: Mapping[Case, Curves], kept: Mapping[Case, dict], algorithms: Sequence[Algorithm]
) -> Iterator[dict[str, Any]]:
    """Auto Search against every other search by the unseen judge, and accept against none, paired by prompt."""
    auto = algorithms[0]
    pairs = [(auto, one, worth) for one in algorithms[1:] for worth in one.budgets]
    for first, other, worth in pairs:
        names = (other.unit(worth), first.unit(worth)) if "accept" in other.name else (first.unit(worth), other.unit(worth))
        cases = [case for case in base if all(name in kept[case] for name in names)]
        for scale in ("judge", "passed", "near"):
            sides = [np.array([worth_of(kept[case][name], base[case], scale) for case in cases]) for name in names]
            if cases and np.isfinite(sides).all():
                yield {
                    "of": names[0],
                    "less": names[1],
                    "by": scale,
                    "captions": len(cases),
                    "difference": difference(sides[0] - sides[1]),
                }


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
    lines = [f"{len(figures['captions'])} prompts, {figures['pictures']} random pictures each"]
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


def count(three: Sequence[float]) -> str:
    value, low, high = (f"{number:.0f}" if math.isfinite(number) else "beyond" for number in three)
    return f"{value} ({low} to {high})"


if __name__ == "__main__":
    sys.exit(main())
