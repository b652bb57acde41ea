"""Swapping a sampler for a search with a right click, in the real page, and taking it back."""

import io

import numpy as np
import pytest
from noise_search.tests.browser.panel import BOTH, WAIT, complaints
from noise_search.tests.examples.graphs import MODEL, SAMPLING, custom_sampler, ksampler, loaders, node
from PIL import Image

ITEM = "Search its noise"
KINDS = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")
PLACE = """([kind, where]) => {
    const { canvas } = app, { nodes } = canvas.graph;
    const node = nodes.find(({ type, subgraph }) => type === kind || (kind === "" && subgraph));
    canvas.ds.scale = 0.8;
    canvas.centerOnNode(node);
    const { left, top } = canvas.canvas.getBoundingClientRect(), { scale, offset } = canvas.ds;
    return [left + (node.pos[0] + where[0] + offset[0]) * scale, top + (node.pos[1] + where[1] + offset[1]) * scale];
}"""
ALL_IN_VIEW = """() => {
    Object.assign(app.canvas.ds, { scale: 0.35, offset: [200, 300] });
    app.canvas.setDirty(true, true);
}"""
FIXED = """() => {
    const all = (graph) => graph.nodes.flatMap((node) => (node.subgraph ? [node, ...all(node.subgraph)] : [node]));
    const widgets = all(app.rootGraph).flatMap((node) => node.widgets ?? []);
    for (const widget of widgets) if (widget.name === "control_after_generate") widget.value = "fixed";
    app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
}"""
INSIDE = """(kinds) => {
    const inside = app.graph.nodes.filter(({ type }) => kinds.includes(type));
    app.canvas.graph.convertToSubgraph(new Set(inside));
}"""
STEPS = "() => app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length"
OUTSIDE = "() => app.graph.nodes.find(({ subgraph }) => subgraph).inputs.map(({ name }) => name)"
BACK = """async () => {
    const { replace } = await import("/extensions/noise-search/panel/ksampler.js");
    const holder = app.graph.nodes.find(({ subgraph }) => subgraph), { nodes } = holder?.subgraph ?? app.graph;
    const search = nodes.find(({ type }) => type === "NoiseSearch");
    const seed = search.widgets.find(({ name }) => name === "seed").value;
    replace(search, seed, (type) => LiteGraph.createNode(type), app.rootGraph);
}"""
TYPES = """() => (function all(graph) {
    return graph.nodes.flatMap((node) => (node.subgraph ? ["subgraph", ...all(node.subgraph)] : [node.type]));
})(app.rootGraph)"""


def saved(graph: dict, latent: str = "sampler", slot: int = 0) -> dict:
    """A graph that saves what a sampler makes, its nodes numbered as the page numbers them."""
    graph = {name: one for name, one in graph.items() if name not in ("verifier", "stock", "decode")}
    graph["decode"] = node("VAEDecode", samples=[latent, slot], vae=["checkpoint", 2])
    graph["save"] = node("SaveImage", images=["decode", 0], filename_prefix="swapped")
    numbers = {name: str(number) for number, name in enumerate(graph, 1)}
    return {numbers[name]: numbered(one, numbers) for name, one in graph.items()}


def numbered(one: dict, numbers: dict) -> dict:
    inputs = {
        key: [numbers[value[0]], value[1]] if isinstance(value, list) else value for key, value in one["inputs"].items()
    }
    return {**one, "inputs": inputs}


def plain(seed: int) -> dict:
    return saved(ksampler(seed))


def pair(seed: int) -> dict:
    """Two halves of one schedule, as base and refiner."""
    shared = {**MODEL, **SAMPLING, "noise_seed": seed}
    del shared["denoise"]
    first = {"add_noise": "enable", "start_at_step": 0, "end_at_step": 2, "return_with_leftover_noise": "enable"}
    second = {"add_noise": "disable", "start_at_step": 2, "end_at_step": 10000, "return_with_leftover_noise": "disable"}
    return saved(
        {
            **loaders(),
            "first": node("KSamplerAdvanced", **shared, **first, latent_image=["latent", 0]),
            "second": node("KSamplerAdvanced", **shared, **second, latent_image=["first", 0]),
        },
        "second",
    )


def advanced(seed: int) -> dict:
    parts = custom_sampler(["noise", 0])
    return saved({**loaders(), "noise": node("RandomNoise", noise_seed=seed), **parts})


