"""HumanPick in the real host: whom it asks, what goes on, what "roll again" makes, and that it never keeps a prompt
waiting for nobody.
"""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from noise_search.tests.nodes.graphs import Brightness, drop_in
from noise_search.tests.nodes.test_path_nodes import KNOBS, searched
from noise_search.tests.nodes.test_routes import refusal
from PIL import Image

OUTPUTS = ("images", "latents", "noises", "seeds", "scores", "picked")
ROOT = "/noise_search/picks"
EVENT = "noise_search.pick"
PAGE = "tests"  # the client id of the in-process host


def pictures(count=4, size=(32, 48), seed=0):
    return torch.rand(count, *size, 3, generator=torch.Generator().manual_seed(seed))


def value(host, name, content):
    host.toys.VALUES[name] = content
    return {name: {"class_type": "ToyValue", "inputs": {"name": name}}}


def pick(*outputs, node="pick", **inputs):
    nodes = {node: {"class_type": "HumanPick", "inputs": {"timeout": 0.0, "prompt": "", **inputs}}}
    for name in outputs:
        nodes[f"keep {name}"] = {
            "class_type": "ToyKeep",
            "inputs": {"value": [node, OUTPUTS.index(name)], "name": name},
        }
    return nodes


def sampled(*outputs, seed=5, batch=3, **inputs):
    """Three small pictures of one seed, with their latents."""
    return {
        "1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": batch}},
        "2": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["1", 0],
                "positive": ["1", 1],
                "negative": ["1", 2],
                "latent_image": ["1", 3],
                "seed": seed,
                "steps": 2,
                "cfg": 3.0,
                "sampler_name": "euler",
                "scheduler": "simple",
                "denoise": 1.0,
            },
        },
        "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 4]}},
        **pick(*outputs, images=["3", 0], latents=["2", 0], **inputs),
    }


class Artist:
    """Sits at a page of the in-process host, and answers every gallery that comes up with the next of the answers."""

    def __init__(self, host, *answers):
        self.host, self.asking, self.answers, self.seen = (
            host,
            host.part("nodes.host.page.human_pick"),
            list(answers),
            [],
        )

    def run(self, prompt, workflow="w", **keywords):
        workflow = {"id": workflow} if isinstance(workflow, str) else workflow
        return self.host.run(prompt, workflow=workflow, on_event=self.hear, **keywords)

    def hear(self, name, data):
        if name != EVENT or data["status"] != "waiting":
            return
        self.seen.append(data)
        if self.answers and (answer := self.answers.pop(0)) is not None:
            answer = self.asking.Answer(roll=True) if answer == "roll" else self.asking.Answer(tuple(answer))
            assert self.asking.find_pick(data["pick"]).give(answer)


@pytest.fixture
def artist(host):
    """`artist([1, 0], "roll", None)`: picks the second and the first picture, then rolls again, then does not
    answer.
    """
    asking, known = host.part("nodes.host.page.human_pick"), host.part("nodes.host.page.pages")
    host.server.sockets[PAGE] = None
    known.announce(PAGE)
    yield lambda *answers: Artist(host, *answers)
    host.server.sockets.pop(PAGE, None)
    known._pages.clear()
    asking._picks.clear()


def test_the_clicked_pictures_go_on_in_the_order_of_the_clicks_with_all_that_belongs_to_them(host, artist):
    batch = pictures()
    latent = {"samples": torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 4, 8, 8), "batch_index": [7, 8, 9, 10]}
    prompt = value(host, "images", batch) | value(host, "latents", latent) | value(host, "seeds", [11, 12, 13, 14])
    prompt |= value(host, "scores", [0.1, 0.2, 0.3, 0.4])
    prompt |= pick(
        "images",
        "latents",
        "seeds",
        "scores",
        "picked",
        images=["images", 0],
        latents=["latents", 0],
        seeds=["seeds", 1],
        scores=["scores", 1],
    )
    result = artist([2, 0]).run(prompt)
    assert result.ok, result.error
    (images,), (latents,) = result.kept["images"], result.kept["latents"]
    assert torch.equal(images, batch[[2, 0]]), "one batch stays one"
    assert latents["samples"][:, 0, 0, 0].tolist() == [2.0, 0.0]
    assert latents["batch_index"] == [9, 7]
    assert (result.kept["seeds"], result.kept["scores"], result.kept["picked"]) == ([13, 11], [0.3, 0.1], [2, 0])
    assert result.outputs["pick"]["text"] == ["You picked #3, #1 of 4."]
    assert result.outputs["pick"]["noise_search_pick"] == [
        {"picked": (2, 0), "by": "artist", "why": "", "roll": 0, "of": 4}
    ]


