"""Saved pictures: whatever one prompt made of how many searches, each file carries the recipe of its own picture."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from noise_search.tests.nodes.graphs import MODEL, drop_in
from noise_search.tests.people.test_lists import listed
from PIL import Image

SETTINGS = {"search": "random", "pictures": 3}
MINE = {"workflow": {"id": "people", "nodes": []}}


def saver(*images, prefix="people", kind="SaveImage"):
    return {"class_type": kind, "inputs": {"images": list(images), "filename_prefix": prefix}}


@pytest.fixture
def files(host, monkeypatch, tmp_path):
    """Runs a prompt; its files in the order of their writing, as pairs of pixels and recipes."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path / "output"))

    def run(*parts, **options):
        before = set(Path(tmp_path / "output").glob("*"))
        result = host.run(
            {name: node for part in parts for name, node in part.items()}, workflow=MINE["workflow"], **options
        )
        assert result.ok, result.error
        return [opened(path) for path in sorted(set(Path(tmp_path / "output").glob("*")) - before)]

    return run


def opened(path):
    picture = Image.open(io.BytesIO(path.read_bytes()))
    recipes = json.loads(picture.text["noise_search"])["recipes"]
    assert json.loads(picture.text["workflow"]).get("extra", {}).get("noise_search", {}).get("recipes", {}) == recipes
    return np.asarray(picture).astype(int), recipes


def made_with(files, recipe, **changes):
    """The picture of a recipe, searched for nothing."""
    ((pixels, _),) = files(
        drop_in(**{**SETTINGS, "recipe": recipe, "seed": 77, **changes}), {"1": MODEL, "9": saver("2", 1)}
    )
    return pixels


def test_three_prompts_through_one_search_give_three_files_with_three_recipes(host, files):
    cfgs = [1.5, 3.0, 6.0]
    seeds = [5, 6, 7]
    found = files(
        drop_in(**{**SETTINGS, "cfg": ["x", 1], "seed": ["y", 1]}),
        {"1": MODEL, "9": saver("2", 1)},
        listed(host, "x", *cfgs),
        listed(host, "y", *seeds),
    )
    assert len(found) == len({recipes["2"] for _, recipes in found}) == 3
    for (pixels, recipes), cfg in zip(found, cfgs):
        assert abs(made_with(files, recipes["2"], cfg=cfg) - pixels).max() <= 1


def test_a_list_behind_a_node_that_works_item_by_item_keeps_its_order(host, files):
    between = {
        "8": {
            "class_type": "ImageScaleBy",
            "inputs": {"image": ["2", 1], "upscale_method": "area", "scale_by": ["z", 1]},
        },
        "9": saver("8", 0),
    }
    direct = {"7": saver("2", 1, prefix="direct")}
    found = files(
        drop_in(**{**SETTINGS, "seed": ["y", 1]}),
        {"1": MODEL, **between, **direct},
        listed(host, "y", 5, 6),
        listed(host, "z", 1.0, 1.0, 1.0),
    )
    straight, scaled = found[:2], found[2:]
    assert [recipes["2"] for _, recipes in scaled] == [straight[place][1]["2"] for place in (0, 1, 1)]
    assert [pixels.sum() for pixels, _ in scaled] == [straight[place][0].sum() for place in (0, 1, 1)]


def test_where_a_list_became_one_batch_the_files_carry_all_of_it_for_the_page_to_ask(host, files):
    batched = {
        "8": {"class_type": "RebatchImages", "inputs": {"images": ["2", 1], "batch_size": 4}},
        "9": saver("8", 0),
        "7": saver("2", 1, prefix="direct"),
    }
    found = files(drop_in(**{**SETTINGS, "seed": ["y", 1]}), {"1": MODEL, **batched}, listed(host, "y", 5, 6))
    direct, together = found[:2], found[2:]
    assert [recipes["2"] for _, recipes in together] == [[recipes["2"] for _, recipes in direct]] * 2


def test_a_list_from_the_cache_carries_each_its_own_too(host, files):
    parts = drop_in(**{**SETTINGS, "seed": ["y", 1]}), listed(host, "y", 5, 6, 7)
    first = files(*parts, {"1": MODEL, "9": saver("2", 1)}, keep_cache=True)
    again = files(*parts, {"1": MODEL, "9": saver("2", 1, prefix="again")}, keep_cache=True)
    assert [recipes for _, recipes in first] == [recipes for _, recipes in again]


def test_two_searches_in_one_prompt_each_have_their_own(host, files):
    second = {"3": {**drop_in(**{**SETTINGS, "seed": 6})["2"]}}
    found = files(drop_in(**SETTINGS), second, {"1": MODEL, "8": saver("2", 1), "9": saver("3", 1)})
    assert found[-1][1].keys() == {"2", "3"} and found[-1][1]["2"] != found[-1][1]["3"]


def loop(seeds):
    return {
        "8": {"class_type": "Loop", "inputs": {"image": ["2", 1], "seeds": seeds}},
        "9": saver("8", 0, prefix="z after"),
    }


def test_a_loop_saves_with_each_turn_what_that_turn_found(host, files):
    first, second, after = files(drop_in(**SETTINGS), loop("6 7"))
    assert first[1].keys() == second[1].keys() == {"2"} and first[1]["2"] != second[1]["2"]
    for pixels, recipes in (first, second):
        assert abs(made_with(files, recipes["2"]) - pixels).max() <= 1
    assert after[1] == {"2": [first[1]["2"], second[1]["2"]]}, "which of them the loop handed on cannot be told"


def test_a_loop_of_one_turn_that_came_from_the_cache_carries_it(host, files):
    first = files(drop_in(**SETTINGS), loop("6"), keep_cache=True)
    again = files(drop_in(**SETTINGS), {**loop("6"), "7": saver("8", 0, prefix="again")}, keep_cache=True)
    assert [recipes for _, recipes in again] == [first[-1][1]] and isinstance(first[-1][1]["2"], str)
