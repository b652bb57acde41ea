"""The host's own workflow templates as API prompts, exported by its page, and every sampler in them swapped for ours.

They are somebody else's work: what is exported is kept in the cache folder of dev.py, and nothing of it lies here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from noise_search.demo.server import Server, prepare
from noise_search.dev import cache
from noise_search.tests.host import COMFYUI_PATH, Page

PACKAGES = ("comfyui-workflow-templates-json", "comfyui-frontend-package")
SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.VueNodes.Enabled": False,
    "Comfy.Workflow.Persist": False,
    "Comfy.Workflow.ShowMissingNodesWarning": False,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
}
EXPORT = """async (workflow) => {
    app.canvas.pause_rendering = true;
    await app.loadGraphData(workflow, true, false);
    return (await app.graphToPrompt()).output;
}"""

REVIEWED = Path(__file__).parents[1] / "data" / "template_prompts.json"
ALL = os.environ.get("NOISE_SEARCH_TEMPLATES") == "all"  # as `dev.py test --templates` has it
# Executed in every run: one of nearly each kind of sampler, setup, model and way to a picture.
EXECUTED = (
    "01_get_started_text_to_image",
    "02_qwen_Image_edit_subgraphed",
    "03_video_wan2_2_14B_i2v_subgraphed",
    "Image_capybara_v0_1_image_edit",
    "default",
    "flux1_dev_uso_reference_image_gen",
    "flux_canny_model_example",
    "flux_fill_inpaint_example",
    "hidream_e1_1",
    "hunyuan_video_text_to_video",
    "image_anima_base_v1",
    "image_boogu_image_0_1_turbo_t2i",
    "image_chroma1_radiance_text_to_image",
    "image_chrono_edit_14B",
    "image_ernie_image",
    "image_flux2",
    "image_hidream_o1",
    "image_ideogram4_t2i",
    "image_joyai_image_edit",
    "image_kandinsky5_t2i",
    "image_krea2_turbo_int8_image_style_reference",
    "image_lens_t2i",
    "image_longcat_image_edit",
    "image_netayume_lumina_t2i",
    "image_omnigen2_image_edit",
    "image_pixeldit_t2i",
    "image_qwen_image_instantx_inpainting_controlnet",
    "image_qwen_image_layered",
    "ltxv_image_to_video",
    "sd3.5_large_canny_controlnet_example",
    "sdxl_refiner_prompt_example",
    "sdxlturbo_example",
    "template_ltx2_3_ic_lora_ingredients",
    "template_ltx2_3_style_transition",
    "text_to_video_wan",
    "utility_z_image_turbo_2k_upscaler.app",
    "video_causal_forcing_i2v",
    "video_ltx2_3_flf2v",
    "video_wan2_2_5B_fun_control",
    "video_wan2_2_5B_ti2v",
)

Prompt = dict[str, dict[str, Any]]


class Site(NamedTuple):
    """A sampler of a template.

    Args:
        template: Its name.
        node: The sampler's id in the exported prompt.
        prompt: The whole of it.
    """

    template: str
    node: str
    prompt: Prompt


def versions() -> dict[str, str]:
    """What the exported prompts depend on."""
    return {name: metadata.version(name) for name in PACKAGES}


def sample() -> set[str]:
    """Names of the templates that every run tries: those that are executed, and those whose prompt is not found, or
    not at every sampler.
    """
    outcomes = json.loads(REVIEWED.read_text(encoding="utf-8"))["outcomes"]
    odd = {name for name, found in outcomes.items() if not all(one.startswith("text") for one in found.values())}
    return odd | set(EXECUTED)


def exported(browser: Any, scratch: Path, names: Collection[str] | None = None) -> dict[str, Prompt]:
    """API prompts of templates that sample on this machine, by name; of all of them where no names are given.

    Those that are not in the cache are exported, half a second each, by a page of a server that is started for it.
    """
    digest = hashlib.sha256(json.dumps([versions(), EXPORT]).encode()).hexdigest()[:16]
    folder = cache() / "templates" / digest
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: workflow for name, workflow in local_templates() if names is None or name in names}
    missing = {name: workflow for name, workflow in wanted.items() if not (folder / f"{name}.json").exists()}
    for name, prompt in (export(browser, scratch, missing) if missing else {}).items():
        part = folder / f"{name}.{os.getpid()}"
        part.write_text(json.dumps(prompt), encoding="utf-8")
        part.replace(folder / f"{name}.json")  # last: never half of one
    return {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in wanted}


def export(browser: Any, scratch: Path, workflows: Mapping[str, dict]) -> dict[str, Prompt]:
    with Server(COMFYUI_PATH, prepare(scratch), paid=True) as server:
        client = server.client()
        client.request("/settings", SETTINGS)
        context = browser.new_context(viewport={"width": 800, "height": 600})
        page = Page(context.new_page(), client)
        page.open()
        prompts = {name: page.raw.evaluate(EXPORT, workflow) for name, workflow in workflows.items()}
        context.close()
    return prompts


def local_templates() -> Iterator[tuple[str, dict]]:
    """Templates with a sampler in them, by name."""
    spec = find_spec("comfyui_workflow_templates_json")
    assert spec is not None and spec.origin is not None
    for path in sorted(Path(spec.origin).parent.glob("templates/*.json")):
        workflow = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(workflow, dict) and any(node["type"] in SAMPLERS for node in nodes_of(workflow)):
            yield path.stem, workflow


def nodes_of(workflow: dict) -> Iterator[dict]:
    """All nodes, those of its subgraphs too."""
    yield from workflow.get("nodes", ())
    for graph in workflow.get("definitions", {}).get("subgraphs", ()):
        yield from graph["nodes"]


def sites(prompts: dict[str, Prompt]) -> Iterator[Site]:
    """Samplers of pictures and videos that draw noise: one that adds none has nothing to search, and the second half of
    a pair belongs to the first.
    """
    for template, prompt in prompts.items():
        for name, node in prompt.items():
            if node["class_type"] in SAMPLERS and shows_pictures(prompt, name) and draws_noise(prompt, node):
                yield Site(template, name, prompt)


def draws_noise(prompt: Prompt, sampler: dict) -> bool:
    noise = sampler["inputs"].get("noise")
    given = prompt[str(noise[0])]["class_type"] if isinstance(noise, list) else ""
    return given != "DisableNoise" and sampler["inputs"].get("add_noise") not in ("disable", False)


def shows_pictures(prompt: Prompt, sampler: str) -> bool:
    """Whether what a sampler makes is decoded into pictures, and not only into sound or a solid."""
    waiting, seen = [sampler], {sampler}
    readers: dict[str, set[str]] = {}
    for name, node in prompt.items():
        for value in node["inputs"].values():
            if isinstance(value, list):
                readers.setdefault(str(value[0]), set()).add(name)
    while waiting:
        found = readers.get(waiting.pop(), set()) - seen
        if any(prompt[name]["class_type"] in ("VAEDecode", "VAEDecodeTiled") for name in found):
            return True
        seen |= found
        waiting += found
    return False


def swapped(site: Site) -> tuple[Prompt, str, str]:
    """The prompt with our node in the place of the sampler; that node, and the input that it reads the prompt by."""
    given = site.prompt[site.node]["inputs"]
    kind, read = ("SamplingSetupCustom", "guider") if "guider" in given else ("NoiseSearch", "positive")
    if site.prompt[site.node]["class_type"] == "KSamplerAdvanced":
        kind = "SamplingSetupTwoStage"
    ours = {"class_type": kind, "inputs": {**given, "vae": ["any", 0]}}
    return {**site.prompt, site.node: ours}, site.node, read
