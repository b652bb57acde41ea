"""Setups of two stages give what the host's own two samplers give."""

import re

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.nodes.graphs import BUDGET, KSAMPLER, MODEL, SOURCES, Brightness, kept, run
from noise_search.tests.nodes.test_rollout import SEEDS, far, latents

STEPS, SWITCH = 6, 3


@pytest.fixture
def pair(host, tiny):
    """A rollout of two cfgs on one model, as a base and a refiner have."""

    def build(family, sampler="euler", batch=0, **changes):
        parts, sampling = tiny(family), host.part("nodes.host.setup.sampling")
        conditions = ((parts.positive, parts.negative), (parts.negative, parts.positive))
        setup = sampling.from_pair(
            (parts.model, parts.model),
            conditions,
            parts.latent,
            parts.vae,
            cfgs=(3.0, 1.5),
            sampler_name=sampler,
            scheduler="simple",
            batch=batch,
            **{"steps": STEPS, "switch": SWITCH, **changes},
        )
        return host.part("nodes.host.engine.rollout").Rollout(setup)

    return build


def stock_pair(host, parts, seed, sampler, seed_low=None):
    import nodes

    sample = nodes.KSamplerAdvanced().sample
    shared = (STEPS, 3.0, sampler, "simple", parts.positive, parts.negative)
    first = host.call(sample, parts.model, "enable", seed, *shared, parts.latent, 0, SWITCH, "enable")[0]
    shared = (STEPS, 1.5, sampler, "simple", parts.negative, parts.positive)
    return host.call(
        sample, parts.model, "disable", seed if seed_low is None else seed_low, *shared, first, SWITCH, STEPS, "disable"
    )[0]["samples"]


@pytest.mark.parametrize("family", ["sd3", "sd15", "wan"])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "euler_ancestral"])
def test_a_pair_of_models_equals_two_advanced_ksamplers(host, tiny, pair, family, sampler):
    expected = torch.cat([stock_pair(host, tiny(family), seed, sampler) for seed in SEEDS[:2]])
    assert torch.equal(latents(host, pair(family, sampler), SEEDS[:1]), expected[:1])
    assert far(latents(host, pair(family, sampler, batch=2), SEEDS[:2]), expected) < rounding(1e-5)


@pytest.mark.parametrize("sampler", ["lcm", "euler_ancestral", "dpmpp_2m_sde", "euler"])
def test_the_second_sampler_of_a_pair_has_its_own_seed_as_in_the_template(host, tiny, pair, sampler):
    """All templates of such pairs have 0 there: with the first one's seed, the own seed was not the artist's
    picture.
    """
    expected = torch.cat([stock_pair(host, tiny("wan"), seed, sampler, seed_low=0) for seed in SEEDS[:3]])
    assert torch.equal(latents(host, pair("wan", sampler, seed_low=0), SEEDS[:1]), expected[:1])
    assert far(latents(host, pair("wan", sampler, batch=3, seed_low=0), SEEDS[:3]), expected) < rounding(1e-5)


@pytest.mark.parametrize("cut", [2, SWITCH, 4])
def test_a_walk_of_a_pair_can_be_cut_anywhere(host, pair, cut):
    walk, path, fresh = host.part("nodes.host.engine.walker"), host.part("search.path"), host.part("search.noise").fresh
    walker = walk.Walker(pair("sd3"))
    half = path.Path(fresh(1), walker.levels[: cut + 1])
    found = host.call(lambda: next(walker.reached([path.Path(half, walker.levels[cut:])])).latents)
    assert far(found, latents(host, pair("sd3"), [1])) < rounding(1e-5)
    assert walker.nfe == 2 * STEPS


def test_a_hires_pass_equals_an_upscale_and_another_ksampler(host, tiny):
    import nodes

    parts, sampling = tiny("sd3"), host.part("nodes.host.setup.sampling")
    setup = sampling.from_ksampler(
        parts.model, parts.positive, parts.negative, parts.latent, parts.vae, batch=2, **{**KSAMPLER, "steps": 4}
    )
    setup = sampling.with_hires(
        setup, scale=1.5, method="bilinear", steps=3, sampler_name="euler_ancestral", scheduler="simple", denoise=0.5
    )
    found = latents(host, host.part("nodes.host.engine.rollout").Rollout(setup), SEEDS[:2])

    def stock(seed):
        sample = nodes.KSampler().sample
        first = host.call(
            sample, parts.model, seed, 4, 3.0, "euler", "simple", parts.positive, parts.negative, parts.latent, 1.0
        )[0]
        large = nodes.LatentUpscaleBy().upscale(first, "bilinear", 1.5)[0]
        return host.call(
            sample, parts.model, seed, 3, 3.0, "euler_ancestral", "simple", parts.positive, parts.negative, large, 0.5
        )[0]["samples"]

    assert found.shape == (2, 16, 12, 12)
    assert far(found, torch.cat([stock(seed) for seed in SEEDS[:2]])) < rounding(1e-5)


def hires(kind, **inputs):
    setup = {"class_type": "SamplingSetup", "inputs": {**SOURCES, **KSAMPLER, "batch_size": 2}}
    second = {
        "sampling": ["s", 0],
        "scale_by": 1.5,
        "upscale_method": "bilinear",
        "steps": 2,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 0.5,
    }
    search = {"class_type": kind, "inputs": {"sampling": ["h", 0], "verifier": ["v", 0], **BUDGET, **inputs}}
    return {"1": MODEL, "s": setup, "h": {"class_type": "SamplingSetupHires", "inputs": second}, "2": search}


def test_a_search_judges_the_enlarged_pictures(host, judge):
    found = run(host, judge(Brightness()), hires("RandomSearch"), kept("2", "latent", "image", "trace"))
    assert (
        found.latent["samples"].shape == (1, 16, 12, 12)
        and found.image.shape == (1, 96, 96, 3)
        and len(found.trace.trials) == 6
    )


def test_a_hires_pass_is_refused_where_pictures_are_cut(host, judge):
    result = host.run({**judge(Brightness()), **hires("AutoSearch"), **kept("2", "trace")})
    assert re.search("needs a setup without a second stage.*judged as a whole", result.error)


@pytest.mark.parametrize("switch", [0, STEPS])
def test_a_switch_outside_of_the_steps_is_refused(pair, switch):
    with pytest.raises(ValueError, match=f"switch_step must be between 1 and steps - 1 .5., got {switch}"):
        pair("sd3", switch=switch)


def test_two_models_of_different_kinds_are_refused(host, tiny):
    flow, eps, sampling = tiny("sd3"), tiny("sd15"), host.part("nodes.host.setup.sampling")
    conditions = ((flow.positive, flow.negative), (eps.positive, eps.negative))
    with pytest.raises(ValueError, match="two models must be of the same kind"):
        sampling.from_pair(
            (flow.model, eps.model),
            conditions,
            flow.latent,
            flow.vae,
            steps=4,
            switch=2,
            cfgs=(1.0, 1.0),
            sampler_name="euler",
            scheduler="simple",
        )
