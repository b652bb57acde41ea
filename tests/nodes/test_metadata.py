"""Pictures carry their recipe: what stock savers and the pack itself write makes the picture again."""

import copy
import io
import json
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from noise_search.demo.examples import PACK
from PIL import Image

SOURCES = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
KSAMPLER = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
SEARCH = {"id": 2, "type": "NoiseSearch", "widgets_values": [5, "fixed"]}


def prompt(prefix="carried", node="2", **inputs):
    budget = {"seed": 5, "pictures": 4, "minutes": 0.0, "keep": 1}
    return {"1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
            node: {"class_type": "NoiseSearch", "inputs": {**SOURCES, **KSAMPLER, **budget, **inputs}},
            "9": {"class_type": "SaveImage", "inputs": {"images": [node, 1], "filename_prefix": prefix}}}  # fmt: skip


def workflow(*nodes, **more):
    return copy.deepcopy({"id": "carrying", "nodes": list(nodes or [SEARCH]), **more})


@pytest.fixture
def client(server):
    client = server.client()
    yield client
    client.close()


def saved(client, result, node="9"):
    """Each saved picture as `.pixels`, with what its file carries as `.workflow`, `.prompt` and `.recipes`, which a
    workflow carries too.
    """
    assert result.ok, result.error
    return [opened(client.image(entry)) for entry in result.outputs[node]["images"]]


def opened(content):
    picture = Image.open(io.BytesIO(content))
    text = {name: json.loads(text) for name, text in picture.text.items()}
    recipes = text.get("noise_search", {}).get("recipes")
    if recipes is not None and "workflow" in text:
        assert text["workflow"].get("extra", {}).get("noise_search", {}).get("recipes", {}) == recipes
    return SimpleNamespace(
        pixels=np.asarray(picture).astype(int), workflow=text.get("workflow"), prompt=text["prompt"], recipes=recipes
    )


def found(result, node="2"):
    return result.outputs[node]["noise_search"][0]["recipe"]


def same(one, other):
    """Equal but for what another batch size does to floating-point numbers."""
    return abs(one.pixels - other.pixels).max() <= 1


def made_again(client, picture):
    """The picture of the prompt in its file, with the recipes in its file filled in, queued under another seed."""
    graph = copy.deepcopy(picture.prompt)
    for node, recipe in picture.recipes.items():
        graph[node]["inputs"] |= {"recipe": recipe, "seed": 99}
    result = client.run(graph, workflow())
    assert all(result.outputs[node]["noise_search"][0]["pictures"] == 1 for node in picture.recipes), (
        "nothing is searched"
    )
    return saved(client, result)


def test_the_file_of_a_stock_saver_makes_its_picture_again(client):
    first = client.run(prompt(seed=31), workflow())
    (picture,) = saved(client, first)
    assert picture.recipes == {"2": found(first)}
    assert picture.workflow["nodes"] == workflow()["nodes"], "nothing else is touched"
    (again,) = made_again(client, picture)
    assert same(again, picture)


def test_the_file_of_a_script_job_makes_its_picture_again(client):
    first = client.run(prompt(seed=41))
    (picture,) = saved(client, first)
    assert picture.workflow is None and picture.recipes == {"2": found(first)}
    assert same(made_again(client, picture)[0], picture)


def test_the_file_carries_it_too_when_the_search_came_from_the_cache(client):
    first = client.run(prompt(seed=32), workflow())
    second = client.run(prompt("elsewhere", seed=32), workflow())
    assert "2" in second.named("execution_cached")[0]["nodes"]
    assert saved(client, second)[0].recipes == {"2": found(first)}


def test_of_two_prompts_queued_at_once_both_files_carry_it(client):
    waiting = [client.queue(prompt(prefix, seed=36), workflow())[0] for prefix in ("first", "second")]
    first, second = map(client.wait, waiting)
    assert "2" in second.named("execution_cached")[0]["nodes"], "the second one came from the cache"
    assert saved(client, first)[0].recipes == saved(client, second)[0].recipes == {"2": found(first)}


def test_a_search_with_other_inputs_does_not_carry_the_last_ones_recipe(client):
    first = client.run(prompt(seed=33), workflow())
    second = client.run(prompt(seed=34), workflow())
    assert saved(client, second)[0].recipes == {"2": found(second)} != {"2": found(first)}


def test_a_search_inside_a_subgraph_is_named_by_its_path(client):
    first = client.run(prompt("in a subgraph", "10:2", seed=35), workflow())
    second = client.run(prompt("once more", "10:2", seed=35), workflow())
    assert saved(client, first)[0].recipes == saved(client, second)[0].recipes == {"10:2": found(first, "10:2")}


