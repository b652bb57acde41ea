"""What a benchmark has measured it never measures again; what it tells comes from what is there."""

import json
import math
import random
import types

import numpy as np
import pytest

from bench import algorithms, cases, comparison, farm, pool, searches, session
from bench.workflow import Workflow
from search.noise import fresh
from search.trace import Measured, Trace

WORKFLOW = Workflow(
    {"t": {"class_type": "CLIPTextEncode", "inputs": {"text": ""}}}, ["s", 0], {"searched": ["v", 0]}, ("t",)
)
AUTO = algorithms.Algorithm("auto", "AutoSearch", (4, 8))


class FakeHost:
    """Stands in for a server: every search finds as many random pictures as it is allowed, whose gray is their
    score.
    """

    def __init__(self):
        self.asked: list[list[tuple[str, int]]] = []

    def run_all(self, client, workflow, text, wanted):
        self.asked.append([(one["class_type"], one["inputs"]["pictures"]) for one in wanted.values()])
        return {name: self.found(one["inputs"]) for name, one in wanted.items()}

    def found(self, inputs):
        draws = random.Random(inputs["seed"])
        trace, values = Trace(("clip",)), [draws.random() for _ in range(inputs["pictures"])]
        for number, value in enumerate(values):
            measured = Measured(values=((value,),), nfe=40, sampling_seconds=2.0)
            trace.add([fresh(number)], measured, ["random"], number)
        trace.scores = values
        best = [trial.values[0] for trial in trace.best(inputs["keep"])]
        pictures = np.stack([np.full((8, 8, 3), round(255 * value), np.uint8) for value in best])
        return cases.Found(json.loads(trace.to_json()), pictures, "done")


@pytest.fixture
def host(monkeypatch):
    host = FakeHost()
    monkeypatch.setattr(pool, "run_all", host.run_all)
    monkeypatch.setattr(searches, "run_all", host.run_all)
    return host


@pytest.fixture
def store(tmp_path):
    return cases.Store(tmp_path / "runs" / "x")


@pytest.fixture
def nodes():
    widgets = {
        "seed": ["INT", {"default": 0}],
        "depth": ["FLOAT", {"default": 0.5}],
        "preset": ["COMBO", {"options": ["plain", "other"]}],
    }
    known = {"AutoSearch": {"input": {"required": {"sampling": ["X"], **widgets}}}}
    return algorithms.Nodes(types.SimpleNamespace(json=lambda path: known))


def some_cases(count=3):
    return [cases.Case(f"prompt {number}") for number in range(count)]


def test_a_pool_is_made_once_in_searches_that_a_node_can_keep(host, store):
    case = cases.Case("a cat")
    for _ in range(2):
        pool.measure_pool(None, WORKFLOW, case, store, 100)
    assert host.asked == [[("RandomSearch", 64), ("RandomSearch", 36)]]
    found = pool.load_pool(store, case)
    assert len(found) == 100 and found.columns == ("clip",) and found.nfe == 40 and found.seconds == (2, 0, 0)
    # each picture beside its own value
    assert np.allclose(found.pictures[:, 0, 0, 0] / 255, found.values[:, 0], atol=1 / 255)


def test_only_searches_that_are_not_there_are_run(host, store, nodes):
    case = cases.Case("a cat")
    for wanted in (searches.units([AUTO], most=4), searches.units([AUTO]), searches.units([AUTO])):
        searches.measure_searches(None, WORKFLOW, nodes, case, 0, store, wanted)
    assert host.asked == [[("AutoSearch", 4)], [("AutoSearch", 8)]]
    assert set(store.read(case)) == {"auto @ 4", "auto @ 8"}


def test_questions_for_few_prompts_leave_the_others_alone(host, store, nodes):
    unit = searches.Unit(AUTO, 4, cases=1)
    for number, case in enumerate(some_cases()):
        searches.measure_searches(None, WORKFLOW, nodes, case, number, store, [unit])
    assert len(host.asked) == 1


