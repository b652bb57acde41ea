"""The seed book on the server: noises are kept, found, forgotten, taken out and in; nothing hostile gets in."""

import base64
import io
import json
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

import numpy as np
import pytest
from PIL import Image

SOURCES = {"model": ["1", 0], "positive": ["4", 0], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
KSAMPLER = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
ROOT = "/noise_search/book"
SEEDS = count(50)  # each test's page runs a search of its own
RECIPE = '{"noise_search":1,"shapes":[[16,8,8]],"noise":[["fresh",%s]],"settings":{}}'


def prompt(seed):
    budget = {"seed": seed, "pictures": 3, "minutes": 0.0, "keep": 1}
    return {
        "1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
        "4": {"class_type": "ToyConditioning", "inputs": {"family": "sd3", "seed": 1, "batch": 1, "text": "a red fox"}},
        "2": {"class_type": "NoiseSearch", "inputs": {**SOURCES, **KSAMPLER, **budget}},
        "3": {"class_type": "ToyKeep", "inputs": {"value": ["2", 5], "name": "recipe"}},
    }


@pytest.fixture
def client(server):
    """A client of a server whose book is empty."""
    client = server.client()
    while noises := client.json(ROOT)["noises"]:
        for noise in noises:
            client.request(f"{ROOT}/{noise['id']}", method="DELETE")
    yield client
    client.close()


@pytest.fixture
def search(client, request):
    """The id of a finished search of three pictures."""
    result = client.run(prompt(next(SEEDS)), {"id": "book"})
    assert result.ok, result.error
    return client.json(client.as_page("/noise_search/searches?workflow=book"))["searches"][-1]["search"]


def refusal(client, path, data=None, method=None, kind="application/json"):
    request = urllib.request.Request(client.url + path, data=data, headers={"Content-Type": kind}, method=method)
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(request, timeout=60)
    return answer.value.code, json.loads(answer.value.read())["error"]


def book(*noises):
    return {"noise_search_book": 1, "noises": list(noises)}


def fresh(seed, **more):
    return {"recipe": RECIPE % seed, "seed": str(seed), **more}


def picture(size=(20, 10), form="JPEG"):
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, form)
    return base64.b64encode(file.getvalue()).decode()


def test_a_kept_noise_is_listed_with_what_is_known_of_it(client, search):
    number = client.json(client.as_page(ROOT), {"search": search, "candidate": 2})["noise"]
    (noise,) = client.json(ROOT)["noises"]
    candidate = client.json(client.as_page(f"/noise_search/searches/{search}"))["candidates"][2]
    found = client.json(client.as_page(f"/noise_search/searches/{search}/2/recipe"))
    assert (noise["id"], noise["recipe"], noise["seed"]) == (number, found["recipe"], candidate["seed"])
    assert (noise["prompt"], noise["how"], noise["score"]) == ("a red fox", "random", None)
    thumbnail = Image.open(io.BytesIO(client.request(f"{ROOT}/{number}/picture")))
    assert (thumbnail.format, max(thumbnail.size)) == ("JPEG", 64)


def test_a_noise_is_kept_once(client, search):
    first = client.json(client.as_page(ROOT), {"search": search, "candidate": 1})
    assert first["new"]
    assert client.json(client.as_page(ROOT), {"search": search, "candidate": 1}) == {
        "noise": first["noise"],
        "new": False,
    }
    assert client.json(ROOT)["count"] == 1


def test_a_noise_that_is_kept_again_shows_its_new_score_and_under_another_prompt_it_is_another_entry(client):
    client.json(f"{ROOT}/import", book(fresh(1, prompt="fox", score=1.0, made=5.0, picture=picture())))
    client.json(
        f"{ROOT}/import",
        book(
            fresh(1, prompt="fox", score=2.0, made=6.0),
            fresh(1, prompt="hare", score=3.0, made=7.0),
            fresh(1, prompt="fox", model="other", made=8.0),
        ),
    )
    client.json(f"{ROOT}/import", book(fresh(1, prompt="fox", score=0.5, made=4.0)))
    found = [
        (noise["prompt"], noise["model"], noise["score"], noise["picture"]) for noise in client.json(ROOT)["noises"]
    ]
    assert found == [("fox", "other", None, False), ("hare", "", 3.0, False), ("fox", "", 2.0, True)], (
        "what came in later but is older changes nothing"
    )


