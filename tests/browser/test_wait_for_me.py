"""wait for me in the real page: the pictures emerge, one is clicked, and what follows runs with it alone."""

import numpy as np
from noise_search.tests.browser.panel import (
    BOTH,
    SEARCH,
    VUE,
    cells,
    complaints,
    drop_in,
    look_down,
    pixels,
    press,
    search_on_server,
    set_widget,
    show,
    status,
)

LISTEN = """() => {
    window.tones = 0;
    window.notices = [];
    const Tone = OscillatorNode;
    window.OscillatorNode = class extends Tone { constructor(...given) { super(...given); window.tones += 1; } };
    window.Notification = class {
        static permission = "granted";
        constructor(title, { body }) { window.notices.push(`${title}: ${body}`); }
        addEventListener() {}
    };
    document.hasFocus = () => false;
}"""
JUDGE = f"(() => {{ const node = {SEARCH}; node.disconnectInput(node.findInputSlot('verifier')); }})()"


def cell(page, number: int):
    return page.raw.locator(f".ns-cell[data-id='{number}']").first


def band(page) -> str:
    return page.raw.locator(".ns-asks").first.inner_text()


@BOTH
def test_without_a_judge_one_click_sends_a_picture_and_nothing_runs_on_before(page):
    show(page, drop_in(seed=710 + page.vue, pictures=4))
    page.raw.evaluate(JUDGE)
    page.raw.evaluate(LISTEN)
    set_widget(page, "NoiseSearch", "wait_for_me", True)
    prompt = page.queue()
    status(page, "Waiting for your pick")
    cells(page, 4)
    look_down(page)
    assert "Pick one: what follows waits." in band(page) and "The run waits." in band(page)
    page.screenshot("/tmp/shots/waiting_plain_%s.png" % ("vue" if page.vue else "canvas"))
    assert search_on_server(page)["asked"]["fallback"] == [0]
    assert page.raw.evaluate("() => [window.tones, window.notices]") == [
        2,
        ["ComfyUI waits for you: A search is over: pick what goes on."],
    ]
    cell(page, 2).hover()
    page.screenshot("/tmp/shots/waiting_hover_%s.png" % ("vue" if page.vue else "canvas"))
    cell(page, 2).click()
    result = page.wait(prompt)
    assert result.ok, result.error
    status(page, "Done")
    found = search_on_server(page)
    assert (found["result"], found["stopped"], found["status"]) == ([2], "choice", "done")
    seed = found["candidates"][2]["seed"]
    page.screenshot("/tmp/shots/waiting_done_%s.png" % ("vue" if page.vue else "canvas"))
    assert not complaints(page)


@VUE
def test_judged(page):
    workflow = drop_in(seed=711, pictures=12)
    show(page, workflow)
    set_widget(page, "NoiseSearch", "wait_for_me", True)
    set_widget(page, "NoiseSearch", "keep", 3)
    set_widget(page, "NoiseSearch", "timeout", 5)
    prompt = page.queue()
    status(page, "Waiting for your pick")
    look_down(page)
    page.screenshot("/tmp/shots/waiting_judged.png")
    ids = page.raw.evaluate(
        "() => [...document.querySelectorAll('.ns-cell')].slice(0, 3).map((one) => +one.dataset.id)"
    )
    cell(page, ids[1]).click()
    cell(page, ids[2]).click()
    cell(page, ids[0]).click()
    cell(page, ids[2]).click()
    page.screenshot("/tmp/shots/waiting_marks.png")
    page.raw.locator(".ns-head button", has_text="⤢").first.click()
    page.raw.wait_for_timeout(700)
    page.screenshot("/tmp/shots/waiting_large.png")
    page.raw.keyboard.press("Escape")
    press(page, f"Use #{ids[1]}, #{ids[0]}")
    result = page.wait(prompt)
    page.screenshot("/tmp/shots/waiting_judged_done.png")
    assert search_on_server(page)["result"] == [ids[1], ids[0]]
