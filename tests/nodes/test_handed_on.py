"""Noise levels that end above 0: another sampler goes on from what a search gives, as it would from the stock one's."""

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.nodes.graphs import SOURCES, Brightness, kept, run
from noise_search.tests.nodes.test_rollout import far

SEED, STEPS, SPLIT = 5, 6, 3
PARTS = {name: SOURCES[name] for name in ("model", "positive", "negative")}


def custom(family, sampler="euler"):
    """A guider "g", a sampler "a" and split sigmas "s", for any custom sampler."""
    schedule = {"model": ["1", 0], "scheduler": "simple", "steps": STEPS, "denoise": 1.0}
    return {
        "1": {"class_type": "ToyModel", "inputs": {"family": family, "batch": 1}},
        "g": {"class_type": "CFGGuider", "inputs": {**PARTS, "cfg": 3.0}},
        "a": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": sampler}},
        "b": {"class_type": "BasicScheduler", "inputs": schedule},
        "s": {"class_type": "SplitSigmas", "inputs": {"sigmas": ["b", 0], "step": SPLIT}},
        "n": {"class_type": "RandomNoise", "inputs": {"noise_seed": SEED}},
        "0": {"class_type": "DisableNoise", "inputs": {}},
    }


def stock(name, noise="n", sigmas=("s", 0), latent=("1", 3)):
    inputs = {"guider": ["g", 0], "sampler": ["a", 0], "noise": [noise, 0]}
    more = {"sigmas": list(sigmas), "latent_image": list(latent)}
    return {name: {"class_type": "SamplerCustomAdvanced", "inputs": {**inputs, **more}}}


def ours(sigmas=("s", 0), pictures=1, keep=1, **setup):
    inputs = {"guider": ["g", 0], "sampler": ["a", 0], "sigmas": list(sigmas), "latent_image": ["1", 3]}
    made = {"class_type": "SamplingSetupCustom", "inputs": {**inputs, "vae": ["1", 4], **setup}}
    budget = {"seed": SEED, "pictures": pictures, "minutes": 0.0, "keep": keep}
    return {"u": made, "2": {"class_type": "RandomSearch", "inputs": {"sampling": ["u", 0], **budget}}}


def keep(**links):
    return {
        f"k {name}": {"class_type": "ToyKeep", "inputs": {"value": list(link), "name": name}}
        for name, link in links.items()
    }


@pytest.mark.parametrize("family", ["sd3", "sd15", "wan"])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "dpmpp_2m"])
def test_the_first_half_of_a_split_hands_on_what_the_stock_sampler_does(host, family, sampler):
    """And the second sampler ends in the very picture of the workflow."""
    parts = [custom(family, sampler), stock("x"), ours(), keep(stock=("x", 0), denoised=("x", 1), latent=("2", 0))]
    second = [stock("y", "0", ("s", 1), ("x", 0)), stock("z", "0", ("s", 1), ("2", 0)), keep(y=("y", 0), z=("z", 0))]
    decode = {"d": {"class_type": "VAEDecode", "inputs": {"samples": ["x", 1], "vae": ["1", 4]}}}
    found = run(host, *parts, *second, decode, keep(image=("2", 1), expected=("d", 0)))
    assert torch.equal(found.latent["samples"], found.stock["samples"])
    assert torch.equal(found.z["samples"], found.y["samples"])
    assert far(found.stock["samples"], found.denoised["samples"]) > 1e-3
    assert torch.equal(found.image, found.expected), "judged and shown is the estimate"


def test_a_winner_of_the_first_half_is_handed_on_as_noisy_as_the_own_seed(host, judge):
    search = ours(pictures=6, batch_size=3, keep=2)
    search["2"]["inputs"]["verifier"] = ["v", 0]
    found = run(host, judge(Brightness()), custom("sd3"), search, kept("2", "latent", "image", "score", "trace"))
    best = found.trace.best(2)
    for row, trial in enumerate(best):
        alone = custom("sd3")
        alone["n"]["inputs"]["noise_seed"] = trial.candidate.plain_seed
        expected = run(host, alone, stock("x"), keep(stock=("x", 0)))
        assert far(found.latent["samples"][row : row + 1], expected.stock["samples"]) < rounding(1e-5)
    assert found.score == pytest.approx(found.image[0].mean().item(), abs=1e-5)


def test_a_noisy_state_comes_back_from_the_store_as_it_was(host, sampled):
    parts = [custom("sd15", "euler_ancestral"), ours(pictures=3, keep=3), kept("2", "latent", "image")]
    first, paid = run(host, *parts), len(sampled)
    again = run(host, *parts)
    assert paid and len(sampled) == paid, "nothing is sampled again"
    assert torch.equal(again.latent["samples"], first.latent["samples"]) and torch.equal(again.image, first.image)


