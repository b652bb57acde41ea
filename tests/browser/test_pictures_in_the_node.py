"""A finished search shows its pictures in its panel, in both renderers, and not once more below it."""

import json

import pytest
from noise_search.demo.examples import EXAMPLES, with_tiny_model

WAIT = 30_000  # milliseconds
PICTURES = """() => {
    const cells = [...document.querySelectorAll(".ns-cell img")];
    return cells.length === 3 && cells.every((picture) => picture.complete && picture.naturalWidth > 0);
}"""
BELOW = """(id) => (app.graph.getNodeById(id).imgs?.length ?? 0)
    + [...document.querySelectorAll(`[data-node-id="${id}"] img`)]
        .filter((picture) => !picture.closest(".ns-panel")).length"""


def drop_in(*, judged: bool, seed: int) -> dict:
    """The published drop-in on the tiny model, three pictures in few steps; without its verifier if not judged."""
    workflow = with_tiny_model(
        json.loads((EXAMPLES / "02_Swap_your_KSampler_and_let_a_judge_choose.json").read_text(encoding="utf-8"))
    )
    search = next(node for node in workflow["nodes"] if node["type"] == "NoiseSearch")
    values = search["widgets_values"]
    values[0], values[2] = seed, 3  # seed, (its control,) steps
    values[values.index(8, 6)] = 3  # pictures
    if not judged:
        socket = next(entry for entry in search["inputs"] if entry["name"] == "verifier")
        workflow["links"] = [link for link in workflow["links"] if link[0] != socket["link"]]
        socket["link"] = None
    return workflow


@pytest.mark.parametrize("page", ["canvas", "vue"], indirect=True)
@pytest.mark.parametrize(("judged", "count"), [(False, 3), (True, 1)])
def test_a_finished_search_shows_its_pictures_in_the_panel_alone(page, judged, count):
    page.load(drop_in(judged=judged, seed=100 + 10 * page.vue + count))  # a new seed: nothing comes from the cache
    identity = page.raw.evaluate("() => String(app.graph.nodes.find((node) => node.type === 'NoiseSearch').id)")
    result = page.wait(page.queue())
    assert result.ok, result.error
    assert len(result.outputs[identity]["images"]) == count
    page.raw.wait_for_function("(id) => !app.nodePreviewImages[id]", arg=identity, timeout=WAIT)
    page.raw.wait_for_function(PICTURES, timeout=WAIT)
    page.raw.wait_for_function(f"(id) => ({BELOW})(id) === 0", arg=identity, timeout=WAIT)
    assert page.errors == []