def test_every_word_of_a_query_is_looked_for_and_the_newest_come_first(client):
    client.json(
        f"{ROOT}/import",
        book(
            fresh(1, prompt="Ein ÄPFEL baum", made=1.0),
            fresh(2, prompt="red fox", model="flux", made=3.0),
            fresh(3, prompt="red car", made=2.0),
        ),
    )

    def seeds(query):
        return [noise["seed"] for noise in client.json(f"{ROOT}?query={urllib.parse.quote(query)}")["noises"]]

    assert seeds("") == ["2", "3", "1"]
    assert seeds("red") == ["2", "3"]
    assert seeds("FLUX red") == ["2"]
    assert seeds("äpfel") == ["1"]
    assert seeds("' OR 1=1 --") == seeds("%") == []


def test_many_are_listed_page_by_page(client):
    client.json(f"{ROOT}/import", book(*(fresh(seed, made=seed) for seed in range(130))))
    pages = [client.json(f"{ROOT}?offset={offset}") for offset in (0, 60, 120)]
    assert [len(page["noises"]) for page in pages] == [60, 60, 10]
    assert [page["count"] for page in pages] == [130] * 3
    assert [noise["seed"] for page in pages for noise in page["noises"]] == [str(seed) for seed in reversed(range(130))]


def test_a_forgotten_noise_is_gone_and_its_number_is_not_given_again(client):
    client.json(f"{ROOT}/import", book(fresh(1)))
    number = client.json(ROOT)["noises"][0]["id"]
    client.request(f"{ROOT}/{number}", method="DELETE")
    assert client.json(ROOT) == {"noises": [], "count": 0}
    assert refusal(client, f"{ROOT}/{number}", method="DELETE")[0] == 404
    client.json(f"{ROOT}/import", book(fresh(2)))
    assert client.json(ROOT)["noises"][0]["id"] > number


def test_an_exported_book_comes_back_whole_and_nothing_twice(client, search):
    client.json(client.as_page(ROOT), {"search": search, "candidate": 0})
    client.json(f"{ROOT}/import", book(fresh(7, score=1.5, judge="CLIP", picture=picture())))
    exported, before = client.json(f"{ROOT}/export"), client.json(ROOT)
    assert client.json(f"{ROOT}/import", exported)["noises"] == 2
    assert client.json(ROOT) == before, "they were there already"
    for noise in before["noises"]:
        client.request(f"{ROOT}/{noise['id']}", method="DELETE")
    client.json(f"{ROOT}/import", exported)
    known = [{name: value for name, value in noise.items() if name != "id"} for noise in client.json(ROOT)["noises"]]
    assert known == [{name: value for name, value in noise.items() if name != "id"} for noise in before["noises"]]


def test_an_imported_picture_is_made_small_and_written_anew(client):
    client.json(f"{ROOT}/import", book(fresh(1, picture=picture((800, 400)))))
    (noise,) = client.json(ROOT)["noises"]
    assert Image.open(io.BytesIO(client.request(f"{ROOT}/{noise['id']}/picture"))).size == (192, 96)


def test_a_date_at_the_ends_of_what_a_book_can_show_is_taken(client):
    client.json(f"{ROOT}/import", book(fresh(1, made=0), fresh(2, made=4e9)))
    assert [noise["made"] for noise in client.json(ROOT)["noises"]] == [4e9, 0]


