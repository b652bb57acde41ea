"""HumanPick in the real page, in both renderers: the run stops, pictures are clicked, rolled again, looked at closely,
and go on.
"""

import io
import json

import numpy as np
import pytest
from noise_search.demo.examples import CHECKPOINT, SIDE
from noise_search.tests.browser.panel import BOTH, WAIT, as_page, complaints
from PIL import Image

NODE = "app.graph.nodes.find((node) => node.type === 'HumanPick')"
ROOT = "/noise_search/picks"


def prompt(seed: int, **inputs) -> dict:
    """Four pictures of the tiny model, of which some are picked and saved."""
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red circle and a blue square", "clip": ["1", 1]}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": 4}},
        "4": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["1", 0],
                "positive": ["2", 0],
                "negative": ["2", 0],
                "latent_image": ["3", 0],
                "seed": seed,
                "steps": 3,
                "cfg": 1.0,
                "sampler_name": "euler",
                "scheduler": "simple",
                "denoise": 1.0,
            },
        },
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {
            "class_type": "HumanPick",
            "inputs": {"images": ["5", 0], "timeout": 0.0, "prompt": "", "choice": "", **inputs},
        },
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "picked"}},
    }


def show(page, seed: int) -> dict:
    """Puts the graph on the canvas, and the node in sight; the workflow as it would be saved."""
    page.raw.evaluate("async (prompt) => { await app.loadApiJson(prompt, 'pick') }", prompt(seed))
    page.raw.wait_for_function("() => app.graph.nodes.length === 7")
    assert page.raw.evaluate("() => app.graph.id") != "00000000-0000-0000-0000-000000000000", (
        "what comes from an API prompt has none of its own"
    )
    look(page)
    return page.workflow()


def look(page, x: int = 300) -> None:
    page.raw.evaluate(f"""(x) => {{
        const node = {NODE}, {{ ds }} = app.canvas;
        ds.scale = 1;
        ds.offset = [x - node.pos[0], 10 - node.pos[1]];
        app.canvas.setDirty(true, true);
    }}""", x)  # fmt: skip


def status(page, name: str) -> None:
    page.raw.wait_for_selector(f".np-root[data-status={name}]", state="attached", timeout=WAIT)


def waiting(page, roll: int = 0) -> dict:
    """The gallery once its pictures are there to be clicked."""
    page.raw.wait_for_function(
        """(roll) => {
            const title = document.querySelector(".np-root[data-status=waiting] .np-title")?.textContent;
            const images = [...document.querySelectorAll(".np-tile img")];
            const loaded = images.length === 4 && images.every((one) => one.complete && one.naturalWidth);
            return loaded && title?.endsWith(roll ? `roll ${roll}` : "best");
        }""",
        arg=roll,
        timeout=WAIT,
    )
    return on_server(page)


def on_server(page, workflow: str = "") -> dict:
    workflow = workflow or page.raw.evaluate("() => (app.rootGraph ?? app.graph).id")
    (pick,) = page.client.json(as_page(page, f"{ROOT}?workflow={workflow}"))["picks"]
    return pick


def tile(page, place: int):
    return page.raw.locator(f".np-root:not(.np-dialog *) .np-tile[data-place='{place}']")


def press(page, name: str) -> None:
    page.raw.locator(".np-foot").get_by_role("button", name=name).click(timeout=WAIT)


def ranks(page) -> list[str]:
    return page.raw.locator(".np-root:not(.np-dialog *) .np-rank").all_inner_texts()


def shown(page, pick: dict) -> list[np.ndarray]:
    """The pictures of a gallery, as the page shows them."""
    return [
        pixels(page.client.request(as_page(page, f"{ROOT}/{pick['pick']}/{place}/large")))
        for place in range(pick["count"])
    ]


def saved(page, result) -> list[np.ndarray]:
    return [pixels(page.client.image(entry)) for entry in result.outputs["7"]["images"]]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


def nearest(picture: np.ndarray, among: list[np.ndarray]) -> int:
    return int(np.argmin([np.abs(picture - other).mean() for other in among]))


