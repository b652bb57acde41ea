"""Whether Auto Search's constants hold elsewhere: what is measured is what is changed, and is documented."""

import json

import pytest
from noise_search.dev import PACK
from noise_search.search import auto_search
from noise_search.tests.search import flows

from bench import constants

SMALL = constants.World(8, 2, 2, 4, 1.0)


def test_a_constant_is_another_only_while_it_is_measured():
    before = (auto_search.CHILDREN, auto_search.SUCCESS, auto_search.AutoSearch.success)
    with constants.otherwise(auto_search, {"CHILDREN": 1, "SUCCESS": 0.2}):
        assert [auto_search.CHILDREN, auto_search.SUCCESS, auto_search.AutoSearch.success] == [1, 0.2, 0.2]
    assert before == (auto_search.CHILDREN, auto_search.SUCCESS, auto_search.AutoSearch.success)
    with pytest.raises(KeyError), constants.otherwise(auto_search, {"CHILDREN": 1}):
        raise KeyError
    now = (auto_search.CHILDREN, auto_search.SUCCESS, auto_search.AutoSearch.success)
    assert now == before


@pytest.mark.parametrize("constant", ["EXPLORED", "FINISHED", "DEPTH", "CHILDREN", "SUCCESS"])
def test_every_constant_changes_what_is_found(constant):
    world = constants.World(12, 3, 3, 20, 3.0)
    found = {
        value: constants.found(flows, world, 32, 3, **({constant: value} if value else {}))
        for value in (0, *constants.OTHERWISE[constant])
    }
    assert found[0] == constants.found(flows, world, 32, 3), "the same models from the same seeds"
    assert len({tuple(one) for one in found.values()}) > 1


def test_best_of_n_is_what_the_gain_is_over():
    plain = constants.found(flows, SMALL, 4, 2, search="best of N")
    assert plain == pytest.approx(flows_bests(4), abs=1e-6)


def flows_bests(pictures):
    schedule, found = flows.flow_schedule(4, 1.0), []
    for seed in (constants.FIRST_MODEL, constants.FIRST_MODEL + 1):
        model = flows.hierarchy(seed, 8, 2, 2)
        walker = flows.Together(model.data.denoise, schedule, model.score, 8)
        found.append(max(flows.searched(flows.best_of_n, walker, pictures, seed).scores))
    return found


def test_the_documentation_has_the_committed_figures():
    rows = json.loads((PACK / "bench/figures/constants.json").read_text(encoding="utf-8"))["rows"]
    lines = constants.table(rows)
    text = (PACK / "docs/benchmarks.md").read_text(encoding="utf-8").splitlines()
    begin = text.index(lines[0])
    assert len(rows) == 72 and lines == text[begin : begin + len(lines)]
