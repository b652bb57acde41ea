"""What a search node was asked for, checked before anything is sampled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ....search import recipe as recipes
from ....search.noise import fresh
from ....search.path import Path, Proposal, Schedule
from ....search.run import Budget
from ..judges.host_verifier import check_clips, prompt_for
from ..setup.noise import Leaves, Resolved, describe, resolve
from ..setup.region import Region
from ..setup.sampling import Sampling
from .timing import check_minutes


@dataclass(frozen=True, eq=False)
class RecipeWriter:
    """Writes the recipes of one search's candidates. It holds no tensors: it outlives the search."""

    shapes: Sequence[Sequence[int]]
    settings: Mapping[str, Any]
    schedule: Schedule | None = None

    def __call__(self, candidate: Proposal) -> str:
        return recipes.dumps(candidate, tuple(map(tuple, self.shapes)), self.settings, self.schedule)

    def to_dict(self, candidates: Sequence[Proposal]) -> dict[str, Any]:
        """All of them at once, for a file: what they share is written once."""
        entries, places = recipes.encode(candidates)
        schedule = self.schedule and {"levels": self.schedule.levels, "flow": self.schedule.flow}
        return {
            "entries": entries,
            "places": places,
            "shapes": self.shapes,
            "settings": self.settings,
            "schedule": schedule,
        }


def read_recipes(found: Mapping[str, Any]) -> tuple[RecipeWriter, list[Proposal]]:
    """What `RecipeWriter.to_dict` wrote."""
    known, schedule = recipes.decode(found["entries"]), found["schedule"]
    levels = schedule and Schedule(tuple(schedule["levels"]), schedule["flow"])
    return RecipeWriter(found["shapes"], found["settings"], levels), [known[place] for place in found["places"]]


@dataclass(frozen=True, eq=False)
class Request:
    """What a search node was asked for.

    Args:
        sampling: How a noise becomes a picture.
        verifier: What judges, or None: then nothing is chosen and the own seed's picture is the result.
        prompt: What the verifier reads; "" = the text traced from the graph.
        noise: Where to start instead of at the own seed, or None.
        seed: The user's own seed: candidate 0, and the seed of all draws.
        budget: Pictures, minutes and stop rules.
        keep: How many winners leave the node, best first.
        recipe: A found noise to use instead of searching, or "".
        save_found: Writes each new best into the output folder at once.
        draft: A cheaper setup for the drafts, or None.
        preview_vae: Decodes the pictures that are expected on the way, or None for the setup's own.
        refines: Whether the setup's latent is a picture that the search begins with, instead of a noise.
        region: What the setup's latent was cut from, to be pasted back into; None where it is all that there is.
        held_out: A verifier that looks at the winners only.
        accept: A verifier that takes one of the best pictures of different noises when the search is over.
        keep_different: Keeps winners that differ, instead of the best alone.
        waits: Whether the artist is asked at the end which pictures leave.
        masks: By digest, the masks that the search moves in.
    """

    sampling: Sampling
    verifier: Any
    prompt: str
    noise: Any
    seed: int
    budget: Budget
    keep: int
    recipe: str = ""
    save_found: bool = False
    draft: Sampling | None = None
    preview_vae: Any = None
    refines: bool = False
    region: Region | None = None
    held_out: Any = None
    accept: Any = None
    keep_different: bool = False
    waits: bool = False
    masks: Leaves = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.keep <= self.budget.pictures:
            raise ValueError(f"keep must be between 1 and pictures ({self.budget.pictures}), got {self.keep}")
        if self.draft is not None and self.draft.shapes != self.sampling.shapes:
            raise ValueError(
                f"draft must make latents of the sampling's shape {describe(self.sampling.shapes)}, because it drafts"
                f" with the same noises, got {describe(self.draft.shapes)}"
            )
        check_minutes(self.budget, self.sampling)
        if self.accept is not None and self.verifier is None and not self.recipe.strip():
            raise ValueError(
                "verifier must be connected where accept is: accept takes one of the pictures that the verifier puts"
                " first, got none. A single judge goes to verifier"
            )
        for judge in (self.verifier, self.held_out, self.accept):
            if judge is not None:
                prompt_for(judge, self.prompt, self.sampling.prompt)
                check_clips(judge, self.sampling)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the raw values; none without a verifier."""
        return self.verifier.columns if self.verifier else ()

    def recipe_writer(self) -> "RecipeWriter":
        sampling = self.sampling
        schedule = None if sampling.pathless else sampling.schedule
        return RecipeWriter(sampling.shapes, sampling.settings, schedule)

    @property
    def text(self) -> str:
        """What the verifier reads; "" without one."""
        return prompt_for(self.verifier, self.prompt, self.sampling.prompt) if self.verifier else ""

    @property
    def held_out_text(self) -> str:
        return prompt_for(self.held_out, self.prompt, self.sampling.prompt) if self.held_out else ""

    @property
    def accept_text(self) -> str:
        return prompt_for(self.accept, self.prompt, self.sampling.prompt) if self.accept else ""

    def finish(self, winner: Proposal, image: Tensor) -> Tensor:
        """The picture as it leaves the node."""
        return self.region.pasted(image, unchanged=winner.key == Path(None, (0.0,)).key) if self.region else image

    def start(self) -> Resolved:
        """Where the search begins: the incoming noises, or the own seed."""
        if self.noise is None:
            return Resolved((fresh(self.seed),), self.masks)
        found = resolve(self.noise, self.sampling.latent["samples"])
        if len(found.candidates) > self.budget.pictures:
            raise ValueError(
                f"pictures must be enough for the incoming noise, which holds {len(found.candidates)}, "
                f"got {self.budget.pictures}"
            )
        return Resolved(found.candidates, {**found.leaves, **self.masks})
