"""Versions of one picture as one tile, and drafts that are made in full, in both renderers."""

import json

from noise_search.tests.browser.panel import (
    BOTH,
    WAIT,
    complaints,
    drop_in,
    look_down,
    press,
    saved,
    search_on_server,
    show,
    status,
)

COUNT = ".ns-count:visible"


def tiles(page) -> list[int]:
    """The ids of the tiles that exist."""
    return page.raw.evaluate(
        "() => [...document.querySelectorAll('.ns-cell')].map(({ dataset }) => Number(dataset.id))"
    )


def lies_apart(page, is_so: bool) -> None:
    page.raw.wait_for_function(
        "(is_so) => !document.querySelector('.ns-count:not([hidden])') === is_so", arg=is_so, timeout=WAIT / 4
    )


@BOTH
def test_versions_of_one_picture_are_one_tile_that_opens_and_closes(page):
    show(page, drop_in(seed=520 + page.vue, pictures=24))
    assert page.wait(page.queue()).ok
    look_down(page)
    candidates = search_on_server(page)["candidates"]
    lineages = [one["lineage"] for one in candidates]
    (top,) = search_on_server(page)["result"]
    versions = [one["id"] for one in candidates if one["lineage"] == lineages[top]]
    assert len(versions) > 8, "this seed's winner was refined"
    shown = tiles(page)
    assert len({lineages[id] for id in shown}) == len(shown) > 3, "no two of one picture"
    count = page.raw.locator(COUNT).first
    assert count.inner_text() == f"{len(versions)} versions"
    assert (count.get_attribute("aria-expanded"), count.get_attribute("title")) == (
        "false",
        "Show its versions side by side (S)",
    )
    assert (
        page.raw.locator(f".ns-cell[data-id='{top}']")
        .get_attribute("aria-label")
        .endswith(f"best of {len(versions)} versions")
    )

    count.click(timeout=WAIT / 4)
    page.raw.wait_for_selector(".ns-together", timeout=WAIT / 4)
    together = page.raw.evaluate(
        "() => [...document.querySelectorAll('.ns-together')].map(({ dataset }) => +dataset.id)"
    )
    assert top in together and set(together) <= set(versions) and len(together) > 4
    assert count.get_attribute("aria-expanded") == "true"
    other = next(id for id in together if id != top)
    assert (
        page.raw.locator(f".ns-cell[data-id='{other}']").get_attribute("aria-label").endswith(f"version of #{top + 1}")
    )
    page.raw.locator(f".ns-cell[data-id='{other}']").click(timeout=WAIT / 4)
    status(page, f"#{other + 1} is chosen")
    page.raw.keyboard.press("s")
    page.raw.wait_for_selector(".ns-together", state="detached", timeout=WAIT / 4)
    assert page.raw.locator(".ns-cell.ns-focused").get_attribute("data-id") == str(top)
    assert [id for id in tiles(page) if id in versions] == [top, other], "what is chosen stays in sight"
    press(page, "Undo")
    page.raw.wait_for_selector(f".ns-cell[data-id='{other}']", state="detached", timeout=WAIT / 4)
    page.raw.locator(".ns-grid").focus()
    page.raw.keyboard.press("s")
    page.raw.wait_for_selector(".ns-together", timeout=WAIT / 4)

    press(page, "Stacks")
    lies_apart(page, True)
    workflow = saved(page)
    page.open()
    show(page, workflow)
    status(page, "Done: 24 pictures")
    look_down(page)
    lies_apart(page, True)
    assert len({lineages[id] for id in tiles(page)}) < len(tiles(page)), "it is remembered"
    press(page, "Stacks")
    lies_apart(page, False)
    page.raw.get_by_label("Order of the pictures").select_option("newest")
    lies_apart(page, True)
    assert page.raw.get_by_role("button", name="Stacks").is_disabled()
    assert complaints(page) == []


@BOTH
def test_a_draft_is_made_in_full_with_one_click_and_its_gallery_stays(page):
    workflow = drop_in(seed=560 + page.vue, pictures=6)
    next(node for node in workflow["nodes"] if node["type"] == "NoiseSearch")["widgets_values"][2] = 12
    show(page, workflow)
    assert page.wait(page.queue()).ok
    look_down(page)
    before = search_on_server(page)
    page.raw.locator(".ns-grid").focus()
    page.raw.keyboard.press("End")
    draft = before["candidates"][int(page.raw.locator(".ns-cell.ns-focused").get_attribute("data-id"))]
    cell = page.raw.locator(f".ns-cell[data-id='{draft['id']}']")
    assert draft["how"] == "draft" and cell.locator(".ns-mark").inner_text() == f"#{draft['id'] + 1} draft"
    assert f"began with seed {draft['began']}" in page.raw.locator(".ns-detail").inner_text()
    cell.hover(timeout=WAIT / 4)
    button = page.raw.locator(".ns-quick button").get_by_text("Make in full", exact=True)
    result = page.wait(page.queue(lambda: button.click(timeout=WAIT / 4)))
    assert result.ok, result.error
    status(page, "Done: 1 picture")
    (found,) = (output["noise_search"][0] for output in result.outputs.values() if "noise_search" in output)
    assert found["seed"] == draft["began"]
    assert json.loads(found["recipe"])["noise"] == [["fresh", int(draft["began"])]]
    assert page.raw.locator(".ns-left-name").inner_text() == "before", "the draft"
    assert f"/{draft['id']}/large" in page.raw.locator("img.ns-left").get_attribute("src")

    press(page, "‹ Earlier")
    status(page, "Done: ")
    page.raw.wait_for_selector(".ns-cell.ns-draft", state="attached", timeout=WAIT / 4)
    assert search_on_server(page)["search"] != before["search"]
    assert complaints(page) == []
