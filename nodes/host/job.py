"""One search from its inputs to the node's outputs: rounds of rollouts, judged, shown, kept."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...search import recipe as recipes
from ...search.noise import SeedStream, check_leaves
from ...search.path import Path, Tried, stage
from ...search.run import HOW, Budget, run
from ...search.selection import keep_different
from ...search.trace import Measured, Trace, Trial
from .carrying import carry
from .failures import DECODING, JUDGING, SECOND_JUDGE, failing
from .identity import Identity, identity_of
from .judging import held_out, ranked
from .keeping import Pictures
from .live import Live
from .measuring import Measurer
from .memo import Memo, limit_in_bytes
from .noise import CandidateNoise, Latent, Leaves, joined, owned, streams
from .pace import remember
from .pages import user_now
from .pictures import as_batch, distances
from .progress import SearchProgress
from .report import facts, headline, summary
from .request import Request
from .verifiers import warn
from .walk import SUBSTITUTE

log = logging.getLogger("noise_search")

NO_SCORE = "There is no score: connect a verifier to the search."
NO_PLAIN_SEED = ("The winner is not the noise of a plain seed (it was mixed from several). "
                 "Use the noise or recipe output instead of the seed.")
FINISHED = "finished"  # what the memo notes of a search that the artist ended
POOL = 4  # pictures that different ones are chosen from, per one that is kept
NO_SEED_ON_PATH = ("The winner was refined or found along the path, so that no plain seed makes it. "
                   "Use the recipe output; or a random search, whose winner is a plain seed.")
NO_NOISE = "The winner began with a picture, not with noise. Use the recipe output to have it again."


@dataclass(eq=False)
class Kept:
    """Latents and pictures of the candidates that are best so far, and of nothing else."""

    latents: dict[str, Latent] = field(default_factory=dict)
    images: dict[str, Tensor] = field(default_factory=dict)

    def add(self, candidate: Tried, latent: Latent, image: Tensor) -> None:
        self.latents[candidate.key], self.images[candidate.key] = latent, image

    def only(self, trials: Sequence[Trial]) -> None:
        """Drops all others; what stays no longer keeps the batch alive that it was a row of."""
        keys = [trial.candidate.key for trial in trials if trial.candidate.key in self.latents]
        self.latents = {key: joined([owned(part) for part in streams(self.latents[key])]) for key in keys}
        self.images = {key: owned(self.images[key]) for key in keys}


class SearchJob:
    """Runs a Request for one node.

    Args:
        request: What to do.
        hidden: The node's hidden inputs (id, prompt, workflow).
    """

    def __init__(self, request: Request, hidden: Any):
        self.request, self.hidden = request, hidden
        self.start = request.start()
        self.kept = Kept()
        sampling = request.sampling
        write = partial(recipes.dumps, shapes=sampling.shapes, settings=sampling.settings,
                        schedule=None if sampling.pathless else sampling.schedule)  # no tensors: it outlives the search
        waits = getattr(request.verifier, "estimate_at", None) is not None  # its judge sees more than the picture
        identity = identity_of(hidden, request) if limit_in_bytes() else Identity()
        self.memo = Memo(identity, self.columns(), judged_only=waits, user=user_now())
        self.live = Live(hidden, self.columns(), write, self.memo)
        self.progress = SearchProgress(str(hidden.unique_id or ""), request.budget.pictures, self.live)
        self.measurer = Measurer(request, self.start.leaves, self.progress.after_step, self.memo)
        self.best: Tried | None = None
        self.pictures = Pictures(hidden, self.recipe_of)
        self.shown: list[dict[str, str]] = []
        self.notes = [*request.sampling.notes, *judged_by(request)]
        self.first_image: Tensor | None = None  # of the candidate that all others are compared with
        self.pooled = max(request.keep * (POOL if request.keep_different else 1), getattr(request.verifier, "finalists", 0))
        self.summary = ""
        self.replayed: tuple[Tried, ...] = ()

    def search(self, make: Callable[[Tried, SeedStream], Any]) -> Trace:
        """All rounds. Nothing is kept in memory but the winners, what the search goes on from, and numbers."""
        how = "own picture" if self.request.refines else "own seed" if self.request.noise is None else "start"
        first = [(candidate, HOW["mix"] if place and candidate.operation == "mix" else how) for place, candidate in enumerate(self.start.candidates)]
        if self.request.refines:
            first = [(Path(None, (0.0,)), how)]
        seeds = SeedStream(self.request.seed)
        return self.run(make(first[0][0], seeds), self.request.budget, first)

    def replay(self, text: str) -> Trace:
        """The noise of a recipe instead of a search; of several, as many as leave the node."""
        found = recipes.loads_all(text)[: self.request.keep]
        for recipe in found:
            recipes.check_finished(recipe)
            recipes.check_shapes(recipe, self.request.sampling.shapes)
            check_leaves(recipe.candidate, self.request.sampling.shapes, self.start.leaves)  # also where its picture is kept: NOISE goes out
            if isinstance(recipe.candidate, Path):
                recipes.check_schedule(recipe, self.request.sampling.schedule)
        self.replayed = tuple(dict.fromkeys(recipe.candidate for recipe in found))
        self.progress.pictures = len(self.replayed)
        return self.run(Single(), Budget(pictures=len(self.replayed)), [(candidate, "recipe") for candidate in self.replayed], self.replayed)

    def run(self, search: Any, budget: Budget, first: Sequence[tuple[Tried, str]], replayed: Sequence[Tried] = ()) -> Trace:
        self.live.begin(budget, self.notes, replayed)
        began, trace = self.live.clock(), Trace(self.columns())
        ended = 0 if replayed else self.memo.noted(FINISHED).get("trials")  # by the artist, when this very search ran before
        if isinstance(ended, int) and ended > 0:
            budget = replace(budget, trials=ended)
        with self.live.searching(trace):
            for found in run(search, self.measure, self.combine, budget, group=self.measurer.group, trace=trace, first=first,
                             cost=self.measurer.cost, clock=self.live.clock):
                self.live.candidates(found.trials, trace, {seen.tried.key: seen.image for seen in self.measurer.seen})
                winners = trace.best(self.pooled)
                self.kept.only(winners)
                self.measurer.walker.keep(getattr(search, "alive", ()))
                self.show(trace, winners[0])
                if not trace.stopped:
                    self.live.check()
        if trace.stopped == "you":
            self.memo.note(FINISHED, {"trials": len(trace.trials)})
        remember(trace, self.request.sampling)
        self.summary = " ".join([summary(trace, self.live.clock() - began), *told_by(search)])
        return trace

    def columns(self) -> tuple[str, ...]:
        return self.request.verifier.columns if self.request.verifier else ()

    def measure(self, tried: Sequence[Tried]) -> Measured:
        measured = self.measurer(tried)
        pictures = [seen for seen in self.measurer.seen if not stage(seen.tried)]
        if self.first_image is None and pictures:
            self.first_image = pictures[0].image.clone()
        for seen in pictures:
            self.kept.add(seen.tried, seen.latent, seen.image)
        if self.request.verifier is None:  # the artist chooses: every picture stays visible in the node, under its seed
            for seen in pictures:
                self.shown += self.pictures.shown(seen.tried, seen.image, name_of(seen.tried))
        return measured

    def combine(self, pool: Tensor) -> Tensor:
        return ranked(self.request.verifier, pool) if self.request.verifier else torch.zeros(len(pool))

    def show(self, trace: Trace, winner: Trial) -> None:
        new = winner.candidate != self.best
        self.best = winner.candidate
        image = self.kept.images.get(winner.candidate.key) if new else None
        self.progress.after_round(trace.pictures, headline(trace), image if trace.columns else None)
        if image is not None and self.request.save_found:
            self.pictures.found(winner.candidate, image)

    def report(self, trace: Trace, winners: Sequence[Trial], images: Sequence[Tensor]) -> None:
        """Says what was found, in the node and in the log."""
        if self.measurer.rollout.alone and len(trace.trials) > 1:
            self.notes.append(f"Pictures were sampled one at a time: {self.measurer.rollout.alone}.")
        if self.measurer.walker.replaced:
            self.notes.append(f"Walks that were cut used {SUBSTITUTE}: {self.request.sampling.sampler_name} cannot be cut.")
        if self.request.held_out is not None:
            own = self.first_image if winners[0].id != 0 else None
            with failing(self.request.held_out.card.name, [trial.candidate for trial in winners], SECOND_JUDGE):
                self.notes += held_out(self.request.held_out, images, own, self.request.held_out_text)[1]
        self.notes += [self.pictures.problem] * bool(self.pictures.problem)
        self.progress.finish("\n".join([self.summary, *self.notes, *self.memo.notes]))
        log.info("%s", self.summary)

    def winners(self, trace: Trace) -> list[Trial]:
        """The best, best first: as the judge's own comparison has it where it makes one, and different ones where that was asked for;
        those of recipes as they are."""
        if self.replayed:
            return [trial for trial in trace.trials if trial.candidate in self.replayed]
        best = trace.best(self.pooled)
        finalists = getattr(self.request.verifier, "finalists", 0)
        if finalists > 1 and len(best) > 1:
            best[:finalists] = [best[place] for place in self.final([trial.candidate for trial in best[:finalists]])]
        if not self.request.keep_different:
            return best[: self.request.keep]
        images = [self.picture_of(trial.candidate)[1] for trial in best]
        scores = torch.tensor([trace.scores[trial.id] for trial in best])
        return [best[place] for place in keep_different(scores, distances(images), self.request.keep)]

    def final(self, finalists: Sequence[Tried]) -> list[int]:
        """Their places, best first, by the verifier's own comparison: of this run, or of one before."""
        judge = self.request.verifier

        def hold() -> list[int]:
            images = torch.stack([self.picture_of(candidate)[1] for candidate in finalists])
            with failing(judge.card.name, finalists, JUDGING):
                return judge.knockout(images, self.request.text)

        return self.memo.final(judge.final_key(), finalists, hold)

    def recipe_of(self, candidate: Tried) -> str:
        schedule = self.request.sampling.schedule if isinstance(candidate, Path) else None
        return recipes.dumps(candidate, self.request.sampling.shapes, self.request.sampling.settings, schedule)

    def picture_of(self, candidate: Tried) -> tuple[Latent, Tensor]:
        """A winner's latent and picture; sampled again if it only became a winner when others were compared with it."""
        if candidate.key not in self.kept.latents:
            self.measurer.walker.keep(())
            reached = next(self.measurer.walker.reached([candidate]))
            with failing("The VAE", [candidate], DECODING):
                self.kept.add(candidate, reached.latents, self.measurer.rollout.decode(reached.latents)[0])
        return self.kept.latents[candidate.key], self.kept.images[candidate.key]

    def outputs(self, trace: Trace) -> io.NodeOutput:
        """LATENT, IMAGE, seed, score, NOISE, recipe and trace of the winners, best first."""
        winners = self.winners(trace)
        self.live.done(trace, winners)
        pictures = [self.picture_of(trial.candidate) for trial in winners]
        best = winners[0].candidate
        parts = [streams(latent) for latent, _ in pictures]
        samples = joined([torch.cat(rows) for rows in zip(*parts)])
        images = [self.request.finish(trial.candidate, image) for trial, (_, image) in zip(winners, pictures)]
        for trial, image in zip(winners, images if not self.shown else ()):
            self.shown += self.pictures.shown(trial.candidate, image, f"{trace.scores[trial.id]:.4g}, {trial.how}")
        self.report(trace, winners, [image for _, image in pictures])
        score = trace.scores[winners[0].id] if self.request.verifier else ExecutionBlocker(NO_SCORE)
        noise = noise_of([trial.candidate for trial in winners], self.start.leaves)
        latent, recipe = {**self.request.sampling.latent, "samples": samples}, self.recipe_of(best)
        carry(self.hidden, [self.recipe_of(trial.candidate) for trial in winners])
        return io.NodeOutput(latent, as_batch(images), plain_seed(best), score, noise, recipe, trace,
                             ui={"images": self.shown, "text": [self.progress.said], "noise_search": [facts(trace, winners[0], recipe)]})


