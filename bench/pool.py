"""A pool of independent candidates per prompt, each judged: one pool gives the best of every N, however chosen and by
whomever judged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from demo.client import Client
from search.trace import Trace

from .cases import Case, Found, Store, run_all
from .workflow import Workflow

CHUNK = 64  # what a search node can keep


@dataclass(frozen=True)
class Pool:
    """`m` independent candidates of one prompt.

    Args:
        values: Raw values of the verifiers `(m, k)`, in the order of `columns`.
        columns: Of the verifiers.
        checked, passed: The exact judge's, `(m,)`; not numbers where there is none.
        pictures: `(m, h, w, 3)` in 0..255.
        nfe: Denoiser calls of one candidate.
        seconds: Per candidate: sampling, decoding, judging.
    """

    values: np.ndarray
    columns: tuple[str, ...]
    checked: np.ndarray
    passed: np.ndarray
    pictures: np.ndarray
    nfe: float
    seconds: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.values)


def random_searches(case: Case, count: int, verifier: list) -> dict[str, dict]:
    """Search nodes that make and keep `count` candidates; the first holds the case's own seed."""
    sizes = [min(CHUNK, count - start) for start in range(0, count, CHUNK)]
    return {f"pool_{number}": {"class_type": "RandomSearch", "inputs": random_inputs(case.seed(number), size, verifier)}
            for number, size in enumerate(sizes)}  # fmt: skip


def random_inputs(seed: int, size: int, verifier: list) -> dict:
    return {"verifier": verifier, "seed": seed, "pictures": size, "keep": size, "minutes": 0.0}


def measure_pool(
    client: Client,
    workflow: Workflow,
    case: Case,
    store: Store,
    count: int,
    more: Mapping[str, object] = MappingProxyType({}),
    opinions: Callable[[Found], list[float]] | None = None,
) -> None:
    """Makes the pool of a case, if it is not there.

    Args:
        more: Further inputs of the searches.
        opinions: What an unseen judge said of the pictures of a search, where there is no exact one.
    """
    path = store.path(case, "npz")
    if path.exists():
        return
    wanted = random_searches(case, count, workflow.link())
    for search in wanted.values():
        search["inputs"] |= more
    found = run_all(client, workflow, case.text, wanted)
    parts = [part_of(one, case) for one in found.values()]
    for part, one in zip(parts, found.values(), strict=True):
        if more and opinions is not None:
            part["checked"] = np.array(opinions(one))
    joined = {
        name: np.concatenate([part[name] for part in parts]) for name in ("values", "checked", "passed", "pictures")
    }
    ledgers = [one.trace["ledger"] for one in found.values()]
    cost = {name: sum(ledger[name] for ledger in ledgers) / count
            for name in ("nfe", "sampling_seconds", "decoding_seconds", "scoring_seconds")}  # fmt: skip
    store.folder.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part.npz")
    np.savez_compressed(scratch, columns=np.array(next(iter(found.values())).trace["columns"]), nfe=cost.pop("nfe"),
                        seconds=np.array(list(cost.values())), **joined)  # fmt: skip
    scratch.replace(path)


def part_of(found: Found, case: Case) -> dict[str, np.ndarray]:
    """One search's candidates, all of which it kept, in the order of its pictures."""
    trace = Trace.from_json(json.dumps(found.trace))
    order = trace.best(len(trace.trials))
    judged = np.array([case.judge(picture) for picture in found.pictures])
    values = np.array([trial.values for trial in order])
    return {"values": values, "checked": judged[:, 0], "passed": judged[:, 1], "pictures": found.pictures}


def load_pool(store: Store, case: Case) -> Pool:
    with np.load(store.path(case, "npz")) as data:
        fields = {name: data[name] for name in ("values", "checked", "passed", "pictures")}
        return Pool(
            **fields,
            columns=tuple(data["columns"].tolist()),
            nfe=float(data["nfe"]),
            seconds=tuple(data["seconds"].tolist()),
        )


def missing(store: Store, cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if not store.path(case, "npz").exists()]
