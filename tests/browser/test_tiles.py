"""Pictures in the making in the real page, in both renderers: tiles that sharpen, what is being done, and errors."""

import pytest
from noise_search.tests.browser.panel import (
    BOTH,
    WAIT,
    cells,
    complaints,
    drop_in,
    look_down,
    press,
    saved,
    show,
    status,
)
from noise_search.tests.browser.test_panel import main_thread_seconds
from noise_search.tests.pages import FAILED

PREVIEWS = "(method) => app.extensionManager.setting.set('Comfy.Execution.PreviewMethod', method)"
HUGE = 5000  # pictures: no test waits for them


def in_many_steps(*, seed, pictures, steps=60):
    """Steps of the tiny model are short: so many that a batch takes seconds."""
    workflow = drop_in(seed=seed, pictures=pictures)
    values = next(node for node in workflow["nodes"] if node["type"] == "NoiseSearch")["widgets_values"]
    values[2], values[16] = steps, "random"
    return workflow


def tiles(page, count):
    """Waits until so many tiles have a picture that can be seen."""
    page.raw.wait_for_function(
        "(count) => [...document.querySelectorAll('.ns-tile img')].filter((one) => one.naturalWidth).length >= count",
        arg=count,
        timeout=WAIT,
    )


def says(page, selector, text):
    """Waits until a part of the panel can be seen, and says this."""
    page.raw.wait_for_function(
        "([selector, text]) => { const part = document.querySelector(selector);"
        " return part?.checkVisibility() && part.textContent.includes(text); }",
        arg=[selector, text],
        timeout=WAIT,
    )


def widget(page, kind, name, value):
    """Types a value into a node."""
    page.raw.evaluate(
        """([kind, name, value]) => {
            const node = app.graph.nodes.find(({ type }) => type === kind);
            node.widgets.find((widget) => widget.name === name).value = value;
        }""",
        [kind, name, value],
    )


@pytest.fixture(autouse=True)
def no_page_twice(request):
    """Every test here has a page of its own: what waits in the queue was not always said in a page of other tests."""
    request.node.stash[FAILED] = True


@pytest.fixture
def previews(page):
    """The artist has chosen previews in the settings of ComfyUI."""
    page.raw.evaluate(PREVIEWS, "latent2rgb")
    yield
    page.raw.evaluate(PREVIEWS, "default")
    page.client.request("/queue", {"clear": True})
    page.client.interrupt()


@BOTH
def test_all_pictures_of_the_first_batch_sharpen_before_one_is_done_and_become_the_pictures(page, previews):
    show(page, in_many_steps(seed=700 + page.vue, pictures=8))
    prompt_id = page.queue()
    look_down(page)
    tiles(page, 8)
    assert page.raw.locator(".ns-cell").count() == 0
    assert "Sampling 8 pictures: step " in page.raw.locator(".ns-doing").inner_text()
    result = page.wait(prompt_id)
    assert result.ok, result.error
    status(page, "Done: ")
    cells(page, 8)
    page.raw.wait_for_function(
        "() => [...document.querySelectorAll('.ns-cell img')].every((one) => one.naturalWidth &&"
        " !one.style.backgroundImage)",
        timeout=WAIT,
    )
    assert page.raw.locator(".ns-tile").count() == 0
    assert complaints(page) == []


@BOTH
def test_a_page_that_is_reloaded_while_it_runs_sees_the_tiles_again_and_what_is_kept_when_it_is_cancelled(
    page, previews
):
    show(page, in_many_steps(seed=710 + page.vue, pictures=HUGE))
    prompt_id = page.queue()
    workflow = saved(page)
    look_down(page)
    tiles(page, 3)
    page.open()
    show(page, workflow)
    look_down(page)
    tiles(page, 3)
    says(page, ".ns-doing", "step ")
    page.client.interrupt()
    page.wait(prompt_id)
    status(page, "Cancelled after 0 of")
    says(page, ".ns-idle", "No picture was done when it was cancelled. What is there is kept; Run goes on.")
    assert page.raw.locator(".ns-tile").count() == 0
    early = "Unhandled message"  # ComfyUI's page is connected before it has loaded what listens
    assert [text for text in complaints(page) if not text.startswith(early)] == []


@BOTH
def test_an_error_of_the_search_is_read_in_its_panel_and_run_again_from_there(page):
    page.raw.context.grant_permissions(["clipboard-read", "clipboard-write"])
    show(page, drop_in(seed=720 + page.vue, pictures=3))
    widget(page, "NoiseSearch", "keep", 9)
    assert not page.wait(page.queue()).ok
    says(page, ".ns-problem", "keep must be between 1 and pictures (3), got 9")
    look_down(page)
    press(page, "Copy the text")
    copied = "async () => (await navigator.clipboard.readText()).includes('got 9')"
    page.raw.wait_for_function(copied, timeout=WAIT)
    widget(page, "NoiseSearch", "keep", 1)
    assert page.wait(page.queue(lambda: press(page, "Run again"))).ok
    status(page, "Done: ")
    assert not page.raw.locator(".ns-problem").is_visible()
    assert complaints(page) == []


