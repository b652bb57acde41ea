"""Nothing that was paid for is lost: a search that was cut short goes on where it was, in the real host."""

import math
import sqlite3
from contextlib import closing

import pytest
import torch
from noise_search.tests.nodes.graphs import Brightness, drop_in, kept
from noise_search.tests.nodes.test_two_stage import hires


class Counting(Brightness):
    """Judges by brightness and counts what it judged; fails at the given picture."""

    def __init__(self, fails_at: float = math.inf):
        self.fails_at, self.judged = fails_at, 0

    def measure(self, images, prompt):
        if self.judged + len(images) > self.fails_at:
            raise ValueError("pictures must be fewer, got too many")
        self.judged += len(images)
        return super().measure(images, prompt)


@pytest.fixture(autouse=True)
def stored(host, monkeypatch, tmp_path):
    """Where the store is, switched on and empty."""
    import folder_paths

    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    return tmp_path / "noise_search" / "noise_search.sqlite3"


def changed(path, statement, *values):
    """Does something to the database behind the pack's back."""
    with closing(sqlite3.connect(path)) as book, book:
        return book.execute(statement, values).fetchall()


def put(host, verifier):
    host.toys.VALUES["verifier"] = verifier
    return {"v": {"class_type": "ToyValue", "inputs": {"name": "verifier", "mark": "brightness"}}}


def searched(host, verifier, *names, **inputs):
    return host.run({**drop_in(verifier=["v", 0], **inputs), **put(host, verifier), **kept("2", *names)})


def test_queued_again_in_a_new_session_nothing_is_paid_for_and_the_result_is_the_same(host, sampled):
    first = searched(host, Counting(), "latent", "trace", "score", search="random")
    paid = sum(sampled)
    sampled.clear()
    judge = Counting()
    again = searched(host, judge, "latent", "trace", "score", search="random")
    assert paid == 6 and sampled == [] and judge.judged == 0
    assert torch.equal(again.kept["latent"][0]["samples"], first.kept["latent"][0]["samples"])
    assert again.kept["trace"][0].scores == first.kept["trace"][0].scores
    assert "6 of these pictures were known" in again.outputs["2"]["text"][0]


def test_a_larger_budget_pays_for_the_difference_only(host, sampled):
    searched(host, Counting(), "trace", search="random")
    sampled.clear()
    searched(host, Counting(), "trace", search="random", pictures=10)
    assert sum(sampled) == 4


def test_what_was_sampled_before_a_verifier_failed_is_not_sampled_again(host, sampled):
    failed = searched(host, Counting(fails_at=8), "trace", pictures=12, search="random")
    assert "pictures must be fewer" in failed.error
    paid = sum(sampled)
    sampled.clear()
    judge = Counting()
    done = searched(host, judge, "trace", pictures=12, search="random")
    assert not done.error and paid + sum(sampled) == 12 and judge.judged == 4


def test_another_judge_needs_no_new_samples(host, sampled):
    searched(host, Counting(), "trace", search="random")
    sampled.clear()
    judge = Counting()
    host.run(
        {**drop_in(verifier=["v", 0], prompt="another text", search="random"), **put(host, judge), **kept("2", "trace")}
    )
    assert sampled == [] and judge.judged == 6


@pytest.mark.parametrize(
    "change", [{"steps": 3}, {"cfg": 2.0}, {"sampler_name": "heun"}, {"scheduler": "normal"}, {"denoise": 0.5}]
)
def test_another_setup_never_uses_it(host, sampled, change):
    searched(host, Counting(), "trace", search="random")
    sampled.clear()
    searched(host, Counting(), "trace", search="random", **change)
    assert sum(sampled) >= 6


def test_a_walk_goes_on_from_states_of_the_run_before(host, sampled):
    """Auto search drafts, finishes drafts and refines: all of it must come from the journal, states within the path
    too.
    """
    first = searched(host, Counting(), "latent", "recipe", "trace", steps=16, pictures=8)
    sampled.clear()
    again = searched(host, Counting(), "latent", "recipe", "trace", steps=16, pictures=8)
    kinds = {trial.how for trial in first.kept["trace"][0].trials}
    assert {"draft", "refined"} <= kinds, kinds
    assert sampled == [] and again.kept["recipe"] == first.kept["recipe"]
    assert torch.equal(again.kept["latent"][0]["samples"], first.kept["latent"][0]["samples"])