def test_an_interrupted_record_leaves_the_old_one(store, monkeypatch):
    case = cases.Case("a cat")
    store.write(case, {"a": 1})
    monkeypatch.setattr(cases.json, "dumps", lambda value: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.write(case, {"a": 2})
    assert store.read(case) == {"a": 1}


def test_unknown_nodes_are_named_and_left_out_and_choices_are_spelled_out(nodes):
    steered = algorithms.Algorithm("steered", "AutoSearch", (8,), each="preset")
    found, absent = nodes.available([AUTO, steered, algorithms.Algorithm("later", "LaterSearch", (8,))])
    assert absent == ["later"]
    assert [(one.name, dict(one.knobs)) for one in found] == [
        ("auto", {}),
        ("steered", {}),
        ("steered, other", {"preset": "other"}),
    ]
    assert nodes.search(found[2], ["v", 0], 8, 5)["inputs"] == {
        "depth": 0.5,
        "preset": "other",
        "verifier": ["v", 0],
        "seed": 5,
        "pictures": 8,
        "minutes": 0.0,
        "keep": 1,
    }


def test_a_search_that_is_no_better_than_random_is_worth_its_pictures(host, store, nodes):
    prompts = some_cases(40)
    for number, case in enumerate(prompts):
        pool.measure_pool(None, WORKFLOW, case, store, 64)
        searches.measure_searches(None, WORKFLOW, nodes, case, number, store, searches.units([AUTO]))
    base = comparison.baseline([pool.load_pool(store, case) for case in prompts], prompts)
    four, eight = comparison.rows(base, store, [AUTO])
    for row, pictures in ((four, 4), (eight, 8)):
        value, low, high = row["equivalent_n"]
        assert low <= pictures <= high and low <= value <= high
        assert row["searched"]["gain"][1] <= 0 <= row["searched"]["gain"][2]
        assert row["nfe"]["search"] == row["nfe"]["best_of_n"] == 40 * pictures
        assert row["seconds"]["search"][0] == pytest.approx(2 * pictures) and "checked" not in row
    assert "auto" in comparison.table([four, eight], 64)


def test_a_row_counts_only_the_prompts_that_were_measured(host, store, nodes):
    prompts = some_cases(3)
    for number, case in enumerate(prompts):
        pool.measure_pool(None, WORKFLOW, case, store, 64)
        if number:
            searches.measure_searches(None, WORKFLOW, nodes, case, number, store, searches.units([AUTO], most=4))
    base = comparison.baseline([pool.load_pool(store, case) for case in prompts], prompts)
    (row,) = comparison.rows(base, store, [AUTO])
    assert row["captions"] == 2
    assert row["searched"]["best_of_n"] == pytest.approx(base.searched[1:, 3].mean())


def test_the_first_error_ends_the_work_and_is_told():
    done = []

    def do(client, case):
        if case.text == "prompt 1":
            raise RuntimeError("no such model")
        done.append(case.text)

    with pytest.raises(RuntimeError, match="no such model"):
        farm.work([None], some_cases(5), do, "pool")
    assert done == ["prompt 0"]


def test_servers_share_the_prompts_and_each_is_done_once():
    done = []
    farm.work([None, None, None], some_cases(20), lambda client, case: done.append(case.text), "pool")
    assert sorted(done) == sorted(case.text for case in some_cases(20))


def test_captions_are_held_out_balanced_and_the_same_every_time():
    found = cases.harder_cases(64)
    assert found == cases.harder_cases(64) and len({case.text for case in found}) == 64
    assert all(case.scene.is_held_out() for case in found)
    families = [case.family for case in found]
    assert {family: families.count(family) for family in cases.HARDER} == dict.fromkeys(cases.HARDER, 8)


def test_what_json_cannot_say_is_null():
    assert session.tidy({"n": (1.0, math.inf, math.nan), 3: np.float64(0.123456789)}) == {
        "n": [1.0, None, None],
        "3": 0.123457,
    }
