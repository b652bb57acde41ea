"""The same on a real server: a browser that goes away, a host that is killed, and one that is started again."""

import io
import sqlite3
import threading
import time
import urllib.error
from contextlib import closing

import pytest
from noise_search.demo.server import Server, prepare
from noise_search.tests.host import COMFYUI_PATH, MISSING, TOYS
from PIL import Image

SOURCES = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
SETUP = {
    **SOURCES,
    "steps": 6,
    "cfg": 3.0,
    "sampler_name": "euler",
    "scheduler": "simple",
    "denoise": 1.0,
    "batch_size": 2,
}
PICTURES = 24


def graph(seed: int, pictures: int = PICTURES, kind: str = "RandomSearch") -> dict:
    search = {"sampling": ["s", 0], "verifier": ["v", 0], "seed": seed, "pictures": pictures, "minutes": 0.0, "keep": 1}
    return {
        "1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
        "v": {"class_type": "LoadVerifier", "inputs": {"verifier": "sharpness", "device": "auto"}},
        "s": {"class_type": "SamplingSetup", "inputs": SETUP},
        "2": {"class_type": kind, "inputs": search},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 1]}},
    }


def facts(client, outputs: dict) -> tuple[dict, bytes]:
    """What the search says of its result, without what it cost, and the picture."""
    (found,) = outputs["2"]["noise_search"]
    picture = pixels(client.image(outputs["3"]["images"][0]))
    return {key: found[key] for key in ("recipe", "score", "first_score", "pictures", "cost")}, picture


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    if not COMFYUI_PATH:
        pytest.fail(MISSING, pytrace=False)
    return prepare(tmp_path_factory.mktemp("fault base"), [TOYS])


def sampled(base) -> list[str]:
    """Keys of all latents in the store, which another process is writing, in the order of their first writing."""
    path = base / "user" / "noise_search" / "noise_search.sqlite3"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=30)) as book:
        (made,) = book.execute("SELECT count(*) FROM sqlite_master WHERE name = 'latents'").fetchone()
        return [key for (key,) in book.execute("SELECT key FROM latents ORDER BY rowid")] if made else []


def wait_for(reached, patience: float = 120):
    deadline = time.monotonic() + patience
    while not (found := reached()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_search_survives_browsers_that_go_and_hosts_that_are_killed(base):
    """One server start each: cold, and after SIGKILL. (A start takes ten seconds.)"""
    with Server(COMFYUI_PATH, base) as first:
        client = first.client()
        alone = facts(client, client.run(graph(1, kind="AutoSearch")).outputs)

        # The browser goes away in the middle: the search goes on, and its result is in the host's history.
        prompt_id, _ = client.queue(graph(2), {"id": "gone"})
        wait_for(lambda: len(sampled(base)) > 30)
        client.close()
        entry = wait_for(lambda: client.json(f"/history/{prompt_id}").get(prompt_id))
        assert entry["status"]["status_str"] == "success"
        assert facts(client, entry["outputs"])[0]["pictures"] == PICTURES
        (over,) = client.json(client.as_page("/noise_search/searches?workflow=gone"))["searches"]

        # The host is killed in the middle of a search that another page is looking at.
        killed = first.client()
        before = len(sampled(base))
        killed.queue(graph(3), {"id": "killed"})
        wait_for(lambda: len(sampled(base)) > before + 6)
        old = killed.json(killed.as_page("/noise_search/searches?workflow=killed"))["searches"][0]
        first.process.kill()
        first.process.wait()
    kept = sampled(base)
    assert before < len(kept) < before + PICTURES

    with Server(COMFYUI_PATH, base) as second:
        # What was over is there, with its pictures, for the page that queued it.
        address = "/noise_search/searches{}page=" + client.id
        (again,) = second.client().json(address.format("?workflow=gone&"))["searches"]
        assert {**again, "seconds_left": None} == {**over, "seconds_left": None}
        assert second.client().request(address.format(f"/{over['search']}/0/small?"))[:3] == b"\xff\xd8\xff"

        client = second.client()
        # What was cut off is gone, and says so; queued again, the search pays for what was not kept and for nothing
        # else.
        with pytest.raises(urllib.error.HTTPError) as answer:
            client.request(f"/noise_search/searches/{old['search']}")
        assert answer.value.code == 404 and "search must be one that this server knows" in answer.value.read().decode()
        result = client.run(graph(3), {"id": "killed"})
        resumed, known = facts(client, result.outputs), len(kept) - before
        assert f"{known} of these pictures were known from an earlier run" in result.outputs["2"]["text"][0]
        assert len(sampled(base)) == before + PICTURES

        # Another search of before the restart costs nothing, and a third, uninterrupted one says what the killed one
        # should have found.
        assert facts(client, client.run(graph(1, kind="AutoSearch")).outputs) == alone
        with (
            closing(sqlite3.connect(base / "user" / "noise_search" / "noise_search.sqlite3", timeout=30)) as book,
            book,
        ):
            book.execute("DELETE FROM latents")
            book.execute("DELETE FROM measured")
        client.request("/free", {"unload_models": True, "free_memory": True})
        threading.Event().wait(0.2)
        assert (
            facts(
                client, client.run({**graph(3), "9": {"class_type": "ToyKeep", "inputs": {"value": ["2", 5]}}}).outputs
            )
            == resumed
        )
