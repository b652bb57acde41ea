"""Pictures carry their recipe: what stock savers and the pack itself write makes the picture again."""

import copy
import io
import json
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

SOURCES = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
KSAMPLER = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
WIDGETS = [5, "fixed", 2, 3.0, "euler", "simple", 1.0, 4, 0.0, 1, "", "", False, 0, 0.0, False, "auto"]
RECIPE = 11  # place of the recipe among them
SEARCH = {"id": 2, "type": "NoiseSearch", "widgets_values": WIDGETS}


def prompt(prefix="carried", node="2", **inputs):
    budget = {"seed": 5, "pictures": 4, "minutes": 0.0, "keep": 1}
    return {"1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
            node: {"class_type": "NoiseSearch", "inputs": {**SOURCES, **KSAMPLER, **budget, **inputs}},
            "9": {"class_type": "SaveImage", "inputs": {"images": [node, 1], "filename_prefix": prefix}}}  # fmt: skip


def workflow(*nodes, **more):
    return copy.deepcopy({"id": "carrying", "nodes": list(nodes or [SEARCH]), **more})


def in_subgraph(*holders):
    """The search in a subgraph that these nodes hold."""
    return workflow(
        *({"id": holder, "type": "deep"} for holder in holders),
        definitions={"subgraphs": [{"id": "deep", "nodes": [SEARCH]}]},
    )


@pytest.fixture
def client(server):
    client = server.client()
    yield client
    client.close()


def saved(client, result, node="9"):
    """Each saved picture as `.pixels`, with what its file carries as `.workflow` and `.recipes`."""
    assert result.ok, result.error
    pictures = [Image.open(io.BytesIO(client.image(entry))) for entry in result.outputs[node]["images"]]
    texts = [{name: json.loads(text) for name, text in picture.text.items()} for picture in pictures]
    return [SimpleNamespace(pixels=np.asarray(picture).astype(int), workflow=text.get("workflow"), recipes=text.get("noise_search"))
            for picture, text in zip(pictures, texts)]  # fmt: skip


def found(result, node="2"):
    return result.outputs[node]["noise_search"][0]["recipe"]


def same(one, other):
    """Equal but for what another batch size does to floating-point numbers."""
    return abs(one.pixels - other.pixels).max() <= 1


def test_the_file_of_a_stock_saver_makes_its_picture_again(client):
    first = client.run(prompt(seed=31), workflow())
    (picture,) = saved(client, first)
    recipe = picture.workflow["nodes"][0]["widgets_values"][RECIPE]
    assert recipe == found(first)
    values = picture.workflow["nodes"][0]["widgets_values"]
    assert values[:RECIPE] + values[RECIPE + 1 :] == WIDGETS[:RECIPE] + WIDGETS[RECIPE + 1 :], "nothing else is touched"
    again = client.run(prompt(seed=99, recipe=recipe), workflow())
    assert again.outputs["2"]["noise_search"][0]["pictures"] == 1, "nothing is searched"
    assert same(saved(client, again)[0], picture)


def test_the_file_carries_it_too_when_the_search_came_from_the_cache(client):
    first = client.run(prompt(seed=32), workflow())
    second = client.run(prompt("elsewhere", seed=32), workflow())
    assert "2" in second.named("execution_cached")[0]["nodes"]
    (picture,) = saved(client, second)
    assert picture.workflow["nodes"][0]["widgets_values"][RECIPE] == found(first)
    assert picture.recipes == {"2": found(first)}


def test_a_search_with_other_inputs_does_not_carry_the_last_ones_recipe(client):
    first = client.run(prompt(seed=33), workflow())
    second = client.run(prompt(seed=34), workflow())
    assert saved(client, second)[0].recipes == {"2": found(second)} != {"2": found(first)}


