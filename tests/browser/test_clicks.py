"""How many clicks the commonest jobs take, by the table on the help page of Noise Search."""

import re

import pytest
from noise_search.demo.server import PACK
from noise_search.tests.browser.panel import BOTH, WAIT, complaints, drop_in, look_down, search_on_server, show
from noise_search.tests.browser.test_search_its_noise import ITEM, load, plain, right_click, types
from noise_search.tests.browser.test_tiles import says


def table() -> dict[str, int]:
    text = (PACK / "js" / "docs" / "NoiseSearch.md").read_text("utf-8")
    rows = text[text.index("| job | clicks |") :].split("\n\n")[0]
    return {job: int(count) for job, count in re.findall(r"^\| (.+?) \| (\d+) \|$", rows, re.MULTILINE)}


class Hands:
    """Counts what somebody does with the mouse; pointing is free."""

    def __init__(self, page):
        self.page, self.count = page, 0

    def click(self, what) -> None:
        what.click(timeout=WAIT / 4)
        self.count += 1

    def on(self, candidate: int, label: str) -> None:
        """A button over a picture."""
        self.page.raw.locator(f".ns-cell[data-id='{candidate}']").hover(timeout=WAIT / 4)
        self.click(self.page.raw.locator(".ns-quick button").get_by_text(label, exact=True))

    def queues(self, act) -> None:
        result = self.page.wait(self.page.queue(act))
        assert result.ok, result.error


@pytest.fixture
def hands(page):
    return Hands(page)


@BOTH
def test_a_search_is_in_a_samplers_place_and_runs_in_three_clicks(page, hands):
    load(page, plain(860 + page.vue))
    right_click(page, "KSampler")
    hands.count += 1
    hands.click(page.raw.get_by_text(ITEM, exact=True).last)
    hands.queues(lambda: hands.click(page.raw.get_by_test_id("queue-button")))
    assert "NoiseSearch" in types(page)
    assert hands.count == table()["put a search in a sampler's place, and run it"]


@BOTH
def test_found_pictures_are_taken_varied_saved_and_kept_in_so_many_clicks(page, hands):
    show(page, drop_in(seed=870 + page.vue, pictures=6))
    assert page.wait(page.queue()).ok
    look_down(page)
    search = search_on_server(page)
    other = next(one["id"] for one in search["candidates"] if one["finished"] and one["id"] not in search["result"])
    hands.queues(lambda: hands.on(other, "Use"))
    assert search_on_server(page)["result"] == [other]
    assert hands.count == table()["take another picture, and run the rest of the workflow with it"]

    hands.count = 0
    hands.click(page.raw.get_by_role("button", name="Save ▾", exact=True))
    item = page.raw.get_by_role("menuitem", name="Save as PNG", exact=True)
    hands.queues(lambda: hands.click(item))
    assert hands.count == table()["save one in full with its workflow"]
    hands.count = 0
    hands.on(other, "♡")
    page.raw.wait_for_selector(".p-toast-message:has-text('seed book')", timeout=WAIT / 4)
    assert hands.count == table()["keep one in the seed book"]

    hands.count = 0
    hands.queues(lambda: hands.on(other, "≈"))
    assert search_on_server(page)["search"] != search["search"]
    assert hands.count == table()["more pictures like one"]

    page.open()  # the next day
    workflow = drop_in(seed=880 + page.vue, pictures=6)
    (node,) = (node for node in workflow["nodes"] if node["type"] == "NoiseSearch")
    node["widgets_values"][3] = 5.5  # cfg: another workflow
    show(page, workflow)
    says(page, ".ns-idle", "Queue to search.")
    look_down(page)
    hands.count = 0
    hands.click(page.raw.get_by_role("button", name="Seed book…", exact=True))
    hands.click(page.raw.locator(".ns-book-card").first.get_by_role("button", name="Use", exact=True))
    says(page, ".ns-held", "Holding a found noise")
    assert hands.count == table()["use it in another workflow, another day"]
    assert complaints(page) == []
