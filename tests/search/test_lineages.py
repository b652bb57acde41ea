"""Pictures that go back to the same noise, and the best of each."""

import pytest
from noise_search.search.lineages import Firsts, Lineages, best_of_lineages, founder_of
from noise_search.search.noise import fresh, leaf, mix, span
from noise_search.search.path import Path, draft, renoise
from noise_search.search.trace import Accepted, Measured, Trace

LEVELS = (1.0, 0.5, 0.0)
ONE, OTHER = fresh(1), fresh(2)
REFINED = renoise(Path(ONE, LEVELS), (0.5, 0.0), 9)


def traced(*rounds):
    """A trace of rounds of (candidate, score), and the lineages that were told of each."""
    trace, found = Trace(("v",)), Lineages()
    for number, pairs in enumerate(rounds):
        candidates, scores = zip(*pairs, strict=True)
        trials = trace.add(candidates, Measured(tuple((score,) for score in scores)), ["x"] * len(pairs), number)
        trace.scores += scores
        found.add(trials, trace)
    return trace, found


@pytest.mark.parametrize(
    ("proposed", "founder"),
    [
        (ONE, ONE),
        (leaf("there", 4), leaf("there", 4)),
        (mix(mix(ONE, 5, 0.9), 6, 0.9), ONE),
        (span((0.6, -0.8), (ONE, OTHER)), OTHER),
        (draft(ONE, LEVELS), ONE),
        (renoise(REFINED, (0.5, 0.0), 10), ONE),
        (Path(None, (0.0,)), Path(None, (0.0,))),
    ],
)
def test_a_lineage_is_all_that_goes_back_to_one_noise(proposed, founder):
    assert founder_of(proposed) == founder


def test_the_first_candidate_of_a_lineage_stands_for_all_that_go_back_to_its_noise():
    firsts, unmeasured = Firsts(), fresh(3)
    asked = [
        ONE,
        draft(OTHER, LEVELS),
        mix(mix(ONE, 5, 0.9), 6, 0.9),
        OTHER,
        REFINED,
        mix(unmeasured, 7, 0.9),
        unmeasured,
    ]
    assert [firsts.of(one, number) for number, one in enumerate(asked)] == [0, 1, 0, 1, 0, 5, 5]


def test_the_best_of_different_lineages_are_one_picture_each():
    trace, found = traced([(ONE, 1.0), (OTHER, 2.0)], [(REFINED, 5.0), (renoise(REFINED, (0.5, 0.0), 10), 4.0)])
    assert [trial.id for trial in found.best(8, trace)] == [2, 1]
    assert [trial.id for trial in found.best(1, trace)] == [2]


def test_drafts_are_no_pictures_of_their_lineage():
    trace, found = traced([(draft(ONE, LEVELS), 9.0), (OTHER, 1.0)])
    assert [trial.id for trial in found.best(8, trace)] == [1]


def test_of_equal_scores_the_earlier_picture_stands_for_its_lineage():
    trace, found = traced([(ONE, 3.0), (OTHER, 3.0)], [(REFINED, 3.0)])
    assert [trial.id for trial in found.best(8, trace)] == [0, 1]


def test_scores_that_change_with_the_pool_choose_anew():
    trace, found = traced([(ONE, 1.0), (OTHER, 2.0)], [(REFINED, 5.0)])
    trace.scores[:] = [7.0, 2.0, 5.0]
    found.rescored(trace)
    assert [trial.id for trial in found.best(8, trace)] == [0, 1]
    assert [trial.id for trial in best_of_lineages(trace, 8)] == [0, 1]


def test_what_came_in_behind_the_one_that_reached_the_target_does_not_count():
    trace, _ = traced([(ONE, 1.0), (OTHER, 2.0), (fresh(3), 9.0)])
    trace.behind = 1
    assert [trial.id for trial in best_of_lineages(trace, 8)] == [1, 0]


def test_a_trace_keeps_what_a_second_judge_chose():
    trace, _ = traced([(ONE, 1.0), (OTHER, 2.0), (fresh(3), 0.5)])
    assert trace.winner.id == 1
    trace.accepted = Accepted("second", (1, 0, 2), (3.0, 4.0, 4.0))
    assert trace.accepted.taken == 0, "of equals the one that the judge of the search puts first"
    trace.result = (0, 1)
    assert trace.winner.id == 0 and [trial.id for trial in trace.first(5)] == [0, 1, 2]
    assert [trial.id for trial in trace.first(1)] == [0]
    assert trace.taken_as == "accepted"
    assert Trace.from_json(trace.to_json()) == trace
    assert Trace.from_json(trace.to_json()).winner.id == 0
    trace.accepted = None
    assert trace.taken_as == "taken", "in a final"
    trace.result = (1,)
    assert trace.taken_as == "best"
