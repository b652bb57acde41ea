"""The search nodes in the real host, as a user wires them."""

import gc
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.nodes.graphs import (
    KSAMPLER,
    SOURCES,
    Brightness,
    Ranked,
    blocked,
    drop_in,
    kept,
    refused,
    run,
    searched,
)
from noise_search.tests.nodes.test_rollout import far


def test_without_a_verifier_the_own_seed_passes_and_every_picture_is_shown(host):
    found = run(host, drop_in(), kept("2", "latent", "image", "seed", "noise", "recipe", "trace"))
    assert found.seed == 5
    assert found.latent["samples"].shape == (1, 16, 8, 8)
    assert found.image.shape == (1, 64, 64, 3)
    assert len(found.ui["2"]["images"]) == 6
    assert [trial.how for trial in found.trace.trials] == ["own seed"] + ["random"] * 5
    assert str(found.trace.trials[3].candidate.plain_seed) in found.ui["2"]["text"][0]


def test_without_a_verifier_the_score_output_is_blocked_with_the_reason(host):
    assert "connect a verifier" in blocked(host, drop_in(), kept("2", "score"))


def test_without_a_verifier_the_result_is_the_stock_ksamplers(host):
    stock = {
        "class_type": "KSampler",
        "inputs": {**{key: SOURCES[key] for key in SOURCES if key != "vae"}, **KSAMPLER, "seed": 5},
    }
    keep_stock = {"ks": {"class_type": "ToyKeep", "inputs": {"value": ["3", 0], "name": "stock"}}}
    found = run(host, drop_in(), {"3": stock}, kept("2", "latent"), keep_stock)
    assert far(found.latent["samples"], found.stock["samples"]) < rounding(1e-5)


@pytest.mark.parametrize("kind", ["RandomSearch", "ZeroOrderSearch"])
def test_the_winner_is_the_best_of_all_and_never_worse_than_the_own_seed(host, judge, kind):
    found = run(host, judge(Brightness()), searched(kind, pictures=12), kept("2", "image", "score", "trace"))
    assert len(found.trace.trials) == 12 and found.trace.ledger.nfe == 12 * 2 * 2
    assert found.score == max(found.trace.scores) >= found.trace.scores[0]
    assert found.image.mean().item() == pytest.approx(found.score, abs=1e-5)


@pytest.mark.parametrize("kind", ["RandomSearch", "ZeroOrderSearch"])
def test_the_same_search_twice_gives_the_same_bytes(host, judge, kind):
    first, second = (run(host, judge(Brightness()), searched(kind), kept("2", "latent", "recipe")) for _ in range(2))
    assert first.recipe == second.recipe
    assert torch.equal(first.latent["samples"], second.latent["samples"])


@pytest.mark.parametrize("kind", ["RandomSearch", "ZeroOrderSearch"])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde"])
def test_another_chunk_size_finds_the_same_winner(host, judge, kind, sampler):
    winners = [
        run(host, judge(Brightness()), searched(kind, batch=batch, sampler=sampler), kept("2", "latent", "recipe"))
        for batch in (1, 4)
    ]
    assert winners[0].recipe == winners[1].recipe
    assert torch.allclose(winners[0].latent["samples"], winners[1].latent["samples"], atol=1e-4)


def test_a_random_winner_is_a_seed_for_the_stock_ksampler(host, judge):
    stock = {
        "class_type": "KSampler",
        "inputs": {**{key: SOURCES[key] for key in SOURCES if key != "vae"}, **KSAMPLER, "seed": ["2", 2]},
    }
    keep_stock = {"ks": {"class_type": "ToyKeep", "inputs": {"value": ["3", 0], "name": "stock"}}}
    found = run(host, judge(Brightness()), searched(), {"3": stock}, kept("2", "latent", "seed"), keep_stock)
    assert found.seed != 5 and found.seed < 2**50
    assert far(found.latent["samples"], found.stock["samples"]) < rounding(1e-5)


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
@pytest.mark.parametrize("kind", ["RandomSearch", "ZeroOrderSearch"])
def test_a_winners_noise_gives_the_same_picture_in_the_stock_custom_sampler(host, judge, kind, sampler):
    stock = {
        "g": {
            "class_type": "CFGGuider",
            "inputs": {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "cfg": 3.0},
        },
        "k": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": sampler}},
        "b": {
            "class_type": "BasicScheduler",
            "inputs": {"model": ["1", 0], "scheduler": "simple", "steps": 2, "denoise": 1.0},
        },
        "3": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["2", 4],
                "guider": ["g", 0],
                "sampler": ["k", 0],
                "sigmas": ["b", 0],
                "latent_image": ["1", 3],
            },
        },
        "ks": {"class_type": "ToyKeep", "inputs": {"value": ["3", 0], "name": "stock"}},
    }
    found = run(
        host, judge(Brightness()), searched(kind, pictures=12, sampler=sampler), stock, kept("2", "latent", "trace")
    )
    assert kind == "RandomSearch" or found.trace.best()[0].how in ("neighbor", "random", "own seed")
    assert far(found.latent["samples"], found.stock["samples"]) < rounding(1e-5)


