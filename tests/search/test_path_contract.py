"""What every search along the path promises. A new one is one more line in SEARCHES."""

from functools import partial

import pytest
import torch
from noise_search.search import (
    AutoSearch,
    Budget,
    DraftSearch,
    Measured,
    Path,
    PathSearch,
    RefineSearch,
    SeedStream,
    SteeredSearch,
    Trace,
    finish,
    fresh,
    leaf,
    renoise,
    run,
)
from noise_search.search.path import check_draws
from noise_search.search.planned import SHALLOWEST
from noise_search.tests.search.flows import first_column, flow_schedule, hierarchy, searched
from noise_search.tests.search.walker import Walker

SEARCHES = {
    "PathSearch": PathSearch,
    "PathSearch in few steps": partial(PathSearch, paths=1, length=4),
    "PathSearch of one path": partial(PathSearch, paths=1, start_time=0.5, forward=0.2, backward=0.5),
    "SteeredSearch": SteeredSearch,
    "SteeredSearch in pools": partial(SteeredSearch, particles=3),
    "FK steering": partial(SteeredSearch, preset="FK steering"),
    "SVDD": partial(SteeredSearch, preset="SVDD"),
    "RefineSearch": RefineSearch,
    "DraftSearch": DraftSearch,
    "AutoSearch": AutoSearch,
    "RefineSearch one by one": partial(RefineSearch, children=1, warmup=1),
}
every_search = pytest.mark.parametrize("make", SEARCHES.values(), ids=SEARCHES)
OWN = fresh(SeedStream(1).at(1, 0))


def by_chance(candidates):
    """Score by the key, of a tried thing's own steps; costs nothing."""
    return Measured(tuple((int(proposed.key[:8], 16) / 2**32,) for proposed in candidates))


def planned(make, schedule, pictures, start=OWN, group=64):
    """What a search asks for when nobody holds it back: its own plan for so many pictures."""
    trace = Trace(("score",))
    search = make(start, SeedStream(1), schedule=schedule, pictures=pictures)
    rounds = run(
        search,
        by_chance,
        first_column,
        Budget(4 * pictures),
        group=group,
        trace=trace,
        first=[(start, "own seed")],
        cost=schedule.cost,
    )
    for _ in rounds:
        pass
    return trace


@every_search
@pytest.mark.parametrize("steps", [4, 8, 20, 28])
def test_it_plans_for_the_pictures_that_it_is_given_and_uses_them(make, steps):
    for pictures, shift in ((4, 1.0), (4, 3.0), (7, 1.0), (16, 3.0), (33, 1.0), (64, 3.0)):
        try:
            trace = planned(make, flow_schedule(steps, shift), pictures)
        except ValueError as error:  # the published numbers do not fit into a few pictures
            assert "pictures must be at least" in str(error) and pictures < 16
            continue
        assert 0.95 * pictures <= trace.pictures <= pictures + 1e-6 and trace.stopped == "finished", (
            pictures,
            trace.pictures,
        )


@every_search
@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_with_very_few_pictures_it_still_makes_them_or_says_how_many_it_takes(make, pictures):
    try:
        trace = planned(make, flow_schedule(20), pictures)
    except ValueError as error:
        assert "pictures must be at least" in str(error)
    else:
        assert pictures - SHALLOWEST < trace.pictures <= pictures + 1e-6 and trace.trials[0].candidate == OWN


@every_search
def test_the_group_size_changes_nothing_and_every_denoiser_call_is_in_the_ledger(make):
    model, schedule = hierarchy(1, size=6, coarse=3, fine=3), flow_schedule(8)

    def one_by_one(clean):  # so that rounding does not depend on the group
        return torch.cat([model.score(row[None]) for row in clean])

    traces = []
    for group in (1, 3, 8):
        walker = Walker(model.data.denoise, schedule, one_by_one, model.data.size)
        traces.append(searched(make, walker, pictures=12, seed=2, group=group))
        assert walker.nfe == traces[-1].ledger.nfe == round(8 * traces[-1].pictures)
    found = [([trial.candidate for trial in trace.trials], trace.best()[0].candidate, trace.scores) for trace in traces]
    assert found[0] == found[1] == found[2]
    assert traces[0].scores[traces[0].best()[0].id] >= traces[0].scores[0] and traces[0].trials[0].how == "own seed"


@every_search
def test_it_repeats_from_a_seed_pays_for_nothing_twice_and_leaves_the_global_generator_alone(make):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second = (planned(make, flow_schedule(20), 16, start=fresh(seed)) for seed in (3, 3))
    assert [trial.candidate for trial in first.trials] == [trial.candidate for trial in second.trials]
    assert len({trial.candidate for trial in first.trials}) == len(first.trials)
    assert torch.equal(torch.get_rng_state(), before)


@every_search
def test_no_noise_is_drawn_twice_on_the_way_to_anything_even_from_a_start_that_was_found_with_the_same_seeds(make):
    schedule = flow_schedule(8)
    found = renoise(finish(fresh(SeedStream(1).at(0, 0)), schedule), schedule.levels[-4:], SeedStream(1).at(0, 1))
    for start in (OWN, found, leaf("digest of a noise", 7)):
        for trial in planned(make, schedule, 20, start).trials:
            if isinstance(trial.candidate, Path):
                check_draws(trial.candidate)


@every_search
def test_it_does_what_it_can_with_a_picture_that_came_in(make):
    came_in = Path(None, (0.0,))
    trace = planned(make, flow_schedule(20), 16, came_in)
    assert trace.trials[0].cost == 0 and 0.95 * 16 <= trace.pictures <= 16 + 1e-6


@every_search
@pytest.mark.parametrize("steps", [8, 20, 28])
def test_no_refinement_is_shallower_than_one_that_is_worth_a_look(make, steps):
    schedule, least = flow_schedule(steps), round(SHALLOWEST * steps)
    for pictures in (4, 7, 11, 16, 33):
        try:
            trace = planned(make, schedule, pictures)
        except ValueError:  # the published numbers do not fit into a few pictures
            continue
        refined = [trial.candidate for trial in trace.trials if trial.how == "refined"]
        own = [walk for walk in refined if walk.levels == schedule.levels[-walk.steps - 1 :]]  # on all levels of it
        assert all(walk.steps >= least for walk in own), pictures
