"""The subgraph blueprint: the common case as one node, offered in the node library and runnable."""

import copy
import json

import pytest
from noise_search.demo.examples import CAPTION, CHECKPOINT, SIDE, VERIFIER

NAME = "Best of 8 (Noise Search)"
TINY = {
    "checkpoint": CHECKPOINT,
    "prompt": CAPTION,
    "width": SIDE,
    "height": SIDE,
    "verifier": VERIFIER,
    "steps": 4,
    "pictures": 4,
}


@pytest.fixture
def blueprint(server) -> dict:
    """The workflow as the server gives it to a page."""
    client = server.client()
    (found,) = [key for key, entry in client.json("/global_subgraphs").items() if entry["name"] == NAME]
    entry = client.json(f"/global_subgraphs/{found}")
    assert entry["info"]["node_pack"] == "custom_nodes.noise-search"
    return json.loads(entry["data"])


def test_a_page_takes_the_blueprint_into_its_node_library(page, blueprint):
    wanted = f"subgraphs/{NAME}.json"
    page.raw.wait_for_function("(path) => app.extensionManager.workflow.getWorkflowByPath(path)", arg=wanted)
    (node,) = blueprint["nodes"]
    (subgraph,) = blueprint["definitions"]["subgraphs"]
    assert node["type"] == subgraph["id"]
    assert subgraph["category"] == "noise search"


def test_the_blueprint_makes_and_saves_the_best_of_several_pictures(page, blueprint):
    workflow = copy.deepcopy(blueprint)
    (node,) = workflow["nodes"]
    names = [entry["name"] for entry in node["inputs"]]
    assert set(TINY) <= set(names)
    page.load(workflow)
    for name, value in TINY.items():
        page.raw.evaluate(
            "([name, value]) => { app.graph.nodes[0].widgets.find((widget) => widget.name === name).value = value }",
            [name, value],
        )
    prompt = page.prompt()
    inputs = {node["class_type"]: node["inputs"] for node in prompt.values()}
    assert inputs["CheckpointLoaderSimple"]["ckpt_name"] == CHECKPOINT
    assert (inputs["NoiseSearch"]["pictures"], inputs["NoiseSearch"]["steps"]) == (4, 4)
    result = page.wait(page.queue())
    assert result.ok, result.error
    pictures = [
        entry for output in result.outputs.values() for entry in output.get("images", ()) if entry["type"] == "output"
    ]
    assert len(pictures) == 1
    assert not page.errors, "\n".join(page.errors)
