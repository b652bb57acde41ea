"""What every search promises of its budget, by pictures and by the clock. A new one is one more line in SEARCHES."""

import math
from functools import partial

import pytest
from noise_search.search import (
    AutoSearch,
    Budget,
    Candidate,
    DraftSearch,
    LocalSearch,
    Path,
    PathSearch,
    RandomSearch,
    Record,
    RefineSearch,
    SeedStream,
    SteeredSearch,
    Trace,
    ZeroOrderSearch,
    fresh,
    run,
)
from noise_search.tests.search.flows import first_column
from noise_search.tests.search.promises import Promises
from noise_search.tests.search.timed import World, best, pictures, rounds, searched

SEARCHES = {
    "AutoSearch": AutoSearch,
    "AutoSearch without drafts": partial(AutoSearch, drafts=()),
    "AutoSearch for a second judge": partial(AutoSearch, lineages=8),
    "DraftSearch": DraftSearch,
    "SteeredSearch": SteeredSearch,
    "SteeredSearch in pools": partial(SteeredSearch, particles=3),
    "SVDD": partial(SteeredSearch, preset="SVDD", rungs=(0.8, 0.6, 0.4, 0.2)),
    "PathSearch": partial(PathSearch, paths=1),
    "PathSearch of two paths": PathSearch,
    "RefineSearch": RefineSearch,
    "RandomSearch": RandomSearch,
    "ZeroOrderSearch": ZeroOrderSearch,
    "ZeroOrderSearch as in the paper": partial(ZeroOrderSearch, warmup=1, adapt=False, restart="fresh"),
    "LocalSearch": partial(LocalSearch, moves=("step",)),
}
every_search = pytest.mark.parametrize("make", SEARCHES.values(), ids=SEARCHES)
BOTH_WAYS = {"AutoSearch": AutoSearch, "DraftSearch": DraftSearch}


def asked(trace):
    return [trial.candidate for trial in trace.trials], trace.stopped


def mean(make, runs, budget, **world):
    return math.fsum(best(searched(make, World(**world), budget, seed=seed)) for seed in range(runs)) / runs


# The clock


@every_search
@pytest.mark.parametrize("budget", [64, 100])
def test_where_the_clock_is_the_limit_it_finishes_pictures_and_uses_the_time(make, budget):
    world = World(picture=10.0)
    trace = searched(make, world, Budget(budget, minutes=2.0))
    assert trace.stopped == "minutes" and world.now <= 120 + 1e-6
    assert len(pictures(trace)) > 4 and trace.pictures > 0.95 * 12


@every_search
def test_whenever_the_clock_stops_it_more_than_the_own_picture_is_finished(make):
    for minutes in (0.34, 0.5, 0.75, 1.0, 1.5, 3.0, 7.0):
        world = World(picture=10.0, look=1.0)
        trace = searched(make, world, Budget(100, minutes=minutes), group=8)
        assert world.now <= 60 * minutes + 1e-6
        few = 60 * minutes < 22  # not even for a second picture
        assert len(pictures(trace)) > (0 if few else 1), minutes


def test_automatic_search_by_the_clock_is_far_better_than_random_and_nearly_as_good_as_by_pictures():
    by_clock = mean(AutoSearch, 100, Budget(100, minutes=2.0))
    assert by_clock > mean(RandomSearch, 100, Budget(100, minutes=2.0)) + 0.5
    assert by_clock > mean(AutoSearch, 100, Budget(12)) - 0.15


@every_search
def test_pictures_that_the_clock_does_not_pay_for_change_nothing(make):
    found = [asked(searched(make, World(), Budget(budget, minutes=2.0))) for budget in (64, 500)]
    assert found[0] == found[1]


@every_search
def test_a_slow_judge_is_paid_by_the_clock_as_well(make):
    world = World(picture=10.0, look=20.0)
    trace = searched(make, world, Budget(24, minutes=4.0))
    assert world.now <= 240 + 1e-6 and len(pictures(trace)) > 2 and world.now > 240 - 30


