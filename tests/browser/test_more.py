"""Going on from what a search found, in the real page: pictures that bring their recipe back, variations, holding, the
seed book.
"""

import base64
import io
import json

import numpy as np
import pytest
from noise_search.tests.browser.panel import (
    BOTH,
    EVERY,
    SEARCH,
    VUE,
    WAIT,
    choose_in_menu,
    complaints,
    drop_in,
    look_down,
    press,
    search_on_server,
    set_widget,
    show,
    status,
)
from PIL import Image

DROP = """(picture) => {
    const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0)), data = new DataTransfer();
    data.items.add(new File([bytes], "found.png", { type: "image/png" }));
    const at = { clientX: 300, clientY: 300, bubbles: true, cancelable: true, dataTransfer: data };
    const canvas = document.querySelector("#graph-canvas");
    for (const kind of ["dragenter", "dragover", "drop"]) canvas.dispatchEvent(new DragEvent(kind, at));
}"""
SHOW_RECIPE = """() => {
    const { subgraph } = app.graph.nodes.find((node) => node.subgraph), [search] = subgraph.nodes;
    subgraph.addInput("recipe", "STRING").connect(search.inputs.find(({ name }) => name === "recipe"), search);
}"""
RECIPE = f"{EVERY}.find((node) => node.type === 'NoiseSearch')?.widgets.find(({{ name }}) => name === 'recipe').value"


def saved_file(page, result) -> bytes:
    (entry,) = (
        entry for output in result.outputs.values() for entry in output.get("images", ()) if entry["type"] == "output"
    )
    return page.client.image(entry)


def seen(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file))).astype(int)


def drop(page, file: bytes) -> None:
    """Drops a picture on the canvas, which is emptied before."""
    page.load({"nodes": [], "links": [], "version": 0.4})
    page.raw.evaluate(DROP, base64.b64encode(file).decode())
    page.raw.wait_for_function("() => app.graph.nodes.length > 0", timeout=WAIT)


def types(page) -> list[str]:
    return page.raw.evaluate(f"() => {EVERY}.map(({{ type }}) => type)")


@pytest.mark.parametrize(
    ("page", "where"),
    [("canvas", "fresh"), ("vue", "cached"), ("canvas", "subgraph"), ("vue", "subgraph"), ("canvas", "shown")],
    indirect=["page"],
)
def test_a_saved_picture_dropped_on_the_canvas_is_made_again(page, where):
    show(page, drop_in(seed=600 + 10 * page.vue + len(where), pictures=6))
    if where in ("subgraph", "shown"):
        page.raw.evaluate(f"() => app.graph.convertToSubgraph(new Set([{SEARCH}]))")
    if where == "shown":
        page.raw.evaluate(SHOW_RECIPE)
    result = page.wait(page.queue())
    if where == "cached":
        set_widget(page, "SaveImage", "filename_prefix", "again")
        result = page.wait(page.queue())
    assert result.ok, result.error
    assert page.raw.evaluate(f"() => {RECIPE}") == "", "the workflow on the canvas is left as it was"
    file = saved_file(page, result)

    drop(page, file)
    (recipe,) = (node["inputs"]["recipe"] for node in page.prompt().values() if node["class_type"] == "NoiseSearch")
    assert json.loads(recipe)["noise_search"] in (1, 2)
    set_widget(page, "SaveImage", "filename_prefix", "made again")
    again = page.wait(page.queue())
    assert again.ok, again.error
    (facts,) = (output["noise_search"][0] for output in again.outputs.values() if "noise_search" in output)
    assert facts["how"] == "recipe", "nothing is searched"
    assert abs(seen(saved_file(page, again)) - seen(file)).max() <= 1, (
        "but for what another batch size does to floating-point numbers"
    )
    assert complaints(page) == []


@BOTH
def test_a_picture_of_a_script_job_dropped_on_the_canvas_brings_its_recipe(page):
    show(page, drop_in(seed=640 + page.vue, pictures=4))
    prompt = page.prompt()
    result = page.client.run(prompt)
    assert result.ok, result.error
    (found,) = (output["noise_search"][0]["recipe"] for output in result.outputs.values() if "noise_search" in output)
    drop(page, saved_file(page, result))
    page.raw.wait_for_function(f"(recipe) => {RECIPE} === recipe", arg=found, timeout=WAIT)
    assert complaints(page) == []


