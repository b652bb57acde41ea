"""Verifier Settings and the held-out judge in the real host."""

import pytest
import torch
from noise_search.tests.nodes.test_verifier_nodes import Inner, Toy, bright, ensemble, keep, score, value


def settings(host, verifier, name="settings", **inputs):
    """A node of settings for a verifier, and that verifier."""
    plain = {"weight": 1.0, "gate": False, "floor": 0.0, "prompt": ""}
    nodes = value(host, f"judge of {name}", verifier)
    return {
        **nodes,
        name: {"class_type": "VerifierSettings", "inputs": {"verifier": [f"judge of {name}", 0], **plain, **inputs}},
    }


def card(host, name, prompt=False, limit=None):
    return host.part("verifiers.base").Card(name, "0 to 1", 0.1, prompt=prompt, token_limit=limit)


@pytest.fixture
def toy(host):
    """`toy(channel)`: measures the mean of a channel of host pictures."""

    def make(channel, kind=Toy):
        made = kind(channel)
        made.card = card(host, f"channel {channel}")
        return made

    return make


def colours(*rows):
    """One even picture per row of red, green and blue."""
    return torch.tensor(rows)[:, None, None, :].expand(-1, 8, 8, -1).clone()


def test_a_gate_puts_pictures_below_the_floor_last_and_says_how_many(host, toy):
    batch = colours((0.9, 0.1, 0), (0.2, 0.6, 0), (0.8, 0.4, 0), (0.3, 0.7, 0))
    nodes = settings(host, toy(1), weight=0.0, gate=True, floor=0.5)
    nodes |= {**ensemble(host, toy(0)), **value(host, "images", batch)}
    nodes["ensemble"]["inputs"]["verifiers.verifier1"] = ["settings", 0]
    result = host.run(nodes | score("images", images=["images", 0], verifier=["ensemble", 0]))
    assert result.ok, result.error
    assert torch.equal(result.kept["images"][0], batch[[3, 1, 2, 0]])
    assert (
        result.outputs["score"]["text"][0].splitlines()[0] == "2 of 4 pictures miss a floor and rank behind all others."
    )


def test_a_floor_counts_only_while_the_gate_is_on(host, toy):
    nodes = {**settings(host, toy(1), gate=False, floor=0.5), **keep("settings", 0, "verifier")}
    assert host.run(nodes).kept["verifier"][0].floor is None


def test_the_weight_multiplies_with_the_ensembles(host, toy):
    nodes = settings(host, toy(1), weight=-0.5)
    nodes |= ensemble(host, toy(0), combination="weighted sum", weights="1, 4")
    nodes["ensemble"]["inputs"]["verifiers.verifier1"] = ["settings", 0]
    result = host.run(nodes | keep("ensemble", 0, "verifier"))
    assert result.kept["verifier"][0].combine(torch.tensor([[1.0, 1.0]])).tolist() == [-1.0]


def test_only_what_the_mask_covers_is_judged(host, toy):
    batch = torch.zeros(2, 200, 200, 3)
    batch[0, :60], batch[1, 100:140, 100:140] = 1.0, 0.5
    mask = torch.zeros(1, 200, 200)
    mask[:, 104:136, 104:136] = 1
    nodes = {**settings(host, toy(0), mask=["mask", 0]), **value(host, "mask", mask), **value(host, "images", batch)}
    result = host.run(nodes | score("scores", "images", images=["images", 0], verifier=["settings", 0]))
    assert result.ok, result.error
    assert result.kept["scores"] == pytest.approx([0.5 * 40**2 / 64**2, 0.0])
    assert torch.equal(result.kept["images"][0], batch[[1, 0]]), "whole pictures leave the node"


