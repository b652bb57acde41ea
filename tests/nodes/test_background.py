"""What is written beside the sampling: in order, bounded, with its errors, and there when it is asked for."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from noise_search.tests.nodes.graphs import drop_in, kept, run
from noise_search.tests.nodes.test_routes import prompt


@pytest.fixture
def background(host):
    return host.part("nodes.host.background").Background


def test_work_is_done_in_the_order_that_it_came(background):
    done = []
    with background() as beside:
        for number in range(20):
            beside.do(lambda number=number: (time.sleep(0.002 * (number % 3)), done.append(number)))
    assert done == list(range(20))


def test_it_is_done_on_another_thread_as_seen_from_the_prompt_that_asked(background):
    from contextvars import ContextVar

    prompt, seen = ContextVar("prompt"), []
    prompt.set("this one")
    with background() as beside:
        beside.do(lambda: seen.append((threading.get_ident(), prompt.get())))
    assert seen[0][0] != threading.get_ident() and seen[0][1] == "this one"


def test_pictures_that_wait_take_no_more_memory_than_there_is_room(background):
    """Whoever adds more waits for the oldest."""
    gate, waiting, most = threading.Event(), [0], [0]

    def work():
        gate.wait(5)
        waiting[0] -= 1

    with background(room=100) as beside:
        threading.Timer(0.1, gate.set).start()
        for _ in range(10):
            beside.do(work, size=40)
            waiting[0] += 1
            most[0] = max(most[0], waiting[0])
    assert most[0] <= 3 and waiting[0] == 0  # two that wait, and the one that was just added


def test_what_is_larger_than_the_room_is_done_all_the_same(background):
    done = []
    with background(room=10) as beside:
        beside.do(done.append, 1, size=1000)
    assert done == [1]


def test_an_error_is_told_once_and_what_came_after_it_is_done(background):
    done = []

    def fails():
        raise ValueError("no such colour")

    with background() as beside:
        beside.do(fails)
        with pytest.raises(ValueError, match="no such colour"):
            beside.do(done.append, 1)  # where it is told already
            beside.settle()
        beside.settle()
    assert done == [1]


def test_the_error_that_ended_a_search_is_not_hidden_by_one_beside_it(background):
    def fails():
        raise ValueError("beside")

    with pytest.raises(KeyError, match="the search"), background() as beside:
        beside.do(fails)
        raise KeyError("the search")


def slow_pictures(host, monkeypatch, seconds=0.0, error=None):
    """Pictures of the panel take their time, or cannot be made at all; on which threads that was."""
    thumbnails, threads = host.part("nodes.host.page.thumbnails"), []
    before = thumbnails.smaller

    def slow(pixels, side):
        if side == thumbnails.SIZES["small"]:
            threads.append(threading.get_ident())
            time.sleep(seconds)
            if error:
                raise error
        return before(pixels, side)

    monkeypatch.setattr(thumbnails, "smaller", slow)
    return threads


def test_the_panels_pictures_are_not_made_by_the_thread_that_samples(host, monkeypatch):
    threads, job = slow_pictures(host, monkeypatch), host.part("nodes.host.engine.job").SearchJob
    sampling, before = [], job.round
    monkeypatch.setattr(job, "round", lambda *args: sampling.append(threading.get_ident()) or before(*args))
    assert host.run(prompt(seed=911, pictures=5), workflow={"id": "beside"}).ok
    assert len(threads) == 5 and sampling and not set(threads) & set(sampling)


def test_no_picture_waits_to_be_written_while_the_next_ones_are_decoded(host, monkeypatch):
    """One that waits holds its whole batch: two batches would be in memory together."""
    written, rollout = slow_pictures(host, monkeypatch, seconds=0.05), host.part("nodes.host.engine.rollout").Rollout
    decode, waiting, decoded = rollout.decode, [], [0]

    def noting(self, latents, *more):
        waiting.append(decoded[0] - len(written))
        decoded[0] += len(latents)
        return decode(self, latents, *more)

    monkeypatch.setattr(rollout, "decode", noting)
    assert host.run(prompt(seed=917, pictures=12), workflow={"id": "waits"}).ok
    assert decoded == [12] and len(waiting) > 1 and not any(waiting)


def test_a_page_that_asks_for_a_picture_in_the_making_gets_it(host, monkeypatch, background):
    slow_pictures(host, monkeypatch, seconds=0.3)
    routes, thumbnails = host.part("nodes.host.page.search_routes"), host.part("nodes.host.page.thumbnails")
    with background() as beside:
        pictures = thumbnails.Thumbnails("in the making", beside)
        audience = SimpleNamespace(saw=lambda asker: True)
        live = object.__new__(host.part("nodes.host.page.live").Live)
        live.thumbnails, live.audience, live.proposed, live._lock = pictures, audience, [None], threading.RLock()

        async def asked(request):
            return live

        monkeypatch.setattr(routes, "asked", asked)
        monkeypatch.setattr(routes, "asker_of", lambda request: None)
        pictures.keep(0, torch.rand(64, 64, 3))
        request = SimpleNamespace(match_info={"candidate": "0", "size": "small"})
        answer = asyncio.run(routes.picture(request))
    assert answer.status == 200 and answer._path.is_file()
    assert pictures.coming(0) is None, "what is there is not waited for"


def test_an_error_in_a_picture_beside_the_search_ends_it_and_is_told(host, monkeypatch):
    slow_pictures(host, monkeypatch, error=RuntimeError("the picture is upside down"))
    result = host.run(prompt(seed=913, pictures=3), workflow={"id": "beside"})
    assert not result.ok and "the picture is upside down" in str(result.error)


def test_every_picture_is_written_when_the_node_returns(host, monkeypatch):
    """Without a verifier all of them leave the node, in the order of their seeds."""
    pictures = host.part("nodes.host.files.search_pictures")
    before = pictures.save

    def slow(*arguments, **more):
        time.sleep(0.05)
        return before(*arguments, **more)

    monkeypatch.setattr(pictures, "save", slow)
    shown = [picture["filename"] for picture in run(host, drop_in(), kept("2", "image")).ui["2"]["images"]]
    assert len(shown) == 6 and shown == sorted(shown)


def test_a_picture_that_waits_to_be_written_is_held_in_eight_bits_and_of_a_video_nothing_is_made_before(host):
    """Sixteen pictures that waited for their thumbnails were a second batch in memory; of a clip of 720p, making what
    is written took 20 ms of the thread that samples.
    """
    pictures = host.part("nodes.host.files.pictures")
    clip = torch.rand(81, 8, 8, 3)
    still, moving = pictures.Waiting(clip[0]), pictures.Waiting(clip)
    assert still.size == clip[0].nbytes // 4 and still.clip is None and still.moving() is None
    assert moving.size == 0 and moving.clip is clip
    assert torch.equal(torch.from_numpy(still.pixels()), (255 * clip[0]).to(torch.uint8))
    assert torch.equal(torch.from_numpy(moving.pixels()), (255 * clip[40]).to(torch.uint8))


def test_eight_bits_are_those_that_the_host_saves(host):
    pixels_of = host.part("nodes.host.files.pictures").pixels_of
    assert pixels_of(torch.tensor([[[-0.5, 1.5, 0.5]]])).tolist() == [[[0, 255, 127]]]
    odd = torch.tensor([[[float("nan"), float("inf"), -float("inf")]]])
    assert pixels_of(odd).tolist() == [[[0, 255, 0]]]
