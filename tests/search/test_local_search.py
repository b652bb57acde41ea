"""Local search: what it moves, how far, and what it wins where the best possible is known."""

import math
from collections import Counter
from functools import partial

import pytest
import torch
from noise_search.search import (
    Budget,
    Candidate,
    LocalSearch,
    RandomSearch,
    SeedStream,
    Trace,
    ZeroOrderSearch,
    fresh,
    leaf_digest,
    materialize,
    run,
)
from noise_search.search.bands import WHOLE
from noise_search.search.landscape import Landscape
from noise_search.tests.search.landscapes import SHAPES, RandomField, linear, mean_best, measured_by, searched, single

STEPS = {"moves": ("step",), "centers": 1, "neighbors": 1, "warmup": 4}


def best_step(u, steps=400):
    """The stride b, and the gain per try, that are best for u' = max(u, sqrt(1 - b^2) u + b xi), by brute force."""

    def gain(b):
        level = (u - math.sqrt(1 - b * b) * u) / b
        return b * (math.exp(-level * level / 2) / math.sqrt(2 * math.pi) - level * math.erfc(level / math.sqrt(2)) / 2)

    best = max((index / steps for index in range(1, steps)), key=gain)
    return best, gain(best)


def rounds(search, score, count):
    """Some exchanges; what was asked in the last one."""
    for _ in range(count):
        asked = search.ask(1000)
        search.tell(asked, {candidate: score(candidate) for candidate in [*search.held, *asked]})
    return asked


def test_the_best_stride_in_a_linear_score_is_as_derived():
    for u in (5, 8, 12):
        stride, gain = best_step(u)
        assert stride == pytest.approx(1.224 / u, rel=0.08) and gain == pytest.approx(0.2024 / u, rel=0.08)


def test_steps_alone_come_near_the_best_possible_in_a_linear_score():
    for pictures, optimum in {16: 2.36, 64: 5.01}.items():
        found = mean_best(partial(LocalSearch, pictures=pictures, **STEPS), lambda seed: linear, pictures, runs=24)
        assert 0.85 * optimum < found < optimum + 0.4


def test_the_stride_settles_where_a_linear_score_gains_most():
    strides = []
    for seed in range(12):
        search, trace = LocalSearch(fresh(10_000 + seed), SeedStream(seed), pictures=64, **STEPS), Trace(("score",))
        for _ in run(search, measured_by(linear), single, Budget(64), group=8, trace=trace):
            pass
        strides.append(search.strides[trace.best()[0].candidate]["step"] * max(trace.scores))
    assert 0.7 < math.exp(sum(map(math.log, strides)) / 12) < 2.2  # 1.224 at the optimum, which is flat


def test_directions_of_the_span_pass_what_steps_can_reach():
    """Steps gain at most sqrt(0.405 n); the best direction of n noises has sqrt(n), of which 4 in a round leave
    some.
    """
    found = mean_best(partial(LocalSearch, pictures=32), lambda seed: linear, 32, runs=6)
    assert 1.15 * math.sqrt(0.405 * 32) < found < math.sqrt(32) + 0.5


@pytest.mark.parametrize("roughness", [2, 10, 40])
def test_the_adaptive_stride_is_within_15_percent_of_the_best_fixed_one(roughness):
    field = partial(RandomField, roughness)
    fixed = [partial(ZeroOrderSearch, similarity=similarity, adapt=False) for similarity in (0.99, 0.95, 0.8)]
    best = max(mean_best(make, field, pictures=32, runs=8) for make in fixed)
    assert mean_best(partial(LocalSearch, pictures=32, moves=("step",)), field, pictures=32, runs=8) > 0.85 * best


@pytest.mark.parametrize("roughness", [2, 15, 40])
def test_with_32_pictures_it_beats_best_of_32_wherever_neighbors_are_alike(roughness):
    field = partial(RandomField, roughness)
    local, best_of_n = (
        mean_best(make, field, pictures=32, runs=8) for make in (partial(LocalSearch, pictures=32), RandomSearch)
    )
    assert local - best_of_n > 0.5


def test_evolution_beats_best_of_n_in_a_linear_score():
    evolved, best_of_n = (
        mean_best(make, lambda seed: linear, 48, runs=12)
        for make in (partial(LocalSearch, pictures=48, preset="evolution"), RandomSearch)
    )
    assert evolved - best_of_n > 0.5


@pytest.mark.parametrize(("pictures", "centers"), [(1, 1), (32, 1), (60, 2), (100, 4), (1000, 8)])
def test_a_larger_budget_is_spread_over_more_centers(pictures, centers):
    assert LocalSearch(fresh(1), SeedStream(5), pictures=pictures).centers == centers


