"""How many rows a search node has before its pictures, in both renderers."""

import pytest
from noise_search.tests.browser.panel import BOTH, SEARCH, complaints, drop_in, show

ROWS = f"""() => {{
    const node = {SEARCH}, panel = document.querySelector(".ns-panel").getBoundingClientRect();
    const widgets = node.widgets.filter((widget) => node.isWidgetVisible(widget)).map(({{ name }}) => name);
    return [widgets.filter((name) => name !== "noise_search_panel"), panel.height / app.canvas.ds.scale];
}}"""
FOLDED = ("minutes", "keep", "recipe", "patience", "target", "skip_first", "tile_size")


def opened(page, **values):
    workflow = drop_in(seed=5, pictures=8)
    node = next(one for one in workflow["nodes"] if one["type"] == "NoiseSearch")
    names = [one["name"] for one in node["inputs"] if "widget" in one]
    names.insert(names.index("seed") + 1, "control_after_generate")
    for name, value in values.items():
        node["widgets_values"][names.index(name)] = value
    show(page, workflow)
    page.raw.wait_for_timeout(500)
    return page.raw.evaluate(ROWS)


@BOTH
def test_a_drop_in_has_ten_rows_and_no_gaps_before_its_panel(page):
    rows, _ = opened(page)
    assert len(rows) <= 10 and not set(FOLDED) & set(rows) and {"seed", "steps", "pictures"} <= set(rows)
    if page.vue:
        shown = page.raw.locator(".lg-node", has=page.raw.locator(".ns-panel")).inner_text()
        assert "pictures" in shown and not {name for name in FOLDED if name in shown.split()} - {"recipe"}, "an output"
    else:
        at = "widgets.filter(({ name }) => ['search', 'noise_search_panel'].includes(name)).map(({ y }) => y)"
        last, panel = page.raw.evaluate(f"() => {SEARCH}.{at}")
        assert panel - last < 40, "right below the last row"
    assert complaints(page) == []


@pytest.mark.parametrize("page", ["canvas"], indirect=True)
def test_a_limit_that_came_with_a_workflow_is_seen_and_show_advanced_shows_the_rest(page):
    assert "minutes" in opened(page, minutes=2.5)[0]
    page.raw.evaluate(f"() => {SEARCH}.toggleAdvanced()")
    assert set(FOLDED) <= set(page.raw.evaluate(ROWS)[0])
    assert complaints(page) == []