def test_a_webp_carries_it_as_well(client):
    graph = prompt(seed=47)
    graph["9"] = {
        "class_type": "SaveAnimatedWEBP",
        "inputs": {
            "images": ["2", 1],
            "filename_prefix": "moving",
            "fps": 6.0,
            "lossless": True,
            "quality": 80,
            "method": "default",
        },
    }
    result = client.run(graph, workflow())
    (entry,) = result.outputs["9"]["images"]
    texts = [str(text) for text in Image.open(io.BytesIO(client.image(entry))).getexif().values()]
    (text,) = (text.partition(":")[2] for text in texts if text.startswith("noise_search:"))
    assert json.loads(text) == {"recipes": {"2": found(result)}}


def test_history_shows_what_was_found(client):
    result = client.run(prompt(seed=48), workflow())
    (prompt_id,) = {data["prompt_id"] for data in result.named("execution_success")}
    assert client.history(prompt_id)["prompt"][3]["extra_pnginfo"]["noise_search"] == {"recipes": {"2": found(result)}}


def test_a_script_reads_all_candidates_in_the_history_and_has_the_second_best_saved(client, tmp_path):
    page = (PACK / "docs" / "scripts.md").read_text(encoding="utf-8")
    script = page.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "graph.json").write_text(json.dumps(prompt("by_script", seed=1)), encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-c", script, client.url, str(tmp_path / "graph.json")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    seeds = [line.split()[2] for line in answer.stdout.splitlines()]
    assert seeds[0] == "7" and len(set(seeds)) == 4, "no judge: in the order that they were made"
    history = client.json("/history?max_items=2")
    second = max(history.values(), key=lambda run: run["prompt"][0])["outputs"]
    (entry,) = second["9"]["images"]
    stock = prompt("by_hand")
    stock["2"] = {"class_type": "KSampler", "inputs": {**SOURCES, **KSAMPLER, "seed": int(seeds[1])}}
    del stock["2"]["inputs"]["vae"]
    stock["3"] = {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": SOURCES["vae"]}}
    stock["9"]["inputs"]["images"] = ["3", 0]
    by_hand = client.run(stock, workflow())
    (expected,) = by_hand.outputs["9"]["images"]
    assert same(opened(client.image(entry)), opened(client.image(expected)))


def test_the_history_lists_the_finished_candidates_best_first(client):
    judge = {"7": {"class_type": "LoadVerifier", "inputs": {"verifier": "sharpness", "device": "auto"}}}
    result = client.run({**prompt(seed=49, verifier=["7", 0]), **judge}, workflow())
    assert result.ok, result.error
    (facts,) = result.outputs["2"]["noise_search"]
    scores = [one["score"] for one in facts["candidates"]]
    assert scores == sorted(scores, reverse=True) and scores[0] == facts["score"]
    assert facts["candidates"][0]["recipe"] == facts["recipe"]
    assert all(one["how"] != "draft" for one in facts["candidates"])


def test_several_winners_are_made_again_together_and_in_their_order(client):
    pictures = saved(client, client.run(prompt(seed=39, keep=3), workflow()))
    recipe = pictures[0].recipes["2"]
    again = saved(client, client.run(prompt(seed=39, keep=3, recipe=recipe), workflow()))
    assert len(again) == len(pictures) == 3
    assert all(map(same, again, pictures))
    assert same(saved(client, client.run(prompt(seed=39, keep=1, recipe=recipe), workflow()))[0], pictures[0])


def test_each_picture_that_the_node_saves_itself_carries_its_own_recipe(client):
    result = client.run(prompt(seed=40), workflow())
    carried = [picture.recipes["2"] for picture in saved(client, result, "2")]
    assert len(set(carried)) == 4, "one of each candidate"
    assert carried[0] == found(result)


def test_a_prompt_without_a_search_is_saved_as_ever(client):
    picture = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 5}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "empty"}},
    }
    (saved_picture,) = saved(client, client.run(picture, workflow()))
    assert saved_picture.recipes is None and saved_picture.workflow == workflow()


@pytest.fixture
def metadata(host):
    return host.part("nodes.host.files.metadata")


@pytest.fixture
def found_before(host):
    return host.part("nodes.host.graph.results")


GRAPH = {
    "2": {"class_type": "NoiseSearch", "inputs": {"seed": 5}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 1]}},
}


