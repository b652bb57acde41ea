"""Workflows that people saved long ago still load, with every value where it was, and still run."""

import hashlib
import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"
SAMPLING = {"steps": 5, "cfg": 4.5, "sampler_name": "heun", "scheduler": "normal", "denoise": 0.9}
SEARCH = {
    "seed": 1125899906842623,
    "control_after_generate": "increment",
    "minutes": 30,
    "prompt": "a blue square",
    "recipe": "",
    "save_found": True,
    "patience": 5,
    "target": 900.5,
}
VERIFIER = {"verifier": "noise_search_tiny_clip", "device": "cpu"}

# Every widget of our nodes by its name, as it was when the file was saved.
SAVED = {
    "drop_in_2026_11": {"LoadVerifier": VERIFIER, "NoiseSearch": {**SAMPLING, **SEARCH, "pictures": 6, "keep": 2}},
    "zero_order_2026_11": {
        "LoadVerifier": VERIFIER,
        "SamplingSetup": {**SAMPLING, "batch_size": 3},
        "ZeroOrderSearch": {**SEARCH, "pictures": 9, "keep": 3, "preset": "paper", "neighbors": 3, "similarity": 0.85},
    },
    "chain_2026_11": {
        "LoadVerifier": VERIFIER,
        "NoiseFromRecipe": {"recipe": '{"noise_search":1,"shapes":[[16,8,8]],"noise":[["fresh",123]],"settings":{}}'},
        "NoiseVariations": {
            "seed": 77,
            "control_after_generate": "decrement",
            "count": 3,
            "similarity": 0.7,
            "include_source": False,
        },
        "NoiseCandidates": {"seed": 78, "control_after_generate": "randomize", "count": 2},
        "SamplingSetupCustom": {"batch_size": 2},
        "EnsembleVerifier": {"combination": "weighted sum", "weights": "1, 0.5"},
        "RandomSearch": {**SEARCH, "pictures": 5, "keep": 4},
        "VerifierScore": {"prompt": "a red circle"},
    },
}
PICTURES = {"drop_in_2026_11": 2, "zero_order_2026_11": 3, "chain_2026_11": 5}  # that leave the workflow
DIGESTS = {  # of the files, so that nobody edits one
    "chain_2026_11": "fe7f1e1e3cc3bfd5",
    "drop_in_2026_11": "4ccacabb7f0a8646",
    "zero_order_2026_11": "cc8bad0a07aec767",
}

WIDGETS = """() => {
    const values = (widget) => [
        [widget.name, widget.value],
        ...(widget.name === "seed" ? [["control_after_generate", widget.linkedWidgets[0].value]] : []),
    ];
    return app.graph.nodes.map((node) => [node.type, Object.fromEntries((node.widgets ?? []).flatMap(values))]);
}"""


def old(name: str) -> dict:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def test_every_old_workflow_is_tested_and_unchanged():
    files = {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(DATA.glob("*_[0-9]*.json"))
    }
    assert files == DIGESTS
    assert sorted(files) == sorted(SAVED)


@pytest.mark.parametrize("name", SAVED)
def test_an_old_workflow_loads_with_every_value_in_its_widget_and_runs(page, name):
    page.load(old(name))
    widgets = page.raw.evaluate(WIDGETS)
    for kind, expected in SAVED[name].items():
        found = [values for type_, values in widgets if type_ == kind]
        assert found
        for values in found:
            assert {key: values.get(key) for key in expected} == expected
    result = page.run()
    assert result.ok, result.error
    shown = [image for node in outputs(old(name)) for image in result.outputs[node]["images"]]
    assert len(shown) == PICTURES[name]
    assert not page.errors, "\n".join(page.errors)


def outputs(workflow: dict) -> list[str]:
    return [str(node["id"]) for node in workflow["nodes"] if node["type"] in ("SaveImage", "PreviewImage")]
