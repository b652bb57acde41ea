"""Candidates and walks along the path, brought to where they end: the states between are kept for as long as a search
needs them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import comfy.samplers
import torch
from torch import Tensor

from ....search.noise import Candidate, draw
from ....search.path import Path, Proposal
from ..compat import is_out_of_memory
from ..errors import SAMPLING, failing
from ..setup.beginnings import can_begin
from ..setup.noise import Latent, joined, owned, shapes_of, streams
from ..setup.rowwise import with_row_noise
from ..setup.sampling import Sampling, repeated
from ..store.memo import Memo
from .rollout import Particles, Rollout

CUTTABLE = ("sample_euler", "sample_heun", "sample_dpm_2")  # deterministic, and no step looks back at the one before
SUBSTITUTE = "euler"


@dataclass(frozen=True, eq=False)
class Reached:
    """What was sampled together.

    Args:
        rows: Places in what was asked.
        latents: Clean latents where they end, `(n, …)`: pictures, or the estimates of them.
        handed: What the host's sampler hands on there, `(n, …)`, where that is another latent; else None.
        estimates: What was expected at the rollout's `estimate_at`, `(n, …)`, or None.
        nfe: Forward passes of the denoiser of each.
        remembered: Whether they were sampled by an earlier run, and cost nothing now.
    """

    rows: tuple[int, ...]
    latents: Latent
    handed: Latent | None
    estimates: Latent | None
    nfe: int
    remembered: bool = False


class Walker:
    """Runs candidates in full, and walks from the states that their parents left.

    Args:
        rollout: Of the setup; counts what is paid.
        draft: Of a cheaper setup, for drafts; None where the same one is drafted with, in fewer steps.
        memo: What was sampled before, and where what is sampled now is kept.
    """

    def __init__(self, rollout: Rollout, draft: Rollout | None = None, memo: Memo | None = None):
        self.rollout, self.draft, self.memo = rollout, draft, memo or Memo()
        self.levels = tuple(rollout.sampling.sigmas.tolist())
        self.states: dict[str, Particles] = {}
        self.replaced = False  # whether walks were cut where the setup's sampler could not be

    @property
    def nfe(self) -> float:
        return self.rollout.nfe + (self.draft.nfe if self.draft else 0)

    def reached(
        self, proposed: Sequence[Proposal], begin: Callable[[Sequence[int]], None] = lambda rows: None
    ) -> Iterator[Reached]:
        """Batch by batch, what can be sampled together at once; every state stays until `keep`.

        Args:
            begin: Called with the places of what is sampled next.
        """
        for rows in alike(proposed):
            while rows:
                part, rows = rows[: self.rollout.batch], rows[self.rollout.batch :]
                known = {row: found for row in part if (found := self.recalled(proposed[row]))}
                if known:
                    yield self.again(known, proposed)
                if new := [row for row in part if row not in known]:
                    together, before = [proposed[row] for row in new], self.nfe
                    begin(new)
                    with failing("Sampling", together, SAMPLING):
                        found = self.attempt(together)
                    if found is None:
                        self.rollout.halve(len(new))
                        rows = new + rows
                        continue
                    yield self.arrived(new, proposed, found, round(self.nfe - before))

    def recalled(self, proposed: Proposal) -> tuple[Particles, int] | None:
        """Where an earlier run left it, and the model calls that it took."""
        found = self.memo.sampled(self.known_as(proposed))
        if not found or shapes_of(found[0].x0) != self.rollout.sampling.finished_shapes:
            return None
        anchored = not found[0].sigma or self.rollout.sampling.mask is None or found[0].anchor is not None
        return found if anchored else None

    def again(self, known: Mapping[int, tuple[Particles, int]], proposed: Sequence[Proposal]) -> Reached:
        """What an earlier run sampled, of walks that are alike and so took the same calls."""
        states = [state for state, _ in known.values()]
        self.states |= {self.known_as(proposed[row]).key: state for row, state in zip(known, states)}
        return self.left(tuple(known), replace(merged(states), estimates=None), next(iter(known.values()))[1], True)

    def arrived(self, rows: Sequence[int], proposed: Sequence[Proposal], found: Particles, nfe: int) -> Reached:
        """Keeps where a batch ended, here and on the disk."""
        ends = [self.known_as(proposed[row]) for row in rows]
        states = [row_of(found, place) for place in range(len(rows))]
        self.states |= {end.key: state for end, state in zip(ends, states)}
        self.memo.keep_sampled(ends, states, nfe)
        return self.left(tuple(rows), found, nfe)

    def left(self, rows: tuple[int, ...], found: Particles, nfe: int, remembered: bool = False) -> Reached:
        """What leaves, in the host's types."""
        host_type = self.rollout.host_type
        handed = None if found.handed is None else host_type(found.handed)
        return Reached(rows, host_type(found.x0), handed, found.estimates, nfe, remembered)

    def keep(self, proposed: Iterable[Proposal]) -> None:
        """Drops the states of all others; what stays no longer keeps the batch alive that it was a row of."""
        wanted = {self.known_as(one).key for one in proposed}
        self.states = {key: owned_state(state) for key, state in self.states.items() if key in wanted}

    def attempt(self, together: Sequence[Proposal]) -> Particles | None:
        """Where they end; None if the memory did not hold a batch that can be halved."""
        first = together[0]
        if isinstance(first, Candidate):
            return self.rollout.finished(cast("Sequence[Candidate]", together))  # of one kind, all of them
        try:
            return self.walk(cast("Sequence[Path]", together))
        except RuntimeError as error:
            if len(together) == 1 or not is_out_of_memory(error):
                raise
        return None

    def walk(self, together: Sequence[Path]) -> Particles:
        first = together[0]
        if first.draft and self.draft:
            noises = [
                path.parent for path in together if isinstance(path.parent, Candidate)
            ]  # which all drafts begin with
            return self.draft.advance(self.draft.start(noises), self.draft.sampling.sigmas)
        start = self.start(together)
        if not first.steps:
            return start
        levels = torch.tensor(first.levels, dtype=self.rollout.sampling.sigmas.dtype)
        return self.rollout.advance(start, levels, self.sampler_for(together), walking=True)

    def start(self, together: Sequence[Path]) -> Particles:
        """Where the walks begin: the first noise, or their parents' states with fresh noise added where they begin
        above them.
        """
        noises = [path.parent for path in together if isinstance(path.parent, Candidate)]
        if len(noises) == len(together):
            return replace(self.rollout.start(noises), sigma=together[0].levels[0])
        states = [self.renoised(path, self.state_of(path.parent)) for path in together]
        return merged(states)

    def state_of(self, proposed: Proposal | None) -> Particles:
        """The state of a parent, sampled anew if it was not kept."""
        if proposed is None:
            latent = self.rollout.sampling.latent["samples"]
            zeros = joined([torch.zeros_like(part) for part in streams(latent)])
            return Particles(repeated(latent, 1), zeros, 0.0, (0,))
        known = self.known_as(proposed)
        if known.key not in self.states:
            list(self.reached([known]))
        return self.states[known.key]

    def renoised(self, path: Path, state: Particles) -> Particles:
        level = path.levels[0]
        if level > state.sigma:
            rho = self.noise_to_signal(state.sigma) / self.noise_to_signal(level)
            fresh = draw(path.seed, self.rollout.sampling.shapes)
            eps = [rho * old + math.sqrt(1 - rho * rho) * new.to(old) for old, new in zip(streams(state.eps), fresh)]
            noise = joined(eps)
            state = replace(state, eps=noise, sigma=level, anchor=self.rollout.anchored(noise))
        return replace(state, seeds=(path.sampler_seed,), estimates=None)

    def noise_to_signal(self, level: float) -> float:
        if not self.rollout.sampling.flow:
            return level
        return level / (1 - level) if level < 1 else math.inf

    def known_as(self, proposed: Proposal) -> Proposal:
        """A walk that is the setup's own whole rollout of a candidate is that candidate."""
        if not isinstance(proposed, Path) or proposed.levels != self.levels or proposed.eta or proposed.draft:
            return proposed
        return proposed.parent if isinstance(proposed.parent, Candidate) else proposed

    def sampler_for(self, together: Sequence[Path]) -> Any:
        """The setup's own where the walk is whole: from its first noise, or from fresh noise, down to 0."""
        first, own = together[0], self.rollout.sampling.sampler
        seeds = [path.sampler_seed for path in together]
        if first.eta:
            return stirred(first.eta, [path.seed for path in together], self.rollout.sampling)
        begins = can_begin(own) or self.rollout.sampling.mask is None
        if is_cuttable(own) or (begins and not first.end and (first.renoised or isinstance(first.parent, Candidate))):
            return self.rollout.sampler_for(seeds) if len(seeds) == 1 else with_row_noise(own, seeds)
        self.replaced = True
        return comfy.samplers.sampler_object(SUBSTITUTE)


