"""The benchmarks' plots, as PNG beside their figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .comparison import Baseline
from .curves import band

JUDGE = "exact judge, share of the caption's claims"


def canvas(columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(6.4 * columns, 4.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def score_against_cost(base: Baseline, rows: Sequence[Mapping], path: Path) -> Path:
    """Every search's points over the curve of best of N: by the searched verifier, and by the exact judge where there
    is one.

    Searches by another verifier are left out: their scores, and their best of N, are others.
    """
    rows = [row for row in rows if not row.get("by")]
    wanted = [("searched", "searched verifier, sd of the prompt's pool"), ("checked", JUDGE)]
    shown = [(name, label) for name, label in wanted if np.isfinite(getattr(base, name)).all()]
    figure, panels = canvas(len(shown))
    for axes, (name, label) in zip(panels, shown):
        mean, low, high = band(getattr(base, name))
        counts = np.arange(1, len(mean) + 1)
        axes.plot(counts, mean, color="black", label="best of N")
        axes.fill_between(counts, low, high, color="black", alpha=0.12, linewidth=0)
        for algorithm, points in grouped(rows).items():
            axes.plot(
                [row["cost"] for row in points],
                [row[name]["search"][0] for row in points],
                marker="o",
                markersize=4,
                label=algorithm,
            )
        finish(axes, "cost, in full pictures", label, logarithmic=True)
    return saved(figure, path)


def equivalent_n(rows: Sequence[Mapping], path: Path, most: int = 256) -> Path:
    """The N at which best of N is as good, with its interval; on the diagonal a search is worth its pictures."""
    figure, (axes,) = canvas()
    budgets = sorted({row["pictures"] for row in rows})
    axes.plot(budgets, budgets, color="black", linestyle="--", linewidth=1, label="best of N itself")
    algorithms = grouped(rows)
    for place, (algorithm, points) in enumerate(algorithms.items()):
        shift = 1.03 ** (place - len(algorithms) / 2)
        value, low, high = (np.array([min(row["equivalent_n"][part], most) for row in points]) for part in range(3))
        at = [row["pictures"] * shift for row in points]
        reach = [np.maximum(value - low, 0), np.maximum(high - value, 0)]
        axes.errorbar(at, value, reach, marker="o", markersize=4, linewidth=1, capsize=2, label=algorithm)
    axes.set_yscale("log", base=2)
    finish(axes, "pictures", f"equivalent N of best of N (at most {most})", logarithmic=True)
    return saved(figure, path)


def answer(plot: Mapping, path: Path) -> Path:
    """The plot of a question: named `lines` over a logarithmic axis, or groups of `bars`."""
    figure, (axes,) = canvas()
    for name, (x, y) in plot.get("lines", {}).items():
        axes.plot(x, y, label=name)
    groups = plot.get("bars", {})
    inner = list(dict.fromkeys(name for group in groups.values() for name in group))
    for place, name in enumerate(inner):
        at = np.arange(len(groups)) + (place - (len(inner) - 1) / 2) * 0.8 / len(inner)
        axes.bar(at, [group.get(name, math.nan) for group in groups.values()], 0.8 / len(inner), label=name)
    if groups:
        axes.set_xticks(range(len(groups)), list(groups), fontsize=8)
    finish(axes, plot.get("across", ""), plot["up"], logarithmic="lines" in plot)
    return saved(figure, path)


def grouped(rows: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    groups: dict[str, list[Mapping]] = {}
    for row in rows:
        groups.setdefault(row["algorithm"], []).append(row)
    return {name: sorted(points, key=lambda row: row["pictures"]) for name, points in groups.items()}


def finish(axes: Axes, across: str, up: str, *, logarithmic: bool = False) -> None:
    if logarithmic:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.set(xlabel=across, ylabel=up)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7)


def saved(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
