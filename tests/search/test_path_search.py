"""Search over paths: the published rounds, what is kept, how the pictures are spent, and that it loses to best of N
where they are few.
"""

from functools import partial

import pytest
from noise_search.search import Budget, Path, PathSearch, SeedStream, finish, fresh
from noise_search.tests.search.flows import best_of_n, bests, eps_schedule, flow_schedule, interval
from noise_search.tests.search.promises import TWENTY
from noise_search.tests.search.timed import World, searched

FLOW = flow_schedule(20)


def search(schedule=FLOW, pictures=64, **knobs):
    return PathSearch(fresh(1), SeedStream(5), schedule=schedule, pictures=pictures, **knobs)


def exchange(search, score):
    """One stage: ask for all of it, and tell by a score of what was asked."""
    asked = search.ask(1000)
    search.tell(asked, {proposed: score(proposed) for proposed in [*search.held, *asked]})
    return asked


def test_the_published_numbers_go_to_089_and_003_less_far_every_round():
    paths = search()
    assert paths.first[0] == 1 and paths.first[-1] == 0.11
    ends = [(round(levels[0], 6), round(levels[-1], 6)) for levels in paths.rounds]
    assert ends == [(0.89, 0.08), (0.86, 0.05), (0.83, 0.02), (0.80, 0.0)]


def test_times_are_shares_of_noise_in_a_model_that_predicts_eps():
    paths = search(eps_schedule(20))
    assert paths.first[-1] == pytest.approx(0.11 / 0.89) and paths.rounds[0][0] == pytest.approx(0.89 / 0.11)
    assert [levels[-1] for levels in paths.rounds] == pytest.approx([0.08 / 0.92, 0.05 / 0.95, 0.02 / 0.98, 0.0])


def test_a_level_very_near_to_where_a_walk_starts_is_passed_over():
    starts = [levels[:2] for levels in search(flow_schedule(10)).rounds]
    assert starts[1][1] == pytest.approx(0.8) and starts[3][1] == pytest.approx(0.7)  # from 0.86 and 0.8
    assert search(flow_schedule(10), start_time=0.12).rounds[0][:2] == pytest.approx((0.9, 0.8))
    # 0.9 is 0.1 of a step away
    assert search(flow_schedule(10), start_time=0.13).rounds[0][:2] == pytest.approx((0.91, 0.8))


def test_a_way_down_takes_at_most_the_steps_that_it_is_given():
    for levels, full in zip(search(length=5).rounds, search().rounds, strict=True):
        assert len(levels) == 6 and set(levels) <= set(full) and (levels[0], levels[-1]) == (full[0], full[-1])


def test_every_round_renoises_the_best_previews_of_the_last_one():
    paths = search(width=3, pictures=32)
    own, *first = exchange(paths, lambda proposed: 0.0)
    assert own == fresh(1) and first[0].parent == fresh(1) and len({walk.parent for walk in first}) == 2
    last = first
    for levels in paths.rounds:
        copies = exchange(paths, lambda proposed: proposed.seed % 1009)
        assert [copy.levels for copy in copies] == [levels] * 6 and len({copy.seed for copy in copies}) == 6
        assert {copy.parent for copy in copies} == set(
            sorted(last, key=lambda proposed: proposed.seed % 1009)[-2:] if last != first else first
        )
        last = copies
    assert all(not copy.end for copy in last)


def test_the_width_is_the_largest_that_the_pictures_pay_for():
    def steps(paths, width):
        return 20 + 2 * (len(paths.first) - 1) + 2 * width * sum(len(levels) - 1 for levels in paths.rounds)

    for pictures in (12, 16, 32, 64):
        paths = search(pictures=pictures)
        width = min(paths.copies) // 2
        assert steps(paths, width) <= 20 * pictures < steps(paths, width + 1)
        assert search(pictures=pictures, width=width).copies == [2 * width] * 4