def test_some_of_the_candidates_of_a_noise_are_the_noises_of_the_picked_pictures(host, artist):
    noises = host.part("nodes.host.setup.noise")
    candidates = noises.CandidateNoise([host.part("search.noise").fresh(seed) for seed in (21, 22, 23)])
    prompt = value(host, "images", pictures(3)) | value(host, "noises", candidates)
    prompt |= pick("noises", images=["images", 0], noises=["noises", 0])
    (noise,) = artist([2, 1]).run(prompt).kept["noises"]
    assert noise.seed == 23
    stock = host.part("search.noise").draw(22, [(4, 8, 8)])[0]
    assert torch.equal(noise.generate_noise({"samples": torch.zeros(2, 4, 8, 8)})[1:], stock.reshape(1, 4, 8, 8))


def test_a_list_of_pictures_of_several_sizes_stays_a_list(host, artist):
    images = [pictures(1), pictures(1, (16, 16), 1), pictures(1, (64, 24), 2)]
    someone = artist([2, 1])
    result = someone.run(value(host, "images", images) | pick("images", images=["images", 1]))
    assert [tuple(image.shape) for image in result.kept["images"]] == [(1, 64, 24, 3), (1, 16, 16, 3)]
    assert someone.seen[0]["sizes"] == [(48, 32), (16, 16), (24, 64)]


def test_what_is_not_connected_says_so_where_it_is_used(host, artist):
    result = artist([0]).run(value(host, "images", pictures()) | pick("seeds", images=["images", 0]))
    assert "Connect seeds to Human Pick" in result.named("execution_error")[0]["exception_message"]


# Nobody to ask


def test_without_a_page_the_best_score_goes_on_at_once(host):
    prompt = value(host, "images", pictures()) | value(host, "scores", [0.1, 0.9, 0.3, 0.2])
    result = host.run(prompt | pick("picked", images=["images", 0], scores=["scores", 1]), workflow={"id": "w"})
    assert result.kept["picked"] == [1]
    assert "The best score goes on: #2 of 4" in result.outputs["pick"]["text"][0]
    assert "nobody could be asked" in result.outputs["pick"]["text"][0]
    assert not result.named(EVENT), "no gallery is shown to anybody"


def test_a_verifier_picks_where_nobody_does_and_without_one_the_first_picture_goes_on(host):
    flat = torch.full((3, 64, 64, 3), 0.5)
    flat[2] = pictures(1, (64, 64))[0]
    prompt = value(host, "images", flat) | {
        "judge": {"class_type": "LoadVerifier", "inputs": {"verifier": "technical quality", "device": "auto"}}
    }
    result = host.run(prompt | pick("picked", "scores", images=["images", 0], verifier=["judge", 0]))
    assert result.ok, result.error
    best = result.kept["picked"][0]
    assert result.outputs["pick"]["text"][0].startswith(f"The verifier picked #{best + 1} of 3")
    ranked = host.run(
        prompt
        | {
            "score": {
                "class_type": "VerifierScore",
                "inputs": {"images": ["images", 0], "verifier": ["judge", 0], "prompt": ""},
            },
            "keep": {"class_type": "ToyKeep", "inputs": {"value": ["score", 5], "name": "best"}},
        }
    )
    assert result.kept["scores"] == ranked.kept["best"]
    alone = host.run(value(host, "images", flat) | pick("picked", images=["images", 0]))
    assert alone.kept["picked"] == [0]
    assert alone.outputs["pick"]["text"][0].startswith("The first picture goes on: #1 of 3")


def test_the_time_out_falls_back_and_the_next_queueing_asks_again(host, artist):
    prompt = sampled("picked", timeout=0.005)
    someone = artist(None, [1])
    first = someone.run(prompt)
    assert first.kept["picked"] == [0]
    assert "nobody answered in time" in first.outputs["pick"]["text"][0]
    second = someone.run(prompt, keep_cache=True)
    assert second.kept["picked"] == [1]
    third = someone.run(prompt, keep_cache=True)
    assert third.kept["picked"] == [1], "answered by a person: the host's cache keeps it"
    assert len(someone.seen) == 2
    assert someone.seen[0]["seconds_left"] == pytest.approx(0.3, abs=0.3)


def test_a_page_that_is_closed_for_a_while_falls_back(host, artist, monkeypatch):
    someone = artist(None)
    monkeypatch.setattr(host.part("nodes.host.page.pages"), "GRACE", 0.3)
    host.server.sockets.pop(PAGE)
    began = time.monotonic()
    result = someone.run(value(host, "images", pictures()) | pick("picked", images=["images", 0]))
    assert time.monotonic() - began < 5
    assert "the page was closed" in result.outputs["pick"]["text"][0]


# Roll again


