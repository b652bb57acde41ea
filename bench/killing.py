"""Searches whose server is killed at a random moment, started again and asked again: nothing lost, nothing paid for
twice.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from demo.server import PACK, Server, prepare

TOYS = PACK / "tests" / "toys.py"
STEPS, BATCH, PICTURES = 8, 2, 24
KINDS = {
    "RandomSearch": {},
    "AutoSearch": {},
    "ZeroOrderSearch": {"preset": "adaptive", "neighbors": 4, "similarity": 0.95},
    "LocalSearch": {"preset": "local", "neighbors": 4, "centers": 0, "similarity": 0.95},
    "DraftSearch": {"draft_steps": 2, "keep_share": 0.4},
    "PathSearch": {"paths": 2, "width": 0, "start": 0.11, "forward": 0.5, "backward": 0.9},
    "SteeredSearch": {"preset": "best known", "particles": 0},
    "RefineSearch": {"children": 2, "depth": 0.5},
}
NAMES = list(KINDS)


def graph(number: int) -> dict:
    """The search of a number: kinds take turns, every number has its own seed.

    The steps that the model makes are counted in a file of the output folder. Its whole path would be part of the
    search's identity.
    """
    kind, seed = NAMES[number % len(NAMES)], 1000 + number
    sources = {"model": ["m", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
    sampler = {
        "steps": STEPS,
        "cfg": 3.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 1.0,
        "batch_size": BATCH,
    }
    budget = {"seed": seed, "pictures": PICTURES, "minutes": 0.0, "keep": 1}
    return {
        "1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
        "m": {"class_type": "ToyCounted", "inputs": {"model": ["1", 0], "name": f"ledger {number}"}},
        "v": {"class_type": "LoadVerifier", "inputs": {"verifier": "sharpness", "device": "auto"}},
        "s": {"class_type": "SamplingSetup", "inputs": {**sources, **sampler}},
        "2": {"class_type": kind, "inputs": {"sampling": ["s", 0], "verifier": ["v", 0], **budget, **KINDS[kind]}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 1]}},
    }


def result_of(client, outputs: dict) -> dict:
    """All that must be the same: recipe, scores, cost, and the picture's pixels."""
    (found,) = outputs["2"]["noise_search"]
    pixels = np.asarray(Image.open(io.BytesIO(client.image(outputs["3"]["images"][0]))))
    return {
        **{key: found[key] for key in ("recipe", "score", "first_score", "pictures", "cost")},
        "picture": pixels.tobytes().hex(),
    }


def steps_in(ledger: Path) -> int:
    return sum(map(int, ledger.read_bytes().split())) if ledger.exists() else 0


def steps_kept(base: Path) -> int:
    """Steps of all that the store holds, from what it says of each latent: two model calls a step. Read from a copy:
    reading may mend it.
    """
    files = stored(base)
    if not files:
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        for path in files:
            shutil.copy(path, Path(scratch) / path.name)
        with closing(sqlite3.connect(Path(scratch) / files[0].name)) as book:
            (made,) = book.execute("SELECT count(*) FROM sqlite_master WHERE name = 'latents'").fetchone()
            return book.execute("SELECT coalesce(sum(nfe), 0) FROM latents").fetchone()[0] // 2 if made else 0


def stored(base: Path) -> list[Path]:
    """The files of the store: the database first, then what belongs to it."""
    return sorted(base.glob("user/noise_search/noise_search.sqlite3*"))


@contextmanager
def remembering(on: bool):
    before = os.environ.get("NOISE_SEARCH_STORE")
    os.environ["NOISE_SEARCH_STORE"] = "1" if on else "off"
    try:
        yield
    finally:
        os.environ.pop("NOISE_SEARCH_STORE")
        if before is not None:
            os.environ["NOISE_SEARCH_STORE"] = before


class Victim:
    """A server that is killed and started again, on one base directory."""

    def __init__(self, host: str, base: Path):
        self.host, self.base = host, prepare(base, [TOYS])
        self.server: Server | None = None

    def client(self):
        if self.server is None or self.server.process.poll() is not None:
            self.server = Server(self.host, self.base).start()
        return self.server.client()

    def kill(self) -> None:
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()

    def __enter__(self) -> Victim:
        return self

    def __exit__(self, *error: object) -> None:
        if self.server is not None:
            self.server.stop()


def undisturbed(victim: Victim, number: int) -> dict:
    """The result and the steps of a search that nothing happens to, and that remembers nothing."""
    ledger = victim.base / "output" / f"ledger {number}"
    ledger.unlink(missing_ok=True)
    client = victim.client()
    result = client.run(graph(number))
    if not result.ok:
        raise RuntimeError(result.error)
    return {"result": result_of(client, result.outputs), "steps": steps_in(ledger), "seconds": result.seconds}


def killed(victim: Victim, number: int, alone: dict) -> dict:
    """The search of a number, killed when a random share of its steps is made, and asked again after a restart."""
    ledger = victim.base / "output" / f"ledger {number}"
    for path in (*stored(victim.base), ledger):
        path.unlink(missing_ok=True)
    share = random.Random(number).uniform(0.02, 0.98)
    client = victim.client()
    client.queue(graph(number), {"id": f"killed {number}"})
    deadline = time.monotonic() + 600
    while steps_in(ledger) < share * alone["steps"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"search {number} made {steps_in(ledger)} of {alone['steps']} steps within ten minutes")
        time.sleep(0.002)
    victim.kill()
    paid, kept = steps_in(ledger), steps_kept(victim.base)
    ledger.unlink()
    client = victim.client()
    result = client.run(graph(number), {"id": f"killed {number}"})
    if not result.ok:
        raise RuntimeError(result.error)
    found = result_of(client, result.outputs)
    return {"kind": NAMES[number % len(NAMES)], "share": share, "steps": alone["steps"], "before": paid, "kept": kept,
            "after": steps_in(ledger), "same": found == alone["result"],
            "twice": steps_in(ledger) - (alone["steps"] - kept), "in_flight": paid - kept}  # fmt: skip


def summary(runs: list[dict]) -> dict:
    """In one line per promise."""
    return {
        "searches": len(runs),
        "same_result": sum(run["same"] for run in runs),
        "steps_paid_twice_beyond_those_in_flight": sum(run["twice"] for run in runs),
        "most_steps_in_flight": max(run["in_flight"] for run in runs),
        "killed_at": [round(run["before"] / run["steps"], 3) for run in runs],
        "runs": runs,
    }