@pytest.mark.parametrize("cached", [False, True])
def test_a_search_inside_a_subgraph_gets_its_recipe_there(client, cached):
    first = result = client.run(prompt("in a subgraph", "10:2", seed=35 + cached), in_subgraph(10))
    if cached:
        result = client.run(prompt("once more", "10:2", seed=35 + cached), in_subgraph(10))
    (picture,) = saved(client, result)
    assert picture.workflow["definitions"]["subgraphs"][0]["nodes"][0]["widgets_values"][RECIPE] == found(first, "10:2")


def test_copies_of_a_subgraph_that_found_different_pictures_search_again(client):
    both = prompt("both", "10:2", seed=37)
    other = prompt("both", "11:2", seed=38)
    both["11:2"] = other["11:2"]
    both["9"]["inputs"]["images"] = ["10:2", 1]
    both["8"] = {
        "class_type": "SaveImage",
        "inputs": {"images": ["11:2", 1], "filename_prefix": "both"},
    }
    result = client.run(both, in_subgraph(10, 11))
    last = max(
        (saved(client, result, node)[0] for node in ("8", "9")),
        key=lambda picture: len(picture.recipes),
    )
    assert last.recipes == {
        "10:2": found(result, "10:2"),
        "11:2": found(result, "11:2"),
    }
    assert last.workflow["definitions"]["subgraphs"][0]["nodes"][0]["widgets_values"][RECIPE] == ""


def test_a_recipe_that_the_subgraph_shows_as_its_own_is_filled_in_there(client):
    linked = [
        {"name": "model", "link": 4},
        *({"name": name, "widget": {"name": name}, "link": link} for name, link in (("seed", 5), ("recipe", 6))),
    ]
    inside = {"id": "deep", "nodes": [{**SEARCH, "inputs": linked}],
              "inputs": [{"name": name, "linkIds": [link]} for name, link in (("model", 4), ("seed", 5), ("its recipe", 6))]}  # fmt: skip
    holders = [{"id": number, "type": "deep", "inputs": [{"name": "model", "link": 3}], "widgets_values": [7, ""]} for number in (10, 11)]
    both = prompt("shown", "10:2", seed=45)
    both["11:2"] = prompt("shown", "11:2", seed=46)["11:2"]
    both["8"] = {"class_type": "SaveImage", "inputs": {"images": ["11:2", 1], "filename_prefix": "shown"}}
    result = client.run(both, workflow(*holders, definitions={"subgraphs": [inside]}))
    last = max((saved(client, result, node)[0] for node in ("8", "9")), key=lambda picture: len(picture.recipes))
    assert [holder["widgets_values"] for holder in last.workflow["nodes"]] == [[7, found(result, "10:2")], [7, found(result, "11:2")]]
    assert last.workflow["definitions"]["subgraphs"][0]["nodes"][0]["widgets_values"] == WIDGETS


def test_several_winners_are_made_again_together_and_in_their_order(client):
    pictures = saved(client, client.run(prompt(seed=39, keep=3), workflow()))
    recipe = pictures[0].workflow["nodes"][0]["widgets_values"][RECIPE]
    again = saved(client, client.run(prompt(seed=39, keep=3, recipe=recipe), workflow()))
    assert len(again) == len(pictures) == 3
    assert all(map(same, again, pictures))
    assert same(
        saved(client, client.run(prompt(seed=39, keep=1, recipe=recipe), workflow()))[0],
        pictures[0],
    )


def test_each_picture_that_the_node_saves_itself_carries_its_own_recipe(client):
    result = client.run(prompt(seed=40), workflow())
    carried = [picture.workflow["nodes"][0]["widgets_values"][RECIPE] for picture in saved(client, result, "2")]
    assert len(set(carried)) == 4, "one of each candidate"
    assert carried[0] == found(result)


def test_a_picture_of_a_bare_api_job_is_saved_as_ever(client):
    (picture,) = saved(client, client.run(prompt(seed=41)))
    assert (picture.workflow, picture.recipes) == (None, None)


