"""The search nodes that work along the path, in the real host, as a user wires them."""

import json
import re
from functools import partial

import pytest
import torch
from noise_search.tests.nodes.graphs import BUDGET, KSAMPLER, MODEL, SOURCES, Brightness, drop_in, kept, run
from noise_search.tests.nodes.test_rollout import far

KNOBS = {
    "AutoSearch": {},
    "DraftSearch": {"draft_steps": 0, "keep_share": 0.4},
    "PathSearch": {"paths": 1, "width": 0, "start": 0.11, "forward": 0.78, "backward": 0.89},
    "SteeredSearch": {"preset": "best known", "particles": 0},
    "RefineSearch": {"children": 2, "depth": 0.5},
}
every_search = pytest.mark.parametrize("kind", KNOBS)


def searched(kind, model=MODEL, steps=8, sampler="euler", extra=(), **inputs):
    setup = {
        "class_type": "SamplingSetup",
        "inputs": {**SOURCES, **KSAMPLER, "steps": steps, "sampler_name": sampler, "batch_size": 4},
    }
    search = {
        "class_type": kind,
        "inputs": {"sampling": ["s", 0], "verifier": ["v", 0], **BUDGET, "pictures": 8, **KNOBS[kind], **inputs},
    }
    return {"1": model, "s": setup, "2": search, **dict(extra)}


def refused(host, *parts):
    result = host.run({name: node for part in parts for name, node in part.items()})
    assert not result.ok
    return result.error


@every_search
def test_it_finds_what_is_no_worse_than_the_own_seed_within_its_budget(host, judge, kind):
    found = run(host, judge(Brightness()), searched(kind), kept("2"))
    trace = found.trace
    assert 0.95 * 8 - 1e-6 <= trace.pictures <= 8 + 1e-6
    assert trace.ledger.nfe == round(trace.pictures * 8 * 2)  # eight steps, a CFG pair each
    assert found.score == max(trace.scores[trial.id] for trial in trace.trials if trial.finished) >= trace.scores[0]
    assert found.image.flatten(1).mean(1)[0].item() == pytest.approx(found.score, abs=1e-5)
    assert trace.trials[0].how == "own seed" and trace.trials[0].candidate.plain_seed == BUDGET["seed"]


@every_search
@pytest.mark.parametrize("family", ["flux", "sd15", "wan"])
def test_it_runs_on_every_family(host, judge, kind, family):
    model = {"class_type": "ToyModel", "inputs": {"family": family, "batch": 1}}
    found = run(host, judge(Brightness()), searched(kind, model, steps=6, pictures=6), kept("2", "trace", "latent"))
    assert found.trace.pictures <= 6 + 1e-6 and found.latent["samples"].isfinite().all()


@every_search
def test_its_recipe_gives_the_same_latent_again_and_costs_one_way_down(host, judge, kind):
    found = run(host, judge(Brightness()), searched(kind), kept("2", "latent", "recipe", "score"))
    again = run(
        host, judge(Brightness()), searched(kind, recipe=found.recipe), kept("2", "latent", "recipe", "score", "trace")
    )
    assert far(again.latent["samples"], found.latent["samples"]) < 1e-5
    assert again.recipe == found.recipe and again.score == pytest.approx(found.score, abs=1e-5)
    assert len(again.trace.trials) == 1


def test_a_recipe_of_a_walk_is_replayed_by_the_drop_in_node_as_well(host, judge):
    found = run(host, judge(Brightness()), searched("RefineSearch"), kept("2", "latent", "recipe"))
    assert json.loads(found.recipe)["noise_search"] == 2
    drop_in = {
        "class_type": "NoiseSearch",
        "inputs": {**SOURCES, **KSAMPLER, "steps": 8, **BUDGET, "recipe": found.recipe},
    }
    again = run(host, {"1": MODEL, "2": drop_in}, kept("2", "latent"))
    assert far(again.latent["samples"], found.latent["samples"]) < 1e-5


