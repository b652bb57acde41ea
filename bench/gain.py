"""How much more often a searched picture shows exactly what its caption says: random and zero-order search against the
own seed.

The verifier is the tiny CLIP; the judge is the exact checker, which no search sees. Captions are held out from all
training.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

from demo.comparison import SAMPLING, WAYS, compare
from demo.examples import CHECKPOINT, VERIFIER
from demo.scenes import held_out
from demo.server import WEIGHTS, Server, prepare

from .results import paired_bootstrap, read, write

SECTION = "gain"


def main() -> int:
    options = parsed()
    section = SECTION + ("_quick" if options.quick else "")
    scenes = held_out(count=8 if options.quick else options.captions, seed=1)
    settings = {"pictures": options.pictures, "sampling": SAMPLING, "weights": weights_digest()}
    earlier = read(section)
    rows = earlier["rows"] if earlier.get("settings") == settings else []
    known = {row["prompt"] for row in rows}
    todo = [scene for scene in scenes if scene.caption not in known]
    if rows:
        print(f"going on: {len(rows)} captions are there already", flush=True)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="noise-search-bench-") as base,
        Server(os.environ["COMFYUI_PATH"], prepare(Path(base))) as server,
    ):
        client = server.client()
        for number, scene in enumerate(todo, 1):
            rows.append(compare(client, scene, options.pictures)[0])
            path = write(section, {**summary(rows), "settings": settings, "rows": rows})
            left = (time.monotonic() - started) / number * (len(todo) - number)
            print(f"{number} of {len(todo)}, {left:.0f} s left: {scene.caption}", flush=True)
    print(report(summary(rows)) if rows else "no captions")
    print(f"Figures: {path}" if todo else "")
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench gain", description=__doc__)
    parser.add_argument("--captions", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--quick", action="store_true", help="8 captions")
    return parser.parse_args()


def weights_digest() -> str:
    """Of the weights that the figures hold for: others begin anew."""
    state = hashlib.blake2b(digest_size=8)
    for path in [WEIGHTS / CHECKPOINT, *sorted((WEIGHTS / VERIFIER).iterdir())]:
        state.update(path.read_bytes())
    return state.hexdigest()


def summary(rows: list[dict]) -> dict:
    """Pass rates in percent, and the gain over the own seed in points with its paired interval, per way."""
    figures: dict = {"captions": len(rows), "pass_rate": {}, "mean_score": {}, "gain_points": {}}
    for way in WAYS:
        figures["pass_rate"][way] = round(100 * sum(row[way]["passed"] for row in rows) / len(rows), 1)
        figures["mean_score"][way] = round(sum(row[way]["score"] for row in rows) / len(rows), 3)
        if way != "own_seed":
            gained = [100.0 * (row[way]["passed"] - row["own_seed"]["passed"]) for row in rows]
            mean, low, high = paired_bootstrap(gained)
            figures["gain_points"][way] = {"mean": round(mean, 1), "low": round(low, 1), "high": round(high, 1)}
    return figures


def report(figures: dict) -> str:
    lines = [f"{figures['captions']} captions", f"{'':12} pass rate  mean score  gain over the own seed, 95 % interval"]
    for way in WAYS:
        gain = figures["gain_points"].get(way)
        spread = f"{gain['mean']:+.1f} points ({gain['low']:+.1f} to {gain['high']:+.1f})" if gain else ""
        lines.append(f"{way:12} {figures['pass_rate'][way]:7.1f} %  {figures['mean_score'][way]:10.2f}  {spread}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
