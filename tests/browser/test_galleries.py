"""The pictures of earlier runs in the panel, searching on, and what a click does in another graph."""

import numpy as np
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
