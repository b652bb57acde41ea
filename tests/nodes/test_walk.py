"""Walks along the path in the host: cut and resumed, re-noised, stirred, kept where they were masked, and the same
again.
"""

import math

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.nodes.test_rollout import FAMILIES, SEEDS, SETTINGS, far

STEPS = 6
RAMP = torch.linspace(0, 1, 64).expand(1, 64, 64)
MASKS = {"half": (RAMP > 0.5).float(), "grey": torch.full((1, 64, 64), 0.4), "gradient": RAMP.contiguous()}
PATCHES = {"plain": None, "Differential Diffusion": 1.0, "Differential Diffusion at 0.5": 0.5}


@pytest.fixture
def walkers(host, tiny):
    """Builds a walker of a family; `host.part("search.path")` has what it walks."""
    from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

    sampling, rollout, walk = (
        host.part(f"nodes.host.{name}") for name in ("setup.sampling", "engine.rollout", "engine.walker")
    )

    def build(family, sampler="euler", batch=0, latent=None, patch=None, **changes):
        parts, settings = tiny(family), {**SETTINGS, "steps": STEPS, "sampler_name": sampler, **changes}
        model = parts.model if patch is None else host.call(DifferentialDiffusion.execute, parts.model, patch)[0]
        setup = sampling.from_ksampler(
            model, parts.positive, parts.negative, latent or parts.latent, parts.vae, batch=batch, **settings
        )
        return walk.Walker(rollout.Rollout(setup))

    return build


@pytest.fixture
def paths(host):
    return host.part("search.path")


@pytest.fixture
def fresh(host):
    return host.part("search.noise").fresh


def ends(host, walker, proposed):
    """Latents where they end, `(n, …)`, in the order that was asked for."""

    def collected():
        rows = {row: latent for found in walker.reached(proposed) for row, latent in zip(found.rows, found.latents)}
        return torch.stack([rows[row] for row in range(len(proposed))]).cpu()

    return host.call(collected)


def cut_at(paths, candidate, levels, *places):
    """A walk along all levels that is cut at these places."""
    walk = candidate
    for start, end in zip((0, *places), (*places, len(levels) - 1)):
        walk = paths.Path(walk, levels[start : end + 1])
    return walk


