"""Whole searches as users wire them, with what came of each. `test_no_doubles.py` runs this file in a process of its
own on a stand-in card, as a card can be put in only before the host loads, and compares with the CPU.
"""

import json

import torch
from noise_search.tests.nodes.graphs import Brightness, kept, run, searched
from noise_search.tests.nodes.test_path_nodes import KNOBS, Redness, picture, spot
from noise_search.tests.verifiers.tiny_clip import make_clip, write_folder

FOUND = "found.json"  # below pytest's base folder
ROOM = {"pictures": 6, "keep": 2}


def random_search(host, judge, folder):
    return {**judge(Brightness()), **searched("RandomSearch", keep_different=True, **ROOM)}


def refine_search_under_a_mask(host, judge, folder):
    host.toys.VALUES.update(image=picture(), mask=spot())
    begin = {name: {"class_type": "ToyValue", "inputs": {"name": name}} for name in ("image", "mask")}
    sockets = {name: [name, 0] for name in begin}
    return {**judge(Redness()), **begin, **searched("RefineSearch", **KNOBS["RefineSearch"], **sockets, **ROOM)}


def zero_order_search_with_two_judges(host, judge, folder):
    judges = {
        name: {"class_type": "LoadVerifier", "inputs": {"verifier": name, "device": "auto"}}
        for name in ("technical quality", "tiny")
    }
    links = {f"verifiers.verifier{number}": [name, 0] for number, name in enumerate(judges)}
    both = {"class_type": "EnsembleVerifier", "inputs": {**links, "combination": "mean rank", "weights": ""}}
    return {**judges, "v": both, **searched("ZeroOrderSearch", prompt="a red cube", **ROOM)}


SEARCHES = (random_search, refine_search_under_a_mask, zero_order_search_with_two_judges)


def results(host, judge, folder, open_clip):
    """Of each search, by its name: the winner's recipe, all raw values, and the mean of the winning pictures."""
    write_folder(folder / "tiny", make_clip(open_clip).state_dict())
    found = {wired.__name__: run(host, wired(host, judge, folder), kept("2")) for wired in SEARCHES}
    return {name: summary(one) for name, one in found.items()}


def summary(found):
    images = torch.as_tensor(found.image)
    assert images.isfinite().all()
    return {
        "recipe": json.loads(found.recipe),
        "values": [list(trial.values) for trial in found.trace.trials],
        "pictures": images.flatten(1).mean(1).tolist(),
    }


def test_whole_searches_on_the_card(host, judge, folder, open_clip, tmp_path_factory):
    found = results(host, judge, folder, open_clip)
    (tmp_path_factory.getbasetemp() / FOUND).write_text(json.dumps(found))