@pytest.fixture
def own_book(host, tmp_path, monkeypatch):
    """A book of its own."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    return host.part("nodes.host.store.seed_book")


@pytest.fixture
def small_book(own_book, monkeypatch):
    """One that is full at 300 kB."""
    monkeypatch.setattr(own_book, "MAX_BOOK", 300_000)
    return own_book


GRAIN = Image.fromarray(np.random.default_rng(0).integers(0, 256, (192, 192, 3), np.uint8))
FILLED = {
    "nothing but seeds": lambda seed, book: {},
    "pictures": lambda seed, book: {"picture": book.jpeg(GRAIN)},
    "prompts of quotation marks": lambda seed, book: {"prompt": '"' * 4000},
    "prompts in another script": lambda seed, book: {"prompt": "狐" * 4000},
    "recipes of quotation marks": lambda seed, book: {
        "recipe": (RECIPE % seed).replace("{}", json.dumps({"model": '"' * 5000}))
    },
}


@pytest.mark.parametrize("filling", FILLED.values(), ids=FILLED)
def test_a_full_book_can_be_taken_out_and_taken_in_again(small_book, filling):
    kept = 0
    with pytest.raises(small_book.BookError, match="seed book must hold at most"):
        for first in range(0, 10_000, 2):
            entries = [{"recipe": RECIPE % seed, **filling(seed, small_book)} for seed in range(first, first + 2)]
            small_book.keep([small_book.Entry(**entry) for entry in entries])
            kept += 2
    file = small_book.exported()
    assert len(file) <= 2 * small_book.MAX_BOOK, "as much as an import may be"
    assert small_book.MAX_EXPORT == 2 * 100_000_000
    taken = small_book.imported(json.loads(file))
    assert len(taken) == kept > 5
    assert len(small_book.keep(taken)) == small_book.listed()[1] == kept, "into itself: they are there already"
    for entry in small_book.listed(limit=kept)[0]:
        small_book.forget(entry["id"])
    assert len(small_book.keep(taken)) == small_book.listed()[1] == kept, "into an empty one"


def test_a_book_that_is_larger_than_one_piece_of_a_body_is_read_whole(client):
    noises = [fresh(seed, prompt="fox " * 900) for seed in range(600)]
    assert client.json(f"{ROOT}/import", book(*noises))["noises"] == 600
    assert len(client.request(f"{ROOT}/export")) > 2_000_000
    assert len(client.json(f"{ROOT}/export")["noises"]) == 600


BAD = {
    "no book": [],
    "another format": {"noise_search_book": 2, "noises": []},
    "no noises": {"noise_search_book": 1},
    "a noise that is none": book(5),
    "no recipe": book({"seed": "1"}),
    "an unknown field": book(fresh(1, id=5)),
    "a recipe that is none": book({"recipe": "rm -rf /"}),
    "a recipe with a tensor": book({"recipe": RECIPE.replace('["fresh",%s]', '["tensor",[1,2]]')}),
    "a recipe that is no text": book({"recipe": {"noise_search": 1}}),
    "a huge recipe": book({"recipe": RECIPE % 1 + " " * 200_000}),
    "several recipes": book({"recipe": RECIPE % 1 + RECIPE % 2}),
    "a seed that is code": book(fresh(1) | {"seed": "<img onerror=1>"}),
    "a seed that is a number": book(fresh(1) | {"seed": 1}),
    "a score that is text": book(fresh(1, score="9")),
    "a score without end": book(fresh(1, score=float("inf"))),
    "a date that is none": book(fresh(1, made=None)),
    "a date without end": book(fresh(1, made=1e20)),
    "a date before all others": book(fresh(1, made=-1)),
    "a prompt that is a list": book(fresh(1, prompt=["x"])),
    "a huge prompt": book(fresh(1, prompt="x" * 5000)),
    "half a character": book(fresh(1, prompt="\ud800")),
    "half a character in a recipe": book({"recipe": RECIPE.replace("{}", '{"model":"\ud800"}') % 1}),
    "a control character": book(fresh(1, prompt="a\0b")),
    "a picture that is text": book(fresh(1, picture="hello")),
    "a picture that is a PNG": book(fresh(1, picture=picture(form="PNG"))),
    "half a picture": book(fresh(1, picture=picture((300, 300))[:400])),
    "a picture that is too wide": book(fresh(1, picture=picture((5000, 10)))),
    "a good one before a bad one": book(fresh(1), fresh(2, score="9")),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_a_wrong_file_is_told_why_and_nothing_of_it_is_taken_in(client, body):
    status, message = refusal(client, f"{ROOT}/import", json.dumps(body).encode())
    assert status == 400
    assert "must" in message
    assert len(message) < 400
    assert client.json(ROOT)["count"] == 0


WRONG = [
    ("", b"[]", "POST", 400, "must be a JSON object"),
    ("", b"{}", "POST", 400, "must have a search and a candidate"),
    ("", b'{"search": "unknown", "candidate": 1}', "POST", 404, "got 'unknown'"),
    ("", b'{"search": ["x"], "candidate": 1}', "POST", 404, "search must be"),
    ("", b'{"search": "' + b"x" * 5000 + b'", "candidate": 1}', "POST", 413, "at most 1000 bytes"),
    ("?query=" + "x" * 201, None, "GET", 400, "at most 200 characters"),
    ("?offset=-1", None, "GET", 400, "whole number"),
    ("?offset=99999999999999999999", None, "GET", 400, "whole number"),
    ("/..%2F..%2Fsettings", None, "DELETE", 404, "whole number"),
    ("/1%20OR%201", None, "DELETE", 404, "whole number"),
    ("/999999", None, "DELETE", 404, "one of the seed book"),
    ("/..%2F1/picture", None, "GET", 404, "whole number"),
    ("/%C2%B2/picture", None, "GET", 404, "whole number"),
    ("/999999/picture", None, "GET", 404, "with a picture"),
    ("/import", b"not json", "POST", 400, "must be JSON"),
    ("/import", b"[" * 100_000, "POST", 400, "must be JSON"),
]


@pytest.mark.parametrize(("path", "body", "method", "status", "message"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_request_is_told_why(client, path, body, method, status, message):
    code, text = refusal(client, ROOT + path, body, method)
    assert code == status
    assert message in text
    assert len(text) < 300


def test_a_form_of_another_site_is_refused(client):
    assert refusal(client, f"{ROOT}/import", json.dumps(book(fresh(1))).encode(), kind="text/plain")[0] == 415
    assert client.json(ROOT)["count"] == 0


def test_a_candidate_that_is_none_is_refused(client, search):
    for candidate in (3, -1, True, "../1", 1.0):
        assert (
            refusal(client, client.as_page(ROOT), json.dumps({"search": search, "candidate": candidate}).encode())[0]
            == 404
        )


def entries(module, count, first=0):
    return [
        module.Entry(RECIPE % seed, str(seed), made=float(seed), prompt="kept") for seed in range(first, first + count)
    ]


def former_book(folder, count, sound=True):
    """The file in which version 0.1 kept them."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "seed_book.sqlite3")) as book, book:
        book.execute(
            "CREATE TABLE noises (id INTEGER PRIMARY KEY AUTOINCREMENT, recipe TEXT NOT NULL UNIQUE, seed TEXT, score"
            " REAL, judge TEXT NOT NULL, prompt TEXT NOT NULL, model TEXT NOT NULL, how TEXT NOT NULL, made REAL NOT"
            " NULL, picture BLOB)"
        )
        rows = [
            (
                RECIPE % seed if sound or seed % 2 else f"no recipe {seed}",
                str(seed),
                0.5,
                "CLIP",
                "a fox",
                "flux",
                "random",
                5.0 + seed,
                b"jpeg",
            )
            for seed in range(count)
        ]
        book.executemany(
            "INSERT INTO noises (recipe, seed, score, judge, prompt, model, how, made, picture) VALUES (?, ?, ?, ?, ?,"
            " ?, ?, ?, ?)",
            rows,
        )


