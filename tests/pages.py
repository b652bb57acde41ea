"""Pages that are open already, for tests to borrow: opening one takes seconds of both cores, and most tests need none
that is new, but one that is as if it were.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from noise_search.demo.client import Client
from noise_search.demo.server import Server
from noise_search.tests.host import EMPTY, Page

FAILED = pytest.StashKey[bool]()  # of tests
VIEWPORT = {"width": 1280, "height": 800}
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Minimap.Visible": False,
    "Comfy.Workflow.Persist": False,
    "Comfy.Locale": "en",
    "Comfy.Execution.PreviewMethod": "default",
}
SETTLED = 150  # milliseconds in which a page has done what a test set off
PATIENCE = 3  # seconds in which a page that was put back has to be as new: dialogs and messages fade out

# All by which a page that was used might be told from a new one.
LOOK = """() => {
    const { workflow, setting, sidebarTab, bottomPanel, queueSettings } = app.extensionManager, { canvas } = app;
    const graph = app.rootGraph ?? app.graph, tracker = workflow.activeWorkflow.changeTracker;
    const kept = ([name]) => !/^Comfy.(Workflow.Draft|MenuPosition)/.test(name); // others are written at any time
    const seen = document.querySelectorAll("dialog[open], [role=dialog], [role=menu], .litecontextmenu, .graphdialog,"
        + " .p-dialog, .p-toast-message, .p-contextmenu, .ns-panel, .ns-ask, .np-root, .lg-node");
    return {
        nodes: [graph.nodes, graph.groups].map(({ length }) => length),
        graphs: [graph.links.size, graph.subgraphs?.size, canvas.graph === graph],
        tabs: workflow.openWorkflows.map(({ isModified }) => isModified),
        steps: [tracker.undoQueue.length, tracker.redoQueue.length],
        types: Object.keys(LiteGraph.registered_node_types),
        replaced: [Notification, OscillatorNode, document.hasFocus].map(String),
        globals: Object.keys(window).filter((name) => !/^\\d+$/.test(name)),
        stored: [localStorage, sessionStorage].map((store) => Object.fromEntries(Object.entries(store).filter(kept))),
        view: [canvas.ds.scale, ...canvas.ds.offset, canvas.pause_rendering],
        settings: SETTINGS.map((name) => setting.get(name)),
        errors: [app.extensionManager.lastNodeErrors, app.extensionManager.lastExecutionError],
        outputs: [app.nodeOutputs, app.nodePreviewImages].map((all) => Object.keys(all ?? {}).length),
        panels: [sidebarTab.activeSidebarTabId, bottomPanel?.bottomPanelVisible, queueSettings?.batchCount],
        bodies: [...document.body.children].map(({ tagName, id }) => `${tagName}#${id}`),
        note: document.querySelector(".np-note")?.hidden,
        seen: [...seen].map(({ className }) => className),
        focus: document.activeElement.tagName,
        window: [innerWidth, innerHeight, scrollX, scrollY, document.title.replace(/[^a-z]/gi, "").slice(-7)],
    };
}""".replace("SETTINGS", str([*SETTINGS, "Comfy.VueNodes.Enabled"]).replace("True", "true"))

PUT_BACK = """async ([empty, as]) => {
    const { workflow, sidebarTab, toast, dialog } = app.extensionManager;
    for (const one of document.querySelectorAll("dialog[open]")) one.close();
    LiteGraph.closeAllContextMenus?.();
    dialog?.closeDialog?.();
    toast?.removeAll?.();
    if (sidebarTab.activeSidebarTabId) sidebarTab.toggleSidebarTab(sidebarTab.activeSidebarTabId);
    document.activeElement.blur();
    await app.loadGraphData(empty, true, true);
    for (const one of workflow.openWorkflows.slice(1)) if (!workflow.isActive(one)) await workflow.closeWorkflow(one);
    const types = new Set(as.types), globals = new Set(as.globals);
    for (const name of Object.keys(LiteGraph.registered_node_types)) {
        if (!types.has(name)) LiteGraph.unregisterNodeType(name);
    }
    for (const name of Object.keys(window)) if (!globals.has(name)) delete window[name];
    [localStorage, sessionStorage].forEach((store, place) => {
        for (const name of Object.keys(store)) if (!(name in as.stored[place])) store.removeItem(name);
        for (const [name, value] of Object.entries(as.stored[place])) store.setItem(name, value);
    });
    const [scale, x, y, paused] = as.view;
    Object.assign(app.canvas.ds, { scale, offset: [x, y] });
    app.canvas.pause_rendering = paused;
    app.canvas.setDirty(true, true);
}"""


class Pages:
    """The pages of one server that no test uses at the moment, by renderer."""

    def __init__(self, browser: Any, client: Client):
        self.browser, self.client = browser, client
        self.free: defaultdict[bool, list[Page]] = defaultdict(list)
        self.new: dict[Page, dict] = {}  # what they looked like when they were opened

    def lend(self, vue: bool) -> Page:
        """A page with an empty graph that nobody has seen yet, or that is as if nobody had."""
        self.client.request("/settings", {**SETTINGS, "Comfy.VueNodes.Enabled": vue})
        page = self.free[vue].pop() if self.free[vue] else self._open(vue)
        page.console.clear()
        return page

    def take_back(self, page: Page, failed: bool = False) -> None:
        """Puts a page back for the next test, or closes it where it is no longer as it was, or has complained: of some
        things ComfyUI complains once.

        Raises:
            AssertionError: It complained of what the test did only after the test.
        """
        before = len(page.errors)
        page.raw.wait_for_timeout(SETTLED)
        late = page.errors[before:]
        end_all(self.client)
        if failed or self.put_back(page) or page.errors:
            self._close(page)
        else:
            self.free[page.vue].append(page)
        assert failed or not late, "after the test:\n" + "\n".join(late)

    def keep_one(self) -> None:
        """Closes all but one free page of each renderer: a page that waits draws as well."""
        for free in self.free.values():
            while len(free) > 1:
                self._close(free.pop())

    def close(self) -> None:
        for page in [*self.new]:
            self._close(page)

    def _open(self, vue: bool) -> Page:
        context = self.browser.new_context(viewport=VIEWPORT)
        context.set_default_timeout(120_000)
        page = Page(context.new_page(), self.client, vue)
        page.open()
        self.new[page] = self._look(page)
        return page

    def _close(self, page: Page) -> None:
        del self.new[page]
        page.raw.context.close()

    def _look(self, page: Page) -> dict:
        return {**page.raw.evaluate(LOOK), "kept": self.client.json("/settings")}

    def put_back(self, page: Page) -> str:
        """In what the page still differs from a new one; "" if in nothing."""
        from playwright.sync_api import Error

        new = self.new[page]
        if page.raw.is_closed() or page.raw.url.split("#")[0] != f"{self.client.url}/":
            return f"it is at {page.raw.url}"
        try:
            page.raw.context.clear_permissions()
            page.raw.unroute_all(behavior="ignoreErrors")
            page.raw.set_viewport_size(VIEWPORT)
            page.raw.mouse.move(1270, 500)  # where nothing answers to it
            page.raw.evaluate(PUT_BACK, [EMPTY, new])
            deadline = time.monotonic() + PATIENCE
            while (now := self._look(page)) != new and time.monotonic() < deadline:
                page.raw.wait_for_timeout(50)
        except Error as error:
            return str(error)
        return "; ".join(f"{key}: {new[key]} -> {now[key]}" for key in new if now[key] != new[key])


def end_all(client: Client) -> None:
    """Ends what runs and what waits on a server."""
    if any(client.json("/queue").values()):
        client.request("/queue", {"clear": True})
        client.interrupt()
        wait_until_idle(client)


def wait_until_idle(client: Client, patience: float = 30) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and any(client.json("/queue").values()):
        time.sleep(0.05)


@pytest.fixture(scope="session")
def pages(server: Server, browser) -> Iterator[Pages]:
    """The open pages of the server of all tests."""
    pages = Pages(browser, server.client())
    yield pages
    pages.close()


@pytest.fixture
def page(pages: Pages, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page on the server, as new. `parametrize("page", ["canvas", "vue"], indirect=True)` runs a test in both
    renderers.
    """
    page = pages.lend(getattr(request, "param", "canvas") == "vue")
    yield page
    pages.take_back(page, request.node.stash.get(FAILED, False))


@pytest.fixture
def bare(server: Server, browser) -> Iterator[Page]:
    """A page on a file of the pack, without ComfyUI's own page around it."""
    context = browser.new_context(viewport=VIEWPORT)
    page = Page(context.new_page(), server.client())
    page.raw.goto(f"{server.url}/extensions/noise-search/panel/grid.js")
    yield page
    context.close()
