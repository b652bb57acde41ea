"""Noise Search with something connected to its seed output: a file name, a text, a KSampler."""

from noise_search.tests.card import rounding
from noise_search.tests.nodes.graphs import KSAMPLER, SOURCES, drop_in, kept, run
from noise_search.tests.nodes.test_rollout import far
from noise_search.tests.nodes.test_videos_in_nodes import bright  # noqa: F401 (a fixture)

JUDGED = {"v": {"class_type": "ToyValue", "inputs": {"name": "v"}}}
SETTINGS = {**KSAMPLER, "steps": 8, "verifier": ["v", 0], "pictures": 8}


def stock(seed):
    """A KSampler with that seed, and the latent that it gives."""
    inputs = {**{name: link for name, link in SOURCES.items() if name != "vae"}, **KSAMPLER, "steps": 8, "seed": seed}
    return {
        "stock": {"class_type": "KSampler", "inputs": inputs},
        "k stock": {"class_type": "ToyKeep", "inputs": {"value": ["stock", 0], "name": "stock"}},
    }


def test_a_ksampler_that_takes_the_seed_makes_the_winners_latent(host, bright):  # noqa: F811
    found = run(host, drop_in(**SETTINGS), JUDGED, kept("2", "latent", "seed", "trace"), stock(["2", 2]))
    assert {trial.how for trial in found.trace.trials} == {"own seed", "random"} and len(found.trace.trials) == 8
    assert far(found.stock["samples"], found.latent["samples"]) < rounding(1e-5)
    assert any("Something is connected to seed" in text for text in found.ui["2"]["text"])


def test_without_it_the_search_drafts_and_refines(host, bright):  # noqa: F811
    found = run(host, drop_in(**SETTINGS), JUDGED, kept("2", "latent", "trace"))
    assert {"draft", "refined"} & {trial.how for trial in found.trace.trials}
    assert "Something is connected to seed" not in found.ui["2"]["text"][0]