def test_the_book_of_an_earlier_version_is_taken_over_once(own_book, tmp_path):
    former_book(tmp_path / "noise_search", 12)
    found, count = own_book.listed()
    assert count == 12 and [noise["seed"] for noise in found] == [str(seed) for seed in reversed(range(12))]
    assert (found[0]["prompt"], found[0]["score"], own_book.picture(found[0]["id"])) == ("a fox", 0.5, b"jpeg")
    assert (
        not (tmp_path / "noise_search" / "seed_book.sqlite3").exists()
        and (tmp_path / "noise_search" / "seed_book.taken_over.sqlite3").exists()
    )
    own_book.forget(found[0]["id"])
    assert own_book.listed()[1] == 11, "it does not come back"


def test_a_server_that_died_in_the_middle_of_taking_over_doubles_nothing(own_book, tmp_path, monkeypatch):
    former_book(tmp_path / "noise_search", 5)
    with monkeypatch.context() as patch:
        patch.setattr(own_book.os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("the power went")))
        with pytest.raises(OSError, match="the power went"):
            own_book.listed()
    assert own_book.listed()[1] == 5 and not (tmp_path / "noise_search" / "seed_book.sqlite3").exists()


def test_of_a_damaged_former_book_what_is_sound_is_taken_over(own_book, tmp_path):
    former_book(tmp_path / "noise_search", 6, sound=False)
    assert sorted(noise["seed"] for noise in own_book.listed()[0]) == ["1", "3", "5"]


