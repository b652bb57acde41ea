"""What a page sees of the pictures in the making: a tile for each, what is done, and previews that cost little."""

import base64
import io
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from noise_search.tests.families import tiny
from noise_search.tests.families.matrix import FAMILIES
from noise_search.tests.nodes.graphs import Brightness, drop_in, kept, searched
from noise_search.tests.nodes.test_human_pick import value
from noise_search.tests.nodes.test_routes import Driver
from noise_search.tests.nodes.test_whose_run import begun, pages, prompt, until  # noqa: F401 (a fixture)
from PIL import Image

TILES, UPDATE = "noise_search.tiles", "noise_search.update"
PAGE = "tests"  # the client id of the in-process host
STEP = 0.05  # seconds that a step takes at least, where a test waits for previews


@pytest.fixture
def looking(host):
    """A page is open that sees what is queued."""
    host.server.sockets[PAGE] = None
    host.part("nodes.host.page.pages").announce(PAGE)
    yield
    host.server.sockets.pop(PAGE, None)


@pytest.fixture
def previews(monkeypatch):
    """`previews("latent2rgb")`: the host's setting."""
    import latent_preview
    from comfy.cli_args import LatentPreviewMethod, args

    def choose(method):
        monkeypatch.setattr(latent_preview, "default_preview_method", LatentPreviewMethod.from_string(method))
        monkeypatch.setattr(args, "preview_method", LatentPreviewMethod.from_string(method))

    choose("latent2rgb")
    return choose


@pytest.fixture
def slow(host, monkeypatch):
    """Steps that take a while, as those of a large model do."""
    making = host.part("nodes.host.engine.making").Making
    step = making.step

    def slowly(self, *arguments):
        time.sleep(STEP)
        step(self, *arguments)

    monkeypatch.setattr(making, "step", slowly)


@pytest.fixture
def judge_by_brightness(host):
    host.toys.VALUES["v"] = Brightness()
    nodes = {"v": {"class_type": "ToyValue", "inputs": {"name": "v"}}}
    return SimpleNamespace(nodes=nodes, inputs={"verifier": ["v", 0]})


def graph_of(**inputs):
    return drop_in(**inputs) | kept("2", "recipe")


def tiles(host, graph, workflow="w"):
    """What pages are sent of the round in the making while a graph runs, and the result."""
    result = host.run(graph, workflow={"id": workflow})
    return [data for name, data in result.events if name == TILES], result