def test_roll_again_makes_other_pictures_in_the_same_run_as_often_as_wanted(host, artist):
    someone = artist("roll", "roll", [2, 0])
    result = someone.run(sampled("images", "latents", "picked"))
    assert result.ok, result.error
    assert [gallery["roll"] for gallery in someone.seen] == [0, 1, 2]
    assert {gallery["node"] for gallery in someone.seen} == {"pick"}, (
        "the gallery stays in the node that the artist sees"
    )
    assert result.kept["picked"] == [2, 0]

    rolling = host.part("nodes.host.graph.rerolls")
    seed = rolling.rerolled_seed(5, 2, 2**64 - 1)
    plain = host.run(sampled("images", "latents", seed=seed, choice="3, 1"))
    assert torch.equal(result.kept["images"][0], plain.kept["images"][0])
    assert torch.equal(result.kept["latents"][0]["samples"], plain.kept["latents"][0]["samples"])
    assert not torch.equal(host.run(sampled("images", choice="3, 1")).kept["images"][0], plain.kept["images"][0])


def test_a_choice_that_names_its_roll_makes_the_same_pictures_again_and_asks_nobody(host, artist):
    rolled = artist("roll", [1]).run(sampled("images"))
    someone = artist()
    again = someone.run(sampled("images", choice="roll 1: 2"))
    assert torch.equal(rolled.kept["images"][0], again.kept["images"][0])
    assert someone.seen == []
    samplers = [data["node"] for data in again.named("executing") if data["display_node"] == "2"]
    assert samplers == ["pick.roll1.2"], "the pictures of the first round are not made for it"


def test_only_what_depends_on_a_seed_runs_again_and_progress_shows_at_the_originals(host, artist):
    result = artist("roll", [0]).run(sampled("images"))
    executing = [(data["node"], data["display_node"]) for data in result.named("executing")]
    assert ("pick.roll1.2", "2") in executing
    assert ("pick.roll1.3", "3") in executing
    assert sum(shown == "1" for _, shown in executing) == 1


def test_a_roll_behind_a_list_of_seeds_makes_as_many_other_seeds_and_they_are_picked_along(host, artist):
    prompt = sampled("seeds", "images", batch=1, seeds=["noise", 1])
    prompt["noise"] = {"class_type": "NoiseCandidates", "inputs": {"seed": 9, "count": 3}}
    prompt["2"]["inputs"]["seed"] = ["noise", 1]
    someone = artist("roll", [2, 1])
    result = someone.run(prompt)
    assert result.ok, result.error
    before, after = (set(gallery["seeds"]) for gallery in someone.seen)
    assert len(before) == len(after) == 3
    assert not before & after
    assert [str(seed) for seed in result.kept["seeds"]] == [someone.seen[1]["seeds"][2], someone.seen[1]["seeds"][1]]
    (stock,) = host.run(sampled("images", batch=1, seed=result.kept["seeds"][0], choice="1")).kept["images"]
    assert torch.equal(stock, result.kept["images"][0])


def test_a_search_is_rolled_again_from_another_seed_even_where_a_recipe_is_filled_in(host, artist):
    search = {
        "model": ["1", 0],
        "positive": ["1", 1],
        "negative": ["1", 2],
        "latent_image": ["1", 3],
        "vae": ["1", 4],
        "seed": 4,
        "steps": 2,
        "cfg": 3.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 1.0,
        "pictures": 2,
        "minutes": 0.0,
        "keep": 1,
    }
    prompt = {"1": sampled()["1"], "2": {"class_type": "NoiseSearch", "inputs": search}}
    prompt["1"]["inputs"]["batch"] = 1
    found = host.run(
        prompt | {"keep": {"class_type": "ToyKeep", "inputs": {"value": ["2", 5], "name": "recipe"}}}
    ).kept["recipe"][0]
    search["recipe"] = found
    result = artist("roll", [0]).run(prompt | pick("images", images=["2", 1]))
    assert result.ok, result.error
    search |= {"recipe": "", "seed": host.part("nodes.host.graph.rerolls").rerolled_seed(4, 1, 2**64 - 1)}
    plain = host.run(prompt | pick("images", images=["2", 1], choice="1"))
    assert torch.equal(result.kept["images"][0], plain.kept["images"][0])


@pytest.mark.parametrize("kind", ["NoiseSearch", *KNOBS])
def test_behind_every_judged_search_a_roll_gives_what_that_search_finds_from_the_rolled_seed(host, artist, judge, kind):
    def prompt(**inputs):
        inputs = {"pictures": 4, "verifier": ["v", 0], **inputs}
        return judge(Brightness()) | (drop_in(**inputs) if kind == "NoiseSearch" else searched(kind, steps=4, **inputs))

    someone = artist("roll", [0])
    result = someone.run(prompt() | pick("images", images=["2", 1]))
    assert result.ok, result.error
    seed = host.part("nodes.host.graph.rerolls").rerolled_seed(5, 1, 2**64 - 1)
    plain = host.run(prompt(seed=seed) | pick("images", images=["2", 1], choice="1"))
    assert torch.equal(result.kept["images"][0], plain.kept["images"][0])
    assert [gallery["rollable"] for gallery in someone.seen] == [True, True]


