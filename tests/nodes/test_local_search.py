"""The local search node in the real host, as a user wires it."""

import pytest
import torch
from noise_search.tests.nodes.graphs import BUDGET, KSAMPLER, MODEL, SOURCES, Brightness, kept, run


def searched(batch=2, **inputs):
    setup = {"class_type": "SamplingSetup", "inputs": {**SOURCES, **KSAMPLER, "batch_size": batch}}
    knobs = {"preset": "local", "neighbors": 4, "centers": 0, "similarity": 0.95}
    search = {
        "class_type": "LocalSearch",
        "inputs": {"sampling": ["s", 0], "verifier": ["v", 0], **BUDGET, "pictures": 14, **knobs, **inputs},
    }
    return {"1": MODEL, "s": setup, "2": search}


def region(left):
    """A mask of the left or the right half of the picture."""
    inputs = {"value": 1.0, "width": 32, "height": 64}
    empty = {"class_type": "SolidMask", "inputs": {**inputs, "value": 0.0, "width": 64}}
    half = {
        "class_type": "MaskComposite",
        "inputs": {"destination": ["e", 0], "source": ["h", 0], "x": 0 if left else 32, "y": 0, "operation": "add"},
    }
    return {"e": empty, "h": {"class_type": "SolidMask", "inputs": inputs}, "m": half}


@pytest.mark.parametrize("preset", ["local", "evolution"])
def test_the_winner_is_no_worse_than_the_own_seed_and_its_recipe_gives_it_again(host, judge, preset):
    found = run(host, judge(Brightness()), searched(preset=preset), kept("2", "latent", "score", "recipe", "trace"))
    assert len(found.trace.trials) == 14 and found.score == max(found.trace.scores) >= found.trace.scores[0]
    assert {"own seed", "random", "neighbor"} == {trial.how for trial in found.trace.trials}
    again = run(host, judge(Brightness()), searched(recipe=found.recipe), kept("2", "latent"))
    assert torch.allclose(again.latent["samples"], found.latent["samples"], atol=1e-5)


def test_another_chunk_size_finds_the_same_winner(host, judge):
    winners = [run(host, judge(Brightness()), searched(batch=batch), kept("2", "recipe")).recipe for batch in (1, 4)]
    assert winners[0] == winners[1]


def test_in_a_region_the_noise_outside_stays_and_its_recipe_needs_the_mask_again(host, judge):
    inside = {**region(left=True), **searched(region=["m", 0])}
    found = run(host, judge(Brightness()), inside, kept("2", "latent", "noise", "recipe", "trace"))
    latent = {"samples": torch.zeros(1, 16, 8, 8)}
    noise, own = found.noise.generate_noise(latent), host.part("search.noise").draw(5, [(16, 8, 8)])[0]
    assert torch.equal(noise[..., 4:], own[..., 4:]) and not torch.equal(noise[..., :4], own[..., :4])
    assert found.trace.best()[0].candidate.leaf
    made = {"n": {"class_type": "NoiseFromRecipe", "inputs": {"recipe": found.recipe, "region": ["m", 0]}},
            "kn": {"class_type": "ToyKeep", "inputs": {"value": ["n", 0], "name": "again"}}}  # fmt: skip
    assert torch.equal(run(host, region(left=True), made).again.generate_noise(latent), noise)
    with pytest.raises(ValueError, match="must hold every tensor"):
        run(host, region(left=False), made).again.generate_noise(latent)


def test_a_region_becomes_a_mask_of_every_stream(host):
    leaves = host.part("nodes.host.setup.noise").region_leaves(torch.ones(2, 64, 64), [(16, 3, 8, 8), (8, 5)])
    ((picture, sound),) = leaves.values()
    assert picture.shape == (1, 1, 1, 8, 8) and picture.min() == 1 and sound.shape == (1, 1, 1) and sound.item() == 0
    for mask, shapes, message in [
        (torch.zeros(1, 8, 8), [(16, 8, 8)], "empty mask"),
        (torch.ones(1, 8, 8), [(8, 5)], "height and width"),
    ]:
        with pytest.raises(ValueError, match=message):
            host.part("nodes.host.setup.noise").region_leaves(mask, shapes)


def test_pictures_that_look_alike_are_near_and_others_far(host):
    pictures = host.part("nodes.host.files.pictures")
    picture = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0))
    smooth = torch.linspace(0, 1, 64)[:, None, None].expand(64, 64, 3)
    images = [smooth, (smooth + 0.02 * (picture - 0.5)).clamp(0, 1), 1 - smooth, smooth[None].expand(5, -1, -1, -1)]
    measured = pictures.distances([pictures.look_of(image) for image in images])
    assert measured.shape == (4, 4) and torch.allclose(measured, measured.T) and measured.diagonal().abs().max() < 1e-3
    assert measured[0, 1] < 0.05 < measured[0, 2] and measured[0, 3] < 1e-3
