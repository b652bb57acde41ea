"""What a search costs beyond its pictures: CPU time against the host's own nodes, memory per candidate, import time.

Both sides sample, decode and judge 64 pictures in chunks of 8 with 20 steps, in one process, in turns.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import psutil

from demo.comparison import SAMPLING
from demo.examples import CHECKPOINT, SIDE, VERIFIER

from .results import write

PACK = Path(__file__).resolve().parents[1]
CAPTION = "a red circle and a blue square"
CHUNK = 8


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench overhead", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pictures and runs")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="noise-search-bench-") as base:
        os.environ["NOISE_SEARCH_STORE"] = "1"  # as users have it; no search is run twice
        host = start_host(Path(base))
        figures = {**overhead(host, 16 if quick else 64, 3 if quick else 5), **memory(host, 512 if quick else 1024, 3)}
    figures.update(imports(1 if quick else 5))
    path = write("overhead" + ("_quick" if quick else ""), figures)
    for name in ("overhead_ratio", "rss_bytes_per_candidate", "import_seconds"):
        print(f"{name:24} {figures[name]}")
    print(f"Figures: {path}")
    return 0


def importable() -> None:
    """Has the pack imported by its name, as the tests do."""
    package = ModuleType("noise_search")
    package.__path__ = [str(PACK)]
    sys.modules["noise_search"] = package


def start_host(base: Path, prepared=lambda harness: None):
    """The real host in this process, as the tests use it; `prepared` may change the harness before."""
    importable()
    from noise_search.tests import host as harness

    harness.make_importable(base)
    prepared(harness)
    return harness.Host(base)


def shared() -> dict:
    return {
        "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "positive": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": CAPTION}},
        "negative": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": ""}},
        "verifier": {"class_type": "LoadVerifier", "inputs": {"verifier": VERIFIER, "device": "auto"}},
    }


def ours(pictures: int, seed: int, **sampling) -> dict:
    sources = {
        "model": ["model", 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent_image": ["latent", 0],
    }
    return {
        **shared(),
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": 1}},
        "setup": {
            "class_type": "SamplingSetup",
            "inputs": {**sources, "vae": ["model", 2], **SAMPLING, **sampling, "batch_size": CHUNK},
        },
        "search": {
            "class_type": "RandomSearch",
            "inputs": {
                "sampling": ["setup", 0],
                "verifier": ["verifier", 0],
                "seed": seed,
                "pictures": pictures,
                "minutes": 0.0,
                "keep": 1,
            },
        },
        "keep": {"class_type": "ToyKeep", "inputs": {"value": ["search", 3], "name": "score"}},
    }


def theirs(pictures: int, seed: int) -> dict:
    """The host's own sampling and decoding, and VerifierScore."""
    prompt = {
        **shared(),
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": CHUNK}},
        "guider": {
            "class_type": "CFGGuider",
            "inputs": {
                "model": ["model", 0],
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "cfg": SAMPLING["cfg"],
            },
        },
        "sampler": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": SAMPLING["sampler_name"]}},
        "sigmas": {
            "class_type": "BasicScheduler",
            "inputs": {
                "model": ["model", 0],
                "scheduler": SAMPLING["scheduler"],
                "steps": SAMPLING["steps"],
                "denoise": 1.0,
            },
        },
    }
    for chunk in range(pictures // CHUNK):
        prompt.update(
            {
                f"noise{chunk}": {"class_type": "RandomNoise", "inputs": {"noise_seed": seed * 1000 + chunk}},
                f"sample{chunk}": {
                    "class_type": "SamplerCustomAdvanced",
                    "inputs": {
                        "noise": [f"noise{chunk}", 0],
                        "guider": ["guider", 0],
                        "sampler": ["sampler", 0],
                        "sigmas": ["sigmas", 0],
                        "latent_image": ["latent", 0],
                    },
                },
                f"decode{chunk}": {
                    "class_type": "VAEDecode",
                    "inputs": {"samples": [f"sample{chunk}", 0], "vae": ["model", 2]},
                },
                f"score{chunk}": {
                    "class_type": "VerifierScore",
                    "inputs": {"images": [f"decode{chunk}", 0], "verifier": ["verifier", 0], "prompt": CAPTION},
                },
                f"keep{chunk}": {
                    "class_type": "ToyKeep",
                    "inputs": {"value": [f"score{chunk}", 0], "name": f"images{chunk}"},
                },
            }
        )
    return prompt


def run(host, prompt: dict) -> float:
    """CPU seconds of one prompt whose loaders are cached."""
    began = time.process_time()
    result = host.run(prompt, keep_cache=True)
    if not result.ok:
        raise RuntimeError(result.error)
    return time.process_time() - began


def overhead(host, pictures: int, rounds: int) -> dict:
    for build in (ours, theirs):
        run(host, build(CHUNK, 0))
    runs: dict[str, list[float]] = {"search": [], "host": []}
    for number in range(1, rounds + 1):
        runs["search"].append(run(host, ours(pictures, number)))
        run(host, theirs(CHUNK, 0))  # keeps the loaders of the other prompt in the host's cache
        runs["host"].append(run(host, theirs(pictures, number)))
        run(host, ours(CHUNK, 0))
        print(f"{number} of {rounds}: search {runs['search'][-1]:.2f} s, host {runs['host'][-1]:.2f} s", flush=True)
    ratio = statistics.median(runs["search"]) / statistics.median(runs["host"])
    return {"overhead_ratio": round(ratio, 4), "pictures": pictures, "cpu_seconds": runs}


def memory(host, pictures: int, rounds: int) -> dict:
    """Slopes of the resident memory over the candidates of one search, from the 64th on; their median."""
    run(host, ours(pictures, 0, steps=1, cfg=1.0))  # what only the first search takes
    curves = [resident(host, pictures, number) for number in range(1, rounds + 1)]
    slopes = [
        float(np.polyfit(*np.array([point for point in curve if point[0] >= 64], dtype=float).T, 1)[0])
        for curve in curves
    ]
    return {"rss_bytes_per_candidate": round(statistics.median(slopes)), "rss_slopes": slopes, "rss": curves}


def resident(host, pictures: int, seed: int) -> list[tuple[int, int]]:
    """(candidates, bytes) after every chunk of one search, without what the allocator could give back."""
    import comfy.utils

    process, points = psutil.Process(), []

    def watch(value: int, total: int, preview, **node) -> None:
        if total == 100 * pictures and value % (100 * CHUNK) == 0:
            gc.collect()
            trim()
            points.append((value // 100, process.memory_info().rss))

    comfy.utils.set_progress_bar_global_hook(watch)
    run(host, ours(pictures, seed, steps=1, cfg=1.0))
    comfy.utils.set_progress_bar_global_hook(None)
    return points


def trim() -> None:
    """Has glibc give free memory back, where there is one: free pages of its arenas are no growth."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def imports(rounds: int) -> dict:
    """Seconds that the host takes to import the pack when its own modules are there, each in a fresh process."""
    script = (
        "import sys, time, tempfile; from pathlib import Path; from bench import overhead\n"
        "with tempfile.TemporaryDirectory() as base: print(overhead.import_once(Path(base)))"
    )
    runs = []
    for _ in range(rounds):
        text = subprocess.run(
            [sys.executable, "-c", script], cwd=PACK, capture_output=True, text=True, check=True
        ).stdout
        runs.append(float(text.strip().splitlines()[-1]))
    return {"import_seconds": round(statistics.median(runs), 4), "import_runs": runs}


def import_once(base: Path) -> float:
    """The host's own loading of the pack, right after all of its own, timed."""
    seconds = []

    def timed(harness) -> None:
        load = harness.Host._load_node

        def load_timed(self, path: Path, parent: str) -> None:
            began = time.perf_counter()
            load(self, path, parent)
            if path.name == harness.NAME:
                seconds.append(time.perf_counter() - began)

        harness.Host._load_node = load_timed

    start_host(base, timed)
    return seconds[0]


if __name__ == "__main__":
    sys.exit(main())