def test_the_centers_are_the_best_of_all_that_was_measured():
    search = LocalSearch(fresh(1), SeedStream(5), pictures=100, moves=("step",), warmup=10, centers=3, neighbors=6)
    warm = rounds(search, lambda candidate: candidate.seed, 1)
    assert len(warm) == 10 and warm[0] == fresh(1)
    top = sorted(warm, key=lambda candidate: candidate.seed, reverse=True)[:3]
    children = rounds(search, lambda candidate: candidate.seed if candidate in warm else -1.0, 1)
    assert Counter(child.parents[0] for child in children) == dict.fromkeys(top, 2)
    later = rounds(search, lambda candidate: 2.0**60 if candidate == children[4] else float(candidate.seed), 2)
    assert children[4] in {child.parents[0] for child in later}


def test_strides_grow_around_a_center_that_is_beaten_and_shrink_around_one_that_is_not():
    up, down = (LocalSearch(fresh(1), SeedStream(5), pictures=32, moves=("step",)) for _ in range(2))
    born = {}
    rounds(up, lambda candidate: born.setdefault(candidate, len(born)), 15)
    rounds(down, lambda candidate: float(candidate == fresh(1)), 15)
    assert max(own["step"] for own in up.strides.values()) == 0.9
    assert down.strides[fresh(1)]["step"] == 0.05


def test_a_move_that_succeeds_is_made_more_often():
    search = LocalSearch(fresh(1), SeedStream(5), pictures=32, moves=("step", "coarse"))
    score: dict[Candidate, float] = {}

    def in_bands(candidate):
        return score.setdefault(candidate, float(len(score)) if candidate.band != WHOLE else -1.0)

    asked = [candidate for _ in range(12) for candidate in rounds(search, in_bands, 1)]
    assert sum(candidate.band != WHOLE for candidate in asked[-16:]) > 8


def test_inside_a_region_nothing_else_of_the_noise_changes():
    mask = (torch.zeros(1, *SHAPES[0]),)
    mask[0][:, :64] = 1
    name, trace, start = leaf_digest(mask), Trace(("score",)), fresh(1)
    search = LocalSearch(start, SeedStream(5), pictures=40, masks=(name,), preset="evolution")
    for _ in run(search, measured_by(linear, {name: mask}), single, Budget(40), group=8, trace=trace):
        pass
    noises = materialize([trial.candidate for trial in trace.trials], SHAPES, {name: mask})[0]
    assert (noises[:, 64:] == noises[0, 64:]).all() and noises[:, :64].std(0).min() > 0.1
    assert max(trace.scores) > trace.scores[0] + 1


def test_two_regions_take_turns():
    search = LocalSearch(fresh(1), SeedStream(5), pictures=32, masks=("left", "right"))
    asked = rounds(search, lambda candidate: 0.0, 2)
    assert Counter(candidate.leaf for candidate in asked) == {"left": 2, "right": 2}


def test_children_of_one_family_are_crossed_without_using_a_draw_twice():
    trace = searched(
        partial(LocalSearch, pictures=60, preset="evolution", moves=("cross",), warmup=3), linear, pictures=60, seed=2
    )
    materialize([trial.candidate for trial in trace.trials], SHAPES)  # it refuses a draw that is used twice
    assert trace.best()[0].candidate.operation == "mix" and trace.best()[0].candidate.parents[0].operation == "span"


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"pictures": 0}, "pictures must be at least 1, got 0"),
        ({"neighbors": 0}, "neighbors must be at least 1, got 0"),
        ({"centers": -1}, "centers must be at least 0, got -1"),
        ({"warmup": -1}, "warmup must be at least 0, got -1"),
        ({"similarity": 1.0}, r"similarity must be in \(0, 1\), got 1.0"),
        ({"preset": "annealing"}, "preset must be one of .*, got 'annealing'"),
        ({"moves": ("step", "jump")}, r"moves must be any of .*, got \['jump'\]"),
    ],
)
def test_bad_knobs_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        LocalSearch(fresh(1), SeedStream(5), **{"pictures": 8, **knobs})


@pytest.mark.parametrize("preset", ["local", "evolution"])
def test_a_judge_that_likes_all_pictures_the_same_is_searched_with_to_the_end(preset):
    """As a safety judge does, or none at all."""
    search = LocalSearch(fresh(1), SeedStream(1), pictures=40, preset=preset)
    asked = rounds(search, lambda candidate: 0.0, 8)
    assert asked and len({candidate.key for candidate in asked}) == len(asked)


def test_many_measurements_in_one_place_do_not_decide_what_is_expected_elsewhere():
    """The mean of the process is that of generalized least squares: related scores count once, so that far from all of
    them it is near the middle.
    """
    near = torch.nn.functional.normalize(
        torch.eye(12, dtype=torch.float64)[0] + 0.02 * torch.eye(12, dtype=torch.float64)[1:9]
    )
    points = torch.cat([near, torch.eye(12, dtype=torch.float64)[11:]])
    landscape = Landscape(points, torch.tensor([1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.01, 0.99, 0.0]))
    expected, _ = landscape.fit.at(torch.zeros(9, dtype=torch.float64))
    low, high = landscape.scores.min().item(), landscape.scores.max().item()
    assert expected == pytest.approx((low + high) / 2, abs=0.2 * (high - low)) and expected < -0.5, (
        "the plain mean is 0"
    )