@pytest.mark.parametrize("name, mask, problem", [
    ("empty", torch.zeros(1, 8, 8), "mask must cover something"),
    ("another shape", torch.ones(1, 8, 16), "mask must have the aspect ratio of the pictures, 8 x 8, got 16 x 8"),
])  # fmt: skip
def test_a_mask_that_does_not_fit_is_refused(host, toy, name, mask, problem):
    nodes = {
        **settings(host, toy(0), mask=["mask", 0]),
        **value(host, "mask", mask),
        **value(host, "images", bright(0.5)),
    }
    assert problem in host.run(nodes | score("best", images=["images", 0], verifier=["settings", 0])).error


class Reading(Inner):
    """Counts the letters of what it reads."""

    def measure(self, images, prompt):
        return torch.full((len(images), 1), float(len(prompt)))


def test_an_own_prompt_is_read_as_the_common_one_is_without_comfyui_extras(host):
    reading = Reading(0, prompt=True)
    reading.card = card(host, "reader", prompt=True, limit=2)
    wrapped = host.part("nodes.host.judges.host_verifier").HostVerifier(reading)
    nodes = {
        **settings(host, wrapped, prompt="(five:1.2) long fingers <lora:x:1>"),
        **value(host, "images", bright(0.5)),
    }
    result = host.run(nodes | score("scores", images=["images", 0], verifier=["settings", 0], prompt=""))
    assert result.ok, result.error
    assert result.kept["scores"] == [len("five long fingers")]
    assert result.outputs["score"]["text"][0].splitlines()[0] == "reader reads the first 2 of the prompt's 3 tokens."


@pytest.mark.parametrize(
    ("inputs", "problem"), [({"weight": 0.0}, "not 0 without a gate, got 0"), ({"weight": 1000.0}, "bigger than max")]
)
def test_settings_that_mean_nothing_are_refused(host, toy, inputs, problem):
    assert problem in host.run({**settings(host, toy(0), **inputs), **keep("settings", 0, "verifier")}).error


def test_the_order_of_widgets_is_what_saved_workflows_rely_on(host):
    import nodes

    types = nodes.NODE_CLASS_MAPPINGS["VerifierSettings"].INPUT_TYPES()
    assert list(types["required"]) == ["verifier", "weight", "gate", "floor", "prompt"]
    assert list(types["optional"]) == ["mask", "frames", "judged_frames"]


# The held-out judge


def held_out(host, *arguments):
    return host.call(lambda: host.part("nodes.host.judges.judging").held_out(*arguments))


def test_a_held_out_judge_compares_the_winner_with_the_own_seed(host, toy):
    winners = list(bright(0.75, 0.625))
    values, notes = held_out(host, toy(0), winners, bright(0.5)[0], "")
    assert values == pytest.approx([0.75, 0.625])
    assert notes == ["held out: channel 0 0.75, 0.625 (own seed 0.5, +0.25)"]


def test_a_held_out_judge_that_likes_the_own_seed_better_says_so(host, toy):
    _, notes = held_out(host, toy(0), list(bright(0.25)), bright(0.5)[0], "")
    assert notes == [
        "held out: channel 0 0.25 (own seed 0.5, -0.25)",
        "channel 0, which was not searched on, likes the own seed better.",
    ]


def test_without_the_own_seeds_picture_only_the_winners_are_shown(host, toy):
    assert held_out(host, toy(0), list(bright(0.25)), None, "") == ([0.25], ["held out: channel 0 0.25"])


def test_pictures_of_several_sizes_and_videos_are_held_out_as_well(host, toy):
    video = bright(*[index / 16 for index in range(13)])
    values, _ = held_out(host, toy(0), [video, bright(0.5, size=(4, 6))[0]], None, "")
    assert values == pytest.approx([6 / 16, 0.5])


def test_what_of_the_prompt_a_held_out_judge_does_not_read_is_said(host):
    reading = Reading(0, prompt=True)
    reading.card = card(host, "reader", prompt=True, limit=2)
    _, notes = held_out(
        host,
        host.part("nodes.host.judges.host_verifier").HostVerifier(reading),
        list(bright(0.5)),
        None,
        "one two three",
    )
    assert notes[0] == "reader reads the first 2 of the prompt's 3 tokens."
