"""Candidates and walks to raw values: sampled, decoded, judged."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ....search.operations import operation_of
from ....search.path import Path, Proposal, stage
from ....search.trace import Measured
from ....verifiers.abilities import estimate_level
from ....verifiers.clips import measure_clips
from ..compat import decoded_scale
from ..errors import DECODING, JUDGING, failing
from ..files.pictures import clip_of
from ..setup.guiders import calls
from ..setup.noise import Latent, Leaves, joined, streams
from ..setup.particles import Ended
from ..setup.sampling import Sampling
from ..store.memo import Memo
from .making import Making
from .request import Request
from .rollout import Rollout
from .walker import SUBSTITUTE, Reached, Walker
from .watcher import Doing

TOGETHER = 4  # candidates that are decoded, and then judged, at least,
HELD = 2**29  # while their pictures take no more bytes than this


@dataclass(frozen=True, eq=False)
class Evaluated:
    """One candidate that was sampled, decoded and judged.

    Args:
        proposed: The candidate.
        values: Raw values by the verifier, one per column; none without a verifier.
        nfe: Model calls that it took.
        remembered: Whether an earlier run had paid for it.
        ended: Where it ended; for previews, what was expected there.
        image: Its picture `(h, w, c)`, or `(frames, h, w, c)`.
    """

    proposed: Proposal
    values: tuple[float, ...]
    nfe: int
    remembered: bool
    ended: Ended
    image: Tensor


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A round of candidates, in the order that was asked for, and the seconds that each part took."""

    found: tuple[Evaluated, ...]
    sampling: float
    decoding: float
    judging: float

    @property
    def measured(self) -> Measured:
        """The numbers, as the search's trace has them."""
        values, nfe, remembered = zip(*((one.values, one.nfe, one.remembered) for one in self.found))
        return Measured(values, nfe, self.sampling, self.decoding, self.judging, remembered)


class Told(Protocol):
    """Who is told how far the candidates in the making are."""

    def __call__(self, count: int, step: int, total: int) -> None:
        """As `on_step` of `Rollout`."""

    def doing(self, doing: Doing) -> None:
        """As of a `Watcher`."""


class Evaluator(Protocol):
    """Makes and judges what a search asks for: here, on other machines, by the host's own executor."""

    @property
    def group(self) -> int:
        """Candidates that are evaluated together, at most."""
        ...

    def cost(self, proposed: Proposal) -> float:
        """Full pictures' worth of denoising that a candidate takes."""
        ...

    def evaluate(self, proposed: Sequence[Proposal]) -> Evaluation:
        """Samples, decodes and judges them."""
        ...

    def made(self, proposed: Proposal) -> tuple[Ended, Tensor]:
        """Where a finished candidate ended, and its picture, made again."""
        ...

    def picture(self, proposed: Proposal, ended: Ended) -> Tensor:
        """The picture of a finished candidate, decoded again."""
        ...

    def keep(self, proposed: Iterable[Proposal]) -> None:
        """Drops all states but those that these candidates need to go on."""
        ...

    def notes(self) -> list[str]:
        """What the artist should know of how it was done."""
        ...


