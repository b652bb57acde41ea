"""More than one server: at once on one user's folder, and one after the other under other options."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from noise_search.demo.server import Server, prepare
from noise_search.tests.host import COMFYUI_PATH, TOYS
from noise_search.tests.nodes.graphs import MODEL, drop_in
from PIL import Image

SEEDS = (5, 6, 7)


@pytest.fixture
def bases(tmp_path, monkeypatch):
    """Folders of two servers, and one user folder for both."""
    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    user = tmp_path / "user"
    user.mkdir()
    return [prepare(tmp_path / name, [TOYS]) for name in ("first", "second")], user


def start(base, user, *options):
    return Server(COMFYUI_PATH, base, arguments=["--user-directory", str(user), *options])


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


def test_two_servers_on_one_user_folder_share_what_was_sampled_and_give_what_one_gives_alone(bases, server):
    (one, other), user = bases
    with start(one, user) as first, start(other, user) as second, ThreadPoolExecutor(2) as pool:
        at_once = list(pool.map(lambda server: [found(server, seed) for seed in SEEDS], (first, second)))
        again = [found(second, seed) for seed in SEEDS]
    expected = [found(server, seed)[:2] for seed in SEEDS]
    for results in (*at_once, again):
        assert [result[:2] for result in results] == expected


def test_a_restart_under_another_hash_seed_and_another_cache_pays_nothing_and_gives_the_same(bases, monkeypatch):
    (base, _), user = bases
    results = []
    for number, options in ((1, ("--fast",)), (2, ("--fast", "--cache-none"))):
        monkeypatch.setenv("PYTHONHASHSEED", str(number))
        with start(base, user, *options) as server:
            results.append(found(server, 5))
    (*first, said_first), (*second, said_second) = results
    assert first == second
    assert "earlier run" not in said_first and "3 of these pictures were known from an earlier run" in said_second
