"""Every example workflow: as published it loads in the real frontend, and with the tiny models it runs on the real
server.
"""

import io
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from noise_search.demo.client import Result
from noise_search.demo.examples import CAPTION, CAPTIONS, EXAMPLES, PICTURE, with_tiny_model
from PIL import Image
from scipy import ndimage

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))
SDXL = {"steps": 25, "cfg": 7, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1}
SEARCH = {"seed": 42, "minutes": 0, "prompt": "", "recipe": "", "save_found": False, "patience": 0, "target": 0}
CLIP = {"verifier": "vit_large_patch14_clip_224.openai", "device": "auto"}
HEAD = {"verifier": "sac+logos+ava1-l14-linearMSE.pth", "device": "auto"}
CHECKPOINT = {"ckpt_name": "sd_xl_base_1.0.safetensors"}
LATENT = {"width": 1024, "height": 1024}
LORA = {"lora_name": "sd_xl_offset_example-lora_1.0.safetensors"}

# What the published examples set, by node and widget; widgets of the same node type in the order of the nodes.
PUBLISHED = {
    "01_Swap_your_KSampler_and_click_the_best": {
        "CheckpointLoaderSimple": [CHECKPOINT],
        "EmptyLatentImage": [{**LATENT, "batch_size": 1}],
        "NoiseSearch": [{**SDXL, **SEARCH, "pictures": 8, "keep": 1}],
    },
    "02_Swap_your_KSampler_and_let_a_judge_choose": {
        "CheckpointLoaderSimple": [CHECKPOINT],
        "LoadVerifier": [CLIP],
        "EmptyLatentImage": [{**LATENT, "batch_size": 1}],
        "NoiseSearch": [{**SDXL, **SEARCH, "pictures": 8, "keep": 1}],
    },
    "03_Fix_this_hand_inside_a_mask": {
        "CheckpointLoaderSimple": [CHECKPOINT],
        "LoadImage": [{"image": "example.png"}],
        "LoadVerifier": [CLIP],
        "SamplingSetup": [{**SDXL, "batch_size": 0}],
        "RefineSearch": [
            {
                **SEARCH,
                "image": ["2", 0],
                "mask": ["2", 1],
                "pictures": 12,
                "keep": 1,
                "depth": 0.6,
                "size": 1024,
                "context": 2.5,
            }
        ],
    },
    "06_Flux_list_of_prompts_over_night": {
        "CheckpointLoaderSimple": [{"ckpt_name": "flux1-dev-fp8.safetensors"}],
        "LoadVerifier": [{**CLIP, "device": "cpu"}],
        "SamplingSetup": [
            {"steps": 20, "cfg": 1, "sampler_name": "euler", "scheduler": "simple", "denoise": 1, "batch_size": 1}
        ],
        "AutoSearch": [{**SEARCH, "prompt": ["9", 0], "pictures": 24, "minutes": 60, "keep": 1, "save_found": True}],
    },
    "09_Seed_list_through_any_workflow": {
        "LoadVerifier": [CLIP],
        "NoiseCandidates": [{"seed": 42, "count": 4}],
        "EmptyLatentImage": [{**LATENT, "batch_size": 1}],
        "KSampler": [
            {**SDXL, "seed": ["7", 1]},
            {**SDXL, "seed": ["7", 1], "steps": 12, "denoise": 0.5},
            {**SDXL, "seed": ["7", 1], "steps": 12, "denoise": 0.35},
        ],
        "LatentUpscaleBy": [{"upscale_method": "bislerp", "scale_by": 1.5}],
        "ImageCrop": [{"width": 512, "height": 512, "x": 512, "y": 128}],
        "ImageCompositeMasked": [{"x": 512, "y": 128}],
    },
    "10_LoRA_strengths_by_seeds": {
        "LoraLoaderModelOnly": [{**LORA, "strength_model": 0.5}, {**LORA, "strength_model": 1}],
        "NoiseCandidates": [{"seed": 42, "count": 4}],
        "KSampler": [{**SDXL, "seed": ["9", 1]}] * 3,
        "SeedSheet": [{"seeds": ["9", 1], "row_labels": "no LoRA\nhalf strength\nfull strength", "columns": 0}],
    },
    "08_Three_searches_in_a_row": {
        "SamplingSetup": [{**SDXL, "batch_size": 0}],
        "DraftSearch": [{**SEARCH, "pictures": 16, "keep": 1}],
        "LocalSearch": [{**SEARCH, "seed": 43, "noise": ["8", 4], "pictures": 12, "keep": 1}],
        "RefineSearch": [{**SEARCH, "seed": 44, "latent": ["9", 0], "pictures": 8, "keep": 1, "depth": 0.4, "size": 0}],
    },
    "04_Video_drafts_and_the_best_in_full": {
        "UNETLoader": [{"unet_name": "wan2.1_t2v_14B_fp8_scaled.safetensors"}],
        "CLIPLoader": [{"clip_name": "umt5_xxl_fp8_e4m3fn_scaled.safetensors", "type": "wan"}],
        "LoraLoaderModelOnly": [
            {"lora_name": "lightx2v_T2V_14B_cfg_step_distill_v2_lora_rank64_bf16.safetensors", "strength_model": 1}
        ],
        "EmptyHunyuanLatentVideo": [{"width": 832, "height": 480, "length": 33, "batch_size": 1}],
        "SamplingSetup": [
            {"steps": 4, "cfg": 1, "sampler_name": "euler", "scheduler": "simple", "denoise": 1, "batch_size": 1},
            {"steps": 30, "cfg": 6, "sampler_name": "uni_pc", "scheduler": "simple", "denoise": 1, "batch_size": 1},
        ],
        "DraftSearch": [{**SEARCH, "pictures": 4, "keep": 1, "draft_steps": 0}],
    },
    "07_Two_judges_together": {
        "CheckpointLoaderSimple": [CHECKPOINT],
        "LoadVerifier": [CLIP, HEAD],
        "EnsembleVerifier": [{"combination": "mean rank", "weights": ""}],
        "SamplingSetup": [{**SDXL, "batch_size": 0}],
        "RandomSearch": [{**SEARCH, "pictures": 16, "keep": 4}],
    },
    "05_Flux_climb_to_a_better_noise": {
        "UNETLoader": [{"unet_name": "flux1-dev.safetensors", "weight_dtype": "default"}],
        "DualCLIPLoader": [
            {
                "clip_name1": "clip_l.safetensors",
                "clip_name2": "t5xxl_fp16.safetensors",
                "type": "flux",
                "device": "default",
            }
        ],
        "VAELoader": [{"vae_name": "ae.safetensors"}],
        "FluxGuidance": [{"guidance": 3.5}],
        "LoadVerifier": [CLIP],
        "SamplingSetup": [
            {"steps": 20, "cfg": 1, "sampler_name": "euler", "scheduler": "simple", "denoise": 1, "batch_size": 0}
        ],
        "ZeroOrderSearch": [
            {**SEARCH, "pictures": 16, "keep": 1, "preset": "adaptive", "neighbors": 4, "similarity": 0.95}
        ],
    },
    "11_With_SamplerCustomAdvanced": {
        "LoadVerifier": [CLIP],
        "NoiseCandidates": [{"seed": 42, "count": 4}],
        "EmptyLatentImage": [{**LATENT, "batch_size": 4}],
        "BasicScheduler": [{"scheduler": "karras", "steps": 25, "denoise": 1}],
    },
    "12_Prompts_by_seeds_on_one_sheet": {
        "CheckpointLoaderSimple": [CHECKPOINT],
        "NoiseCandidates": [{"seed": 42, "count": 4}],
        "EmptyLatentImage": [{**LATENT, "batch_size": 4}],
        "SeedSheet": [
            {
                "seeds": ["10", 1],
                "row_labels": ["8", 0],
                "column_labels": "",
                "columns": 0,
                "max_width": 4096,
                "save": True,
            }
        ],
    },
}
# How many pictures or videos each saves, beside winners on the way, and their sizes with the tiny models.
SAVED = {
    "01_Swap_your_KSampler_and_click_the_best": (1, (64, 64)),
    "02_Swap_your_KSampler_and_let_a_judge_choose": (1, (64, 64)),
    "03_Fix_this_hand_inside_a_mask": (1, (128, 128)),
    "06_Flux_list_of_prompts_over_night": (4, (64, 64)),
    "09_Seed_list_through_any_workflow": (2, (96, 96)),
    "10_LoRA_strengths_by_seeds": (1, None),
    "08_Three_searches_in_a_row": (1, (64, 64)),
    "04_Video_drafts_and_the_best_in_full": (1, None),
    "07_Two_judges_together": (4, (64, 64)),
    "05_Flux_climb_to_a_better_noise": (1, (64, 64)),
    "11_With_SamplerCustomAdvanced": (2, (64, 64)),
    "12_Prompts_by_seeds_on_one_sheet": (1, (739, 865)),
}
# widgets that say how many pictures there are; 2 in these tests
COUNTS = {"NoiseCandidates": 2, "EmptyLatentImage": 2}
# the frontend asks how large missing weights are, and for the host's own picture
MISSING = ("missingModelDownload", "example.png")
THUMBNAIL = 60_000  # bytes at most: the template browser loads all of them at once