@BOTH
def test_reload_roll_again_and_two_pictures_go_on_in_the_order_of_the_clicks(page):
    workflow = show(page, 900 + page.vue)
    prompt_id = page.queue()
    first = waiting(page)

    page.open()
    page.load(workflow)
    look(page)
    assert waiting(page) == {**first, "seconds_left": None}, "the gallery is there again after a reload"
    look(page)

    before = shown(page, first)
    press(page, "None of these: roll again")
    after = shown(page, waiting(page, roll=1))
    assert all(np.abs(old - new).mean() > 3 for old, new in zip(before, after)), "other pictures, not these again"
    tile(page, 2).click(timeout=WAIT)
    tile(page, 1).click(timeout=WAIT)
    tile(page, 0).click(timeout=WAIT)
    tile(page, 1).click(timeout=WAIT)
    assert ranks(page) == ["2", "", "1", ""]
    press(page, "Use #3, #1")
    result = page.wait(prompt_id)
    assert result.ok, result.error
    assert [nearest(picture, after) for picture in saved(page, result)] == [2, 0]
    status(page, "picked")
    assert page.raw.locator(".np-title").inner_text() == "You picked #3, #1"

    file = page.client.image(result.outputs["7"]["images"][0])
    page.load(json.loads(Image.open(io.BytesIO(file)).text["workflow"]))
    again = page.wait(page.queue())
    assert again.ok, again.error
    assert all(np.array_equal(old, new) for old, new in zip(saved(page, result), saved(page, again))), (
        "a saved picture makes itself again"
    )
    assert page.prompt()["6"]["inputs"]["choice"] == "roll 1: 3, 1"
    assert complaints(page) == []


@BOTH
def test_after_the_run_others_of_the_same_pictures_can_go_on_instead_though_the_seed_on_screen_has_moved_on(page):
    show(page, 910 + page.vue)
    prompt_id = page.queue()
    gallery = waiting(page)
    tile(page, 0).click(timeout=WAIT)
    press(page, "Use #1")
    assert page.wait(prompt_id).ok
    status(page, "picked")
    page.raw.evaluate("() => { app.graph.getNodeById('4').widgets[0].value = 77 }")  # as "randomize" does

    tile(page, 3).click(timeout=WAIT)
    with page.raw.expect_response(
        lambda answer: answer.url.endswith("/prompt") and answer.request.method == "POST"
    ) as queued:
        press(page, "Use #4 instead")
    again = page.wait(queued.value.json()["prompt_id"])
    assert again.ok, again.error
    assert [nearest(picture, shown(page, gallery)) for picture in saved(page, again)] == [3]
    page.raw.wait_for_function(
        "() => document.querySelector('.np-title').textContent === 'You picked #4'", timeout=WAIT
    )
    assert "4" in next(data for name, data in again.events if name == "execution_cached")["nodes"], (
        "nothing is sampled again"
    )
    assert complaints(page) == []


def test_a_fixed_choice_is_said_in_the_node_and_taken_back_with_a_click(page):
    show(page, 915)
    page.raw.evaluate(
        f"() => {{ const choice = {NODE}.widgets.find(({{ name }}) => name === 'choice'); choice.value = '4';"
        " choice.callback('4') }"
    )
    assert page.raw.locator(".np-title").inner_text() == "Fixed: #4"
    result = page.wait(page.queue())
    assert result.outputs["6"]["noise_search_pick"][0]["picked"] == [3]
    press(page, "Ask me again")
    assert page.prompt()["6"]["inputs"]["choice"] == ""
    page.queue()
    waiting(page)
    page.client.interrupt()


def test_the_keyboard_alone_looks_closely_marks_and_uses(page):
    show(page, 920)
    prompt_id = page.queue()
    waiting(page)
    look(page)
    keys = page.raw.keyboard
    page.raw.locator(".np-grid").focus()
    keys.press("ArrowRight")
    keys.press("Space")
    assert ranks(page) == ["", "✓", "", ""]
    keys.press("z")
    page.raw.wait_for_selector(".np-zoom[open]")
    keys.press("ArrowRight")
    assert page.raw.locator(".np-about").inner_text().startswith("#3 of 4")
    keys.press("Space")
    keys.press("Delete")
    keys.press("Escape")
    page.raw.wait_for_selector(".np-zoom", state="detached")
    assert ranks(page) == ["", "1", "2", ""]
    page.raw.locator(".np-grid").focus()
    keys.press("Delete")
    assert "HumanPick" in [node["type"] for node in page.workflow()["nodes"]], (
        "a key in the gallery does not delete the node"
    )
    keys.press("Enter")
    result = page.wait(prompt_id)
    assert result.outputs["6"]["noise_search_pick"][0]["picked"] == [1, 2]
    assert complaints(page) == []


