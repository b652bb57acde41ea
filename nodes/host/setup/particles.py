"""The state of rollouts between two noise levels."""

from dataclasses import dataclass

from .noise import Latent


@dataclass(frozen=True, eq=False)
class Particles:
    """n rollouts at one noise level: the state from which sampling goes on exactly.

    Args:
        x0: Estimated clean latents in VAE units, `(n, …)`.
        eps: Unit noise, `(n, …)`; the state is x0 noised with it to `sigma`.
        sigma: Noise level, in the model's own scale; 0 = done.
        seeds: Sampler seed of each particle.
        estimates: Clean latents as they were expected at the rollout's `estimate_at`, `(n, …)`, or None.
        anchor: Under an inpainting mask, the unit noise `(n, …)` that is on what the mask keeps, at every level; else
            None.
        handed: Where the noise levels of a whole rollout end above 0, x0 is what was expected then, and this the
            noised latents `(n, …)` as the host's sampler hands them on; else None.
    """

    x0: Latent
    eps: Latent
    sigma: float
    seeds: tuple[int, ...]
    estimates: Latent | None = None
    anchor: Latent | None = None
    handed: Latent | None = None

    def __len__(self) -> int:
        return len(self.seeds)


@dataclass(frozen=True, eq=False)
class Ended:
    """Where one rollout ended.

    Args:
        clean: What is decoded and judged, a batch of one.
        handed: What the host's sampler hands on where that is another latent: the noised one, of noise levels that end
            above 0.
    """

    clean: Latent
    handed: Latent | None = None

    @property
    def output(self) -> Latent:
        """What leaves a search node."""
        return self.clean if self.handed is None else self.handed
