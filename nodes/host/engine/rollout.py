"""From noise to pictures, through the host's own sampling and memory management."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management as memory
import comfy.model_patcher
import comfy.model_sampling
import comfy.patcher_extension
import torch
from torch import Tensor

from ....search.noise import Candidate, materialize, state_behind
from ....verifiers.images import are_finite
from ..chunks import Chunks
from ..compat import as_sampled_by_ksampler, is_out_of_memory
from ..setup.beginnings import begun, can_begin
from ..setup.noise import Latent, Leaves, joined, shapes_of, streams
from ..setup.particles import Particles
from ..setup.rowwise import alone, with_row_noise
from ..setup.sampling import Sampling, repeated
from ..setup.second_stage import SecondStage
from ..setup.two_stage import guider_with
from .making import Making

log = logging.getLogger("noise_search")

MAX_BATCH = {"cpu": 8, "cuda": 16}
COUNTER = "noise_search"
MOST_DECODED = 1024  # pictures per call of a VAE, before the memory runs out: the host divides them itself


@dataclass(frozen=True, eq=False)
class Run:
    """What a way down is sampled with.

    Args:
        guider: A GUIDER.
        mask: Of what is sampled, as the host takes it, or None.
        denoised: Whether the estimate of the last step is what leaves.
    """

    guider: Any
    mask: Any
    denoised: bool


class Rollout:
    """Runs one Sampling for any number of candidates, batch by batch.

    Args:
        sampling: What to run.
        leaves: Tensors that the candidates' leaves name.
        on_step: Called after every step with (pictures in this batch, steps done of this batch, steps of a whole
            picture).
        making: Tells what the steps are of.
    """

    estimate_at: float | None = None  # share of the first noise level at which expected pictures are remembered

    def __init__(
        self,
        sampling: Sampling,
        leaves: Leaves | None = None,
        on_step: Callable[[int, int, int], None] | None = None,
        making: Making | None = None,
    ):
        self.sampling, self.leaves, self.on_step = sampling, leaves or {}, on_step
        self.making = making or Making()
        self.nfe = 0
        self.decoding = Chunks("Decoding", MOST_DECODED)
        self.batch = sampling.batch or fitting_batch(sampling)
        self.alone = alone(sampling)
        if self.alone:
            self.batch = 1

    def start(self, candidates: Sequence[Candidate]) -> Particles:
        """The candidates' noises on the setup's latent, at the first level."""
        latent = self.sampling.latent["samples"]
        parts = materialize(candidates, self.sampling.shapes, self.leaves)
        eps = joined([part.to(row.dtype) for part, row in zip(parts, streams(latent))])
        seeds = tuple(candidate.sampler_seed for candidate in candidates)
        return Particles(
            repeated(latent, len(candidates)), eps, float(self.sampling.sigmas[0]), seeds, anchor=self.anchored(eps)
        )

    def anchored(self, eps: Latent) -> Latent | None:
        """The noise that what is kept has from here on, where something is kept."""
        return None if self.sampling.mask is None else eps

    def finished(self, candidates: Sequence[Candidate]) -> Particles | None:
        """All steps of one batch; None if the memory did not hold a batch that can be halved."""
        try:
            done = self.advance(self.start(candidates), self.sampling.sigmas, run=self.own)
            return self.second(done, self.sampling.second) if self.sampling.second else done
        except RuntimeError as error:
            if len(candidates) == 1 or not is_out_of_memory(error):
                raise
        return None

    @property
    def own(self) -> Run:
        """What the setup is sampled with."""
        return Run(self.sampling.guider, self.sampling.mask, self.sampling.denoised)

    def second(self, done: Particles, stage: SecondStage) -> Particles:
        """The second stage, from what the first one handed on."""
        latent, mask = stage.begin(done.x0 if done.handed is None else done.handed, self.sampling.mask)
        seeds = done.seeds if stage.seed is None else (stage.seed,) * len(done)
        start = Particles(latent, stage.noise(seeds, latent), float(stage.sigmas[0]), seeds)
        sampler = stage.sampler if len(done) == 1 else with_row_noise(stage.sampler, seeds)
        guider = self.sampling.guider if stage.guider is None else stage.guider
        run = Run(guider, mask, stage.denoised)
        return replace(self.advance(start, stage.sigmas, sampler, run=run), seeds=done.seeds)

    def halve(self, count: int) -> None:
        self.batch = count // 2
        memory.soft_empty_cache()
        log.warning("Out of memory with %d pictures at once; going on with %d.", count, self.batch)

    def advance(
        self,
        particles: Particles,
        sigmas: Tensor,
        sampler: Any = None,
        walking: bool = False,
        run: Run | None = None,
    ) -> Particles:
        """Moves particles along `sigmas`, `(steps + 1,)`, which start at their own level, in one batch.

        The sampler is the setup's if none is given.

        Args:
            walking: Whether this is a piece of the setup's own way down, for which all that the host derives from the
                whole run is that of the setup.
            run: What a whole way down is sampled with: where that ends above 0, the last step's x0 is the result,
                beside what the host's sampler hands on. Without one, what is sampled with is the setup's own, and
                ending above 0 returns the state at the last level, with that x0 as estimate.

        Raises:
            ValueError: If the result is not finite.
        """
        sampler, ends = sampler or self.sampler_for(particles.seeds), float(sigmas[-1])
        whole, run = run is not None, run or self.own
        seen: dict[str, Tensor] = {}
        noise, latent = particles.eps, particles.x0
        if walking and can_begin(sampler):
            sampler = begun(sampler, particles, self.sampling.sigmas)
            noise = particles.eps if particles.anchor is None else particles.anchor
            latent = repeated(self.sampling.latent["samples"], len(particles))
        seed_like_the_host(particles.seeds[0], shapes_of(particles.x0))
        guider = self.counting_guider(run.guider, len(particles), len(sigmas) - 1)
        output = guider.sample(
            noise,
            latent,
            sampler,
            sigmas.clone(),
            denoise_mask=run.mask,
            callback=self.step_callback(len(particles), sigmas, seen, guider.model_patcher),
            disable_pbar=True,
            seed=particles.seeds[0],
        )
        check_finite(output)
        estimates = cleaned(guider, seen["estimate"]) if "estimate" in seen else None
        if ends and not whole:
            return cut_state(guider, output, seen["x0"], ends, replace(particles, estimates=estimates))
        done = replace(particles, x0=output, sigma=0.0, estimates=estimates)
        if "x0" not in seen or not (ends or run.denoised):  # like the host, where a sampler tells no estimate
            return done
        return replace(done, x0=cleaned(guider, seen["x0"]), handed=None if run.denoised else output)

    def sampler_for(self, seeds: Sequence[int]) -> Any:
        return self.sampling.sampler if len(seeds) == 1 else with_row_noise(self.sampling.sampler, seeds)

    def counting_guider(self, guider: Any, count: int, steps: int) -> Any:
        """A copy of a guider that counts forward passes of the denoiser per picture."""

        def counted(executor: Callable, x: Tensor, *arguments: Any, **options: Any) -> Any:
            self.making.called(steps)
            self.nfe += x.shape[0] / count
            return executor(x, *arguments, **options)

        def counting(guider: Any) -> Any:
            guider.model_options = comfy.model_patcher.create_model_options_clone(guider.model_options)
            wrapper = comfy.patcher_extension.WrappersMP.APPLY_MODEL
            comfy.patcher_extension.add_wrapper_with_key(
                wrapper, COUNTER, counted, guider.model_options, is_model_options=True
            )
            return guider

        return guider_with(guider, counting)

    def step_callback(self, count: int, sigmas: Tensor, seen: dict, patcher: Any) -> Callable:
        last, steps = self.sampling.sigmas[0] * (self.estimate_at or 0), len(self.sampling.sigmas) - 1

        def after_step(step: int, x0: Latent, x: Latent, total: int) -> None:
            memory.throw_exception_if_processing_interrupted()
            seen["x0"] = x0
            if self.estimate_at and "estimate" not in seen and sigmas[step] <= last:
                seen["estimate"] = x0
            if self.on_step:
                self.on_step(count, step + 1, max(steps, total))
            self.making.step(step + 1, total, x0, patcher)

        return after_step

    def host_type(self, latent: Latent) -> Latent:
        latent = latent.to(memory.intermediate_device())
        return as_sampled_by_ksampler(latent) if self.sampling.intermediate_type else latent

    def decode(self, latents: Latent, vae: Any = None) -> Tensor:
        """Pictures `(n, h, w, c)` in 0..1, or `(n, frames, h, w, c)` of a video, of what is shown of the latents, by
        the setup's VAE if no other is given.
        """
        used, rows, show = vae or self.sampling.vae, streams(latents)[0], self.sampling.showing.decode
        images = self.decoding.over(
            len(rows),
            lambda part: checked_pictures(show(used, rows[part], used is self.sampling.vae), part.stop - part.start),
        )
        if not are_finite(images).all():
            raise ValueError(
                "The VAE must give finite pictures, got NaN or infinite values (try a VAE in full precision)"
            )
        return images


def checked_pictures(images: Tensor, count: int) -> Tensor:
    """What a VAE gave for `count` latents, if it is one picture or video for each."""
    if images.ndim not in (4, 5) or len(images) != count:
        raise ValueError(
            f"The VAE must give one picture for each latent, {count} x height x width x colours, "
            f"got {' x '.join(map(str, images.shape))}"
        )
    return images


def fitting_batch(sampling: Sampling) -> int:
    """How many pictures fit into the free memory beside the model, at least 1."""
    patcher = sampling.guider.model_patcher
    device = patcher.load_device
    shape: tuple[int, ...] = (2, *sampling.shapes[0])
    if sampling.second:
        shape = (2, *sampling.finished_shapes[0])
    needed = patcher.model.memory_required(shape)
    free: Any = memory.get_free_memory(device)
    missing = patcher.model_size() - patcher.loaded_size()
    room = max(free - missing, 0.4 * free)
    return int(max(1, min(MAX_BATCH.get(device.type, 8), room * 0.8 // max(needed, 1))))


def seed_like_the_host(seed: int, shapes: Sequence[tuple[int, ...]]) -> None:
    """Leaves torch's global generator as the host's own noise drawing does, for samplers and patches that draw from
    it.
    """
    torch.manual_seed(seed)
    torch.set_rng_state(state_behind(seed, shapes))


def check_finite(latent: Latent) -> None:
    for part in streams(latent):
        if not part.sum(dtype=torch.float32).isfinite():
            raise ValueError(
                "The sampler must give finite latents, got NaN or infinite values "
                "(check cfg, the model's precision and the sampler)"
            )


def cleaned(guider: Any, x0: Latent) -> Latent:
    """Expected clean latents in VAE units, on the CPU, from the model's own."""
    process = guider.model_patcher.model.process_latent_out
    return (
        joined([process(part.cpu()) for part in streams(x0)]) if getattr(x0, "is_nested", False) else process(x0.cpu())
    )


def cut_state(guider: Any, output: Latent, x0: Latent, sigma: float, particles: Particles) -> Particles:
    """The state at `sigma` after a partial run, whose output is the noised latent over its signal scale."""
    model, sampling_type = guider.model_patcher.model, guider.model_patcher.get_model_object("model_sampling")
    flow = isinstance(sampling_type, comfy.model_sampling.CONST)
    level = sigma / (1 - sigma) if flow else sigma  # noise over signal
    level *= getattr(sampling_type, "noise_scale", 1.0)
    noised = [model.process_latent_in(part) for part in streams(output)]
    eps = [(part.cpu() - clean.cpu()) / level for part, clean in zip(noised, streams(x0))]
    return replace(particles, x0=cleaned(guider, x0), eps=joined(eps), sigma=sigma)
