"""What people do with ComfyUI, with the pack as they have it: what was sampled is kept, in a fresh folder for every
test.
"""

import pytest
from noise_search.tests.people.nodes import NODES


@pytest.fixture(autouse=True)
def other_packs(host, monkeypatch):
    """Nodes of other packs, in the host's registry."""
    import nodes

    for kind in NODES:
        monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, kind.__name__, kind)


@pytest.fixture
def nothing_kept(monkeypatch):
    """Runs something as if the store had never been."""

    def run(action):
        with monkeypatch.context() as patch:
            patch.setenv("NOISE_SEARCH_STORE", "off")
            return action()

    return run