@pytest.mark.parametrize("kind", ["RandomSearch", "ZeroOrderSearch"])
def test_a_recipe_gives_the_same_picture_again_without_searching(host, judge, kind):
    found = run(host, judge(Brightness()), searched(kind, pictures=12), kept("2", "latent", "recipe", "score"))
    again = run(
        host, judge(Brightness()), searched(recipe=found.recipe), kept("2", "latent", "recipe", "score", "trace")
    )
    assert len(again.trace.trials) == 1
    assert again.recipe == found.recipe
    assert torch.allclose(again.latent["samples"], found.latent["samples"], atol=1e-5)
    made = {"n": {"class_type": "NoiseFromRecipe", "inputs": {"recipe": found.recipe}}}
    onward = run(host, judge(Brightness()), made, searched(noise=["n", 0], pictures=1), kept("2", "latent"))
    assert torch.allclose(onward.latent["samples"], found.latent["samples"], atol=1e-5)


def test_a_custom_setup_searches_with_any_guider_sampler_and_sigmas_and_reads_the_prompt_behind_the_guider(host, judge):
    class Reading(Brightness):
        card = SimpleNamespace(name="reader", prompt=True, token_limit=None, spread=1.0, range="0 to 1", cost="light")

        def measure(self, images, prompt):
            assert prompt == "a red fox"
            return super().measure(images, prompt)

    setup = {
        "p": {"class_type": "ToyConditioning", "inputs": {"family": "sd3", "seed": 1, "batch": 1, "text": "a red fox"}},
        "g": {"class_type": "BasicGuider", "inputs": {"model": ["1", 0], "conditioning": ["p", 0]}},
        "k": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "heun"}},
        "b": {
            "class_type": "BasicScheduler",
            "inputs": {"model": ["1", 0], "scheduler": "simple", "steps": 3, "denoise": 1.0},
        },
        "s": {
            "class_type": "SamplingSetupCustom",
            "inputs": {
                "guider": ["g", 0],
                "sampler": ["k", 0],
                "sigmas": ["b", 0],
                "latent_image": ["1", 3],
                "vae": ["1", 4],
                "batch_size": 2,
            },
        },
    }
    found = run(host, judge(Reading()), searched(), setup, kept("2", "trace", "score"))
    assert found.score == max(found.trace.scores)
    assert found.trace.ledger.nfe == 6 * 5  # heun: two passes a step, one in the last


def test_keep_gives_the_best_pictures_first_with_their_noises(host, judge):
    found = run(host, judge(Brightness()), searched(pictures=8, keep=3), kept("2", "latent", "image", "noise", "trace"))
    means = found.image.flatten(1).mean(1)
    assert means.tolist() == sorted(means.tolist(), reverse=True)
    assert found.latent["samples"].shape[0] == 3
    best = [trial.candidate for trial in found.trace.best(3)]
    assert list(found.noise.resolved.candidates) == best


def test_scores_are_ranked_over_the_whole_pool_and_winners_sampled_again_where_needed(host, judge):
    found = run(host, judge(Ranked()), searched(pictures=9, keep=2), kept("2", "image", "trace"))
    means = [trial.values[0] for trial in found.trace.trials]
    assert found.trace.scores == pytest.approx([sum(value >= other for other in means) / len(means) for value in means])
    assert found.image.flatten(1).mean(1).tolist() == pytest.approx(sorted(means, reverse=True)[:2], abs=1e-5)


def test_a_search_starts_from_incoming_noises(host, judge):
    made = {"n": {"class_type": "NoiseCandidates", "inputs": {"seed": 11, "count": 3}}}
    found = run(host, judge(Brightness()), made, searched(noise=["n", 0]), kept("2", "trace"))
    assert [trial.how for trial in found.trace.trials[:4]] == ["start"] * 3 + ["random"]
    assert found.trace.trials[0].candidate.plain_seed == 11