def test_where_judging_is_slow_automatic_search_drafts_nothing_and_is_no_worse_than_random():
    trace = searched(AutoSearch, World(look=20.0), Budget(24, minutes=4.0))
    assert not any(trial.how == "draft" for trial in trace.trials)
    assert mean(AutoSearch, 100, Budget(24, minutes=4.0), look=20.0) > mean(
        RandomSearch, 100, Budget(24, minutes=4.0), look=20.0
    )
    assert mean(DraftSearch, 100, Budget(24, minutes=4.0), look=20.0) >= mean(
        RandomSearch, 100, Budget(24, minutes=4.0), look=20.0
    )


@pytest.mark.parametrize(("minutes", "look"), [(2.0, 0.0), (3.0, 0.0), (4.0, 20.0), (8.0, 20.0)])
def test_where_few_pictures_fit_path_search_draws_noises_and_is_as_good_as_random(minutes, look):
    budget = Budget(500, minutes=minutes)
    assert mean(PathSearch, 100, budget, look=look) >= mean(RandomSearch, 100, budget, look=look)
    trace = searched(PathSearch, World(look=look), budget)
    assert {trial.how for trial in trace.trials} <= {"own seed", "random", "refined"}  # the last steps refine one


@pytest.mark.parametrize(("minutes", "look"), [(5.0, 0.0), (8.0, 0.0), (16.0, 20.0)])
def test_where_more_pictures_fit_path_search_finds_more_than_random(minutes, look):
    budget = Budget(500, minutes=minutes)
    gained = mean(PathSearch, 100, budget, look=look) - mean(RandomSearch, 100, budget, look=look)
    assert gained > 0.2 if look else gained > 0.25


@pytest.mark.parametrize(("look", "alone"), [(1.0, False), (6.0, True)])
def test_a_second_picture_is_sampled_alone_only_where_the_price_of_a_look_decides_something(look, alone):
    trace = searched(AutoSearch, World(look=look), Budget(100, minutes=2.0), group=8)
    assert [trial.how for trial in trace.trials[:3]] == [
        "own seed",
        "random" if alone else "draft",
        trace.trials[2].how,
    ]
    assert (sum(trial.round == 1 for trial in trace.trials) == 1) == alone


def test_where_a_picture_sampled_alone_is_dear_automatic_search_is_better_than_random_with_few_pictures():
    """As on the tiny model: one picture alone takes twice as long as one of eight."""
    few, dear = Budget(500, minutes=2.0), {"picture": 10.4, "step": 1.0, "look": 3.2}
    bests = [
        [best(searched(make, World(**dear), few, seed=seed, group=8)) for seed in range(100)]
        for make in (AutoSearch, RandomSearch)
    ]
    assert math.fsum(bests[0]) / 100 > math.fsum(bests[1]) / 100 + 0.2


@pytest.mark.parametrize("make", BOTH_WAYS.values(), ids=BOTH_WAYS)
@pytest.mark.parametrize("slower", [0.3, 3.0])
def test_drafts_are_counted_at_the_pace_that_was_measured_for_drafts(make, slower):
    """Another model makes them, which is faster or slower than its steps say."""
    world = World(slower=slower)
    trace = searched(make, world, Budget(100, minutes=3.0))
    assert world.now <= 180 + 1e-6 and world.now > 0.95 * 180 and len(pictures(trace)) > 3


@pytest.mark.parametrize("make", BOTH_WAYS.values(), ids=BOTH_WAYS)
def test_a_judge_that_is_loaded_for_the_first_picture_keeps_nobody_from_drafting(make):
    trace = searched(make, World(loading=60.0, look=0.2), Budget(100, minutes=5.0))
    whole = searched(make, World(look=0.2), Budget(100, minutes=4.0))
    drafts, without = ([one.how for one in found.trials].count("draft") for found in (trace, whole))
    assert drafts > 0.6 * without and trace.pictures > 0.9 * whole.pictures


@every_search
def test_what_loading_takes_is_not_planned_for_again_and_again(make):
    world = World(loading=60.0, look=0.2)
    trace = searched(make, world, Budget(100, minutes=5.0))
    assert 300 - 11 < world.now <= 300 + 1e-6 and trace.stopped == "minutes"


