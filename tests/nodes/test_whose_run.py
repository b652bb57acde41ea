"""Several pages on one server: each sees and steers what it queued, is shown others' runs of the same graph, and may
take them over.
"""

import json
import time
import urllib.error
import urllib.request

import pytest
from noise_search.tests.nodes.test_human_pick import ROOT as PICKS
from noise_search.tests.nodes.test_human_pick import preview
from noise_search.tests.nodes.test_routes import HUGE, ROOT
from noise_search.tests.nodes.test_routes import prompt as plain

LISTENING = 2.0  # seconds, at most, to a search that runs
UPDATE, PICK, ELSEWHERE = "noise_search.update", "noise_search.pick", "noise_search.elsewhere"
STEERING = [("control", {"action": action}) for action in ("pause", "continue", "finish", "forget")]
STEERING += [("control", {"action": "leave"}), ("control", {"action": "pick", "picked": [0]})]
STEERING += [("control", {"action": "pin", "candidate": 0}), ("0/saving", None), ("0/again", None)]
SEEING = [("", None), ("/0/recipe", None), ("/0/small", None), ("/find", {"recipe": ""})]


def prompt(seed=0, **inputs):
    """A graph that no other test queues: a run of the same graph with another seed is shown as well."""
    return plain(**{"seed": seed, "cfg": 3.0 + seed / 100_000, **inputs})


