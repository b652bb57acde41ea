"""Pictures about a search: its scores against what they cost, and its winners side by side. Nothing of the host is used
here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..search.best_of import expected_best
from ..search.trace import Trace, Trial
from .plain_plots import Series, plain_plot

INDEPENDENT = ("own seed", "random")  # draws that know nothing of each other
COLORS = {
    "own seed": "#d62728",
    "start": "#d62728",
    "random": "#7f7f7f",
    "neighbor": "#1f77b4",
    "combination": "#17becf",
    "refined": "#2ca02c",
    "path": "#9467bd",
    "draft": "#bcbd22",
    "preview": "#e377c2",
}
SIZE, DPI = (8.0, 4.5), 120  # inches, dots per inch
# numpy stays as it is: another one would break other packs
FINER = f'Drawn plainly. Finer plots: "{sys.executable}" -m pip install matplotlib numpy=={np.__version__}'
# how matplotlib draws the looks of a series: a method of its axes, and options
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "dots": ("scatter", {"s": 26, "alpha": 0.9, "marker": "o", "linewidths": 1}),
    "crosses": ("scatter", {"s": 14, "alpha": 0.3, "marker": "x", "linewidths": 1}),
    "steps": ("step", {"where": "post", "linewidth": 1.8}),
    "dashes": ("plot", {"linestyle": "--"}),
}
X_LABEL, Y_LABEL = "cost, in full pictures", "score"


def search_plot(trace: Trace, marked: int = 0) -> tuple[Image.Image, str]:
    """The plot of a search, and what the artist should know of it: by matplotlib where that is installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return plain_search_plot(trace, marked), FINER
    return picture_of(search_figure(trace, marked)), ""


def plain_search_plot(trace: Trace, marked: int = 0) -> Image.Image:
    """The same as `search_figure`, without matplotlib."""
    return plain_plot(series_of(trace), best_points(trace, marked), _title(trace), X_LABEL, Y_LABEL)


def figure() -> Any:
    """An empty matplotlib figure that is drawn in memory: no window, no state shared with others."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

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
        marked: How many carry their number: those that were kept, and then the best others.
    """
    drawn = figure()
    axes = drawn.subplots()
    for one in series_of(trace):
        x, y = map(list, zip(*one.points))
        draw, look = LOOKS[one.look]
        getattr(axes, draw)(x, y, label=one.label, color=one.color, **look)
    for name, point in best_points(trace, marked):
        axes.annotate(name, point, xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8)
    axes.set(xlabel=X_LABEL, ylabel=Y_LABEL, title=_title(trace))
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(alpha=0.25)
    return drawn


def series_of(trace: Trace) -> list[Series]:
    """What a plot shows: every kind of trial, the best so far, and what as many random draws would be expected to
    give.
    """
    paid = costs(trace)
    found = [
        Series(label_of(trials[0]), points(trace, paid, trials), color_of(trials[0]), look_of(trials[0]))
        for trials in kinds(trace)
    ]
    if (best := best_so_far(trace, paid))[0]:
        found.append(Series("best so far", list(zip(*best)), "black", "steps"))
    if expected := best_of_n(trace):
        found.append(Series("best of N, expected", list(enumerate(expected, 1)), "#ff7f0e", "dashes"))
    return found


def best_points(trace: Trace, marked: int) -> list[tuple[str, tuple[float, float]]]:
    """The names of the best and where they are, best first."""
    best = trace.first(marked) if marked else []
    return list(zip([trial.name for trial in best], points(trace, costs(trace), best)))


def best_so_far(trace: Trace, paid: Sequence[float]) -> tuple[list[float], list[float]]:
    """Cost and best score after every finished picture; drafts and previews never count."""
    finished = [trial for trial in trace.trials if trial.finished]
    scores = np.array([trace.scores[trial.id] for trial in finished])
    return [float(paid[trial.id]) for trial in finished], np.maximum.accumulate(scores).tolist() if finished else []


def best_of_n(trace: Trace) -> list[float]:
    """Expected best score of 1, 2, ... independent draws, by those that were seen; none where there are fewer than
    two.
    """
    scores = [trace.scores[trial.id] for trial in trace.trials if trial.finished and trial.how in INDEPENDENT]
    return expected_best(scores, range(1, len(scores) + 1)).tolist() if len(scores) > 1 else []


def contact_sheet(tiles: Sequence[Image.Image], width: int) -> Image.Image:
    """Pictures in rows on a sheet, `width` pixels across, in their order; all are shrunk or enlarged to one width."""
    columns = min(len(tiles), max(1, round(len(tiles) ** 0.5 * 1.4)))
    side = width // columns
    tiles = [
        tile.resize((side, max(1, round(tile.height * side / tile.width))), Image.Resampling.LANCZOS) for tile in tiles
    ]
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


def costs(trace: Trace) -> list[float]:
    """What was paid up to each trial, that one included, in full pictures."""
    return np.cumsum([trial.cost for trial in trace.trials]).tolist()


def kinds(trace: Trace) -> list[list[Trial]]:
    """The trials by how they were made, finished ones apart from others."""
    found: dict[tuple[str, bool], list[Trial]] = {}
    for how in dict.fromkeys(trial.how for trial in trace.trials):
        found |= {(how, True): [], (how, False): []}
    for trial in trace.trials:
        found[trial.how, trial.finished].append(trial)
    return [trials for trials in found.values() if trials]


def points(trace: Trace, paid: Sequence[float], trials: Sequence[Trial]) -> list[tuple[float, float]]:
    return [(paid[trial.id], trace.scores[trial.id]) for trial in trials]


def label_of(trial: Trial) -> str:
    return trial.how if trial.finished or trial.how in ("draft", "preview") else f"{trial.how} (unfinished)"


def look_of(trial: Trial) -> str:
    return "dots" if trial.finished else "crosses"


def color_of(trial: Trial) -> str:
    return COLORS.get(trial.how, "#8c564b")


def _title(trace: Trace) -> str:
    if not trace.columns:
        return f"{len(trace.trials)} tries, not judged"
    cost = f"{trace.pictures:.3g} pictures' worth of computing"
    if not (found := trace.first(1)):
        return f"no finished picture, {cost}"
    by = f" by {trace.accepted.judge}" if trace.accepted and trace.taken_as == "accepted" else ""
    taken = trace.taken_as + by
    return (
        f"{taken} {trace.scores[found[0].id]:.4g} ({found[0].how}), {trace.trials[0].how} {trace.scores[0]:.4g}, {cost}"
    )
