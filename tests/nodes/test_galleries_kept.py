"""The galleries of earlier runs are there again after a restart of the server: what was tried, its pictures, and what
can be done with them.
"""

import json
import shutil
import sqlite3
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from noise_search.tests.nodes.graphs import Brightness, drop_in, kept

JUDGE = {"v": {"class_type": "ToyValue", "inputs": {"name": "verifier", "mark": "brightness"}}}
FLOW = "kept galleries"
PAGE = "tests"  # the client that the host of the tests queues as


@pytest.fixture
def searches(host):
    return host.part("nodes.host.page.searches")


@pytest.fixture
def shelf(host):
    return host.part("nodes.host.page.shelf")


@pytest.fixture
def galleries(host):
    return host.part("nodes.host.store.galleries")


@pytest.fixture
def file(host, tmp_path):
    return tmp_path / "user" / "noise_search" / "galleries.sqlite3"


@pytest.fixture
def restart(host, searches, shelf):
    """As if the server had ended and begun again: nothing is in memory, and the temporary folder is empty."""

    def again():
        shelf.settle()
        searches._known.clear()
        shelf._shelves.clear()
        host.part("nodes.host.page.audience")._audiences.clear()
        import folder_paths

        shutil.rmtree(f"{folder_paths.get_temp_directory()}/noise_search", ignore_errors=True)

    again()
    return again


def search(host, workflow=FLOW, **inputs):
    host.toys.VALUES["verifier"] = Brightness()
    graph = {**drop_in(verifier=["v", 0], **{"search": "random", "pictures": 4, **inputs}), **JUDGE}
    result = host.run({**graph, **kept("2", "recipe")}, workflow={"id": workflow, "nodes": []})
    assert result.ok, result.error
    return result


def shown(searches, workflow=FLOW):
    """What a page is told of its searches."""
    return [one.state() for one in searches.runs_in_place(PAGE, workflow)]


def as_sent(states):
    return json.loads(json.dumps([{**state, "seconds_left": None} for state in states]))


def altered(file, statement, *values):
    with closing(sqlite3.connect(file)) as book, book:
        return book.execute(statement, values).fetchall()


def test_after_a_restart_every_gallery_is_as_it_was(host, searches, restart):
    search(host, seed=1)
    search(host, seed=2)
    first, second = searches.everywhere()
    second.pin(2, True)
    before = [one.state() for one in (first, second)]
    pictures = [second.picture(place, kind) for place in range(4) for kind in ("small", "large")]
    recipes = [second.recipe(one) for one in second.proposed]
    resave = host.part("nodes.host.files.resave")
    made_again = [make(*second.queued, "2", recipes[1]) for make in (resave.resaved, resave.chosen_again)]
    restart()
    assert as_sent(shown(searches)) == as_sent(before)
    assert searches.everywhere() == [], "nothing but headers is in memory"
    again = searches.whole(searches.runs_in_place(PAGE, FLOW)[-1])
    assert [again.recipe(one) for one in again.proposed] == recipes
    assert [again.picture(place, kind) for place in range(4) for kind in ("small", "large")] == pictures
    assert [make(*again.queued, "2", recipes[1]) for make in (resave.resaved, resave.chosen_again)] == made_again
    assert as_sent([again.state()]) == as_sent(before[1:])


@pytest.mark.parametrize("kind", ["auto", "random"])
def test_a_picture_of_before_the_restart_becomes_the_result_of_its_gallery(host, searches, restart, kind):
    search(host, seed=3, search=kind, pictures=6)
    (found,) = searches.everywhere()
    other = next(row["id"] for row in found.rows if row["finished"] and row["id"] != found.result[0])
    recipe = found.recipe(found.proposed[other])
    del found
    restart()
    result = search(host, seed=3, search=kind, pictures=6, recipe=recipe)
    assert result.kept["recipe"] == [recipe]
    for _ in range(2):
        (state,) = shown(searches)
        assert (state["result"], state["stopped"], state["pictures"]) == ([other], "choice", 6)
        restart()