class LocalEvaluator:
    """Evaluates with the host's own models, for one search.

    Args:
        request: What to sample, decode and judge with.
        leaves: Tensors that the candidates' leaves name.
        told: Who is told how far it is, on the thread that evaluates.
        memo: What earlier runs paid for, and where this one keeps what it pays for.
    """

    def __init__(
        self,
        request: Request,
        leaves: Leaves,
        told: Told | None = None,
        memo: Memo | None = None,
    ):
        self.request, self.memo = request, memo or Memo()
        self.making = Making(told.doing) if told else Making()
        self.rollout = Rollout(request.sampling, leaves, told, self.making)
        self.rollout.estimate_at = estimate_level(request.verifier)
        draft = Rollout(request.draft, leaves, told, self.making) if request.draft else None
        self.walker = Walker(self.rollout, draft, self.memo)
        self.count = 0  # of what was evaluated

    @property
    def group(self) -> int:
        """Candidates per round: what is sampled together, or a few, so that models take turns only once, as long as
        their pictures stay small.
        """
        if self.request.sampling.batch:
            return self.rollout.batch
        return max(self.rollout.batch, min(TOGETHER, int(HELD // picture_bytes(self.request.sampling))))

    def evaluate(self, proposed: Sequence[Proposal]) -> Evaluation:
        """Each part for the whole round, so that models take turns only once. What was paid for is on the disk then."""
        with self.making.round(len(proposed)):
            return self.made_and_judged(proposed)

    def made_and_judged(self, proposed: Sequence[Proposal]) -> Evaluation:
        clock = [time.monotonic()]
        batches = list(self.walker.reached(proposed, self.making.batch))
        clock.append(time.monotonic())
        images, estimates = self.decoded(proposed, batches)
        clock.append(time.monotonic())
        with failing(judge_name(self.request.verifier), proposed, JUDGING):
            values = self.judged(proposed, images, estimates)
        clock.append(time.monotonic())
        ends = in_order((batch.rows, ends_of(batch)) for batch in batches)
        nfe = in_order((batch.rows, [batch.nfe] * len(batch.rows)) for batch in batches)
        remembered = in_order((batch.rows, [batch.remembered] * len(batch.rows)) for batch in batches)
        self.memo.settle()
        self.count += len(proposed)
        found = tuple(Evaluated(*parts) for parts in zip(proposed, values, nfe, remembered, ends, images))
        return Evaluation(found, *(end - begin for begin, end in zip(clock, clock[1:])))

    def made(self, proposed: Proposal) -> tuple[Ended, Tensor]:
        self.walker.keep(())
        (ended,) = ends_of(next(self.walker.reached([proposed])))
        return ended, self.picture(proposed, ended)

    def picture(self, proposed: Proposal, ended: Ended) -> Tensor:
        with failing("The VAE", [proposed], DECODING):
            return self.rollout.decode(ended.clean)[0]

    def keep(self, proposed: Iterable[Proposal]) -> None:
        self.walker.keep(proposed)

    def notes(self) -> list[str]:
        found = []
        if self.rollout.alone and self.count > 1:
            found.append(f"Pictures were sampled one at a time: {self.rollout.alone}.")
        if self.walker.replaced:
            name = self.request.sampling.sampler_name
            found.append(f"Walks that were cut used {SUBSTITUTE}: {name} cannot be cut.")
        return found

    def decoded(
        self, proposed: Sequence[Proposal], batches: Sequence[Reached]
    ) -> tuple[list[Tensor], dict[int, Tensor]]:
        """Pictures in the order that was asked for, and by their place what was expected of them at `estimate_at`,
        where that is known.
        """
        images, estimates = [], {}
        for batch in batches:
            self.making.decoding(batch.rows)
            preview = bool(stage(proposed[batch.rows[0]])) and self.request.preview_vae is not None
            with failing("The preview VAE" if preview else "The VAE", [proposed[row] for row in batch.rows], DECODING):
                images.append(
                    (batch.rows, self.rollout.decode(batch.latents, self.request.preview_vae if preview else None))
                )
                if self.rollout.estimate_at and not batch.remembered:
                    seen = batch.latents if batch.estimates is None else batch.estimates
                    estimates |= zip(batch.rows, self.rollout.decode(seen))
        return in_order(images), estimates

    def judged(
        self, proposed: Sequence[Proposal], images: Sequence[Tensor], estimates: Mapping[int, Tensor]
    ) -> tuple[tuple[float, ...], ...]:
        """Raw values of each rollout; only what no earlier run judged is judged."""
        known = {row: values for row, one in enumerate(proposed) if (values := self.memo.values(one)) is not None}
        if new := [row for row in range(len(proposed)) if row not in known]:
            found = self.values([images[row] for row in new], [estimates[row] for row in new if row in estimates])
            self.memo.keep_values([proposed[row] for row in new], found)
            known |= zip(new, found)
        return tuple(known[row] for row in range(len(proposed)))

    def values(self, images: Sequence[Tensor], estimates: Sequence[Tensor]) -> tuple[tuple[float, ...], ...]:
        """Raw values of pictures and videos, these by the frames that the verifier sees of them."""
        if self.request.verifier is None:
            return tuple(() for _ in images)
        self.making.judging()
        clips, expected = ([clip_of(image) for image in part] for part in (images, estimates))
        values = measure_clips(self.request.verifier, clips, self.request.text, expected or None)
        return tuple(tuple(row) for row in values.double().tolist())

    def cost(self, proposed: Proposal) -> float:
        """Full pictures' worth of denoising: its steps, those of another setup by the model calls of a step."""
        steps = operation_of(proposed).steps
        share = 1.0 if steps is None else steps(proposed) / (len(self.request.sampling.sigmas) - 1)
        if isinstance(proposed, Path) and proposed.draft and self.request.draft:
            main, draft = self.request.sampling, self.request.draft
            return share * calls(draft.guider, draft.sigmas) / calls(main.guider, main.sigmas)
        return share


def picture_bytes(sampling: Sampling) -> float:
    """What one decoded picture or clip takes as an IMAGE, about: three floats per pixel."""
    shape, (side, spread) = sampling.shapes[0], decoded_scale(sampling.vae)
    frames = (shape[1] - 1) * spread + 1 if len(shape) > 3 else 1
    scale = sampling.second.scale if sampling.second else 1.0
    return 12.0 * frames * math.prod(shape[-2:]) * side**2 * scale**2


def judge_name(verifier: Any) -> str:
    return verifier.card.name if verifier is not None else "Judging"


def in_order(parts: Any) -> list:
    """The rows of all parts, each `(places, rows)`, by place."""
    rows = {place: row for places, found in parts for place, row in zip(places, found)}
    return [rows[place] for place in sorted(rows)]


def ends_of(batch: Reached) -> list[Ended]:
    """Where each of a batch ended."""
    clean = rows_of(batch.latents)
    handed = [None] * len(clean) if batch.handed is None else rows_of(batch.handed)
    return [Ended(*one) for one in zip(clean, handed)]


def rows_of(latent: Latent) -> list[Latent]:
    parts = streams(latent)
    return [joined([part[row : row + 1] for part in parts]) for row in range(parts[0].shape[0])]