def example(name: str) -> dict:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def quick(workflow: dict) -> dict:
    """The example with the tiny models, a few steps and a small budget."""
    workflow = with_tiny_model(workflow)
    steps = {"NoiseSearch": 2, "KSampler": 2, "SamplingSetup": 0, "BasicScheduler": 1}  # -> position of the widget
    for node in workflow["nodes"]:
        kind, values = node["type"], node.get("widgets_values")
        if kind in steps:
            values[steps[kind]] = min(values[steps[kind]], 4)
        if kind.endswith("Search"):
            values[7 if kind == "NoiseSearch" else 2] = 5 if kind == "ZeroOrderSearch" else 4
        if kind in COUNTS:
            values[COUNTS[kind]] = min(values[COUNTS[kind]], 2)
    return workflow


def inputs_of(prompt: dict, kind: str) -> list[dict]:
    return [
        node["inputs"]
        for _, node in sorted(prompt.items(), key=lambda item: int(item[0]))
        if node["class_type"] == kind
    ]


def widgets_of(workflow: dict) -> dict[int, tuple[str, list]]:
    return {node["id"]: (node["type"], node.get("widgets_values") or []) for node in workflow["nodes"]}


def saved(result) -> list[dict]:
    return [
        image for output in result.outputs.values() for image in output.get("images", []) if image["type"] == "output"
    ]