def test_two_hundred_that_are_kept_at_once_are_all_there(own_book):
    with ThreadPoolExecutor(16) as pool:
        kept = list(pool.map(lambda seed: own_book.keep(entries(own_book, 1, seed))[0], range(200)))
    assert len({one.number for one in kept}) == own_book.listed()[1] == 200


def test_no_limit_of_the_store_takes_kept_noises_away_and_the_book_works_with_the_store_off(
    host, own_book, monkeypatch
):
    own_book.keep(entries(own_book, 5))
    store = host.part("nodes.host.store.records")
    with closing(store.Store(own_book.path(), 20_000)) as small:
        for number in range(50):
            small.keep_latents("setup", {str(number): store.Sampled(0.0, 1, 1, b"x" * 5000)})
    monkeypatch.setenv("NOISE_SEARCH_STORE", "off")
    own_book.keep(entries(own_book, 5, 5))
    assert own_book.listed()[1] == 10


@pytest.mark.parametrize("hurt", ["the beginning", "the middle"])
def test_of_a_damaged_database_the_kept_noises_that_can_be_read_are_saved(host, own_book, hurt):
    database = host.part("nodes.host.store.database")
    own_book.keep(entries(own_book, 2000))
    path = own_book.path()
    with closing(sqlite3.connect(path)) as book:
        book.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(0 if hurt == "the beginning" else size // 2)
        file.write(b"\xff" * 8192)
    said = database.set_aside(path, "a test")
    count = own_book.listed()[1]
    assert "is set aside as" in said and (count == 0 if hurt == "the beginning" else 1000 < count < 2000)
    assert hurt == "the beginning" or f"Of the seed book {count} noises could be read" in said
    assert own_book.keep(entries(own_book, 1, 5000))[0].new


def test_a_damaged_database_answers_the_page_with_a_new_book(client, server):
    client.json(f"{ROOT}/import", book(fresh(1)))
    path = server.base / "user" / "noise_search" / "noise_search.sqlite3"
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.write_bytes(b"no database at all" * 1000)
    assert client.json(ROOT)["count"] == 0
    client.json(f"{ROOT}/import", book(fresh(2)))
    assert client.json(ROOT)["count"] == 1
    for aside in path.parent.glob("*.damaged-*"):
        aside.unlink()


def test_each_user_has_a_book_of_its_own(shared):
    alice, bob = shared.users
    ask(shared, f"{ROOT}/import", book(fresh(1, prompt="of alice")), alice)
    (noise,) = json.loads(ask(shared, ROOT, user=alice))["noises"]
    assert json.loads(ask(shared, ROOT, user=bob)) == {"noises": [], "count": 0}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(shared, f"{ROOT}/{noise['id']}", method="DELETE", user=bob)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ask(shared, ROOT, user="nobody")
    assert json.loads(ask(shared, ROOT, user=alice))["count"] == 1


def ask(running, path, body=None, user="", method=None):
    headers = {"Content-Type": "application/json", **({"comfy-user": user} if user else {})}
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(
        urllib.request.Request(running.url + path, data=data, headers=headers, method=method), timeout=60
    ).read()