@pytest.fixture
def carrying(host, monkeypatch):
    """Nothing is remembered yet, and not more than 100 characters will be."""
    carrying = host.part("nodes.host.carrying")
    monkeypatch.setattr(carrying, "_made", OrderedDict())
    monkeypatch.setattr(carrying, "CHARACTERS", 100)
    return carrying


def found_before(carrying, node, recipe):
    graph = {node: {"class_type": "NoiseSearch", "inputs": {"seed": 5}}}
    carrying.carry(SimpleNamespace(unique_id=node, prompt=graph, extra_pnginfo=None), [recipe])


def carried_by(carrying, *nodes):
    data = {
        "prompt": {node: {"class_type": "NoiseSearch", "inputs": {"seed": 5}} for node in nodes},
        "extra_data": {"extra_pnginfo": {"workflow": {}}},
    }
    return carrying.before_prompt(data)["extra_data"]["extra_pnginfo"].get("noise_search", {})


def test_the_oldest_results_are_forgotten_before_their_recipes_fill_the_memory(carrying):
    for node in ("1", "2", "3"):
        found_before(carrying, node, node * 40)
    assert carried_by(carrying, "1", "2", "3") == {"2": "2" * 40, "3": "3" * 40}
    found_before(carrying, "2", "2" * 40)
    found_before(carrying, "4", "4" * 40)
    assert carried_by(carrying, "2", "3", "4") == {"2": "2" * 40, "4": "4" * 40}, "what was found again is the newest"
    found_before(carrying, "5", "5" * 101)
    assert carried_by(carrying, "2", "4", "5") == {}, "too long to be remembered at all"


def test_a_queued_prompt_is_looked_at_only_where_something_was_found(carrying, monkeypatch):
    found_before(carrying, "7", "recipe")
    looked, signature = [], carrying.signature
    monkeypatch.setattr(carrying, "signature", lambda prompt, node: looked.append(node) or signature(prompt, node))
    assert carried_by(carrying, *map(str, range(500))) == {"7": "recipe"}
    assert looked == ["7"]


STRANGE = [None, [], {}, {"prompt": 5}, {"prompt": {"2": 5}, "extra_data": 5}, {"prompt": {"2": {"inputs": 5}}, "extra_data": {"extra_pnginfo": 5}},
           {"prompt": {"2": {"inputs": {"a": [5, 0], "b": ["2", 0]}}}, "extra_data": {"extra_pnginfo": {"workflow": 5}}}]  # fmt: skip
WORKFLOWS = [5, [], {}, {"nodes": 5}, {"nodes": [5, {"id": 2}]}, {"nodes": [{"id": 2, "type": "NoiseSearch"}]},
             {"nodes": [{"id": 2, "type": ["x"], "widgets_values": [1]}]}, {"nodes": [{"id": 2, "type": "NoiseSearch", "widgets_values": [1, 2]}]},
             {"nodes": [{"id": 2, "type": "NoiseSearch", "widgets_values": WIDGETS, "inputs": [{"name": "recipe", "link": 3}]}]},
             {"nodes": [{"id": 2, "type": "Gone", "widgets_values": WIDGETS}]}, {"definitions": {"subgraphs": [{"id": [5]}, 5]}}]  # fmt: skip


@pytest.mark.parametrize("data", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_prompt_is_left_to_the_host(host, data):
    carrying = host.part("nodes.host.carrying")
    carrying.carry(SimpleNamespace(unique_id="2", prompt=data, extra_pnginfo=None), ["recipe"])
    assert carrying.before_prompt(data) is data


@pytest.mark.parametrize("given", WORKFLOWS, ids=range(len(WORKFLOWS)))
def test_a_workflow_without_a_place_for_the_recipe_stays_as_it_is(host, given):
    info = {"workflow": copy.deepcopy(given)}
    host.part("nodes.host.carrying").write(info, "2", "recipe")
    assert info == {"workflow": given, "noise_search": {"2": "recipe"}}
