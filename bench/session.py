"""What the benchmarks of searches have in common: options, measuring, and what is told and written."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.client import Client

from . import plots, pool
from .algorithms import Algorithm, Nodes
from .cases import Case, Store, harder_cases, weights_digest
from .comparison import Baseline, baseline, rows, table
from .farm import servers, work
from .results import OUTPUT, write
from .searches import Unit, measure_searches, units
from .workflow import Workflow, WorkflowError, bundled, from_file, read_prompts

QUICK = {"captions": 8, "pool": 64, "most": 16}


@dataclass
class Session:
    """One run of a benchmark.

    Args:
        section: Name of the figures.
        workflow: What is searched with.
        cases: The prompts.
        store: Where measurements lie.
        options: Of the command line.
    """

    section: str
    workflow: Workflow
    cases: list[Case]
    store: Store
    options: argparse.Namespace

    @property
    def bundled(self) -> bool:
        return not self.options.workflow

    @property
    def has_held_out(self) -> bool:
        return "held out" in self.workflow.verifiers

    def measure_pools(self, clients: Sequence[Client]) -> None:
        todo = pool.missing(self.store, self.cases)
        work(
            clients,
            todo,
            lambda client, case: pool.measure_pool(client, self.workflow, case, self.store, self.options.pool),
            "pool",
        )

    def measure(self, clients: Sequence[Client], nodes: Nodes, wanted: Sequence[Unit]) -> None:
        """All searches of all cases that are not there yet."""
        numbers = {case: number for number, case in enumerate(self.cases)}
        todo = [
            case
            for case in self.cases
            if any(unit.name not in self.store.read(case) and numbers[case] < unit.cases for unit in wanted)
        ]

        def measure(client: Client, case: Case) -> None:
            measure_searches(client, self.workflow, nodes, case, numbers[case], self.store, wanted)

        work(clients, todo, measure, "searches")

    def forget(self, algorithm: str) -> None:
        """Drops the records of an algorithm that has changed since."""
        for case in self.cases:
            kept = {name: one for name, one in self.store.read(case).items() if name.rpartition(" @ ")[0] != algorithm}
            self.store.write(case, kept)

    def base(self) -> Baseline:
        """Best of N, of all cases whose pool is there."""
        done = [case for case in self.cases if self.store.path(case, "npz").exists()]
        if not done:
            raise SystemExit("nothing was measured yet")
        return baseline([pool.load_pool(self.store, case) for case in done], done, self.has_held_out)


def opened(section: str, description: str | None) -> Session:
    """The session that the command line asks for."""
    options = parsed(section, description)
    try:
        workflow = from_file(options.workflow, options.held_out) if options.workflow else bundled()
        texts = read_prompts(options.prompts) if options.workflow else []
    except (WorkflowError, OSError) as error:
        raise SystemExit(str(error)) from None
    cases = [Case(text) for text in texts[: options.captions]] if options.workflow else harder_cases(options.captions)
    name = (
        f"{'workflow' if options.workflow else weights_digest()}-{workflow.digest()}{'-quick' if options.quick else ''}"
    )
    return Session(
        section + ("_quick" if options.quick else ""), workflow, cases, Store(OUTPUT / "runs" / name), options
    )


def parsed(section: str, description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"dev.py bench {section}", description=description)
    parser.add_argument(
        "--workflow", type=Path, help="your own workflow in API format: one search node or sampling setup, one verifier"
    )
    parser.add_argument("--prompts", type=Path, help="with --workflow: a text file, one prompt per line")
    parser.add_argument(
        "--url",
        action="append",
        default=[],
        help="with --workflow: a running ComfyUI with its models and this pack; may repeat",
    )
    parser.add_argument(
        "--held-out", default="", help="with --workflow: an entry of Load Verifier, of one value, that never chooses"
    )
    parser.add_argument("--captions", type=int, default=64, help="how many prompts at most")
    parser.add_argument("--pool", type=int, default=256, help="random pictures per prompt")
    parser.add_argument("--servers", type=int, default=2, help="ComfyUI processes side by side, without --url")
    parser.add_argument(
        "--redo", action="append", default=[], metavar="NAME", help="measure this search again; may be repeated"
    )
    parser.add_argument("--only-pool", action="store_true", help="measure the random pictures and stop")
    parser.add_argument("--report", action="store_true", help="measure nothing; figures of what is there")
    parser.add_argument("--quick", action="store_true", help="few captions and pictures, for a first look")
    options = parser.parse_args()
    if bool(options.workflow) != bool(options.prompts) or bool(options.workflow) != bool(options.url):
        parser.error(
            "--workflow, --prompts and --url belong together: a workflow of your own needs a ComfyUI that has its"
            " models"
        )
    if options.held_out and not options.workflow:
        parser.error("--held-out belongs to --workflow: the bundled model has the exact judge")
    if options.quick:
        options.captions, options.pool = min(options.captions, QUICK["captions"]), min(options.pool, QUICK["pool"])
    if options.captions < 1 or options.pool < 2 or options.servers < 1:
        parser.error("--captions and --servers must be at least 1 and --pool at least 2")
    return options


def measured(session: Session, algorithms: Sequence[Algorithm], further=lambda session, clients, nodes: None) -> None:
    """Measures all that is missing: pools, searches, and what `further` adds."""
    options = session.options
    if options.report:
        return
    for name in options.redo:
        session.forget(name)
    with servers(options.servers, options.url) as clients:
        nodes = Nodes(clients[0])
        session.measure_pools(clients)
        if options.only_pool:
            return
        known, absent = nodes.available([one for one in algorithms if one.verifier in session.workflow.verifiers])
        if absent:
            print(f"left out, as this ComfyUI lacks their nodes: {', '.join(absent)}", flush=True)
        session.measure(clients, nodes, units(known, QUICK["most"] if options.quick else 1_000_000))
        further(session, clients, nodes)


def told(session: Session, base: Baseline, algorithms: Sequence[Algorithm], questions: dict | None = None) -> None:
    """Prints the table and the sentences, writes figures and plots."""
    figures = rows(base, session.store, algorithms)
    print(f"{len(base.cases)} prompts, {base.most} random pictures each\n{table(figures, base.most)}")
    for name, question in (questions or {}).items():
        print(f"{name}: {question['sentence']}")
    drawn = [plots.score_against_cost(base, figures, OUTPUT / f"{session.section}_score.png")]
    if figures:
        drawn.append(plots.equivalent_n(figures, OUTPUT / f"{session.section}_equivalent_n.png", base.most))
    curve = {
        name: getattr(base, name).mean(0).tolist() for name in ("searched", "checked", "passed", "held_out", "raw")
    }
    body = {
        "captions": [case.text for case in base.cases],
        "families": [case.family for case in base.cases],
        "pool": base.most,
        "weights": weights_digest() if session.bundled else "",
        "best_of_n": curve,
        "rows": figures,
        "questions": questions or {},
    }
    print(f"Figures: {write(session.section, tidy(body))}\nPlots: {', '.join(str(path) for path in drawn)}")


def tidy(value: object) -> object:
    """As plain JSON: floats in six digits; what is infinite (beyond the pool) or not a number is null."""
    if isinstance(value, dict):
        return {str(name): tidy(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
