"""A candidate's picture is the stock sampler's picture for it, alone or in a batch, whole or cut."""

import pytest
import torch

FAMILIES = ["sd3", "flux", "sd15", "wan"]
SETTINGS = {"steps": 4, "cfg": 3.0, "scheduler": "simple", "denoise": 1.0}
DETERMINISTIC = ["euler", "heun", "dpm_2", "dpmpp_2m", "uni_pc", "res_multistep", "deis", "ipndm", "lms", "gradient_estimation"]
STOCHASTIC = ["euler_ancestral", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_3m_sde",
              "ddpm", "lcm", "er_sde", "seeds_2", "seeds_3", "sa_solver", "res_multistep_ancestral", "euler_ancestral_cfg_pp",
              "exp_heun_2_x0_sde"]
SEEDS = [123456789, 42, 2**50 - 3, 7, 99]


@pytest.fixture
def rollouts(host, tiny):
    """Builds a rollout of a family, and the stock KSampler's latent for the same settings."""
    sampling, rollout, noise = (host.part(f"nodes.host.{name}") for name in ("sampling", "rollout", "noise"))

    def build(family, sampler="euler", batch=0, latent=None, **changes):
        parts = tiny(family)
        settings = {**SETTINGS, "sampler_name": sampler, **changes}
        setup = sampling.from_ksampler(parts.model, parts.positive, parts.negative, latent or parts.latent, parts.vae, batch=batch, **settings)
        return rollout.Rollout(setup)

    return build


@pytest.fixture
def stock(host, tiny):
    """The latent of the host's own KSampler node."""
    import nodes

    def sample(family, seed, sampler="euler", latent=None, **changes):
        parts = tiny(family)
        settings = {**SETTINGS, **changes}
        return host.call(nodes.KSampler().sample, parts.model, seed, settings["steps"], settings["cfg"], sampler, settings["scheduler"],
                         parts.positive, parts.negative, latent or parts.latent, settings["denoise"])[0]["samples"]

    return sample


def latents(host, rollout, seeds):
    fresh = host.part("search.noise").fresh
    return torch.cat(host.call(lambda: list(rollout.latents([fresh(seed) for seed in seeds]))))


def far(found, expected):
    """Largest difference relative to the scale of what was expected."""
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("sampler", DETERMINISTIC + STOCHASTIC + ["dpm_adaptive", "dpm_fast", "ddim"])
def test_one_candidate_equals_the_stock_ksampler_bit_for_bit(host, rollouts, stock, sampler):
    assert torch.equal(latents(host, rollouts("sd3", sampler), [SEEDS[0]]), stock("sd3", SEEDS[0], sampler))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
def test_one_candidate_of_every_family_equals_the_stock_ksampler(host, rollouts, stock, family, sampler):
    assert torch.equal(latents(host, rollouts(family, sampler), [SEEDS[0]]), stock(family, SEEDS[0], sampler))


@pytest.mark.parametrize("sampler", DETERMINISTIC + STOCHASTIC + ["dpm_adaptive", "dpm_fast", "ddim"])
def test_a_row_of_a_batch_equals_its_solo_run(host, rollouts, stock, sampler):
    found = latents(host, rollouts("sd3", sampler, batch=5), SEEDS)
    expected = torch.cat([stock("sd3", seed, sampler) for seed in SEEDS])
    assert far(found, expected) < (1e-4 if sampler in ("heun", "dpm_2", "exp_heun_2_x0_sde") else 1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sampler", ["dpmpp_2m", "dpmpp_2m_sde"])
def test_a_row_of_a_batch_equals_its_solo_run_in_every_family(host, rollouts, stock, family, sampler):
    found = latents(host, rollouts(family, sampler, batch=3), SEEDS[:3])
    expected = torch.cat([stock(family, seed, sampler) for seed in SEEDS[:3]])
    assert far(found, expected) < 1e-5
