"""The benchmark in equal seconds: what best of N is given, what is said of it, and what the documentation says."""

import json
import math
import random
import re
import types

import numpy as np
import pytest
from noise_search.dev import PACK

from bench import cases, pool, seconds
from bench.algorithms import Algorithm
from bench.workflow import Workflow, bundled
from search.noise import fresh
from search.trace import Measured, Trace

NODES = {"t": {"class_type": "CLIPTextEncode", "inputs": {"text": ""}}}
LINKS = {"searched": ["v", 0], "accept": ["a", 0], "judge": ["j", 0]}
WORKFLOW = Workflow(NODES, ["s", 0], LINKS, ("t",))
AUTO = Algorithm("auto", "AutoSearch", (2, 4))
ACCEPT = Algorithm("auto, accept", "AutoSearch", (2, 4))
PACE = 3.0  # seconds per random picture


class FakeHost:
    """Stands in for a server: a random picture takes `PACE` seconds, and a search makes what its minutes pay for."""

    def __init__(self):
        self.asked = []

    def run_all(self, client, workflow, text, wanted):
        self.asked += [one["inputs"] for one in wanted.values()]
        return {name: self.found(one["inputs"]) for name, one in wanted.items()}

    def found(self, inputs):
        minutes = inputs.get("minutes", 0)
        count = min(inputs["pictures"], round(60 * minutes / PACE) or inputs["pictures"])
        draws, trace = random.Random(inputs["seed"]), Trace(("clip",))
        trace.scores = [draws.random() for _ in range(count)]
        for number, value in enumerate(trace.scores):
            measured = Measured(((value,),), 40, PACE - 0.5, 0.25, 0.25)
            trace.add([fresh(number)], measured, ["random"], number)
        best = [trial.values[0] for trial in trace.best(inputs.get("keep", 1))]
        pictures = np.stack([np.full((8, 8, 3), round(255 * value), np.uint8) for value in best])
        said = f"held out: Judge {', '.join(f'{value:.4g}' for value in best)} (own seed 0.1, +0.2)"
        return cases.Found(json.loads(trace.to_json()), pictures, f"done\n{said}\nmore")


@pytest.fixture
def host(monkeypatch):
    found = FakeHost()
    monkeypatch.setattr(pool, "run_all", found.run_all)
    monkeypatch.setattr(seconds, "run_all", found.run_all)
    return found


@pytest.fixture
def plan(tmp_path):
    prompts = [cases.Case(text) for text in ("a fox", "an owl", "a cat")]
    return seconds.Plan(WORKFLOW, prompts, 0, (AUTO, ACCEPT), cases.Store(tmp_path / "x"), 8)


def nodes():
    def search(algorithm, verifier, pictures, seed):
        return {"class_type": algorithm.node, "inputs": {"verifier": verifier, "seed": seed, "pictures": pictures}}

    return types.SimpleNamespace(search=search)


def measured(plan):
    for number, case in enumerate(plan.cases):
        seconds.measure(None, plan, nodes(), case, number)


def told(plan):
    return seconds.told(seconds.raw(plan), plan.algorithms)


def test_a_search_gets_the_seconds_that_so_many_random_pictures_took(host, plan):
    measured(plan)
    limits = [60 * inputs["minutes"] for inputs in host.asked if inputs["minutes"]]
    assert limits == pytest.approx([2 * PACE, 4 * PACE] * 2 * 3)
    assert all(inputs["held_out"] == ["j", 0] for inputs in host.asked)
    assert [("accept" in inputs) for inputs in host.asked if inputs["minutes"]] == [False, False, True, True] * 3


def test_what_was_measured_is_not_measured_again(host, plan):
    measured(plan)
    count = len(host.asked)
    measured(plan)
    assert len(host.asked) == count and not any(seconds.missing(plan, case, 0) for case in plan.cases)


def test_best_of_n_is_given_what_the_search_really_took(host, plan):
    measured(plan)
    (row, *_) = told(plan)["rows"]
    assert (row["search"], row["worth"], row["captions"]) == ("auto", 2, 3)
    assert row["random pictures of these seconds"] == pytest.approx(2)
    line = seconds.prompt_of(seconds.raw(plan)[0]).plain["judge"]
    assert seconds.at(line, 2.0) == pytest.approx(line[1]) and seconds.at(line, 0.5) == line[0]
    middle = seconds.at(line, math.sqrt(2 * 4))
    assert middle == pytest.approx(np.interp(math.log(math.sqrt(8)), np.log([1, 2, 3, 4]), line[:4]))


def test_the_unseen_judge_of_a_workflow_is_read_from_what_the_search_says(host, plan):
    measured(plan)
    record = plan.store.read(plan.cases[0])["auto @ 2"]
    assert record["checked"] == pytest.approx(record["values"][0], abs=1e-4)
    found = cases.Found(
        {}, np.zeros((1, 8, 8, 3)), "accept: X took #2 (its own score 3).\nheld out: CLIP score (ViT) 0.31, -1e-05"
    )
    assert seconds.opinions(found) == [0.31, -1e-05]
    with pytest.raises(RuntimeError, match="unseen judge"):
        seconds.opinions(cases.Found({}, np.zeros((1, 8, 8, 3)), "done"))