@BOTH
def test_a_picture_of_a_list_that_became_a_batch_asks_which_recipe_is_its_own(page):
    show(page, drop_in(seed=650 + page.vue, pictures=3))
    prompt, workflow = page.prompt(), page.raw.evaluate("() => (app.rootGraph ?? app.graph).serialize()")
    (node,) = (name for name, entry in prompt.items() if entry["class_type"] == "NoiseSearch")
    recipes = ["first", "second"]
    workflow["extra"] = {**workflow.get("extra", {}), "noise_search": {"recipes": {node: recipes}}}
    page.load(workflow)
    dialog = page.raw.locator("dialog.ns-ask")
    assert "from a list of 2" in dialog.inner_text()
    frame, last = dialog.bounding_box(), dialog.get_by_role("button").last.bounding_box()
    assert frame["y"] + frame["height"] - last["y"] - last["height"] < 40, "a question is as high as its words"
    dialog.get_by_role("button", name="No. 2").click()
    assert page.raw.evaluate(f"() => {RECIPE}") == "second"
    assert "noise_search" not in page.raw.evaluate("() => (app.rootGraph ?? app.graph).serialize()").get("extra", {})
    assert complaints(page) == []


@VUE
def test_a_dropped_picture_says_that_its_noise_is_held_until_it_is_released(page):
    show(page, drop_in(seed=630 + page.vue, pictures=4))
    result = page.wait(page.queue())
    drop(page, saved_file(page, result))
    look_down(page)
    assert page.raw.locator(".ns-held").inner_text().startswith(f"Holding #{search_on_server(page)['result'][0] + 1}")
    press(page, "Release")
    page.raw.wait_for_selector(".ns-held", state="hidden")
    assert page.raw.evaluate(f"() => {RECIPE}") == ""


@BOTH
def test_a_held_noise_stays_while_the_prompt_is_tuned(page):
    show(page, drop_in(seed=640 + page.vue, pictures=4))
    first = page.wait(page.queue())
    look_down(page)
    page.raw.locator(".ns-cell").last.hover()
    page.raw.locator(".ns-grid").focus()
    page.raw.keyboard.press("End")
    held = int(page.raw.locator(".ns-cell.ns-focused").get_attribute("data-id"))
    before = search_on_server(page)
    press(page, "Hold")
    page.raw.wait_for_function(
        "(text) => document.querySelector('.ns-held b').textContent.startsWith(text)", arg=f"Holding #{held + 1}"
    )
    set_widget(page, "CLIPTextEncode", "text", "a blue circle and a red square")
    second = page.wait(page.queue())
    assert second.ok, second.error
    page.raw.wait_for_function(
        "() => document.querySelector('.ns-status').textContent === 'Done: 1 picture'", timeout=WAIT
    )
    state = search_on_server(page)
    assert state["search"] != before["search"]
    assert [candidate["seed"] for candidate in state["candidates"]] == [before["candidates"][held]["seed"]]
    assert (
        page.raw.locator(".ns-left").get_attribute("src").split("?")[0].endswith(f"/{before['search']}/{held}/large")
    ), "the picture of the last prompt"
    assert page.raw.evaluate("() => document.querySelector('.ns-left-name').textContent") == "before"
    assert abs(seen(saved_file(page, second)) - seen(saved_file(page, first))).max() > 1, (
        "another prompt, another picture"
    )
    press(page, "Release")
    assert page.raw.evaluate(f"() => {RECIPE}") == ""
    assert complaints(page) == []


@VUE
def test_variations_are_searched_around_a_picture_and_released(page):
    workflow = drop_in(seed=650 + page.vue, pictures=6)
    values = next(node for node in workflow["nodes"] if node["type"] == "NoiseSearch")["widgets_values"]
    values[values.index("auto")] = "random"  # so that the best one is all its noise
    show(page, workflow)
    assert page.wait(page.queue()).ok
    look_down(page)
    before = search_on_server(page)
    page.raw.locator(".ns-grid").focus()
    page.raw.keyboard.press("Home")
    result = page.wait(page.queue(lambda: choose_in_menu(page, "More like this", "Subtle variations")))
    assert result.ok, result.error
    state = search_on_server(page)
    assert state["search"] != before["search"]
    assert [candidate["how"] for candidate in state["candidates"]] == ["start"] + ["neighbor"] * 5
    assert all(candidate["parents"] == [0] for candidate in state["candidates"][1:])
    assert {"NoiseVariations", "NoiseFromRecipe"} <= set(types(page))

    assert page.wait(page.queue(lambda: choose_in_menu(page, "More like this", "Strong variations"))).ok
    assert types(page).count("NoiseVariations") == 1, "the nodes are used again"
    press(page, "Release")
    assert not {"NoiseVariations", "NoiseFromRecipe"} & set(types(page))
    assert complaints(page) == []


