"""The live panel of a search on the tiny model, as an artist sees and works it."""

import io
import json

import numpy as np
import pytest
from noise_search.demo.examples import EXAMPLES, with_tiny_model
from PIL import Image
from playwright.sync_api import TimeoutError

WAIT = 120_000  # milliseconds
BOTH = pytest.mark.parametrize("page", ["canvas", "vue"], indirect=True)
VUE = pytest.mark.parametrize("page", ["vue"], indirect=True)
OURS = ("noise-search", "noise_search")
EVERY = (
    "(function all(graph) { return graph.nodes.flatMap((node) => [node, ...(node.subgraph ? all(node.subgraph) : [])])"
    " })(app.rootGraph ?? app.graph)"
)
SEARCH = "app.graph.nodes.find((node) => node.type === 'NoiseSearch')"


def drop_in(*, seed: int, pictures: int) -> dict:
    """The published drop-in on the tiny model, in few steps; its search in the middle of the view."""
    workflow = with_tiny_model(
        json.loads((EXAMPLES / "02_Swap_your_KSampler_and_let_a_judge_choose.json").read_text(encoding="utf-8"))
    )
    values = next(node for node in workflow["nodes"] if node["type"] == "NoiseSearch")["widgets_values"]
    values[0], values[2], values[7] = seed, 3, pictures
    return workflow


def show(page, workflow: dict) -> None:
    """Loads a workflow and moves the canvas so that the panel is in sight."""
    page.load(workflow)
    page.raw.wait_for_selector(".ns-panel", state="attached")
    page.raw.evaluate(f"""() => {{
        const node = {SEARCH}, {{ ds }} = app.canvas;
        ds.scale = 1;
        ds.offset = [400 - node.pos[0], 60 - node.pos[1] - node.computeSize()[1] + 80];
        app.canvas.setDirty(true, true);
    }}""")


def saved(page) -> dict:
    """The workflow on the canvas as a reload brings it back, with its id; without the view, which `show` sets."""
    workflow = page.workflow()
    workflow["extra"].pop("ds", None)
    return workflow


def set_widget(page, kind: str, name: str, value):
    """Sets a widget of the first node of a kind, as somebody who typed it in; what it was."""
    return page.raw.evaluate(
        f"""([kind, name, value]) => {{
            const widget = {EVERY}.find(({{ type }}) => type === kind).widgets.find((widget) => widget.name === name);
            const before = widget.value;
            widget.value = value;
            widget.callback?.(value);
            app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
            return before;
        }}""",
        [kind, name, value],
    )


def look_down(page) -> None:
    """Moves the canvas until the panel, which grows with a search, is in the middle of the window. Out of the window it
    has no size: then the node is moved in first.
    """
    page.raw.wait_for_function(
        f"""() => {{
            const {{ x, y, width }} = document.querySelector(".ns-panel").getBoundingClientRect();
            const node = {SEARCH}, {{ ds }} = app.canvas;
            if (width && Math.abs(x - 400) < 2 && Math.abs(y - 110) < 2) return true;
            if (width) ds.offset = [ds.offset[0] + (400 - x) / ds.scale, ds.offset[1] + (110 - y) / ds.scale];
            else ds.offset = [400 - node.pos[0], 110 - node.pos[1]];
            app.canvas.setDirty(true, true);
        }}""",
        polling=500,
        timeout=WAIT,
    )


def press(page, name: str) -> None:
    """Clicks a button of the panel; moves the canvas where what the node shows has moved it out of the window."""
    button = page.raw.locator(".ns-panel").get_by_role("button", name=name)
    try:
        button.click(timeout=WAIT / 20)
    except TimeoutError:
        look_down(page)
        button.click(timeout=WAIT)


def status(page, text: str) -> None:
    """Waits until the line on top of the panel begins with the text."""
    page.raw.wait_for_function(
        "(text) => document.querySelector('.ns-status')?.textContent.startsWith(text)", arg=text, timeout=WAIT
    )


def cells(page, count: int) -> None:
    """Waits until so many small pictures are drawn; moves the canvas where what the node shows has moved it out of the
    window, as a node that is out of sight draws none.
    """
    drawn = "(count) => document.querySelectorAll('.ns-cell').length >= count"
    try:
        page.raw.wait_for_function(drawn, arg=count, timeout=WAIT / 8)
    except TimeoutError:
        look_down(page)
        page.raw.wait_for_function(drawn, arg=count, timeout=WAIT)


def search_on_server(page) -> dict:
    node = page.raw.evaluate(f"() => String({SEARCH}.id)")
    return next(search for search in reversed(searches_on_server(page)) if search["node"] == node)


def searches_on_server(page) -> list[dict]:
    workflow = page.raw.evaluate("() => (app.rootGraph ?? app.graph).id")
    return page.client.json(as_page(page, f"/noise_search/searches?workflow={workflow}"))["searches"]


def as_page(page, path: str) -> str:
    """An address of the pack, asked as the page that the browser shows."""
    name = page.raw.evaluate("async () => (await import('/scripts/api.js')).api.clientId")
    return f"{path}{'&' if '?' in path else '?'}page={name}"


def pixels(page, result) -> np.ndarray:
    """The picture that the workflow saved."""
    (entry,) = (
        entry for output in result.outputs.values() for entry in output.get("images", ()) if entry["type"] == "output"
    )
    return np.asarray(Image.open(io.BytesIO(page.client.image(entry))))


def complaints(page) -> list[str]:
    """Errors of the page, and warnings that come from our files or name them."""
    return page.errors + [
        text for kind, text in page.console if kind == "warning" and any(word in text for word in OURS)
    ]


def choose_in_menu(page, menu: str, item: str) -> None:
    """Opens one of the menus below the pictures and clicks an entry."""
    press(page, f"{menu} ▾")
    page.raw.get_by_role("menuitem", name=item, exact=True).click(timeout=WAIT)
