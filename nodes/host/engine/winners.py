"""Which candidates leave a search: the best, as the judge's own comparison has it, what a second judge takes of the
best of different noises, or different ones.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ....search.lineages import ACCEPTED_FROM, Lineages, best_of_lineages
from ....search.path import Proposal, stage
from ....search.run import Round
from ....search.selection import keep_different
from ....search.trace import Accepted, Trace, Trial
from ....verifiers.abilities import finalists_of
from ..background import Background
from ..errors import ACCEPTING, JUDGING, failing
from ..files.pictures import distances, look_of
from ..judges.judging import looked_at, ranked
from ..setup.noise import Latent, is_owned, joined, owned, streams
from ..setup.particles import Ended
from ..store.memo import Memo
from .evaluation import Evaluation
from .evaluator import HELD, Evaluator, picture_bytes
from .request import Request
from .timing import last_look, note_looks

POOL = 4  # pictures that different ones are chosen from, per one that is kept
AT_HAND = 16  # pictures whose latents stay where the artist picks one; others come from the store, or are made again


@dataclass(eq=False)
class Kept:
    """Of the candidates that are best so far: where they ended, how their pictures look, and the first pictures as a
    whole.
    """

    ends: dict[str, Ended] = field(default_factory=dict)
    images: dict[str, Tensor] = field(default_factory=dict)
    looks: dict[str, Tensor] = field(default_factory=dict)  # of pictures that are not there as a whole

    def add(self, candidate: Proposal, ended: Ended, image: Tensor) -> None:
        self.ends[candidate.key], self.images[candidate.key] = ended, image

    def only(self, trials: Sequence[Trial], whole: Sequence[Trial], aside: Background) -> None:
        """Drops all others; what stays no longer keeps the batch alive that it was a row of.

        Args:
            whole: Those of them whose pictures stay.
            aside: Where what goes is let go, which takes its time. It is gone before anything is copied.
        """
        keys = [trial.candidate.key for trial in trials if trial.candidate.key in self.ends]
        first = {trial.candidate.key for trial in whole}
        self.ends = {key: owned_end(self.ends[key]) for key in keys}
        self.looks = {key: self.look(key) for key in keys if key not in first}
        gone = [image for key, image in self.images.items() if key not in first]
        self.images = {key: image for key, image in self.images.items() if key in first}
        aside.do(gone.clear)
        if shared := [key for key, image in self.images.items() if not is_owned(image)]:
            aside.settle()
        for key in shared:
            self.images[key] = owned(self.images[key])

    def look(self, key: str) -> Tensor:
        return look_of(self.images[key]) if key in self.images else self.looks[key]


class Winners:
    """Of one search.

    Args:
        request: What was asked for.
        evaluator: Makes a picture again that was not kept.
        memo: Remembers the outcomes of knockouts.
        aside: Where pictures are let go that can no longer win.
    """

    def __init__(self, request: Request, evaluator: Evaluator, memo: Memo, aside: Background):
        self.request, self.evaluator, self.memo, self.aside = request, evaluator, memo, aside
        self.kept = Kept()
        self.finalists = finalists_of(request.verifier)
        self.whole = max(request.keep, self.finalists)
        self.pooled = max(request.keep * (POOL if request.keep_different else 1), self.finalists)
        self.lineages = Lineages() if request.accept is not None else None
        # whether what a second judge will see stays as it is, so that it need not be decoded again
        self.at_hand = ACCEPTED_FROM * picture_bytes(request.sampling) <= HELD
        self.second_look = last_look(request.accept, request.sampling) if request.accept is not None else None

    @property
    def begun(self) -> int:
        """Lineages that a second judge can choose from so far; 0 without one."""
        return 0 if self.lineages is None else len(self.lineages)

    def add(self, evaluation: Evaluation) -> None:
        """Keeps the pictures of a round, until `only_best`."""
        for one in evaluation.found:
            if not stage(one.proposed):
                self.kept.add(one.proposed, one.ended, one.image)

    def only_best(self, over: Round) -> None:
        """Drops what can no longer win. Of what only a second judge, or the artist, may take, the latents stay."""
        best = [over.best] if self.pooled == 1 else over.trace.best(self.pooled)
        whole = best[: self.whole]
        if self.lineages is not None:
            if over.rescored:
                self.lineages.rescored(over.trace)
            else:
                self.lineages.add(over.trials, over.trace)
            seen = self.lineages.best(ACCEPTED_FROM, over.trace)
            best += [one for one in seen if one not in best]
            whole += seen if self.at_hand else []
        if self.request.waits:
            best += [one for one in over.trace.best(AT_HAND) if one not in best]
        self.kept.only(best, whole, self.aside)

    def of(self, trace: Trace, replayed: Sequence[Proposal] = ()) -> list[Trial]:
        """The winners, best first; those of recipes as they are."""
        if replayed:
            return [trial for trial in trace.trials if trial.candidate in replayed]
        best = trace.best(self.pooled)
        if self.finalists > 1 and len(best) > 1:
            first = best[: self.finalists]
            best[: self.finalists] = [best[place] for place in self.final([trial.candidate for trial in first])]
        if self.request.accept is not None:
            trace.accepted = self.accepted(trace)
            taken = trace.trials[trace.accepted.taken]
            best = [taken, *(trial for trial in best if trial is not taken)]
        if not self.request.keep_different:
            return best[: self.request.keep]
        looks = [self.look_of(trial.candidate) for trial in best]
        scores = torch.tensor([trace.scores[trial.id] for trial in best])
        scores[0] = scores.max()  # what was taken stays
        return [best[place] for place in keep_different(scores, distances(looks), self.request.keep)]

    def accepted(self, trace: Trace) -> Accepted:
        """What the second judge says of the best pictures of different lineages; paid for in the trace's ledger."""
        judge, best, began = self.request.accept, best_of_lineages(trace, ACCEPTED_FROM), time.monotonic()
        candidates, decoding, looks = [trial.candidate for trial in best], 0.0, list[float]()
        known = {one.key: row for one in candidates if (row := self.memo.looks(one, judge.columns)) is not None}
        for one in candidates:  # one after the other: each picture is whole only while it is looked at
            if one.key not in known:
                started = time.monotonic()
                image = self.seen(one)
                decoding += time.monotonic() - started
                with failing(judge.card.name, [one], ACCEPTING):
                    (row,) = looked_at(judge, [image], self.request.accept_text).tolist()
                looks.append(time.monotonic() - started)
                self.memo.keep_looks([one], [row])
                known[one.key] = tuple(row)
                trace.ledger.scores += 1
        note_looks(judge, self.request.sampling, looks)
        scores = ranked(judge, torch.tensor([known[one.key] for one in candidates])).tolist()
        trace.ledger.decoding_seconds += decoding
        trace.ledger.scoring_seconds += time.monotonic() - began - decoding
        return Accepted(judge.card.name, tuple(trial.id for trial in best), tuple(scores))

    def looked_once(self, image: Tensor, decoding: float) -> float:
        """Seconds of the second judge's look, where none is known of before: by one at this picture. The first look
        loads it and tells nothing.

        Args:
            decoding: Seconds that decoding one picture takes, which comes first where only latents are kept.
        """
        judge, seconds = self.request.accept, 0.0
        with failing(judge.card.name, (), ACCEPTING):
            for _ in range(2):
                began = time.monotonic()
                looked_at(judge, [image], self.request.accept_text)
                seconds = time.monotonic() - began
        self.second_look = seconds + (0.0 if self.at_hand else decoding)
        return self.second_look

    def seen(self, candidate: Proposal) -> Tensor:
        """A picture for one look: of what is not among the best, decoded and not kept."""
        if candidate.key in self.kept.images or candidate.key not in self.kept.ends:
            return self.picture_of(candidate)[1]
        return self.evaluator.picture(candidate, self.kept.ends[candidate.key])

    def final(self, finalists: Sequence[Proposal]) -> list[int]:
        """Their places, best first, by the verifier's own comparison: of this run, or of one before."""
        judge = self.request.verifier

        def hold() -> list[int]:
            images = torch.stack([self.picture_of(candidate)[1] for candidate in finalists])
            with failing(judge.card.name, finalists, JUDGING):
                return judge.knockout(images, self.request.text)

        return self.memo.final(judge.final_key(), finalists, hold)

    def picture_of(self, candidate: Proposal) -> tuple[Latent, Tensor]:
        """A winner's latent as it leaves, and its picture; made again if it only became a winner when others were
        compared with it, and decoded again if only its look was kept.
        """
        key = candidate.key
        if key not in self.kept.ends:
            self.kept.add(candidate, *self.evaluator.made(candidate))
        if key not in self.kept.images:
            self.kept.images[key] = self.evaluator.picture(candidate, self.kept.ends[key])
        return self.kept.ends[key].output, self.kept.images[key]

    def known_picture(self, candidate: Proposal) -> Tensor | None:
        """A picture that need not be sampled again."""
        return self.picture_of(candidate)[1] if candidate.key in self.kept.ends else None

    def look_of(self, candidate: Proposal) -> Tensor:
        if candidate.key not in self.kept.ends:
            self.picture_of(candidate)
        return self.kept.look(candidate.key)


def owned_end(ended: Ended) -> Ended:
    """Its tensors copied where they are views of larger ones."""

    def own(latent: Latent) -> Latent:
        return joined([owned(part) for part in streams(latent)])

    return Ended(own(ended.clean), None if ended.handed is None else own(ended.handed))
