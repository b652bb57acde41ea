"""What a page may ask of a search on the server, and that nothing hostile gets an answer or an effect."""

import io
import json
import threading
import time
import urllib.error
import urllib.request

import pytest
from PIL import Image

SOURCES = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
KSAMPLER = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
ROOT = "/noise_search/searches"
HUGE = 10_000  # pictures: no test waits for them


def prompt(**inputs):
    budget = {"seed": 5, "pictures": 4, "minutes": 0.0, "keep": 1}
    return {"1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
            "2": {"class_type": "NoiseSearch", "inputs": {**SOURCES, **KSAMPLER, **budget, **inputs}},
            "3": {"class_type": "ToyKeep", "inputs": {"value": ["2", 5], "name": "recipe"}}}  # fmt: skip


def workflow_of(seed):
    values = [seed, "fixed", 2, 3.0, "euler", "simple", 1.0, 4, 0.0, 1, "", "", False, 0, 0.0, False, "auto"]
    return {
        "id": "test_any_candidate_can_be_saved_in_full_with_a_workflow_that_makes_it",
        "nodes": [{"id": 2, "type": "NoiseSearch", "widgets_values": values}],
    }


class Driver:
    """One browser's requests about the searches of one workflow."""

    def __init__(self, server, workflow):
        self.client, self.workflow = server.client(), workflow

    def run(self, **inputs):
        return self.client.run(prompt(**inputs), {"id": self.workflow})

    def queue(self, **inputs):
        return self.client.queue(prompt(**inputs), {"id": self.workflow})[0]

    def ask(self, path, body=None):
        return self.client.json(self.client.as_page(ROOT + path), body)

    def states(self):
        """Of all its searches that the server knows, in the order of starting."""
        return self.ask(f"?workflow={self.workflow}")["searches"]

    def state(self):
        """Of the last one."""
        return next(reversed(self.states()), {})

    def changed(self, **inputs):
        """Ids of those that were made from something else than this graph."""
        return self.ask("/changed", {"workflow": self.workflow, "prompt": prompt(**inputs)})["changed"]

    def control(self, action, search=None, **more):
        return self.ask(f"/{search or self.state()['search']}/control", {"action": action, **more})

    def until(self, reached, patience=60):
        """Waits for a state of the search, and returns it."""
        deadline = time.monotonic() + patience
        while not ((state := self.state()) and reached(state)):
            assert time.monotonic() < deadline, f"{state.get('status')}: {len(state.get('candidates', ()))} candidates"
            time.sleep(0.02)
        return state


@pytest.fixture
def drive(server, request):
    drivers = []

    def start(workflow=request.node.name):
        drivers.append(Driver(server, workflow))
        return drivers[-1]

    yield start
    drivers[0].client.interrupt()
    for driver in drivers:
        driver.client.close()


def some(state):
    return len(state["candidates"]) >= 1


def refusal(client, path, data=None, kind="application/json"):
    """Status and text of a request that must be refused."""
    request = urllib.request.Request(client.url + path, data=data, headers={"Content-Type": kind})
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(request, timeout=60)
    return answer.value.code, json.loads(answer.value.read())["error"]


def test_a_finished_search_can_be_looked_through(drive):
    page = drive()
    assert page.run(seed=21).ok
    state = page.state()
    assert (state["status"], state["stopped"], state["used"], state["node"]) == ("done", "pictures", 4, "2")
    assert [candidate["how"] for candidate in state["candidates"]] == ["own seed", "random", "random", "random"]
    assert state["candidates"][0]["seed"] == "21"
    for size, pixels in (("small", 64), ("large", 64)):
        picture = page.client.request(page.client.as_page(f"{ROOT}/{state['search']}/3/{size}"))
        assert picture[:3] == b"\xff\xd8\xff", f"{pixels} pixels wide JPEG"
    assert page.ask(f"/{state['search']}") == state


