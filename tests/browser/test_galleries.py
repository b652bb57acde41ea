"""The pictures of earlier runs in the panel, also of those before a restart, searching on, and what a click does in
another graph.
"""

import sqlite3
from contextlib import closing

import numpy as np
from noise_search.demo.server import Server, prepare
from noise_search.tests.browser.panel import (
    BOTH,
    SEARCH,
    WAIT,
    cells,
    complaints,
    drop_in,
    look_down,
    pixels,
    press,
    saved,
    search_on_server,
    searches_on_server,
    set_widget,
    show,
    status,
)
from noise_search.tests.host import COMFYUI_PATH, TOYS, Page


def random_search(**how) -> dict:
    workflow = drop_in(**how)
    values = next(node for node in workflow["nodes"] if node["type"] == "NoiseSearch")["widgets_values"]
    values[values.index("auto")] = "random"
    return workflow


def changed(page, is_so: bool = True) -> None:
    """Waits until the gallery is grey, or no more."""
    page.raw.wait_for_function(
        "(is_so) => document.querySelector('.ns-panel').classList.contains('ns-changed') === is_so",
        arg=is_so,
        timeout=WAIT / 4,
    )


def take(page, candidate: int, label: str):
    """One click on a button over a picture, and the end of what it queued."""
    page.raw.mouse.move(5, 5)
    page.raw.locator(f".ns-cell[data-id='{candidate}']").hover(timeout=WAIT / 4)
    button = page.raw.locator(".ns-quick button").get_by_text(label, exact=True)
    result = page.wait(page.queue(lambda: button.click(timeout=WAIT / 8)))
    assert result.ok, result.error
    return result


@BOTH
def test_a_picture_found_with_another_prompt_is_taken_as_it_is_or_its_noise_is(page):
    show(page, random_search(seed=820 + page.vue, pictures=4))
    first = page.wait(page.queue())
    assert first.ok, first.error
    look_down(page)
    before, (best,) = search_on_server(page), search_on_server(page)["result"]
    changed(page, False)

    was = set_widget(page, "CLIPTextEncode", "text", "a blue circle and a red square")
    changed(page)
    assert page.raw.locator(".ns-held b").inner_text().startswith("Made with other settings")
    again = take(page, best, "This picture")
    assert np.array_equal(pixels(page, again), pixels(page, first)), "as it was found"
    assert [search["search"] for search in searches_on_server(page)] == [before["search"]]
    changed(page)

    other = take(page, best, "Use noise")
    status(page, "Done: 1 picture")
    assert not np.array_equal(pixels(page, other), pixels(page, first))
    press(page, "‹ Earlier")
    status(page, "Done: 4 pictures")
    changed(page)
    set_widget(page, "CLIPTextEncode", "text", was)
    changed(page, False)

    page.raw.locator(".noise_search-tab-button").click(timeout=WAIT / 4)
    entry = page.raw.locator(".ns-side-entry")
    assert "Noise Search" in entry.inner_text() and "Done: 4 pictures" in entry.inner_text()
    entry.click(timeout=WAIT / 4)
    page.raw.wait_for_selector("dialog .ns-cell", timeout=WAIT / 4)
    assert complaints(page) == []


@BOTH
def test_a_search_goes_on_with_more_pictures_or_another_seed_and_every_gallery_stays(page):
    show(page, random_search(seed=830 + page.vue, pictures=2))
    assert page.wait(page.queue()).ok
    look_down(page)
    assert page.raw.get_by_role("button", name="‹ Earlier").is_hidden()
    first = search_on_server(page)
    assert page.wait(page.queue(lambda: press(page, "8 more"))).ok
    status(page, "Done: 10 pictures")
    more = search_on_server(page)
    assert [one["seed"] for one in more["candidates"][:2]] == [one["seed"] for one in first["candidates"]]
    assert page.wait(page.queue(lambda: press(page, "New seed"))).ok
    cells(page, 5)
    anew = search_on_server(page)
    assert anew["candidates"][0]["seed"] not in {one["seed"] for one in more["candidates"]}
    assert anew["candidates"][0]["seed"] == str(page.raw.evaluate(f"() => {SEARCH}.widgets[0].value"))

    for _ in range(2):
        press(page, "‹ Earlier")
    status(page, "Done: 2 pictures")
    assert page.raw.get_by_role("button", name="‹ Earlier").is_disabled()
    workflow = saved(page)
    page.open()
    show(page, workflow)
    status(page, "Done: 10 pictures")
    look_down(page)
    press(page, "‹ Earlier")
    press(page, "‹ Earlier")
    status(page, "Done: 2 pictures")
    assert complaints(page) == []


def pictures_shown(page, count: int) -> None:
    """Waits until so many of the small pictures in sight are really there."""
    page.raw.wait_for_function(
        """(count) => {
            const images = [...document.querySelectorAll(".ns-cell img")];
            return images.filter((one) => one.naturalWidth > 1).length === count;
        }""",
        arg=count,
        timeout=WAIT / 4,
    )


def connected(page) -> None:
    """Waits until the server has told the page its name."""
    while not page.raw.evaluate("async () => (await import('/scripts/api.js')).api.clientId"):
        page.raw.wait_for_timeout(100)


def test_after_a_restart_of_the_server_the_galleries_are_there_and_a_click_uses_that_noise(browser, tmp_path):
    base, context = prepare(tmp_path / "base", [TOYS]), browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WAIT)
    with Server(COMFYUI_PATH, base) as first:
        page = Page(context.new_page(), first.client())
        page.client.request("/settings", {"Comfy.TutorialCompleted": True, "Comfy.Workflow.Persist": False})
        page.open()
        show(page, random_search(seed=840, pictures=4))
        assert page.wait(page.queue()).ok
        look_down(page)
        earlier = search_on_server(page)
        assert page.wait(page.queue(lambda: press(page, "New seed"))).ok
        last, workflow = search_on_server(page), saved(page)
        page.raw.goto("about:blank")  # Chromium holds a websocket back whose server it missed
    with closing(sqlite3.connect(base / "user" / "noise_search" / "galleries.sqlite3")) as book, book:
        book.execute("DELETE FROM pictures WHERE search = ? AND candidate = 3", (earlier["search"],))

    with Server(COMFYUI_PATH, base, port=first.port) as second:
        page.client = second.client()
        page.open()
        connected(page)
        show(page, workflow)
        status(page, "Done: 4 pictures")
        look_down(page)
        pictures_shown(page, 4)
        assert search_on_server(page)["search"] == last["search"]
        press(page, "‹ Earlier")
        pictures_shown(page, 3)
        assert page.raw.locator(".ns-cell[data-id='3'] .ns-gone").inner_text() == "not kept any more"
        assert "no longer kept on disk: 1. Their noises" in page.raw.locator(".ns-notes").inner_text()

        chosen = next(row for row in earlier["candidates"] if row["id"] not in (*earlier["result"], 3))
        page.raw.locator(f".ns-cell[data-id='{chosen['id']}']").click(timeout=WAIT / 4)
        status(page, f"#{chosen['id'] + 1} is chosen")
        result = page.wait(page.queue(lambda: press(page, f"Use #{chosen['id'] + 1}")))
        assert result.ok, result.error
        (found,) = (output["noise_search"][0] for output in result.outputs.values() if "noise_search" in output)
        assert f'["fresh",{chosen["seed"]}]' in found["recipe"]
        assert [one["result"] for one in searches_on_server(page)] == [[chosen["id"]], last["result"]], "in its place"
        assert complaints(page) == []
    context.close()
