"""Makes the pack importable as `noise_search`, the host importable by its own names, and an unnoticed skip impossible
in CI.
"""

import gc
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

PACK = Path(__file__).resolve().parents[1]
CI = os.environ.get("CI", "").lower() == "true"

# The host loads a pack by its path, so no test may depend on what the folder is called.
package = ModuleType("noise_search")
package.__path__ = [str(PACK)]
sys.modules["noise_search"] = package

from noise_search.tests import host as harness  # noqa: E402  (needs the alias above)
from noise_search.tests import pages as borrowed  # noqa: E402
from noise_search.tests.nodes import fixtures  # noqa: E402

_scratch = tempfile.TemporaryDirectory(prefix="noise search ")  # every path of the host has a space in it
if harness.COMFYUI_PATH:
    harness.make_importable(Path(_scratch.name))


def pytest_configure(config: pytest.Config) -> None:
    # Test modules are named by their path from here. From tests/ on, tests/nodes would replace the host's module
    # `nodes`.
    config._rootpath = PACK
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # fixtures end their servers on that as well


def pytest_unconfigure() -> None:
    _scratch.cleanup()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if CI or harness.find_chromium():
        return
    browser = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in browser]
    config.hook.pytest_deselected(items=browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if report.failed:
        item.stash[borrowed.FAILED] = True
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"{item.nodeid} was skipped; nothing may be skipped when CI=true"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    if CI and report.skipped:
        report.outcome, report.longrepr = (
            "failed",
            f"{collector.nodeid} was skipped; nothing may be skipped when CI=true",
        )
    return report


host = harness.host
whole_host = harness.whole_host
server = harness.server
shared = harness.shared
browser = harness.browser
pages = borrowed.pages
page = borrowed.page
bare = borrowed.bare
tiny = harness.tiny
judge = fixtures.judge
folder = fixtures.folder
sampled = fixtures.sampled


@pytest.fixture(autouse=True, scope="module")
def environment_as_before():
    """No file of tests leaves our switches changed: the one server of all tests starts with those that it finds, and
    keeps them.
    """
    before = our_switches()
    yield
    assert our_switches() == before


def our_switches() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("NOISE_SEARCH_")}


_folders: list[Path] = []  # of the tests that ran


@pytest.fixture(autouse=True, scope="module")
def settled_garbage(request: pytest.FixtureRequest):
    """What is there before a file of tests is not looked through at every collection in it: the host collects with each
    model that it loads, and complains, as long as it remembers one whose last copy is gone. All that was set aside is
    looked through once per folder, as that takes seconds."""
    if harness.Host.started:
        import comfy.model_management as memory

        if request.path.parent not in _folders:
            _folders.append(request.path.parent)
            gc.unfreeze()
        gc.collect()
        memory.current_loaded_models[:] = [
            loaded for loaded in memory.current_loaded_models if loaded.model is not None
        ]
        gc.freeze()


@pytest.fixture(autouse=True)
def fresh_store(request, monkeypatch, tmp_path):
    """What searches keep is on, as users have it, and nothing of one test is there in the next."""
    monkeypatch.delenv("NOISE_SEARCH_STORE", raising=False)
    if "host" in request.fixturenames:
        import folder_paths

        monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path / "user"))
    yield
    for name in {"server", "page"} & set(request.fixturenames):
        running = request.getfixturevalue("server" if name == "page" else name)
        borrowed.wait_until_idle(running.client())  # a search that is being cancelled has its store open
        for kept in (running.base / "user" / "noise_search").glob("*.sqlite3*"):
            kept.unlink(missing_ok=True)


@pytest.fixture
def store_off(monkeypatch):
    """For what is measured or counted anew every time: a search that is run again samples again."""
    monkeypatch.setenv("NOISE_SEARCH_STORE", "off")


@pytest.fixture(scope="session")
def open_clip(tmp_path_factory):
    """The library, knowing the tiny architecture as "tiny-noise-search"."""
    import open_clip as library
    from noise_search.tests.verifiers.tiny_clip import TINY

    path = tmp_path_factory.mktemp("configs") / "tiny-noise-search.json"
    path.write_text(json.dumps(TINY))
    library.add_model_config(path)
    return library
