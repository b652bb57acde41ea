"""Every search against best of N at equal cost, and the paper's questions in miniature, in the real host.

By default on the bundled tiny model and held-out captions of its harder families, with its CLIP as verifier and the
exact checker as judge; or on a workflow and prompts of your own. One pool of random pictures per prompt serves every N.
What was measured stays, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from demo.client import Client

from . import plots, pool, questions
from .algorithms import SEARCH, Algorithm, Nodes
from .cases import Case, Store
from .comparison import Baseline, rows
from .farm import work
from .results import OUTPUT
from .searches import Unit, units
from .session import Session, measured, opened, told
from .workflow import Workflow, bundled

SECTION = "search"
SMALL = "noise_search_tiny_small.ckpt"
STEPS = {5: 64, 10: 64, 40: 16}  # per picture -> pictures
SMALL_POOL = 64
SETTLED_POOL = 32
FEW = 12  # prompts of the questions that need pictures of their own
TABLE_AT = 16  # pictures
OTHER_VERIFIERS = tuple(Algorithm(f"{name}, {verifier}", node, (TABLE_AT,), verifier=verifier)
                        for name, node in (("auto", "AutoSearch"), ("zero-order", "ZeroOrderSearch"))
                        for verifier in ("sharpness", "ensemble"))  # fmt: skip
DIVERSE = (Algorithm("auto", "AutoSearch", (32,)), Algorithm("zero-order", "ZeroOrderSearch", (32,)),
           Algorithm("auto, keep different", "AutoSearch", (32,), {"keep_different": True}))  # fmt: skip
KEEP = 4
HASTY = 4  # steps of a few-step setup, which leave little to cut
HASTY_POOL, HASTY_CASES = 64, 32
HASTY_AUTO = Algorithm("auto", "AutoSearch", (2, 4, 8, 16))


def main() -> int:
    session = opened(SECTION, __doc__)
    asks = session.bundled and not session.options.quick
    measured(session, SEARCH, measure_questions if asks else lambda *_: None)
    if session.options.only_pool:
        return 0
    base = session.base()
    told(session, base, SEARCH, answered(session, base) if asks else None)
    return 0


def variants(session: Session) -> dict[str, tuple[Workflow, int]]:
    """Other set-ups whose random pictures the questions need, and how many per prompt."""
    found = {f"steps {steps}": (bundled(steps=steps), count) for steps, count in STEPS.items()}
    settled = dataclasses.replace(
        session.workflow, verifiers={"searched": session.workflow.verifiers["self-supervised"]}
    )
    return {**found, "small": (bundled(SMALL), SMALL_POOL), "self-supervised": (settled, SETTLED_POOL)}


def store_of(session: Session, workflow: Workflow) -> Store:
    name = session.store.folder.name.partition("-")[0]
    return Store(session.store.folder.with_name(f"{name}-{workflow.digest()}"))


def measure_questions(session: Session, clients: Sequence[Client], nodes: Nodes) -> None:
    few = session.cases[:FEW]
    for name, (workflow, count) in variants(session).items():
        store = store_of(session, workflow)
        if name != "self-supervised" or "SelfSupervisedVerifier" in nodes.known:
            work(clients, pool.missing(store, few), measuring(workflow, store, count), name)
    measure_hasty(session, clients, nodes)
    known, _ = nodes.available((*OTHER_VERIFIERS, *DIVERSE))
    kept = [Unit(one, pictures, KEEP if one in DIVERSE else 1, FEW) for one in known for pictures in one.budgets]
    session.measure(clients, nodes, kept)


def measure_hasty(session: Session, clients: Sequence[Client], nodes: Nodes) -> None:
    """Automatic search in a few-step setup, against that setup's own random pictures."""
    hasty = hurried(session)
    work(
        clients,
        pool.missing(hasty.store, hasty.cases),
        measuring(hasty.workflow, hasty.store, HASTY_POOL),
        f"{HASTY} steps",
    )
    hasty.measure(clients, nodes, units([HASTY_AUTO]))


def hurried(session: Session) -> Session:
    workflow = bundled(steps=HASTY)
    return dataclasses.replace(
        session, workflow=workflow, cases=session.cases[:HASTY_CASES], store=store_of(session, workflow)
    )


def measuring(workflow: Workflow, store: Store, count: int):
    def measure(client: Client, case: Case) -> None:
        pool.measure_pool(client, workflow, case, store, count)

    return measure


def answered(session: Session, base: Baseline) -> dict:
    """All questions whose pictures are there, each with its plot."""
    answers = {
        "hacking": questions.hacking(base),
        "ensembles": questions.ensembles(base),
        "agreement": questions.agreement(base),
    }
    table = rows(base, session.store, (*SEARCH, *OTHER_VERIFIERS))
    answers["verifiers"] = questions.verifier_table(base, table, TABLE_AT)
    kept = questions.diversity(base, session.store, [Unit(one, 32, KEEP) for one in DIVERSE])
    answers |= {"diversity": kept} if kept["rms_distance"] else {}
    few = list(base.cases[:FEW])
    stores = {name: store_of(session, workflow) for name, (workflow, _) in variants(session).items()}
    ready = {name: store for name, store in stores.items() if few and not pool.missing(store, few)}
    if ready.keys() >= {f"steps {steps}" for steps in STEPS}:
        pools = {steps: (ready[f"steps {steps}"], few) for steps in STEPS} | {20: (session.store, few)}
        answers["steps"] = questions.candidates_or_steps(pools, 20)
    if "small" in ready:
        answers["small"] = questions.small_against_base(ready["small"], base.of(range(len(few))))
    if "self-supervised" in ready:
        answers["self-supervised"] = questions.self_supervised(ready["self-supervised"], few)
    hasty = hurried(session)
    if hasty.cases and not pool.missing(hasty.store, hasty.cases):
        answers["few_steps"] = questions.never_worse(rows(hasty.base(), hasty.store, [HASTY_AUTO]), HASTY)
    for name, answer in answers.items():
        plots.answer(answer["plot"], OUTPUT / f"{SECTION}_{name}.png")
    return answers


if __name__ == "__main__":
    sys.exit(main())
