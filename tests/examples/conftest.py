from collections.abc import Iterator

import pytest
from noise_search.demo.client import Client
from noise_search.demo.server import Server
from noise_search.tests.host import EMPTY, Page
from noise_search.tests.pages import Pages


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()


@pytest.fixture(scope="package")
def opened(pages: Pages) -> Iterator[Page]:
    """One page for all the examples."""
    page = pages.lend(vue=False)
    yield page
    pages.take_back(page)


@pytest.fixture
def page(opened: Page) -> Page:
    opened.load(EMPTY)
    opened.console.clear()
    return opened
