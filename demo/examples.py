"""Puts the bundled tiny models in the place of the ones that the published example workflows name."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

PACK = Path(__file__).resolve().parents[1]
EXAMPLES = PACK / "example_workflows"
SOURCE = "noise-search-tiny"  # the pack under which a server offers the examples with the tiny models
CHECKPOINT = "noise_search_tiny.ckpt"
VERIFIER = "noise_search_tiny_clip"
SIDE = 64  # pixels; what the tiny model was trained on
CAPTION = "a red circle and a blue square"
LOADERS = {"UNETLoader": 0, "CLIPLoader": 1, "DualCLIPLoader": 1, "VAELoader": 2}  # -> output slot of CheckpointLoaderSimple
OUTPUTS = [("MODEL", "MODEL"), ("CLIP", "CLIP"), ("VAE", "VAE")]


def with_tiny_model(workflow: dict, caption: str = CAPTION) -> dict:
    """The workflow (as the frontend saves it) with the tiny models, their picture size and a caption that they know."""
    workflow = copy.deepcopy(workflow)
    for node in workflow["nodes"]:
        values = node.get("widgets_values")
        node.get("properties", {}).pop("models", None)  # the downloads that the frontend would offer
        if node["type"] in LOADERS:
            _become_checkpoint_loader(workflow, node)
        elif node["type"] == "CheckpointLoaderSimple":
            node["widgets_values"] = [CHECKPOINT]
        elif node["type"] == "LoadVerifier":
            values[0] = VERIFIER
        elif node["type"].startswith("Empty") and "LatentImage" in node["type"]:
            values[:2] = [SIDE, SIDE]
    for role, text in (("negative", ""), ("positive", caption)):
        for node in _text_nodes(workflow, role):
            node["widgets_values"] = [text]
    return workflow


def write_examples(base: Path) -> list[str]:
    """Offers the examples with the tiny models in a server's template browser; their names. Open one with `address`."""
    pack = base / "custom_nodes" / SOURCE
    shutil.rmtree(pack, ignore_errors=True)
    (pack / "example_workflows").mkdir(parents=True, exist_ok=True)
    (pack / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n", encoding="utf-8")
    names = []
    for path in sorted(EXAMPLES.glob("*.json")):
        workflow = with_tiny_model(json.loads(path.read_text(encoding="utf-8")))
        (pack / "example_workflows" / path.name).write_text(json.dumps(workflow), encoding="utf-8")
        names.append(path.stem)
    return names


def address(url: str, name: str) -> str:
    """Where a browser opens one example of `write_examples` on the server at `url`."""
    return f"{url}/?template={name}&source={SOURCE}"


def _become_checkpoint_loader(workflow: dict, node: dict) -> None:
    slot = LOADERS[node["type"]]
    node.update(type="CheckpointLoaderSimple", widgets_values=[CHECKPOINT], inputs=[], properties={})
    links = [link for link in workflow["links"] if link[1] == node["id"]]
    for link in links:
        link[2] = slot
    node["outputs"] = [{"name": name, "type": kind, "links": []} for name, kind in OUTPUTS]
    node["outputs"][slot]["links"] = [link[0] for link in links]


def _text_nodes(workflow: dict, role: str) -> list[dict]:
    """The CLIPTextEncode nodes upstream of any input called `role`."""
    nodes = {node["id"]: node for node in workflow["nodes"]}
    source = {link[0]: link[1] for link in workflow["links"]}
    sockets = [entry for node in workflow["nodes"] for entry in node.get("inputs", []) if entry["name"] == role]
    waiting, found = [entry["link"] for entry in sockets], []
    while waiting:
        link = waiting.pop()
        if link is None:
            continue
        node = nodes[source[link]]
        if node["type"] == "CLIPTextEncode":
            found.append(node)
        else:
            waiting += [entry.get("link") for entry in node.get("inputs", []) if entry["type"] == "CONDITIONING"]
    return found
