"""More than one server: at once on one user's folder, and one after the other under other options."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from noise_search.demo.server import Server, prepare
from noise_search.tests.host import COMFYUI_PATH, TOYS
from noise_search.tests.nodes.graphs import MODEL, drop_in
from PIL import Image

SEEDS, LATER = (5, 6, 7), 8


@pytest.fixture
def bases(tmp_path, monkeypatch):
    """Folders of two servers, and one user folder for both."""
    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    user = tmp_path / "user"
    user.mkdir()
    return [prepare(tmp_path / name, [TOYS]) for name in ("first", "second")], user


def start(base, user, monkeypatch, hash_seed, *options):
    """`--fast` is a set, which each hash seed has in another order."""
    monkeypatch.setenv("PYTHONHASHSEED", str(hash_seed))
    return Server(COMFYUI_PATH, base, arguments=["--user-directory", str(user), "--fast", *options])


def found(server, seed):
    """Pixels of the winner, its recipe, and what the node says."""
    client = server.client()
    try:
        graph = {
            **drop_in(search="random", pictures=3, seed=seed),
            "1": MODEL,
            "9": {"class_type": "SaveImage", "inputs": {"images": ["2", 1], "filename_prefix": "s"}},
        }
        result = client.run(graph)
        assert result.ok, result.error
        (entry,) = result.outputs["9"]["images"]
        pixels = np.asarray(Image.open(io.BytesIO(client.image(entry))))
        return pixels.tobytes(), result.outputs["2"]["noise_search"][0]["recipe"], result.outputs["2"]["text"][0]
    finally:
        client.close()


def test_servers_on_one_user_folder_share_what_was_sampled_and_give_what_one_gives_alone(bases, server, monkeypatch):
    """At once, and one after the other, under another hash seed and another cache of the host."""
    (one, other), user = bases
    with (
        start(one, user, monkeypatch, 1) as first,
        start(other, user, monkeypatch, 2, "--cache-none") as second,
        ThreadPoolExecutor(2) as pool,
    ):
        at_once = list(pool.map(lambda server: [found(server, seed) for seed in SEEDS], (first, second)))
        again = [found(second, seed) for seed in SEEDS]
        *before, said_before = found(first, LATER)
        *after, said_after = found(second, LATER)
    expected = [found(server, seed)[:2] for seed in SEEDS]
    for results in (*at_once, again):
        assert [result[:2] for result in results] == expected
    assert before == after
    assert "earlier run" not in said_before and "3 of these pictures were known from an earlier run" in said_after