def test_the_oldest_results_are_forgotten_before_their_recipes_fill_the_memory(found_before):
    results = found_before.Results(most=10, characters=100)
    graph = {node: {"class_type": "NoiseSearch", "inputs": {}} for node in "12345"}

    def keep(node, text):
        results.keep(graph, node, node, node, 0, text)

    def known():
        return {node for node in graph if results.of(node, lambda name: found_before.lineage_digest(graph, name))}

    for node in "123":
        keep(node, node * 40)
    assert known() == {"2", "3"}
    keep("2", "2" * 40)
    keep("4", "4" * 40)
    assert known() == {"2", "4"}, "what was found again is the newest"
    keep("5", "5" * 101)
    assert known() == set(), "too long to be remembered at all"


def test_a_list_that_runs_again_forgets_the_longer_one_before(found_before):
    results = found_before.Results()
    for item, text in enumerate("abc"):
        results.keep(GRAPH, "2", "2", "2", item, text)
    results.keep(GRAPH, "2", "2", "2", 0, "d")
    assert results.of("2", lambda name: found_before.lineage_digest(GRAPH, name)) == {"2": {0: "d"}}


STRANGE = [
    None,
    [],
    {},
    {"prompt": 5},
    {"prompt": {"2": 5}, "extra_data": 5},
    {"prompt": {"2": {"inputs": 5}}, "extra_data": {"extra_pnginfo": 5}},
    {
        "prompt": {"2": {"class_type": ["x"], "inputs": {"a": [5, 0], "b": ["2", 0]}}},
        "extra_data": {"extra_pnginfo": {"workflow": 5}},
    },
]


@pytest.mark.parametrize("data", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_prompt_is_left_to_the_host(metadata, data):
    before = copy.deepcopy(data)
    assert metadata.before_prompt(data) is data and data == before


@pytest.mark.parametrize(
    "extra",
    [
        5,
        {"extra_pnginfo": 5},
        {"extra_pnginfo": {"workflow": 5}},
        {"extra_pnginfo": {"workflow": {"extra": 5}}},
        {"extra_pnginfo": {"workflow": {"extra": {"noise_search": 5}}}},
    ],
)
def test_a_search_with_strange_extras_is_left_to_the_host_as_well(metadata, extra):
    found = metadata.before_prompt({"prompt": copy.deepcopy(GRAPH), "extra_data": extra})
    json.dumps(found)


def test_what_other_packs_do_with_the_workflow_keeps_the_recipes(metadata, found_before, monkeypatch):
    """Copies, merges, changes: whatever a saver writes in the end has them."""
    monkeypatch.setattr(metadata, "results", found_before.Results())
    data = {
        "prompt": copy.deepcopy(GRAPH),
        "extra_data": {"extra_pnginfo": {"workflow": {"nodes": [], "extra": {"ds": 1}}}},
    }
    info = metadata.before_prompt(data)["extra_data"]["extra_pnginfo"]
    metadata.results.keep(GRAPH, "2", "2", "2", 0, "found")
    own = {"noise_search": {"recipes": {"2": "found"}}}
    workflow = {"nodes": [], "extra": {"ds": 1, **own}}
    ways = [
        lambda value: value,
        dict,
        lambda value: {**value},
        copy.copy,
        copy.deepcopy,
        lambda value: value.copy(),
        lambda value: json.loads(json.dumps(value)),
        lambda value: json.loads(json.dumps(value, indent=1)),
        lambda value: pickle.loads(pickle.dumps(value)),
    ]
    for way in ways:
        assert json.loads(json.dumps(way(info["workflow"]))) == workflow
        assert json.loads(json.dumps(way(info["noise_search"]))) == own["noise_search"]
    info["workflow"]["nodes"].append("more")
    info["workflow"]["extra"]["noise_search"]["recipes"]["2"] = "not ours to change"
    assert json.loads(json.dumps(info["workflow"])) == {**workflow, "nodes": ["more"]}
    assert info["workflow"].get("extra") == workflow["extra"] and info["workflow"].get("none", 7) == 7


def test_recipes_that_no_page_filled_in_stay_until_the_node_finds_another(metadata, found_before, monkeypatch):
    monkeypatch.setattr(metadata, "results", found_before.Results())
    given = {"noise_search": {"recipes": {"2": "old", "7": "of a node that does not run"}}}
    data = {"prompt": copy.deepcopy(GRAPH), "extra_data": {"extra_pnginfo": {"workflow": {"extra": given}}}}
    chunk = metadata.before_prompt(data)["extra_data"]["extra_pnginfo"]["noise_search"]
    assert chunk["recipes"] == given["noise_search"]["recipes"]
    metadata.results.keep(GRAPH, "2", "2", "2", 0, "new")
    assert chunk["recipes"] == {"2": "new", "7": "of a node that does not run"}