def two_passes(seed: int) -> dict:
    """A second pass over the enlarged latent, with a seed of its own."""
    graph = ksampler(seed)
    graph["larger"] = node("LatentUpscaleBy", samples=["sampler", 0], upscale_method="bilinear", scale_by=1.5)
    again = {**MODEL, **SAMPLING, "denoise": 0.6, "seed": seed + 1}
    graph["again"] = node("KSampler", **again, latent_image=["larger", 0])
    return saved(graph, "again")


def load(page, graph: dict, inside: tuple[str, ...] = ()) -> None:
    """A workflow as from a file: what was made in the page is written otherwise than what was loaded, and ComfyUI
    counts that as a step after the first Ctrl+Z.

    Args:
        inside: Nodes of these types are in a subgraph.
    """
    page.raw.evaluate("(graph) => app.loadApiJson(graph, 'stock')", graph)
    page.raw.wait_for_function("(count) => app.graph.nodes.length === count", arg=len(graph))
    if inside:
        page.raw.evaluate(INSIDE, inside)
    page.load(page.workflow())
    page.raw.evaluate(ALL_IN_VIEW)
    page.raw.wait_for_timeout(500)  # Nodes 2.0 measures what comes into view
    page.raw.evaluate(FIXED)


def right_click(page, kind: str) -> None:
    x, y = page.raw.evaluate(PLACE, [kind, [60, -12]])
    page.raw.wait_for_timeout(200)
    page.raw.mouse.click(x, y, button="right")


def choose(page, kind: str) -> None:
    """Two clicks."""
    right_click(page, kind)
    page.raw.get_by_text(ITEM, exact=True).last.click(timeout=WAIT)


def search_its_noise(page, kind: str) -> None:
    """And ComfyUI has noticed what they changed."""
    steps = page.raw.evaluate(STEPS)
    choose(page, kind)
    page.raw.wait_for_function(f"(steps) => ({STEPS})() !== steps", arg=steps, timeout=WAIT)


def run(page):
    """One click on the button of the page, and the end of what it queued."""
    with page.raw.expect_response(
        lambda answer: answer.url.endswith("/prompt") and answer.request.method == "POST"
    ) as answer:
        page.raw.get_by_test_id("queue-button").click()
    result = page.wait(answer.value.json()["prompt_id"])
    assert result.ok, result.error
    return result


def picture(page, result) -> np.ndarray:
    (entry,) = (
        entry for output in result.outputs.values() for entry in output.get("images", ()) if entry["type"] == "output"
    )
    return np.asarray(Image.open(io.BytesIO(page.client.image(entry)))).astype(int)


def types(page) -> set[str]:
    return set(page.raw.evaluate(TYPES))


def toasts(page) -> str:
    page.raw.wait_for_selector(".p-toast-message", timeout=WAIT)
    return " ".join(page.raw.locator(".p-toast-message").all_inner_texts())


def press(page, keys: str) -> None:
    """A key for the canvas, and what it does to the graph."""
    page.raw.evaluate("() => document.activeElement?.blur?.()")
    page.raw.evaluate("() => { window.before = app.rootGraph.nodes[0]; }")
    page.raw.keyboard.press(keys)
    page.raw.wait_for_function("() => window.before !== app.rootGraph.nodes[0]", timeout=WAIT)  # made anew
    page.raw.wait_for_timeout(300)


def take_back(page, before: dict) -> None:
    """With Ctrl+Z, after a run. It may take two: where a node is measured, or grows, when the pictures come, that is a
    step of its own to ComfyUI.
    """
    press(page, "Control+z")
    if page.prompt() != before:
        press(page, "Control+z")
    assert page.prompt() == before


MADE = {
    "KSampler": (plain, {"NoiseSearch"}),
    "KSamplerAdvanced": (pair, {"SamplingSetupTwoStage", "RandomSearch"}),
    "SamplerCustomAdvanced": (advanced, {"SamplingSetupCustom", "RandomSearch"}),
}


@BOTH
@pytest.mark.parametrize("kind", MADE)
def test_three_clicks_search_the_noise_of_a_sampler_and_ctrl_z_takes_it_back(page, kind):
    build, ours = MADE[kind]
    load(page, build(700 + page.vue))
    before = page.prompt()
    stock = picture(page, page.wait(page.queue()))
    search_its_noise(page, kind)
    assert ours <= types(page) and not types(page) & set(KINDS)
    found = picture(page, run(page))
    assert abs(found - stock).max() <= 1, "the own seed's picture goes on; the batch is another"
    assert page.raw.locator(".ns-cell").count() >= 8
    take_back(page, before)
    assert complaints(page) == []