def judged_by(request: Request) -> list[str]:
    """What the scores mean, and what of the prompt is not read."""
    if request.verifier is None:
        return []
    card = request.verifier.card
    return [f"Scores: {card.name}, {card.range}.", *warn(request.verifier, request.text)]


class Single:
    """A search that asks for nothing beyond the candidates it is started with."""

    held: tuple[Tried, ...] = ()

    def ask(self, limit: int) -> list[Tried]:
        return []

    def tell(self, candidates: Sequence[Tried], scores: Sequence[float]) -> None:
        """There is nothing to learn from one candidate."""


def plain_seed(candidate: Tried) -> Any:
    """The seed to type into any KSampler; where there is none, what is connected to the output is blocked and told why."""
    if isinstance(candidate, Path):
        return ExecutionBlocker(NO_SEED_ON_PATH)
    return candidate.plain_seed if candidate.plain_seed is not None else ExecutionBlocker(NO_PLAIN_SEED)


def noise_of(winners: Sequence[Tried], leaves: Leaves) -> Any:
    """The noises that the winners began with; a picture that came in began with none."""
    noises = [tried.noise if isinstance(tried, Path) else tried for tried in winners]
    return ExecutionBlocker(NO_NOISE) if None in noises else CandidateNoise(noises, leaves)


def told_by(search: Any) -> list[str]:
    """What the search itself says that it did, if it does."""
    explain = getattr(search, "explain", None)
    return [explain()] if explain else []


def name_of(tried: Tried) -> str:
    return f"seed {tried.plain_seed}" if tried.plain_seed is not None else tried.operation