@BOTH
def test_an_error_of_its_judge_is_read_in_the_panel_and_the_pictures_made_before_stay(page):
    show(page, drop_in(seed=730 + page.vue, pictures=3))
    assert page.wait(page.queue()).ok
    look_down(page)
    cells(page, 3)
    widget(page, "LoadVerifier", "path", "/nowhere/at/all")
    assert not page.wait(page.queue()).ok
    says(page, ".ns-problem", "failed, so that this search did not run")
    says(page, ".ns-problem", "/nowhere/at/all")
    assert page.raw.locator(".ns-cell").count() >= 3
    assert complaints(page) == []


def test_a_search_that_waits_in_the_queue_says_so_and_once_it_begins_what_it_does(page, previews):
    show(page, in_many_steps(seed=740, pictures=HUGE))
    first = page.queue()
    says(page, ".ns-doing", "step ")
    show(page, in_many_steps(seed=741, pictures=HUGE))
    second = page.queue()
    says(page, ".ns-idle", "Queued. It begins when what is before it in the queue is done.")
    page.client.interrupt()
    page.wait(first)
    tiles(page, 1)
    page.client.interrupt()
    page.wait(second)
    status(page, "Cancelled after 0 of")
    assert complaints(page) == []


def test_what_is_taken_out_of_the_queue_waits_no_more(page, previews):
    show(page, in_many_steps(seed=750, pictures=HUGE, steps=61))
    page.queue()
    says(page, ".ns-doing", "step ")
    show(page, in_many_steps(seed=751, pictures=HUGE, steps=61))
    page.queue()
    says(page, ".ns-idle", "Queued.")
    page.client.request("/queue", {"clear": True})
    says(page, ".ns-idle", "Queue to search.")
    assert complaints(page) == []


def test_sixty_four_tiles_sharpen_without_a_task_over_50_ms(bare):
    """The panel alone on a page of the same server, and the main thread's own time, so that neither the host's page nor
    others count.
    """
    bare.raw.evaluate("""async () => {
        const { createView } = await import("/extensions/noise-search/panel/view.js");
        const { withTiles } = await import("/extensions/noise-search/panel/tiles.js");
        window.view = createView({ picture: () => "" });
        const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "panel.css" });
        document.body.replaceChildren(sheet, view.root);
        view.root.style.cssText = "width: 400px; height: 540px";
        window.search = { search: "s", status: "running", stopped: "", columns: ["CLIP"], notes: [], pictures: 600,
            used: 0, making: 0, mine: true, seconds_left: 9, result: [], pinned: [], kept: [], candidates: [],
            tiles: null, error: "" };
        const canvas = Object.assign(document.createElement("canvas"), { width: 192, height: 192 });
        const picture = (id, step) => {
            const paint = canvas.getContext("2d"), seen = paint.createImageData(192, 192);
            seen.data.forEach((_, place) => { seen.data[place] = (place * (7 + id) + 31 * step) % 256; });
            paint.putImageData(seen, 0, 0);
            return canvas.toDataURL("image/jpeg", 0.8);
        };
        const rows = Array.from({ length: 64 }, (_, id) => id);
        const all = (step) => rows.map((id) => ({ id, picture: picture(id, step) }));
        const round = { what: "sampling", first: 0, count: 64, rows, steps: 20 };
        window.messages = Array.from({ length: 12 }, (_, step) => ({ ...round, step, pictures: all(step) }));
        window.sharpen = (message) => { withTiles(search, message); view.show(search, {}); };
    }""")
    session = bare.raw.context.new_cdp_session(bare.raw)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    busy = []
    for step in range(12):
        before = main_thread_seconds(session)
        bare.raw.evaluate(f"""async () => {{
            sharpen(messages[{step}]);
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
        }}""")
        busy.append(main_thread_seconds(session) - before)
    tiles(bare, 64)
    assert max(busy) < 0.05, busy


def test_an_error_stays_though_the_page_hears_only_later_that_its_prompt_was_running(page):
    def late(route):
        page.raw.wait_for_timeout(2000)
        (run,) = page.client.json("/history?max_items=1").values()
        route.fulfill(json={"queue_running": [run["prompt"]], "queue_pending": []})

    show(page, drop_in(seed=760, pictures=3))
    widget(page, "NoiseSearch", "keep", 9)
    page.raw.route("**/queue", late)
    try:
        assert not page.wait(page.queue()).ok
        page.raw.wait_for_timeout(4000)
        says(page, ".ns-problem", "keep must be between 1 and pictures (3), got 9")
    finally:
        page.raw.unroute_all(behavior="ignoreErrors")
