"""What a search node was asked for, checked before anything is sampled."""

from dataclasses import dataclass
from typing import Any

from ...search.noise import fresh
from ...search.run import Budget
from .noise import Resolved, describe, resolve
from .pace import check_minutes
from .sampling import Sampling
from .verifiers import prompt_for


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

    def __post_init__(self) -> None:
        if not 1 <= self.keep <= self.budget.pictures:
            raise ValueError(f"keep must be between 1 and pictures ({self.budget.pictures}), got {self.keep}")
        if self.draft is not None and self.draft.shapes != self.sampling.shapes:
            raise ValueError(f"draft must make latents of the sampling's shape {describe(self.sampling.shapes)}, because it drafts with the "
                             f"same noises, got {describe(self.draft.shapes)}")
        check_minutes(self.budget, self.sampling)
        if self.verifier is not None:
            prompt_for(self.verifier, self.prompt, self.sampling.prompt)

    @property
    def text(self) -> str:
        """What the verifier reads; "" without one."""
        return prompt_for(self.verifier, self.prompt, self.sampling.prompt) if self.verifier else ""

    def start(self) -> Resolved:
        """Where the search begins: the incoming noises, or the own seed."""
        if self.noise is None:
            return Resolved((fresh(self.seed),))
        found = resolve(self.noise, self.sampling.latent["samples"])
        if len(found.candidates) > self.budget.pictures:
            raise ValueError(f"pictures must be enough for the incoming noise, which holds {len(found.candidates)}, "
                             f"got {self.budget.pictures}")
        return found