@pytest.mark.parametrize("what", ["draft", "preview"])
@pytest.mark.parametrize("kind", ["RefineSearch", "DraftSearch", "NoiseSearch", "NoiseFromRecipe"])
def test_the_recipe_of_a_draft_or_a_preview_is_refused_by_name_wherever_it_is_pasted(host, judge, what, kind):
    recipes, path, noise = (host.part(f"search.{name}") for name in ("recipe", "path", "noise"))
    found = path.draft(noise.fresh(5), (1.0, 0.5, 0.0)) if what == "draft" else path.Path(noise.fresh(5), (1.0, 0.5))
    text = recipes.dumps(found, [(16, 8, 8)], {}, path.Schedule((1.0, 0.5, 0.0), True))
    if kind == "NoiseFromRecipe":
        graph = {"2": {"class_type": kind, "inputs": {"recipe": text}}}
    else:
        graph = drop_in(recipe=text) if kind == "NoiseSearch" else searched(kind, recipe=text)
    error = refused(
        host,
        judge(Brightness()),
        graph,
        {"k": {"class_type": "ToyKeep", "inputs": {"value": ["2", 0], "name": "found"}}},
    )
    assert re.search(
        f"recipe must be of a finished picture or of its noise, got one of a {what}.*copy the recipe of its noise",
        error,
    )


@every_search
def test_the_same_inputs_find_the_same_and_the_batch_size_changes_nothing(host, judge, kind):
    def found(batch):
        graph = searched(kind)
        graph["s"]["inputs"]["batch_size"] = batch
        return run(host, judge(Brightness()), graph, kept("2", "recipe")).recipe

    assert found(4) == found(4) == found(1)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler_ancestral"])
def test_the_node_says_which_sampler_stands_in_for_one_that_cannot_be_cut(host, judge, sampler):
    found = run(host, judge(Brightness()), searched("PathSearch", sampler=sampler), kept("2", "trace"))
    assert f"used euler: {sampler} cannot be cut" in found.ui["2"]["text"][0]
    found = run(host, judge(Brightness()), searched("RefineSearch", sampler=sampler), kept("2", "trace"))
    assert "cannot be cut" not in found.ui["2"]["text"][0]


def test_a_cheaper_setup_drafts_with_the_same_noises(host, judge):
    draft = {"class_type": "SamplingSetup", "inputs": {**SOURCES, **KSAMPLER, "steps": 2, "cfg": 1.0, "batch_size": 4}}
    for kind in ("AutoSearch", "DraftSearch"):
        found = run(
            host, judge(Brightness()), searched(kind, extra={"d": draft}.items(), draft=["d", 0]), kept("2", "trace")
        )
        drafts = [trial for trial in found.trace.trials if trial.how == "draft"]
        assert drafts and all(trial.nfe == 2 for trial in drafts) and found.trace.pictures <= 8 + 1e-6


def test_a_draft_setup_for_another_size_is_refused(host, judge):
    model = {"class_type": "ToyModel", "inputs": {"family": "sd15", "batch": 1}}
    sources = {name: ["m", slot] for name, (_, slot) in SOURCES.items()}
    draft = {"class_type": "SamplingSetup", "inputs": {**sources, **KSAMPLER, "batch_size": 4}}
    error = refused(
        host,
        judge(Brightness()),
        searched("AutoSearch", extra={"m": model, "d": draft}.items(), draft=["d", 0]),
        kept("2", "trace"),
    )
    assert re.search("draft must make latents of the sampling's shape 16x8x8.*got 4x8x8", error)


def test_expected_pictures_are_decoded_by_the_preview_vae_and_finished_ones_by_the_own(host, judge):
    seen = []

    class Own:
        def decode(self, latent):
            seen.append(len(latent))
            return torch.zeros(len(latent), 8, 8, 3)

    host.toys.VALUES["vae"] = Own()
    vae = {"p": {"class_type": "ToyValue", "inputs": {"name": "vae"}}}
    found = run(host, judge(Brightness()), vae, searched("SteeredSearch", preview_vae=["p", 0]), kept("2", "trace"))
    assert sum(seen) == sum(1 for trial in found.trace.trials if trial.how == "preview") > 0
    assert all(trial.values[0] > 0 for trial in found.trace.trials if trial.finished)


class Redness(Brightness):
    def measure(self, images, prompt):
        return (images[..., 0] - images[..., 2]).flatten(1).mean(1, keepdim=True).float()


