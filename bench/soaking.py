"""Thousands of candidates in one search, and hundreds of searches in one host: what stays in memory of each."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from .overhead import CHUNK, ours, run, trim

LIMIT_CANDIDATE, LIMIT_SEARCH = 4 * 1024, 0.1 * 2**20  # bytes
WARM = {"candidates": 0.1, "searches": 0.2}  # share of the curve that the first caches take


def resident() -> int:
    """Bytes of this process, without what the allocator could give back."""
    gc.collect()
    trim()
    return psutil.Process().memory_info().rss


def tiny(pictures: int, seed: int) -> dict:
    """A search of the bundled model."""
    return ours(pictures, seed, steps=1, cfg=1.0)


def candidates(host, pictures: int, every: int = 64, graph: Callable[[int, int], dict] = tiny) -> list[tuple[int, int]]:
    """(candidates, bytes) while one search of `graph(pictures, seed)` runs."""
    import comfy.utils

    run(host, graph(2 * CHUNK, 0))
    points: list[tuple[int, int]] = []

    def watch(value: int, total: int, preview, **node) -> None:
        if total == 100 * pictures and value % (100 * every) == 0 and value // 100 not in dict(points):
            points.append((value // 100, resident()))

    before = comfy.utils.PROGRESS_BAR_HOOK
    comfy.utils.set_progress_bar_global_hook(watch)
    try:
        run(host, graph(pictures, 1))
    finally:
        comfy.utils.set_progress_bar_global_hook(before)
    return points


def searches(host, count: int, graph: Callable[[int, int], dict] = tiny) -> list[tuple[int, int]]:
    """(searches, bytes) after each search of eight pictures."""
    points = []
    for number in range(1, count + 1):
        run(host, graph(CHUNK, 10_000 + number))
        host.events.clear()  # the harness's own
        points.append((number, resident()))
    return points


def slope(points: list[tuple[int, int]], kind: str) -> float:
    """Bytes per candidate or search, once the caches are full: the median of the slopes between any two points.

    The allocator now and then holds on to some 16 MB for a moment, which a fitted line would take for growth.
    """
    kept = np.array(points[int(len(points) * WARM[kind]) :], dtype=float)
    first, second = np.triu_indices(len(kept), 1)
    return float(np.median((kept[second, 1] - kept[first, 1]) / (kept[second, 0] - kept[first, 0])))


def summary(of_candidates: list, of_searches: list) -> dict:
    return {
        "candidates": of_candidates[-1][0],
        "bytes_per_candidate": round(slope(of_candidates, "candidates")),
        "searches": of_searches[-1][0],
        "bytes_per_search": round(slope(of_searches, "searches")),
        "limits": [LIMIT_CANDIDATE, LIMIT_SEARCH],
        "rss_of_candidates": of_candidates,
        "rss_of_searches": of_searches,
    }


def plot(figures: dict, path: Path) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    sides = (
        ("rss_of_candidates", "candidates of one search", f"{figures['bytes_per_candidate']} bytes per candidate"),
        ("rss_of_searches", "searches in one host", f"{figures['bytes_per_search'] / 1024:.1f} KB per search"),
    )
    for axes, (name, label, title) in zip(figure.subplots(1, 2), sides):
        points = np.array(figures[name], dtype=float)
        axes.plot(points[:, 0], points[:, 1] / 2**20)
        axes.set(xlabel=label, ylabel="resident memory in MB", title=title)
        middle = np.median(points[:, 1]) / 2**20
        axes.set_ylim(middle - 60, middle + 60)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    return path