def test_the_recipe_of_any_candidate_makes_it_the_result_and_the_search_stays_in_sight(drive):
    page = drive()
    assert page.run(seed=22).ok
    before = page.state()
    found = page.ask(f"/{before['search']}/2/recipe")
    assert found["seed"] == before["candidates"][2]["seed"]
    result = page.run(seed=22, recipe=found["recipe"])
    assert result.ok
    assert result.outputs["2"]["noise_search"][0]["seed"] == found["seed"]
    after = page.state()
    assert (after["search"], after["result"], after["stopped"]) == (before["search"], [2], "choice")
    assert after["candidates"] == before["candidates"]


def test_the_galleries_of_earlier_runs_stay_and_a_picture_of_theirs_can_be_taken(drive):
    page = drive()
    for seed in (23, 24, 25):
        assert page.run(seed=seed).ok
    before = page.states()
    assert [state["candidates"][0]["seed"] for state in before] == ["23", "24", "25"]
    recipe = page.ask(f"/{before[0]['search']}/2/recipe")["recipe"]
    assert page.run(seed=25, recipe=recipe).ok
    after = page.states()
    assert [state["search"] for state in after] == [state["search"] for state in before]
    assert [state["result"] for state in after] == [[2], before[1]["result"], before[2]["result"]]


def test_a_search_knows_whether_it_was_made_from_what_is_on_the_canvas(drive):
    page = drive()
    assert page.run(seed=26).ok
    search = page.state()["search"]
    assert page.changed(seed=27, pictures=9, recipe="x") == [], "how much is tried changes no picture"
    assert page.changed(seed=26, cfg=3) == [], "as a browser writes 3.0"
    assert page.changed(seed=26, cfg=5.0) == page.changed(seed=26, positive=["1", 2]) == [search]
    gone = page.ask("/changed", {"workflow": page.workflow, "prompt": {}})
    assert gone == {"changed": [search]}
    assert page.ask("/changed", {"workflow": "another", "prompt": {}}) == {"changed": []}


def test_a_picture_is_taken_with_the_settings_that_found_it_whatever_they_are_now(drive):
    page = drive()
    assert page.run(seed=29).ok and page.run(seed=29, cfg=5.0).ok
    first, second = page.states()
    job = page.ask(f"/{first['search']}/2/again")
    assert job["prompt"]["2"]["inputs"]["cfg"] == 3.0 and set(job["prompt"]) == {"1", "2", "3"}
    result = page.client.run(job["prompt"], job["workflow"])
    assert result.ok, result.error
    assert result.outputs["2"]["noise_search"][0]["seed"] == first["candidates"][2]["seed"]
    assert [state["result"] for state in page.states()] == [[2], second["result"]]


def test_any_candidate_can_be_saved_in_full_with_a_workflow_that_makes_it(drive):
    page = drive()
    assert page.client.run(prompt(seed=43), workflow_of(43)).ok
    before = page.state()
    job = page.ask(f"/{before['search']}/2/saving")
    result = page.client.run(job["prompt"], job["workflow"])
    assert result.ok, result.error
    (entry,) = result.outputs["noise_search_saved"]["images"]
    assert (entry["type"], entry["subfolder"]) == ("output", "noise_search")
    carried = json.loads(Image.open(io.BytesIO(page.client.image(entry))).text["workflow"])["extra"]["noise_search"][
        "recipes"
    ]
    assert carried["2"] == page.ask(f"/{before['search']}/2/recipe")["recipe"]
    after = page.ask(f"/{before['search']}")
    assert (after["result"], after["candidates"]) == (before["result"], before["candidates"]), (
        "the node's own result stays"
    )


def test_saving_picture_after_picture_forgets_no_search(drive):
    page = drive()
    assert page.run(seed=47, pictures=20).ok
    before = page.state()
    for number in range(20):
        job = page.ask(f"/{before['search']}/{number}/saving")
        assert page.client.run(job["prompt"], {"id": page.workflow}).ok
    assert page.ask(f"/{before['search']}") == before