def test_another_search_goes_on_from_a_picture(page):
    show(page, drop_in(seed=660, pictures=6))
    assert page.wait(page.queue()).ok
    look_down(page)
    choose_in_menu(page, "More like this", "Go on with Zero-Order Search")
    page.raw.wait_for_function(f"() => {EVERY}.some(({{ type }}) => type === 'ZeroOrderSearch')")
    prompt = page.prompt()
    (search,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "ZeroOrderSearch")
    assert prompt[search["noise"][0]]["class_type"] == "NoiseFromRecipe"
    assert prompt[search["sampling"][0]]["class_type"] == "SamplingSetup"
    assert search["pictures"] == 6
    (decoder,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "VAEDecode")
    assert prompt[decoder["samples"][0]]["class_type"] == "ZeroOrderSearch", (
        "what the old one fed is fed by the new one"
    )
    result = page.wait(page.queue())
    assert result.ok, result.error
    assert len([output for output in result.outputs.values() if "noise_search" in output]) == 1, (
        "the old one does not run"
    )
    assert complaints(page) == []


def look_up(page, seed: str) -> None:
    """Types into the search of the seed book, and waits for its answer, which draws new cards."""
    page.raw.get_by_role("searchbox", name="Search the seed book").fill(seed)
    page.raw.get_by_text("1 noise found", exact=True).wait_for(timeout=WAIT)


def hearts(page, count: int) -> None:
    """Waits until so many pictures say that they are in the seed book."""
    marked = """(count) => {
        const marks = [...document.querySelectorAll(".ns-mark")];
        return marks.filter((one) => one.textContent.includes("♥")).length === count;
    }"""
    page.raw.wait_for_function(marked, arg=count, timeout=WAIT / 4)


@VUE
def test_a_picture_is_kept_in_the_seed_book_found_again_and_used(page):
    show(page, drop_in(seed=670 + page.vue, pictures=4))
    assert page.wait(page.queue()).ok
    look_down(page)
    page.raw.locator(".ns-grid").focus()
    page.raw.keyboard.press("End")
    kept = search_on_server(page)["candidates"][int(page.raw.locator(".ns-cell.ns-focused").get_attribute("data-id"))]
    with page.raw.expect_response(
        lambda answer: "/noise_search/book?" in answer.url and answer.request.method == "POST"
    ):
        choose_in_menu(page, "Save", "Keep in seed book")
    hearts(page, 1)
    page.raw.evaluate(
        "() => { const node = LiteGraph.createNode('NoiseFromRecipe'); app.graph.add(node); node.widgets.find(({ type"
        " }) => type === 'button').callback(); }"
    )
    look_up(page, kept["seed"])
    page.raw.wait_for_function("() => document.querySelector('.ns-book-card img').naturalWidth > 0", timeout=WAIT)
    assert kept["seed"] in page.raw.locator(".ns-book-card").inner_text()
    page.raw.get_by_role("button", name="Use", exact=True).click()
    filled = page.raw.evaluate("() => app.graph.nodes.find(({ type }) => type === 'NoiseFromRecipe').widgets[0].value")
    assert json.loads(filled)["noise"] == [["fresh", int(kept["seed"])]]

    choose_in_menu(page, "Save", "Open seed book…")
    look_up(page, kept["seed"])
    page.raw.get_by_role("button", name="Delete", exact=True).click()
    page.raw.get_by_role("button", name="Delete?", exact=True).click()
    page.raw.wait_for_function("() => document.querySelectorAll('.ns-book-card').length === 0", timeout=WAIT)
    page.raw.keyboard.press("Escape")
    hearts(page, 0)
    assert complaints(page) == []


def test_a_picture_is_saved_in_full_with_its_workflow(page):
    show(page, drop_in(seed=680, pictures=4))
    assert page.wait(page.queue()).ok
    look_down(page)
    before = search_on_server(page)
    result = page.wait(page.queue(lambda: choose_in_menu(page, "Save", "Save as PNG")))
    assert result.ok, result.error
    status(page, "Done: ")
    after = search_on_server(page)
    assert (after["search"], after["result"], after["stopped"]) == (
        before["search"],
        before["result"],
        before["stopped"],
    )
    file = saved_file(page, result)
    drop(page, file)
    set_widget(page, "SaveImage", "filename_prefix", "from the saved one")
    again = page.wait(page.queue())
    assert abs(seen(saved_file(page, again)) - seen(file)).max() <= 1
    assert complaints(page) == []


def test_the_menus_are_driven_by_the_keyboard_alone(page):
    show(page, drop_in(seed=690, pictures=4))
    assert page.wait(page.queue()).ok
    look_down(page)
    page.raw.locator(".ns-panel").get_by_role("button", name="Save ▾").focus()
    page.raw.keyboard.press("Enter")
    page.raw.wait_for_function("() => document.activeElement.textContent === 'Save as PNG'")
    page.raw.keyboard.press("ArrowUp")
    assert page.raw.evaluate("() => document.activeElement.getAttribute('role')") == "menuitem"
    page.raw.keyboard.press("Delete")
    page.raw.keyboard.press("Escape")
    page.raw.wait_for_function("() => document.activeElement.textContent === 'Save ▾'")
    assert "NoiseSearch" in types(page), "a key in a menu does not delete the node"
    assert complaints(page) == []