def test_which_pictures_are_versions_of_one_is_known_after_a_restart_and_of_a_gallery_of_an_earlier_version(
    host, searches, restart, file
):
    search(host, seed=7, search="auto", pictures=10, steps=12)
    (found,) = searches.everywhere()
    lineages, began = ([row[name] for row in found.rows] for name in ("lineage", "began"))
    for row in found.rows:
        for parent in row["parents"]:
            assert row["lineage"] == lineages[parent] <= parent, "versions of one picture"
    assert any(row["parents"] for row in found.rows) and len(set(lineages)) > 2
    drafts = [number for number, row in enumerate(found.rows) if row["how"] == "draft"]
    assert drafts and not {began[number] for number in drafts} & {None}
    assert f'[["fresh",{began[drafts[-1]]}]]' in found.recipe(found.proposed[drafts[-1]].noise)
    del found
    restart()
    ((content,),) = altered(file, "SELECT content FROM galleries")
    former = json.loads(zlib.decompress(content))
    for row in former["state"]["candidates"]:
        del row["lineage"], row["began"]
    packed = zlib.compress(json.dumps(former).encode())
    for _ in range(2):
        (state,) = shown(searches)
        assert [[row[name] for row in state["candidates"]] for name in ("lineage", "began")] == [lineages, began]
        altered(
            file,
            "UPDATE galleries SET content = ?, content_mark = ?",
            packed,
            host.part("nodes.host.store.records").mark(packed),
        )
        restart()


def test_what_is_in_the_seed_book_is_marked_after_a_restart_and_in_the_next_run_until_it_is_forgotten(
    host, searches, restart
):
    routes, book = host.part("nodes.host.page.book_routes"), host.part("nodes.host.store.seed_book")
    search(host, seed=8)
    (found,), entry = searches.everywhere(), 0
    for candidate in (1, 3):
        found_in, ((entry, _),) = entry, book.keep([routes.entry_of(found, candidate)])
        found.book(candidate, entry)
    del found
    restart()
    assert [state["kept"] for state in shown(searches)] == [[1, 3]]
    searches.out_of_book(entry, "")
    searches.out_of_book(found_in, "another user")
    restart()
    assert [state["kept"] for state in shown(searches)] == [[1]]
    search(host, seed=8)
    assert [state["kept"] for state in shown(searches)] == [[1], [1]], "it goes through the same candidates"
    for noise in book.listed()[0]:
        book.forget(noise["id"])
    search(host, seed=8)
    assert shown(searches)[-1]["kept"] == [], "it is not in the book any more"


def test_a_search_that_was_cancelled_is_kept_as_one(host, searches, restart):
    def on_event(name, data):
        if name == "noise_search.update" and data.get("candidates"):
            host.interrupt()

    host.toys.VALUES["verifier"] = Brightness()
    graph = {**drop_in(verifier=["v", 0], pictures=64, search="random"), **JUDGE, **kept("2", "recipe")}
    host.run(graph, workflow={"id": FLOW, "nodes": []}, on_event=on_event)
    restart()
    (state,) = shown(searches)
    assert state["status"] == "interrupted" and 0 < len(state["candidates"]) < 64


def test_it_is_written_on_a_thread_of_its_own(host, searches, shelf, galleries, restart, monkeypatch):
    threads = []
    keep = galleries.Galleries.keep

    def seen(self, *arguments):
        threads.append(threading.current_thread().name)
        return keep(self, *arguments)

    monkeypatch.setattr(galleries.Galleries, "keep", seen)
    search(host, seed=4)
    shelf.settle()
    assert len(threads) == 1 and threads[0].startswith("noise_search_shelf")


def test_with_the_store_off_nothing_is_written(host, searches, shelf, restart, file, store_off):
    search(host, seed=5)
    restart()
    assert not file.exists() and shown(searches) == []


def test_forgetting_a_search_forgets_its_gallery_and_those_of_its_setup(host, searches, restart, file):
    search(host, seed=6)
    search(host, seed=7)
    search(host, seed=6, steps=3)
    restart()
    assert searches.whole(searches.runs_in_place(PAGE, FLOW)[1]).forget() > 0
    restart()
    (state,) = shown(searches)
    assert state["candidates"][0]["seed"] == "6"
    assert altered(file, "SELECT count(DISTINCT search) FROM pictures") == [(1,)]


def test_a_page_that_took_a_search_over_has_it_after_a_restart(host, searches, restart):
    search(host, seed=8)
    restart()
    searches.take_over(searches.whole(searches.runs_in_place(PAGE, FLOW)[0]), "another page", "its workflow")
    restart()
    (found,) = searches.runs_in_place("another page", "its workflow")
    assert found.audience.in_place("another page", "its workflow") and shown(searches) != []


