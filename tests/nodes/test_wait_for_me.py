"""wait for me: a search that is over waits until the artist clicks what goes on, and never for nobody."""

import time
from threading import Timer

import pytest
import torch
from noise_search.tests.nodes.graphs import Brightness, drop_in, kept
from noise_search.tests.nodes.test_path_nodes import searched

PAGE = "tests"  # the client id of the in-process host
EVENT = "noise_search.update"
PLAIN = {"search": "random", "wait_for_me": True}


class Artist:
    """Sits at a page of the in-process host, and does the next of these things whenever a search waits."""

    def __init__(self, host, *acts):
        self.host, self.live, self.acts = host, host.part("nodes.host.page.searches"), list(acts)
        self.asked, self.answered = [], []

    def run(self, *parts, workflow="w", **keywords):
        prompt = {name: node for part in parts for name, node in part.items()}
        return self.host.run(prompt, workflow={"id": workflow}, on_event=self.hear, **keywords)

    def hear(self, name, data):
        if name != EVENT or data.get("status") != "waiting":
            return
        live = self.live.find_search(data["search"])
        self.asked.append({**data, "rows": len(live.rows)})
        if self.acts and (act := self.acts.pop(0)) is not None:
            self.answered.append(live.pick(act) if isinstance(act, list) else act())


@pytest.fixture
def artist(host):
    """`artist([4], None)`: picks candidate 4 of the first search that waits, and leaves the second one alone."""
    pages = host.part("nodes.host.page.pages")
    host.server.sockets[PAGE] = None
    pages.announce(PAGE)
    yield lambda *acts: Artist(host, *acts)
    host.server.sockets.pop(PAGE, None)
    pages._pages.clear()
    pages._unanswered.clear()


def of_search(result, node="2"):
    (text,), (facts,) = result.outputs[node]["text"], result.outputs[node]["noise_search"]
    return text, facts


def test_without_a_judge_the_clicked_picture_with_all_that_belongs_to_it_goes_on(host, artist):
    someone = artist([4])
    result = someone.run(drop_in(**PLAIN), kept("2", "image", "latent", "seed", "noise", "recipe", "trace"))
    assert result.ok, result.error
    (trace,) = result.kept["trace"]
    seed, asked = trace.trials[4].candidate.plain_seed, someone.asked[0]["asked"]
    assert (asked["most"], asked["fallback"], asked["seconds_left"]) == (1, (0,), None)
    assert someone.asked[0]["rows"] == 6, "when all pictures are there"
    assert result.kept["seed"] == [seed] and result.kept["noise"][0].seed == seed
    assert (trace.result, trace.by_hand, trace.taken_as) == ((4,), True, "picked by you")
    text, facts = of_search(result)
    assert "no verifier: you picked #5 of the seeds" in text
    assert facts["by_hand"] and facts["seed"] == str(seed) and facts["recipe"] == result.kept["recipe"][0]
    stock = host.run({**drop_in(seed=seed, pictures=1), **kept("2", "image", "latent")})
    assert torch.equal(result.kept["image"][0], stock.kept["image"][0])
    assert torch.equal(result.kept["latent"][0]["samples"], stock.kept["latent"][0]["samples"])
    live = someone.live.find_search(someone.asked[0]["search"])
    assert (live.status, live.result, live.stopped, live.asked) == ("done", [4], "choice", None)


def test_what_was_picked_is_never_said_to_be_the_judge_s(host, artist, judge):
    someone = artist()
    someone.acts = [lambda: someone.live.find_search(someone.asked[0]["search"]).pick([worst(someone)])]
    result = someone.run(judge(Brightness()), drop_in(**PLAIN, verifier=["v", 0]), kept("2", "score", "trace"))
    (trace,) = result.kept["trace"]
    lowest = min(range(6), key=trace.scores.__getitem__)
    assert trace.winner.id == lowest and result.kept["score"] == [trace.scores[lowest]]
    assert someone.asked[0]["asked"]["fallback"] == (trace.best(1)[0].id,), "the search's own winner"
    text, _ = of_search(result)
    assert f"picked by you {trace.scores[lowest]:.4g}" in text.splitlines()[0] and "best " not in text.splitlines()[0]
    assert host.part("nodes.plots")._title(trace).startswith("picked by you")
    again = type(trace).from_json(trace.to_json())
    assert (again.by_hand, again.result) == (True, (lowest,))


