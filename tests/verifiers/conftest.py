import importlib
import os
import pkgutil
from functools import wraps
from pathlib import Path

import pytest
import torch
from noise_search import verifiers
from noise_search.tests.card import CARDS, DEVICE, VARIABLE, Card
from noise_search.tests.verifiers.tiny_clip import make_clip


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "golden(*files): needs these real weights, below the folder that NOISE_SEARCH_WEIGHTS names"
    )


def pytest_collection_modifyitems(config, items):
    """Tests of real weights that are not there are deselected: without `--with-weights` of dev.py all of them."""
    absent = [item for item in items if (needed := item.get_closest_marker("golden")) and not all_there(needed.args)]
    items[:] = [item for item in items if item not in absent]
    if absent:
        config.hook.pytest_deselected(items=absent)


def all_there(files):
    named = os.environ.get("NOISE_SEARCH_WEIGHTS")
    return bool(named) and all((Path(named) / file).exists() for file in files)


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


@pytest.fixture(autouse=True)
def judging_on_the_card(monkeypatch):
    """With `dev.py test --card`: the weights of every judge lie on the stand-in card when it measures."""
    if not (name := os.environ.get(VARIABLE)):
        yield
        return
    for kind in all_judges():
        for measure in {"measure", "measure_clips", "knockout"} & set(vars(kind)):
            monkeypatch.setattr(kind, measure, after_moving(vars(kind)[measure]))
    with Card(CARDS[name]):
        yield


def all_judges():
    """Classes of the library that judge with networks."""
    for module in pkgutil.iter_modules(verifiers.__path__):
        found = vars(importlib.import_module(f"{verifiers.__name__}.{module.name}")).values()
        yield from (one for one in found if isinstance(one, type) and "measure" in vars(one))


def after_moving(measure):
    @wraps(measure)
    def measured(self, *arguments, **named):
        for module in self.modules:
            module.to(DEVICE)
        return measure(self, *arguments, **named)

    return measured
