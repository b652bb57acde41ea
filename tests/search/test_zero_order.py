"""Zero-order search: the paper's rule, the recursion of a linear score, and what the adaptive default wins over best of
N.
"""

import math
from functools import partial

import pytest
from noise_search.search import RandomSearch, SeedStream, ZeroOrderSearch, fresh
from noise_search.tests.search.landscapes import RandomField, linear, mean_best, searched


def exchange(search, score, limit=100):
    """One round: ask, and tell by a score of candidates."""
    asked = search.ask(limit)
    search.tell(asked, {candidate: score(candidate) for candidate in [*search.held, *asked]})
    return asked


def paper(neighbors=4):
    return ZeroOrderSearch(fresh(1), SeedStream(5), neighbors=neighbors, warmup=1, adapt=False, restart="fresh")


def test_pivot_moves_only_to_a_better_neighbor():
    search = ZeroOrderSearch(fresh(1), SeedStream(5), warmup=1)
    start, *neighbors = exchange(search, lambda candidate: float(candidate == fresh(1)))
    assert search.pivot == start and all(candidate.parents == (start,) for candidate in neighbors)
    third = exchange(search, lambda candidate: 2.0 + (candidate.seed % 97) / 97 if candidate != start else 2.0)
    assert search.pivot == max(third, key=lambda candidate: candidate.seed % 97)


def test_an_equal_neighbor_does_not_move_the_pivot():
    search = ZeroOrderSearch(fresh(1), SeedStream(5), warmup=1)
    exchange(search, lambda candidate: 1.0)
    assert search.pivot == fresh(1)


def test_the_warm_up_is_best_of_n_and_its_winner_the_pivot():
    search = ZeroOrderSearch(fresh(1), SeedStream(5), warmup=6)
    asked = exchange(search, lambda candidate: float(candidate.seed))
    assert [candidate.plain_seed for candidate in asked] == [1, *(SeedStream(5).at(0, index) for index in range(5))]
    assert search.pivot == max(asked, key=lambda candidate: candidate.seed)
    assert [candidate.parents for candidate in search.ask(100)] == [(search.pivot,)] * 4


def test_the_paper_measures_the_pivot_with_its_neighbors_at_cosine_095():
    search = paper()
    start, *neighbors = search.ask(100)
    assert start == fresh(1) and [candidate.weights for candidate in neighbors] == [(0.95,)] * 4


def test_the_paper_restarts_from_fresh_noise_when_no_neighbor_wins():
    search = paper(neighbors=2)
    exchange(search, lambda candidate: float(candidate == fresh(1)))
    pivot, *neighbors = search.ask(100)
    assert pivot.plain_seed is not None and pivot != fresh(1) and search.held == ()
    assert [candidate.parents for candidate in neighbors] == [(pivot,)] * 2
    search.tell(
        [pivot, *neighbors], {pivot: 0.0, neighbors[0]: 0.5, neighbors[1]: 0.2}
    )  # far below the first pivot, which only the runner remembers
    assert search.pivot == neighbors[0] and search.held == (neighbors[0],)
    assert [candidate.weights for candidate in search.ask(100)] == [(0.95,)] * 2


def test_the_pivot_is_compared_by_its_present_score():
    search = ZeroOrderSearch(fresh(1), SeedStream(5), warmup=1, neighbors=1)
    exchange(search, lambda candidate: float(candidate == fresh(1)))
    assert search.held == (fresh(1),)
    (neighbor,) = search.ask(1)
    search.tell([neighbor], {fresh(1): -5.0, neighbor: -4.0})
    assert search.pivot == neighbor


def test_a_round_that_is_asked_in_parts_is_judged_as_a_whole():
    search = ZeroOrderSearch(fresh(1), SeedStream(5), warmup=4)
    first = exchange(search, lambda candidate: 1.0, limit=3)
    assert len(first) == 3 and search.pivot == fresh(1)
    assert len(search.ask(100)) == 1 and search.ask(100) == []


def test_the_stride_grows_with_success_and_shrinks_with_failure():
    up, down = (ZeroOrderSearch(fresh(1), SeedStream(5)) for _ in range(2))
    first = up.stride
    for number in range(40):
        exchange(up, lambda candidate, number=number: number - (candidate in up.held))
        exchange(down, lambda candidate: float(candidate in down.held))
    assert first == pytest.approx(math.sqrt(1 - 0.95**2)) and up.stride == 0.9 and down.stride == 0.05


def test_without_adapting_the_stride_stays():
    search = ZeroOrderSearch(fresh(1), SeedStream(5), adapt=False, similarity=0.8)
    for _ in range(5):
        exchange(search, lambda candidate: float(candidate in search.held))
    assert search.ask(1)[0].weights == (0.8,)


def test_one_neighbor_at_a_fixed_stride_follows_the_recursion():
    """On a linear score u' = max(u, sqrt(1 - b**2) u + b xi); b = 0.3, from u ~ N(0, 1)."""
    make = partial(ZeroOrderSearch, neighbors=1, similarity=math.sqrt(1 - 0.3**2), warmup=1, adapt=False)
    traces = [searched(make, linear, pictures=32, seed=seed).scores for seed in range(100)]
    for n, expected in {4: 0.44, 8: 0.88, 16: 1.64, 32: 2.87}.items():
        assert sum(max(scores[:n]) for scores in traces) / 100 == pytest.approx(expected, abs=4 * 0.9 / 100**0.5)


def test_the_adaptive_stride_comes_near_the_best_possible_on_a_linear_score():
    make = partial(ZeroOrderSearch, neighbors=1, warmup=4)
    for pictures, optimum in {16: 2.36, 64: 5.01}.items():
        assert mean_best(make, lambda seed: linear, pictures, runs=24) > 0.85 * optimum


@pytest.mark.parametrize("roughness", [2, 10, 40])
def test_the_adaptive_stride_is_within_15_percent_of_the_best_fixed_one(roughness):
    fixed = [partial(ZeroOrderSearch, similarity=similarity, adapt=False) for similarity in (0.99, 0.95, 0.8)]
    field = partial(RandomField, roughness)
    best = max(mean_best(make, field, pictures=32, runs=12) for make in fixed)
    assert mean_best(ZeroOrderSearch, field, pictures=32, runs=12) > 0.85 * best


@pytest.mark.parametrize(("roughness", "gain"), [(2, 0.1), (10, 0.2), (15, 0.15), (40, -0.1)])
def test_with_sixteen_pictures_it_beats_best_of_sixteen_where_the_field_is_smooth(roughness, gain):
    field = partial(RandomField, roughness)
    zero_order, best_of_n = (mean_best(make, field, pictures=16, runs=40) for make in (ZeroOrderSearch, RandomSearch))
    assert zero_order - best_of_n > gain


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"neighbors": 0}, "neighbors must be at least 1, got 0"),
        ({"similarity": 1.0}, r"similarity must be in \(0, 1\), got 1.0"),
        ({"similarity": math.nan}, "similarity must be in"),
        ({"warmup": 0}, "warmup must be at least 1, got 0"),
        ({"restart": "never"}, "restart must be one of .*, got 'never'"),
    ],
)
def test_bad_knobs_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        ZeroOrderSearch(fresh(1), SeedStream(5), **knobs)