def picture(height=96, width=128):
    return torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(4))


def spot(height=96, width=128):
    mask = torch.zeros(1, height, width)
    mask[:, 40:60, 70:100] = 1
    return mask


@pytest.fixture
def begun(host, judge):
    """A RefineSearch that begins with a picture."""

    def build(image=None, mask=None, latent=None, **inputs):
        values = {"image": image, "mask": mask, "latent": latent}
        host.toys.VALUES.update({name: value for name, value in values.items() if value is not None})
        nodes = {
            name: {"class_type": "ToyValue", "inputs": {"name": name}}
            for name, value in values.items()
            if value is not None
        }
        return {
            **judge(Redness()),
            **nodes,
            **searched("RefineSearch", **{name: [name, 0] for name in nodes}, **inputs),
        }

    return build


def test_a_picture_is_refined_and_only_gets_better(host, begun):
    found = run(host, begun(picture()), kept("2"))
    assert found.trace.trials[0].how == "own picture" and found.trace.trials[0].cost == 0
    assert found.score >= found.trace.scores[0] and found.image.shape == (1, 96, 128, 3)
    assert found.trace.pictures == pytest.approx(8)


def test_a_picture_is_worked_on_at_another_size(host, begun):
    assert run(host, begun(picture(), size=256), kept("2", "image")).image.shape == (1, 192, 256, 3)


def test_only_what_the_mask_covers_changes(host, begun):
    image, mask = picture(), spot()
    found = run(host, begun(image, mask), kept("2"))
    changed = (found.image - image).abs().amax(-1) > 1e-6
    assert found.image.shape == image.shape and changed[mask > 0.5].any()
    top, bottom, left, right = 34, 66, 64, 106  # the mask, and the soft edge around it
    outside = torch.ones_like(mask).bool()
    outside[:, top:bottom, left:right] = False
    assert not changed[outside].any()


def test_the_part_around_a_mask_is_judged_at_its_working_size(host, begun):
    found = run(host, begun(picture(), spot(), size=128, context=1.5), kept("2", "latent", "image"))
    assert found.latent["samples"].shape == (1, 16, 16, 16)  # of 30 x 45 pixels the least part, 64 x 64, is made
    assert found.image.shape == (1, 96, 128, 3)


def test_a_picture_that_nothing_beats_comes_back_as_it_was(host, begun, monkeypatch):
    image = picture()
    nodes = begun(image, spot())
    host.toys.VALUES["verifier"] = Falling()
    found = run(host, nodes, kept("2", "image"))
    assert torch.equal(found.image, image)


class Falling(Brightness):
    """Likes every picture less than the one before."""

    def __init__(self):
        self.value = 0

    def measure(self, images, prompt):
        values = [self.value - number for number in range(len(images))]
        self.value -= len(images)
        return torch.tensor(values, dtype=torch.float32)[:, None]


def test_a_latent_is_refined_as_well(host, begun):
    found = run(
        host, begun(latent={"samples": torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))}), kept("2")
    )
    assert found.trace.trials[0].how == "own picture" and found.latent["samples"].shape == (1, 16, 8, 8)


def test_a_winner_that_began_with_a_picture_has_no_noise_and_says_so(host, begun):
    result = host.run(
        {**begun(picture()), "n": {"class_type": "ToyKeep", "inputs": {"value": ["2", 4], "name": "noise"}}}
    )
    assert "began with a picture" in (result.error or json.dumps(result.events, default=str))


@pytest.mark.parametrize(("inputs", "message"), [
    ({"image": picture(), "mask": spot(64, 64)}, "mask must have the image's size, 128x96, got 1 of 64x64"),
    ({"image": picture(), "mask": torch.zeros(1, 96, 128)}, "mask must cover something.*empty"),
    ({"image": picture().repeat(2, 1, 1, 1)}, "image must be one picture, got a batch of 2"),
    ({"mask": spot()}, "mask must come with an image"),
    ({"image": picture(), "latent": {"samples": torch.zeros(1, 16, 8, 8)}}, "must not both be connected"),
    ({"latent": {"samples": torch.zeros(2, 16, 8, 8)}}, "latent must be one latent"),
    ({"latent": {"samples": torch.zeros(1, 4, 8, 8)}}, "latent must be one latent of the setup's kind, 16 channels"),
    ({"image": picture(), "size": 32}, "size must be 0 or between 64"),
])  # fmt: skip
def test_a_picture_that_does_not_fit_is_refused_before_anything_is_sampled(host, begun, inputs, message):
    error = refused(host, begun(**inputs), kept("2", "trace"))
    assert re.search(message, error), error


