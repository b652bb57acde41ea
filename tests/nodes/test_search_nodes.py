"""The search nodes in the real host, as a user wires them."""

import json

import pytest
import torch

MODEL = {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}}
SOURCES = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
KSAMPLER = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
BUDGET = {"seed": 5, "pictures": 4, "minutes": 0.0, "keep": 1}
OUTPUTS = ("latent", "image", "seed", "score", "noise", "recipe", "trace")


def kept(node, *names):
    """Nodes that keep the outputs of `node` for the test to look at."""
    slots = {name: OUTPUTS.index(name) for name in names or OUTPUTS}
    return {f"k{name}": {"class_type": "ToyKeep", "inputs": {"value": [node, slot], "name": name}} for name, slot in slots.items()}


def drop_in(**inputs):
    return {"1": MODEL, "2": {"class_type": "NoiseSearch", "inputs": {**SOURCES, **KSAMPLER, **BUDGET, **inputs}}}


def test_without_a_verifier_the_own_seed_passes_and_every_picture_is_shown(host):
    result = host.run({**drop_in(), **kept("2", "latent", "image", "seed", "noise", "recipe", "trace")})
    assert result.ok, result.error
    assert result.kept["seed"] == [5]
    assert result.kept["latent"][0]["samples"].shape == (1, 16, 8, 8)
    assert result.kept["image"][0].shape == (1, 64, 64, 3)
    assert len(result.outputs["2"]["images"]) == 4
    assert [trial.how for trial in result.kept["trace"][0].trials] == ["own seed", "random", "random", "random"]


def test_without_a_verifier_the_result_is_the_stock_ksamplers(host):
    stock = {"class_type": "KSampler", "inputs": {**{key: SOURCES[key] for key in SOURCES if key != "vae"}, **KSAMPLER, "seed": 5}}
    prompt = {**drop_in(), "3": stock, **kept("2", "latent"), "s": {"class_type": "ToyKeep", "inputs": {"value": ["3", 0], "name": "stock"}}}
    result = host.run(prompt)
    assert result.ok, result.error
    assert torch.allclose(result.kept["latent"][0]["samples"], result.kept["stock"][0]["samples"], atol=1e-5)
