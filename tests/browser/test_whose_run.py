"""Several pages of one server, in both renderers: each sees, steers and answers what it queued, and may take over the
rest.
"""

import itertools

import pytest
from noise_search.tests.browser.panel import (
    BOTH,
    SEARCH,
    VUE,
    WAIT,
    as_page,
    cells,
    complaints,
    drop_in,
    look_down,
    press,
    saved,
    search_on_server,
    show,
    status,
)
from noise_search.tests.browser.test_human_pick import NODE, look, on_server, tile, waiting
from noise_search.tests.browser.test_human_pick import press as press_pick
from noise_search.tests.browser.test_human_pick import show as show_pick
from noise_search.tests.nodes.test_routes import refusal
from noise_search.tests.pages import FAILED

IDLE = "() => document.querySelector('.ns-panel').classList.contains('ns-empty')"
HUGE = 5000  # pictures: no test waits for them
SEED_LIST = """() => {
    const search = SEARCH, list = LiteGraph.createNode("NoiseCandidates");
    app.graph.add(list);
    list.widgets.find(({ name }) => name === "count").value = 20;
    const seed = search.inputs.findIndex(({ name }) => name === "seed");
    list.connect(list.outputs.findIndex(({ name }) => name === "seeds"), search, seed);
}""".replace("SEARCH", SEARCH)


TEXT = "app.graph.nodes.find(({ type }) => type === 'CLIPTextEncode').widgets[0]"
_graphs = itertools.count()


def template(*, seed: int, pictures: int) -> dict:
    """The drop-in with a text that no other test has: searches of the same graph are shown by every page of the
    server.
    """
    workflow = drop_in(seed=seed, pictures=pictures)
    for node in workflow["nodes"]:
        if node["type"] == "CLIPTextEncode":
            node["widgets_values"] = [f"graph {next(_graphs)}"]
    return workflow


@pytest.fixture(autouse=True, scope="module")
def pages_of_one_artist_afterwards(pages):
    yield
    pages.keep_one()


@pytest.fixture
def other(pages, page, request):
    """A second artist's page, in a browser of its own."""
    second = pages.lend(page.vue)
    yield second
    pages.take_back(second, request.node.stash.get(FAILED, False))


@pytest.fixture(autouse=True)
def idle(server):
    yield
    client = server.client()
    client.request("/queue", {"clear": True})
    client.interrupt()


def buttons(page) -> set[str]:
    """What can be pressed in the panel."""
    shown = page.raw.locator(".ns-panel button:visible").all_inner_texts()
    return {text for text in shown if text.strip()}


@BOTH
def test_two_artists_with_one_template_neither_see_steer_nor_end_each_other_s_search(page, other):
    show(page, template(seed=1600, pictures=HUGE))
    show(other, template(seed=1700, pictures=6))
    assert page.workflow()["id"] != other.workflow()["id"]
    prompt_id = page.queue()
    cells(page, 1)
    other.raw.wait_for_timeout(1500)
    assert other.raw.evaluate(IDLE), "nothing of it is shown"
    search = search_on_server(page)["search"]
    answer = refusal(other.client, as_page(other, f"/noise_search/searches/{search}/control"), b'{"action": "finish"}')
    assert answer == (403, "The search must be one that this page queued or took over, got another page's")
    assert search_on_server(page)["status"] == "running"

    second = other.queue()
    look_down(page)
    press(page, "Finish now")
    assert page.wait(prompt_id).ok
    assert other.wait(second).ok
    status(other, "Done: ")
    status(page, "Done: ")
    assert search_on_server(page)["search"] == search
    assert search_on_server(page)["stopped"] == "you"
    assert search_on_server(other)["search"] != search
    assert complaints(page) == complaints(other) == []


def click_below_the_tiles(page) -> None:
    """On a picture of a search that runs: the tiles before them may fill the grid, and their order changes."""
    page.raw.wait_for_function(
        """() => {
            const grid = document.querySelector(".ns-grid");
            grid.scrollTop = grid.querySelector(".ns-making").offsetHeight;
            const cell = grid.querySelector(".ns-cell");
            cell?.click();
            return Boolean(cell);
        }""",
        polling=100,
        timeout=WAIT / 4,
    )


