"""Pictures per second of a random search, whose chunk is found automatically, beside a loop of single KSamplers and the
host's own batches.

All sample and decode the same number of pictures in one process, in turns; nothing is judged. On a machine with a GPU
the numbers are the GPU's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from demo.comparison import SAMPLING
from demo.examples import SIDE

from .overhead import ours, shared, start_host
from .results import write

BATCH = 8


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench throughput", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pictures and rounds")
    quick = parser.parse_args().quick
    pictures, rounds = (16, 3) if quick else (64, 5)
    with tempfile.TemporaryDirectory(prefix="noise-search-bench-") as base:
        os.environ["NOISE_SEARCH_STORE"] = "1"  # as users have it; no search is run twice
        runs = compare(start_host(Path(base)), pictures, rounds)
    figures = {"pictures": pictures, "seconds": runs, **ratios(runs, pictures)}
    path = write("throughput" + ("_quick" if quick else ""), figures)
    print(report(figures))
    print(f"Figures: {path}")
    return 0


def searched(pictures: int, seed: int) -> dict:
    prompt = ours(pictures, seed)
    prompt["setup"]["inputs"]["batch_size"] = 0
    prompt["search"]["inputs"].pop("verifier")
    prompt.pop("verifier")
    prompt["keep"]["inputs"]["value"] = ["search", 1]
    return prompt


def sampled(pictures: int, seed: int, batch: int) -> dict:
    """One stock KSampler per batch, with a seed of its own."""
    prompt = {
        **shared(),
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": batch}},
    }
    prompt.pop("verifier")
    sources = {
        "model": ["model", 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent_image": ["latent", 0],
    }
    for number in range(pictures // batch):
        sample, decode = f"sample{number}", f"decode{number}"
        prompt[sample] = {"class_type": "KSampler", "inputs": {**sources, **SAMPLING, "seed": seed * 1000 + number}}
        prompt[decode] = {"class_type": "VAEDecode", "inputs": {"samples": [sample, 0], "vae": ["model", 2]}}
        prompt[f"keep{number}"] = {"class_type": "ToyKeep", "inputs": {"value": [decode, 0], "name": f"images{number}"}}
    return prompt


SIDES = {
    "random search": searched,
    "single KSamplers": lambda pictures, seed: sampled(pictures, seed, 1),
    f"KSamplers of {BATCH}": lambda pictures, seed: sampled(pictures, seed, BATCH),
}


def compare(host, pictures: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each side, round by round; loaders are cached before the clock starts."""
    runs: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(1, rounds + 1):
        for name, build in SIDES.items():
            timed(host, build(BATCH, 0))
            runs[name].append(timed(host, build(pictures, number)))
        print(
            f"{number} of {rounds}: " + ", ".join(f"{name} {seconds[-1]:.2f} s" for name, seconds in runs.items()),
            flush=True,
        )
    return runs


def timed(host, prompt: dict) -> float:
    began = time.perf_counter()
    result = host.run(prompt, keep_cache=True)
    if not result.ok:
        raise RuntimeError(result.error)
    return time.perf_counter() - began


def ratios(runs: dict[str, list[float]], pictures: int) -> dict:
    """Pictures per second, and how much faster the search is than each other side, the median of paired rounds with its
    range.
    """
    rates = {name: round(pictures / statistics.median(seconds), 3) for name, seconds in runs.items()}
    ours, *others = runs
    against = {}
    for name in others:
        paired = sorted(theirs / mine for theirs, mine in zip(runs[name], runs[ours]))
        against[name] = {
            "median": round(statistics.median(paired), 3),
            "low": round(paired[0], 3),
            "high": round(paired[-1], 3),
        }
    return {"pictures_per_second": rates, "speed_against": against}


def report(figures: dict) -> str:
    lines = [f"{name:18} {rate:7.2f} pictures per second" for name, rate in figures["pictures_per_second"].items()]
    lines += [f"search / {name}: {found['median']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
              for name, found in figures["speed_against"].items()]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