def test_the_candidate_of_a_recipe_is_found_again_and_no_other(drive):
    page = drive()
    assert page.run(seed=44).ok
    search = page.state()["search"]
    recipe = page.ask(f"/{search}/3/recipe")["recipe"]
    other = recipe.replace('"fresh",', '"fresh",1')
    for text, number in ((recipe, 3), (f"{recipe} {other}", 3), (other, None), ("nonsense", None), ("", None)):
        assert page.ask(f"/{search}/find", {"recipe": text}) == {"candidate": number}


def test_a_huge_recipe_holds_nobody_up(drive):
    page = drive()
    assert page.run(seed=48).ok
    entries = [["fresh", 1], *(["mix", place, place + 2, 0.5] for place in range(38_000))]
    text = json.dumps(
        {"noise_search": 1, "shapes": [[16, 8, 8]], "noise": entries, "settings": {}}, separators=(",", ":")
    )
    began = time.monotonic()
    assert page.ask(f"/{page.state()['search']}/find", {"recipe": text}) == {"candidate": None}
    assert time.monotonic() - began < 1


def test_a_held_noise_under_other_settings_is_shown_with_its_new_picture(drive):
    page = drive()
    assert page.run(seed=42).ok
    before = page.state()
    held = page.ask(f"/{before['search']}/1/recipe")["recipe"]
    assert page.run(seed=42, recipe=held, cfg=5.0).ok
    after = page.state()
    assert after["search"] != before["search"], "the pictures of that search are of the old settings"
    assert [candidate["seed"] for candidate in after["candidates"]] == [before["candidates"][1]["seed"]]


def test_finish_now_takes_the_best_so_far_and_queueing_again_returns_it_at_once(drive):
    page = drive()
    prompt_id = page.queue(seed=23, pictures=HUGE)
    page.until(some)
    page.control("finish")
    result = page.client.wait(prompt_id)
    assert result.ok, result.error
    facts = result.outputs["2"]["noise_search"][0]
    assert facts["stopped"] == "you"
    assert 1 <= facts["pictures"] < HUGE
    state = page.state()
    assert (state["status"], state["stopped"]) == ("done", "you")

    again = page.run(seed=23, pictures=HUGE)
    assert "2" in again.named("execution_cached")[0]["nodes"]
    assert page.state()["search"] == state["search"], "nothing was searched again"

    assert page.queue(seed=24, pictures=HUGE)
    assert page.until(lambda now: now["search"] != state["search"])["status"] == "running", (
        "changed inputs are searched anew"
    )


def settled(page, quiet=1.5):
    """The state when nothing has arrived for a while: what was being measured when the pause began may still come."""
    state, since = page.state(), time.monotonic()
    while time.monotonic() - since < quiet:
        time.sleep(0.1)
        if (now := page.state())["used"] != state["used"]:
            state, since = now, time.monotonic()
    return state


def test_a_paused_search_makes_no_pictures_until_it_is_let_go_on(drive):
    page = drive()
    prompt_id = page.queue(seed=25, pictures=HUGE)
    page.until(some)
    assert page.control("pause")["status"] == "paused"
    paused = settled(page)
    time.sleep(0.5)
    assert page.state()["used"] == paused["used"]
    assert page.state()["seconds_left"] == pytest.approx(paused["seconds_left"]), "the time stands still"
    with pytest.raises(urllib.error.HTTPError, match="409"):
        page.control("forget")  # of what runs, nothing can be forgotten
    page.control("continue")
    page.until(lambda now: now["used"] > paused["used"])
    page.control("finish")
    result = page.client.wait(prompt_id)
    assert result.ok
    # which says why, where nothing could be kept
    assert page.control("forget")["freed"] > 0, result.outputs["2"]["text"][0]
    assert page.control("forget") == {"freed": 0}


