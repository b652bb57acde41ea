"""The store beneath searches: several threads, several servers, a full limit, versions."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from noise_search.tests.host import COMFYUI_PATH

HOST = Path(__file__).parents[2] / "nodes" / "host" / "store"
# Another server's process, as far as the store goes: what is done there with `store`, a path and a name.
OTHER = f"""
import sys, types
sys.path.insert(0, {COMFYUI_PATH!r})
pack = types.ModuleType("pack")
pack.__path__ = [{str(HOST)!r}]
sys.modules["pack"] = pack
sys.argv, arguments = sys.argv[:1], sys.argv[1:]
from pathlib import Path
from pack.records import Sampled, Store
path, name, count, limit = Path(arguments[0]), arguments[1], int(arguments[2]), int(arguments[3])
store = Store(path, limit)
for number in range(count):
    store.keep_latents(name, {{f"{{number}}": Sampled(0.0, number, 4, f"{{name}} {{number}}".encode() * 50)}})
    store.keep_values(name, "judge", {{f"{{number}}": (float(number),)}})
print("written", flush=True)
store.close()
"""


@pytest.fixture
def store(host):
    return host.part("nodes.host.store.records")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "noise_search" / "store.sqlite3"


def other(path, name, count, limit=10**9):
    return subprocess.Popen(
        [sys.executable, "-c", OTHER, str(path), name, str(count), str(limit)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def latents(store, names, size=1000):
    return {name: store.Sampled(0.0, 5, 4, name.encode().ljust(size, b".")) for name in names}


def test_two_servers_write_two_thousand_records_each_and_all_are_there(store, path):
    servers = [other(path, name, 1000) for name in ("one", "two")]
    assert [server.wait(120) for server in servers] == [0, 0]
    for server in servers:
        server.stdout.close()
    with closing(store.Store(path, 10**9)) as book:
        for name in ("one", "two"):
            for number in range(1000):
                assert book.latent(name, f"{number}").data == f"{name} {number}".encode() * 50
                assert book.values(name, f"{number}", "judge") == (float(number),)


def test_what_one_server_writes_another_that_is_open_sees_at_once(store, path):
    with closing(store.Store(path, 10**9)) as one, closing(store.Store(path, 10**9)) as two:
        one.keep_latents("setup", latents(store, ["a"]))
        assert two.latent("setup", "a") is not None
        two.keep_latents("setup", latents(store, ["b"]))
        assert one.latent("setup", "b") is not None


def test_one_server_makes_room_while_another_writes(store, path):
    server = other(path, "other", 300)
    with closing(store.Store(path, 40_000)) as book:
        number = 0
        while server.poll() is None or number < 20:
            book.keep_latents("mine", latents(store, [f"{number}"]))
            assert book.latent("mine", f"{number}") is not None, "the newest is always there"
            number += 1
    server.stdout.close()
    assert server.returncode == 0
    with closing(sqlite3.connect(path)) as book:
        (held,) = book.execute("SELECT bytes FROM held").fetchone()
        sizes = sum(book.execute(f"SELECT coalesce(sum(size), 0) FROM {table}").fetchone()[0] for table in store.TABLES)
        assert held == sizes and book.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_server_killed_in_the_middle_of_writing_leaves_whole_records_only(store, path):
    server = other(path, "killed", 100_000)
    deadline = time.monotonic() + 60
    found = 0
    while found < 40 and time.monotonic() < deadline:
        if path.exists():
            with closing(sqlite3.connect(path, timeout=30)) as book:
                (made,) = book.execute("SELECT count(*) FROM sqlite_master WHERE name = 'latents'").fetchone()
                found = book.execute("SELECT count(*) FROM latents").fetchone()[0] if made else 0
    server.kill()
    server.wait()
    server.stdout.close()
    with closing(store.Store(path, 10**9)) as book:
        number = 0
        while (one := book.latent("killed", f"{number}")) is not None:
            assert one.data == f"killed {number}".encode() * 50
            number += 1
        assert number >= 40 and not book.notes


def test_two_hundred_notes_at_once_are_all_kept(store, path):
    """Before, 175 of 200 pairs lost one."""
    with closing(store.Store(path, 10**9)):
        """The file is there."""

    def note(number):
        with closing(store.Store(path, 10**9)) as book:
            book.note(f"run {number // 2}", "pinned" if number % 2 else "finished", {"number": number})

    threads = [threading.Thread(target=note, args=[number]) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(store.Store(path, 10**9)) as book:
        for number in range(200):
            assert book.noted(f"run {number // 2}", "pinned" if number % 2 else "finished") == {"number": number}


def test_the_limit_holds_for_all_that_is_kept_and_values_go_with_their_latents(store, path):
    with closing(store.Store(path, 10 * 1200)) as book:
        for number in range(30):
            book.keep_latents("setup", latents(store, [f"{number}"]))
            book.keep_values("setup", "judge", {f"{number}": (1.0,)})
    with closing(sqlite3.connect(path)) as book:
        assert book.execute("SELECT bytes FROM held").fetchone()[0] <= 12_000
        kept = {key for (key,) in book.execute("SELECT key FROM latents")}
        assert "29" in kept and {key for (key,) in book.execute("SELECT key FROM measured")} <= kept


def test_many_notes_alone_keep_to_the_limit_as_well(store, path):
    with closing(store.Store(path, 5000)) as book:
        for number in range(100):
            book.note(f"run {number}", "pinned", {"keys": ["x" * 50]})
        assert book.noted("run 99", "pinned") and not book.noted("run 0", "pinned")


def test_what_lies_on_the_disk_shrinks_when_it_is_forgotten(store, path):
    with closing(store.Store(path, 10**9)) as book:
        book.keep_latents("setup", latents(store, [f"{number}" for number in range(20)], 100_000))
    before = path.stat().st_size
    with closing(store.Store(path, 10**9)) as book:
        assert book.forget(["setup"], "run") > 2_000_000
    assert path.stat().st_size < before / 10


def test_opening_reads_nothing_of_what_is_kept(store, path):
    """Before, the whole file was read and parsed: 7.6 s for 300 MB, which `dev.py bench reliability` measures here."""
    with closing(store.Store(path, 10**9)) as book:
        book.keep_latents("setup", latents(store, [f"{number}" for number in range(40)], 1_000_000))
    times = []
    for _ in range(5):
        began = time.perf_counter()
        with closing(store.Store(path, 10**9)) as book:
            assert book.latent("setup", "7") is not None
        times.append(time.perf_counter() - began)
    assert min(times) < 0.05


def test_a_folder_without_a_write_ahead_log_works_and_says_so(host, store, path, monkeypatch):
    """Network shares and some synchronised folders: there, SQLite answers with another mode."""
    database = host.part("nodes.host.store.database")

    class Refusing(sqlite3.Connection):
        def execute(self, statement, *values):
            return super().execute("PRAGMA journal_mode = DELETE" if "WAL" in statement else statement, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(
        database.sqlite3, "connect", lambda *rest, **options: connect(*rest, factory=Refusing, **options)
    )
    with closing(store.Store(path, 10**9)) as book:
        book.keep_latents("setup", latents(store, ["a"]))
        assert book.latent("setup", "a") and "no write-ahead log (delete instead)" in book.notes[0]


def test_a_database_of_the_first_version_is_brought_up_to_date_once(host, path):
    database = host.part("nodes.host.store.database")
    first = database.MIGRATIONS[:1]
    with closing(database.Database(path, first)) as book, book.writing() as connection:
        connection.execute("INSERT INTO notes VALUES ('run', 'kind', '{}', x'00', 2, 1.0)")
    more = (*database.MIGRATIONS, "CREATE TABLE of_tomorrow (x); INSERT INTO of_tomorrow VALUES (1);")
    for _ in range(2):
        with closing(database.Database(path, more)) as book:
            assert book.read("PRAGMA user_version")[0][0] == len(more)
            assert len(book.read("SELECT * FROM of_tomorrow")) == 1 and len(book.read("SELECT * FROM notes")) == 1


def test_a_migration_that_fails_leaves_the_database_as_it_was(host, path):
    database = host.part("nodes.host.store.database")
    with closing(database.Database(path)):
        """Made."""
    with pytest.raises(sqlite3.OperationalError):
        database.Database(path, (*database.MIGRATIONS, "CREATE TABLE half (x); CREATE TABLE half (x);"))
    with closing(database.Database(path)) as book:
        assert book.read("SELECT count(*) FROM sqlite_master WHERE name = 'half'")[0][0] == 0


def test_what_failed_half_way_leaves_nothing_and_the_next_write_is_kept(host, path):
    database = host.part("nodes.host.store.database")
    book = database.Database(path, ("CREATE TABLE one (number INTEGER)",))
    with pytest.raises(ZeroDivisionError), book.writing() as connection:
        connection.execute("INSERT INTO one VALUES (1)")
        raise ZeroDivisionError
    with book.writing() as connection:
        connection.execute("INSERT INTO one VALUES (2)")
    assert [row["number"] for row in book.read("SELECT number FROM one")] == [2]
    book.close()
