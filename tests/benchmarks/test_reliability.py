"""The benchmark of long jobs: parts that were measured stay, a part is there whole or not at all, and a broken promise
fails the run.
"""

import json
import sqlite3
from contextlib import closing

import pytest
from noise_search.bench import killing, reliability, soaking
from noise_search.bench.steps import Steps


@pytest.fixture
def steps(tmp_path):
    return Steps("x", tmp_path)


def test_a_stopped_run_goes_on_with_what_is_missing(steps):
    def fails_at_c(part):
        if part == "c":
            raise KeyboardInterrupt
        return {"part": part}

    with pytest.raises(KeyboardInterrupt):
        steps.all(["a", "b", "c", "d"], fails_at_c)
    measured = []
    found = steps.all(["a", "b", "c", "d"], lambda part: measured.append(part) or {"part": part})
    assert measured == ["c", "d"] and [one["part"] for one in found] == ["a", "b", "c", "d"]


def test_a_section_can_be_measured_again(steps):
    steps.all(["kill_1", "fuzz_1"], lambda part: {})
    steps.forget("kill")
    assert not steps.done("kill_1") and steps.done("fuzz_1")


def test_a_part_is_written_whole_or_not_at_all(steps):
    with pytest.raises(TypeError):
        steps.write("a", {"value": object()})
    assert not steps.done("a")
    steps.write("a", {"value": 1})
    assert steps.read("a") == {"value": 1}


RUN = {"same": True, "twice": 0, "in_flight": 8, "before": 50, "steps": 192}
CURVE = [(number, 10**9) for number in range(1, 20)]


@pytest.mark.parametrize(("changes", "good"), [({}, True), ({"same": False}, False), ({"twice": 1}, False)])
def test_a_result_that_differs_or_is_paid_for_twice_breaks_the_promise(changes, good):
    figures = {"kill": killing.summary([RUN, {**RUN, **changes}])}
    assert reliability.kept(figures) is good
    assert f"{1 + changes.get('same', True)} of 2 results identical" in reliability.told(figures)


@pytest.mark.parametrize(("growth", "good"), [(4000, True), (5000, False)])
def test_memory_that_grows_breaks_the_promise(growth, good):
    grown = [(number, size + growth * number) for number, size in CURVE]
    assert reliability.kept({"soak": soaking.summary(grown, CURVE)}) is good


@pytest.mark.parametrize(
    ("wrong", "good"), [([], True), (["graph 3: cfg = 2.0 changed the latent and not the key"], False)]
)
def test_a_key_that_does_not_tell_two_pictures_apart_breaks_the_promise(wrong, good):
    figures = {"keys": {"cases": 10, "changed": 4, "wrong": wrong}}
    assert reliability.kept(figures) is good and "10 cases, 4 with another picture" in reliability.told(figures)


def test_the_plot_is_drawn(tmp_path):
    path = soaking.plot(soaking.summary(CURVE, CURVE), tmp_path / "x.png")
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_what_a_store_holds_is_counted_from_a_copy_of_it(tmp_path):
    folder = tmp_path / "user" / "noise_search"
    folder.mkdir(parents=True)
    path = folder / "noise_search.sqlite3"
    with closing(sqlite3.connect(path)) as book, book:
        book.execute("CREATE TABLE latents (nfe)")
        book.executemany("INSERT INTO latents VALUES (?)", [(16,)] * 3)
    before = path.read_bytes()
    assert killing.steps_kept(tmp_path) == 24
    assert path.read_bytes() == before


def test_every_kind_of_search_is_killed():
    assert {killing.graph(number)["2"]["class_type"] for number in range(30)} == set(killing.KINDS)
    assert len(json.dumps([killing.graph(number) for number in range(30)])) > 0
