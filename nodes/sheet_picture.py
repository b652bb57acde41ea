"""A sheet drawn with Pillow: pictures in rows and columns with labels, scores, and marks at the best. Nothing of the
host is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, ImageDraw, ImageOps

from .lettering import Font, font_for, wrapped
from .sheet_table import Table

PAPER, CELL, INK, SOFT = "#ffffff", "#f0f0f0", "#222222", "#666666"
COLORS: dict[str, str] = {"row": "#b26a00", "column": "#1f6fb2"}  # of what a picture is the best of
READABLE = 256  # pixels across that a picture needs for a caption; smaller ones are enlarged
LEAST = 32  # pixels of a cell, at least
TALL = 4  # a sheet may be so many times as high as it may be wide
LINES = 3  # of a column's label, and of the title

Size = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """Where things are on a sheet, in pixels.

    Args:
        table: What the sheet shows.
        cell: Width and height that a picture may take.
    """

    table: Table
    cell: Size

    @cached_property
    def letter(self) -> int:
        """Size of the letters of labels."""
        return max(13, min(40, self.cell[0] // 14))

    @property
    def gap(self) -> int:
        return max(4, self.cell[0] // 48)

    @cached_property
    def left(self) -> int:
        """Width of the labels of rows, with their margins."""
        most = max(self.cell[0] * 3 // 4, self.letter * 7)
        longest = max((label_font(self, text).getlength(text) for text in self.table.row_labels), default=0)
        return 2 * self.gap + (min(most, round(longest)) + 2 * self.gap if self.table.row_labels else 0)

    @cached_property
    def title(self) -> list[str]:
        size = self.letter * 3 // 2
        return wrapped(self.table.title, font_for(self.table.title, size), self.width - 4 * self.gap, LINES)

    @cached_property
    def heads(self) -> list[list[str]]:
        """Lines of the columns' labels."""
        return [wrapped(text, label_font(self, text), self.cell[0], LINES) for text in self.table.column_labels]

    @cached_property
    def top(self) -> int:
        title = round(len(self.title) * self.letter * 1.9) + (self.gap if self.table.title else 0)
        return 2 * self.gap + title + self.head_height

    @cached_property
    def head_height(self) -> int:
        lines = max(map(len, self.heads), default=0)
        return lines * self.line + (self.gap if lines else 0)

    @property
    def line(self) -> int:
        return self.letter * 13 // 10

    @property
    def strip(self) -> int:
        """Height of what stands below a picture."""
        return self.line + self.gap if self.table.scores else 0

    @property
    def width(self) -> int:
        return self.left + self.table.columns * (self.cell[0] + self.gap) + self.gap

    @property
    def height(self) -> int:
        return self.top + self.table.rows * (self.cell[1] + self.strip + self.gap) + self.gap

    def corner(self, place: int) -> Size:
        row, column = divmod(place, self.table.columns)
        return self.left + column * (self.cell[0] + self.gap), self.top + row * (self.cell[1] + self.strip + self.gap)


def label_font(plan: Plan, text: str) -> Font:
    return font_for(text, plan.letter)