@pytest.mark.parametrize(("kind", "inputs", "message"), [
    ("PathSearch", {"forward": 0.95}, "forward must be"),
    ("PathSearch", {"backward": 0.7}, "backward must be more than forward"),
    ("PathSearch", {"start": 0.3, "forward": 0.1, "backward": 0.2, "pictures": 2}, "pictures must be at least"),
    ("DraftSearch", {"draft_steps": 99}, "steps must be between 1 and 8, got 99"),
])  # fmt: skip
def test_bad_knobs_are_refused_before_anything_is_sampled(host, judge, kind, inputs, message):
    error = refused(host, judge(Brightness()), searched(kind, **inputs), kept("2", "trace"))
    assert re.search(message, error), error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (partial(searched, steps=6), "recipe must be for this schedule, 6 steps from 1, got one for 8 steps from 1"),
        (
            partial(searched, model={"class_type": "ToyModel", "inputs": {"family": "sd15", "batch": 1}}),
            "shape of this latent, 4x8x8",
        ),
    ],
)
def test_a_recipe_of_a_walk_for_another_setup_is_refused(host, judge, change, message):
    recipe = run(host, judge(Brightness()), searched("RefineSearch"), kept("2", "recipe")).recipe
    error = refused(host, judge(Brightness()), change("RefineSearch", recipe=recipe), kept("2", "trace"))
    assert re.search(message, error), error


def test_the_held_out_verifier_sees_the_winners_only(host, judge):
    seen = []

    class Other(Brightness):
        card = Brightness.card

        def measure(self, images, prompt):
            seen.append(len(images))
            return super().measure(images, prompt)

    host.toys.VALUES["other"] = Other()
    other = {"h": {"class_type": "ToyValue", "inputs": {"name": "other"}}}
    found = run(host, judge(Redness()), other, searched("RefineSearch", held_out=["h", 0], keep=2), kept("2", "trace"))
    assert "held out: brightness" in found.ui["2"]["text"][0]
    assert sum(seen) <= 3 and found.trace.columns == ("brightness",)


def test_winners_that_differ_are_kept_where_that_was_asked_for(host, judge):
    def images(**inputs):
        return run(
            host, judge(Brightness()), searched("RefineSearch", keep=3, pictures=16, **inputs), kept("2", "image")
        ).image

    def spread(batch):
        flat = batch.flatten(1)
        return torch.cdist(flat, flat).sum().item()

    gains = []
    for seed in (5, 6, 7):
        best, different = images(seed=seed), images(seed=seed, keep_different=True)
        assert torch.equal(best[0], different[0])
        gains.append(spread(different) - spread(best))
    assert min(gains) >= 0 and max(gains) > 0


@every_search
def test_without_a_verifier_it_says_what_works_without_one(host, kind):
    graph = searched(kind)
    graph["2"]["inputs"].pop("verifier")
    assert "verifier must be connected" in refused(host, graph, kept("2", "trace"))


def test_the_drop_in_node_searches_automatically_where_it_has_a_judge_and_randomly_where_that_is_asked(host, judge):
    def hows(**inputs):
        search = {
            "class_type": "NoiseSearch",
            "inputs": {**SOURCES, **KSAMPLER, "steps": 12, **BUDGET, "pictures": 8, **inputs},
        }
        graph = {"1": MODEL, "2": search}
        return {trial.how for trial in run(host, judge(Brightness()), graph, kept("2", "trace")).trace.trials}

    assert hows(verifier=["v", 0]) >= {"own seed", "draft", "refined"}
    assert hows(verifier=["v", 0], search="random") == hows() == {"own seed", "random"}