def test_a_pause_that_was_left_behind_ends_when_no_page_is_open(host, monkeypatch):
    pages, live, searches = (host.part(f"nodes.host.page.{name}") for name in ("pages", "live", "searches"))
    monkeypatch.setattr(pages, "GRACE", 0.4)
    monkeypatch.setattr(host.server, "sockets", {"tests": object()})
    pages.announce("tests")
    seen = []

    def pausing(name, data):
        if name == live.UPDATE and data.get("candidates") and not seen:
            seen.append("paused")
            threading.Timer(0, searches.find_search(data["search"]).steer, ["pause"]).start()
            threading.Timer(1.2, host.server.sockets.clear).start()

    began = time.monotonic()
    result = host.run(prompt(seed=49, pictures=40), on_event=pausing)
    assert result.ok and seen and time.monotonic() - began > 1.6, "while the page was open, it stayed paused"
    assert live.LEFT_PAUSED in searches.find_search(result.named(live.UPDATE)[0]["search"]).notes


def test_cancelling_a_paused_search_ends_it_at_once(drive):
    page = drive()
    prompt_id = page.queue(seed=26, pictures=HUGE)
    page.until(some)
    page.control("pause")
    started = time.monotonic()
    page.client.interrupt()
    assert page.client.wait(prompt_id).error == "interrupted"
    assert time.monotonic() - started < 10
    assert page.state()["status"] == "interrupted"


def test_a_pinned_candidate_stays_pinned(drive):
    page = drive()
    assert page.run(seed=27).ok
    page.control("pin", candidate=3)
    page.control("pin", candidate=1)
    assert page.state()["pinned"] == [3, 1]
    page.control("unpin", candidate=3)
    assert page.state()["pinned"] == [1]


