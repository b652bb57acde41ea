"""Seed Sheet in the real page, in both renderers: its grid is clicked, looked at closely, compared, copied from."""

import json

from noise_search.demo.examples import CAPTIONS, EXAMPLES, with_tiny_model
from noise_search.tests.browser.panel import BOTH, WAIT, complaints, saved

NODE = "app.graph.nodes.find((node) => node.type === 'SeedSheet')"
EXAMPLE = "12_Prompts_by_seeds_on_one_sheet"
LOADED = """(root) => {
    const images = [...document.querySelectorAll(`${root} .nt-cell img`)];
    return images.length === 12 && images.every((one) => one.complete && one.naturalWidth);
}"""


def example(seed: int) -> dict:
    """Three prompts by four seeds on the tiny model, in few steps."""
    workflow = with_tiny_model(json.loads((EXAMPLES / f"{EXAMPLE}.json").read_text(encoding="utf-8")))
    for node in workflow["nodes"]:
        if node["type"] == "NoiseCandidates":
            node["widgets_values"][0] = seed
        if node["type"] == "BasicScheduler":
            node["widgets_values"][1] = 2
    return workflow


def look(page) -> None:
    """Moves the grid into the window once its pictures are there."""
    page.raw.wait_for_function(LOADED, arg=".nt-root", timeout=WAIT)
    page.raw.wait_for_function(
        f"""() => {{
            const {{ x, y, width }} = document.querySelector(".nt-root").getBoundingClientRect();
            const node = {NODE}, {{ ds }} = app.canvas;
            if (width && Math.abs(x - 400) < 2 && Math.abs(y - 110) < 2 && ds.scale === 1) return true;
            ds.scale = 1;
            if (width) ds.offset = [ds.offset[0] + 400 - x, ds.offset[1] + 110 - y];
            else ds.offset = [400 - node.pos[0], 110 - node.pos[1] - node.size[1] / 2];
            app.canvas.setDirty(true, true);
        }}""",
        polling=300,
        timeout=WAIT,
    )


def cell(page, place: int, root: str = ".nt-root:not(.nt-dialog *)"):
    return page.raw.locator(f"{root} .nt-cell[data-place='{place}']")


def button(page, name: str, root: str = ".nt-root:not(.nt-dialog *)"):
    return page.raw.locator(root).get_by_role("button", name=name, exact=True)


def about(page) -> list[str]:
    return page.raw.locator(".np-about").inner_text().split(" · ")


def copied(page) -> str:
    return page.raw.evaluate("async () => await navigator.clipboard.readText()")


@BOTH
def test_an_artist_clicks_compares_and_copies_on_the_sheet_and_finds_it_after_a_reload(page):
    seed = 300 + page.vue
    page.raw.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.load(example(seed))
    assert page.raw.locator(".nt-hint").inner_text() == "Run, and every picture can be clicked here."
    result = page.wait(page.queue())
    assert result.ok, result.error
    look(page)
    keys = page.raw.keyboard
    assert page.raw.locator(".nt-row").all_inner_texts() == CAPTIONS[:3]
    seeds = page.raw.locator(".nt-column").all_inner_texts()
    assert seeds[0] == str(seed) and len(set(seeds)) == 4
    assert not page.raw.evaluate(f"() => {NODE}.imgs?.length"), "not once more below the grid"

    cell(page, 1).click(timeout=WAIT)  # a close look, and from there to neighbours
    assert about(page) == [CAPTIONS[0], seeds[1], "64 × 64"]
    keys.press("ArrowDown")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    assert about(page)[:2] == [CAPTIONS[1], seeds[3]], "it stops at the edge"
    assert page.raw.locator(".np-zoom img:visible").evaluate("(image) => image.naturalWidth") == 64
    button(page, "Copy seed", ".np-zoom").click()
    assert copied(page) == seeds[3]
    keys.press("Escape")

    button(page, "Compare with…").click(timeout=WAIT)  # where the close look has left the grid
    cell(page, 8).click(timeout=WAIT)
    assert page.raw.locator(".nt-look .ns-name").all_inner_texts() == [
        f"{CAPTIONS[1]} · {seeds[3]}",
        f"{CAPTIONS[2]} · {seeds[0]}",
    ]
    button(page, "Stop comparing", ".np-zoom").click()
    assert page.raw.locator(".nt-look .ns-compare").is_hidden()
    keys.press("Escape")
    button(page, "Copy labels").click(timeout=WAIT)
    assert copied(page) == f"{CAPTIONS[2]}\n{seeds[0]}"

    page.raw.evaluate(f"() => app.canvas.selectNode({NODE})")
    page.raw.locator(".nt-grid").focus()  # the keyboard alone
    keys.press("ArrowUp")
    keys.press("Delete")
    keys.press("z")
    assert about(page)[:2] == [CAPTIONS[1], seeds[0]]
    keys.press("Escape")
    assert "SeedSheet" in [node["type"] for node in page.workflow()["nodes"]], "a key in the grid deletes no node"

    workflow = saved(page)
    page.open()
    page.load(workflow)
    look(page)
    button(page, "Open large").click(timeout=WAIT)  # labels stay in sight
    page.raw.wait_for_function(LOADED, arg=".nt-dialog", timeout=WAIT)
    grid = page.raw.locator(".nt-dialog .nt-grid")
    before = grid.evaluate("(grid) => grid.querySelector('.nt-column').getBoundingClientRect().top")
    cell(page, 11, ".nt-dialog").scroll_into_view_if_needed()
    assert grid.evaluate("(grid) => grid.scrollTop") > 40
    assert abs(grid.evaluate("(grid) => grid.querySelector('.nt-column').getBoundingClientRect().top") - before) <= 2
    keys.press("Escape")
    again = page.wait(page.queue())
    assert "16" in next(data for name, data in again.events if name == "execution_cached")["nodes"], (
        "what the page shows changes nothing of what is queued"
    )
    assert complaints(page) == []
