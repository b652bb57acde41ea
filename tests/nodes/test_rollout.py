"""A candidate's picture is the stock sampler's picture for it, alone or in a batch, whole or cut."""

import pytest
import torch
from noise_search.tests.card import rounding

FAMILIES = ["sd3", "flux", "sd15", "wan"]
SETTINGS = {"steps": 4, "cfg": 3.0, "scheduler": "simple", "denoise": 1.0}
DETERMINISTIC = [
    "euler",
    "heun",
    "dpm_2",
    "dpmpp_2m",
    "uni_pc",
    "res_multistep",
    "deis",
    "ipndm",
    "lms",
    "gradient_estimation",
]
STOCHASTIC = [
    "euler_ancestral",
    "dpm_2_ancestral",
    "dpmpp_2s_ancestral",
    "dpmpp_sde",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_gpu",
    "dpmpp_3m_sde",
    "ddpm",
    "lcm",
    "er_sde",
    "seeds_2",
    "seeds_3",
    "sa_solver",
    "res_multistep_ancestral",
    "euler_ancestral_cfg_pp",
    "exp_heun_2_x0_sde",
]
SEEDS = [123456789, 42, 2**50 - 3, 7, 99]


@pytest.fixture
def rollouts(host, tiny):
    """Builds a rollout of a family, and the stock KSampler's latent for the same settings."""
    sampling, rollout, noise = (
        host.part(f"nodes.host.{name}") for name in ("setup.sampling", "engine.rollout", "setup.noise")
    )

    def build(family, sampler="euler", batch=0, latent=None, **changes):
        parts = tiny(family)
        settings = {**SETTINGS, "sampler_name": sampler, **changes}
        setup = sampling.from_ksampler(
            parts.model, parts.positive, parts.negative, latent or parts.latent, parts.vae, batch=batch, **settings
        )
        return rollout.Rollout(setup)

    return build


@pytest.fixture
def stock(host, tiny):
    """The latent of the host's own KSampler node."""
    import nodes

    def sample(family, seed, sampler="euler", latent=None, **changes):
        parts = tiny(family)
        settings = {**SETTINGS, **changes}
        return host.call(
            nodes.KSampler().sample,
            parts.model,
            seed,
            settings["steps"],
            settings["cfg"],
            sampler,
            settings["scheduler"],
            parts.positive,
            parts.negative,
            latent or parts.latent,
            settings["denoise"],
        )[0]["samples"]

    return sample


def latents(host, rollout, seeds):
    fresh, walker = host.part("search.noise").fresh, host.part("nodes.host.engine.walker").Walker(rollout)
    return torch.cat(host.call(lambda: [found.latents for found in walker.reached([fresh(seed) for seed in seeds])]))


def far(found, expected):
    """Largest difference relative to the scale of what was expected, wherever both lie."""
    found, expected = found.cpu(), expected.cpu()
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("sampler", DETERMINISTIC + STOCHASTIC + ["dpm_adaptive", "dpm_fast", "ddim"])
def test_one_candidate_equals_the_stock_ksampler_bit_for_bit(host, rollouts, stock, sampler):
    assert torch.equal(latents(host, rollouts("sd3", sampler), [SEEDS[0]]), stock("sd3", SEEDS[0], sampler))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
def test_one_candidate_of_every_family_equals_the_stock_ksampler(host, rollouts, stock, family, sampler):
    assert torch.equal(latents(host, rollouts(family, sampler), [SEEDS[0]]), stock(family, SEEDS[0], sampler))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde"])
def test_one_candidate_equals_the_stock_custom_sampler_bit_for_bit(host, tiny, family, sampler):
    import comfy.samplers
    import comfy_extras.nodes_custom_sampler as stock

    parts = tiny(family)

    def build(class_):
        guider = class_(parts.model)
        guider.set_conds(parts.positive, parts.negative)
        guider.set_cfg(3.0)
        return guider

    sigmas = stock.BasicScheduler.execute(parts.model, "simple", 4, 1.0)[0]
    sampler = comfy.samplers.sampler_object(sampler)
    noise = stock.Noise_RandomNoise(SEEDS[0])
    expected = host.call(
        stock.SamplerCustomAdvanced.execute,
        noise,
        build(comfy.samplers.CFGGuider),
        sampler,
        sigmas.clone(),
        parts.latent,
    )[0]
    sampling = host.part("nodes.host.setup.sampling").prepared(
        build(comfy.samplers.CFGGuider), sampler, sigmas, parts.latent, parts.vae
    )
    found = latents(host, host.part("nodes.host.engine.rollout").Rollout(sampling), SEEDS[:1])
    assert torch.equal(found, expected["samples"])


