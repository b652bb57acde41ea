"""What every search promises. A new one is one more line in SEARCHES."""

from functools import partial

import pytest
import torch
from noise_search.search import (
    Budget,
    LocalSearch,
    RandomSearch,
    SeedStream,
    Trace,
    ZeroOrderSearch,
    fresh,
    materialize,
    run,
)
from noise_search.tests.search.landscapes import SHAPES, RandomField, linear, measured_by, searched, single
from noise_search.tests.search.normality import complaints

PAPER = {"warmup": 1, "adapt": False, "restart": "fresh"}
SEARCHES = {
    "RandomSearch": RandomSearch,
    "ZeroOrderSearch": ZeroOrderSearch,
    "ZeroOrderSearch as in the paper": partial(ZeroOrderSearch, **PAPER),
    "ZeroOrderSearch with one neighbor": partial(ZeroOrderSearch, neighbors=1, warmup=1),
    "LocalSearch": partial(LocalSearch, pictures=32),
    "LocalSearch as evolution": partial(LocalSearch, pictures=32, preset="evolution"),
    "LocalSearch with all moves": partial(
        LocalSearch, pictures=32, moves=("step", "span", "cross", "coarse", "fine"), centers=3
    ),
}
every_search = pytest.mark.parametrize("make", SEARCHES.values(), ids=SEARCHES)


def mean_rank(pool):
    return (pool[:, None] > pool[None]).float().sum(1).mean(1)


@every_search
def test_it_asks_for_standard_normal_noise_over_twenty_rounds(make):
    search, generator = make(fresh(1), SeedStream(2)), torch.Generator().manual_seed(3)
    lasts = []
    for _ in range(20):
        asked = search.ask(8)
        assert len(asked) <= 8
        # one by one: neighbors of one pivot are not independent of each other
        for row in materialize(asked, [(8, 32, 32)])[0]:
            assert complaints(row[None], law=2.3) == []
        told = [*getattr(search, "held", ()), *asked]
        search.tell(asked, dict(zip(told, torch.randn(len(told), generator=generator).tolist(), strict=True)))
        lasts.append(asked[-1])
    assert len(set(lasts)) == 20


@every_search
def test_it_repeats_from_a_seed_and_only_from_it(make):
    first, second, other = (searched(make, linear, pictures=30, seed=seed) for seed in (1, 1, 2))
    assert [trial.candidate for trial in first.trials] == [trial.candidate for trial in second.trials]
    assert first.to_json().split('"ledger"')[0] == second.to_json().split('"ledger"')[0]
    assert not {trial.candidate for trial in first.trials} & {trial.candidate for trial in other.trials}


@every_search
@pytest.mark.parametrize("pictures", [1, 2, 5, 16, 33])
def test_it_uses_the_budget_exactly_and_pays_for_nothing_twice(make, pictures):
    trace = searched(make, RandomField(10, seed=0), pictures, seed=1)
    assert (
        len(trace.trials) == pictures == len({trial.candidate for trial in trace.trials})
        and trace.stopped == "pictures"
    )


@every_search
@pytest.mark.parametrize("combine", [single, mean_rank])
def test_the_group_size_changes_nothing(make, combine):
    def found(group):
        trace, start = Trace(("score",)), fresh(9)
        for _ in run(
            make(start, SeedStream(5)),
            measured_by(linear),
            combine,
            Budget(45),
            group=group,
            trace=trace,
            first=[(start, "own seed")],
        ):
            pass
        return [trial.candidate for trial in trace.trials], trace.best()[0].candidate

    assert found(1) == found(3) == found(8) == found(45)


@every_search
def test_it_starts_with_the_start_and_never_ends_below_it(make):
    for seed in range(10):
        trace = searched(make, RandomField(15, seed), pictures=12, seed=seed)
        assert trace.trials[0].how == "own seed" and trace.score_of(trace.best()[0].candidate) >= trace.scores[0]


@every_search
def test_a_larger_budget_begins_with_the_smaller_one(make):
    small, large = (searched(make, linear, pictures, seed=4) for pictures in (11, 40))
    assert [trial.candidate for trial in large.trials][:11] == [trial.candidate for trial in small.trials]


@every_search
def test_it_leaves_the_global_generator_alone(make):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    searched(make, linear, pictures=12, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


@every_search
def test_a_start_that_was_found_with_the_same_seeds_is_moved_by_new_ones(make):
    found = searched(ZeroOrderSearch, linear, pictures=20, seed=1).best()[0].candidate
    trace = Trace(("score",))
    for _ in run(make(found, SeedStream(1)), measured_by(linear), single, Budget(20), group=4, trace=trace):
        pass
    materialize([trial.candidate for trial in trace.trials], SHAPES)  # it refuses a draw that is used twice
    assert len(trace.trials) == 20