@pytest.mark.parametrize("family", FAMILIES)
def test_a_walk_cut_twice_ends_where_the_uncut_one_does(host, walkers, paths, fresh, family):
    walker = walkers(family, batch=2)
    candidates = [fresh(seed) for seed in SEEDS[:2]]
    cut = [cut_at(paths, candidate, walker.levels, 2, 4) for candidate in candidates]
    assert far(ends(host, walker, cut), ends(host, walkers(family), candidates)) < rounding(1e-5)
    assert not walker.replaced


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("mask", MASKS)
def test_a_walk_under_any_mask_that_is_cut_ends_where_the_uncut_one_does(
    host, tiny, walkers, paths, fresh, family, patch, mask
):
    latent = masked(tiny(family).shape, mask)
    walker = walkers(family, latent=latent, patch=PATCHES[patch])
    uncut = ends(host, walkers(family, latent=latent, patch=PATCHES[patch]), [fresh(SEEDS[0])])
    for places in ((3,), (2, 4)):
        assert far(ends(host, walker, [cut_at(paths, fresh(SEEDS[0]), walker.levels, *places)]), uncut) < rounding(1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("patch", PATCHES)
def test_a_walk_under_a_mask_that_is_noised_again_and_cut_ends_where_the_uncut_one_does(
    host, tiny, walkers, paths, fresh, family, patch
):
    walker = walkers(family, latent=masked(tiny(family).shape, "gradient"), batch=2, patch=PATCHES[patch])
    again = [paths.renoise(paths.Path(fresh(seed), walker.levels), walker.levels[2:], seed=5) for seed in SEEDS[:2]]
    cut = [paths.Path(paths.Path(one.parent, walker.levels[2:4], one.seed), walker.levels[3:]) for one in again]
    assert far(ends(host, walker, cut), ends(host, walker, again)) < rounding(1e-5)


def test_noise_that_is_added_again_is_on_what_the_mask_keeps_too(host, tiny, walkers, paths, fresh):
    """Two noises that do not belong together, mixed where the mask is grey, would be less noise than the level has."""
    walker = walkers("sd15", latent=masked(tiny("sd15").shape, "grey"))
    again = paths.renoise(paths.Path(fresh(SEEDS[0]), walker.levels[:5]), walker.levels[2:], seed=5)
    state, start = (
        host.call(part, given) for part, given in ((walker.state_of, again.parent), (walker.start, [again]))
    )
    assert torch.equal(start.anchor, start.eps) and far(start.anchor, state.anchor) > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_where_a_mask_is_grey_a_picture_stays_near_the_original_however_often_it_is_noised_again(
    host, tiny, walkers, paths, fresh, family
):
    latent = masked(tiny(family).shape, "grey")
    walker = walkers(family, latent=latent)
    first = walk = paths.Path(fresh(SEEDS[0]), walker.levels)
    for seed in range(5):
        walk = paths.renoise(walk, walker.levels[1:], seed=seed)
    before, once, often = latent["samples"], *(ends(host, walker, [one]) for one in (first, walk))
    assert (often - before).abs().mean() < 1.5 * (once - before).abs().mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cut_walk_under_a_mask_goes_on_from_what_the_store_kept(host, tiny, walkers, paths, fresh, family):
    memo = host.part("nodes.host.store.memo")
    walker = walkers(family, latent=masked(tiny(family).shape, "gradient"))
    parent = paths.renoise(paths.Path(fresh(SEEDS[0]), walker.levels), walker.levels[1:4], seed=5)
    expected = ends(host, walker, [paths.Path(parent, walker.levels[3:])])
    kept = host.call(walker.state_of, parent)
    walker.states = {parent.key: memo.particles(memo.record(*memo.tensors_of(kept), 1))[0]}
    assert far(ends(host, walker, [paths.Path(parent, walker.levels[3:])]), expected) < rounding(1e-5)


def test_a_pair_of_models_under_a_mask_is_not_cut(host, tiny):
    parts, sampling = tiny("sd15"), host.part("nodes.host.setup.sampling")
    conditions = [(parts.positive, parts.negative)] * 2
    setup = host.call(
        lambda: sampling.from_pair(
            [parts.model] * 2,
            conditions,
            masked(parts.shape),
            parts.vae,
            steps=STEPS,
            switch=3,
            cfgs=[3.0, 3.0],
            sampler_name="euler",
            scheduler="simple",
        )
    )
    with pytest.raises(ValueError, match="two models without an inpainting mask"):
        _ = setup.schedule


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_what_a_mask_keeps_stays_when_a_picture_is_noised_again(host, tiny, walkers, paths, fresh, family, eta):
    latent = masked(tiny(family).shape)
    walker = walkers(family, latent=latent)
    child = paths.renoise(paths.Path(None, (0.0,)), walker.levels[2:], seed=5, eta=eta)
    found = ends(host, walker, [child])
    kept = latent["noise_mask"][:, None] == 0  # (1, 1, h, w), broadcast over channels and frames
    kept = (
        torch.nn.functional.interpolate(kept.float(), size=found.shape[-2:])
        .bool()
        .expand(found[0].shape[-3], -1, -1, -1)
    )
    before = latent["samples"]
    inside = kept[0, 0].expand(found.shape)
    assert (found - before)[inside].abs().max() < 1e-3 * before.abs().max()
    assert (found - before)[~inside].abs().max() > 1e-2


@pytest.mark.parametrize("family", FAMILIES)
def test_noise_that_is_added_gives_the_state_the_law_of_its_new_level(host, walkers, paths, fresh, family):
    """From t up to s, the noise is that of s: a variance of one, and as much of the old noise in it as the levels
    say.
    """
    walker = walkers(family)
    low, high = walker.levels[4], walker.levels[2]
    parent = paths.Path(fresh(SEEDS[0]), walker.levels[:5])
    state = host.call(walker.state_of, parent)
    rolled = type(state)(state.x0, torch.randn(state.eps.shape, generator=torch.Generator().manual_seed(2)), low, (0,))
    up = host.call(walker.renoised, paths.Path(parent, (high, 0.0), seed=3), rolled)
    old, new = rolled.eps.flatten(), up.eps.flatten()
    ratio = walker.noise_to_signal(low) / walker.noise_to_signal(high)
    assert up.sigma == high and torch.equal(up.x0, rolled.x0)
    assert abs(new.std() - 1) < 5 / math.sqrt(2 * len(new)) and abs(
        torch.corrcoef(torch.stack([old, new]))[0, 1] - ratio
    ) < 5 / math.sqrt(len(new))


def test_a_flow_state_noised_again_is_the_markov_kernel_of_the_flow(host, walkers, paths, fresh):
    """x_s = a x_t + sqrt(s^2 - (a t)^2) xi with a = (1 - s) / (1 - t)."""
    walker = walkers("sd3")
    t, s = walker.levels[4], walker.levels[1]
    state = host.call(walker.state_of, paths.Path(fresh(1), walker.levels[:5]))
    up = host.call(walker.renoised, paths.Path(paths.Path(fresh(1), walker.levels[:5]), (s, 0.0), seed=9), state)
    xi = host.part("search.noise").draw(9, [(16, 8, 8)])[0]
    before, after = ((1 - level) * state.x0 + level * eps for level, eps in ((t, state.eps), (s, up.eps)))
    a = (1 - s) / (1 - t)
    assert far(after, a * before + math.sqrt(s * s - (a * t) ** 2) * xi) < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stirred_walk_does_not_depend_on_its_batch_and_repeats_from_its_seed(host, walkers, paths, fresh, family):
    def walks(levels, seeds):
        return [paths.Path(fresh(7), levels, seed, eta=0.5) for seed in seeds]

    batched, alone = walkers(family, batch=3), walkers(family, batch=1)
    found = ends(host, batched, walks(batched.levels, (11, 12, 13)))
    assert far(found, ends(host, alone, walks(alone.levels, (11, 12, 13)))) < rounding(1e-5)
    assert far(found[:1], found[1:2]) > 1e-3  # other seeds, other pictures


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stirred_walk_without_stirring_is_the_ode(host, walkers, paths, fresh, family):
    walker, module = walkers(family), host.part("nodes.host.engine.walker")
    start = host.call(walker.rollout.start, [fresh(1)])
    sigmas = walker.rollout.sampling.sigmas
    stirred = host.call(walker.rollout.advance, start, sigmas, module.stirred(0.0, [1], walker.rollout.sampling))
    assert far(stirred.x0, ends(host, walkers(family), [fresh(1)])) < rounding(1e-5)


@pytest.mark.parametrize("family", ["sd3", "sd15"])
@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_a_stirred_step_mixes_fresh_noise_by_its_angle(host, walkers, paths, fresh, family, eta):
    """eps' = cos(eta pi / 2) eps + sin(eta pi / 2) xi after the first step, xi the second noise of the walk's seed."""
    walker, start = walkers(family, latent=None), walkers(family).levels[:2]
    plain, stirred = (host.call(walker.state_of, paths.Path(fresh(7), start, 11, eta=value)) for value in (0.0, eta))
    generator = torch.Generator().manual_seed(11)
    _, xi = (torch.randn(plain.eps.shape, generator=generator) for _ in range(2))
    angle = eta * math.pi / 2
    assert far(stirred.x0, plain.x0) < rounding(1e-5)
    assert far(stirred.eps, math.cos(angle) * plain.eps + math.sin(angle) * xi) < 1e-4


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde"])
def test_a_sampler_that_cannot_be_cut_is_replaced_where_it_is_cut_and_only_there(host, walkers, paths, fresh, sampler):
    walker = walkers("sd3", sampler)
    whole = ends(host, walker, [paths.Path(fresh(1), walker.levels)])
    assert torch.equal(whole, ends(host, walkers("sd3", sampler), [fresh(1)])) and not walker.replaced
    refined = ends(host, walker, [paths.renoise(paths.Path(fresh(1), walker.levels), walker.levels[3:], seed=2)])
    assert refined.isfinite().all() and not walker.replaced
    assert far(
        ends(host, walker, [cut_at(paths, fresh(1), walker.levels, 3)]), ends(host, walkers("sd3"), [fresh(1)])
    ) < rounding(1e-5)
    assert walker.replaced


def test_states_are_kept_only_as_long_as_they_are_needed_and_made_again_where_they_are_not(host, walkers, paths, fresh):
    walker = walkers("sd3", cfg=1.0)
    parent = paths.Path(fresh(1), walker.levels[:4])
    child = paths.Path(parent, walker.levels[3:])
    ends(host, walker, [parent])
    assert walker.nfe == 3
    first = ends(host, walker, [child])
    assert walker.nfe == STEPS
    walker.keep([])
    assert not walker.states
    assert torch.equal(ends(host, walker, [child]), first) and walker.nfe == 2 * STEPS


def test_walks_that_differ_are_measured_in_one_round_in_the_order_of_asking(host, walkers, paths, fresh):
    walker = walkers("sd3", batch=2)
    asked = [
        fresh(1),
        paths.draft(fresh(2), walker.levels[::3]),
        fresh(3),
        paths.Path(fresh(4), walker.levels[:4]),
        fresh(5),
    ]
    found = ends(host, walker, asked)
    single = torch.cat([ends(host, walkers("sd3"), [one]) for one in asked])
    assert far(found, single) < rounding(1e-5)


def test_out_of_memory_on_a_walk_halves_the_batch_and_loses_nothing(host, walkers, paths, fresh, monkeypatch):
    walks = [paths.Path(fresh(seed), walkers("sd3").levels[:4]) for seed in SEEDS]
    expected = ends(host, walkers("sd3", batch=4), walks)
    walker = walkers("sd3", batch=4)
    advance = walker.rollout.advance

    def full_above_two(particles, *rest, **options):
        if len(particles) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return advance(particles, *rest, **options)

    monkeypatch.setattr(walker.rollout, "advance", full_above_two)
    assert far(ends(host, walker, walks), expected) < 1e-5 and walker.rollout.batch == 2


def masked(shape, mask="half"):
    """A picture of which the right half, all of it somewhat, or more and more to the right is to be painted anew."""
    return {"samples": torch.randn((1, *shape), generator=torch.Generator().manual_seed(3)), "noise_mask": MASKS[mask]}


def controlled(host, tiny, strength=0.8):
    """Conditioning of the sd15 family under a ControlNet."""
    import nodes

    parts, hint = tiny("sd15"), torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(8))
    apply = nodes.ControlNetApplyAdvanced().apply_controlnet
    return host.call(apply, parts.positive, parts.negative, host.toys.controlnet(), hint, strength, 0.0, 1.0)