@BOTH
def test_inside_a_subgraph_and_after_a_reload_into_another_workflow_a_note_leads_to_the_pictures(page):
    workflow = show(page, 930 + page.vue)["id"]
    page.raw.evaluate("""() => {
        const inside = app.graph.nodes.filter((node) => ["4", "5", "6"].includes(String(node.id)));
        app.canvas.graph.convertToSubgraph(new Set(inside));
    }""")
    page.raw.wait_for_function("() => app.graph.nodes.length === 5")
    prompt_id = page.queue()
    note = page.raw.locator(".np-note").get_by_role("button", name="Pick now")
    note.click(timeout=WAIT)
    dialog = page.raw.locator(".np-dialog")
    dialog.get_by_role("button", name="None of these: roll again").click(timeout=WAIT)
    title = "() => document.querySelector('.np-dialog .np-title')?.textContent.endsWith('roll 1')"
    page.raw.wait_for_function(title, timeout=WAIT)
    pick = on_server(page, workflow)
    assert ":" in pick["node"]

    page.open()
    note.click(timeout=WAIT)
    page.raw.wait_for_function(title, timeout=WAIT)
    dialog.locator(".np-tile[data-place='3']").click(timeout=WAIT)
    dialog.get_by_role("button", name="Use #4").click(timeout=WAIT)
    result = page.wait(prompt_id)
    assert result.ok, result.error
    assert [nearest(picture, shown(page, pick)) for picture in saved(page, result)] == [3]
    page.raw.wait_for_selector(".np-dialog", state="detached")
    assert page.raw.locator(".np-note").is_hidden()
    assert complaints(page) == []


def test_cancelling_in_the_page_empties_the_gallery(page):
    show(page, 940)
    prompt_id = page.queue()
    waiting(page)
    page.raw.evaluate("async () => { await fetch('/interrupt', { method: 'POST' }) }")
    assert page.wait(prompt_id).error == "interrupted"
    status(page, "cancelled")
    assert page.raw.locator(".np-title").inner_text() == "Cancelled"
    assert page.raw.locator(".np-note").is_hidden()


@pytest.mark.parametrize("page", ["canvas"], indirect=True)
def test_a_workflow_that_is_opened_again_and_again_leaves_no_galleries_behind(page):
    workflow = show(page, 990)
    prompt_id = page.queue()
    waiting(page)
    tile(page, 0).click()
    press(page, "Use #1")
    assert page.wait(prompt_id).ok
    page.raw.evaluate("() => { window.roots = new Set() }")
    for _ in range(4):
        page.load(workflow)
        page.raw.wait_for_selector(".np-root[data-status=picked]", state="attached", timeout=WAIT)
        page.raw.evaluate("() => document.querySelectorAll('.np-root').forEach((root) => roots.add(root))")
    look(page)
    page.raw.evaluate("() => { window.before = [...roots].map((root) => root.innerHTML) }")
    tile(page, 1).click(timeout=WAIT)
    page.raw.wait_for_timeout(500)
    drawn = page.raw.evaluate(
        "() => [...roots].filter((root, place) => root.innerHTML !== before[place]).map((root) => root.isConnected)"
    )
    assert drawn == [True], "only what is on the page is drawn"


def test_videos_are_tiles_that_move_and_go_on_whole_with_their_latents(page):
    nodes = prompt(960, frames_per_video=2, latents=["4", 0])
    nodes["3"]["inputs"]["batch_size"] = 8
    nodes |= {
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 1], "vae": ["1", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "latents"}},
        "10": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "all"}},
    }
    page.raw.evaluate("async (prompt) => { await app.loadApiJson(prompt, 'videos') }", nodes)
    page.raw.wait_for_function("() => app.graph.nodes.length === 10")
    look(page)
    prompt_id = page.queue()
    found = waiting(page)
    assert (found["count"], found["frames"]) == (4, [2, 2, 2, 2])
    with Image.open(io.BytesIO(page.client.request(as_page(page, f"{ROOT}/{found['pick']}/3/moving")))) as moving:
        assert (moving.format, moving.n_frames) == ("WEBP", 2)
    assert "/3/moving?" in tile(page, 3).locator("img").get_attribute("src")
    for place in (2, 0):
        tile(page, place).click(timeout=WAIT)
    assert "2 frames" in page.raw.locator(".np-root:not(.np-dialog *) .np-detail").inner_text()
    press(page, "Use #3, #1")
    result = page.wait(prompt_id)
    assert result.ok, result.error
    every, picked, latents = (
        [pixels(page.client.image(entry)) for entry in result.outputs[node]["images"]] for node in ("10", "7", "9")
    )
    for frames in (picked, latents):
        assert [nearest(frame, every) for frame in frames] == [4, 5, 0, 1]
        assert all(np.abs(frame - every[place]).max() <= 1 for frame, place in zip(frames, [4, 5, 0, 1]))
    assert complaints(page) == []