def size(png: bytes) -> tuple[int, int]:
    return struct.unpack(">II", png[16:24])


def test_the_server_offers_every_example_with_a_thumbnail_in_its_template_browser(server):
    client = server.client()
    assert sorted(client.json("/workflow_templates")["noise-search"]) == NAMES == sorted(PUBLISHED) == sorted(SAVED)
    for name in NAMES:
        assert client.json(f"/api/workflow_templates/noise-search/{name}.json") == example(name)
        # where the frontend looks for it
        thumbnail = client.request(f"/api/workflow_templates/noise-search/{name}.jpg")
        assert Image.open(io.BytesIO(thumbnail)).format == "JPEG"
        assert len(thumbnail) <= THUMBNAIL


def test_examples_are_numbered_as_links_to_the_page_may_name_them_and_the_first_one_needs_no_judge():
    assert all(re.fullmatch(r"[a-zA-Z0-9_.-]+", name) for name in NAMES)
    assert "LoadVerifier" not in {node["type"] for node in example(NAMES[0])["nodes"]}
    assert [int(name[:2]) for name in NAMES] == list(range(1, len(NAMES) + 1))


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
    ours = [error for error in page.errors if not any(word in error for word in MISSING)]
    assert not ours, "\n".join(ours)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_as_published_is_what_the_frontend_saves(page, name):
    page.load(example(name))
    saved = json.loads(page.raw.evaluate("() => JSON.stringify(app.graph.serialize({sortNodes: true}))"))
    published = example(name)
    assert widgets_of(saved) == widgets_of(published)
    assert sorted(map(str, saved["links"])) == sorted(map(str, published["links"]))


