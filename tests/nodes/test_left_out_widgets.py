"""A script's prompt that leaves out optional or advanced widgets runs with the defaults that the node shows."""

import inspect

import pytest
import torch
from comfy_api.latest import io
from noise_search.tests.nodes.graphs import BUDGET, KSAMPLER, MODEL, SOURCES, Brightness, kept, run

SEARCHES = {
    "NoiseSearch": {"verifier": ["v", 0], "pictures": 8},
    "AutoSearch": {"verifier": ["v", 0], "pictures": 8},
    "RandomSearch": {},
    "ZeroOrderSearch": {"preset": "adaptive", "neighbors": 4},
    "LocalSearch": {"preset": "local", "neighbors": 4},
    "DraftSearch": {"verifier": ["v", 0], "draft_steps": 0},
    "PathSearch": {"verifier": ["v", 0], "paths": 1},
    "SteeredSearch": {"verifier": ["v", 0], "preset": "best known"},
    "RefineSearch": {"verifier": ["v", 0], "children": 2, "depth": 0.5},
}


def widgets(node):
    return [entry for entry in node.GET_SCHEMA().inputs if isinstance(entry, io.WidgetInput)]


@pytest.fixture(scope="module")
def ours(host):
    import nodes

    package = f"{host.pack.__name__}."
    return {name: node for name, node in nodes.NODE_CLASS_MAPPINGS.items() if node.__module__.startswith(package)}


def test_every_advanced_widget_may_be_left_out(ours):
    required = [
        f"{name}.{entry.id}"
        for name, node in ours.items()
        for entry in widgets(node)
        if entry.advanced and not entry.optional
    ]
    assert not required


def test_a_widget_that_is_left_out_has_the_default_that_the_node_shows(host, ours):
    """The host fills in nothing: the node's own code has to."""
    shared = inspect.signature(host.part("nodes.runner").run_search).parameters
    request = inspect.signature(host.part("nodes.host.engine.request").Request).parameters
    wrong = []
    for name, node in ours.items():
        taken = inspect.signature(node.execute).parameters
        for entry in widgets(node):
            place = taken.get(entry.id) or shared.get(entry.id) or request.get(entry.id)
            default = place.default if place is not None else inspect.Parameter.empty
            if entry.optional and entry.default is not None and (default or "") != (entry.default or ""):
                wrong.append(f"{name}.{entry.id} shows {entry.default!r} and runs with {default!r}")
    assert not wrong


def prompt(kind, whole):
    """A search of that kind, with all of its widgets or only those that it needs."""
    import nodes

    def filled(name, given):
        left_out = [entry for entry in widgets(nodes.NODE_CLASS_MAPPINGS[name]) if entry.optional]
        defaults = {entry.id: entry.default for entry in left_out if entry.default is not None}
        return {"class_type": name, "inputs": {**(defaults if whole else {}), **given}}

    if kind == "NoiseSearch":
        return {"1": MODEL, "2": filled(kind, {**SOURCES, **KSAMPLER, **BUDGET, **SEARCHES[kind]})}
    setup = filled("SamplingSetup", {**SOURCES, **KSAMPLER})
    return {"1": MODEL, "s": setup, "2": filled(kind, {"sampling": ["s", 0], **BUDGET, **SEARCHES[kind]})}


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_script_that_leaves_out_what_is_optional_finds_the_same(host, judge, store_off, kind):
    verifier = judge(Brightness())
    short, whole = (run(host, verifier, prompt(kind, whole), kept("2", "latent", "recipe")) for whole in (False, True))
    assert torch.equal(short.latent["samples"], whole.latent["samples"]) and short.recipe == whole.recipe


def test_a_seed_that_an_artist_types_is_never_changed_by_the_page_unasked(ours):
    """The page puts "control after generate: randomize" behind widgets of these names that do not say otherwise."""
    loose = [
        f"{name}.{entry.id}"
        for name, node in ours.items()
        for entry in widgets(node)
        if entry.id in ("seed", "noise_seed") and entry.control_after_generate != io.ControlAfterGenerate.fixed
    ]
    assert not loose
