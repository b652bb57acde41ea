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
    """

    x0: Latent
    eps: Latent
    sigma: float
    seeds: tuple[int, ...]
    estimates: Latent | None = None
    anchor: Latent | None = None

    def __len__(self) -> int:
        return len(self.seeds)