def test_one_lost_record_is_paid_for_again_and_nothing_else(host, sampled, stored):
    first = searched(host, Counting(), "latent", search="random")
    changed(stored, "DELETE FROM latents WHERE rowid = 2")
    sampled.clear()
    again = searched(host, Counting(), "latent", search="random")
    assert sum(sampled) == 1
    assert torch.allclose(again.kept["latent"][0]["samples"], first.kept["latent"][0]["samples"], atol=1e-5)


def test_a_disk_that_gives_back_other_bytes_is_not_believed(host, sampled, stored):
    """SQLite does not look at what it gives back; a latent with one flipped bit would be another picture without a
    word.
    """
    first = searched(host, Counting(), "latent", "score", search="random")
    (data,) = changed(stored, "SELECT data FROM latents WHERE rowid = 1")[0]
    changed(stored, "UPDATE latents SET data = ? WHERE rowid = 1", data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    changed(stored, "UPDATE measured SET row = replace(row, '0', '1')")
    sampled.clear()
    again = searched(host, Counting(), "latent", "score", search="random")
    assert sum(sampled) == 1 and torch.allclose(
        again.kept["latent"][0]["samples"], first.kept["latent"][0]["samples"], atol=1e-5
    )
    assert again.kept["score"] == pytest.approx(first.kept["score"], abs=1e-5)


def test_switched_off_nothing_is_written_and_no_identity_is_made(host, monkeypatch, stored):
    monkeypatch.setenv("NOISE_SEARCH_STORE", "off")
    monkeypatch.setattr(host.part("nodes.runner"), "identity_of", None)
    assert not searched(host, Counting(), "trace").error and not stored.parent.exists()


@pytest.mark.parametrize("name", ["NOISE_SEARCH_STORE", "NOISE_SEARCH_JOURNAL"])
def test_a_switch_that_says_nothing_is_refused_under_either_name(host, monkeypatch, name):
    monkeypatch.delenv("NOISE_SEARCH_STORE")
    monkeypatch.setenv(name, "plenty")
    assert f'{name} must be "off" or a number of gigabytes' in searched(host, Counting(), "trace").error


def test_a_full_disk_costs_the_memory_only_and_says_so(host, monkeypatch, sampled):
    monkeypatch.setattr(host.part("nodes.host.store.records"), "SPARE", 1 << 62)
    result = searched(host, Counting(), "trace")
    assert not result.error and "Not kept for another run" in result.outputs["2"]["text"][0]


def test_twelve_searches_into_a_store_for_five_leave_the_newest_five(host, sampled, monkeypatch, stored):
    """Before, the oldest two stayed and ten were never kept."""
    monkeypatch.setenv("NOISE_SEARCH_STORE", str(5.5 * 6 * 4700 / 1e9))  # a picture takes about 4.6 kB here
    for seed in range(12):
        assert (
            "Not kept"
            not in searched(host, Counting(), "trace", search="random", seed=1000 * seed).outputs["2"]["text"][0]
        )
    paid = []
    for seed in reversed(range(12)):
        sampled.clear()
        searched(host, Counting(), "trace", search="random", seed=1000 * seed)
        paid.append(sum(sampled))
        if seed > 6:
            assert paid[-1] == 0, seed
    assert all(paid[6:]), paid


def test_what_is_used_again_stays_and_what_was_not_goes(host, sampled, monkeypatch):
    monkeypatch.setenv("NOISE_SEARCH_STORE", str(2.1 * 6 * 4700 / 1e9))
    for seed in (1000, 2000, 1000, 3000):
        searched(host, Counting(), "trace", search="random", seed=seed)
    sampled.clear()
    searched(host, Counting(), "trace", search="random", seed=1000)
    assert sampled == []
    searched(host, Counting(), "trace", search="random", seed=2000)
    assert sum(sampled) == 6


def test_a_limit_below_one_picture_says_so_once_and_keeps_nothing(host, monkeypatch):
    monkeypatch.setenv("NOISE_SEARCH_STORE", "0.000001")
    text = searched(host, Counting(), "trace", search="random").outputs["2"]["text"][0]
    assert text.count("Not kept for another run") == 1 and "one latent takes" in text


def test_what_was_not_used_for_a_month_goes(host, stored):
    searched(host, Counting(), "trace", search="random")
    changed(stored, "UPDATE latents SET used = used - 31 * 86400")
    searched(host, Counting(), "trace", search="random", seed=77)
    assert changed(stored, "SELECT count(*) FROM latents") == [(6,)]


def test_a_hostile_store_is_data_only(host, stored, sampled):
    """Whatever its records say, nothing is run, and what cannot be a latent of this setup is sampled instead."""
    mark = host.part("nodes.host.store.records").mark
    searched(host, Counting(), "trace", search="random")
    pickle = b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94\x8c\x05print\x94\x93\x94\x8c\x01S"
    pickle += b"\x94\x85\x94R\x94."
    for number, data in enumerate([b"", b"AAAA", pickle, b"\x08\0\0\0\0\0\0\0{}      "], 1):
        changed(stored, "UPDATE latents SET data = ?, mark = ? WHERE rowid = ?", data, mark(data), number)
    changed(stored, "UPDATE latents SET seed = '-1' WHERE rowid = 5")
    changed(stored, "UPDATE latents SET sigma = 1e999 WHERE rowid = 6")
    for number, row in enumerate(["[]", '["a"]', "[1.0, 2.0]", "null", "[true]", "[NaN]"]):
        key = changed(stored, "SELECT key FROM measured ORDER BY key LIMIT 1 OFFSET ?", number)[0][0]
        changed(stored, "UPDATE measured SET row = ?, mark = ? WHERE key = ?", row, mark(row.encode()), key)
    sampled.clear()
    judge = Counting()
    result = searched(host, judge, "trace", search="random")
    assert not result.error and sum(sampled) == 6 and judge.judged == 6


def test_a_store_of_a_newer_version_is_left_as_it_is(host, stored, sampled):
    searched(host, Counting(), "trace", search="random")
    changed(stored, "PRAGMA user_version = 99")
    before = stored.read_bytes()
    sampled.clear()
    result = searched(host, Counting(), "trace", search="random")
    assert (
        sum(sampled) == 6
        and "made by a newer version" in result.outputs["2"]["text"][0]
        and stored.read_bytes() == before
    )


def test_a_damaged_store_is_set_aside_and_costs_only_itself(host, stored, sampled):
    first = searched(host, Counting(), "latent", search="random")
    damaged = stored.read_bytes()[:100] + b"x" * 20_000
    stored.write_bytes(damaged)
    result = searched(host, Counting(), "latent", search="random")
    assert "set aside" in result.outputs["2"]["text"][0] and torch.equal(
        result.kept["latent"][0]["samples"], first.kept["latent"][0]["samples"]
    )
    assert [path.read_bytes()[:200] for path in stored.parent.glob("*.damaged-*.sqlite3")] == [damaged[:200]]
    sampled.clear()
    searched(host, Counting(), "latent", search="random")
    assert sampled == []


def test_journals_of_the_version_before_go_and_nothing_else_does(host, stored):
    old = stored.parent / "journals"
    old.mkdir(parents=True)
    for name in (f"{'a' * 32}.journal", f"{'b' * 32}.json", "mine.journal", "notes.txt"):
        (old / name).write_text("x")
    searched(host, Counting(), "trace", search="random")
    assert sorted(path.name for path in old.iterdir()) == ["mine.journal", "notes.txt"]


def test_the_own_folder_is_the_hosts_user_folder(host, stored):
    searched(host, Counting(), "trace")
    host.part("nodes.host.page.shelf").settle()
    assert sorted(path.name for path in stored.parent.iterdir()) == ["galleries.sqlite3", stored.name]


def steering(host, act, after=1):
    """Acts on the search that tells of its candidates for the `after`th time."""
    searches, told = host.part("nodes.host.page.searches"), []

    def on_event(name, data):
        if name == "noise_search.update" and data.get("candidates"):
            told.append(data)
            if len(told) == after:
                act(searches.find_search(data["search"]))

    return on_event


def watched(host, act, after=1, **inputs):
    prompt = {**drop_in(verifier=["v", 0], search="random", **inputs), **put(host, Counting()), **kept("2", "trace")}
    return host.run(prompt, workflow={"id": "watched", "nodes": []}, on_event=steering(host, act, after))


def test_a_search_that_was_finished_by_hand_gives_the_same_result_again_until_something_is_changed(host, sampled):
    first = watched(host, lambda live: live.steer("finish"), pictures=24)
    trials = len(first.kept["trace"][0].trials)
    assert trials == 8 and first.kept["trace"][0].stopped == "you"
    sampled.clear()
    again = watched(host, lambda live: None, pictures=24)
    assert len(again.kept["trace"][0].trials) == trials and again.kept["trace"][0].stopped == "you" and sampled == []
    more = watched(host, lambda live: None, pictures=25)
    assert len(more.kept["trace"][0].trials) == 25 and sum(sampled) == 25 - trials


def test_what_was_pinned_is_pinned_when_the_search_runs_again(host):
    found = []
    watched(host, lambda live: (live.pin(3, True), live.pin(5, True), live.pin(3, False), found.append(live)))
    host.part("nodes.host.page.searches")._known.clear()
    watched(host, found.append, after=1)
    assert found[0] is not found[1] and found[1].pinned == [5]


def test_a_search_is_forgotten_on_request_and_then_pays_again(host, sampled, stored):
    found = []
    watched(host, found.append)
    assert found[0].memo.forget() > 0 and changed(stored, "SELECT count(*) FROM latents") == [(0,)]
    sampled.clear()
    watched(host, lambda live: None)
    assert sum(sampled) == 6


def test_a_setup_with_a_hires_pass_goes_on_as_well(host, sampled):
    prompt = {**hires("RandomSearch"), **put(host, Counting()), **kept("2", "latent")}
    first = host.run(prompt)
    assert first.ok, first.error
    sampled.clear()
    again = host.run(prompt)
    assert sampled == [] and torch.equal(again.kept["latent"][0]["samples"], first.kept["latent"][0]["samples"])


def test_a_disk_that_cannot_be_read_costs_the_memory_only(host, monkeypatch):
    searched(host, Counting(), "trace", search="random")

    def broken(self, setup, key):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(host.part("nodes.host.store.records").Store, "latent", broken)
    result = searched(host, Counting(), "trace", search="random")
    assert not result.error and "Input/output error" in result.outputs["2"]["text"][0]


def test_a_pin_that_cannot_be_written_costs_the_pin_and_not_the_store(host, sampled, monkeypatch):
    """It comes on a thread of the server, while the search writes its pictures."""
    store = host.part("nodes.host.store.records").Store
    with monkeypatch.context() as patch:
        patch.setattr(
            store, "note", lambda *rest: (_ for _ in ()).throw(sqlite3.OperationalError("database is locked"))
        )
        result = watched(host, lambda live: live.pin(2, True), pictures=12)
    assert result.ok and "Not kept" not in result.outputs["2"]["text"][0]
    sampled.clear()
    watched(host, lambda live: None, pictures=12)
    assert sampled == []


def test_a_search_finished_by_hand_ends_at_the_same_picture_whatever_fits_into_memory(host, sampled, monkeypatch):
    """Before, it ended with a round, and rounds are larger or smaller."""
    first = watched(host, lambda live: live.steer("finish"), pictures=24)
    trials = len(first.kept["trace"][0].trials)
    evaluator = host.part("nodes.host.engine.evaluator").LocalEvaluator
    monkeypatch.setattr(evaluator, "group", property(lambda self: 5))
    sampled.clear()
    again = watched(host, lambda live: None, pictures=24)
    assert len(again.kept["trace"][0].trials) == trials and sampled == [] and again.kept["trace"][0].stopped == "you"
