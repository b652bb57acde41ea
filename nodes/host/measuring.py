"""Candidates and walks to raw values: sampled, decoded, judged, each for a whole round, so that models take turns only once."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...search.path import Path, Tried, stage
from ...search.trace import Measured
from ...verifiers.clips import measure_clips
from .failures import DECODING, JUDGING, failing
from .memo import Memo
from .noise import Latent, Leaves, joined, streams
from .pictures import clip_of
from .request import Request
from .rollout import Rollout
from .walk import Reached, Walker


@dataclass(frozen=True, eq=False)
class Seen:
    """One measured candidate: its latent, and its picture `(h, w, c)` or `(frames, h, w, c)`, which is an estimate for previews."""

    tried: Tried
    latent: Latent
    image: Tensor


class Measurer:
    """Measures for one search.

    Args:
        request: What to sample, decode and judge with.
        leaves: Tensors that the candidates' leaves name.
        on_step: As of `Rollout`.
        memo: What earlier runs paid for, and where this one keeps what it pays for.
    """

    def __init__(self, request: Request, leaves: Leaves, on_step: Callable[[int, int, int], None] | None = None, memo: Memo | None = None):
        self.request, self.memo = request, memo or Memo()
        self.rollout = Rollout(request.sampling, leaves, on_step)
        self.rollout.estimate_at = getattr(request.verifier, "estimate_at", None)
        draft = Rollout(request.draft, leaves, on_step) if request.draft else None
        self.walker = Walker(self.rollout, draft, self.memo)
        self.seen: list[Seen] = []  # the last round

    @property
    def group(self) -> int:
        """Candidates per round."""
        return self.rollout.batch if self.request.sampling.batch else max(self.rollout.batch, 4)

    def __call__(self, tried: Sequence[Tried]) -> Measured:
        self.seen, clock = [], [time.monotonic()]
        batches = list(self.walker.reached(tried))
        clock.append(time.monotonic())
        images, estimates = self.decoded(tried, batches)
        clock.append(time.monotonic())
        with failing(judge_name(self.request.verifier), tried, JUDGING):
            values = self.judged(tried, images, estimates)
        clock.append(time.monotonic())
        latents = in_order((batch.rows, rows_of(batch.latents)) for batch in batches)
        self.seen = [Seen(*parts) for parts in zip(tried, latents, images)]
        nfe = in_order((batch.rows, [batch.nfe] * len(batch.rows)) for batch in batches)
        remembered = in_order((batch.rows, [batch.remembered] * len(batch.rows)) for batch in batches)
        return Measured(values, tuple(nfe), *(end - begin for begin, end in zip(clock, clock[1:])), tuple(remembered))

    def decoded(self, tried: Sequence[Tried], batches: Sequence[Reached]) -> tuple[list[Tensor], dict[int, Tensor]]:
        """Pictures in the order that was asked for, and by their place what was expected of them at `estimate_at`, where that is known."""
        images, estimates = [], {}
        for batch in batches:
            preview = bool(stage(tried[batch.rows[0]])) and self.request.preview_vae is not None
            with failing("The preview VAE" if preview else "The VAE", [tried[row] for row in batch.rows], DECODING):
                images.append((batch.rows, self.rollout.decode(batch.latents, self.request.preview_vae if preview else None)))
                if self.rollout.estimate_at and not batch.remembered:
                    seen = batch.latents if batch.estimates is None else batch.estimates
                    estimates |= zip(batch.rows, self.rollout.decode(seen))
        return in_order(images), estimates

    def judged(self, tried: Sequence[Tried], images: Sequence[Tensor], estimates: Mapping[int, Tensor]) -> tuple[tuple[float, ...], ...]:
        """Raw values of each rollout; only what no earlier run judged is judged."""
        known = {row: values for row, one in enumerate(tried) if (values := self.memo.values(one)) is not None}
        if new := [row for row in range(len(tried)) if row not in known]:
            found = self.values([images[row] for row in new], [estimates[row] for row in new if row in estimates])
            self.memo.keep_values([tried[row] for row in new], found)
            known |= zip(new, found)
        return tuple(known[row] for row in range(len(tried)))

    def values(self, images: Sequence[Tensor], estimates: Sequence[Tensor]) -> tuple[tuple[float, ...], ...]:
        """Raw values of pictures and videos, these by the frames that the verifier sees of them."""
        if self.request.verifier is None:
            return tuple(() for _ in images)
        clips, expected = ([clip_of(image) for image in part] for part in (images, estimates))
        values = measure_clips(self.request.verifier, clips, self.request.text, expected or None)
        return tuple(tuple(row) for row in values.double().tolist())

    def cost(self, tried: Tried) -> float:
        """Full pictures' worth of denoising: its steps, those of another setup by the model calls of a step."""
        if not isinstance(tried, Path):
            return 1.0
        steps = len(self.request.sampling.sigmas) - 1
        if tried.draft and self.request.draft:
            return tried.steps / steps * calls(self.request.draft.guider) / calls(self.request.sampling.guider)
        return tried.steps / steps


def judge_name(verifier: Any) -> str:
    return verifier.card.name if verifier is not None else "Judging"


def calls(guider: Any) -> int:
    """Model calls of a step: two where a negative prompt is followed."""
    return 1 if getattr(guider, "cfg", 0) == 1 else 2


def in_order(parts: Any) -> list:
    """The rows of all parts, each `(places, rows)`, by place."""
    rows = {place: row for places, found in parts for place, row in zip(places, found)}
    return [rows[place] for place in sorted(rows)]


def rows_of(latent: Latent) -> list[Latent]:
    parts = streams(latent)
    return [joined([part[row : row + 1] for part in parts]) for row in range(parts[0].shape[0])]
