"""The live panel in the real page, in both renderers: it shows a search, steers it, and chooses from what it found."""

import numpy as np
import pytest
from noise_search.tests.browser.panel import (
    BOTH,
    SEARCH,
    WAIT,
    cells,
    choose_in_menu,
    complaints,
    drop_in,
    look_down,
    pixels,
    press,
    saved,
    search_on_server,
    searches_on_server,
    show,
    status,
)


@BOTH
def test_a_search_fills_the_panel_survives_a_reload_and_is_finished_by_hand(page):
    workflow = drop_in(seed=500 + page.vue, pictures=5000)
    show(page, workflow)
    prompt_id = page.queue()
    workflow = saved(page)  # a template has no id: the page has given it one
    cells(page, 1)
    press(page, "Pause")
    status(page, "Paused at")
    page.raw.wait_for_timeout(500)  # what was being judged may still arrive
    before = search_on_server(page)

    page.open()
    show(page, workflow)
    status(page, "Paused at")
    look_down(page)  # only pictures in sight are drawn, and the panel of many of them lies above the window
    cells(page, 1)
    assert search_on_server(page) == before
    press(page, "Continue")
    page.raw.wait_for_function(
        "(text) => !document.querySelector('.ns-hint').textContent.startsWith(text)",
        arg=f"{len(before['candidates'])} tried",
    )
    press(page, "Finish now")
    result = page.wait(prompt_id)
    assert result.ok, result.error
    status(page, "Done: ")
    after = search_on_server(page)
    assert (after["search"], after["stopped"]) == (before["search"], "you")
    best = max(after["candidates"], key=lambda candidate: candidate["score"])
    assert after["result"] == [best["id"]]
    assert page.raw.locator(".ns-cell.ns-best").get_attribute("data-id") == str(best["id"])
    loaded = (
        "() => [...document.querySelectorAll('.ns-cell img')].every((picture) => picture.complete &&"
        " picture.naturalWidth > 0)"
    )
    page.raw.wait_for_function(loaded, timeout=WAIT)
    assert complaints(page) == []


@BOTH
def test_a_clicked_picture_becomes_the_result_and_a_stock_ksampler_makes_the_same(page):
    show(page, drop_in(seed=520 + page.vue, pictures=6))
    assert page.wait(page.queue()).ok
    look_down(page)
    before = search_on_server(page)
    plain = [candidate for candidate in before["candidates"] if candidate["finished"] and candidate["seed"]]
    other = next(candidate for candidate in plain if candidate["id"] not in before["result"])
    page.raw.locator(f".ns-cell[data-id='{other['id']}']").click(timeout=WAIT)
    status(page, f"#{other['id'] + 1} is chosen")
    chosen = page.wait(page.queue(lambda: press(page, f"Use #{other['id'] + 1}")))
    assert chosen.ok, chosen.error
    status(page, "Done: ")
    state = search_on_server(page)
    assert (state["search"], state["result"]) == (before["search"], [other["id"]])
    assert state["candidates"] == before["candidates"], "the search stays in sight"
    assert page.raw.locator(".ns-cell.ns-best").get_attribute("data-id") == str(other["id"])

    (best,) = before["result"]
    page.raw.locator(f".ns-cell[data-id='{best}']").hover(timeout=WAIT)
    assert page.wait(
        page.queue(lambda: page.raw.locator(".ns-quick button", has_text="Use").click(timeout=WAIT / 8))
    ).ok
    page.raw.wait_for_selector(f".ns-cell.ns-best[data-id='{best}']", timeout=WAIT)
    assert search_on_server(page)["result"] == [best], "one click uses a picture"
    page.raw.locator(f".ns-cell[data-id='{other['id']}']").hover(timeout=WAIT)
    chosen = page.wait(page.queue(lambda: page.raw.locator(".ns-quick button", has_text="Use").click(timeout=WAIT / 8)))
    assert chosen.ok, chosen.error

    with page.raw.expect_response(lambda answer: "/control?" in answer.url) as forgotten:
        page.raw.evaluate(
            "() => app.extensions.find(({ name }) => name ==="
            f" 'noise_search.panel').getNodeMenuItems({SEARCH})[0].callback()"
        )
    assert forgotten.value.json()["freed"] > 0

    page.raw.evaluate(f"() => Object.assign({SEARCH}, {{ title: 'my faces', color: '#232', bgcolor: '#353' }})")
    choose_in_menu(page, "Save", "To KSampler")
    (look,) = ((node["title"], node["color"]) for node in page.workflow()["nodes"] if node["type"] == "KSampler")
    assert look == ("my faces", "#232")
    types = [node["type"] for node in page.workflow()["nodes"]]
    assert "KSampler" in types
    assert "NoiseSearch" not in types
    sampler = next(node for node in page.prompt().values() if node["class_type"] == "KSampler")
    assert sampler["inputs"]["seed"] == int(other["seed"])
    stock = page.wait(page.queue())
    assert stock.ok, stock.error
    far = np.abs(pixels(page, stock).astype(int) - pixels(page, chosen).astype(int)).max()
    assert far <= 1, "but for what the batch that it was sampled in does to floating-point numbers"
    assert complaints(page) == []