def ways(trace):
    """The rounds of each way down, as lists of walks."""
    rounds = []
    for walk in (trial.candidate for trial in trace.trials if isinstance(trial.candidate, Path)):
        if not rounds or walk.levels != rounds[-1][0].levels:
            rounds.append([])
        rounds[-1].append(walk)
    return [rounds[place : place + 4] for place in range(0, len(rounds) - 3, 4)]


@pytest.mark.parametrize("width", [0, 2])
def test_by_the_clock_paths_go_on_from_the_best_pictures_so_far_and_have_a_choice(width):
    trace = searched(partial(PathSearch, width=width), World(look=1.0), Budget(500, minutes=20.0), group=16)
    found = ways(trace)
    assert len(found) > 1
    for way in found:
        begun = {walk.parent for walk in way[0]}
        earlier = trace.trials[: trace.id_of(way[0][0])]
        best = sorted((one for one in earlier if one.finished), key=lambda one: -trace.scores[one.id])[: len(begun)]
        starts = [finish(one.candidate, TWENTY) for one in best]
        assert [walk.parent for walk in way[0][: len(starts)]] == starts
        assert all(len(walks) >= (width or 4) * len(begun) for walks in way)
        assert {walk.parent for walk in way[1]} <= set(way[0])


@pytest.mark.parametrize("minutes", [2.0, 4.0, 9.0])
def test_by_the_clock_the_own_seed_is_a_finished_picture_and_noises_in_full_come_first(minutes):
    trace = searched(PathSearch, World(), Budget(500, minutes=minutes))
    hows = [trial.how for trial in trace.trials]
    assert hows[:4] == ["own seed", "random", "random", "random"] and trace.trials[0].finished


def test_by_the_clock_no_more_noises_are_sampled_in_full_than_it_takes_for_a_path_to_be_no_large_wave():
    trace = searched(partial(PathSearch, paths=1), World(), Budget(500, minutes=9.0))
    hows = [trial.how for trial in trace.trials]
    (first,), spent = ways(trace)[:1], hows.index("preview")
    way = 4 * sum(walks[0].steps for walks in first) / 20
    assert way / 3 <= spent < way / 3 + 1 and len(first[0]) == 4


def test_too_few_pictures_are_refused_with_the_number_that_it_takes():
    with pytest.raises(ValueError, match="pictures must be at least 10 for 2 paths of width 1, got 8"):
        search(pictures=8)
    assert search(pictures=10).copies == [2] * 4
    with pytest.raises(ValueError, match="pictures must be at least .* for 2 paths of width 5, got 16"):
        search(pictures=16, width=5)


def test_the_last_steps_bring_the_best_picture_down_once_more():
    paths = search(pictures=12, width=1)
    asked = [exchange(paths, lambda proposed: float(proposed == fresh(1))) for _ in range(8)]
    (last,) = [proposed for stage in asked[6:] for proposed in stage]
    assert (
        isinstance(last, Path)
        and last.parent == Path(fresh(1), FLOW.levels)
        and last.levels == FLOW.levels[-last.steps - 1 :]
    )


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"paths": 0}, "paths must be at least 1, got 0"),
        ({"width": -1}, "width must be at least 0"),
        ({"length": -1}, "length must be at least 0"),
        ({"start_time": 0.0}, "start_time must be above 0 and below 1, where the schedule starts, got 0"),
        ({"start_time": 1.2}, "start_time must be above 0 and below 1, .*got 1.2"),
        ({"forward": 0.95}, "forward must be above 0 and at most 0.89, up to where the schedule starts, got 0.95"),
        ({"forward": 0.0}, "forward must be above 0"),
        ({"backward": 0.78}, r"backward must be more than forward \(0.78\), or the paths never reach 0, got 0.78"),
        ({"backward": float("nan")}, "backward must be more than forward"),
        ({"backward": 0.780001}, "backward must bring the paths to 0 in at most 1000 rounds, got 110000 rounds"),
    ],
)
def test_bad_knobs_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        search(**knobs)


def test_with_eight_pictures_it_finds_less_than_best_of_eight():
    lost = bests(partial(PathSearch, paths=1), FLOW, 8, runs=40) - bests(best_of_n, FLOW, 8, runs=40)
    assert interval(lost)[1] < -0.1
