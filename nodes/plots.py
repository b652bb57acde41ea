"""Pictures about a search: its scores against what they cost, and its winners side by side. Nothing of the host is used here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..search.best_of import expected_best
from ..search.trace import Trace, Trial

INDEPENDENT = ("own seed", "random")  # draws that know nothing of each other
COLORS = {"own seed": "#d62728", "start": "#d62728", "random": "#7f7f7f", "neighbor": "#1f77b4", "combination": "#17becf",
          "refined": "#2ca02c", "path": "#9467bd", "draft": "#bcbd22", "preview": "#e377c2"}  # fmt: skip
SIZE, DPI = (8.0, 4.5), 120  # inches, dots per inch
MISSING = "Search Report needs matplotlib, which is not installed: pip install matplotlib"


def figure() -> Any:
    """An empty matplotlib figure that is drawn in memory: no window, no state shared with others."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise RuntimeError(MISSING) from error
    drawn = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def picture_of(drawn: Any) -> Image.Image:
    """A figure as a picture."""
    drawn.canvas.draw()
    return Image.fromarray(np.asarray(drawn.canvas.buffer_rgba())[..., :3].copy())


def search_figure(trace: Trace, marked: int = 0) -> Any:
    """Score against cost of every trial, the best so far, and what as many random draws would be expected to give.

    Args:
        trace: With at least one trial.
        marked: How many of the best carry their place, 1 for the best.
    """
    drawn = figure()
    axes = drawn.subplots()
    paid = np.cumsum([trial.cost for trial in trace.trials])
    for how in dict.fromkeys(trial.how for trial in trace.trials):
        for finished in (True, False):
            _points(axes, trace, paid, [trial for trial in trace.trials if trial.how == how and trial.finished == finished])
    if (best := best_so_far(trace, paid))[0]:
        axes.step(*best, where="post", color="black", linewidth=1.8, label="best so far")
    if expected := best_of_n(trace):
        axes.plot(range(1, len(expected) + 1), expected, color="#ff7f0e", linestyle="--", label="best of N, expected")
    for place, trial in enumerate(trace.best(marked) if marked else [], 1):
        at = (paid[trial.id], trace.scores[trial.id])
        axes.annotate(str(place), at, xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8)
    axes.set(xlabel="cost, in full pictures", ylabel="score", title=_title(trace))
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(alpha=0.25)
    return drawn


def best_so_far(trace: Trace, paid: Sequence[float]) -> tuple[list[float], list[float]]:
    """Cost and best score after every finished picture; drafts and previews never count."""
    finished = [trial for trial in trace.trials if trial.finished]
    scores = np.array([trace.scores[trial.id] for trial in finished])
    return [float(paid[trial.id]) for trial in finished], np.maximum.accumulate(scores).tolist() if finished else []


def best_of_n(trace: Trace) -> list[float]:
    """Expected best score of 1, 2, ... independent draws, by those that were seen; none where there are fewer than two."""
    scores = [trace.scores[trial.id] for trial in trace.trials if trial.finished and trial.how in INDEPENDENT]
    return expected_best(scores, range(1, len(scores) + 1)).tolist() if len(scores) > 1 else []


def contact_sheet(tiles: Sequence[Image.Image], width: int) -> Image.Image:
    """Pictures in rows on a sheet, `width` pixels across, in their order; all are shrunk or enlarged to one width."""
    columns = min(len(tiles), max(1, round(len(tiles) ** 0.5 * 1.4)))
    side = width // columns
    tiles = [tile.resize((side, max(1, round(tile.height * side / tile.width))), Image.Resampling.LANCZOS) for tile in tiles]
    tall = max(tile.height for tile in tiles)
    sheet = Image.new("RGB", (width, tall * -(-len(tiles) // columns)), "black")
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * side, number // columns * tall))
    return sheet


def stacked(upper: Image.Image, lower: Image.Image) -> Image.Image:
    """One picture above the other."""
    both = Image.new("RGB", (max(upper.width, lower.width), upper.height + lower.height), "white")
    both.paste(upper)
    both.paste(lower, (0, upper.height))
    return both


def _points(axes: Any, trace: Trace, paid: Sequence[float], trials: Sequence[Trial]) -> None:
    if not trials:
        return
    how, finished = trials[0].how, trials[0].finished
    look = {"s": 26, "alpha": 0.9, "marker": "o"} if finished else {"s": 14, "alpha": 0.3, "marker": "x"}
    label = how if finished or how in ("draft", "preview") else f"{how} (unfinished)"
    axes.scatter([paid[trial.id] for trial in trials], [trace.scores[trial.id] for trial in trials], label=label,
                 color=COLORS.get(how, "#8c564b"), linewidths=1, **look)  # fmt: skip


def _title(trace: Trace) -> str:
    if not trace.columns:
        return f"{len(trace.trials)} tries, not judged"
    cost = f"{trace.pictures:.3g} pictures' worth of computing"
    if not (found := trace.best(1)):
        return f"no finished picture, {cost}"
    return f"best {trace.scores[found[0].id]:.4g} ({found[0].how}), {trace.trials[0].how} {trace.scores[0]:.4g}, {cost}"
