"""The trace: what a search did, on paper and back."""

import json

import pytest
from noise_search.search import Trace, mix
from noise_search.search.zero_order import ZeroOrderSearch
from noise_search.tests.search.landscapes import linear, searched


def test_a_trace_comes_back_from_its_text():
    trace = searched(ZeroOrderSearch, linear, pictures=20, seed=3)
    again = Trace.from_json(trace.to_json())
    assert again == trace and again.to_json() == trace.to_json() and again.best(3) == trace.best(3)
    assert any(trial.parents for trial in again.trials) and again.stopped == "pictures"


def test_what_came_behind_the_picture_that_reached_the_target_comes_back_as_such():
    trace = searched(ZeroOrderSearch, linear, pictures=8, seed=3)
    assert "behind" not in json.loads(trace.to_json())
    first = trace.best(8)[0].id
    trace.behind = 8 - first
    again = Trace.from_json(trace.to_json())
    assert again == trace and again.best(8) == trace.best(8) and all(trial.id < first for trial in again.best(8))


def test_a_trace_finds_the_trial_of_a_candidate():
    trace = Trace.from_json(searched(ZeroOrderSearch, linear, pictures=8, seed=3).to_json())
    assert [trace.id_of(trial.candidate) for trial in trace.trials] == list(range(8))
    assert (
        trace.id_of(mix(trace.trials[0].candidate, 1, 0.5)) is None
        and trace.score_of(trace.trials[5].candidate) == trace.scores[5]
    )


@pytest.mark.parametrize("version", [1, "2", None])
def test_a_trace_of_another_version_is_refused(version):
    body = json.loads(Trace().to_json()) | {"noise_search_trace": version}
    with pytest.raises(ValueError, match=f"trace must be of version 2, got {version}"):
        Trace.from_json(json.dumps(body))
