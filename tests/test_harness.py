"""The three forms of the host that the other tests stand on."""

import pytest

PROMPT = {
    "1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 2}},
    "2": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "positive": ["1", 1],
            "negative": ["1", 2],
            "latent_image": ["1", 3],
            "seed": 7,
            "steps": 2,
            "cfg": 3.0,
            "sampler_name": "euler",
            "scheduler": "simple",
            "denoise": 1.0,
        },
    },
    "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 4]}},
    "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    "5": {"class_type": "ToyKeep", "inputs": {"value": ["2", 0], "name": "latent"}},
}


@pytest.mark.parametrize("family", ["sd3", "flux", "sd15", "wan"])
def test_every_tiny_family_samples_in_the_host(host, tiny, family):
    prompt = {**PROMPT, "1": {"class_type": "ToyModel", "inputs": {"family": family, "batch": 1}}}
    prompt = {key: prompt[key] for key in "125"}
    result = host.run(prompt)
    assert result.ok, result.error
    (latent,) = result.kept["latent"]
    assert latent["samples"].shape == (1, *tiny(family).shape)
    assert latent["samples"].isfinite().all()


def test_the_host_in_this_process_shows_outputs_and_events(host):
    result = host.run(PROMPT)
    assert result.ok, result.error
    assert len(result.outputs["4"]["images"]) == 2
    assert result.named("progress_state") and result.named("execution_success")


def test_a_refused_prompt_says_which_node_and_why(host):
    prompt = {**PROMPT, "2": {**PROMPT["2"], "inputs": {**PROMPT["2"]["inputs"], "steps": 0}}}
    result = host.run(prompt)
    assert "KSampler" in result.error and "steps" in result.error


def test_the_server_runs_the_same_prompt(server):
    result = server.client().run({key: PROMPT[key] for key in "1234"})
    assert result.ok, result.error
    assert server.client().image(result.outputs["4"]["images"][0]).startswith(b"\x89PNG")


def test_the_page_turns_a_workflow_into_a_prompt_and_runs_it(page):
    workflow = {
        "nodes": [
            {
                "id": 1,
                "type": "EmptyImage",
                "pos": [40, 80],
                "widgets_values": [64, 64, 1, 0],
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
            },
            {
                "id": 2,
                "type": "PreviewImage",
                "pos": [360, 80],
                "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
            },
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
        "version": 0.4,
    }
    result = page.run(workflow)
    assert result.ok, result.error
    assert page.prompt()["1"]["inputs"] == {"width": 64, "height": 64, "batch_size": 1, "color": 0}
    assert len(result.outputs["2"]["images"]) == 1
    assert not page.errors, "\n".join(page.errors)


MESS = """async () => {
    const { sidebarTab, toast, workflow } = app.extensionManager, { changeTracker } = workflow.activeWorkflow;
    app.graph.convertToSubgraph(new Set([app.graph.nodes[0]]));
    changeTracker.captureCanvasState();
    sidebarTab.toggleSidebarTab("noise_search");
    toast.add({ severity: "warn", summary: "a toast" });
    document.body.append(Object.assign(document.createElement("dialog"), { id: "mess" }));
    document.querySelector("#mess").showModal();
    document.querySelector("#mess").addEventListener("close", ({ target }) => target.remove());
    Object.assign(localStorage, { mess: "1" });
    Object.assign(sessionStorage, { mess: "1" });
    Object.assign(window, { mess: 1 });
    app.canvas.ds.scale = 3;
    console.info("of this test");
}"""
LEFT = """() => {
    const { sidebarTab, workflow } = app.extensionManager, { changeTracker } = workflow.activeWorkflow;
    return [app.graph.nodes.length, app.rootGraph.subgraphs.size, localStorage.mess, sessionStorage.mess, window.mess,
        document.querySelectorAll("dialog, .p-toast-message").length, sidebarTab.activeSidebarTabId,
        changeTracker.undoQueue.length];
}"""
NODES = {"nodes": [{"id": 1, "type": "EmptyImage", "pos": [40, 80]}], "links": [], "version": 0.4}


def test_a_page_that_a_test_left_in_a_mess_is_as_new_for_the_next_one(pages):
    lent = []
    for _ in range(4):
        page = pages.lend(vue=False)
        assert not page.console and page.raw.evaluate(LEFT) == [0, 0, None, None, None, 0, None, 0]
        assert page.raw.evaluate("() => [innerWidth, app.canvas.ds.scale]") == [1280, pages.new[page]["view"][0]]
        if page in lent:
            break
        lent.append(page)
        page.load(NODES)
        page.raw.evaluate(MESS)
        page.raw.set_viewport_size({"width": 800, "height": 600})
        assert page.raw.evaluate(LEFT)[:5] == [1, 1, "1", "1", 1] and page.console
        pages.take_back(page)
    else:
        pytest.fail("on a busy machine a page may take too long to be as new, but not time after time")
    pages.take_back(page)


def test_a_page_that_differs_from_a_new_one_is_found_and_that_of_a_failed_test_is_closed(pages):
    page = pages.lend(vue=False)
    page.raw.evaluate("() => document.body.append(Object.assign(document.createElement('p'), { id: 'stays' }))")
    assert "P#stays" in pages.put_back(page)
    page.raw.evaluate("() => document.querySelector('#stays').remove()")
    assert pages.put_back(page) == ""
    pages.take_back(page, failed=True)
    assert page not in pages.new and page.raw.is_closed()


def test_an_error_that_comes_only_after_a_test_is_one_of_that_test(pages):
    page = pages.lend(vue=False)
    page.raw.evaluate("() => { setTimeout(() => console.error('late'), 50); }")
    with pytest.raises(AssertionError, match="after the test:\nlate"):
        pages.take_back(page)
    assert page not in pages.new
