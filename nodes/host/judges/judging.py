"""What is said of finished pictures: values, scores, a second judge's opinion of winners, and the texts that nodes
show.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ....verifiers.abilities import missed
from ....verifiers.clips import measure_clips
from ....verifiers.focus import Focus
from ....verifiers.images import together
from ..errors import COMBINING, failing
from ..files.pictures import clip_of
from ..graph.prompt_text import TracedPrompt
from .host_verifier import order_note, prompt_for, warn


def judged(
    pictures: list[Tensor], judge: Any, typed: str, traced: TracedPrompt, scores: list | None
) -> tuple[list, list[float], list[str]]:
    """Raw values per picture `(1, h, w, c)` or video `(frames, h, w, c)`, one score each, and what the artist should
    know.
    """
    if (judge is None) == (scores is None):
        raise ValueError(f"either verifier or scores must be connected, got {'neither' if judge is None else 'both'}")
    if scores is not None:
        return [[score] for score in scores], checked(scores, len(pictures)), []
    return judged_each(pictures, judge, [typed] * len(pictures), traced)


def judged_each(
    pictures: list[Tensor], judge: Any, typed: Sequence[str], traced: TracedPrompt
) -> tuple[list, list[float], list[str]]:
    """As `judged`, with a prompt for each picture; what is empty is the one of the graph. They are ranked together."""
    prompts = [prompt_for(judge, text, traced) for text in typed]
    notes = [
        note
        for text, prompt in dict(zip(typed, prompts)).items()
        for note in (*warn(judge, prompt), *order_note(judge, text, traced))
    ]
    values = torch.empty(len(pictures), len(judge.columns))
    for prompt in dict.fromkeys(prompts):
        rows = [row for row, other in enumerate(prompts) if other == prompt]
        values[rows] = measured([pictures[row] for row in rows], judge, prompt)
    return values.tolist(), ranked(judge, values).tolist(), [*notes, *below_floors(judge, values)]


def measured(pictures: list[Tensor], judge: Any, prompt: str) -> Tensor:
    """Raw values `(n, k)` of pictures `(1, h, w, c)` and videos `(frames, h, w, c)`, those of one size together."""
    values = torch.empty(len(pictures), len(judge.columns))
    for shape in {picture.shape for picture in pictures}:
        rows = [row for row, picture in enumerate(pictures) if picture.shape == shape]
        same = [pictures[row] for row in rows]
        values[rows] = judge.measure(together(same), prompt) if shape[0] == 1 else videos(judge, same, prompt)
    return values


def videos(judge: Any, clips: list[Tensor], prompt: str) -> Tensor:
    """Raw values `(n, k)` of videos of one size."""
    return measure_clips(judge, clips, prompt).float()


def ranked(judge: Any, pool: Tensor) -> Tensor:
    """One score `(m,)` per row of raw values `(m, k)`, checked."""
    with failing(f"The combination of {judge.card.name}", (), COMBINING):
        scores = judge.combine(pool)
        if tuple(scores.shape) != (len(pool),):
            raise ValueError(
                f"it must give one score for each of {len(pool)} pictures, got {' x '.join(map(str, scores.shape))}"
            )
        if not scores.isfinite().all():
            raise ValueError(f"its scores must be finite, got {float(scores[~scores.isfinite()][0])}")
    return scores


def below_floors(judge: Any, values: Tensor) -> list[str]:
    """How many pictures miss a floor, if any do."""
    count = int((missed(judge, values) > 0).sum())
    return [f"{count} of {len(values)} pictures miss a floor and rank behind all others."] if count else []


def held_out(judge: Any, images: Sequence[Tensor], own: Tensor | None, prompt: str) -> tuple[list[float], list[str]]:
    """What a verifier that took no part in a search says of its winners: one value each, and lines for the node's text.

    Args:
        judge: Not the one that was searched on.
        images: Winners, best first: pictures `(h, w, c)` or videos `(frames, h, w, c)`, of any sizes.
        own: The picture of the user's own seed, or None.
        prompt: What the judge reads.
    """
    scores = ranked(judge, looked_at(judge, [*images, *([] if own is None else [own])], prompt).float()).tolist()
    found, before = scores[: len(images)], scores[len(images) :]
    line = f"held out: {judge.card.name} {', '.join(f'{value:.4g}' for value in found)}"
    compared = [f" (own seed {value:.4g}, {found[0] - value:+.2g})" for value in before]
    doubts = [
        f"{judge.card.name}, which was not searched on, likes the own seed better."
        for value in before
        if found[0] < value
    ]
    return found, [*warn(judge, prompt), line + "".join(compared), *doubts]


def looked_at(judge: Any, images: Sequence[Tensor], prompt: str) -> Tensor:
    """Raw values `(n, k)`, float64, of pictures `(h, w, c)` and videos `(frames, h, w, c)` of any sizes, one by one."""
    return torch.cat([measure_clips(judge, [clip_of(image)], prompt).double() for image in images])


class Crop:
    """Crops IMAGE batches `(n, h, w, c)` to what a MASK covers."""

    def __init__(self, mask: Tensor):
        self.focus = Focus(mask)

    def __call__(self, images: Tensor) -> Tensor:
        return self.focus(images.movedim(-1, 1)).movedim(1, -1)


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
