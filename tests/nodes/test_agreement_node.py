"""The taste tool in the real host: the artist ranks, the verifiers are compared."""

import pytest
import torch
from noise_search.tests.nodes.test_verifier_nodes import Toy, bright, keep, pictures, value


class Counting(Toy):
    """Notes that it was asked."""

    asked = 0

    def measure(self, images, prompt):
        type(self).asked += 1
        return super().measure(images, prompt)


def agreement(host, judges, images, **inputs):
    nodes = {**value(host, "images", images)}
    for index, judge in enumerate(judges):
        nodes |= value(host, f"judge {index}", judge)
        inputs[f"verifiers.verifier{index}"] = [f"judge {index}", 0]
    given = {"images": ["images", int(isinstance(images, list))], "ranking": "", "prompt": "", **inputs}
    nodes["taste"] = {"class_type": "VerifierAgreement", "inputs": given}
    return {**nodes, **keep("taste", 0, "weights"), **keep("taste", 1, "table")}


def levels(*rows):
    """One even picture per row of red, green and blue."""
    return torch.tensor(rows)[:, None, None, :].expand(-1, 8, 8, -1).clone()


FOUR = levels((0.1, 0.4, 0), (0.2, 0.3, 0), (0.3, 0.2, 0), (0.4, 0.1, 0))


def test_the_judge_that_ranks_like_the_artist_is_found(host):
    result = host.run(agreement(host, [Toy(0), Toy(1)], FOUR, ranking="4 3 2 1"))
    assert result.ok, result.error
    lines = result.kept["table"][0].splitlines()
    assert (
        lines[0]
        == "Agreement with your order of 4 pictures (1: the same, 0: none, -1: reversed), and suggested weight:"
    )
    assert lines[1] == "channel 0: +1.00 (4.17 % of all possible orders agree as well), weight 1"
    assert lines[2].startswith("channel 1: -1.00")
    assert result.kept["weights"] == ["1, 0"]
    assert result.outputs["taste"]["text"] == result.kept["table"]


def test_the_suggested_weights_fit_the_ensemble(host):
    nodes = agreement(host, [Toy(0), Toy(1)], pictures(24), scores=["scores", 1])
    nodes |= value(host, "scores", pictures(24)[..., 0].mean((1, 2)).tolist())
    links = {"verifiers.verifier0": ["judge 0", 0], "verifiers.verifier1": ["judge 1", 0]}
    nodes["ensemble"] = {
        "class_type": "EnsembleVerifier",
        "inputs": {**links, "combination": "mean rank", "weights": ["taste", 0]},
    }
    result = host.run(nodes | keep("ensemble", 0, "ensemble"))
    assert result.ok, result.error
    first, second = result.kept["ensemble"][0].weights
    assert first == 1 and 0 <= second < 0.6
    assert "bootstrap" in result.kept["table"][0]


def test_a_list_of_pictures_of_several_sizes_is_numbered_in_its_order(host):
    images = [bright(0.5, size=(8, 8)), bright(0.1, 0.9, size=(16, 8)), bright(0.3, size=(8, 8))]
    result = host.run(agreement(host, [Toy(0)], images, ranking="3 1 4 2"))
    assert result.ok, result.error
    assert "channel 0: +1.00" in result.kept["table"][0]


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"ranking": "4 3 1"}, "must name all 4 pictures, 2 missing"),
        ({"ranking": "4 3 3 1 2"}, "must name every picture once, got 3 more than once"),
        ({"ranking": "4 3 2 1 5"}, "must name pictures 1 to 4, got 5"),
        ({"ranking": "best: 4 3 2 1"}, "must be picture numbers, best first"),
        ({"ranking": "1=2=3=4"}, "got all of them equal"),
        ({}, "either ranking or scores must be given, got neither"),
        ({"ranking": "4 3 2 1", "scores": ["three", 1]}, "got both"),
        ({"scores": ["three", 1]}, "scores must be as many as the pictures, 4, got 3"),
        ({"scores": ["nan", 1]}, "scores must be finite, got nan for picture 2 of 4"),
    ],
)
def test_a_bad_ranking_is_an_error_before_anything_is_measured(host, inputs, problem):
    Counting.asked = 0
    nodes = {**value(host, "three", [1.0, 2.0, 3.0]), **value(host, "nan", [1.0, float("nan"), 3.0, 4.0])}
    result = host.run(nodes | agreement(host, [Counting(0)], FOUR, **inputs))
    assert problem in result.error
    assert Counting.asked == 0


def test_two_pictures_are_too_few(host):
    assert "pictures must be at least 3" in host.run(agreement(host, [Toy(0)], FOUR[:2], ranking="2 1")).error


def test_it_runs_without_anything_connected_behind_it(host):
    nodes = agreement(host, [Toy(0)], FOUR, ranking="4 3 2 1")
    result = host.run({name: node for name, node in nodes.items() if not name.startswith("keep")})
    assert result.ok, result.error
    assert "channel 0: +1.00" in result.outputs["taste"]["text"][0]