@pytest.mark.parametrize("sampler", DETERMINISTIC + STOCHASTIC + ["dpm_adaptive", "dpm_fast", "ddim"])
def test_a_row_of_a_batch_equals_its_solo_run(host, rollouts, stock, sampler):
    found = latents(host, rollouts("sd3", sampler, batch=5), SEEDS)
    expected = torch.cat([stock("sd3", seed, sampler) for seed in SEEDS])
    assert far(found, expected) < rounding(1e-4 if sampler in ("heun", "dpm_2", "exp_heun_2_x0_sde") else 1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sampler", ["dpmpp_2m", "dpmpp_2m_sde"])
def test_a_row_of_a_batch_equals_its_solo_run_in_every_family(host, rollouts, stock, family, sampler):
    found = latents(host, rollouts(family, sampler, batch=3), SEEDS[:3])
    expected = torch.cat([stock(family, seed, sampler) for seed in SEEDS[:3]])
    assert far(found, expected) < rounding(1e-5)


def test_the_picture_does_not_depend_on_the_batch_size(host, rollouts):
    alone, batched = (latents(host, rollouts("sd3", "dpmpp_2m_sde", batch=size), SEEDS) for size in (1, 4))
    assert far(batched, alone) < rounding(1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_img2img_and_inpainting_equal_the_stock_ksampler(host, tiny, rollouts, stock, family):
    shape = tiny(family).shape
    generator = torch.Generator().manual_seed(3)
    mask = (torch.rand(1, 64, 64, generator=generator) > 0.5).float()
    latent = {"samples": torch.randn((1, *shape), generator=generator), "noise_mask": mask}
    found = latents(host, rollouts(family, "euler_ancestral", batch=3, latent=latent, denoise=0.6), SEEDS[:3])
    expected = torch.cat([stock(family, seed, "euler_ancestral", latent=latent, denoise=0.6) for seed in SEEDS[:3]])
    assert far(found, expected) < rounding(1e-5)


def test_a_batch_of_masks_is_cut_to_the_one_that_the_host_uses(host, tiny, rollouts, stock):
    masks = torch.stack([torch.eye(64), torch.ones(64, 64)])
    latent = {"samples": torch.ones(1, 16, 8, 8), "noise_mask": masks}
    found = latents(host, rollouts("sd3", batch=2, latent=latent, denoise=0.6), SEEDS[:2])
    expected = torch.cat([stock("sd3", seed, latent=latent, denoise=0.6) for seed in SEEDS[:2]])
    assert far(found, expected) < rounding(1e-5)


def test_a_latent_picked_from_a_batch_gets_the_noise_of_its_seed_alone(host, rollouts, stock):
    """The host would draw the noise of its old place in the batch; the note says that this is ignored."""
    picked = {"samples": torch.zeros(1, 16, 8, 8), "batch_index": [3]}
    rollout = rollouts("sd3", latent=picked)
    assert torch.equal(latents(host, rollout, SEEDS[:1]), stock("sd3", SEEDS[0]))
    assert "batch index 3 is ignored" in rollout.sampling.notes[0]
    assert "batch_index" not in rollout.sampling.latent


def test_positional_conditioning_is_cut_to_the_row_that_a_solo_run_sees(host, tiny):
    """The host hands row k of a conditioning batch to row k of a latent batch, so that candidates would get different
    prompts.
    """
    sampling, rollout, toys = host.part("nodes.host.setup.sampling"), host.part("nodes.host.engine.rollout"), host.toys
    parts = tiny("sd3")
    settings = {**SETTINGS, "sampler_name": "euler"}

    def build(positive, batch):
        return rollout.Rollout(
            sampling.from_ksampler(
                parts.model, positive, parts.negative, parts.latent, parts.vae, batch=batch, **settings
            )
        )

    found = latents(host, build(toys.conditioning("sd3", 1, batch=3), 3), SEEDS[:3])
    first = [
        [text[:1], {key: value[:1] for key, value in extra.items()}]
        for text, extra in toys.conditioning("sd3", 1, batch=3)
    ]
    assert far(found, latents(host, build(first, 1), SEEDS[:3])) < rounding(1e-5)


def test_regional_prompts_equal_the_stock_ksampler(host, tiny, rollouts):
    import nodes

    sampling, rollout, toys, parts = (
        host.part("nodes.host.setup.sampling"),
        host.part("nodes.host.engine.rollout"),
        host.toys,
        tiny("sd3"),
    )
    (text, extra), (other, more) = toys.conditioning("sd3", 1)[0], toys.conditioning("sd3", 5)[0]
    # the second one for the upper half
    positive = [[text, extra], [other, {**more, "area": (4, 8, 0, 0), "strength": 0.8}]]
    setup = sampling.from_ksampler(
        parts.model, positive, parts.negative, parts.latent, parts.vae, batch=3, sampler_name="euler", **SETTINGS
    )
    sample = nodes.KSampler().sample
    stock = [
        host.call(sample, parts.model, seed, 4, 3.0, "euler", "simple", positive, parts.negative, parts.latent, 1.0)[0][
            "samples"
        ]
        for seed in SEEDS[:3]
    ]
    found = latents(host, rollout.Rollout(setup), SEEDS[:3])
    assert far(found, torch.cat(stock)) < rounding(1e-5)
    assert far(found, latents(host, rollouts("sd3", batch=3), SEEDS[:3])) > 1e-2  # the region does something


def test_a_batch_of_controlnet_pictures_is_refused(host, tiny):
    from types import SimpleNamespace

    parts, sampling = tiny("sd3"), host.part("nodes.host.setup.sampling")
    control = SimpleNamespace(
        cond_hint_original=torch.zeros(2, 3, 8, 8), previous_controlnet=None, get_extra_hooks=list
    )
    positive = [[parts.positive[0][0], {**parts.positive[0][1], "control": control}]]
    with pytest.raises(ValueError, match="one picture, got a batch of 2"):
        sampling.from_ksampler(
            parts.model, positive, parts.negative, parts.latent, parts.vae, sampler_name="euler", **SETTINGS
        )


@pytest.mark.parametrize(("change", "message"), [
    ({"latent": {"samples": torch.zeros(2, 16, 8, 8)}}, "one latent.*batch of 2"),
    ({"latent": {"samples": torch.full((1, 16, 8, 8), float("nan"))}}, "latent_image must be finite"),
    ({"vae": None}, "vae must be connected"),
    ({"denoise": 0.0}, "at least one step"),
])  # fmt: skip
def test_bad_input_is_refused_before_anything_is_sampled(host, tiny, change, message):
    parts, sampling = tiny("sd3"), host.part("nodes.host.setup.sampling")
    settings = {
        **SETTINGS,
        "sampler_name": "euler",
        **{key: value for key, value in change.items() if key == "denoise"},
    }
    with pytest.raises(ValueError, match=message):
        sampling.from_ksampler(
            parts.model,
            parts.positive,
            parts.negative,
            change.get("latent", parts.latent),
            change.get("vae", parts.vae),
            **settings,
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_path_cut_and_resumed_equals_the_uncut_one(host, rollouts, family):
    rollout, fresh = rollouts(family, batch=2, steps=6), host.part("search.noise").fresh
    sigmas = rollout.sampling.sigmas

    def cut():
        halfway = rollout.advance(rollout.start([fresh(seed) for seed in SEEDS[:2]]), sigmas[:4])
        assert halfway.sigma == float(sigmas[3])
        return rollout.advance(halfway, sigmas[3:]).x0

    assert far(host.call(cut), latents(host, rollout, SEEDS[:2])) < rounding(1e-5)


@pytest.mark.parametrize(
    ("sampler", "cfg", "nfe"), [("euler", 3.0, 8), ("euler", 1.0, 4), ("heun", 3.0, 14), ("dpm_2", 1.0, 7)]
)
def test_the_ledger_counts_forward_passes_and_a_cfg_pair_as_two(host, rollouts, sampler, cfg, nfe):
    rollout = rollouts("sd3", sampler, batch=3, cfg=cfg)
    latents(host, rollout, SEEDS[:3])
    assert rollout.nfe == nfe


def test_out_of_memory_halves_the_batch_and_loses_nothing(host, rollouts, monkeypatch):
    rollout = rollouts("sd3", batch=4)
    expected = latents(host, rollout, SEEDS)
    advance = rollout.advance

    def full_above_two(particles, sigmas, **options):
        if len(particles) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return advance(particles, sigmas, **options)

    monkeypatch.setattr(rollout, "advance", full_above_two)
    assert host.part("nodes.host.compat").is_out_of_memory(torch.OutOfMemoryError("out of memory"))
    assert far(latents(host, rollout, SEEDS), expected) < rounding(1e-5)
    assert rollout.batch == 2


def test_other_runtime_errors_are_not_taken_for_a_lack_of_memory(host, rollouts, monkeypatch):
    rollout = rollouts("sd3", batch=4)
    monkeypatch.setattr(
        rollout, "advance", lambda particles, sigmas, **options: (_ for _ in ()).throw(RuntimeError("shapes differ"))
    )
    with pytest.raises(RuntimeError, match="shapes differ"):
        latents(host, rollout, SEEDS)


def test_latents_that_are_not_finite_are_an_error(host, tiny, rollouts):
    rollout = rollouts("sd3", cfg=float("inf"))
    with pytest.raises(RuntimeError, match="Sampling failed: The sampler must give finite latents.*at seed 123456789"):
        latents(host, rollout, SEEDS[:1])


def test_what_draws_from_torchs_generator_goes_on_where_it_does_behind_the_hosts_own_noise(host):
    import comfy.sample

    seed_like_the_host = host.part("nodes.host.engine.rollout").seed_like_the_host
    comfy.sample.prepare_noise(torch.zeros(1, 4, 6, 5), 11)
    expected = torch.randn(3)
    for _ in range(2):  # the second time its state is known
        seed_like_the_host(11, [(4, 6, 5)])
        assert torch.equal(torch.randn(3), expected)
