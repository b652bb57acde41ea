"""Candidates as the host's NOISE: what stock samplers and other nodes see of them."""

import json
import shutil
import subprocess

import pytest
import torch


@pytest.fixture
def noise(host):
    return host.part("nodes.host.setup.noise")


@pytest.fixture
def fresh(host):
    return host.part("search.noise").fresh


def made(host, class_type, slots, **inputs):
    """Outputs of one node by name, as a list where the host maps over it."""
    keeps = {
        f"k{name}": {"class_type": "ToyKeep", "inputs": {"value": ["1", slot], "name": name}}
        for name, slot in slots.items()
    }
    result = host.run({"1": {"class_type": class_type, "inputs": inputs}, **keeps})
    assert result.ok, result.error
    return result.kept


def latent(rows, *shape):
    return {"samples": torch.zeros(rows, *(shape or (16, 8, 8)))}


def test_candidates_are_what_the_stock_ksampler_draws_for_their_seeds(host):
    import comfy.sample

    found = made(host, "NoiseCandidates", {"noise": 0, "seeds": 1}, seed=5, count=4)
    seeds = found["seeds"]
    assert seeds[0] == 5 and len(set(seeds)) == 4
    noise = found["noise"][0].generate_noise(latent(4))
    stock = torch.cat([comfy.sample.prepare_noise(latent(1)["samples"], seed) for seed in seeds])
    assert torch.equal(noise, stock)


def test_seeds_survive_a_browser(host):
    seeds = made(host, "NoiseCandidates", {"seeds": 1}, seed=2**64 - 1, count=200)["seeds"][1:]
    assert all(0 <= seed < 2**50 for seed in seeds)
    assert not any(seed + 1 in seeds for seed in seeds)
    node = shutil.which("node")
    assert node, "this test needs Node.js"
    script = "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0))))"
    back = subprocess.run(
        [node, "-e", script], input=json.dumps(seeds), capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(back) == seeds


def test_a_nested_latent_gets_the_stock_noise_of_every_stream(noise, fresh):
    import comfy.nested_tensor
    import comfy.sample

    picture_and_sound = comfy.nested_tensor.NestedTensor([torch.zeros(1, 16, 3, 8, 8), torch.zeros(1, 8, 40)])
    ours = noise.CandidateNoise([fresh(7)]).generate_noise({"samples": picture_and_sound})
    stock = comfy.sample.prepare_noise(picture_and_sound, 7)
    assert ours.is_nested
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(ours.unbind(), stock.unbind()))


def test_a_latent_batch_gets_the_first_noises_and_never_more_than_there_are(noise, fresh):
    two = noise.CandidateNoise([fresh(1), fresh(2)])
    assert torch.equal(two.generate_noise(latent(1)), two.generate_noise(latent(2))[:1])
    with pytest.raises(ValueError, match="the latent batch has 3 rows, noise holds 2"):
        two.generate_noise(latent(3))


def test_variations_keep_the_normal_law_and_the_asked_similarity(noise, fresh):
    source = noise.CandidateNoise([fresh(9)])
    varied = noise.VariedNoise(source, seed=9, count=5, similarity=0.8, include_source=True)
    rows = varied.generate_noise(latent(5, 64, 64, 64))
    assert torch.equal(rows[:1], source.generate_noise(latent(1, 64, 64, 64)))
    for row in rows[1:]:
        assert row.std().item() == pytest.approx(1, abs=0.01)
        cosine = torch.nn.functional.cosine_similarity(row.flatten(), rows[0].flatten(), dim=0)
        assert cosine.item() == pytest.approx(0.8, abs=0.01)


def test_variations_never_draw_the_noise_that_they_vary(host, noise):
    """A search and its variations often share one seed; the move must still be independent of what it moves."""
    stream = host.part("search.noise").SeedStream(5)
    source = noise.CandidateNoise([host.part("search.noise").fresh(stream.at(0, 0))])
    rows = noise.VariedNoise(source, seed=5, count=1, similarity=0.6, include_source=False).generate_noise(
        latent(1, 64, 64, 64)
    )
    assert rows.std().item() == pytest.approx(1, abs=0.01)


def test_the_hosts_random_noise_is_recognised_as_its_plain_seed(host, noise):
    import comfy_extras.nodes_custom_sampler as stock

    found = noise.resolve(stock.Noise_RandomNoise(123), latent(1)["samples"])
    assert found.candidates[0].plain_seed == 123 and not found.leaves


def test_reordered_noise_is_the_same_noise_in_another_order(noise, fresh):
    three = noise.CandidateNoise([fresh(1), fresh(2), fresh(3)])
    turned = noise.ReorderedNoise(three, [2, 0, 1])
    assert torch.equal(turned.generate_noise(latent(3)), three.generate_noise(latent(3))[[2, 0, 1]])
    assert turned.seed == 3


def test_a_recipe_of_a_mixed_noise_makes_it_again_through_the_node(host, noise, fresh):
    recipe, algebra = host.part("search.recipe"), host.part("search.noise")
    candidate = algebra.mix(algebra.mix(fresh(1), 2, 0.9), 3, 0.5)
    text = recipe.dumps(candidate, [(16, 8, 8)], {"steps": 20})
    found = made(host, "NoiseFromRecipe", {"noise": 0}, recipe=text)["noise"][0]
    assert torch.equal(found.generate_noise(latent(1)), noise.CandidateNoise([candidate]).generate_noise(latent(1)))
    with pytest.raises(ValueError, match="16x9x9, got one for 16x8x8"):
        found.generate_noise(latent(1, 16, 9, 9))


WALK = ('{"noise_search":2,"shapes":[[16,8,8]],"noise":[["fresh",1],["walk",0,[1.0,0.5,0.0],0,0.0]],"settings":{},'
        '"schedule":{"levels":[1.0,0.5,0.0],"flow":true}}')  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be JSON"),
        ("{}", "that Noise Search wrote"),
        ('{"noise_search":3}', "version 1 or 2, got version 3"),
        (WALK, "into the recipe input of a search node"),
    ],
)
def test_a_text_that_is_no_recipe_is_refused_by_the_node(host, text, message):
    result = host.run(
        {
            "1": {"class_type": "NoiseFromRecipe", "inputs": {"recipe": text}},
            "2": {"class_type": "ToyKeep", "inputs": {"value": ["1", 0], "name": "noise"}},
        }
    )
    assert message in result.error
