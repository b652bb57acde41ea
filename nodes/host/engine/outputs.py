"""What leaves a search node: latents, pictures, seed, score, NOISE, recipe and trace of the winners, best first."""

from collections.abc import Sequence
from typing import Any

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ....search.path import Path, Proposal
from ....search.trace import Trace
from ..files.metadata import carry
from ..files.pictures import as_batch
from ..setup.noise import CandidateNoise, Leaves, joined, streams
from .job import SearchJob
from .report import facts, listed

NO_SCORE = "There is no score: connect a verifier to the search."
NO_PLAIN_SEED = (
    "The winner is not the noise of a plain seed (it was mixed from several). "
    "Use the noise or recipe output instead of the seed."
)
NO_SEED_ON_PATH = (
    "The winner was refined or found along the path, so that no plain seed makes it. "
    "Use the recipe output; or a random search, whose winner is a plain seed. Noise Search is one where its seed "
    "output is connected when it runs: change its seed and run again."
)
NO_NOISE = "The winner began with a picture, not with noise. Use the recipe output to have it again."


def outputs(job: SearchJob, trace: Trace) -> io.NodeOutput:
    """Of a search that is over."""
    winners = job.finish(trace)
    latents, judged = map(list, zip(*(job.winners.picture_of(trial.candidate) for trial in winners)))
    images = [job.request.finish(trial.candidate, image) for trial, image in zip(winners, judged)]
    job.show_winners(trace, winners, images)
    text = job.report(trace, winners, judged)
    samples = joined([torch.cat(rows) for rows in zip(*map(streams, latents))])
    judged.clear()
    job.winners.kept.images.clear()
    candidates, recipes = zip(*((trial.candidate, job.recipe_of(trial.candidate)) for trial in winners))
    carry(job.hidden, recipes)
    found = {**facts(trace, winners[0], recipes[0]), "candidates": listed(trace, job.recipe_of)}
    return io.NodeOutput(
        {**job.request.sampling.latent, "samples": samples},
        as_batch(images),
        plain_seed(candidates[0]),
        trace.scores[winners[0].id] if job.request.verifier else ExecutionBlocker(NO_SCORE),
        noise_of(candidates, job.start.leaves, job.domain),
        recipes[0],
        trace,
        ui={"images": job.pictures.shown, "text": [text], "noise_search": [found]},
    )


def plain_seed(candidate: Proposal) -> Any:
    """The seed to type into any KSampler; where there is none, what is connected to the output is blocked and told
    why.
    """
    if isinstance(candidate, Path):
        return ExecutionBlocker(NO_SEED_ON_PATH)
    return candidate.plain_seed if candidate.plain_seed is not None else ExecutionBlocker(NO_PLAIN_SEED)


def noise_of(winners: Sequence[Proposal], leaves: Leaves, domain: str = "") -> Any:
    """The noises that the winners began with; a picture that came in began with none."""
    noises = [proposed.noise if isinstance(proposed, Path) else proposed for proposed in winners]
    known = [noise for noise in noises if noise is not None]
    return CandidateNoise(known, leaves, domain) if len(known) == len(noises) else ExecutionBlocker(NO_NOISE)
