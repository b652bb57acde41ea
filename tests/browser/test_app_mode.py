"""The two commonest examples as apps: who wants no graph types a prompt, presses Run and looks at pictures."""

import json

import pytest
from noise_search.demo.examples import EXAMPLES, with_tiny_model

PICTURES = "() => [...document.querySelectorAll('img')].filter((image) => /noise_search/.test(image.src)).length"
LABELS = {"prompt", "pictures", "seed"}


def example(number):
    (path,) = EXAMPLES.glob(f"{number}_*.json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("number", ["01", "02"])
def test_an_app_shows_inputs_and_outputs_that_are_there(number):
    workflow = example(number)
    nodes = {str(node["id"]): node for node in workflow["nodes"]}
    shown = workflow["extra"]["linearData"]
    inputs = {
        entry.get("label", entry["name"])
        for node, name in shown["inputs"]
        for entry in nodes[node]["inputs"]
        if entry["name"] == name and "widget" in entry
    }
    assert inputs == LABELS and len(shown["inputs"]) == len(LABELS)
    assert {nodes[node]["type"] for node in shown["outputs"]} == {"NoiseSearch" if number == "01" else "SaveImage"}


@pytest.mark.parametrize("page", ["vue"], indirect=True)
def test_the_first_example_as_an_app_shows_eight_pictures_with_their_seeds(page):
    page.load(with_tiny_model(example("01")))
    page.raw.get_by_role("button", name="Enter app mode").click()
    for label in LABELS:
        page.raw.get_by_test_id("linear-widgets").get_by_text(label, exact=True).wait_for()
    page.raw.get_by_test_id("linear-run-button").get_by_role("button", name="Run", exact=True).click()
    page.raw.wait_for_function(f"() => ({PICTURES})() >= 8", timeout=60_000)