def test_five_hundred_pictures_are_scrolled_without_a_task_over_100_ms(bare):
    """The panel alone on a page of the same server, and the main thread's own time, so that neither the host's page nor
    others count.
    """
    bare.raw.evaluate("""async () => {
        const { createView } = await import("/extensions/noise-search/panel/view.js");
        const candidates = Array.from({ length: 500 }, (_, id) => ({ id, how: id ? "random" : "own seed", parents: [],
            cost: 1, values: [id % 97], score: id % 97, seed: String(id), began: null, lineage: id % 250,
            finished: true, picture: true }));
        const square = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'>"
            + "<rect width='64' height='64'/></svg>";
        window.view = createView({ picture: (id) => `${square}<!--${id}-->` });
        const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "panel.css" });
        document.body.replaceChildren(sheet, view.root);
        view.root.style.cssText = "width: 400px; height: 540px";
        window.search = { search: "s", status: "running", stopped: "", columns: ["CLIP"], notes: [], pictures: 600,
            used: 500, making: 0, mine: true, seconds_left: 9, result: [], pinned: [], kept: [], candidates };
        view.show(search, {});
    }""")
    cells(bare, 8)
    session = bare.raw.context.new_cdp_session(bare.raw)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    height = bare.raw.evaluate("() => view.grid.scrollHeight")
    busy = []
    for top in range(0, height, height // 12):
        before = main_thread_seconds(session)
        bare.raw.evaluate(f"""async () => {{
            view.grid.scrollTop = {top};
            if ({top} % 2 === 0) view.show(search, {{}}); // a round arrives while the artist scrolls
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
        }}""")
        busy.append(main_thread_seconds(session) - before)
    assert bare.raw.locator(".ns-cell").count() < 60, "only what is in sight exists"
    assert bare.raw.locator(".ns-pile").count() > 8, "every picture has two versions"
    assert max(busy) < 0.1, busy


def main_thread_seconds(session) -> float:
    """What scripts, styles and layout took of the page's main thread so far; painting is the browser's, in software
    where there is no GPU.
    """
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    return metrics["ScriptDuration"] + metrics["RecalcStyleDuration"] + metrics["LayoutDuration"]


def test_the_panel_is_driven_by_the_keyboard_alone(page):
    show(page, drop_in(seed=530, pictures=6))
    assert page.wait(page.queue()).ok
    look_down(page)
    order = page.raw.evaluate("() => [...document.querySelectorAll('.ns-cell')].map((cell) => cell.dataset.id)")
    page.raw.locator(".ns-grid").focus()
    page.raw.keyboard.press("Home")
    first = page.raw.locator(".ns-cell.ns-focused").get_attribute("data-id")
    page.raw.keyboard.press("ArrowRight")
    second = page.raw.locator(".ns-cell.ns-focused").get_attribute("data-id")
    assert {first, second} <= set(order)
    assert first != second
    page.raw.keyboard.press("p")
    page.raw.wait_for_function(
        "(id) => document.querySelector(`.ns-cell[data-id='${id}'] .ns-mark`).textContent.includes('★')", arg=second
    )
    assert search_on_server(page)["pinned"] == [int(second)]
    page.raw.keyboard.press("Enter")
    status(page, f"#{int(second) + 1} is chosen")
    page.raw.keyboard.press("Delete")
    assert "NoiseSearch" in [node["type"] for node in page.workflow()["nodes"]], (
        "a key in the panel does not delete the node"
    )
    assert complaints(page) == []


@BOTH
def test_variations_of_a_refined_picture_are_versions_of_the_picture_not_of_the_noise_it_began_with(page):
    show(page, drop_in(seed=620 + page.vue, pictures=12))
    assert page.wait(page.queue()).ok
    look_down(page)
    before = search_on_server(page)
    best = before["candidates"][before["result"][0]]
    assert best["seed"] is None, "this seed's winner was refined"
    run = page.wait(page.queue(lambda: choose_in_menu(page, "More like this", "Subtle variations")))
    assert run.ok, run.error
    nodes = {node["class_type"]: (name, node["inputs"]) for name, node in page.prompt().items()}
    search, refined = nodes["NoiseSearch"], nodes["RefineSearch"]
    assert refined[1]["latent"] == [search[0], 0]
    assert (refined[1]["depth"], refined[1]["children"]) == (0.3, 12)
    assert search[1]["recipe"], "the node holds the picture"
    (versions,) = (one["candidates"] for one in searches_on_server(page) if one["node"] == refined[0])
    assert versions[0]["score"] == pytest.approx(best["score"], abs=0.05), "the picture itself comes first"
    assert len(versions) == 13
    assert {one["how"] for one in versions[1:]} == {"refined"}
    assert complaints(page) == []
