"""A sheet as a table: how many rows and columns there are, what they are called, and which pictures are best. Nothing
of the host is used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Best = Literal["all", "row", "column"]


@dataclass(frozen=True)
class Table:
    """What is on a sheet beside its pictures, whose places count row by row.

    Args:
        rows: How many.
        columns: How many.
        row_labels: One per row, or none.
        column_labels: One per column, or none.
        seeds: One per picture, or none.
        scores: One per picture, higher is better, or none.
        title: "" for none.
    """

    rows: int
    columns: int
    row_labels: Sequence[str] = ()
    column_labels: Sequence[str] = ()
    seeds: Sequence[int] = ()
    scores: Sequence[float] = ()
    title: str = ""

    @cached_property
    def best(self) -> int | None:
        """Place of the best picture of all."""
        return self._best_of(range(self.rows * self.columns)) if self.scores else None

    @cached_property
    def best_of_rows(self) -> set[int]:
        """Places of the best picture of every row; none where a row has but one."""
        rows = [range(row * self.columns, (row + 1) * self.columns) for row in range(self.rows)]
        return {self._best_of(row) for row in rows} if self.scores and self.columns > 1 else set()

    @cached_property
    def best_of_columns(self) -> set[int]:
        """Places of the best picture of every column; none where a column has but one."""
        columns = [range(column, self.rows * self.columns, self.columns) for column in range(self.columns)]
        return {self._best_of(column) for column in columns} if self.scores and self.rows > 1 else set()

    def best_at(self, place: int) -> list[Best]:
        """What a picture is the best of."""
        won: list[tuple[Best, bool]] = [
            ("all", place == self.best),
            ("row", place in self.best_of_rows),
            ("column", place in self.best_of_columns),
        ]
        return [what for what, it_is in won if it_is]

    def names_of(self, place: int) -> list[str]:
        """The labels of a picture, or where it is."""
        row, column = divmod(place, self.columns)
        return [
            self.row_labels[row] if self.row_labels else f"row {row + 1}",
            self.column_labels[column] if self.column_labels else f"column {column + 1}",
        ]

    def _best_of(self, places: Sequence[int]) -> int:
        return max(places, key=self.scores.__getitem__)


def table_of(
    batches: Sequence[int],
    *,
    columns: int = 0,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    seeds: Sequence[int] = (),
    title: str = "",
) -> Table:
    """The table that the pictures fit into, without scores.

    Args:
        batches: How many pictures each batch has.
        columns: As typed; 0 = a row per batch, or what the labels say where all came in one batch or singly.
        row_labels, column_labels: As typed or connected; one of several lines counts as so many.
        seeds: One per column or per picture.
    """
    count = sum(batches)
    if not count:
        raise ValueError("images must hold at least one picture, got none")
    across = columns or columns_of(batches, len(row_labels), len(column_labels), len(seeds))
    if count % across:
        raise ValueError(f"columns must divide the {count} pictures, got {across}")
    down = count // across
    rows = fitted("row_labels", row_labels, down, "rows", count)
    names = fitted("column_labels", column_labels, across, "columns", count)
    if len(seeds) not in (0, across, count):
        raise ValueError(f"seeds must be as many as the columns, {across}, or the pictures, {count}, got {len(seeds)}")
    every = list(seeds) * (down if len(seeds) == across else 1)
    return Table(down, across, rows, names or named_by(every, down, across), every, title=title)


def columns_of(batches: Sequence[int], row_labels: int, column_labels: int, seeds: int) -> int:
    """How many columns there are where nobody typed it."""
    count = sum(batches)
    if len(batches) > 1 and max(batches) > 1:
        if len(set(batches)) > 1:
            sizes = ", ".join(map(str, batches))
            raise ValueError(f"images must be batches of one size, a batch per row, or columns be typed, got {sizes}")
        return batches[0]
    for name, columns in (("column_labels", column_labels), ("seeds", seeds % count)):
        if columns and count % columns:
            raise ValueError(f"{name} must divide the {count} pictures into rows, got {columns}")
        if columns:
            return columns
    if row_labels and count % row_labels:
        raise ValueError(f"row_labels must divide the {count} pictures into rows, got {row_labels}")
    return count // row_labels if row_labels else count


def fitted(name: str, labels: Sequence[str], count: int, what: str, pictures: int) -> list[str]:
    """As many labels as there are rows or columns, or none. The one of a single row may have been of several lines."""
    labels = [" ".join(labels)] if labels and count == 1 else labels
    if len(labels) not in (0, count):
        raise ValueError(f"{name} must be as many as the {what} of {pictures} pictures, {count}, got {len(labels)}")
    return list(labels)


def named_by(seeds: Sequence[int], rows: int, columns: int) -> list[str]:
    """Labels of columns in each of which all pictures have one seed; none where that is not so."""
    first = list(seeds[:columns])
    return list(map(str, first)) if first and first * rows == list(seeds) else []


def labels_of(values: Sequence[Any]) -> list[str]:
    """Labels as they were typed, one per line, or as they are connected, one per item of a list."""
    if len(values) == 1 and isinstance(values[0], str):
        text = values[0].strip()
        return [" ".join(line.split()) for line in text.splitlines()] if text else []
    return [written(value) for value in values]


def written(value: Any) -> str:
    """A value as a label: a number without the dust of its binary form, a text on one line."""
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