def worst(someone):
    rows = someone.live.find_search(someone.asked[0]["search"]).rows
    return min(rows, key=lambda row: row["score"])["id"]


def test_up_to_keep_pictures_go_on_in_the_order_of_the_clicks(host, artist):
    someone = artist([5, 2])
    result = someone.run(drop_in(**PLAIN, keep=3), kept("2", "image", "trace"))
    (trace,) = result.kept["trace"]
    assert trace.result == (5, 2) and len(result.kept["image"][0]) == 2, "two of at most three"
    for place, number in enumerate(trace.result):
        alone = host.run({**drop_in(seed=trace.trials[number].candidate.plain_seed, pictures=1), **kept("2", "image")})
        assert torch.allclose(result.kept["image"][0][place], alone.kept["image"][0][0], atol=1e-5)


def test_more_pictures_than_stay_at_hand_can_be_picked_too(host, artist, monkeypatch):
    monkeypatch.setattr(host.part("nodes.host.engine.winners"), "AT_HAND", 2)
    result = artist([5]).run(drop_in(**PLAIN), kept("2", "image", "seed"))
    alone = host.run({**drop_in(seed=result.kept["seed"][0], pictures=1), **kept("2", "image")})
    assert torch.equal(result.kept["image"][0], alone.kept["image"][0])


def test_use_the_best_goes_on_with_the_search_s_own_winner_and_is_no_choice_by_hand(host, artist, judge):
    result = artist([]).run(judge(Brightness()), drop_in(**PLAIN, verifier=["v", 0]), kept("2", "trace"))
    (trace,) = result.kept["trace"]
    assert not trace.by_hand and trace.winner is trace.best(1)[0]
    text, facts = of_search(result)
    assert "wait for me" not in text and not facts["by_hand"]


def test_the_time_out_falls_back_and_the_next_queueing_asks_again_until_somebody_answers(host, artist):
    prompt = (drop_in(**PLAIN, timeout=0.005), kept("2", "trace"))
    someone = artist(None, [3])
    first = someone.run(*prompt)
    assert first.kept["trace"][0].result == (0,)
    assert "nobody answered in time. The search's own winner went on." in of_search(first)[0]
    assert someone.asked[0]["asked"]["seconds_left"] == pytest.approx(0.3, abs=0.3)
    assert someone.run(*prompt, keep_cache=True).kept["trace"][0].result == (3,)
    assert someone.run(*prompt, keep_cache=True).kept["trace"][0].result == (3,), "the host's cache keeps it"
    assert len(someone.asked) == 2


def test_a_page_that_is_closed_for_a_while_falls_back(host, artist, monkeypatch):
    monkeypatch.setattr(host.part("nodes.host.page.pages"), "GRACE", 0.3)
    someone, began = artist(None), time.monotonic()
    host.server.sockets.pop(PAGE)
    result = someone.run(drop_in(**PLAIN), kept("2", "seed"))
    assert time.monotonic() - began < 20
    assert "the page was closed" in of_search(result)[0]


def test_a_script_is_not_kept_waiting(host):
    began = time.monotonic()
    result = host.run({**drop_in(**PLAIN), **kept("2", "seed")})
    assert result.ok and time.monotonic() - began < 20
    assert "no page of ComfyUI queued this" in of_search(result)[0]
    assert not any(data.get("status") == "waiting" for data in result.named(EVENT))


def test_a_recipe_that_is_filled_in_asks_nobody(host, artist):
    someone = artist([4])
    recipe = someone.run(drop_in(**PLAIN), kept("2", "recipe")).kept["recipe"][0]
    again = someone.run(drop_in(**PLAIN, recipe=recipe), kept("2", "recipe"))
    assert again.kept["recipe"] == [recipe] and len(someone.asked) == 1