class EachTurn:
    """A loop of another pack: runs the search and the pick once for every seed, by copies that show on them."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("*",), "run", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"picked": ("IMAGE", {"rawLink": True, "lazy": True}), "seeds": ("STRING", {})},
            "hidden": {"dynprompt": "DYNPROMPT"},
        }

    def run(self, picked, seeds, dynprompt):
        from comfy_execution.graph_utils import GraphBuilder

        graph, turn = GraphBuilder(), None
        for seed in seeds.split():
            search, turn = (dict(dynprompt.get_node(name)["inputs"]) for name in ("2", picked[0]))
            made = graph.node("NoiseSearch", **{**search, "seed": int(seed)})
            made.set_override_display_id("2")
            turn = graph.node("HumanPick", **{**turn, "images": made.out(1)})
            turn.set_override_display_id(picked[0])
            graph.node("ToyKeep", value=turn.out(0), name=f"turn {seed}")
        return {"result": (turn.out(0),), "expand": graph.finalize()}


def test_in_every_turn_of_a_loop_the_pictures_of_that_turn_are_rolled(host, artist, monkeypatch):
    import nodes

    monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, "EachTurn", EachTurn)
    inputs = {"search": "random", "pictures": 2, "keep": 2}
    looped = drop_in(**inputs) | pick(images=["2", 1], timeout=0.5)
    looped["loop"] = {"class_type": "EachTurn", "inputs": {"picked": ["pick", 0], "seeds": "5 6"}}
    looped["after"] = {"class_type": "ToyKeep", "inputs": {"value": ["loop", 0], "name": "after"}}
    someone, rolls = artist(), []

    def hear(name, data):  # both turns wait at the same time, in any order
        if name == EVENT and data["status"] == "waiting":
            rolls.append((data["node"], data["roll"]))
            someone.answers = ["roll" if data["roll"] == 0 else [1]]
            someone.hear(name, data)

    result = host.run(looped, workflow={"id": "w"}, on_event=hear)
    assert result.ok, result.error
    assert sorted(rolls) == [("pick", 0)] * 2 + [("pick", 1)] * 2
    rerolled = host.part("nodes.host.graph.rerolls").rerolled_seed
    for seed in (5, 6):
        plain = drop_in(**inputs, seed=rerolled(seed, 1, 2**64 - 1)) | pick("images", images=["2", 1], choice="2")
        (expected,) = host.run(plain).kept["images"]
        assert torch.equal(result.kept[f"turn {seed}"][0], expected)


def test_a_seed_from_a_node_of_its_own_is_rolled_and_other_numbers_are_not(host, artist):
    prompt = sampled("images")
    prompt |= {
        "seed": {"class_type": "PrimitiveInt", "inputs": {"value": 5}},
        "steps": {"class_type": "PrimitiveInt", "inputs": {"value": 2}},
    }
    prompt["2"]["inputs"] |= {"seed": ["seed", 0], "steps": ["steps", 0]}
    result = artist("roll", [0]).run(prompt)
    plain = host.run(
        sampled("images", seed=host.part("nodes.host.graph.rerolls").rerolled_seed(5, 1, 2**64 - 1), choice="1")
    )
    assert torch.equal(result.kept["images"][0], plain.kept["images"][0])


def test_a_rolled_seed_fits_into_its_widget_and_into_a_browser_s_numbers(host):
    again = host.part("nodes.host.graph.rerolls").rerolled_seed
    assert all(
        0 <= again(seed, roll, most) <= min(most, 2**50)
        for seed in (0, -1, 2**64 - 1)
        for roll in (1, 9)
        for most in (7, 2**32, 2**64 - 1)
    )
    assert len({again(5, roll, 2**64 - 1) for roll in range(100)} | {5}) == 101


def test_rolling_stops_at_an_earlier_pick(host, artist):
    prompt = sampled()
    prompt |= {"second": {"class_type": "HumanPick", "inputs": {"images": ["4", 0], "timeout": 0.0, "prompt": ""}}}
    prompt |= {"4": {"class_type": "ImageInvert", "inputs": {"image": ["pick", 0]}}}
    prompt |= {"keep": {"class_type": "ToyKeep", "inputs": {"value": ["second", 5], "name": "picked"}}}
    someone = artist([0, 1], [1])
    assert someone.run(prompt).kept["picked"] == [1]
    assert [gallery["rollable"] for gallery in someone.seen] == [True, False]


# The host's own ways


def test_a_pick_made_for_the_same_inputs_is_not_asked_again(host, artist):
    someone = artist([1], [2])
    assert someone.run(sampled("picked")).kept["picked"] == [1]
    assert someone.run(sampled("picked"), keep_cache=True).kept["picked"] == [1]
    assert len(someone.seen) == 1
    assert someone.run(sampled("picked", seed=6), keep_cache=True).kept["picked"] == [2]


def test_a_rolled_pick_is_not_asked_again_either(host, artist):
    someone = artist("roll", [1])
    first = someone.run(sampled("images"))
    again = someone.run(sampled("images"), keep_cache=True)
    assert torch.equal(first.kept["images"][0], again.kept["images"][0])
    assert len(someone.seen) == 2


def test_cancelling_ends_the_wait_at_once_and_leaves_nothing_behind(host, artist):
    from pathlib import Path

    someone, at = artist(), []

    def hear(name, data):
        if name == EVENT and data["status"] == "waiting":
            at.append(time.monotonic())
            host.interrupt()

    result = host.run(sampled("picked"), workflow={"id": "w"}, on_event=hear)
    assert result.error == "interrupted"
    assert time.monotonic() - at[0] < 2
    states = [data["status"] for data in result.named(EVENT)]
    assert states == ["waiting", "cancelled"], "the page is told"
    assert someone.asking.in_place(PAGE, "w") == []
    pick_id = result.named(EVENT)[0]["pick"]
    import folder_paths

    assert not (Path(folder_paths.get_temp_directory()) / "noise_search" / "picks" / pick_id).exists()


def test_several_nodes_of_a_graph_ask_at_the_same_time_and_are_answered_in_any_order(host, artist):
    prompt = sampled("picked")
    prompt |= {"other": {"class_type": "HumanPick", "inputs": {"images": ["3", 0], "timeout": 0.0, "prompt": ""}}}
    prompt |= {"keep other": {"class_type": "ToyKeep", "inputs": {"value": ["other", 5], "name": "other"}}}
    someone, waiting = artist(), {}

    def hear(name, data):
        if name == EVENT and data["status"] == "waiting":
            waiting[data["node"]] = data["pick"]
            if len(waiting) == 2:
                someone.asking.find_pick(waiting["other"]).give(someone.asking.Answer((2,)))
                someone.asking.find_pick(waiting["pick"]).give(someone.asking.Answer((1,)))

    result = host.run(prompt, workflow={"id": "w"}, on_event=hear)
    assert result.ok, result.error
    assert (result.kept["picked"], result.kept["other"]) == ([1], [2])


def test_cancelling_while_two_wait_leaves_neither(host, artist):
    prompt = sampled("picked")
    prompt |= {"other": {"class_type": "HumanPick", "inputs": {"images": ["3", 0], "timeout": 0.0, "prompt": ""}}}
    prompt |= {"keep other": {"class_type": "ToyKeep", "inputs": {"value": ["other", 5], "name": "other"}}}
    someone, waiting = artist(), []

    def hear(name, data):
        if name == EVENT and data["status"] == "waiting":
            waiting.append(data["pick"])
            if len(waiting) == 2:
                host.interrupt()

    result = host.run(prompt, workflow={"id": "w"}, on_event=hear)
    assert result.error == "interrupted"
    assert someone.asking.in_place(PAGE, "w") == []


def test_inside_a_subgraph_the_gallery_knows_its_place(host, artist):
    prompt = sampled("picked")
    moved = {("10:" + name if name in ("2", "3", "pick") else name): node for name, node in prompt.items()}
    for node in moved.values():
        for key, link in node["inputs"].items():
            if isinstance(link, list) and link[0] in ("2", "3", "pick"):
                node["inputs"][key] = ["10:" + link[0], link[1]]
    someone = artist("roll", [1])
    assert someone.run(moved).kept["picked"] == [1]
    assert [gallery["node"] for gallery in someone.seen] == ["10:pick", "10:pick"]


def test_saved_pictures_carry_the_choice(host, artist, monkeypatch, tmp_path):
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    saver = {"9": {"class_type": "SaveImage", "inputs": {"images": ["pick", 0], "filename_prefix": "picked"}}}
    assert artist("roll", [2, 0]).run({**sampled("picked"), **saver}, workflow={"id": "w", "nodes": []}).ok
    carried = [
        json.loads(Image.open(path).text["noise_search"])["recipes"] for path in sorted(tmp_path.glob("picked*"))
    ]
    assert carried == [{"pick": "roll 1: 3, 1"}] * 2


def test_another_choice_for_the_same_pictures_shows_in_their_gallery_and_one_for_other_pictures_does_not(host, artist):
    someone = artist([0])
    assert someone.run(sampled("picked")).ok
    assert someone.run(sampled("picked", choice="3, 2"), keep_cache=True).kept["picked"] == [2, 1]
    assert someone.run(sampled("picked", choice="2", seed=6), keep_cache=True).ok
    (gallery,) = someone.asking.in_place(PAGE, "w")
    assert gallery.state()["picked"] == (2, 1)


def test_a_page_that_stayed_open_takes_the_galleries_of_a_restarted_server_for_the_newer_ones(host, artist):
    someone = artist([0], [0])
    assert someone.run(sampled("picked")).ok
    assert someone.run(sampled("picked", seed=6)).ok
    first, second = (gallery["number"] for gallery in someone.seen)
    assert first < second < 2**53, "a number in the page"
    assert 0 <= time.time() * 1000 - first < 24 * 3_600_000, "counted from when this server began"


def apart(coroutine):
    """Runs it on a thread of its own: a browser's tests have a loop in the main one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def test_an_answer_to_a_prompt_that_has_ended_is_told_so_and_its_gallery_goes(host, artist):
    asking, sent = artist().asking, []

    async def ask():
        hidden = SimpleNamespace(prompt={}, extra_pnginfo={"workflow": {"id": "w"}})
        return asking.Pick(hidden, "pick", "pick", [], {"roll": 0}, asking.Answer((0,), "first"))

    async def pieces(limit):
        yield b'{"action": "leave"}'

    asking.add_pick(pick := apart(ask()))
    content, query = SimpleNamespace(iter_chunked=pieces), {"page": pick.audience.page}
    request = SimpleNamespace(
        match_info={"pick": pick.id}, query=query, content_type="application/json", content=content
    )
    host.on_event = lambda name, data: sent.append(data["status"])
    answer = host.part("nodes.host.page.search_routes").answered(host.part("nodes.host.page.pick_routes").answer)
    reply = apart(answer(request))
    assert (reply.status, json.loads(reply.body)["error"]) == (
        409,
        "the gallery must be waiting, got one that was cancelled already",
    )
    assert sent == ["cancelled"], "pages are told"
    assert asking.in_place(PAGE, "w") == []


