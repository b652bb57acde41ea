"""A second stage with a guider, sampler and sigmas of its own gives what a second custom sampler gives."""

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.nodes.graphs import Brightness, kept, run
from noise_search.tests.nodes.test_handed_on import custom, keep, ours, second_guider, stock
from noise_search.tests.nodes.test_rollout import far

SECOND = 77  # seed of the second noise


def setup(seed=SECOND, scale=1.5, first=("u", 0), **inputs):
    """A search of both stages, "2"."""
    search = ours(("b", 0))
    given = {"sampling": list(first), "guider": ["h", 0], "sampler": ["c", 0], "sigmas": ["e", 0]}
    grown = {"scale_by": scale, "upscale_method": "bilinear"}
    node = {"class_type": "SamplingSetupSecondStage", "inputs": {**given, **grown, "seed_second": seed, **inputs}}
    search["2"]["inputs"]["sampling"] = ["w", 0]
    return {**search, "w": node}


def parts(family="sd3", sampler="euler_ancestral"):
    schedule = {"model": ["1", 0], "scheduler": "simple", "steps": 3, "denoise": 0.5}
    return {
        **custom(family),
        **second_guider(sampler),
        "e": {"class_type": "BasicScheduler", "inputs": schedule},
        "m": {"class_type": "RandomNoise", "inputs": {"noise_seed": SECOND}},
    }


def two_samplers(scale=1.5, first_slot=0, noise="m"):
    grown = {"samples": ["x", first_slot], "upscale_method": "bilinear", "scale_by": scale}
    second = stock("y", noise, ("e", 0), ("g2", 0))
    second["y"]["inputs"] |= {"guider": ["h", 0], "sampler": ["c", 0]}
    return {**stock("x", sigmas=("b", 0)), "g2": {"class_type": "LatentUpscaleBy", "inputs": grown}, **second}


@pytest.mark.parametrize("family", ["sd3", "sd15", "wan"])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
def test_both_stages_equal_two_custom_samplers(host, family, sampler):
    found = run(host, parts(family, sampler), two_samplers(), setup(), keep(stock=("y", 0), latent=("2", 0)))
    assert torch.equal(found.latent["samples"], found.stock["samples"])


def test_without_a_seed_the_second_stage_draws_from_the_pictures_own(host):
    found = run(host, parts(), two_samplers(noise="n"), setup(-1), keep(stock=("y", 0), latent=("2", 0)))
    assert torch.equal(found.latent["samples"], found.stock["samples"])


def test_the_output_that_each_stage_hands_on_can_be_chosen(host):
    search = setup(hands_on="denoised_output")
    search["u"]["inputs"]["hands_on"] = "denoised_output"
    found = run(host, parts(), two_samplers(first_slot=1), search, keep(stock=("y", 1), latent=("2", 0)))
    # the host's is on the CPU, also with --gpu-only
    assert torch.equal(found.latent["samples"].cpu(), found.stock["samples"].cpu())


def test_pictures_of_two_stages_share_a_batch_and_are_judged_at_their_full_size(host, judge):
    search = setup()
    search["u"]["inputs"]["batch_size"] = 3
    search["2"]["inputs"] |= {"pictures": 3, "keep": 3, "verifier": ["v", 0]}
    found = run(host, judge(Brightness()), parts(), search, kept("2", "latent", "image", "trace"))
    assert found.image.shape == (3, 96, 96, 3)
    for row, trial in enumerate(found.trace.best(3)):
        alone = parts()
        alone["n"]["inputs"]["noise_seed"] = trial.candidate.plain_seed
        expected = run(host, alone, two_samplers(), keep(stock=("y", 0)))
        assert far(found.latent["samples"][row : row + 1], expected.stock["samples"]) < rounding(1e-5)


def test_two_stages_come_back_from_the_store(host, sampled):
    nodes = [parts(), setup(), kept("2", "latent")]
    first, paid = run(host, *nodes), len(sampled)
    again = run(host, *nodes)
    assert paid and len(sampled) == paid and torch.equal(again.latent["samples"], first.latent["samples"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"upscale_model": ["p", 0]}, "scale_by must be 1 where an upscale_model is connected"),
        ({"upscale_model": ["p", 0], "scale_by": 1.0}, "upscale_model must be for a setup that makes videos"),
        ({"first_frame": ["p", 0]}, "first_frame must be for a setup that makes videos, got one that makes pictures"),
        ({"sampling": ["w2", 0]}, "sampling must be a setup of one stage, got one that has a second stage already"),
        ({"sigmas": ["none", 0]}, "sigmas must hold at least one step, got 1 levels"),
    ],
)
def test_what_cannot_be_a_second_stage_is_refused_before_anything_is_sampled(host, sampled, change, told):
    host.toys.VALUES.update(part=torch.rand(1, 64, 64, 3), none=torch.zeros(1))
    values = {
        "p": {"class_type": "ToyValue", "inputs": {"name": "part"}},
        "none": {"class_type": "ToyValue", "inputs": {"name": "none"}},
    }
    before = {"w2": setup()["w"]}
    nodes = {**parts(), **values, **before, **setup(), **kept("2", "latent")}
    nodes["w"]["inputs"] |= change
    assert told in host.run(nodes).error and not sampled


def test_searches_along_the_path_take_one_stage(host, judge):
    search = setup()
    search["2"]["class_type"] = "SteeredSearch"
    search["2"]["inputs"] |= {"verifier": ["v", 0], "pictures": 8, "preset": "best known"}
    error = host.run({**judge(Brightness()), **parts(), **search, **kept("2", "latent")}).error
    assert "sampling along the path needs a setup without a second stage" in error


def test_sound_stays_as_long_as_it_is_where_the_picture_grows(host):
    """Of LTX 2, whose latents are a clip and its sound."""
    second, nested = host.part("nodes.host.setup.second_stage"), host.part("nodes.host.setup.noise")
    stage = second.SecondStage(second.Resized(2.0, "bilinear"), None, torch.ones(2))
    latent = nested.joined([torch.ones(2, 128, 3, 4, 4), torch.ones(2, 8, 8, 16)])
    grown, mask = stage.begin(latent, None)
    assert [tuple(part.shape[1:]) for part in nested.streams(grown)] == [(128, 3, 8, 8), (8, 8, 16)]
    assert mask is None and stage.shapes(nested.shapes_of(latent)) == nested.shapes_of(grown)
