from collections.abc import Iterator

import pytest
from noise_search.demo.client import Client
from noise_search.demo.server import Server
from noise_search.tests.host import Page

EMPTY = {"nodes": [], "links": [], "version": 0.4}


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()


@pytest.fixture(scope="package")
def opened(server: Server, browser) -> Iterator[Page]:
    """One page for all the examples: opening one takes longer than all that they do in it."""
    client = server.client()
    client.request(
        "/settings", {"Comfy.TutorialCompleted": True, "Comfy.VueNodes.Enabled": False, "Comfy.Workflow.Persist": False}
    )
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = Page(context.new_page(), client)
    page.open()
    yield page
    context.close()


@pytest.fixture
def page(opened: Page) -> Page:
    opened.load(EMPTY)
    opened.console.clear()
    return opened
