"""What a large store costs before the first sample: opening it, and finding a latent in it."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

LATENT = 1_400_000  # bytes, as of a picture of 1024 x 1024 in 16 channels and 32 bits, with its noise
LIMIT_SECONDS = 0.05


def measured(host, megabytes: int, times: int = 30) -> dict:
    """Seconds to open a store of that size and to look for the first candidate, over `times` openings."""
    module = host.part("nodes.host.store.records")
    with tempfile.TemporaryDirectory(prefix="noise-search-opening-") as scratch:
        path, count = Path(scratch) / "store.sqlite3", round(megabytes * 1e6 / LATENT)
        with closing(module.Store(path, 10**12)) as store:
            for number in range(count):
                store.keep_latents("setup", {str(number): module.Sampled(0.0, number, 20, os.urandom(LATENT))})
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            store = module.Store(path, 10**12)
            found = store.latent("setup", "of a search that is new")
            seconds.append(time.perf_counter() - began)
            store.close()
            assert found is None
        size = sum(file.stat().st_size for file in Path(scratch).iterdir())
    return {"bytes": size, "latents": count, "openings": times, "median_seconds": round(statistics.median(seconds), 5),
            "most_seconds": round(max(seconds), 5)}  # fmt: skip