@BOTH
def test_a_run_of_the_same_graph_is_shown_without_buttons_until_it_is_taken_over(page, other):
    workflow = template(seed=1620 + page.vue, pictures=HUGE)
    show(page, workflow)
    show(other, workflow)
    prompt_id = page.queue()
    cells(page, 1)
    cells(other, 1)
    look_down(other)
    assert other.raw.locator(".ns-held").inner_text().startswith("Another page's search.")
    assert "Take over" in buttons(other)
    assert not {"Pause", "Finish now", "Pin", "Release"} & buttons(other)
    assert not any("▾" in text for text in buttons(other))
    click_below_the_tiles(other)
    assert other.raw.evaluate(f"() => {SEARCH}.widgets.find(({{ name }}) => name === 'recipe').value") == "", (
        "a click only looks"
    )

    press(other, "Take over")
    other.raw.wait_for_selector(".ns-held", state="hidden")
    assert {"Pause", "Finish now"} <= buttons(other)
    press(other, "Pause")
    status(other, "Paused at")
    status(page, "Paused at")
    workflow = saved(other)
    other.open()
    show(other, workflow)
    status(other, "Paused at")
    look_down(other)
    assert "Take over" not in buttons(other), "after a reload the panel is as before"
    press(other, "Finish now")
    assert page.wait(prompt_id).ok
    status(page, "Done: ")
    status(other, "Done: ")
    assert complaints(page) == complaints(other) == []


def test_the_run_of_another_page_goes_out_of_sight_when_the_graph_is_changed_and_comes_back_with_it(page, other):
    workflow = template(seed=1630, pictures=4)
    show(page, workflow)
    assert page.wait(page.queue()).ok
    show(other, workflow)
    cells(other, 1)
    before = other.raw.evaluate(f"() => {TEXT}.value")
    typed = (
        f"(text) => {{ {TEXT}.value = text;"
        " app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState() }"
    )
    other.raw.evaluate(typed, "another prompt")
    other.raw.wait_for_function(IDLE, timeout=WAIT)
    other.raw.evaluate(typed, before)
    cells(other, 1)
    assert complaints(page) == complaints(other) == []


@BOTH
def test_two_tabs_of_one_template_have_two_panels(page):
    workflow = template(seed=1640 + page.vue, pictures=4)
    show(page, workflow)
    first = page.workflow()["id"]
    assert page.wait(page.queue()).ok
    status(page, "Done: ")
    show(page, workflow)
    assert page.workflow()["id"] != first
    page.raw.wait_for_timeout(1500)
    assert page.raw.evaluate(IDLE), "nothing was queued in this tab"
    assert page.wait(page.queue()).ok
    page.raw.evaluate(
        "async () => { const { workflow } = app.extensionManager; await"
        " workflow.openWorkflow?.(workflow.openWorkflows[0]) }"
    )
    assert complaints(page) == []


@VUE
def test_a_list_of_twenty_seeds_shows_twenty_searches(page):
    show(page, template(seed=1650, pictures=1))
    page.raw.evaluate(SEED_LIST)
    assert page.wait(page.queue()).ok
    look_down(page)
    page.raw.wait_for_function(
        "() => document.querySelector('.ns-turns .ns-which').textContent === '20 of 20'", timeout=WAIT
    )
    last = page.raw.locator(".ns-right").get_attribute("src")
    for place in range(19, 0, -1):
        press(page, "‹")
        page.raw.wait_for_function(
            "(text) => document.querySelector('.ns-turns .ns-which').textContent === text",
            arg=f"{place} of 20",
            timeout=WAIT,
        )
    assert page.raw.locator(".ns-right").get_attribute("src") != last
    assert page.raw.locator(".ns-panel").get_by_role("button", name="‹").is_disabled()
    workflow = saved(page)
    page.open()
    show(page, workflow)
    page.raw.wait_for_function(
        "() => document.querySelector('.ns-turns .ns-which').textContent === '20 of 20'", timeout=WAIT
    )
    assert complaints(page) == []


@BOTH
def test_human_pick_asks_in_the_page_that_queued_and_another_one_takes_over_when_that_(page, other):
    seed = 1660 + page.vue
    show_pick(page, seed)
    show_pick(other, seed)
    prompt_id = page.queue()
    gallery = waiting(page)
    other.raw.wait_for_timeout(1500)
    assert other.raw.locator(".np-title").inner_text() == ""
    assert other.raw.locator(".np-note").is_hidden()

    page.raw.goto("about:blank")
    other.raw.wait_for_function(
        "() => document.querySelector('.np-title').textContent === \"Another page's pictures\"", timeout=WAIT
    )
    look(other)
    tile(other, 2).click(timeout=WAIT)
    assert other.raw.locator(".np-foot").get_by_role("button", name="Use").is_hidden()
    press_pick(other, "Take over")
    waiting(other)
    assert on_server(other)["pick"] == gallery["pick"]
    tile(other, 2).click(timeout=WAIT)
    press_pick(other, "Use #3")
    assert other.wait(prompt_id).outputs["6"]["noise_search_pick"][0]["picked"] == [2]
    other.raw.wait_for_function(
        "() => document.querySelector('.np-title').textContent === 'You picked #3'", timeout=WAIT
    )
    assert other.raw.evaluate(f"() => Boolean({NODE})")
    assert complaints(other) == []