def alike(proposed: Sequence[Proposal]) -> list[list[int]]:
    """Places of those that can be sampled together: whole candidates, or walks along the same levels."""
    groups: dict[Any, list[int]] = {}
    for row, one in enumerate(proposed):
        walk = (
            (one.levels, one.eta, one.draft, one.renoised, isinstance(one.parent, Candidate))
            if isinstance(one, Path)
            else ()
        )
        groups.setdefault(walk, []).append(row)
    return list(groups.values())


def is_cuttable(sampler: Any) -> bool:
    """Whether a walk can stop at any level with this sampler and go on as if it had not."""
    if type(sampler) is not comfy.samplers.KSAMPLER:
        return False
    return sampler.sampler_function.__name__ in CUTTABLE and not sampler.extra_options.get("s_churn", 0)


def stirred(eta: float, seeds: Sequence[int], sampling: Sampling) -> Any:
    """Euler steps that mix fresh noise into each state and keep its law: rho = cos(eta pi / 2), row k drawn from
    `seeds[k]`.
    """
    rho, flow = math.cos(eta * math.pi / 2), sampling.flow
    scale = getattr(sampling.guider.model_patcher.get_model_object("model_sampling"), "noise_scale", 1.0)

    def sample(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: dict | None = None,
        callback: Callable | None = None,
        disable: bool | None = None,
        **rest: Any,
    ) -> Tensor:
        draws = [after_first_noise(seed, sampling) for seed in seeds]
        for step in range(len(sigmas) - 1):
            start, end = sigmas[step], sigmas[step + 1]
            x0 = model(x, start * x.new_ones([x.shape[0]]), **(extra_args or {}))
            if callback is not None:
                callback({"x": x, "i": step, "sigma": start, "sigma_hat": start, "denoised": x0})
            if end == 0:
                return x0
            eps = (x - (1 - start) * x0) / start if flow else (x - x0) / start
            fresh = torch.cat([torch.randn((1, *x.shape[1:]), generator=generator) for generator in draws])
            eps = rho * eps + math.sqrt(1 - rho * rho) * scale * fresh.to(x)
            x = ((1 - end) * x0 if flow else x0) + end * eps
        return x

    return comfy.samplers.KSAMPLER(sample)


