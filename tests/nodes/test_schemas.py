"""The nodes' schemas still serve every workflow that was saved with those of the last release."""

import copy
import json
import os
import re
from pathlib import Path

import pytest
from noise_search.tests.nodes.schemas import breaks, schema_of, written

RELEASED = Path(__file__).parents[1] / "data" / "schemas.json"
SWITCH = "NOISE_SEARCH_WRITE_SCHEMAS"
SEED = {"type": "INT", "required": True, "default": 0, "control_after_generate": "fixed"}
NODE = {
    "display_name": "Toy",
    "inputs": {
        "model": {"type": "MODEL", "required": True},
        "seed": SEED,
        "mode": {"type": "COMBO", "required": True, "default": "a", "options": ["a", "b"]},
        "mask": {"type": "MASK", "required": False},
        "note": {"type": "STRING", "required": False, "default": ""},
    },
    "outputs": [{"name": "latent", "type": "LATENT"}, {"name": "image", "type": "IMAGE"}],
}


@pytest.fixture
def schemas(host):
    import nodes

    ours = {
        name: node
        for name, node in nodes.NODE_CLASS_MAPPINGS.items()
        if node.__module__.startswith(f"{host.pack.__name__}.")
    }
    return {name: schema_of(node.GET_NODE_INFO_V1()) for name, node in ours.items()}


def test_workflows_of_the_last_release_still_fit(schemas):
    """`NOISE_SEARCH_WRITE_SCHEMAS=1 python dev.py test tests/nodes/test_schemas.py` writes the file, at a release."""
    if os.environ.get(SWITCH):
        RELEASED.write_text(written(schemas), encoding="utf-8")
    found = breaks(json.loads(RELEASED.read_text(encoding="utf-8")), schemas)
    assert not found, "saved workflows would break:\n" + "\n".join(found)


def test_what_is_written_is_what_was_asked(schemas):
    assert len(schemas) > 20 and {"NoiseSearch", "HumanPick"} <= set(schemas)
    assert json.loads(written(schemas)) == schemas
    assert breaks(schemas, json.loads(written(schemas))) == []


def change(edit):
    changed = copy.deepcopy(NODE)
    edit(changed)
    return breaks({"Toy": NODE}, {"Toy": changed})


def put_first(node, name, entry):
    node["inputs"] = {name: entry, **node["inputs"]}


def rename(node, old, new):
    node["inputs"] = {new if name == old else name: entry for name, entry in node["inputs"].items()}


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda node: node["inputs"].pop("mask"), "input mask is gone"),
        (lambda node: rename(node, "mask", "area"), "input mask is gone or renamed"),
        (lambda node: node["inputs"]["mask"].update(type="IMAGE"), "input mask was MASK and is IMAGE"),
        (lambda node: node["inputs"]["mode"].update(options=["b", "c"]), "has no option 'a' any more"),
        (lambda node: node["inputs"]["mask"].update(required=True), "input mask was optional and is required"),
        (lambda node: node["inputs"].update(vae={"type": "VAE", "required": True}), "new input vae is required"),
        (lambda node: put_first(node, "steps", {"type": "INT", "required": True, "default": 1}), "saved by place"),
        (lambda node: node["inputs"].update(seed={**SEED, "control_after_generate": None}), "saved by place"),
        (lambda node: node["outputs"].pop(), r"output 1 \(image\) is gone"),
        (lambda node: node["outputs"].reverse(), r"output 0 was latent \(LATENT\) and is image \(IMAGE\)"),
        (lambda node: node["outputs"][0].update(name="latents"), "output 0 was latent"),
        (lambda node: node["outputs"][1].update(type="list of IMAGE"), "is image \\(list of IMAGE\\)"),
        (lambda node: node["outputs"].insert(0, {"name": "new", "type": "INT"}), "output 0 was latent"),
    ],
)
def test_a_change_that_breaks_saved_workflows_is_told(edit, told):
    found = change(edit)
    assert any(re.search(told, text) for text in found), found
    assert all(text.startswith("Toy: ") for text in found)


def test_a_node_that_is_gone_is_told():
    assert breaks({"Toy": NODE}, {}) == ["Toy: the node is gone; workflows that have it do not load"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda node: node.update(display_name="Another name"),
        lambda node: node["inputs"].update(vae={"type": "VAE", "required": False}),
        lambda node: node["inputs"].update(width={"type": "INT", "required": True, "default": 0}),
        lambda node: put_first(node, "clip", {"type": "CLIP", "required": False}),
        lambda node: node["inputs"]["model"].update(required=False),
        lambda node: node["inputs"]["mode"].update(options=["c", "b", "a"], default="c"),
        lambda node: node["outputs"].append({"name": "seed", "type": "INT"}),
    ],
)
def test_an_addition_passes(edit):
    assert change(edit) == []


def test_a_new_node_passes():
    assert breaks({"Toy": NODE}, {"Toy": NODE, "New": NODE}) == []