@BOTH
@pytest.mark.parametrize("where", ["outside", "in a subgraph"])
def test_what_ctrl_z_took_back_comes_again_with_ctrl_y(page, where):
    """Before anything has run: ComfyUI counts it as a step of its own, after which there is nothing to redo, where a
    node grows for its picture after an undo; and in Nodes 2.0 also where it measures nodes late.
    """
    load(page, plain(770 + page.vue), inside=("KSampler",) if where == "in a subgraph" else ())
    before = page.prompt()
    search_its_noise(page, "KSampler" if where == "outside" else "")
    after = page.prompt()
    press(page, "Control+z")
    assert page.prompt() == before
    if page.vue:
        page.raw.keyboard.press("Control+y")
        page.raw.wait_for_timeout(3000)
        assert page.prompt() in (before, after)
    else:
        press(page, "Control+y")
        assert page.prompt() == after
    assert complaints(page) == []


@BOTH
def test_a_subgraph_node_searches_the_noise_of_the_sampler_in_it_and_shows_what_an_artist_needs(page):
    load(page, plain(720 + page.vue), inside=("KSampler",))
    before, shown = page.prompt(), page.raw.evaluate(OUTSIDE)
    stock = picture(page, page.wait(page.queue()))
    search_its_noise(page, "")
    assert "NoiseSearch" in types(page) and "KSampler" not in types(page)
    assert set(page.raw.evaluate(OUTSIDE)) - set(shown) == {"vae", "pictures", "verifier", "recipe"}
    assert abs(picture(page, run(page)) - stock).max() <= 1
    take_back(page, before)
    assert page.raw.evaluate(OUTSIDE) == shown
    assert complaints(page) == []


def test_a_second_pass_becomes_a_part_of_the_setup_and_the_own_picture_is_the_same(page):
    load(page, two_passes(740))
    stock = picture(page, page.wait(page.queue()))
    search_its_noise(page, "KSampler")
    assert {"SamplingSetup", "SamplingSetupSecondStage", "RandomSearch"} <= types(page)
    assert not types(page) & {"KSampler", "LatentUpscaleBy"}
    assert abs(picture(page, run(page)) - stock).max() <= 1


def without_noise(seed: int) -> dict:
    graph = advanced(seed)
    (name,) = (name for name, one in graph.items() if one["class_type"] == "RandomNoise")
    return {**graph, name: node("DisableNoise")}


@pytest.mark.parametrize(
    ("graph", "kind", "why"),
    [
        (pair(750), "KSamplerAdvanced", "goes on from KSampler (Advanced) and draws no noise of its own"),
        (without_noise(751), "SamplerCustomAdvanced", "it adds no noise"),
    ],
    ids=["second half", "no noise"],
)
def test_a_sampler_that_draws_no_noise_is_refused_by_name_and_left_alone(page, graph, kind, why):
    load(page, graph)
    before = page.prompt()
    page.raw.evaluate("() => app.graph._nodes.reverse()")  # of two halves the second one is clicked
    choose(page, kind)
    said = toasts(page)
    assert "stays as it is" in said and why in said
    assert page.prompt() == before


@pytest.mark.parametrize("where", ["here", "in a subgraph"])
def test_to_ksampler_brings_the_stock_sampler_back_with_its_node_and_its_links(page, where):
    load(page, plain(760 + len(where)), inside=("KSampler",) if where != "here" else ())
    before = page.prompt()
    shown = page.raw.evaluate(OUTSIDE) if where != "here" else []
    page.raw.evaluate("() => app.extensionManager.command.execute('noise_search.search_workflow')")
    assert "NoiseSearch" in types(page)
    page.raw.evaluate(BACK)
    assert page.prompt() == before
    assert where == "here" or page.raw.evaluate(OUTSIDE) == shown, "what it was shown by is gone as well"
    assert complaints(page) == []


def test_a_workflow_without_a_sampler_says_so(page):
    page.raw.evaluate("() => app.extensionManager.command.execute('noise_search.search_workflow')")
    assert "There is no sampler in this workflow" in toasts(page)
