"""With a limit by the clock, a second judge's looks when the search is over are paid for: at the lineages that there
are, and no more. And what the last search of a setup took is known before the first picture.
"""

from functools import partial

import pytest
from noise_search.search import (
    AutoSearch,
    Budget,
    DraftSearch,
    Measured,
    PathSearch,
    RandomSearch,
    Record,
    RefineSearch,
    SteeredSearch,
    fresh,
)
from noise_search.search.allowance import Pace
from noise_search.search.lineages import ACCEPTED_FROM, founder_of
from noise_search.tests.search.timed import World, pictures, rounds, searched

SEARCHES = (RandomSearch, AutoSearch, partial(AutoSearch, lineages=8), DraftSearch, RefineSearch, SteeredSearch)
PICTURE, LOOK, SECOND = 10.0, 2.0, 5.0


def seen(trace):
    return min(ACCEPTED_FROM, len({founder_of(one).key for one in pictures(trace)}))


def limited(seconds):
    return Budget(1000, minutes=seconds / 60)


@pytest.mark.parametrize("make", (*SEARCHES, PathSearch))
@pytest.mark.parametrize("seconds", [40.0, 100.0, 300.0])
def test_looks_and_search_together_stay_within_the_limit(make, seconds):
    world = World(picture=PICTURE, look=LOOK)
    trace = searched(make, world, limited(seconds), second=SECOND)
    # what of a path's first noises becomes a lineage is only known when they have come down
    assert world.now + SECOND * seen(trace) <= seconds + (SECOND if make is PathSearch else 0.0) + 1e-6


@pytest.mark.parametrize("make", SEARCHES)
@pytest.mark.parametrize("seconds", [100.0, 300.0])
def test_no_time_is_kept_free_for_looks_that_will_not_be(make, seconds):
    """Time for eight was, and a search of one or three lineages ended with it unused."""
    world = World(picture=PICTURE, look=LOOK)
    trace = searched(make, world, limited(seconds), second=SECOND)
    assert trace.stopped == "minutes"
    assert world.now + SECOND * seen(trace) > seconds - (PICTURE + LOOK + SECOND) * 1.5


def test_what_a_second_judge_takes_is_part_of_the_price_of_a_new_noise_until_it_sees_enough():
    world = World(picture=PICTURE, look=LOOK)
    few = searched(RandomSearch, world, limited(7 * (PICTURE + LOOK + SECOND)), second=SECOND)
    assert len(few.trials) == 7
    world = World(picture=PICTURE, look=LOOK)
    many = searched(RandomSearch, world, limited(20 * (PICTURE + LOOK) + 8 * SECOND), second=SECOND)
    assert len(many.trials) == 20


def test_what_is_handed_on_to_the_next_search_is_the_pace_of_full_batches():
    """The last group of a search is a small one, whose pictures are dear on a small model."""
    pace, own = Pace(), fresh(1)
    for count, seconds in ((1, 9.0), (8, 16.0), (1, 5.0)):
        pace.note(
            [own] * count,
            [1.0] * count,
            Measured(((0.0,),) * count, 0, seconds, count * 0.5, 0.0),
            seconds + count * 0.5,
        )
    assert pace.rates["picture"] == pytest.approx((5.0, 0.5)) and pace.fastest["picture"] == pytest.approx((2.0, 0.5))
    assert Pace().fastest == {}


KNOWN = Record(pace={"picture": (PICTURE, LOOK)}, paced=True)


@pytest.mark.parametrize("make", (AutoSearch, partial(AutoSearch, lineages=8)))
@pytest.mark.parametrize("seconds", [60.0, 400.0])
def test_with_the_pace_of_the_last_run_it_begins_with_a_batch(make, seconds):
    first = [
        next(rounds(make, World(picture=PICTURE, look=LOOK), limited(seconds), before=before)).trials
        for before in (None, KNOWN)
    ]
    assert [len(trials) for trials in first] == [1, 4]
    assert first[0][0].candidate == first[1][0].candidate, "the own seed is the first one"


def test_noises_in_full_for_a_second_judge_are_one_batch_where_the_pace_is_known():
    """In the time of eight it made five: four, and then one more by one more, which is dear on a small model."""
    budget, world = limited(8 * (PICTURE + LOOK + SECOND)), World(picture=PICTURE, look=LOOK)
    make = partial(AutoSearch, lineages=8)
    found = list(rounds(make, world, budget, group=8, before=KNOWN, second=SECOND))
    assert len(found[0].trials) == 8 and seen(found[-1].trace) == 8
    world = World(picture=2 * PICTURE, look=LOOK)  # the pace no longer holds
    found = list(rounds(make, world, budget, group=2, before=KNOWN, second=SECOND))
    assert found[-1].trace.stopped == "minutes" and seen(found[-1].trace) >= 4


@pytest.mark.parametrize("make", (*SEARCHES, PathSearch))
@pytest.mark.parametrize("true", [2.0, 10.0, 25.0])
def test_a_pace_that_no_longer_holds_is_measured_anew(make, true):
    """Another program uses the card now, or no longer."""
    world = World(picture=true, look=LOOK)
    trace = searched(make, world, limited(200.0), before=KNOWN)
    assert world.now <= 200.0 + 4 * (true + LOOK), "the first group was planned with what was known"
    assert trace.stopped == "minutes" and world.now > 200.0 - 2 * (true + LOOK)


@pytest.mark.parametrize("make", (*SEARCHES, PathSearch))
def test_what_began_with_a_known_pace_plans_the_same_when_it_runs_again(make):
    kept = list[Record]()
    first = searched(make, World(picture=PICTURE, look=LOOK), limited(200.0), before=KNOWN, record=kept)
    assert kept[0].paced
    world = World(picture=PICTURE, look=LOOK, known={trial.candidate for trial in first.trials})
    again = searched(make, world, limited(200.0), before=kept[0])
    assert [trial.candidate for trial in again.trials[: len(first.trials)]] == [
        trial.candidate for trial in first.trials
    ]