@every_search
def test_a_limit_that_does_not_bind_leaves_the_pictures_as_the_limit(make):
    trace = searched(make, World(picture=1.0), Budget(16, minutes=10.0))
    assert 0.95 * 16 <= trace.pictures <= 16 + 1e-6 and trace.stopped in ("pictures", "finished")


@every_search
def test_pictures_that_an_earlier_run_paid_for_tell_nothing_of_the_pace(make):
    """They take next to no time, and the time that is left buys others."""
    for after in (1, 4, 100):
        before = World(picture=10.0, look=2.0)
        searched(make, before, Budget(100, minutes=2.0))
        again = World(picture=10.0, look=2.0, known=set(before.measured[:after]))
        trace = searched(make, again, Budget(100, minutes=2.0), group=16)
        assert trace.trials[0].remembered and trace.stopped == "minutes"
        assert 120 - 23 < again.now <= 120 + 1e-6 and len(pictures(trace)) > 3


@every_search
def test_the_same_search_plans_the_same_when_it_runs_again(make):
    """Also where it was cut off in between: it goes on from there."""
    for cut in (25.0, 60.0, 1000.0):
        before, record, trace = World(look=1.0), list[Record](), Trace()
        for done in rounds(make, before, Budget(100, minutes=2.0), record=record):
            trace = done.trace
            if before.now > cut:
                break
        again = World(look=1.0, known=set(before.measured))
        whole = searched(make, again, Budget(100, minutes=2.0), group=9, before=record[0])
        count = len(trace.trials)
        assert [trial.candidate for trial in whole.trials[:count]] == [trial.candidate for trial in trace.trials]
        assert again.now <= 120 + 1e-6 and (cut > 120 or len(pictures(whole)) > len(pictures(trace)))
        assert best(whole) >= best(trace)


class Plain:
    """A search of somebody else's: asks and is told, and knows of no allowance."""

    def __init__(self):
        self.next = 1

    def ask(self, limit):
        self.next += limit
        return [fresh(number) for number in range(self.next - limit, self.next)]

    def tell(self, measured, scores):
        pass


def test_a_search_that_only_asks_and_is_told_still_keeps_to_the_clock():
    world, trace = World(picture=10.0), Trace(("worth",))
    for _ in run(
        Plain(),
        world.measure,
        first_column,
        Budget(100, minutes=2.0),
        group=5,
        trace=trace,
        cost=world.cost,
        clock=world.clock,
    ):
        pass
    assert len(trace.trials) == 12 and world.now == 120 and trace.stopped == "minutes"


# Groups, patience, and Finish now


@every_search
@pytest.mark.parametrize("minutes", [0.0, 2.0])
def test_the_group_size_changes_nothing(make, minutes):
    found = [asked(searched(make, World(look=1.0), Budget(20, minutes=minutes), group=group)) for group in (1, 4, 16)]
    assert found[0] == found[1] == found[2]


def mean_rank(pool):
    return (pool[:, None] > pool[None]).float().sum(1).mean(1) - len(pool)


@every_search
@pytest.mark.parametrize("combine", [first_column, mean_rank])
def test_patience_ends_at_the_same_picture_however_many_are_measured_at_once(make, combine):
    def found(seed, group):
        return asked(list(rounds(make, World(), Budget(20, patience=3), seed, group, combine=combine))[-1].trace)

    ends = []
    for seed in range(1 if combine is mean_rank else 3):
        one, *others = (found(seed, group) for group in (1, 4, 8, 16))
        assert others == [one] * 3
        ends.append(one[1])
    assert "patience" in ends or combine is mean_rank


@every_search
@pytest.mark.parametrize(
    "limits",
    [{}, {"minutes": 2.0}, {"patience": 3}, {"target": 0.7}, {"trials": 7}],
    ids=lambda limits: "".join(limits),
)
def test_asking_what_comes_next_before_the_round_is_judged_changes_nothing(make, limits):
    known = 0
    for group in (1, 4):
        counts = list[int]()
        budget = Budget(20, **limits)
        before = searched(make, World(look=1.0), budget, group=group)
        trace = searched(make, World(look=1.0), budget, group=group, ahead=counts)
        assert asked(trace) == asked(before) and trace.pictures == before.pictures
        known += sum(counts)
    assert known, "none of its rounds could have been made ahead"