WRONG = [
    ("/{search}/control", b"", 400, "must be JSON"),
    ("/{search}/control", b"[" * 900, 400, "must be JSON"),
    ("/{search}/control", b"[1]", 400, "must be a JSON object"),
    ("/{search}/control", b"\xff\xfe", 400, "must be JSON"),
    ("/{search}/control", b'{"action": "delete"}', 400, "must be one of finish, pause"),
    ("/{search}/control", b'{"action": {"finish": 1}}', 400, "must be one of"),
    ("/{search}/control", b'{"action": ["finish"]}', 400, "must be one of"),
    ("/{search}/control", b'{"action": "finish", "candidate": 1}', 400, "nothing else"),
    ("/{search}/control", b'{"action": "pin"}', 400, "must come with a candidate"),
    ("/{search}/control", b'{"action": "pin", "candidate": -1}', 404, "got -1"),
    ("/{search}/control", b'{"action": "pin", "candidate": 4}', 404, "below 4, got 4"),
    ("/{search}/control", b'{"action": "pin", "candidate": true}', 404, "got True"),
    ("/{search}/control", b'{"action": "pin", "candidate": 1.0}', 404, "got 1.0"),
    ("/{search}/control", b'{"action": "pin", "candidate": "../../1"}', 404, "got '../../1'"),
    ("/{search}/control", b'{"action": "pin", "candidate": 1e999}', 404, "got inf"),
    ("/{search}/control", b'{"action": "' + b"x" * 1_000_000 + b'"}', 413, "at most 1000 bytes"),
    ("/{search}/control", b'{"action": "pick"}', 400, "must come with what is picked"),
    ("/{search}/control", b'{"action": "pick", "picked": 1}', 400, "picked must be a list of one candidate, got 1"),
    ("/{search}/control", b'{"action": "pick", "picked": [1, 2]}', 400, "a list of one candidate, got [1, 2]"),
    ("/{search}/control", b'{"action": "pick", "picked": [4]}', 404, "below 4, got 4"),
    ("/{search}/control", b'{"action": "pick", "picked": [1]}', 409, "must wait for the artist, got one that is done"),
    ("/{search}/control", b'{"action": "leave"}', 409, "must wait for the artist, got one that is done"),
    ("/{search}/control", b'{"action": "finish"}', 409, "got one that is done"),
    ("/{search}/control", b'{"action": "pause"}', 409, "got one that is done"),
    ("/unknown/control", b'{"action": "finish"}', 404, "got 'unknown'"),
    ("/..%2f..%2fetc/control", b'{"action": "finish"}', 404, "search must be one"),
    ("/unknown", None, 404, "got 'unknown'"),
    ("/..%2F..%2F..%2Fetc%2Fpasswd", None, 404, "search must be one"),
    ("/%00", None, 404, "search must be one"),
    ("/" + "a" * 5000, None, 404, "aaa..."),
    ("/{search}/4/recipe", None, 404, "below 4, got '4'"),
    ("/{search}/-1/recipe", None, 404, "got '-1'"),
    ("/{search}/%C2%B2/recipe", None, 404, "candidate must be"),
    ("/{search}/99999999999999999999/recipe", None, 404, "candidate must be"),
    ("/{search}/..%2F..%2F0/small", None, 404, "candidate must be"),
    ("/{search}/find", b"{}", 400, "must have a recipe"),
    ("/{search}/find", b'{"recipe": 5}', 400, "must have a recipe"),
    ("/{search}/find", b'{"recipe": "' + b"x" * 3_000_000 + b'"}', 413, "at most 2000000 bytes"),
    ("/unknown/find", b'{"recipe": ""}', 404, "got 'unknown'"),
    ("/{search}/4/saving", None, 404, "below 4, got '4'"),
    ("/unknown/0/saving", None, 404, "got 'unknown'"),
    ("/{search}/4/again", None, 404, "below 4, got '4'"),
    ("/unknown/0/again", None, 404, "got 'unknown'"),
    ("/changed", b"{}", 400, "must have a workflow and a prompt"),
    ("/changed", b'{"workflow": "", "prompt": {}}', 400, "workflow must be the id of a workflow"),
    ("/{search}/0/..%2Fsmall", None, 404, "must be one of small, large, moving"),
    ("/{search}/0/enormous", None, 404, "must be one of small, large, moving"),
    ("/{search}/0/moving", None, 404, "whose picture is still kept"),
    ("?workflow=", None, 400, "got ''"),
    ("", None, 400, "must be the id of a workflow"),
    ("/elsewhere", b"{}", 400, "must have a workflow and a prompt"),
    ("/elsewhere", b'{"workflow": "w", "prompt": []}', 400, "must have a workflow and a prompt"),
    ("/elsewhere", b'{"workflow": "", "prompt": {}}', 400, "workflow must be the id of a workflow"),
    ("/elsewhere", b'{"workflow": "w", "prompt": {"2": ' + b"[" * 400_000 + b"}}", 400, "must be JSON"),
    ("/elsewhere", b'{"workflow": "w", "prompt": {}, "open": "w"}', 400, "open must be a list"),
    ("/elsewhere", b'{"workflow": "w", "prompt": {}, "open": [3]}', 400, "got 3"),
    ("/{search}/take", b'{"workflow": "w", "prompt": {}}', 403, "the graph must be the one"),
    ("/{search}/take", b'{"workflow": "w", "prompt": {"2": []}}', 403, "the graph must be the one"),
    ("/unknown/take", b'{"workflow": "w", "prompt": {}}', 404, "got 'unknown'"),
    ("?workflow=" + "w" * 101, None, 400, "1 to 100 characters"),
]


@pytest.fixture(scope="module")
def finished(server):
    driver = Driver(server, "hostile")
    assert driver.run(seed=28).ok
    yield driver
    driver.client.close()


@pytest.mark.parametrize(("path", "body", "status", "message"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_request_is_told_why_and_changes_nothing(finished, path, body, status, message):
    before = finished.state()
    answer = refusal(finished.client, finished.client.as_page(ROOT + path.replace("{search}", before["search"])), body)
    assert answer[0] == status
    assert message in answer[1]
    assert len(answer[1]) < 300
    assert finished.state() == before


def test_a_form_of_another_site_is_refused(finished):
    path = finished.client.as_page(f"{ROOT}/{finished.state()['search']}/control")
    assert refusal(finished.client, path, b'{"action": "pin", "candidate": 1}', "text/plain")[0] == 415
    assert finished.state()["pinned"] == []


def test_a_search_that_was_not_queued_from_a_workflow_is_shown_in_none(drive):
    page = drive("")
    assert page.client.run(prompt(seed=29)).ok
    assert page.client.json(f"{ROOT}?workflow=None")["searches"] == []