def planned(table: Table, sizes: Sequence[Size], max_width: int) -> Plan:
    """The plan with cells as large as the largest pictures, or as large as the limit lets them be.

    Args:
        sizes: Width and height of every picture.
        max_width: Of the sheet, in pixels; it may be four times as high.
    """
    wide, high = (max(size[side] for size in sizes) for side in (0, 1))
    zoom = max(1, READABLE // wide)
    plan, share = Plan(table, (wide * zoom, high * zoom)), 1.0
    while (over := max(plan.width / max_width, plan.height / (max_width * TALL))) > 1:
        share /= max(over, 1.01)
        cell = int(wide * zoom * share), int(high * zoom * share)
        if min(cell) < 1 or max(cell) < LEAST:
            raise ValueError(
                f"max_width must leave {LEAST} pixels for each picture of {table.rows} x {table.columns} (rows x"
                f" columns), got {max_width}"
            )
        plan = Plan(table, cell)
    return plan


def drawn(table: Table, sizes: Sequence[Size], picture: Callable[[int], Image.Image], max_width: int) -> Image.Image:
    """The sheet.

    Args:
        picture: The picture at a place; it is asked for when its turn comes, so that one at a time is in memory.
    """
    plan = planned(table, sizes, max_width)
    sheet = Image.new("RGB", (plan.width, plan.height), PAPER)
    draw = ImageDraw.Draw(sheet)
    head(draw, plan)
    for row, text in enumerate(table.row_labels):
        row_label(draw, plan, row, text)
    for place in range(len(sizes)):
        x, y = plan.corner(place)
        draw.rectangle((x, y, x + plan.cell[0] - 1, y + plan.cell[1] - 1), CELL)
        sheet.paste(fitted(picture(place), plan.cell), (x, y))
        if table.scores:
            below(draw, plan, place)
    return sheet


def fitted(picture: Image.Image, cell: Size) -> Image.Image:
    """A picture in the middle of a cell, as large as its shape lets it be."""
    if picture.size == cell:
        return picture
    whole = cell[0] % picture.width == 0 and cell[0] // picture.width == cell[1] / picture.height
    method = Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS
    return ImageOps.pad(picture, cell, method, CELL)


def head(draw: ImageDraw.ImageDraw, plan: Plan) -> None:
    """The title, and the columns' labels, which stand on the pictures."""
    size, y = plan.letter * 3 // 2, 2 * plan.gap
    for line in plan.title:
        draw.text((2 * plan.gap, y), line, INK, font_for(plan.table.title, size), "la")
        y += round(plan.letter * 1.9)
    for column, (text, lines) in enumerate(zip(plan.table.column_labels, plan.heads)):
        middle = plan.corner(column)[0] + plan.cell[0] // 2
        for place, line in enumerate(reversed(lines)):
            draw.text((middle, plan.top - plan.gap - place * plan.line), line, INK, label_font(plan, text), "md")


def row_label(draw: ImageDraw.ImageDraw, plan: Plan, row: int, text: str) -> None:
    font, most = label_font(plan, text), max(1, plan.cell[1] // plan.line)
    lines = wrapped(text, font, plan.left - 4 * plan.gap, most)
    y = plan.corner(row * plan.table.columns)[1] + (plan.cell[1] - len(lines) * plan.line) // 2
    for place, line in enumerate(lines):
        draw.text((plan.left - 2 * plan.gap, y + place * plan.line), line, INK, font, "ra")


def below(draw: ImageDraw.ImageDraw, plan: Plan, place: int) -> None:
    """The score, and what the picture is the best of."""
    table, (x, y) = plan.table, plan.corner(place)
    font, middle = font_for("", plan.letter), y + plan.cell[1] + (plan.line + plan.gap) // 2
    won = [(COLORS[what], what) for what in table.best_at(place) if what in COLORS]
    draw.text((x, middle), f"{table.scores[place]:.4g}", INK if won else SOFT, font, "lm")
    right = x + plan.cell[0]
    for color, name in reversed(won):
        right = tag(draw, plan, (right, middle), color, worded(plan, name, len(won))) - plan.gap // 2
    for inside, (color, _) in enumerate(won):
        draw.rectangle(inner((x, y), plan, inside), outline=color, width=frame_of(plan))


def inner(corner: Size, plan: Plan, inside: int) -> tuple[int, int, int, int]:
    """A cell without so many frames."""
    step, (x, y) = inside * frame_of(plan), corner
    return x + step, y + step, x + plan.cell[0] - 1 - step, y + plan.cell[1] - 1 - step


def frame_of(plan: Plan) -> int:
    return max(2, plan.gap // 2)


def worded(plan: Plan, name: str, count: int) -> str:
    """What a mark says, as long as there is room beside the score."""
    room = (plan.cell[0] - plan.letter * 4) // count - 2 * plan.gap
    font = font_for("", plan.letter)
    return next((text for text in (f"best of {name}", name) if font.getlength(text) <= room), name[0])


def tag(draw: ImageDraw.ImageDraw, plan: Plan, end: Size, color: str, text: str) -> int:
    """A mark that ends at a point; where it begins."""
    font = font_for("", max(11, plan.letter * 4 // 5))
    left = end[0] - round(font.getlength(text)) - 2 * plan.gap
    half = plan.line // 2
    draw.rounded_rectangle((left, end[1] - half, end[0] - 1, end[1] + half), half // 2, color)
    draw.text(((left + end[0]) // 2, end[1]), text, "white", font, "mm")
    return left
