"""A second judge in the real page: connected, asked, and said in the panel."""

from noise_search.tests.browser.panel import SEARCH, VUE, complaints, drop_in, search_on_server, show, status

CONNECT = f"""() => {{
    const search = {SEARCH}, judge = LiteGraph.createNode("LoadVerifier");
    app.graph.add(judge);
    judge.pos = [search.pos[0] - 400, search.pos[1] + 400];
    judge.widgets.find(({{ name }}) => name === "verifier").value = "sharpness";
    judge.connect(0, search, search.findInputSlot("accept"));
}}"""


@VUE
def test_the_panel_says_which_judge_took_the_picture_and_what_it_thought_of_the_others(page):
    workflow = drop_in(seed=640, pictures=6)
    values = next(node for node in workflow["nodes"] if node["type"] == "NoiseSearch")["widgets_values"]
    values[values.index("auto")] = "random"
    show(page, workflow)
    page.raw.evaluate(CONNECT)
    result = page.wait(page.queue())
    assert result.ok, result.error
    status(page, "Done")
    found = search_on_server(page)
    accepted = found["accepted"]
    assert accepted["judge"] == "sharpness" and len(accepted["ids"]) == 6
    taken = accepted["ids"][accepted["scores"].index(max(accepted["scores"]))]
    assert found["result"] == [taken]
    shown = page.raw.locator(".ns-panel").first.inner_text()
    assert "accepted by sharpness" in shown
    assert not complaints(page)