def test_cancelling_ends_the_wait_at_once_and_the_next_run_asks_about_the_same_pictures(host, artist, tmp_path,
                                                                                        monkeypatch):  # fmt: skip
    import folder_paths

    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    someone, at = artist(), []
    someone.acts = [lambda: (at.append(time.monotonic()), host.interrupt()), [4]]
    result = someone.run(drop_in(**PLAIN), kept("2", "seed"))
    assert result.error == "interrupted" and time.monotonic() - at[0] < 2
    live = someone.live.find_search(someone.asked[0]["search"])
    assert (live.status, live.pick([3]), live.asked) == ("interrupted", False, None)
    again = someone.run(drop_in(**PLAIN), kept("2", "trace"))
    trace = again.kept["trace"][0]
    assert trace.result == (4,) and all(trial.remembered for trial in trace.trials), "nothing is made again"


def test_the_time_of_the_artist_is_none_of_the_search_s(host, artist):
    someone = artist()
    someone.acts = [lambda: Timer(3.0, lambda: someone.live.find_search(someone.asked[0]["search"]).pick([1])).start()]
    text, _ = of_search(someone.run(drop_in(**{**PLAIN, "pictures": 2}), kept("2", "seed")))
    assert "you picked #2" in text and int(text.split(" in 0:")[1][:2]) < 3


@pytest.mark.parametrize("kind", ["AutoSearch", "DraftSearch", "SteeredSearch", "RefineSearch"])
def test_every_search_waits_and_what_is_no_picture_yet_is_not_asked_for(host, artist, judge, kind):
    someone = artist()

    def last():
        live = someone.live.find_search(someone.asked[0]["search"])
        return live.pick([[row["id"] for row in live.rows if row["finished"]][-1]])

    someone.acts = [last]
    result = someone.run(judge(Brightness()), searched(kind, wait_for_me=True), kept("2", "trace", "image"))
    assert result.ok, result.error
    (trace,) = result.kept["trace"]
    finished = [trial.id for trial in trace.trials if trial.finished]
    assert trace.by_hand and trace.result == (finished[-1],)
    assert float(result.kept["image"][0].mean()) == pytest.approx(trace.scores[finished[-1]], abs=1e-5)


def test_in_a_roll_of_human_pick_the_search_behind_it_waits_again_in_its_node(host, artist):
    asking, rolls = host.part("nodes.host.page.human_pick"), [True, False]

    def answered(name, data):
        someone.hear(name, data)
        if name == "noise_search.pick" and data["status"] == "waiting":
            roll = rolls.pop(0)
            assert asking.find_pick(data["pick"]).give(asking.Answer(() if roll else (0,), roll=roll))

    someone = artist([1], [0])
    picked = {"pick": {"class_type": "HumanPick", "inputs": {"images": ["2", 1], "timeout": 0.0, "prompt": ""}}}
    prompt = {**drop_in(**{**PLAIN, "pictures": 2}), **picked, **kept("pick", "latent")}
    result = host.run(prompt, workflow={"id": "w"}, on_event=answered)
    assert result.ok, result.error
    assert [asked["node"] for asked in someone.asked] == ["2", "2"] and rolls == []
    seed = host.part("nodes.host.graph.rerolls").rerolled_seed(5, 1, 2**64 - 1)
    plain = host.run({**drop_in(seed=seed, pictures=1), **kept("2", "image")})
    images = (result.kept["latent"][0], plain.kept["image"][0])  # the first output of Human Pick
    assert torch.allclose(*images, atol=1e-5)


def test_inside_a_subgraph_it_waits_in_its_node(host, artist):
    someone = artist([1])
    prompt = drop_in(**{**PLAIN, "pictures": 2})
    result = someone.run({"1": prompt["1"], "10:2": prompt["2"]}, kept("10:2", "trace"))
    assert result.kept["trace"][0].result == (1,) and someone.asked[0]["node"] == "10:2"


def test_a_search_of_each_item_of_a_list_waits_for_its_own_pick(host, artist):
    someone = artist([1], [0])
    host.toys.VALUES["seeds"] = [5, 6]
    seeds = {"seeds": {"class_type": "ToyValue", "inputs": {"name": "seeds"}}}
    result = someone.run(seeds, drop_in(**{**PLAIN, "pictures": 2, "seed": ["seeds", 1]}), kept("2", "trace"))
    assert result.ok, result.error
    assert [trace.result for trace in result.kept["trace"]] == [(1,), (0,)]
    assert len({asked["search"] for asked in someone.asked}) == 2
