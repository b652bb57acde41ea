"""Figures on disk, and their intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

OUTPUT = Path(__file__).resolve().parent / "output"
RESAMPLES = 10_000


def write(section: str, figures: dict) -> Path:
    """Writes `bench/output/<section>.json` so that an interruption leaves the old file or the new one."""
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / f"{section}.json"
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    scratch.replace(path)
    return path


def read(section: str) -> dict:
    path = OUTPUT / f"{section}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def paired_bootstrap(differences: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Mean of paired differences and its bootstrap interval over pairs, `(mean, low, high)`."""
    values = np.asarray(differences, dtype=float)
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(values.mean()), float(low), float(high)
