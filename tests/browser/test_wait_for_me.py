"""wait for me in the real page: the pictures emerge, one is clicked, and what follows runs with it alone."""

from noise_search.tests.browser.panel import (
    BOTH,
    SEARCH,
    VUE,
    cells,
    complaints,
    drop_in,
    look_down,
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
    assert search_on_server(page)["asked"]["fallback"] == [0]
    assert page.raw.evaluate("() => [window.tones, window.notices]") == [
        2,
        ["ComfyUI waits for you: A search is over: pick what goes on."],
    ]
    cell(page, 2).hover()
    page.raw.wait_for_function("() => document.querySelector('.ns-right-name').textContent === 'selected #3'")
    cell(page, 2).click()
    result = page.wait(prompt)
    assert result.ok, result.error
    status(page, "Done")
    assert page.raw.locator(".ns-large").first.inner_text() == "You picked #3"
    found = search_on_server(page)
    assert (found["result"], found["stopped"], found["status"]) == ([2], "choice", "done")
    assert not complaints(page)


@VUE
def test_with_a_judge_several_are_marked_and_sent_and_the_best_is_one_click_away(page):
    show(page, drop_in(seed=715, pictures=8))
    for name, value in (("wait_for_me", True), ("keep", 2), ("timeout", 5)):
        set_widget(page, "NoiseSearch", name, value)
    prompt = page.queue()
    status(page, "Waiting for your pick")
    look_down(page)
    assert "Pick up to 2: what follows waits." in band(page) and "the best 2 go on." in band(page)
    first, second, third = page.raw.evaluate(
        "() => [...document.querySelectorAll('.ns-cell:not(.ns-draft)')].slice(0, 3).map((one) => +one.dataset.id)"
    )
    for number in (second, first, second, third):
        cell(page, number).click()
    press(page, f"Use #{first + 1}, #{third + 1}")
    assert page.wait(prompt).ok
    found = search_on_server(page)
    assert (found["result"], found["stopped"]) == ([first, third], "choice")

    set_widget(page, "NoiseSearch", "keep", 1)
    prompt = page.queue()
    status(page, "Waiting for your pick")
    press(page, "Use the best")
    assert page.wait(prompt).ok
    found = search_on_server(page)
    best = max((one for one in found["candidates"] if one["finished"]), key=lambda one: one["score"])
    assert found["result"] == [best["id"]] and found["stopped"] != "choice"
    assert not complaints(page)
