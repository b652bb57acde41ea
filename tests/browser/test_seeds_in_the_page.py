"""Seeds pass through the browser, which has no integers above 2^53, without being changed."""

import json

from noise_search.search.noise import SeedStream

SEEDS = [
    SeedStream(run_seed).at(round, index)
    for run_seed in (0, 42, 2**64 - 1)
    for round in range(4)
    for index in range(64)
]


KSAMPLER = {"id": 1, "type": "KSampler", "pos": [40, 80], "widgets_values": [0, "fixed", 4, 4, "euler", "simple", 1]}


def test_candidate_seeds_pass_through_the_page_unchanged(page):
    text = page.raw.evaluate("(text) => JSON.stringify(JSON.parse(text))", json.dumps(SEEDS))
    assert json.loads(text) == SEEDS
    seed = max(SEEDS)
    assert seed > 2**49
    page.load({"nodes": [KSAMPLER], "links": [], "version": 0.4})
    page.raw.evaluate(
        "(seed) => { app.graph.nodes[0].widgets.find((widget) => widget.name === 'seed').value = seed }", seed
    )
    assert page.prompt()["1"]["inputs"]["seed"] == seed
    assert (
        json.loads(page.raw.evaluate("() => JSON.stringify(app.graph.serialize())"))["nodes"][0]["widgets_values"][0]
        == seed
    )