@pytest.mark.parametrize("through", ["seed", "noise"])
def test_a_seed_below_0_that_another_node_gives_is_the_one_that_the_host_takes_it_for(host, judge, through):
    import nodes

    parts = host.toys.model("sd3"), *(host.toys.conditioning("sd3", seed) for seed in (1, 2))
    stock = host.call(
        nodes.KSampler().sample, parts[0], -7, 2, 3.0, "euler", "simple", *parts[1:], host.toys.latent("sd3"), 1.0
    )[0]["samples"]
    given = (
        {"n": {"class_type": "PrimitiveInt", "inputs": {"value": -7}}}
        if through == "seed"
        else {
            "n": {"class_type": "RandomNoise", "inputs": {"noise_seed": ["m", 0]}},
            "m": {"class_type": "PrimitiveInt", "inputs": {"value": -7}},
        }
    )
    found = run(
        host, judge(Brightness()), given, drop_in(pictures=1, **{through: ["n", 0]}), kept("2", "latent", "seed")
    )
    assert torch.equal(found.latent["samples"], stock) and found.seed == 2**64 - 7


def test_noise_of_another_pack_becomes_a_named_leaf_and_its_recipe_asks_for_it(host, judge):
    class Foreign:
        seed = 3

        def generate_noise(self, latent):
            return torch.randn(latent["samples"].shape, generator=torch.Generator().manual_seed(77))

    host.toys.VALUES["foreign"] = Foreign()
    made = {"n": {"class_type": "ToyValue", "inputs": {"name": "foreign"}}}
    found = run(host, judge(Brightness()), made, searched(noise=["n", 0], pictures=1), kept("2", "recipe", "latent"))
    assert '"leaf"' in found.recipe
    again = run(host, judge(Brightness()), made, searched(noise=["n", 0], recipe=found.recipe), kept("2", "latent"))
    assert torch.equal(again.latent["samples"], found.latent["samples"])
    assert json.loads(found.recipe)["noise"][0][1] in refused(
        host, judge(Brightness()), searched(recipe=found.recipe), kept("2", "latent")
    )


def test_winners_are_saved_as_they_are_found(host, judge):
    import folder_paths

    folder = Path(folder_paths.get_output_directory()) / "noise_search"
    before = set(folder.glob("*.png")) if folder.exists() else set()
    found = run(host, judge(Brightness()), searched(pictures=12, batch=1, save_found=True), kept("2", "trace"))
    scores = found.trace.scores
    leaders = sum(score > max(scores[:index], default=-math.inf) for index, score in enumerate(scores))
    assert 1 < len(set(folder.glob("*.png")) - before) <= leaders


def test_an_interrupt_ends_the_search_at_the_next_step(host, judge):
    judged = []

    class Interrupting(Brightness):
        def measure(self, images, prompt):
            judged.append(len(images))
            host.interrupt()
            return super().measure(images, prompt)

    prompt = {**judge(Interrupting()), **searched(pictures=50), **kept("2", "trace")}
    assert host.run(prompt).error == "interrupted"
    assert sum(judged) <= 2
    assert run(host, judge(Brightness()), searched(), kept("2", "score")).score > 0


def live_latents():
    """How many latents of the tiny model are in memory, by what their storages hold."""
    gc.collect()
    found = [
        thing
        for thing in gc.get_objects()
        if issubclass(type(thing), torch.Tensor) and tuple(thing.shape[1:]) == (16, 8, 8)
    ]
    storages = {thing.untyped_storage().data_ptr(): thing.untyped_storage().nbytes() for thing in found}
    return sum(storages.values()) / (16 * 8 * 8 * 4)