def picture(tile):
    kind, data = tile["picture"].split(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def shown(sent):
    return [tile for data in sent for tile in data["pictures"]]


def test_every_picture_of_the_batch_is_seen_before_the_first_one_is_done(host, looking, previews, slow, monkeypatch):
    # one preview that a busy machine holds up would use up a fiftieth of two seconds; that share has its own tests
    monkeypatch.setattr(host.part("nodes.host.page.previewing"), "SHARE", 0.5)
    sent, result = tiles(host, graph_of(seed=901, pictures=4, steps=40))
    assert result.ok, result.error
    first = next(place for place, (name, data) in enumerate(result.events) if name == UPDATE and data.get("candidates"))
    before = shown(data for name, data in result.events[:first] if name == TILES)
    assert {tile["id"] for tile in before} == {0, 1, 2, 3}
    assert all(picture(tile).size == (8, 8) for tile in before), "as large as the latent, which is enough to see it"


def test_the_previews_are_the_hosts_own_of_the_right_row(host, looking, previews, slow, monkeypatch):
    import latent_preview

    making, expected = host.part("nodes.host.engine.making").Making, []
    step = making.step

    def noting(self, done, steps, rows, patcher):
        expected.append(rows)
        step(self, done, steps, rows, patcher)

    monkeypatch.setattr(making, "step", noting)
    sent, _ = tiles(host, graph_of(seed=902, pictures=3, steps=30))
    previewer = latent_preview.get_previewer(torch.device("cpu"), host.toys.model("sd3").model.latent_format)
    own = [[previewer.decode_latent_to_preview(row[None]) for row in rows] for rows in expected]
    assert shown(sent)
    for tile in shown(sent):
        nearest = [min(distance(step[row], picture(tile)) for step in own) for row in range(3)]
        assert nearest.index(min(nearest)) == tile["id"]


def distance(one, other):
    return float((pixels(one) - pixels(other)).abs().mean())


def pixels(image):
    return torch.tensor(list(image.convert("RGB").getdata()), dtype=torch.float32)


def test_it_is_told_what_is_done_from_loading_to_judging(host, looking, judge_by_brightness):
    graph = graph_of(seed=903, pictures=2, steps=3, **judge_by_brightness.inputs) | judge_by_brightness.nodes
    sent, result = tiles(host, graph)
    assert result.ok, result.error
    order = list(dict.fromkeys(data["what"] for data in sent))
    assert order == ["loading", "sampling", "decoding", "judging"]
    assert (sent[0]["first"], sent[0]["count"], sent[0]["rows"]) == (0, 2, [0, 1])


def test_where_the_host_shows_no_previews_there_are_none_but_the_step_is_told(host, looking, previews, slow):
    previews("none")
    sent, result = tiles(host, graph_of(seed=904, pictures=3, steps=30))
    assert result.ok and not shown(sent)
    assert len({data["step"] for data in sent if data["what"] == "sampling"}) > 3


def test_a_model_whose_latents_cannot_be_shown_has_places_and_steps(host, looking, previews, slow, monkeypatch):
    form = host.toys.model("sd3").model.latent_format
    monkeypatch.setattr(form, "latent_rgb_factors", None)
    sent, result = tiles(host, graph_of(seed=905, pictures=3, steps=30))
    assert result.ok and not shown(sent)
    assert any(data["count"] == 3 and data["step"] > 1 for data in sent)


def test_without_a_page_nothing_is_sent_and_no_preview_is_made(host, previews, slow, monkeypatch):
    made, previewers = [], host.part("nodes.host.files.previews").Previewers
    monkeypatch.setattr(previewers, "of", lambda self, patcher: made.append(patcher))
    sent, result = tiles(host, graph_of(seed=906, pictures=3, steps=30))
    assert result.ok and (sent, made) == ([], [])


def test_a_preview_that_fails_costs_the_search_nothing(host, looking, previews, slow, monkeypatch, caplog):
    import latent_preview

    def fail(self, x0):
        raise RuntimeError("no such colour")

    monkeypatch.setattr(latent_preview.Latent2RGBPreviewer, "decode_latent_to_preview", fail)
    sent, result = tiles(host, graph_of(seed=907, pictures=3, steps=30))
    assert result.ok and not shown(sent)
    assert [record.getMessage() for record in caplog.records if "previews" in record.getMessage()] == [
        "There are no more previews in this search: RuntimeError: no such colour"
    ]


class Colours:
    """A previewer that needs the card, as TAESD does: it is asked between two steps."""

    def __init__(self):
        self.threads = set()

    def decode_latent_to_preview(self, x0):
        self.threads.add(threading.current_thread().name)
        return Image.new("RGB", (1024, 512), "red")


def test_a_previewer_that_needs_the_card_works_between_two_steps_and_its_pictures_are_made_small(
    host, looking, previews, slow, monkeypatch
):
    import latent_preview

    colours = Colours()
    monkeypatch.setattr(latent_preview, "get_previewer", lambda device, form: colours)
    sent, result = tiles(host, graph_of(seed=908, pictures=3, steps=60))
    assert result.ok and {picture(tile).size for tile in shown(sent)} == {(192, 96)}
    assert all(name.startswith("prompt worker") for name in colours.threads)


def test_of_a_video_the_frame_in_the_middle_is_shown(host):
    stills = host.part("nodes.host.files.previews").stills
    video = torch.arange(5.0).reshape(1, 1, 5, 1, 1).expand(3, 16, 5, 2, 2)
    (still,) = stills(video, [2])
    assert still.shape == (1, 16, 1, 2, 2) and float(still.unique()) == 2


def test_videos_are_tiles_too(host, looking, previews, slow):
    family = next(one for one in FAMILIES if one.name == "Wan 2.1")
    nodes = searched(model={"class_type": "ToyModel", "inputs": {"family": "wan", "batch": 1}}, pictures=2)
    nodes["s"]["inputs"] |= {"vae": ["vae", 0], "steps": 30}
    del nodes["2"]["inputs"]["verifier"]
    sent, result = tiles(host, nodes | kept("2", "recipe") | value(host, "vae", tiny.vae(family, host.toys)))
    assert result.ok, result.error
    assert {tile["id"] for tile in shown(sent)} == {0, 1}


def test_drafts_and_walks_are_tiles_with_the_numbers_that_their_pictures_get(host, looking, judge_by_brightness):
    graph = graph_of(seed=909, pictures=6, steps=6, **judge_by_brightness.inputs) | judge_by_brightness.nodes
    sent, result = tiles(host, graph)
    assert result.ok, result.error
    known = 0
    for name, data in result.events:
        if name == TILES:
            assert data["first"] == known
        elif name == UPDATE:
            known += len(data.get("candidates", ()))
    assert len({data["first"] for data in sent}) > 2, "several rounds"
    assert {data["count"] for data in sent} != {1}


def test_what_is_made_again_after_the_search_is_no_tile(host, looking):
    sent, result = tiles(host, graph_of(seed=910, pictures=3))
    found = result.outputs["2"]["noise_search"][0]["recipe"]
    again, result = tiles(host, graph_of(seed=910, pictures=3, recipe=found))
    assert sent and result.ok and again == []


@pytest.mark.parametrize("status", ["done", "failed", "interrupted"])
def test_nothing_is_left_behind_however_it_ends(host, looking, previews, slow, monkeypatch, status):
    def broken(self, *arguments):
        raise RuntimeError("the disk is on fire")

    def cancel(name, data):
        if status == "interrupted" and name == TILES and data["step"] > 8:
            host.interrupt()

    if status == "failed":
        monkeypatch.setattr(host.part("nodes.host.engine.rollout").Rollout, "decode", broken)
    result = host.run(graph_of(seed=911, pictures=3, steps=20), workflow={"id": status}, on_event=cancel)
    last = host.part("nodes.host.page.searches").everywhere()[-1]
    assert last.workflow == status and any(name == TILES for name, _ in result.events)
    assert (last.status, last.state()["tiles"]) == (status, None)
    assert ("the disk is on fire" in last.state()["error"]) == (status == "failed")
    assert not last.tiles.previewing._previewers._known, "a TAESD is let go"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("step, each", [(0.02, 0.001), (0.5, 0.04), (3.0, 0.3), (0.1, 0.5)])
def test_previews_take_at_most_a_fiftieth_of_the_time_of_sampling(host, step, each):
    previewing, clock = host.part("nodes.host.page.previewing"), Clock()
    allowance, rows = previewing.Allowance(clock), 0
    for _ in range(2000):
        clock.now += step
        allowance.stepped()
        if count := allowance.rows(8):
            clock.now += count * each
            allowance.spend(count * each, count)
            rows += count
            # the first one could not be known
            assert allowance.spent <= 0.02 * allowance.worked or rows == 1
        allowance.begin()
    assert allowance.worked == pytest.approx(2000 * step), "what previews take is no time of sampling"
    assert allowance.spent <= 0.02 * allowance.worked or each == 0.5, "one that is dear is one that was not repeated"
    assert each != 0.5 or rows <= 8
    assert rows * each > 0.015 * allowance.worked or rows >= 8 * 2000 * 0.9, "and what there is, is used"


def test_two_previews_never_wait(host, previews):
    """The background is busy with other work: the next previews are made once the last ones are done."""
    previewing, clock, queued = host.part("nodes.host.page.previewing"), Clock(), []
    background = SimpleNamespace(do=queued.append)
    made = previewing.Previewing(background, clock)
    patcher = SimpleNamespace(model=host.toys.model("sd3").model, load_device=torch.device("cpu"))
    doing = SimpleNamespace(rows=(0, 1), patcher=patcher)
    got = []
    for _ in range(5):
        clock.now += 10.0
        made.allowance.stepped()
        made.make(doing, torch.zeros(2, 16, 8, 8), got.append)
        made.allowance.begin()
    (first,) = queued
    first()
    clock.now += 10.0
    made.allowance.stepped()
    made.make(doing, torch.zeros(2, 16, 8, 8), got.append)
    assert len(queued) == 2 and [list(one) for one in got] == [[0]]
    queued[1]()
    assert list(got[1]) == [1, 0], "the row that waited longest comes first"


def test_previews_really_take_at_most_a_fiftieth_of_the_time_of_sampling(host, looking, previews, slow, monkeypatch):
    """By the clock of this machine: what the sampler's and the background's thread spend on them. What the last one
    takes is known when it is over: a machine that is busy may hold it up.
    """
    part, found, took = host.part("nodes.host.page.previewing"), [], []
    stop, spend = part.Previewing.stop, part.Allowance.spend
    monkeypatch.setattr(part.Previewing, "stop", lambda self: (found.append(self.allowance), stop(self)))
    monkeypatch.setattr(
        part.Allowance, "spend", lambda self, seconds, rows=0: (took.append(seconds), spend(self, seconds, rows))
    )
    sent, result = tiles(host, graph_of(seed=920, pictures=8, steps=60))
    assert result.ok and shown(sent)
    (allowance,) = found
    assert allowance.worked > 60 * STEP
    assert 0 < allowance.spent <= 0.02 * allowance.worked + took[-1], (allowance.worked, took)


def test_a_page_that_is_reloaded_while_it_runs_has_all_tiles_again(host, looking, previews, slow):
    searches, states = host.part("nodes.host.page.searches"), []

    def look(name, data):
        if name == TILES and data["step"] > 30:
            states.append(searches.everywhere()[-1].state()["tiles"])

    result = host.run(graph_of(seed=921, pictures=3, steps=40), workflow={"id": "again"}, on_event=look)
    assert result.ok
    assert states and {tile["id"] for tile in states[-1]["pictures"]} == {0, 1, 2}


def test_all_that_tiles_say_is_as_it_is_written_down(host, looking, previews, slow):
    from noise_search.tests.nodes.test_messages import fits

    messages = host.part("nodes.host.page.messages")
    sent, _ = tiles(host, graph_of(seed=922, pictures=3, steps=30))
    assert shown(sent)
    for data in sent:
        assert not fits(data, messages.TilesUpdate)


def test_two_browsers_see_the_same_tiles_and_another_workflow_none(pages):  # noqa: F811
    one, other, stranger = pages("w1"), pages("w2"), pages("w3")
    graph = prompt(seed=930, steps=40, pictures=200)
    one.queue(graph)
    begun(one)
    assert other.others(graph)
    for page, workflow, mine in ((one, "w1", True), (other, "w2", False)):
        heard = page.heard(TILES)
        assert heard and all((data["workflow"], data["mine"]) == (workflow, mine) for _, data in heard)
    assert stranger.heard(TILES) == []


def test_a_script_is_sent_no_tiles(server):
    script = Driver(server, "")
    script.client.connect()
    result = script.client.run(prompt(seed=931, pictures=4))
    assert result.ok and result.named(TILES) == []
    script.client.close()


def test_a_search_in_a_subgraph_names_the_node_that_the_page_shows(host, looking):
    graph = graph_of(seed=940, pictures=2)
    graph["10:2"] = graph.pop("2")
    graph["krecipe"]["inputs"]["value"][0] = "10:2"
    sent, result = tiles(host, graph)
    assert result.ok, result.error
    assert {data["node"] for data in sent} == {"10:2"}


def test_outside_of_a_round_nothing_is_told_for_what_is_made_then_is_made_again(host):
    told = []
    making = host.part("nodes.host.engine.making").Making(told.append)
    making.batch([0])
    making.called(3)
    assert told == []
    with making.round(1):
        making.batch([0])
        making.called(3)
    assert [doing.what for doing in told] == ["loading", "sampling"]


def test_a_write_that_failed_before_is_not_hidden_by_a_preview(host):
    background = host.part("nodes.host.background").Background()
    previewing = host.part("nodes.host.page.previewing").Previewing(background, lambda: 100.0)
    previewing._previewers = SimpleNamespace(of=lambda patcher: Colours())
    previewing.allowance.worked = 100.0
    expected = torch.zeros(1, 4, 8, 8)
    doing = host.part("nodes.host.engine.watcher").Doing("sampling", 1, (0,), 1, 2, expected)

    def fail():
        raise OSError("no space left")

    background.do(fail).exception()
    with pytest.raises(OSError, match="no space left"):
        previewing.make(doing, expected, lambda found: None)
    background.settle()