class Page:
    """A page as the server sees it: a websocket, its name, and a workflow that it shows."""

    def __init__(self, server, workflow, user=""):
        self.client, self.workflow, self.user = server.client(), workflow, user
        self.client.connect()
        self.ask("/noise_search/picks", {"page": self.client.id})

    def ask(self, path, body=None):
        """The answer, or (status, why not)."""
        headers = {"Content-Type": "application/json", **({"comfy-user": self.user} if self.user else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.client.url + self.client.as_page(path), data=data, headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=60).read()
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["error"]
        return json.loads(answer) if answer[:1] == b"{" else answer

    def queue(self, graph):
        return self.client.queue(graph, {"id": self.workflow})[0]

    def searches(self):
        return self.ask(f"{ROOT}?workflow={self.workflow}")["searches"]

    def others(self, graph):
        """What it is shown of other pages' searches when this is its graph."""
        return self.ask(f"{ROOT}/elsewhere", {"workflow": self.workflow, "prompt": graph})["searches"]

    def take(self, search, graph):
        return self.ask(f"{ROOT}/{search}/take", {"workflow": self.workflow, "prompt": graph})

    def control(self, search, action, **more):
        return self.ask(f"{ROOT}/{search}/control", {"action": action, **more})

    def picks(self):
        return self.ask(f"{PICKS}?workflow={self.workflow}")["picks"]

    def heard(self, *names, quiet=0.6):
        """Events of these names that have arrived, until nothing comes for a while; a search that runs may never be
        quiet.
        """
        import websocket

        found, until, enough = [], time.monotonic() + quiet, time.monotonic() + quiet + LISTENING
        self.client.socket.settimeout(0.1)
        while time.monotonic() < min(until, enough):
            try:
                message = self.client.socket.recv()
            except websocket.WebSocketTimeoutException:
                continue
            event = json.loads(message) if isinstance(message, str) else {"type": ""}
            if event["type"] in names:
                found.append((event["type"], event["data"]))
                until = time.monotonic() + quiet
        self.client.socket.settimeout(10)
        return found


def until(reached, patience=60):
    deadline = time.monotonic() + patience
    while not (found := reached()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def begun(page):
    return until(lambda: next((search for search in page.searches() if search["candidates"]), None))


def opener(server):
    opened = []

    def start(workflow, user=""):
        opened.append(Page(server, workflow, user))
        return opened[-1]

    yield start
    opened[0].client.request("/queue", {"clear": True})
    opened[0].client.interrupt()
    for page in opened:
        page.client.close()


@pytest.fixture
def pages(server):
    yield from opener(server)


def test_two_pages_of_one_template_neither_see_nor_steer_each_other(pages):
    page, other = pages("template"), pages("template")
    prompt_id = page.queue(prompt(seed=7001, pictures=HUGE))
    search = begun(page)["search"]
    assert other.searches() == []
    for path, body in SEEING:
        assert other.ask(f"{ROOT}/{search}{path}", body)[0] == 403
    for path, body in STEERING:
        status, why = other.ask(f"{ROOT}/{search}/{path}", body)
        assert status == 403
        assert "another page's" in why
    assert other.ask("/noise_search/book", {"search": search, "candidate": 0})[0] == 403
    assert page.searches()[0]["status"] == "running"
    assert not other.heard(UPDATE)
    assert page.heard(UPDATE, quiet=0.2)
    assert other.others(prompt(seed=7001, pictures=HUGE, cfg=4.0)) == [], "its graph is another"
    assert page.control(search, "finish")["status"] in ("finishing", "done")
    assert page.client.wait(prompt_id).ok


def test_a_page_with_the_same_graph_is_shown_the_run_and_has_its_buttons_after_taking_it_over(pages):
    page, other = pages("mine"), pages("copy")
    graph = prompt(seed=7002, pictures=HUGE)
    prompt_id = page.queue(graph)
    search = begun(page)["search"]
    assert (ELSEWHERE, {"node": "2"}) in other.heard(ELSEWHERE)
    assert other.ask(f"{ROOT}?workflow={other.workflow}")["elsewhere"] == ["2"]
    (shown,) = other.others(graph)
    assert (shown["search"], shown["workflow"], shown["mine"]) == (search, other.workflow, False)
    assert other.ask(f"{ROOT}/{search}/0/small")[:2] == b"\xff\xd8"
    assert all(
        data["workflow"] == other.workflow and data["mine"] is False for _, data in other.heard(UPDATE, quiet=0.3)
    )
    assert other.control(search, "finish")[0] == 403, "it only watches"
    assert other.take(search, prompt(seed=7002, pictures=HUGE, cfg=4.0)) == (
        403,
        "the graph must be the one that the search was queued with, got one that differs",
    )
    assert other.control(search, "finish")[0] == 403
    assert other.take(search, graph)["mine"] is True
    assert other.control(search, "pause")["status"] == "paused"
    assert page.searches()[0]["status"] == "paused", "the former page goes on seeing it"
    assert other.searches()[0]["mine"] is True, "after a reload too"
    other.control(search, "finish")
    assert page.client.wait(prompt_id).ok


def test_a_graph_that_is_changed_is_not_shown_the_run_any_more(pages):
    page, other = pages("mine"), pages("copy")
    graph = prompt(seed=7003)
    assert page.client.wait(page.queue(graph)).ok
    assert other.others(graph)
    assert other.others(prompt(seed=7003, steps=3)) == []
    assert other.searches() == []
    assert other.ask(f"{ROOT}/{page.searches()[0]['search']}")[0] == 403


def test_what_a_page_queues_itself_takes_the_place_of_what_it_only_watched(pages):
    page, other = pages("mine"), pages("copy")
    graph = prompt(seed=7004)
    assert page.client.wait(page.queue(graph)).ok
    assert other.others(graph)
    own = prompt(seed=7005, cfg=4.0)
    assert other.client.wait(other.queue(own)).ok
    (shown,) = other.searches()
    assert shown["mine"] is True
    assert other.others(graph) == [], "it has one of its own"


def test_a_script_s_run_is_watched_and_taken_over_by_any_page_with_its_graph(pages):
    page = pages("same-graph")
    graph = prompt(seed=7006, pictures=HUGE)
    prompt_id = page.client.json("/prompt", {"prompt": graph})["prompt_id"]
    (shown,) = until(lambda: page.others(graph))
    (watched,) = page.searches()
    assert (watched["search"], watched["mine"]) == (shown["search"], False)
    assert page.control(shown["search"], "finish")[0] == 403
    assert page.take(shown["search"], graph)["mine"] is True
    until(lambda: page.searches()[0]["candidates"])
    assert page.control(shown["search"], "finish")["status"] in ("finishing", "done")
    assert page.client.history(prompt_id)["status"]["status_str"] == "success"


def test_a_workflow_without_an_id_is_nobody_s(pages):
    page, other = pages("00000000-0000-0000-0000-000000000000"), pages("00000000-0000-0000-0000-000000000000")
    assert page.client.wait(page.queue(prompt(seed=7007))).ok
    assert page.searches() == other.searches() == []


def test_a_list_of_twenty_prompts_keeps_twenty_searches_and_shows_them_all(pages):
    page = pages("list")
    graph = prompt(pictures=2)
    graph["2"]["inputs"]["seed"] = ["seeds", 1]
    graph["seeds"] = {"class_type": "NoiseCandidates", "inputs": {"seed": 7008, "count": 20}}
    assert page.client.wait(page.queue(graph)).ok
    found = page.searches()
    assert len(found) == 20
    assert {search["node"] for search in found} == {"2"}
    assert [search["number"] for search in found] == sorted({search["number"] for search in found})
    first = [search["candidates"][0]["seed"] for search in found]
    assert len(set(first)) == 20, "in the order of the list"
    assert page.ask(f"{ROOT}/{found[0]['search']}/1/small")[:2] == b"\xff\xd8"

    assert page.client.wait(page.queue(prompt(seed=7009))).ok
    assert [search["search"] for search in page.searches()[:-1]] == [search["search"] for search in found], "they stay"
    for seed in range(7010, 7028):
        assert page.client.wait(page.queue(prompt(seed=seed, pictures=1))).ok
    assert page.ask(f"{ROOT}/{found[0]['search']}")[0] == 404, "old runs are forgotten as a whole"
    assert page.ask(f"{ROOT}/{found[-1]['search']}")[0] == 404


def test_a_search_that_is_rolled_again_shows_in_the_node_on_the_canvas(pages):
    page = pages("rolled")
    graph = prompt(seed=7030, pictures=2) | {
        "pick": {"class_type": "HumanPick", "inputs": {"images": ["2", 1], "timeout": 0.0, "prompt": ""}},
        "save": {"class_type": "PreviewImage", "inputs": {"images": ["pick", 0]}},
    }
    prompt_id = page.queue(graph)

    def waiting(roll):
        return next((one for one in page.picks() if (one["status"], one["roll"]) == ("waiting", roll)), None)

    gallery = until(lambda: waiting(0))
    page.ask(f"{PICKS}/{gallery['pick']}/answer", {"action": "roll"})
    again = until(lambda: waiting(1))
    assert [search["node"] for search in page.searches()] == ["2", "2"]
    page.ask(f"{PICKS}/{again['pick']}/answer", {"action": "pick", "picked": [0]})
    assert page.client.wait(prompt_id).ok


def gallery_of(page):
    return until(lambda: next((pick for pick in page.picks() if pick["status"] == "waiting"), None))


def test_human_pick_asks_the_page_that_queued_and_no_other(pages):
    page, other = pages("template"), pages("template")
    graph = preview(7040)
    prompt_id = page.queue(graph)
    gallery = gallery_of(page)
    assert other.picks() == []
    assert other.ask(f"{PICKS}/elsewhere", {"workflow": other.workflow, "prompt": graph}) == {"picks": []}, (
        "the page is open"
    )
    assert other.ask(f"{PICKS}/{gallery['pick']}/take", {"workflow": other.workflow, "prompt": graph})[0] == 409
    for path, body in (
        ("", None),
        ("/0/small", None),
        ("/answer", {"action": "leave"}),
        ("/answer", {"action": "pick", "picked": [1]}),
    ):
        assert other.ask(f"{PICKS}/{gallery['pick']}{path}", body)[0] == 403
    assert not other.heard(PICK, ELSEWHERE)
    page.ask(f"{PICKS}/{gallery['pick']}/answer", {"action": "pick", "picked": [2]})
    assert page.client.wait(prompt_id).outputs["pick"]["noise_search_pick"][0]["picked"] == [2]


def test_a_gallery_whose_page_was_closed_is_taken_over_by_one_with_the_same_graph(pages):
    page, other, third = pages("mine"), pages("copy"), pages("other-graph")
    graph = preview(7041)
    prompt_id = page.queue(graph)
    gallery = gallery_of(page)
    page.client.close()
    assert (ELSEWHERE, {"node": "pick"}) in other.heard(ELSEWHERE, quiet=2)
    assert third.ask(f"{PICKS}/elsewhere", {"workflow": third.workflow, "prompt": preview(7042)}) == {"picks": []}
    (shown,) = other.ask(f"{PICKS}/elsewhere", {"workflow": other.workflow, "prompt": graph})["picks"]
    assert (shown["pick"], shown["mine"]) == (gallery["pick"], False)
    assert other.ask(f"{PICKS}/{gallery['pick']}/answer", {"action": "leave"})[0] == 403
    assert third.ask(f"{PICKS}/{gallery['pick']}/take", {"workflow": third.workflow, "prompt": preview(7042)})[0] == 403
    assert other.ask(f"{PICKS}/{gallery['pick']}/take", {"workflow": other.workflow, "prompt": graph})["mine"] is True
    assert other.ask(f"{PICKS}/{gallery['pick']}/answer", {"action": "pick", "picked": [1]})["picked"] == [1]
    assert other.client.history(prompt_id)["outputs"]["pick"]["noise_search_pick"][0]["picked"] == [1]


def test_a_search_that_waits_is_answered_by_its_page_or_by_one_that_took_it_over_once_that_is_closed(pages):
    page, other = pages("mine"), pages("copy")
    graph = prompt(seed=7050, pictures=2, wait_for_me=True)
    prompt_id = page.queue(graph)
    search = until(lambda: next((one for one in page.searches() if one["status"] == "waiting"), None))["search"]
    assert other.control(search, "pick", picked=[1])[0] == 403
    for asked, why in (([0, 1], "a list of one candidate"), ([7], "below 2, got 7")):
        assert why in page.control(search, "pick", picked=asked)[1]
    assert page.control(search, "finish")[0] == page.control(search, "forget")[0] == 409
    other.heard(ELSEWHERE)
    page.client.close()
    assert (ELSEWHERE, {"node": "2"}) in other.heard(ELSEWHERE, quiet=2)
    (shown,) = other.others(graph)
    assert (shown["status"], shown["mine"]) == ("waiting", False)
    assert other.take(search, graph)["asked"]["fallback"] == [0]
    assert other.control(search, "pick", picked=[1])["status"] in ("waiting", "done")
    until(lambda: other.client.history(prompt_id))
    assert next(one["result"] for one in other.searches() if one["search"] == search) == [1]
    assert other.control(search, "pick", picked=[0])[0] == 409


# Several users


@pytest.fixture
def users(shared):
    yield from opener(shared)


def test_another_user_sees_and_steers_nothing_though_the_graph_is_the_same(users, shared):
    alice, bob = shared.users
    page, other, second = users("template", alice), users("template", bob), users("copy", alice)
    graph = prompt(seed=7050, pictures=HUGE)
    page.queue(graph)
    search = begun(page)["search"]
    assert other.searches() == other.others(graph) == []
    assert other.ask(f"{ROOT}?workflow=template")["elsewhere"] == []
    for path, body in [*((path.lstrip("/"), body) for path, body in SEEING), *STEERING]:
        assert other.ask(f"{ROOT}/{search}/{path}".rstrip("/"), body)[0] == 404
    assert other.take(search, graph)[0] == 404
    assert not other.heard(UPDATE, ELSEWHERE)
    other.user, before = alice, other.user
    assert other.control(search, "finish")[0] == 403, "a page is one user's"
    other.user = before
    assert second.take(search, graph)["mine"] is True, "another page of the same user"
    second.user = ""
    assert second.ask(f"{ROOT}/{search}/0/small")[:2] == b"\xff\xd8", "pictures are fetched without the host's header"
    assert second.control(search, "finish")[0] == 404
    assert page.control(search, "finish")["status"] in ("finishing", "done")
