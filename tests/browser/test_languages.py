"""The pack in the language that is set in ComfyUI."""

import pytest
from noise_search.demo.languages import tables
from noise_search.tests.browser.panel import SEARCH, WAIT, complaints, drop_in, show, status

SHOWN = f"""([book, title, pictures]) => {{
    const node = {SEARCH}, widget = node?.widgets.find(({{ name }}) => name === "pictures");
    const button = document.querySelector(".ns-idle button");
    return button?.textContent === book && node.title === title && widget.label === pictures;
}}"""
SAID = """async ([text, translation]) =>
    (await import("/extensions/noise-search/words.js")).say(text) === translation"""
SET = "(language) => app.extensionManager.setting.set('Comfy.Locale', language)"
TAB = "() => app.extensionManager.getSidebarTabs().find(({ id }) => id === 'noise_search').title"
COMMANDS = """() => app.extensionManager.command.commands
    .filter(({ id }) => id.startsWith("noise_search.")).map(({ label }) => label)"""


@pytest.mark.parametrize(("page", "language"), [("canvas", "zh"), ("vue", "ja")], indirect=["page"])
def test_panel_and_nodes_speak_the_language_that_is_set(page, language):
    """What is made from then on when it is set, and all when the page is opened with it."""
    words = tables()[language]
    with page.raw.expect_response(lambda answer: answer.url.endswith("/settings/Comfy.Locale")):
        page.raw.evaluate(SET, language)
    page.raw.wait_for_function(SAID, arg=["Use", words["Use"]], timeout=WAIT)
    page.open()
    show(page, drop_in(seed=700 + page.vue, pictures=2))
    shown = [words[text] for text in ("Seed book…", "Noise Search (KSampler)", "pictures")]
    page.raw.wait_for_function(SHOWN, arg=shown, timeout=WAIT)
    assert page.raw.evaluate(TAB) == words["Searches"]
    assert page.raw.evaluate(COMMANDS) == [words["Search its noise"], words["Search the noise of this workflow"]]
    assert page.wait(page.queue()).ok
    status(page, words["Done: {count} pictures"].replace("{count}", "2"))
    assert page.raw.locator(".ns-panel select").inner_text().split("\n")[0] == words["best first"]
    assert complaints(page) == []