def test_looking_for_what_runs_copies_nothing_of_a_long_queue_where_the_host_can_do_so(host):
    def copied():
        raise AssertionError("all that waits is copied")

    running = host.part("nodes.host.compat").running_entries
    now = [(0, "id")]
    assert running(SimpleNamespace(get_current_queue=copied, get_current_queue_volatile=lambda: (now, []))) == now
    assert running(SimpleNamespace(get_current_queue=lambda: (now, []))) == now, "an older host"


# Wrong inputs


@pytest.mark.parametrize(("inputs", "message"), [
    ({"choice": "0"}, "choice must be numbers of pictures"),
    ({"choice": "2, 2"}, "choice must be numbers of pictures, each once"),
    ({"choice": "the red one"}, "got 'the red one'"),
    ({"choice": "4"}, "choice must be of the 3 pictures that came in, got 4"),
    ({"timeout": -1.0}, "timeout"),
    ({"choice": "1", "scores": ["two", 1]}, "scores must be as many as the pictures, 3, got 2"),
], ids=range(6))  # fmt: skip
def test_wrong_inputs_are_refused(host, inputs, message):
    result = host.run(sampled("picked", **inputs) | value(host, "two", [0.1, 0.2]))
    assert message in result.error


CHOICES = {
    "": (0, ()),
    " \n": (0, ()),
    "3, 1": (0, (2, 0)),
    " 3 ;1\t2 ": (0, (2, 0, 1)),
    "3 , 1": (0, (2, 0)),
    "roll 2: 3, 1": (2, (2, 0)),
    "\nROLL  12 :4": (12, (3,)),
    "roll 2:": (2, ()),
}