def after_first_noise(seed: int, sampling: Sampling) -> torch.Generator:
    """A generator whose first draw, the noise that a walk may begin with, is over."""
    generator = torch.Generator().manual_seed(seed)
    for shape in sampling.shapes:
        torch.randn((1, *shape), generator=generator)
    return generator


def row_of(particles: Particles, row: int) -> Particles:
    def cut(latent: Latent) -> Latent:
        return joined([part[row : row + 1] for part in streams(latent)])

    return replace(
        particles,
        x0=cut(particles.x0),
        eps=cut(particles.eps),
        seeds=particles.seeds[row : row + 1],
        estimates=None,
        anchor=None if particles.anchor is None else cut(particles.anchor),
        handed=None if particles.handed is None else cut(particles.handed),
    )


def merged(states: Sequence[Particles]) -> Particles:
    def whole(latents: Sequence[Latent]) -> Latent:
        return joined([torch.cat(parts) for parts in zip(*(streams(latent) for latent in latents))])

    def whole_or_none(latents: Sequence[Latent | None]) -> Latent | None:
        return None if any(latent is None for latent in latents) else whole(latents)

    return Particles(
        whole([state.x0 for state in states]),
        whole([state.eps for state in states]),
        states[0].sigma,
        tuple(seed for state in states for seed in state.seeds),
        anchor=whole_or_none([state.anchor for state in states]),
        handed=whole_or_none([state.handed for state in states]),
    )


def owned_state(state: Particles) -> Particles:
    """The state, its tensors copied where they are views of larger ones."""

    def own(latent: Latent) -> Latent:
        return joined([owned(part) for part in streams(latent)])

    return replace(
        state,
        x0=own(state.x0),
        eps=own(state.eps),
        anchor=None if state.anchor is None else own(state.anchor),
        handed=None if state.handed is None else own(state.handed),
    )
