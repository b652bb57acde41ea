"""A plot of points and lines with what every ComfyUI has: Pillow. It is drawn twice as large and made smaller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 960, 540  # pixels
LEFT, RIGHT, TOP, BOTTOM = 72, 190, 40, 52  # around the data; the legend stands at the right
ZOOM = 2
GREY, LINE, TEXT = "#dddddd", "#444444", "#222222"
ROOM = 0.06  # of the data's range, free at each side

Points = Sequence[tuple[float, float]]
Named = Sequence[tuple[str, tuple[float, float]]]  # points with a name over each


@dataclass(frozen=True)
class Series:
    """Points of one kind.

    Args:
        label: In the legend.
        points: `(x, y)` each.
        color: As Pillow reads it.
        look: "dots", "crosses", "steps" or "dashes".
    """

    label: str
    points: Points
    color: str
    look: str = "dots"


def plain_plot(series: Sequence[Series], named: Named, title: str, x_label: str, y_label: str) -> Image.Image:
    """All series over one another, and names over some points."""
    return Sheet([point for one in series for point in one.points]).drawn(series, named, title, x_label, y_label)


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers between two numbers: steps of 1, 2 or 5 times a power of ten."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (factor * step) <= most + 1e-9)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


class Sheet:
    """A sheet whose axes hold all these points."""

    def __init__(self, points: Points):
        self.x, self.y = (widened([point[side] for point in points]) for side in (0, 1))
        self.image = Image.new("RGB", (WIDTH * ZOOM, HEIGHT * ZOOM), "white")
        self.draw = ImageDraw.Draw(self.image)

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where a point of the data lies on the sheet, in its pixels."""
        across = (point[0] - self.x[0]) / (self.x[1] - self.x[0])
        up = (point[1] - self.y[0]) / (self.y[1] - self.y[0])
        x = LEFT + across * (WIDTH - LEFT - RIGHT)
        return x * ZOOM, (HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)) * ZOOM

    def drawn(
        self,
        series: Sequence[Series],
        named: Named,
        title: str,
        x_label: str,
        y_label: str,
    ) -> Image.Image:
        self.axes(title, x_label, y_label)
        for one in series:
            self.add(one)
        for name, point in named:
            x, y = self.at(point)
            self.words((x, y - 6 * ZOOM), name, 11, "mb")
        self.legend(series)
        return self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)

    def axes(self, title: str, x_label: str, y_label: str) -> None:
        left, bottom = LEFT * ZOOM, (HEIGHT - BOTTOM) * ZOOM
        for tick in ticks(*self.x):
            x, _ = self.at((tick, self.y[0]))
            self.draw.line([(x, TOP * ZOOM), (x, bottom)], GREY, ZOOM)
            self.words((x, bottom + 6 * ZOOM), f"{tick:g}", 12, "mt")
        for tick in ticks(*self.y):
            _, y = self.at((self.x[0], tick))
            self.draw.line([(left, y), ((WIDTH - RIGHT) * ZOOM, y)], GREY, ZOOM)
            self.words((left - 6 * ZOOM, y), f"{tick:g}", 12, "rm")
        self.draw.line([(left, TOP * ZOOM), (left, bottom), ((WIDTH - RIGHT) * ZOOM, bottom)], LINE, ZOOM)
        self.words((WIDTH * ZOOM / 2, 10 * ZOOM), title, 15, "mt")
        self.words((WIDTH * ZOOM / 2, (HEIGHT - 8) * ZOOM), x_label, 13, "mb")
        self.words((8 * ZOOM, (TOP - 8) * ZOOM), y_label, 13, "lb")

    def add(self, one: Series) -> None:
        places = [self.at(point) for point in one.points]
        if one.look == "steps":
            corners = [(x, y) for (_, y), (x, _) in pairwise(places)]
            path = [place for pair in zip(places, [*corners, places[-1]]) for place in pair]
            self.draw.line(path, one.color, 2 * ZOOM)
        elif one.look == "dashes":
            for number, (start, end) in enumerate(pairwise(between(places, 8 * ZOOM))):
                if number % 2 == 0:
                    self.draw.line([start, end], one.color, 2 * ZOOM)
        else:
            for place in places:
                self.mark(place, one)

    def mark(self, place: tuple[float, float], one: Series) -> None:
        (x, y), side = place, 3.5 * ZOOM
        if one.look == "crosses":
            self.draw.line([(x - side, y - side), (x + side, y + side)], one.color, ZOOM)
            self.draw.line([(x - side, y + side), (x + side, y - side)], one.color, ZOOM)
        else:
            self.draw.ellipse([x - side, y - side, x + side, y + side], one.color)

    def legend(self, series: Sequence[Series]) -> None:
        high, x, y = 20 * ZOOM, (WIDTH - RIGHT + 16) * ZOOM, TOP * ZOOM
        for number, one in enumerate(series):
            at = y + high * (number + 0.5)
            if one.look in ("steps", "dashes"):
                self.draw.line([(x, at), (x + 16 * ZOOM, at)], one.color, 2 * ZOOM)
            else:
                self.mark((x + 8 * ZOOM, at), one)
            self.words((x + 24 * ZOOM, at), one.label, 12, "lm")

    def words(self, at: tuple[float, float], text: str, size: int, anchor: str) -> None:
        self.draw.text(at, text, TEXT, ImageFont.load_default(size * ZOOM), anchor)


def widened(values: Sequence[float]) -> tuple[float, float]:
    """The range of an axis, with room at both ends; one of its own where all values are equal."""
    low, high = min(values), max(values)
    room = (high - low) * ROOM or max(abs(high) * ROOM, 0.5)
    return low - room, high + room


def between(places: Points, apart: float) -> list[tuple[float, float]]:
    """Points along a line, about so many pixels apart."""
    found = list(places[:1])
    for (x0, y0), (x1, y1) in pairwise(places):
        parts = max(1, round(math.hypot(x1 - x0, y1 - y0) / apart))
        found += [(x0 + (x1 - x0) * part / parts, y0 + (y1 - y0) * part / parts) for part in range(1, parts + 1)]
    return found