def test_seeds_are_all_known_ahead_within_the_budget():
    counts = list[int]()
    searched(RandomSearch, World(), Budget(10), group=4, ahead=counts)
    assert counts == [4, 2, 0]


def ended(make, budget, group, seed=1, **how):
    """Whether the target was reached, what counts, and the winners."""
    done = list(rounds(make, World(look=1.0), budget, seed, group, **how))[-1]
    trace = done.trace
    count = len(trace.trials) - trace.behind
    assert done.best == trace.best()[0] and trace.behind < group
    return trace.stopped, asked(trace)[0][:count], [trial.candidate for trial in trace.best(4)]


@every_search
@pytest.mark.parametrize("minutes", [0.0, 3.0])
def test_a_target_is_reached_by_the_same_picture_however_many_are_measured_at_once(make, minutes):
    ends = []
    for target in (-0.5, 0.7, 1.3):
        budget = Budget(20, minutes=minutes, target=target)
        for seed in range(3):
            one, *others = (ended(make, budget, group, seed) for group in (1, 4, 8, 16))
            assert others == [one] * 3
            ends.append(one[0])
    assert ends.count("target") > 3


@every_search
def test_what_was_made_behind_the_picture_that_reached_the_target_is_kept_and_cannot_win(make):
    behind = 0
    for seed in range(20):
        trace = searched(make, World(), Budget(20, target=0.3), seed=seed, group=16)
        if trace.stopped == "target":
            (winner, *others), counted = trace.best(4), len(trace.trials) - trace.behind
            assert winner.id == counted - 1 and trace.scores[winner.id] >= 0.3
            assert all(trial.id < counted and trace.scores[trial.id] < 0.3 for trial in others)
            assert trace.pictures == pytest.approx(math.fsum(trial.cost for trial in trace.trials))
            late = [trial for trial in trace.trials[counted:] if trial.finished]
            behind += any(trace.scores[trial.id] > trace.scores[winner.id] for trial in late)
    assert behind, "in none of these runs was anything better measured behind the winner"


def from_a_preview(proposed):
    parent = getattr(proposed, "parent", None)
    return isinstance(parent, Path) and parent.end > 0


@every_search
def test_patience_counts_finished_pictures_and_neither_drafts_nor_previews(make):
    for seed in range(4):
        trace = searched(make, World(), Budget(24, patience=4), seed=seed)
        since = [trial for trial in trace.trials if trial.id > trace.best()[0].id and trial.finished]
        worths = [1.0 if from_a_preview(trial.candidate) else trial.cost for trial in since]
        if trace.stopped == "patience":
            assert math.fsum(worths) >= 4 - 1e-6 > math.fsum(worths[:-1])
        assert len(pictures(trace)) > 1


@every_search
@pytest.mark.parametrize("minutes", [0.0, 2.0])
def test_whoever_finishes_now_has_the_best_finished_picture_so_far(make, minutes):
    for done in rounds(make, World(), Budget(20, minutes=minutes), group=3):
        trace = done.trace
        finished = [trial for trial in trace.trials if trial.finished]
        assert finished[0].id == 0 and done.best == trace.best()[0] == max(
            finished, key=lambda trial: (trace.scores[trial.id], -trial.id)
        )


@every_search
def test_by_the_clock_whoever_finishes_late_has_more_than_the_own_picture(make):
    """No wave takes much more than three times what was spent before it; two paths together take 8 pictures."""
    world, last = World(picture=10.0, look=0.1), 10.0
    for done in rounds(make, world, Budget(500, minutes=60.0), group=4):
        if any(trial.finished for trial in done.trials):
            last = world.now
        assert world.now < max(4.5 * last, 110.0)
        if world.now > 1000:
            break
    assert len(pictures(done.trace)) > 8


# What a draft costs


