"""Seeds pass through the browser, which has no integers above 2^53, without being changed."""

import json

from noise_search.search.noise import SeedStream

SEEDS = [SeedStream(run_seed).at(round, index) for run_seed in (0, 42, 2**64 - 1) for round in range(4) for index in range(64)]


def test_candidate_seeds_pass_through_javascript_unchanged(page):
    text = page.raw.evaluate("(text) => JSON.stringify(JSON.parse(text))", json.dumps(SEEDS))
    assert json.loads(text) == SEEDS
    assert max(SEEDS) > 2**49


def test_a_candidate_seed_typed_into_a_ksampler_reaches_the_prompt_unchanged(page):
    page.load({"nodes": [{"id": 1, "type": "KSampler", "pos": [40, 80], "widgets_values": [0, "fixed", 4, 4, "euler", "simple", 1]}], "links": [], "version": 0.4})
    seed = max(SEEDS)
    page.raw.evaluate("(seed) => { app.graph.nodes[0].widgets.find((widget) => widget.name === 'seed').value = seed }", seed)
    assert page.prompt()["1"]["inputs"]["seed"] == seed
    saved = page.raw.evaluate("() => JSON.stringify(app.graph.serialize())")
    assert json.loads(saved)["nodes"][0]["widgets_values"][0] == seed
