"""Refinement: what is re-noised, how deep, what it costs, and what it wins over best of N."""

import math

import pytest
from noise_search.search import Candidate, Path, RefineSearch, SeedStream, finish, fresh
from noise_search.tests.search.flows import best_of_n, bests, flow_schedule, interval

FLOW = flow_schedule(20)
CAME_IN = Path(None, (0.0,))


def search(start=fresh(1), schedule=FLOW, pictures=16, **knobs):  # noqa: B008
    return RefineSearch(start, SeedStream(5), schedule=schedule, pictures=pictures, **knobs)


def exchange(search, score):
    """One stage: ask for all of it, and tell by a score of what was asked and held."""
    asked = search.ask(1000)
    search.tell(asked, {proposed: score(proposed) for proposed in [*search.held, *asked]})
    return asked


def test_the_first_best_picture_is_the_best_of_a_quarter_of_the_noises():
    refine = search()
    own, *others = exchange(refine, lambda proposed: proposed.seed)
    assert own == fresh(1) and len(others) == 3 and all(other.operation == "fresh" for other in others)
    assert refine.best == max([own, *others], key=lambda proposed: proposed.seed)
    for child in refine.ask(100):
        assert (
            child.parent == finish(refine.best, FLOW)
            and child.renoised
            and child.levels == FLOW.levels[-child.steps - 1 :]
        )


def test_a_picture_that_came_in_is_refined_at_once_and_never_mixed_with_others():
    refine = search(CAME_IN)
    assert exchange(refine, lambda proposed: 0.0) == [CAME_IN]
    spent = 0
    while asked := exchange(refine, lambda proposed: float(proposed == CAME_IN)):
        assert all(child.parent == CAME_IN for child in asked)
        spent += sum(child.steps for child in asked)
    assert spent == 16 * 20


def test_the_best_picture_moves_only_to_a_better_one():
    refine = search(CAME_IN)
    exchange(refine, lambda proposed: 0.0)
    exchange(refine, lambda proposed: 0.0)
    assert refine.best == CAME_IN
    children = exchange(refine, lambda proposed: proposed.seed)
    assert refine.best == max(children, key=lambda proposed: proposed.seed)


def test_success_goes_deeper_and_failure_shallower_within_bounds():
    up, down = search(pictures=400), search(pictures=400)
    for number in range(30):
        exchange(up, lambda proposed, number=number: number - (proposed in up.held))
        exchange(down, lambda proposed: float(proposed in down.held) or float(isinstance(proposed, Candidate)))
    assert up.depth == 20 and down.depth == pytest.approx(4)
    assert max(child.steps for child in up.ask(9)) == 20 and min(child.steps for child in down.ask(9)) == 4


def test_the_children_of_a_round_try_depths_around_the_present_one():
    refine = search(pictures=64, children=3)
    exchange(refine, lambda proposed: 0.0)
    assert [child.steps for child in refine.ask(9)] == [7, 10, 14]


def test_without_adapting_the_depth_stays():
    refine = search(pictures=64, adapt=False, depth=0.3)
    exchange(refine, lambda proposed: 0.0)
    steps = [child.steps for _ in range(8) for child in exchange(refine, lambda proposed: proposed.seed)]
    assert steps == [6] * 16


def test_the_last_picture_takes_the_steps_that_are_left():
    refine = search(CAME_IN, pictures=1, children=1, adapt=False, depth=0.35)
    steps = []
    while asked := exchange(refine, lambda proposed: 0.0):
        steps += [proposed.steps for proposed in asked if proposed != CAME_IN]
    assert steps == [7, 7, 6] and sum(steps) == 20


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"children": 0}, "children must be at least 1, got 0"),
        ({"depth": 0.0}, r"depth must be in \(0, 1\], got 0.0"),
        ({"depth": 1.1}, "depth must be in"),
        ({"depth": math.nan}, "depth must be in"),
        ({"warmup": -1}, "warmup must be at least 0 .*, got -1"),
    ],
)
def test_bad_knobs_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        search(**knobs)


def test_with_thirty_two_pictures_it_finds_more_than_best_of_thirty_two():
    won = bests(RefineSearch, FLOW, 32, runs=40) - bests(best_of_n, FLOW, 32, runs=40)
    assert interval(won)[0] > 0.05