def test_searches_are_compared_prompt_by_prompt(host, plan):
    measured(plan)
    for number, case in enumerate(plan.cases):
        records = plan.store.read(case)
        records["auto @ 2"]["checked"], records["auto, accept @ 2"]["checked"] = number, number + 0.5
        plan.store.write(case, records)
    one = next(one for one in told(plan)["compared"] if one["of"] == "auto, accept @ 2")
    assert one["less"] == "auto @ 2" and one["by"] == "judge"
    assert [one["difference"][name] for name in ("mean", "low", "high")] == [0.5, 0.5, 0.5]


def test_of_many_comparisons_only_those_hold_that_would_hold_for_all_together():
    found = [{"p": p} for p in (0.03, 0.004, 0.02, 0.9)]
    seconds.mark(found)
    assert [one["holds"] for one in found] == [False, True, False, False], "0.004 < 0.05 / 4, but 0.02 > 0.05 / 3"


def test_where_a_second_judge_takes_one_of_the_best_its_opinion_counts_among_those_only():
    values = np.arange(32.0)
    opinion = -values  # it likes the worst of what it is shown
    line = seconds.accepted_curves(values, opinion, {"judge": values})["judge"]
    assert line[0] == pytest.approx(values.mean(), abs=2) and line[31] == 32 - seconds.ACCEPTED_FROM


def test_the_bundled_workflow_has_both_judges():
    workflow = bundled(verifier=seconds.DRAWN, accept=seconds.ACCEPTING)
    names = {name: workflow.nodes[link[0]]["inputs"]["verifier"] for name, link in workflow.verifiers.items() if name in
             ("searched", "accept")}  # fmt: skip
    assert names == {"searched": seconds.DRAWN, "accept": seconds.ACCEPTING}
    for name in names.values():
        assert (PACK / "demo" / "weights" / name / "open_clip_pytorch_model.bin").exists()


def test_a_workflow_of_ones_own_gets_the_judges_that_are_named():
    workflow = seconds.with_judges(WORKFLOW, "ImageReward", "")
    assert workflow.nodes["bench_judge"]["inputs"]["verifier"] == "ImageReward"
    assert workflow.verifiers["judge"] == ["bench_judge", 0] and workflow.verifiers["accept"] == ["a", 0]


def figures_of(name):
    return json.loads((PACK / f"bench/figures/{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def committed():
    return tuple(map(figures_of, RUNS))


RUNS = {"seconds": (64, seconds.WORTHS), "seconds_24": (24, seconds.WORTHS), "seconds_8": (64, (8,))}


@pytest.mark.parametrize("name", RUNS)
def test_the_committed_figures_come_of_the_committed_measurements(name):
    figures, (captions, worths) = figures_of(name), RUNS[name]
    algorithms = tuple(seconds.only((*seconds.AUTO, *seconds.OTHERS), worths))
    again = seconds.tidy(seconds.told(figures["measured"], algorithms))
    assert len(again["rows"]) == len(figures["rows"]) and len(figures["measured"]) == captions
    for mine, theirs in zip(again["rows"], figures["rows"], strict=True):
        for scale in ("judge", "passed", "near", "verifier"):
            assert mine[scale]["gain"] == pytest.approx(theirs[scale]["gain"], rel=1e-4, abs=1e-4), mine["search"]


def test_the_documentation_has_the_committed_figures(committed):
    lines = seconds.documented(*committed)
    text = (PACK / "docs/benchmarks.md").read_text(encoding="utf-8").splitlines()
    assert lines == [line for line in text if line in lines], "docs/benchmarks.md: the rows of `bench seconds`"
    differences = seconds.documented_differences(committed[1])
    assert len(differences) == 6 and differences == [line for line in text if line in differences]
    readme = (PACK / "README.md").read_text(encoding="utf-8").splitlines()
    shown = [line for line in readme if re.match(r"\| (Auto Search|best of N)[^|]*\| \d+ \|", line)]
    assert len(shown) >= 8 and set(shown) <= set(lines), "README.md: the rows of `bench seconds`"


def test_new_captions_and_some_of_the_times_are_measured_apart(monkeypatch):
    monkeypatch.setattr("sys.argv", ["x", "--skip", "64", "--captions", "6", "--worths", "8", "32", "--others", "0"])
    plan = seconds.planned(seconds.parsed())
    looked_at = {case.text for case in cases.harder_cases(64)}
    assert len(plan.cases) == 6 and not looked_at & {case.text for case in plan.cases}
    assert [(one.name, one.budgets) for one in plan.algorithms[:2]] == [("auto", (8, 32)), ("auto, accept", (8, 32))]
    assert {one.name for one, _ in plan.wanted(0)} == {"auto", "auto, accept"}