def controlled_walker(host, tiny, batch, **changes):
    parts, sampling = tiny("sd15"), host.part("nodes.host.setup.sampling")
    positive, negative = controlled(host, tiny, **changes)
    setup = sampling.from_ksampler(
        parts.model,
        positive,
        negative,
        parts.latent,
        parts.vae,
        batch=batch,
        **{**SETTINGS, "steps": STEPS, "sampler_name": "euler"},
    )
    return host.part("nodes.host.engine.walker").Walker(host.part("nodes.host.engine.rollout").Rollout(setup))


def test_under_a_controlnet_a_batch_equals_the_stock_ksampler_and_a_cut_walk_the_uncut_one(
    host, tiny, walkers, paths, fresh
):
    import nodes

    parts = tiny("sd15")
    positive, negative = controlled(host, tiny)
    stock = [
        host.call(
            nodes.KSampler().sample,
            parts.model,
            seed,
            STEPS,
            3.0,
            "euler",
            "simple",
            positive,
            negative,
            parts.latent,
            1.0,
        )[0]["samples"].cpu()
        for seed in SEEDS[:2]
    ]
    candidates, walker = [fresh(seed) for seed in SEEDS[:2]], controlled_walker(host, tiny, batch=2)
    whole = ends(host, walker, candidates)
    assert far(whole, torch.cat(stock)) < rounding(1e-5)
    assert far(
        ends(host, walker, [cut_at(paths, candidate, walker.levels, 2, 4) for candidate in candidates]), whole
    ) < rounding(1e-5)
    assert far(whole, ends(host, walkers("sd15"), candidates)) > 1e-3  # the ControlNet does something


def test_a_model_that_predicts_v_is_cut_and_noised_again_like_the_others(host, tiny, paths, fresh):
    from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete

    parts, sampling = tiny("sd15"), host.part("nodes.host.setup.sampling")
    model = host.call(ModelSamplingDiscrete().patch, parts.model, "v_prediction", False)[0]
    setup = sampling.from_ksampler(
        model,
        parts.positive,
        parts.negative,
        parts.latent,
        parts.vae,
        batch=2,
        **{**SETTINGS, "steps": STEPS, "sampler_name": "euler"},
    )
    walker = host.part("nodes.host.engine.walker").Walker(host.part("nodes.host.engine.rollout").Rollout(setup))
    cut = cut_at(paths, fresh(1), walker.levels, 2, 4)
    assert far(ends(host, walker, [cut]), ends(host, walker, [fresh(1)])) < rounding(1e-5)
    assert (
        ends(host, walker, [paths.renoise(paths.Path(fresh(1), walker.levels), walker.levels[3:], seed=2)])
        .isfinite()
        .all()
    )
