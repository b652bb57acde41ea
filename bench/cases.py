"""The prompts of a benchmark, and how a picture of one is judged."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from demo.client import Client
from demo.comparison import own_seed
from demo.examples import CHECKPOINT, VERIFIER
from demo.grades import distance
from demo.scenes import Scene, held_out, verify
from demo.server import WEIGHTS

from .workflow import Workflow

HARDER = ("triple", "four", "groups", "chain", "count", "mix", "double", "five")
CAPTION_SEED = 2  # no caption of it was ever looked at while anything was tuned


@dataclass(frozen=True)
class Case:
    """One prompt. With a scene there is an exact judge; without one there is none."""

    text: str
    scene: Scene | None = None

    @property
    def family(self) -> str:
        return self.scene.family if self.scene else ""

    @property
    def name(self) -> str:
        """A file name."""
        return hashlib.blake2b(self.text.encode(), digest_size=6).hexdigest()

    def seed(self, number: int = 0) -> int:
        """The own seed of this prompt; further ones for further pools."""
        return own_seed(f"{self.text} #{number}" if number else self.text)

    def judge(self, picture: np.ndarray) -> tuple[float, float]:
        """Share of the caption's claims that hold, and whether all do; not a number where there is no exact judge."""
        if self.scene is None:
            return float("nan"), float("nan")
        verdict = verify(picture.astype(np.float32) / 255, self.scene)
        return float(verdict.score), float(verdict.passed)

    def distance(self, picture: np.ndarray) -> float:
        """How far a picture is from the scene; not a number where there is none."""
        return float("nan") if self.scene is None else distance(picture.astype(np.float32) / 255, self.scene)


def harder_cases(count: int) -> list[Case]:
    """`count` held-out captions, the harder families in turn. Count has few held-out meanings; the others stand in for
    it.
    """
    rows: list[list[Scene]] = []
    for family in HARDER:
        for wanted in range(-(-count // len(HARDER)), 0, -1):
            try:
                rows.append(held_out(family, wanted, CAPTION_SEED))
                break
            except ValueError:
                continue
    turns = [row[turn] for turn in range(max(map(len, rows))) for row in rows if turn < len(row)]
    missing = count - len(turns)
    if missing > 0:
        spare = held_out("groups", len(rows[HARDER.index("groups")]) + missing, CAPTION_SEED)
        turns += spare[-missing:]
    return [Case(scene.caption, scene) for scene in turns[:count]]


@dataclass(frozen=True)
class Store:
    """Where the measurements of one set-up lie, one folder each; what is there is never measured again."""

    folder: Path

    def path(self, case: Case, suffix: str) -> Path:
        return self.folder / f"{case.name}.{suffix}"

    def read(self, case: Case) -> dict:
        path = self.path(case, "json")
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def write(self, case: Case, records: Mapping) -> None:
        path = self.path(case, "json")
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        scratch.write_text(json.dumps(records), encoding="utf-8")
        scratch.replace(path)


def weights_digest(*verifiers: str) -> str:
    """Of the bundled weights that the figures hold for, the model's and these verifiers': others begin anew."""
    state = hashlib.blake2b(digest_size=6)
    folders = [WEIGHTS / name for name in verifiers or (VERIFIER,)]
    for path in [WEIGHTS / CHECKPOINT, *(path for folder in folders for path in sorted(folder.iterdir()))]:
        state.update(path.read_bytes())
    return state.hexdigest()


@dataclass(frozen=True)
class Found:
    """What came out of one search node: its trace as JSON, and its pictures, best first, `(n, h, w, 3)` in 0..255."""

    trace: dict
    pictures: np.ndarray
    said: str = ""


def run_all(client: Client, workflow: Workflow, text: str, searches: Mapping[str, dict]) -> dict[str, Found]:
    """Runs several searches for one text in one prompt, so that they share models, text and VAE.

    Raises:
        RuntimeError: With the host's own message, if the prompt failed.
    """
    result = client.run(workflow.prompt(text, searches), timeout=86400)
    if not result.ok:
        raise RuntimeError(f"{text}: {result.error}")
    return {name: _found(client, result.outputs, name) for name in searches}


def _found(client: Client, outputs: Mapping[str, dict], name: str) -> Found:
    (report,) = outputs[f"{name}_report"]["noise_search_report"]
    (entry,) = (file for file in report["files"] if file["filename"].endswith(".json"))
    pictures = [_pixels(client.image(image)) for image in outputs[f"{name}_show"]["images"]]
    return Found(json.loads(client.image(entry)), np.stack(pictures), " ".join(outputs[name]["text"]))


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
