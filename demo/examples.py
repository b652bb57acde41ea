"""Puts the bundled tiny models in the place of the ones that the published example workflows name."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

from .server import PACK, WEIGHTS, link

EXAMPLES = PACK / "example_workflows"
SOURCE = "noise-search-tiny"  # the pack under which a server offers the examples with the tiny models
CHECKPOINT = "noise_search_tiny.ckpt"
VERIFIER = "noise_search_tiny_clip"
SIDE = 64  # pixels; what the tiny model was trained on
CAPTION = "a red circle and a blue square"
# for a list of prompts
CAPTIONS = [CAPTION, "two green triangles", "a yellow cross above a purple square", "three black circles"]
PICTURE = "noise_search_tiny.png"  # 128x128, four scenes, one with a flaw under a mask
LORA = "noise_search_tiny_lora.safetensors"
# first widget
NAMED = {
    "CheckpointLoaderSimple": CHECKPOINT,
    "LoadVerifier": VERIFIER,
    "LoadImage": PICTURE,
    "LoraLoaderModelOnly": LORA,
}
# widgets in pixels
PIXELS = {"ImageCrop": (0, 1, 2, 3), "ImageScale": (1, 2), "ImageCompositeMasked": (0, 1), "RefineSearch": (-4,)}
PUBLISHED_SIDE = 1024
# -> output slot of CheckpointLoaderSimple
LOADERS = {"UNETLoader": 0, "CLIPLoader": 1, "DualCLIPLoader": 1, "VAELoader": 2}
OUTPUTS = [("MODEL", "MODEL"), ("CLIP", "CLIP"), ("VAE", "VAE")]


def with_tiny_model(workflow: dict, caption: str = CAPTION) -> dict:
    """The workflow (as the frontend saves it) with the tiny models, their picture size and a caption that they know."""
    workflow = copy.deepcopy(workflow)
    captions = iter(CAPTIONS)
    for node in workflow["nodes"]:
        node.get("properties", {}).pop("models", None)  # the downloads that the frontend would offer
        if node["type"] in LOADERS:
            _become_checkpoint_loader(workflow, node)
        _shrink(node)
        if node["type"] == "PrimitiveStringMultiline":
            node["widgets_values"] = [next(captions)]
    for role, text in (("negative", ""), ("positive", caption)):
        for node in _text_nodes(workflow, role):
            node["widgets_values"] = [text]
    return workflow


def _shrink(node: dict) -> None:
    """Puts the tiny models, their files and their picture size into a node's widgets."""
    kind, values = node["type"], node.get("widgets_values")
    if kind in NAMED:
        values[0] = NAMED[kind]
    elif kind == "EmptyHunyuanLatentVideo":  # the tiny model knows still pictures only
        node["type"], node["widgets_values"] = "EmptyLatentImage", [SIDE, SIDE, 1]
        node["inputs"] = [entry for entry in node["inputs"] if entry["name"] != "length"]
    elif kind.startswith("Empty") and "LatentImage" in kind:
        values[:2] = [SIDE, SIDE]
    for place in PIXELS.get(kind, ()):
        values[place] = values[place] * SIDE // PUBLISHED_SIDE


def write_examples(base: Path) -> list[str]:
    """Offers the examples with the tiny models in a server's template browser; their names. Open one with `address`."""
    pack = base / "custom_nodes" / SOURCE
    shutil.rmtree(pack, ignore_errors=True)
    (pack / "example_workflows").mkdir(parents=True, exist_ok=True)
    (pack / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n", encoding="utf-8")
    (base / "models" / "loras").mkdir(parents=True, exist_ok=True)
    link(WEIGHTS / LORA, base / "models" / "loras" / LORA)
    shutil.copy(WEIGHTS / PICTURE, base / "input" / PICTURE)  # the host refuses links out of this folder
    names = []
    for path in sorted(EXAMPLES.glob("*.json")):
        workflow = with_tiny_model(json.loads(path.read_text(encoding="utf-8")))
        (pack / "example_workflows" / path.name).write_text(json.dumps(workflow), encoding="utf-8")
        if path.with_suffix(".jpg").is_file():
            link(path.with_suffix(".jpg"), pack / "example_workflows" / f"{path.stem}.jpg")
        names.append(path.stem)
    return names


def address(url: str, name: str) -> str:
    """Where a browser opens one example of `write_examples` on the server at `url`."""
    return f"{url}/?template={name}&source={SOURCE}"


def _become_checkpoint_loader(workflow: dict, node: dict) -> None:
    slot = LOADERS[node["type"]]
    node.update(type="CheckpointLoaderSimple", widgets_values=[CHECKPOINT], inputs=[], properties={})
    outgoing = [entry for entry in workflow["links"] if entry[1] == node["id"]]
    for entry in outgoing:
        entry[2] = slot
    node["outputs"] = [{"name": name, "type": kind, "links": []} for name, kind in OUTPUTS]
    node["outputs"][slot]["links"] = [entry[0] for entry in outgoing]


def _text_nodes(workflow: dict, role: str) -> list[dict]:
    """The CLIPTextEncode nodes upstream of any input called `role`."""
    nodes = {node["id"]: node for node in workflow["nodes"]}
    source = {entry[0]: entry[1] for entry in workflow["links"]}
    sockets = [entry for node in workflow["nodes"] for entry in node.get("inputs", []) if entry["name"] == role]
    waiting, found = [entry["link"] for entry in sockets], []
    while waiting:
        number = waiting.pop()
        if number is None:
            continue
        node = nodes[source[number]]
        if node["type"] == "CLIPTextEncode":
            found.append(node)
        else:
            waiting += [entry.get("link") for entry in node.get("inputs", []) if entry["type"] == "CONDITIONING"]
    return found
