"""Every example workflow: as published it loads in the real frontend, and with the tiny models it runs on the real server."""

import json
import struct

import pytest
from noise_search.demo.examples import CAPTION, EXAMPLES, with_tiny_model

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))
SDXL = {"steps": 25, "cfg": 7, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1}
SEARCH = {"seed": 42, "minutes": 0, "prompt": "", "recipe": "", "save_found": False, "patience": 0, "target": 0}
CLIP = {"verifier": "vit_large_patch14_clip_224.openai", "device": "auto"}
HEAD = {"verifier": "sac+logos+ava1-l14-linearMSE.pth", "device": "auto"}
CHECKPOINT = {"ckpt_name": "sd_xl_base_1.0.safetensors"}
LATENT = {"width": 1024, "height": 1024}

# What the published examples set, by node and widget; widgets of the same node type in the order of the nodes.
PUBLISHED = {
    "noise_search_swap_the_ksampler": {
        "CheckpointLoaderSimple": [CHECKPOINT],
        "LoadVerifier": [CLIP],
        "EmptyLatentImage": [{**LATENT, "batch_size": 1}],
        "NoiseSearch": [{**SDXL, **SEARCH, "pictures": 8, "keep": 1}],
    },
    "noise_search_random_search_with_an_ensemble": {
        "CheckpointLoaderSimple": [CHECKPOINT],
        "LoadVerifier": [CLIP, HEAD],
        "EnsembleVerifier": [{"combination": "mean rank", "weights": ""}],
        "SamplingSetup": [{**SDXL, "batch_size": 0}],
        "RandomSearch": [{**SEARCH, "pictures": 16, "keep": 4}],
    },
    "noise_search_zero_order_search_flux": {
        "UNETLoader": [{"unet_name": "flux1-dev.safetensors", "weight_dtype": "default"}],
        "DualCLIPLoader": [{"clip_name1": "clip_l.safetensors", "clip_name2": "t5xxl_fp16.safetensors", "type": "flux", "device": "default"}],
        "VAELoader": [{"vae_name": "ae.safetensors"}],
        "FluxGuidance": [{"guidance": 3.5}],
        "LoadVerifier": [CLIP],
        "SamplingSetup": [{"steps": 20, "cfg": 1, "sampler_name": "euler", "scheduler": "simple", "denoise": 1, "batch_size": 0}],
        "ZeroOrderSearch": [{**SEARCH, "pictures": 16, "keep": 1, "preset": "adaptive", "neighbors": 4, "similarity": 0.95}],
    },
    "noise_search_with_stock_nodes": {
        "LoadVerifier": [CLIP],
        "NoiseCandidates": [{"seed": 42, "count": 4}],
        "EmptyLatentImage": [{**LATENT, "batch_size": 4}],
        "BasicScheduler": [{"scheduler": "karras", "steps": 25, "denoise": 1}],
    },
    "noise_search_seed_list": {
        "LoadVerifier": [CLIP],
        "NoiseCandidates": [{"seed": 42, "count": 4}],
        "EmptyLatentImage": [{**LATENT, "batch_size": 1}],
        "KSampler": [{**SDXL, "seed": ["7", 1]}],
    },
}
SAVED = {name: 4 for name in NAMES} | {"noise_search_swap_the_ksampler": 1, "noise_search_zero_order_search_flux": 1}  # pictures


def example(name: str) -> dict:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def quick(workflow: dict) -> dict:
    """The example with the tiny models and a quarter of its steps."""
    workflow = with_tiny_model(workflow)
    steps = {"NoiseSearch": 2, "KSampler": 2, "SamplingSetup": 0, "BasicScheduler": 1}  # -> position of the widget
    for node in workflow["nodes"]:
        if node["type"] in steps:
            node["widgets_values"][steps[node["type"]]] = 6
    return workflow


def inputs_of(prompt: dict, kind: str) -> list[dict]:
    return [node["inputs"] for _, node in sorted(prompt.items(), key=lambda item: int(item[0])) if node["class_type"] == kind]


def widgets_of(workflow: dict) -> dict[int, tuple[str, list]]:
    return {node["id"]: (node["type"], node.get("widgets_values") or []) for node in workflow["nodes"]}


def saved_pictures(result) -> list[dict]:
    return [image for output in result.outputs.values() for image in output.get("images", []) if image["type"] == "output"]


def size(png: bytes) -> tuple[int, int]:
    return struct.unpack(">II", png[16:24])


def test_the_server_offers_every_example_in_its_template_browser(server):
    assert sorted(server.client().json("/workflow_templates")["noise-search"]) == NAMES == sorted(PUBLISHED)
    for name in NAMES:
        assert server.client().json(f"/api/workflow_templates/noise-search/{name}.json") == example(name)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_as_published_loads_with_every_value_in_its_widget(page, name):
    page.load(example(name))
    types = {node["type"] for node in example(name)["nodes"]}
    assert types <= set(page.raw.evaluate("() => Object.keys(LiteGraph.registered_node_types)"))
    prompt = page.prompt()
    for kind, expected in PUBLISHED[name].items():
        found = inputs_of(prompt, kind)
        assert len(found) == len(expected)
        for inputs, values in zip(found, expected):
            assert {key: inputs.get(key) for key in values} == values
    ours = [error for error in page.errors if "missingModelDownload" not in error]  # the frontend asks how large missing weights are
    assert not ours, "\n".join(ours)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_as_published_is_what_the_frontend_saves(page, name):
    page.load(example(name))
    saved = json.loads(page.raw.evaluate("() => JSON.stringify(app.graph.serialize({sortNodes: true}))"))
    published = example(name)
    assert widgets_of(saved) == widgets_of(published)
    assert sorted(map(str, saved["links"])) == sorted(map(str, published["links"]))


@pytest.mark.parametrize("name", NAMES)
def test_no_node_of_an_example_lies_on_another(name):
    nodes = example(name)["nodes"]
    boxes = [(x, y - 30, x + width, y + height) for (x, y), (width, height) in ((node["pos"], node["size"]) for node in nodes)]
    for index, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_where_its_weights_go(name):
    workflow = example(name)
    (note,) = [node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == "MarkdownNote"]
    models = [model for node in workflow["nodes"] for model in node["properties"].get("models", [])]
    assert models
    for model in models:
        assert model["name"] in note and f"models/{model['directory']}" in note
    assert CLIP["verifier"] in note


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_from_the_page_and_through_the_api(page, name):
    result = page.run(quick(example(name)))
    assert result.ok, result.error
    images = saved_pictures(result)
    assert len(images) == SAVED[name]
    assert all(size(page.client.image(image)) == (64, 64) for image in images)
    assert not page.errors, "\n".join(page.errors)
    prompt = page.prompt()
    assert CAPTION in json.dumps(prompt)
    again = run_through_the_api(page.client, prompt)
    assert again.ok, again.error
    assert len(saved_pictures(again)) == SAVED[name]


def run_through_the_api(client, prompt: dict):
    """A run of its own: another seed, or everything would come from the cache."""
    for node in prompt.values():
        if isinstance(node["inputs"].get("seed"), int):
            node["inputs"]["seed"] += 1
    try:
        return client.run(prompt)
    finally:
        client.close()