def test_live_pictures_never_exceed_the_kept_ones_and_one_chunk(host, judge, store_off):
    """With the store, some may wait to be written as well: `background.py` limits these."""
    alive = []

    class Counting(Brightness):
        def measure(self, images, prompt):
            alive.append(live_latents())
            return super().measure(images, prompt)

    run(host, judge(Counting()), searched(pictures=40, batch=4, keep=2), kept("2", "score"))
    assert len(alive) == 10
    assert alive[0] >= 4  # one chunk, and what other tests left
    assert max(alive) <= alive[0] + 2  # and the two that are kept


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"keep": 7}, "keep must be between 1 and pictures .6., got 7"),
        ({"minutes": 0.001}, "minutes must be"),
        ({"recipe": "not a recipe"}, "recipe must be JSON"),
        ({"recipe": '{"a":1}'}, "recipe must be one that Noise Search wrote"),
        (
            {"recipe": '{"noise_search":99,"shapes":[[16,8,8]],"noise":[["fresh",1]],"settings":{}}'},
            "version 1 or 2, got version 99",
        ),
        (
            {"recipe": '{"noise_search":1,"shapes":[[4,8,8]],"noise":[["fresh",1]],"settings":{}}'},
            "16x8x8, got one for 4x8x8",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_sampled(host, judge, inputs, message):
    judged = []

    class Watching(Brightness):
        def measure(self, images, prompt):
            judged.append(images)
            return super().measure(images, prompt)

    error = refused(host, judge(Watching()), searched(**inputs), kept("2", "trace"))
    assert re.search(message, error), error
    assert not judged


def test_minutes_that_would_not_allow_one_picture_are_refused_once_its_time_is_known(host, judge):
    import time

    class Slow(Brightness):
        def measure(self, images, prompt):
            time.sleep(1.2 * len(images))
            return super().measure(images, prompt)

    slow = searched(pictures=1, sampler="heun")
    run(host, judge(Slow()), slow, kept("2", "trace"))
    limited = searched(pictures=4, sampler="heun", minutes=0.018)
    assert "minutes must allow one picture" in refused(host, judge(Brightness()), limited, kept("2", "trace"))


def test_zero_order_needs_the_pictures_of_one_round(host, judge):
    error = refused(host, judge(Brightness()), searched("ZeroOrderSearch", pictures=4), kept("2", "trace"))
    assert "pictures must be at least 5" in error and "got 4" in error


def test_more_noises_than_pictures_are_refused(host, judge):
    made = {"n": {"class_type": "NoiseCandidates", "inputs": {"seed": 11, "count": 7}}}
    assert "which holds 7, got 6" in refused(
        host, judge(Brightness()), made, searched(noise=["n", 0]), kept("2", "trace")
    )


@pytest.mark.parametrize(
    ("shape", "message"), [((1, 4, 8, 8), "16x8x8, got 4x8x8"), ((1, 16, 9, 8), "16x8x8, got 16x9x8")]
)
def test_noise_of_another_shape_is_refused(host, judge, shape, message):
    host.toys.VALUES["foreign"] = SimpleNamespace(seed=3, generate_noise=lambda latent: torch.randn(shape))
    made = {"n": {"class_type": "ToyValue", "inputs": {"name": "foreign"}}}
    assert message in refused(host, judge(Brightness()), made, searched(noise=["n", 0]), kept("2", "trace"))


def test_noise_that_is_no_noise_is_refused(host, judge):
    made = {"n": {"class_type": "DisableNoise", "inputs": {}}}
    assert "noise must be" in refused(host, judge(Brightness()), made, searched(noise=["n", 0]), kept("2", "trace"))


def test_a_verifier_that_reads_prompts_says_why_it_has_none(host, judge):
    class Reading(Brightness):
        card = SimpleNamespace(name="reader", prompt=True, token_limit=None, spread=1.0, range="0 to 1", cost="light")

    error = refused(host, judge(Reading()), searched(), kept("2", "trace"))
    assert "prompt must be given" in error and "reader" in error
    run(host, judge(Reading()), searched(prompt="a cat"), kept("2", "trace"))


def test_a_value_that_is_not_finite_fails_the_node_and_names_the_candidate(host, judge):
    class Broken(Brightness):
        def measure(self, images, prompt):
            values = super().measure(images, prompt)
            values[-1] = math.nan
            return values

    error = refused(host, judge(Broken()), searched(), kept("2", "trace"))
    assert "brightness must be finite, got nan for candidate 1" in error


def test_a_failing_verifier_fails_the_node_with_its_own_message(host, judge):
    class Failing(Brightness):
        def measure(self, images, prompt):
            raise RuntimeError("the judge fell asleep")

    assert "the judge fell asleep" in refused(host, judge(Failing()), searched(), kept("2", "trace"))


def test_a_mixed_winner_blocks_the_seed_output_and_says_what_to_use(host, judge):
    made = {
        "n": {"class_type": "NoiseCandidates", "inputs": {"seed": 11, "count": 1}},
        "w": {
            "class_type": "NoiseVariations",
            "inputs": {"noise": ["n", 0], "seed": 1, "count": 1, "similarity": 0.9, "include_source": False},
        },
    }
    found = run(host, judge(Brightness()), made, searched(noise=["w", 0], pictures=1), kept("2", "recipe"))
    assert '"mix"' in found.recipe
    error = blocked(host, judge(Brightness()), made, searched(noise=["w", 0], pictures=1), kept("2", "seed"))
    assert "noise or recipe output" in error