@pytest.mark.parametrize(("text", "meant"), CHOICES.items())
def test_a_choice_is_read_however_it_is_spaced(host, text, meant):
    choice = host.part("nodes.host.page.choice").read_choice(text)
    assert (choice.roll, choice.picked) == meant


ENDLESS = [
    ("1" + " " * 12) * 6 + "x",
    ("1" + " " * 99) * 9 + "x",
    " " * 999 + "x",
    "1" + " " * 998 + "x",
    "1, " * 300 + "x",
    "1" * 1000,
    "roll" + " " * 900 + "1x",
    "roll 1" + " " * 900 + "x",
    "roll 1:" + " " * 900 + "x",
    " ; " * 333,
]


@pytest.mark.parametrize("text", ENDLESS, ids=range(len(ENDLESS)))
def test_a_choice_that_is_none_is_refused_at_once(host, text):
    began = time.perf_counter()
    with pytest.raises(ValueError, match="choice must be numbers of pictures"):
        host.part("nodes.host.page.choice").read_choice(text)
    assert time.perf_counter() - began < 0.2


def test_a_choice_that_nobody_typed_is_refused_unread(host):
    with pytest.raises(ValueError, match="choice must be a text of at most 1000 characters, got 3000000"):
        host.part("nodes.host.page.choice").read_choice("1, " * 1_000_000)