@pytest.mark.parametrize("sigmas", [("b", 0), ("s", 0)], ids=["whole", "first half"])
@pytest.mark.parametrize("sampler", ["euler", "er_sde", "heun"])
def test_a_workflow_that_goes_on_with_denoised_output_gets_that(host, sampler, sigmas):
    found = run(
        host,
        custom("sd3", sampler),
        stock("x", sigmas=sigmas),
        ours(sigmas, hands_on="denoised_output"),
        keep(stock=("x", 1), latent=("2", 0)),
    )
    # the host's is on the CPU, also with --gpu-only
    assert torch.equal(found.latent["samples"].cpu(), found.stock["samples"].cpu())


def two_guiders(sampler_low=None, **setup):
    inputs = {"guider_high": ["g", 0], "guider_low": ["h", 0], "sampler": ["a", 0], "latent_image": ["1", 3]}
    split = {"sigmas_high": ["s", 0], "sigmas_low": ["s", 1], "vae": ["1", 4]}
    other = {"sampler_low": [sampler_low, 0]} if sampler_low else {}
    made = {"class_type": "SamplingSetupTwoGuiders", "inputs": {**inputs, **split, **other, **setup}}
    return {**ours(), "u": made}


def second_guider(sampler="euler"):
    """Another guider "h", and another sampler "c"."""
    parts = {"model": ["1", 0], "positive": ["1", 2], "negative": ["1", 1]}
    return {
        "h": {"class_type": "CFGGuider", "inputs": {**parts, "cfg": 1.5}},
        "c": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": sampler}},
    }


def stock_pair(noise="0", low="a"):
    second = stock("y", noise, ("s", 1), ("x", 0))
    second["y"]["inputs"] |= {"guider": ["h", 0], "sampler": [low, 0]}
    return {**stock("x"), **second}


@pytest.mark.parametrize("family", ["sd3", "sd15", "wan"])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "dpmpp_2m_sde", "lcm"])
def test_two_guiders_on_split_sigmas_equal_two_custom_samplers(host, family, sampler):
    parts = [custom(family, sampler), second_guider(), stock_pair(), two_guiders()]
    found = run(host, *parts, keep(stock=("y", 0), latent=("2", 0)))
    assert torch.equal(found.latent["samples"], found.stock["samples"])


@pytest.mark.parametrize("seed", [0, 77])
def test_the_second_of_two_guiders_may_have_a_sampler_and_a_seed_of_its_own(host, seed):
    parts = [custom("sd3", "euler"), second_guider("euler_ancestral"), stock_pair("m" if seed else "0", "c")]
    # a noise that draws nothing, with a seed: what a SamplerCustom without add_noise has
    host.toys.VALUES["silence"] = Silence(seed)
    silence = {"m": {"class_type": "ToyValue", "inputs": {"name": "silence"}}}
    found = run(host, *parts, silence, two_guiders("c", seed_low=seed), keep(stock=("y", 0), latent=("2", 0)))
    assert torch.equal(found.latent["samples"], found.stock["samples"])


class Silence:
    """A NOISE that is none, with a seed."""

    def __init__(self, seed):
        self.seed = seed

    def generate_noise(self, latent):
        return torch.zeros_like(latent["samples"])


def test_pictures_of_two_guiders_that_share_a_batch_are_those_of_their_seeds(host):
    search = two_guiders("c", batch_size=3)
    search["2"]["inputs"] |= {"pictures": 3, "keep": 3}
    found = run(host, custom("sd3", "lcm"), second_guider("euler_ancestral"), search, kept("2", "latent", "trace"))
    for row, trial in enumerate(found.trace.trials):
        alone = custom("sd3", "lcm")
        alone["n"]["inputs"]["noise_seed"] = trial.candidate.plain_seed
        expected = run(host, alone, second_guider("euler_ancestral"), stock_pair(low="c"), keep(stock=("y", 0)))
        assert far(found.latent["samples"][row : row + 1], expected.stock["samples"]) < rounding(1e-5)


def test_sigmas_that_do_not_belong_together_are_refused(host):
    search = two_guiders()
    search["u"]["inputs"]["sigmas_low"] = ["b", 0]
    result = host.run({**custom("sd3"), **second_guider(), **search, **kept("2", "latent")})
    assert "sigmas_low must begin where sigmas_high ends, above 0" in result.error
    assert "got sigmas_high that end at 0.75 and sigmas_low that begin at 1" in result.error


def test_two_samplers_cannot_be_searched_along_the_path(host, judge):
    search = two_guiders("c")
    search["2"]["class_type"] = "AutoSearch"
    search["2"]["inputs"] |= {"verifier": ["v", 0], "pictures": 8}
    parts = [judge(Brightness()), custom("sd3"), second_guider(), search, kept("2", "latent")]
    result = host.run({name: node for part in parts for name, node in part.items()})
    assert "sampling along the path needs one sampler for both guiders" in result.error
