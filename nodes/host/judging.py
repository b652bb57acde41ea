"""What VerifierScore says of finished pictures: values, scores, and the text that the node shows."""

import math
from typing import Any

import torch
from torch import Tensor

from .prompt import TracedPrompt
from .verifiers import prompt_for, warn


def judged(
    pictures: list[Tensor], judge: Any, typed: str, traced: TracedPrompt, scores: list | None
) -> tuple[list, list[float], list[str]]:
    """Raw values per picture, one score per picture, and what the artist should know."""
    if (judge is None) == (scores is None):
        raise ValueError(f"either verifier or scores must be connected, got {'neither' if judge is None else 'both'}")
    if judge is None:
        return [[score] for score in scores], checked(scores, len(pictures)), []
    prompt = prompt_for(judge, typed, traced)
    notes = warn(judge, prompt)
    values = measured(pictures, judge, prompt)
    return values.tolist(), judge.combine(values).tolist(), notes


def measured(pictures: list[Tensor], judge: Any, prompt: str) -> Tensor:
    """Raw values `(n, k)` of pictures `(1, h, w, c)`, those of one size together."""
    values = torch.empty(len(pictures), len(judge.columns))
    for shape in {picture.shape for picture in pictures}:
        rows = [row for row, picture in enumerate(pictures) if picture.shape == shape]
        values[rows] = judge.measure(torch.cat([pictures[row] for row in rows]), prompt)
    return values


def checked(scores: list[float], count: int) -> list[float]:
    if len(scores) != count:
        raise ValueError(f"scores must be as many as the pictures, {count}, got {len(scores)}")
    for index, score in enumerate(scores):
        if not math.isfinite(score):
            raise ValueError(f"scores must be finite, got {score} for picture {index + 1} of {count}")
    return list(scores)


def table(columns: tuple[str, ...], values: list, scores: list[float], order: list[int]) -> list[str]:
    """One line per picture, best first: its place in the input, its score, and what each verifier measured."""
    several = len(columns) > 1
    return [
        f"#{index + 1}: {scores[index]:.4g}"
        + (f" ({', '.join(f'{name} {value:.4g}' for name, value in zip(columns, values[index]))})" if several else "")
        for index in order
    ]
