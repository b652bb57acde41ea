"""Candidates and walks to raw values: sampled, decoded, judged."""

import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from torch import Tensor

from ....search.operations import operation_of
from ....search.path import Path, Proposal, stage
from ....verifiers.abilities import estimate_level, is_apart
from ....verifiers.clips import measure_clips
from ..compat import decoded_scale
from ..errors import DECODING, JUDGING, failing
from ..files.pictures import clip_of
from ..setup.guiders import calls
from ..setup.noise import Leaves
from ..setup.particles import Ended
from ..setup.sampling import Sampling
from ..store.memo import Memo
from .alongside import alongside
from .control import Finish
from .evaluation import Ahead, Evaluation, Made, Values, ends_of, in_order
from .making import Making
from .request import Request
from .rollout import Rollout
from .walker import SUBSTITUTE, Reached, Walker
from .watcher import Doing

TOGETHER = 4  # candidates that are decoded, and then judged, at least,
HELD = 2**29  # while their pictures take no more bytes than this


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

    @property
    def makes_ahead(self) -> bool:
        """Whether it has a use for what comes next."""
        ...

    def evaluate(self, proposed: Sequence[Proposal], ahead: Sequence[Proposal] = ()) -> Evaluation:
        """Samples, decodes and judges them.

        Args:
            ahead: What it will be asked for next, unless the search stops: it may be made already, not judged.
        """
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
        self.ahead, self.count = Ahead(), 0  # of what was evaluated

    @property
    def group(self) -> int:
        """Candidates per round: what is sampled together, or a few, so that models take turns only once, as long as
        their pictures stay small.
        """
        if self.request.sampling.batch:
            return self.rollout.batch
        return max(self.rollout.batch, min(TOGETHER, int(HELD // picture_bytes(self.request.sampling))))

    @property
    def makes_ahead(self) -> bool:
        """Whether the judge leaves the device alone that samples, so that both can work at once."""
        return is_apart(self.request.verifier, self.request.sampling.guider.model_patcher.load_device)

    def evaluate(self, proposed: Sequence[Proposal], ahead: Sequence[Proposal] = ()) -> Evaluation:
        """Each part for the whole round, so that models take turns only once. What was paid for is on the disk then."""
        with self.making.round(len(proposed)):
            made = self.ahead.take(proposed) or self.make(proposed)
            evaluation = self.judged_alongside(made, ahead) if self.room_for(ahead, made) else self.judged(made)
        self.memo.settle()
        self.count += len(proposed)
        return evaluation

    def make(self, proposed: Sequence[Proposal]) -> Made:
        """Samples and decodes them."""
        clock = [time.monotonic()]
        batches = list(self.walker.reached(proposed, self.making.batch))
        clock.append(time.monotonic())
        images, estimates = self.decoded(proposed, batches)
        clock.append(time.monotonic())
        return Made(tuple(proposed), batches, images, estimates, clock[1] - clock[0], clock[2] - clock[1])

    def judged(self, made: Made) -> Evaluation:
        if self.request.verifier is not None:
            self.making.judging()
        return self.judge(made)

    def judged_alongside(self, made: Made, ahead: Sequence[Proposal]) -> Evaluation:
        """On a thread of its own, while what comes next is made here. What fails there is told when that is asked for,
        after these.
        """

        def make_ahead() -> None:
            # who finishes the search asks again once these are told
            with suppress(Finish), self.making.ahead(len(ahead)):
                self.ahead.make(ahead, self.make)
            self.making.judging()

        return alongside(lambda: self.judge(made), make_ahead)

    def room_for(self, ahead: Sequence[Proposal], made: Made) -> bool:
        """Whether the pictures of both rounds stay small enough to be held at once."""
        count = len(ahead) + len(made.proposed)
        return bool(ahead) and count * picture_bytes(self.request.sampling) <= HELD

    def made(self, proposed: Proposal) -> tuple[Ended, Tensor]:
        self.walker.keep(())
        (ended,) = ends_of(next(self.walker.reached([proposed])))
        return ended, self.picture(proposed, ended)

    def picture(self, proposed: Proposal, ended: Ended) -> Tensor:
        with failing("The VAE", [proposed], DECODING):
            return self.rollout.decode(ended.clean)[0]

    def keep(self, proposed: Iterable[Proposal]) -> None:
        self.walker.keep([*proposed, *self.ahead.proposed])

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

    def judge(self, made: Made) -> Evaluation:
        """Raw values of each; only what no earlier run judged is judged. On any thread."""
        began, proposed = time.monotonic(), made.proposed
        known = {row: values for row, one in enumerate(proposed) if (values := self.memo.values(one)) is not None}
        if new := [row for row in range(len(proposed)) if row not in known]:
            expected = [made.estimates[row] for row in new if row in made.estimates]
            with failing(judge_name(self.request.verifier), proposed, JUDGING):
                found = self.values([made.images[row] for row in new], expected)
                self.memo.keep_values([proposed[row] for row in new], found)
            known |= zip(new, found)
        return made.judged(tuple(known[row] for row in range(len(proposed))), time.monotonic() - began)

    def values(self, images: Sequence[Tensor], estimates: Sequence[Tensor]) -> Values:
        """Raw values of pictures and videos, these by the frames that the verifier sees of them."""
        if self.request.verifier is None:
            return tuple(() for _ in images)
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