@pytest.mark.parametrize(
    "path",
    [*sorted(EXAMPLES.glob("*.json")), *sorted((EXAMPLES.parent / "subgraphs").glob("*.json"))],
    ids=lambda path: path.stem,
)
def test_a_template_has_no_id_so_that_each_copy_that_is_opened_gets_its_own(path):
    assert "id" not in json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_no_node_of_an_example_lies_on_another(name):
    nodes = example(name)["nodes"]
    boxes = [
        (x, y - 30, x + width, y + height)
        for (x, y), (width, height) in ((node["pos"], node["size"]) for node in nodes)
    ]
    for index, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert left >= other[2] or other[0] >= right or top >= other[3] or other[1] >= bottom


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_what_it_does_what_to_press_and_where_its_weights_go(name):
    workflow = example(name)
    (note,) = [node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == "MarkdownNote"]
    assert all(f"**{heading}" in note for heading in ("What it does", "What to load", "What to press"))
    models = [model for node in workflow["nodes"] for model in node["properties"].get("models", [])]
    assert models
    for model in models:
        assert model["name"] in note
        assert f"models/{model['directory']}" in note
    judged = any(node["type"] == "LoadVerifier" for node in workflow["nodes"])
    assert judged == (CLIP["verifier"] in note)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_from_the_page(page, server, name):
    workflow = quick(example(name))
    page.load(workflow)
    prompt = page.prompt()
    assert CAPTION in json.dumps(prompt)
    result = page.wait(page.queue())
    assert result.ok, result.error
    count, sides = SAVED[name]
    pictures = [page.client.image(entry) for entry in saved(result)]
    assert len(pictures) == count
    assert sides is None or all(size(picture) == sides for picture in pictures)
    assert not page.errors, "\n".join(page.errors)
    CHECKS.get(name, lambda *found: None)(server.base, pictures, prompt, result)


def every_prompt_has_a_search_of_its_own(base: Path, pictures: list[bytes], prompt: dict, result: Result) -> None:
    (search,) = [name for name, node in prompt.items() if node["class_type"] == "AutoSearch"]
    assert len(result.outputs[search]["noise_search"]) == len(CAPTIONS) == len(set(map(pixels, pictures)))
    assert len(list((base / "output" / "noise_search").glob("found*.png"))) >= len(CAPTIONS)


def nothing_outside_the_mask_is_changed(base: Path, pictures: list[bytes], prompt: dict, result: Result) -> None:
    before = np.asarray(Image.open(base / "input" / PICTURE))
    after = np.asarray(Image.open(io.BytesIO(pictures[0])))
    grown = ndimage.binary_dilation(before[..., 3] == 0, iterations=8)  # the mask and its soft edge
    np.testing.assert_array_equal(after[~grown][:, :3], before[~grown][:, :3])


CHECKS = {
    "06_Flux_list_of_prompts_over_night": every_prompt_has_a_search_of_its_own,
    "03_Fix_this_hand_inside_a_mask": nothing_outside_the_mask_is_changed,
}


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()


def test_what_a_page_queues_for_an_example_also_runs_through_the_api(page):
    page.load(quick(example("11_With_SamplerCustomAdvanced")))
    prompt = page.prompt()
    for node in prompt.values():
        if isinstance(node["inputs"].get("seed"), int):
            node["inputs"]["seed"] += 1  # or everything would come from the cache
    client = page.client
    again = client.run(prompt)
    client.close()
    assert again.ok, again.error
    assert len(saved(again)) == 2


def test_video_drafts_really_search_videos(page):
    """The page's prompt with a tiny video model in the place of the still pictures' one."""
    page.load(quick(example("04_Video_drafts_and_the_best_in_full")))
    prompt = page.prompt()
    prompt["wan"] = {"class_type": "ToyModel", "inputs": {"family": "wan", "batch": 1}}
    for node in prompt.values():
        if node["class_type"] == "SamplingSetup":
            node["inputs"] |= {
                name: ["wan", slot]
                for slot, name in enumerate(("model", "positive", "negative", "latent_image", "vae"))
            }
        if node["class_type"] == "DraftSearch":
            node["inputs"]["prompt"] = CAPTION
    client = page.client
    result = client.run(prompt)
    client.close()
    assert result.ok, result.error
    (entry,) = saved(result)
    assert entry["filename"].endswith(".mp4")
