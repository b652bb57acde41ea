"""One search from its inputs to the node's outputs: rounds of rollouts, judged, shown, kept."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...search import recipe as recipes
from ...search.noise import Candidate, SeedStream
from ...search.run import Budget, run
from ...search.trace import Measured, Trace, Trial
from .noise import CandidateNoise, Latent, joined, streams
from .pace import remember
from .pictures import as_batch, captioned, frames_of, save, to_pil
from .progress import SearchProgress
from .report import facts, headline, summary
from .request import Request
from .rollout import Rollout
from .verifiers import warn

log = logging.getLogger("noise_search")

NO_SCORE = "There is no score: connect a verifier to the search."
NO_PLAIN_SEED = ("The winner is not the noise of a plain seed (it was mixed from several). "
                 "Use the noise or recipe output instead of the seed.")


@dataclass(eq=False)
class Kept:
    """Latents and pictures of the candidates that are best so far, and of nothing else."""

    latents: dict[str, Latent] = field(default_factory=dict)
    images: dict[str, Tensor] = field(default_factory=dict)

    def add(self, candidate: Candidate, latent: Latent, image: Tensor) -> None:
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
        self.progress = SearchProgress(str(hidden.unique_id or ""), request.budget.pictures)
        self.rollout = Rollout(request.sampling, self.start.leaves, self.progress.after_step)
        self.best: Candidate | None = None
        self.shown: list[dict[str, str]] = []
        self.notes = [*request.sampling.notes, *judged_by(request)]

    def search(self, make: Callable[[Candidate, SeedStream], Any]) -> Trace:
        """All rounds. Nothing is kept in memory but the winners and numbers."""
        how = "own seed" if self.request.noise is None else "start"
        first = [(candidate, how) for candidate in self.start.candidates]
        seeds = SeedStream(self.request.seed)
        return self.run(make(self.start.candidates[0], seeds), self.request.budget, first)

    def replay(self, text: str) -> Trace:
        """The noise of a recipe instead of a search."""
        found = recipes.loads(text)
        recipes.check_shapes(found, self.request.sampling.shapes)
        self.progress.pictures = 1
        return self.run(Single(), Budget(pictures=1), [(found.candidate, "recipe")])

    def run(self, search: Any, budget: Budget, first: Sequence[tuple[Candidate, str]]) -> Trace:
        began, trace = time.monotonic(), Trace(self.columns())
        for _ in run(search, self.measure, self.combine, budget, group=self.group(), trace=trace, first=first):
            winners = trace.best(self.request.keep)
            self.kept.only(winners)
            self.show(trace, winners[0])
        remember(trace, self.request.sampling)
        self.report(trace, time.monotonic() - began)
        return trace

    def group(self) -> int:
        """Candidates per round: what is sampled together, then decoded together, then judged together."""
        return self.rollout.batch if self.request.sampling.batch else max(self.rollout.batch, 4)

    def columns(self) -> tuple[str, ...]:
        return self.request.verifier.columns if self.request.verifier else ()

    def measure(self, candidates: Sequence[Candidate]) -> Measured:
        """Samples all, then decodes all, then judges all, so that models take turns only once per round."""
        clock, nfe = [time.monotonic()], self.rollout.nfe
        batches = list(self.rollout.latents(candidates))
        clock.append(time.monotonic())
        images = [image for batch in batches for image in self.rollout.decode(batch)]
        self.show_unjudged(candidates, images)
        clock.append(time.monotonic())
        values = self.judge(images)
        clock.append(time.monotonic())
        latents = [row for batch in batches for row in rows_of(batch)]
        for candidate, latent, image in zip(candidates, latents, images):
            self.kept.add(candidate, latent, image)
        seconds = [end - begin for begin, end in zip(clock, clock[1:])]
        return Measured(values=values, nfe=round((self.rollout.nfe - nfe) / len(batches)), sampling_seconds=seconds[0],
                        decoding_seconds=seconds[1], scoring_seconds=seconds[2])

    def judge(self, images: Sequence[Tensor]) -> tuple[tuple[float, ...], ...]:
        """Raw values of each rollout, a video's as the mean over its judged frames."""
        if self.request.verifier is None:
            return tuple(() for _ in images)
        frames = [frames_of(image) for image in images]
        values = self.request.verifier.measure(torch.cat(frames), self.request.text)
        parts = values.split([len(part) for part in frames])
        return tuple(tuple(part.double().mean(0).tolist()) for part in parts)

    def show_unjudged(self, candidates: Sequence[Candidate], images: Sequence[Tensor]) -> None:
        """Without a verifier the artist chooses: every picture stays visible in the node, under its seed."""
        if self.request.verifier is None:
            self.shown += [self.preview_file(candidate, image, f"seed {candidate.plain_seed}"
                                             if candidate.plain_seed is not None else candidate.operation)
                           for candidate, image in zip(candidates, images)]

    def preview_file(self, candidate: Candidate, image: Tensor, caption: str) -> dict[str, str]:
        name = f"noise_search_{self.hidden.unique_id}".replace(":", "_")
        return save(captioned(to_pil(image), caption), name, "temp", self.hidden, self.recipe_of(candidate))

    def combine(self, pool: Tensor) -> Tensor:
        return self.request.verifier.combine(pool) if self.request.verifier else torch.zeros(len(pool))

    def show(self, trace: Trace, winner: Trial) -> None:
        new = winner.candidate != self.best
        self.best = winner.candidate
        image = self.kept.images.get(winner.candidate.key) if new else None
        self.progress.after_round(len(trace.trials), headline(trace), image if trace.columns else None)
        if image is not None and self.request.save_found:
            save(to_pil(image), "noise_search/found", "output", self.hidden, self.recipe_of(winner.candidate))

    def report(self, trace: Trace, seconds: float) -> None:
        text = summary(trace, seconds)
        self.progress.finish("\n".join([text, *self.notes]))
        log.info("%s", text)

    def recipe_of(self, candidate: Candidate) -> str:
        return recipes.dumps(candidate, self.request.sampling.shapes, self.request.sampling.settings)

    def picture_of(self, candidate: Candidate) -> tuple[Latent, Tensor]:
        """A winner's latent and picture; sampled again if it only became a winner when others were compared with it."""
        if candidate.key not in self.kept.latents:
            latent = next(self.rollout.latents([candidate]))
            self.kept.add(candidate, latent, self.rollout.decode(latent)[0])
        return self.kept.latents[candidate.key], self.kept.images[candidate.key]

    def outputs(self, trace: Trace) -> io.NodeOutput:
        """LATENT, IMAGE, seed, score, NOISE, recipe and trace of the winners, best first."""
        winners = trace.best(min(self.request.keep, len(trace.trials)))
        pictures = [self.picture_of(trial.candidate) for trial in winners]
        best = winners[0].candidate
        parts = [streams(latent) for latent, _ in pictures]
        samples = joined([torch.cat(rows) for rows in zip(*parts)])
        images = [image for _, image in pictures]
        score = trace.scores[winners[0].id] if self.request.verifier else ExecutionBlocker(NO_SCORE)
        noise = CandidateNoise([trial.candidate for trial in winners], self.start.leaves)
        shown = self.shown or [self.preview_file(trial.candidate, image, f"{trace.scores[trial.id]:.4g}, {trial.how}")
                               for trial, image in zip(winners, images)]
        latent, recipe = {**self.request.sampling.latent, "samples": samples}, self.recipe_of(best)
        return io.NodeOutput(latent, as_batch(images), plain_seed(best), score, noise, recipe, trace,
                             ui={"images": shown, "text": [self.progress.said], "noise_search": [facts(trace, recipe)]})


def judged_by(request: Request) -> list[str]:
    """What the scores mean, and what of the prompt is not read."""
    if request.verifier is None:
        return []
    card = request.verifier.card
    return [f"Scores: {card.name}, {card.range}.", *warn(request.verifier, request.text)]


class Single:
    """A search that asks for nothing beyond the candidates it is started with."""

    held: tuple[Candidate, ...] = ()

    def ask(self, limit: int) -> list[Candidate]:
        return []

    def tell(self, candidates: Sequence[Candidate], scores: Sequence[float]) -> None:
        """There is nothing to learn from one candidate."""


def plain_seed(candidate: Candidate) -> Any:
    """The seed to type into any KSampler; where there is none, what is connected to the output is blocked and told why."""
    return candidate.plain_seed if candidate.plain_seed is not None else ExecutionBlocker(NO_PLAIN_SEED)


def rows_of(latent: Latent) -> list[Latent]:
    parts = streams(latent)
    return [joined([part[row:row + 1] for part in parts]) for row in range(parts[0].shape[0])]


def owned(tensor: Tensor) -> Tensor:
    """The tensor, or a copy where it is a view of a larger one."""
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()
