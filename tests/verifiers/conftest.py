import json

import pytest
import torch
from noise_search.tests.verifiers.tiny_clip import TINY, make_clip


@pytest.fixture(scope="session")
def open_clip(tmp_path_factory):
    """The library, knowing the tiny architecture as "tiny-noise-search"."""
    import open_clip as library

    path = tmp_path_factory.mktemp("configs") / "tiny-noise-search.json"
    path.write_text(json.dumps(TINY))
    library.add_model_config(path)
    return library


@pytest.fixture(scope="session")
def reference(open_clip):
    return make_clip(open_clip)


@pytest.fixture(scope="session")
def checkpoint(reference, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save(reference.state_dict(), path)
    return path


@pytest.fixture
def images():
    return torch.rand(5, 3, 40, 56, generator=torch.Generator().manual_seed(1))