# What is damaged, or from another version


def test_a_damaged_file_is_set_aside_and_the_next_gallery_is_kept(host, searches, restart, file):
    search(host, seed=10)
    restart()
    for end in ("-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)
    file.write_bytes(b"no database" * 1000)
    assert shown(searches) == []
    search(host, seed=11)
    restart()
    assert [state["candidates"][0]["seed"] for state in shown(searches)] == ["11"]
    assert list(file.parent.glob("galleries.damaged-*.sqlite3"))


def test_a_file_that_is_damaged_in_its_middle_is_set_aside_too(host, searches, restart, file):
    search(host, seed=18)
    restart()
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"?" * (len(whole) - 4096))
    search(host, seed=19)
    search(host, seed=20)
    restart()
    assert [state["candidates"][0]["seed"] for state in shown(searches)][-1:] == ["20"]
    assert list(file.parent.glob("galleries.damaged-*.sqlite3"))


def test_a_file_of_a_newer_version_is_left_as_it_is_and_searches_run(host, searches, restart, file, caplog):
    search(host, seed=12)
    restart()
    altered(file, "PRAGMA user_version = 99")
    assert shown(searches) == []
    search(host, seed=13)
    restart()
    assert shown(searches) == [] and "made by a newer version" in caplog.text
    assert altered(file, "SELECT count(*) FROM galleries") == [(1,)]