def test_what_does_not_belong_to_the_pictures_is_refused_before_anybody_is_asked(host, artist):
    prompt = sampled("picked", seeds=["two", 1]) | value(host, "two", [1, 2])
    someone = artist([0])
    assert "seeds must be as many as the pictures, 3, got 2" in someone.run(prompt).error
    assert someone.seen == []


def test_a_roll_where_no_seed_makes_the_pictures_is_refused(host):
    result = host.run(value(host, "images", pictures()) | pick("picked", images=["images", 0], choice="roll 1: 1"))
    assert "choice must be without a roll where no seed makes the pictures, got 'roll 1: 1'" in result.error


# The server


class Page:
    """A browser's page as the server sees it: a websocket, and its name."""

    def __init__(self, server, workflow, announced=True):
        self.client, self.workflow = server.client(), workflow
        self.client.connect()
        if announced:
            self.client.json(ROOT, {"page": self.client.id})

    def queue(self, prompt):
        return self.client.queue(prompt, {"id": self.workflow})[0]

    def picks(self):
        return self.ask(f"?workflow={self.workflow}")["picks"]

    def ask(self, path, body=None):
        return self.client.json(self.client.as_page(ROOT + path), body)

    def waiting(self, roll=0, patience=60):
        deadline = time.monotonic() + patience
        while not (found := [one for one in self.picks() if one["status"] == "waiting" and one["roll"] == roll]):
            assert time.monotonic() < deadline, self.picks()
            time.sleep(0.02)
        return found[0]

    def answer(self, pick, **body):
        return self.ask(f"/{pick['pick']}/answer", body)


@pytest.fixture
def pages(server, request):
    opened = []

    def start(workflow=request.node.name[:90], announced=True):
        opened.append(Page(server, workflow, announced))
        return opened[-1]

    yield start
    opened[0].client.interrupt()
    for page in opened:
        page.client.close()


def preview(seed):
    return sampled(seed=seed) | {"save": {"class_type": "PreviewImage", "inputs": {"images": ["pick", 0]}}}


def test_the_page_that_queued_answers_once_and_the_second_answer_is_told_that_it_came_too_late(pages):
    page = pages()
    prompt_id = page.queue(preview(31))
    gallery = page.waiting()
    assert page.client.json(f"{ROOT}?page={page.client.id}")["picks"] == [gallery]
    assert page.client.request(page.client.as_page(f"{ROOT}/{gallery['pick']}/2/large"))[:3] == b"\xff\xd8\xff"
    assert page.answer(gallery, action="pick", picked=[1])["picked"] == [1]
    path = page.client.as_page(f"{ROOT}/{gallery['pick']}/answer")
    for body in ({"action": "pick", "picked": [0]}, {"action": "roll"}, {"action": "leave"}):
        status, message = refusal(page.client, path, json.dumps(body).encode())
        assert (status, "picked already" in message) == (409, True)
    result = page.client.wait(prompt_id)
    assert result.outputs["pick"]["noise_search_pick"][0]["picked"] == [1]
    assert len(result.outputs["save"]["images"]) == 1
    assert page.picks()[0]["picked"] == [1], "it can be looked at afterwards"


def test_roll_again_in_the_server_with_its_own_cache(pages):
    page = pages()
    prompt_id = page.queue(preview(32))
    page.answer(page.waiting(), action="roll")
    second = page.waiting(roll=1)
    assert [one["pick"] for one in page.picks()] == [second["pick"]], "the gallery before gave way"
    page.answer(second, action="roll")
    page.answer(page.waiting(roll=2), action="pick", picked=[2, 0])
    result = page.client.wait(prompt_id)
    assert result.ok, result.error
    assert len(result.outputs["save"]["images"]) == 2
    again = page.client.run(preview(32), {"id": page.workflow})
    assert again.outputs["save"] == result.outputs["save"], "nothing was made or asked again"


def test_a_gallery_whose_other_pictures_never_come_is_not_said_to_be_rolling(pages):
    page = pages()
    prompt = preview(37)
    prompt["2"]["inputs"]["steps"] = 300  # time enough to interrupt
    prompt_id = page.queue(prompt)
    page.answer(page.waiting(), action="roll")
    assert page.picks()[0]["status"] == "rolled"
    page.client.interrupt()
    assert page.client.wait(prompt_id).error == "interrupted"
    assert page.picks()[0]["status"] == "cancelled"