@pytest.mark.parametrize("make", BOTH_WAYS.values(), ids=BOTH_WAYS)
@pytest.mark.parametrize("price", [0.25, 0.5, 1.5, 2.0, 6.0])
@pytest.mark.parametrize("minutes", [0.0, 2.0])
def test_a_draft_setup_with_other_model_calls_buys_more_or_fewer_drafts(make, price, minutes):
    for number in (8, 16, 33):
        trace = searched(make, World(price=price), Budget(number, minutes=minutes))
        whole = min(number, 12) if minutes else number
        assert 0.95 * whole <= trace.pictures <= whole + 1e-6, number
        assert len(pictures(trace)) > 1
    counts = [
        sum(one.how == "draft" for one in searched(make, World(price=each), Budget(33, minutes=minutes)).trials)
        for each in (price, 1.0)
    ]
    assert counts[0] > counts[1] if price < 1 else counts[0] < counts[1]


# Noises that came in


@every_search
@pytest.mark.parametrize("came_in", [0, 1, 4, 8])
@pytest.mark.parametrize("minutes", [0.0, 3.0])
def test_all_noises_that_came_in_are_paid_for_and_pictures_are_finished(make, came_in, minutes):
    for number in (18,) if minutes else (18, 24):
        world = World(picture=10.0)
        trace = searched(make, world, Budget(number, minutes=minutes), came_in=came_in)
        count = max(1, came_in)
        assert [trial.how for trial in trace.trials[:count]] == ["start" if came_in else "own seed"] * count
        whole = min(number, 18) if minutes else number
        assert 0.95 * whole <= trace.pictures <= whole + 1e-6
        others = [proposed for proposed in pictures(trace) if trace.id_of(proposed) >= count]
        assert len(others) >= 2


def roots(proposed):
    """Noises that something was made from."""
    found = {proposed}
    for parent in proposed.parents:
        found |= roots(parent)
    return {one for one in found if isinstance(one, Candidate)}


@pytest.mark.parametrize("minutes", [0.0, 5.0])
@pytest.mark.parametrize("place", [0, 2, 3])
def test_the_best_noise_that_came_in_is_the_start(place, minutes):
    class Chosen(Promises):
        """One of those that came in is far better than all else, and what is near to it."""

        def worth(self, proposed):
            noise = fresh(SeedStream(1).at(1, place))
            return super().worth(proposed) + (100.0 if noise in roots(proposed) else 0.0)

    for name in ("AutoSearch", "RefineSearch", "PathSearch", "ZeroOrderSearch", "LocalSearch"):
        trace = searched(SEARCHES[name], World(worth=Chosen(0.63)), Budget(30, minutes=minutes), came_in=4)
        noise = fresh(SeedStream(1).at(1, place))
        moved = [trial for trial in trace.trials[4:] if trial.how in ("path", "preview", "neighbor")]
        refined = [trial for trial in trace.trials[4:] if trial.how == "refined"][-4:] if name != "PathSearch" else []
        assert all(noise in roots(trial.candidate) for trial in [*moved[:1], *refined]), name


def test_what_is_drawn_for_a_noise_that_came_in_is_in_none_of_them():
    came_in = [fresh(SeedStream(1).at(0, index)) for index in range(4)]
    for make in (AutoSearch, DraftSearch, SteeredSearch, PathSearch, RefineSearch):
        trace, world = Trace(("worth",)), World()
        search = make(came_in[0], SeedStream(1), schedule=world.schedule, pictures=24)
        for _ in run(
            search,
            world.measure,
            first_column,
            Budget(24),
            group=4,
            trace=trace,
            first=[(noise, "start") for noise in came_in],
            cost=world.cost,
        ):
            pass
        seeds = {noise.seed for noise in came_in}
        drawn = [trial.candidate for trial in trace.trials[4:]]
        assert not any(isinstance(one, Path) and one.renoised and one.seed in seeds for one in drawn)
        assert not any(one.plain_seed in seeds for one in drawn if isinstance(one, Candidate))


def test_path_search_says_how_many_pictures_it_takes_beside_what_came_in():
    with pytest.raises(ValueError, match="pictures must be at least 17 .* beside 7 more noises that came in, got 16"):
        searched(PathSearch, World(), Budget(16), came_in=8)