BROKEN = {
    "a byte of the header": "UPDATE galleries SET header = replace(header, 'done', 'gone') WHERE search = ?",
    "a byte of the content": "UPDATE galleries SET content = substr(content, 2) WHERE search = ?",
    "the row": "DELETE FROM galleries WHERE search = ?",
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_damaged_is_not_shown_and_the_others_are(host, searches, restart, file, what):
    search(host, seed=14)
    search(host, seed=15)
    bad = searches.everywhere()[0].id
    restart()
    altered(file, BROKEN[what], bad)
    assert [state["candidates"][0]["seed"] for state in shown(searches) if state] == ["15"]


@pytest.mark.parametrize("without", ["turn", "audience", "count", "version"])
def test_a_header_of_another_version_is_ignored(host, searches, galleries, restart, file, without):
    search(host, seed=16)
    restart()
    ((text,),) = altered(file, "SELECT header FROM galleries")
    header = {name: value for name, value in json.loads(text).items() if name != without}
    altered(file, "UPDATE galleries SET header = ?, mark = ?", *galleries.marked(header))
    assert shown(searches) == []


def test_recipes_of_another_version_can_be_seen_and_not_used(host, searches, galleries, shelf, restart, monkeypatch):
    search(host, seed=17)
    restart()
    (found,) = searches.runs_in_place(PAGE, FLOW)
    content = found.content()
    content["recipes"]["entries"][0] = ["of another version"]
    monkeypatch.setattr(type(found), "content", lambda self: content)
    assert found.state()["candidates"] and searches.whole(found) is None


# What goes


def gallery(number, node="2", run=None):
    header = {"search": f"s{number}", "workflow": "w", "node": node, "prompt_id": run or f"run {number}"}
    return {**header, "setup": "setup", "drafting": "drafting"}, {"number": number}


def files(count, small=10_000, large=90_000):
    return [(place, kind, b"." * size) for place in range(count) for kind, size in (("small", small), ("large", large))]


@pytest.fixture
def opened(galleries, tmp_path):
    """Makes an open database of galleries with a limit in bytes."""
    made = []

    def make(limit=10**9):
        made.append(galleries.Galleries(tmp_path / "g.sqlite3", limit))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_beyond_the_limit_the_oldest_pictures_go_first_and_large_ones_before_small_ones(opened, galleries):
    book = opened(1_040_000)
    for number in range(3):
        book.keep(*gallery(number), files(4))  # 400 kB each
    there = [book.database.read("SELECT kind FROM pictures WHERE search = ?", (f"s{number}",)) for number in range(3)]
    assert [len(rows) for rows in there] == [6, 8, 8] and book.pictured("s0") == {0, 1, 2, 3}
    assert book.picture("s0", 1, "large") and not book.picture("s0", 2, "large"), "the last ones go first"
    assert galleries.present(book.database.connection) <= 1_040_000
    for number in range(3, 6):
        book.keep(*gallery(number), files(4))
    assert book.pictured("s0") == book.pictured("s1") == set() and book.pictured("s5") == {0, 1, 2, 3}
    assert book.content("s0") == {"number": 0}, "what was tried stays"


def test_of_a_gallery_that_fills_the_limit_alone_the_small_pictures_stay(opened):
    book = opened(1_000_000)
    book.keep(*gallery(0), files(50))
    assert len(book.pictured("s0")) == 50
    assert book.picture("s0", 0, "large") and not book.picture("s0", 49, "large")


def test_of_a_node_the_last_runs_stay_each_with_all_of_its_searches(opened, galleries, monkeypatch):
    monkeypatch.setattr(galleries, "RUNS", 2)
    book = opened()
    for number, run in enumerate("aabbcc"):
        book.keep(*gallery(number, run=run), files(1))
    book.keep(*gallery(9, node="3"), files(1))
    assert book.searches() == {"s2", "s3", "s4", "s5", "s9"}
    assert book.database.read("SELECT count(*) AS n FROM pictures WHERE search IN ('s0', 's1')")[0]["n"] == 0


def test_the_most_galleries_in_all_and_the_oldest_age(opened, galleries, monkeypatch):
    monkeypatch.setattr(galleries, "MOST", 3)
    book = opened()
    for number in range(5):
        book.keep(*gallery(number, node=str(number)), files(1))
    assert book.searches() == {"s2", "s3", "s4"}
    with book.database.writing() as writing:
        writing.execute("UPDATE galleries SET used = used - 31 * 86400 WHERE search = 's3'")
    book.keep(*gallery(5, node="5"), files(1))
    assert book.searches() == {"s2", "s4", "s5"}


def test_what_is_gone_is_said(host, searches, restart, file):
    search(host, seed=20)
    restart()
    altered(file, "DELETE FROM pictures WHERE candidate > 1 OR kind = 'large'")
    (state,) = shown(searches)
    assert [row["picture"] for row in state["candidates"]] == [True, True, False, False]
    assert "Pictures that are no longer kept on disk: 2. Their noises and seeds are." in state["notes"]
    again = searches.whole(searches.runs_in_place(PAGE, FLOW)[0])
    assert again.picture(0, "large") == again.picture(0, "small") and again.picture(3, "small") is None


def test_a_run_too_many_for_the_memory_is_on_the_shelf(host, searches, restart, monkeypatch):
    monkeypatch.setattr(searches, "RUNS", 2)
    for seed in range(4):
        search(host, seed=30 + seed)
    host.part("nodes.host.page.shelf").settle()
    assert len(searches.everywhere()) == 2
    assert [state["candidates"][0]["seed"] for state in shown(searches)] == ["30", "31", "32", "33"]


def test_what_cannot_be_written_as_json_is_not_kept_and_the_next_one_is(host, searches, shelf, restart, file, caplog):
    shelf.shelf_of("").keep(lambda: (gallery(1)[0], {"workflow": object}, ()))
    search(host, seed=39)
    restart()
    assert "not kept for after a restart" in caplog.text
    assert [state["candidates"][0]["seed"] for state in shown(searches)] == ["39"]


def test_a_full_disk_costs_the_gallery_and_not_the_search(host, searches, restart, galleries, monkeypatch, caplog):
    monkeypatch.setattr(galleries, "SPARE", 1 << 62)
    search(host, seed=40)
    restart()
    assert shown(searches) == [] and "not kept for after a restart" in caplog.text


def test_two_servers_write_into_one_folder_and_lose_nothing(opened):
    books = [opened(), opened()]

    def write(which):
        for number in range(12):
            books[which].keep(*gallery(f"{which} {number}", node=str(which)), files(3, 2000, 8000))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (0, 1)))
    assert len(opened().searches()) == 24
    there = [books[0].pictured(f"s{which} {number}") for which in (0, 1) for number in range(12)]
    assert there == [{0, 1, 2}] * 24


def test_what_another_server_removed_is_not_there(host, searches, restart, file):
    search(host, seed=50)
    restart()
    (found,) = searches.runs_in_place(PAGE, FLOW)
    altered(file, "DELETE FROM galleries")
    assert found.state() is None and searches.whole(found) is None