def test_a_job_without_a_browser_never_waits(pages, server):
    page = pages("", announced=False)
    result = page.client.run(preview(33))
    assert "nobody could be asked" in result.outputs["pick"]["text"][0]
    script = pages("of a saved workflow", announced=False)
    result = script.client.run(preview(34), {"id": script.workflow})
    assert "nobody could be asked" in result.outputs["pick"]["text"][0], "a script with a websocket is no page"
    bare = page.client.json("/prompt", {"prompt": preview(35)})["prompt_id"]
    text = page.client.history(bare)["outputs"]["pick"]["text"][0]
    assert text.startswith("The first picture goes on: #1 of 3")


WRONG = [
    ("/{pick}/answer", b'{"action": "pick", "picked": [3]}', 400, "below 3, got 3"),
    ("/{pick}/answer", b'{"action": "pick", "picked": [-1]}', 400, "got -1"),
    ("/{pick}/answer", b'{"action": "pick", "picked": []}', 400, "at least one picture, got []"),
    ("/{pick}/answer", b'{"action": "pick", "picked": [1, 1]}', 400, "each picture once"),
    ("/{pick}/answer", b'{"action": "pick", "picked": ["0"]}', 400, "got '0'"),
    ("/{pick}/answer", b'{"action": "pick", "picked": [true]}', 400, "got True"),
    ("/{pick}/answer", b'{"action": "pick", "picked": [1e3]}', 400, "got 1000.0"),
    ("/{pick}/answer", b'{"action": "pick", "picked": 1}', 400, "must be a list"),
    ("/{pick}/answer", b'{"action": "pick"}', 400, "action, picked"),
    ("/{pick}/answer", b'{"action": "roll", "picked": [1]}', 400, "body must be of action"),
    ("/{pick}/answer", b'{"action": "delete"}', 400, "got 'delete'"),
    ("/{pick}/answer", b'{"action": ["roll"]}', 400, "must be one of pick, roll, leave"),
    ("/{pick}/answer", b"[]", 400, "JSON object"),
    ("/{pick}/answer", b"{", 400, "body must be JSON"),
    ("/{pick}/answer", b'{"action": "pick", "picked": [' + b"0," * 5000 + b"0]}", 413, "at most 1000 bytes"),
    ("/unknown/answer", b'{"action": "roll"}', 404, "got 'unknown'"),
    ("/..%2f..%2fetc/answer", b'{"action": "roll"}', 404, "pick must be one"),
    ("/..%2F..%2Fetc%2Fpasswd", None, 404, "pick must be one"),
    ("/%00", None, 404, "pick must be one"),
    ("/" + "a" * 5000, None, 404, "aaa..."),
    ("/{pick}/3/small", None, 404, "below 3, got 3"),
    ("/{pick}/-1/small", None, 404, "got '-1'"),
    ("/{pick}/%C2%B2/small", None, 404, "picture must be"),
    ("/{pick}/..%2F..%2F0/small", None, 404, "picture must be"),
    ("/{pick}/0/..%2Fsmall", None, 404, "one of small, large"),
    ("?workflow=", None, 400, "got ''"),
    ("?workflow=" + "w" * 101, None, 400, "1 to 100 characters"),
    ("", b'{"page": ""}', 400, "page must be the id of a page"),
    ("", b'{"page": 7}', 400, "got 7"),
    ("", b'{"page": "' + b"p" * 200 + b'"}', 400, "1 to 100 characters"),
    ("", b'{"client": "x"}', 400, "body must be of page"),
]


def test_a_wrong_request_is_told_why_and_the_gallery_goes_on_waiting(pages):
    page = pages()
    prompt_id = page.queue(preview(36))
    gallery = page.waiting()
    for path, body, status, message in WRONG:
        answer = refusal(page.client, page.client.as_page(ROOT + path.replace("{pick}", gallery["pick"])), body)
        assert answer[0] == status, (path, body, answer)
        assert message in answer[1], (path, answer)
        assert len(answer[1]) < 300
    path = page.client.as_page(f"{ROOT}/{gallery['pick']}/answer")
    assert refusal(page.client, path, b'{"action": "leave"}', "text/plain")[0] == 415, "a form of another site"
    assert page.picks() == [gallery]
    page.answer(gallery, action="leave")
    assert "you left it to the node" in page.client.wait(prompt_id).outputs["pick"]["text"][0]


def test_a_roll_of_pictures_without_a_seed_is_refused(pages, server):
    page = pages()
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 32, "height": 32, "batch_size": 2, "color": 5}},
        **pick(images=["1", 0]),
        "save": {"class_type": "PreviewImage", "inputs": {"images": ["pick", 0]}},
    }
    prompt_id = page.queue(prompt)
    gallery = page.waiting()
    assert not gallery["rollable"]
    status, message = refusal(
        page.client, page.client.as_page(f"{ROOT}/{gallery['pick']}/answer"), b'{"action": "roll"}'
    )
    assert (status, "got some that have none" in message) == (400, True)
    page.answer(gallery, action="pick", picked=[0])
    assert page.client.wait(prompt_id).ok
