"""Nothing that was paid for is lost: a search that was cut short goes on where it was, in the real host."""

import math
from pathlib import Path

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
def journals(host, monkeypatch, tmp_path):
    """The folder of the journals, empty and switched on."""
    import folder_paths

    monkeypatch.setenv("NOISE_SEARCH_JOURNAL", "1")
    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    return tmp_path / "noise_search" / "journals"


@pytest.fixture
def sampled(host, monkeypatch):
    """Pictures that went through the sampler since."""
    counted = []
    rollout = host.part("nodes.host.rollout").Rollout
    advance = rollout.advance

    def counting(self, particles, *arguments, **options):
        counted.append(len(particles))
        return advance(self, particles, *arguments, **options)

    monkeypatch.setattr(rollout, "advance", counting)
    return counted


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
    host.run({**drop_in(verifier=["v", 0], prompt="another text", search="random"), **put(host, judge), **kept("2", "trace")})
    assert sampled == [] and judge.judged == 6


@pytest.mark.parametrize("change", [{"steps": 3}, {"cfg": 2.0}, {"sampler_name": "heun"}, {"scheduler": "normal"}, {"denoise": 0.5}])
def test_another_setup_never_uses_it(host, sampled, change):
    searched(host, Counting(), "trace", search="random")
    sampled.clear()
    searched(host, Counting(), "trace", search="random", **change)
    assert sum(sampled) >= 6


def test_a_walk_goes_on_from_states_of_the_run_before(host, sampled):
    """Auto search drafts, finishes drafts and refines: all of it must come from the journal, states within the path too."""
    first = searched(host, Counting(), "latent", "recipe", "trace", steps=16, pictures=8)
    sampled.clear()
    again = searched(host, Counting(), "latent", "recipe", "trace", steps=16, pictures=8)
    kinds = {trial.how for trial in first.kept["trace"][0].trials}
    assert {"draft", "refined"} <= kinds, kinds
    assert sampled == [] and again.kept["recipe"] == first.kept["recipe"]
    assert torch.equal(again.kept["latent"][0]["samples"], first.kept["latent"][0]["samples"])


def test_one_lost_record_is_paid_for_again_and_nothing_else(host, sampled, journals):
    first = searched(host, Counting(), "latent", search="random")
    (path,) = journals.glob("*.journal")
    lines = path.read_bytes().split(b"\n")
    place = next(number for number, line in enumerate(lines) if b'.{"kind":"latent"' in line)
    path.write_bytes(b"\n".join(lines[:place] + lines[place + 1 :]))
    sampled.clear()
    again = searched(host, Counting(), "latent", search="random")
    assert 0 < sum(sampled) < 6
    assert torch.allclose(again.kept["latent"][0]["samples"], first.kept["latent"][0]["samples"], atol=1e-5)


def test_switched_off_nothing_is_written(host, monkeypatch, journals):
    monkeypatch.setenv("NOISE_SEARCH_JOURNAL", "off")
    assert not searched(host, Counting(), "trace").error and not journals.exists()


def test_a_switch_that_says_nothing_is_refused(host, monkeypatch):
    monkeypatch.setenv("NOISE_SEARCH_JOURNAL", "plenty")
    assert 'NOISE_SEARCH_JOURNAL must be "off" or a number of gigabytes' in searched(host, Counting(), "trace").error


def test_a_full_disk_costs_the_memory_only_and_says_so(host, monkeypatch, sampled):
    memo = host.part("nodes.host.memo")
    monkeypatch.setattr(memo, "SPARE", 1 << 62)
    result = searched(host, Counting(), "trace")
    assert not result.error and "Not kept for another run" in result.outputs["2"]["text"][0]


def test_journals_expire_and_the_oldest_go_first(host, journals, tmp_path):
    import os
    import time

    memo = host.part("nodes.host.memo")
    journals.mkdir(parents=True)
    for number, name in enumerate(("old", "middle", "new")):
        path = journals / f"{name}.journal"
        path.write_bytes(b"x" * 400)
        os.utime(path, (time.time() - 3 + number,) * 2)
    os.utime(journals / "old.journal", (time.time() - 31 * 86400,) * 2)
    memo.expire(journals, 1600)
    assert sorted(path.name for path in journals.iterdir()) == ["middle.journal", "new.journal"]
    memo.expire(journals, 700)
    assert [path.name for path in journals.iterdir()] == ["new.journal"]


def test_a_hostile_journal_is_data_only(host, journals, sampled):
    """Whatever its records say, nothing is run, and what cannot be a latent of this setup is sampled instead."""
    searched(host, Counting(), "trace", search="random")
    (path,) = journals.glob("*.journal")
    journal = host.part("search.journal").Journal(path, path.stem)
    bad = [{}, {"data": "not base64"}, {"data": "AAAA", "sigma": 0.0, "seed": 1, "nfe": 4}, {"data": [1], "sigma": "x"}, {"data": "gASVHgAAAAAAAACMCGJ1aWx0aW5zlIwFcHJpbnSUk5SMATGUhZRSlC4=", "sigma": 0, "seed": 1, "nfe": 1}]
    keys = journal.keys("latent")
    journal.add([{"kind": "latent", "key": key, **bad[number % len(bad)]} for number, key in enumerate(keys)])
    journal.add([{"kind": "values", "key": key, "values": wrong} for key, wrong in zip(journal.keys("values"), [[], ["a"], [1.0, 2.0], None, [True], [0.5]])])
    journal.close()
    sampled.clear()
    result = searched(host, Counting(), "trace", search="random")
    assert not result.error and sum(sampled) == 6


def test_the_own_folder_is_the_hosts_user_folder(host, journals):
    searched(host, Counting(), "trace")
    assert [path.suffix for path in Path(journals).iterdir()] == [".journal"]


def steering(host, act, after=1):
    """Acts on the search that tells of its candidates for the `after`th time."""
    live, told = host.part("nodes.host.live"), []

    def on_event(name, data):
        if name == "noise_search.update" and data.get("candidates"):
            told.append(data)
            if len(told) == after:
                act(live.find(data["search"]))

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
    host.part("nodes.host.live")._known.clear()
    watched(host, found.append, after=1)
    assert found[0] is not found[1] and found[1].pinned == [5]


def test_a_search_is_forgotten_on_request_and_then_pays_again(host, sampled, journals):
    found = []
    watched(host, found.append)
    assert list(journals.iterdir()) and found[0].memo.forget() > 0 and not list(journals.iterdir())
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


def test_what_other_searches_use_is_not_forgotten_under_their_hands(host, journals):
    memo = host.part("nodes.host.memo")
    identity = host.part("nodes.host.identity").Identity("a" * 32, "a" * 32, "b" * 32, "c" * 32)
    one, other = memo.Memo(identity), memo.Memo(identity)
    with one, other:
        assert one.journal is other.journal
        with pytest.raises(memo.InUse, match="in use by a search"):
            one.forget()
    assert other.forget() > 0 and not list(journals.glob("*.journal"))


def test_a_disk_that_cannot_be_read_costs_the_memory_only(host, monkeypatch):
    searched(host, Counting(), "trace", search="random")

    def broken(self, kind, key):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(host.part("search.journal").Journal, "get", broken)
    result = searched(host, Counting(), "trace", search="random")
    assert not result.error and "Input/output error" in result.outputs["2"]["text"][0]
