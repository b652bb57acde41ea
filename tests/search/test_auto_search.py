"""Automatic search: never below best of N, above it where drafts foretell or pictures can be refined, and it says what
it did.
"""

import statistics
from functools import partial
from itertools import islice

import pytest
from noise_search.search import Budget, Path, SeedStream, draft, fresh, mix
from noise_search.search.auto_search import AutoSearch
from noise_search.search.draft_search import DraftSearch
from noise_search.search.lineages import founder_of
from noise_search.search.planned import SHALLOWEST
from noise_search.search.stages import Stage, Stages
from noise_search.tests.search.flows import (
    best_of_n,
    bests,
    eps_schedule,
    first_column,
    flow_schedule,
    hierarchy,
    interval,
    searched,
)
from noise_search.tests.search.promises import Promises, mean_best, spent, walks
from noise_search.tests.search.timed import World
from noise_search.tests.search.timed import searched as timed
from noise_search.tests.search.walker import Walker

SCHEDULES = {
    "20 steps of a flow": flow_schedule(20, 3.0),
    "20 steps of eps": eps_schedule(20),
    "4 steps": flow_schedule(4),
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_it_is_never_worse_than_best_of_n_and_far_better_with_many_steps(schedule):
    for pictures in (2, 4, 16):
        gain = bests(AutoSearch, schedule, pictures, 24) - bests(best_of_n, schedule, pictures, 24)
        low, high = interval(gain)
        assert high >= 0 and gain.mean() > -0.02
        if schedule.steps == 20 and pictures == 16:
            assert low > 0.15


class DraftsOnly(Stages):
    """Climbs on drafts alone, and takes the best one's noise in full at the end."""

    def __init__(self, start, seeds, *, schedule, pictures):
        self.start, self.seeds, self.schedule, self.count = start, seeds, schedule, (pictures - 3) * 4
        super().__init__(self.story())

    def story(self):
        levels = self.schedule.coarse(self.schedule.steps // 4)
        best = draft(self.start, levels)
        scores = yield Stage((self.start, best))
        for number in range(self.count // 4):
            noises = [fresh(seed) if number < 2 else mix(best.parent, seed, 0.9) for seed in islice(self.seeds, 4)]
            scores = yield Stage(tuple(draft(noise, levels) for noise in noises), (best,))
            best = max(scores, key=scores.__getitem__)
        yield Stage((best.parent,))


def test_climbing_on_drafts_alone_is_worse_than_drafts_and_then_refinement():
    schedule = flow_schedule(20, 3.0)
    low, _ = interval(bests(AutoSearch, schedule, 32, 24) - bests(DraftsOnly, schedule, 32, 24))
    assert low > 0


@pytest.mark.parametrize("pictures", [1, 2, 3, 4, 5, 16, 33])
@pytest.mark.parametrize("steps", [1, 4, 9, 20, 30])
def test_it_uses_the_budget_to_the_last_steps_that_are_worth_a_look(pictures, steps):
    trace, _ = spent(AutoSearch, Promises(0.7, schedule=flow_schedule(steps)), pictures, seed=1)
    assert pictures - SHALLOWEST < trace.pictures <= pictures + 1e-6


CHOSEN_FROM = partial(AutoSearch, lineages=8)


def lineages(trace):
    return len({founder_of(trial.candidate) for trial in trace.trials if trial.finished})


@pytest.mark.parametrize("pictures", [2, 4])
def test_with_few_pictures_a_second_judge_gets_as_many_noises_in_full_as_there_can_be(pictures):
    trace, search = spent(CHOSEN_FROM, Promises(0.7), pictures, seed=1)
    assert lineages(trace) == pictures == search.fulls and search.drafts == 0 and search.refined == 0


@pytest.mark.parametrize(("look", "pictures"), [(0.5, 6), (1.0, 8), (2.0, 8), (2.0, 12), (5.0, 8), (5.0, 12)])
def test_by_the_clock_a_second_judge_gets_enough_noises_however_dear_a_look_is(look, pictures):
    """In the time of 8 pictures it had 3 or 4 to choose from, and gained as little."""
    found = []
    for make in (AutoSearch, CHOSEN_FROM):
        world = World(picture=5.0, look=look)
        found.append(lineages(timed(make, world, Budget(100, minutes=pictures * (5.0 + look) / 60))))
    assert found[0] <= 6 and found[0] < found[1] == min(pictures, 8)


def test_where_drafts_leave_it_enough_nothing_changes():
    for pictures in (16, 40):
        found = [spent(make, Promises(0.7), pictures, seed=3)[0] for make in (AutoSearch, CHOSEN_FROM)]
        assert found[0].trials == found[1].trials and lineages(found[0]) >= 6


def test_lineages_below_one_are_refused():
    with pytest.raises(ValueError, match="lineages must be at least 1, got 0"):
        spent(partial(AutoSearch, lineages=0), Promises(0.7), 8, seed=1)


def test_the_group_size_changes_nothing():
    found = [
        [trial.candidate for trial in spent(AutoSearch, Promises(0.7), 16, seed=2, group=group)[0].trials]
        for group in (1, 3, 8)
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("make", [AutoSearch, DraftSearch])
def test_drafts_are_only_compared_with_drafts_and_pictures_with_pictures(make):
    """Ranks within each pool are enough: it finds the same as with scores."""

    def mean_rank(pool):
        return (pool[:, None] > pool[None]).float().sum(1).mean(1)

    scored, ranked = (spent(make, Promises(0.7), 24, seed=6, combine=combine) for combine in (first_column, mean_rank))
    assert [trial.candidate for trial in scored[0].trials] == [trial.candidate for trial in ranked[0].trials]
    assert scored[1].explain() == ranked[1].explain()


def test_it_starts_with_the_own_seed_and_never_ends_below_it():
    for seed in range(20):
        trace, _ = spent(AutoSearch, Promises(-0.9, harm=3.0), 6, seed)
        assert trace.trials[0].how == "own seed" and trace.scores[trace.best()[0].id] >= trace.scores[0]


def test_a_draft_is_never_the_result_and_every_result_took_the_last_steps_of_the_schedule():
    trace, search = spent(AutoSearch, Promises(1.0), 16, seed=1)
    assert all(path.levels == search._schedule.levels[-path.steps - 1 :] for path in walks(trace) if not path.draft)
    assert trace.best()[0].finished and not getattr(trace.best()[0].candidate, "draft", False)


def test_it_finishes_the_most_promising_drafts():
    trace, _ = spent(AutoSearch, Promises(0.8), 16, seed=4)
    drafts = [path for path in walks(trace) if path.draft]
    finished = [path.parent for path in walks(trace) if isinstance(path.parent, Path) and path.parent.draft]
    first_wave = drafts[: len(drafts) // 2]
    best = sorted(first_wave, key=trace.score_of, reverse=True)[: len(finished) // 2]
    assert finished[: len(best)] == best and len(finished) >= 4


def test_where_drafts_come_to_nothing_it_turns_to_fresh_noises_in_full():
    for rho, harm, turns in ((0.9, 0.0, False), (0.0, 9.0, True)):
        traces = [spent(AutoSearch, Promises(rho, harm=harm), 16, seed)[0] for seed in range(20)]
        turned = sum(any(trial.how == "random" for trial in trace.trials) for trace in traces)
        assert turned == 20 if turns else turned <= 6


def test_even_drafts_that_lead_astray_cost_less_than_a_quarter_of_the_pictures():
    astray = partial(Promises, 0.0, harm=9.0)
    assert mean_best(AutoSearch, astray(), 16, runs=300) > mean_best(best_of_n, astray(), 12, runs=300) - 0.05


def test_with_few_steps_it_does_without_drafts_and_below_four_pictures_is_best_of_n():
    few = Promises(0.9, schedule=flow_schedule(4))
    trace, search = spent(AutoSearch, few, 3, seed=1)
    assert [trial.how for trial in trace.trials] == ["own seed", "random", "random"] and search.explain().startswith(
        "3 in full"
    )
    trace, search = spent(AutoSearch, few, 12, seed=1)
    assert {trial.how for trial in trace.trials} == {
        "own seed",
        "random",
        "refined",
    } and "drafts" not in search.explain()


def test_where_refinement_fails_it_goes_on_with_fresh_noises():
    randoms = {}
    for wear in (0.0, 9.0):
        traces = [
            spent(AutoSearch, Promises(0.9, wear=wear, schedule=flow_schedule(4)), 24, seed)[0] for seed in range(20)
        ]
        randoms[wear] = sum(trial.how == "random" for trace in traces for trial in trace.trials)
    assert randoms[0.0] == 20 * 11 and randoms[9.0] > 1.1 * 20 * 11


def test_a_picture_that_comes_in_is_refined_at_once():
    schedule, model = flow_schedule(20, 3.0), hierarchy(0)
    walker = Walker(model.data.denoise, schedule, model.score, model.data.size, clean=model.data.draw(1, seed=0))
    trace = searched(lambda start, seeds, **knobs: AutoSearch(Path(None, (0.0,)), seeds, **knobs), walker, 4, seed=1)
    refined = [trial for trial in trace.trials if trial.how == "refined"]
    assert len(refined) > 4 and not any(trial.how in ("draft", "random") for trial in trace.trials)


def test_slow_judging_makes_fewer_and_longer_walks():
    steps = {}
    for judging in (0.0, 0.3, 0.6):
        trace, _ = spent(partial(AutoSearch, judging=judging), Promises(0.8), 16, seed=1)
        drafts = {path.steps for path in walks(trace) if path.draft}
        middle = statistics.median(path.steps for path in walks(trace) if not path.draft)
        steps[judging] = (drafts, middle, len(trace.trials))
    assert steps[0.0][0] == {5} and steps[0.3][0] == {6} and steps[0.6][0] == set()
    assert steps[0.0][1] <= steps[0.3][1] < 12 <= steps[0.6][1] and steps[0.0][2] > steps[0.3][2] > steps[0.6][2]


def test_it_says_what_it_did():
    trace, search = spent(AutoSearch, Promises(0.95, kept=0.99), 32, seed=3)
    counts = {how: sum(trial.how == how for trial in trace.trials) for how in ("draft", "refined")}
    made = sum(1 for path in walks(trace) if isinstance(path.parent, Path) and path.parent.draft)
    text = search.explain()
    assert text.startswith(
        f"{counts['draft']} drafts of 5 steps, {made} of them finished (the drafts foretell them: rank correlation 0."
    )
    assert f", the own seed in full, {counts['refined'] - made} refinements, " in text and text.endswith(
        " of them better."
    )


def test_it_says_how_many_refinements_were_better_and_not_how_many_rounds():
    search = AutoSearch(fresh(1), SeedStream(3), schedule=flow_schedule(20), pictures=40)
    children = [Path(Path(None, (0.0,)), (0.4, 0.0), seed) for seed in range(3)]
    for better in (2, 0, 3):
        search.best = fresh(1)
        search._move(
            children, {fresh(1): 0.0, **{child: float(place < better) for place, child in enumerate(children)}}
        )
    assert search.explain().endswith("9 refinements, 5 of them better.")


def test_other_levels_can_be_drafted_with_or_none():
    levels = (1.0, 0.6, 0.2, 0.0)
    for drafts, expected in ((levels, {levels}), ((), set())):
        trace, _ = spent(partial(AutoSearch, drafts=drafts), Promises(0.8), 8, seed=1)
        assert {path.levels for path in walks(trace) if path.draft} == expected


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"pictures": 0}, "pictures must be at least 1, got 0"),
        ({"judging": -1.0}, "judging must be at least 0, got -1.0"),
        ({"drafts": (0.5, 0.7, 0.0)}, "the schedule must go down to 0"),
    ],
)
def test_bad_knobs_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        AutoSearch(fresh(1), SeedStream(5), **{"schedule": flow_schedule(20), "pictures": 8, **knobs})


class Capped(Promises):
    """Pictures are worth no more than a cap, as with a verifier that cannot tell very good from good."""

    cap = 1.0

    def measure(self, candidates):
        measured = super().measure(candidates)
        return type(measured)(tuple((min(value, self.cap),) for (value,) in measured.values))


def test_it_stops_when_more_is_not_worth_it_and_loses_nothing_by_that():
    for seed in range(3):
        trace, search = spent(AutoSearch, Capped(0.7), 600, seed)
        assert trace.pictures < 540 and trace.scores[trace.best()[0].id] == Capped.cap
        assert search.stopped and search.explain().endswith("then no more was worth it.")


def test_pictures_that_all_score_the_same_are_not_worth_many():
    class Flat(Promises):
        def worth(self, proposed):
            return 1.0

    trace, _ = spent(AutoSearch, Flat(0.7), 100, seed=1)
    assert trace.stopped == "finished" and trace.pictures < 80


def test_while_pictures_still_get_better_it_does_not_stop():
    for seed in range(10):
        trace, search = spent(AutoSearch, Promises(0.7), 96, seed)
        assert trace.pictures == pytest.approx(96) and not search.stopped


def test_the_second_wave_finishes_the_most_promising_drafts_of_both():
    search = AutoSearch(fresh(1), SeedStream(3), schedule=flow_schedule(20), pictures=40)
    drafts, pictures = [], []
    while (stage := search.ask(1000)) and len(pictures) < 2:
        new = [proposed for proposed in stage if getattr(proposed, "draft", False)]
        if new:
            drafts.append(new)
        elif not any(proposed == fresh(1) for proposed in stage):
            pictures.append(stage)
        first = set(drafts[0]) if drafts else set()
        search.tell(
            stage,
            {
                proposed: (100.0 if proposed in first else 1.0)
                if getattr(proposed, "draft", False)
                else 0.0
                if proposed == fresh(1)
                else 5.0
                for proposed in [*search.held, *stage]
            },
        )
    assert len(drafts) == 2 and len(pictures) == 2 and all(pictures)
    assert set(search.made.values()) <= set(drafts[0]), "those of the first wave were the more promising ones"


def test_the_depth_stays_where_one_refinement_of_ten_is_better():
    search = AutoSearch(fresh(1), SeedStream(3), schedule=flow_schedule(20), pictures=40)
    search.depth, children = 8.0, [mix(fresh(1), seed, 0.9) for seed in range(2, 12)]
    search._schedule = type("Priced", (), {"cost": lambda self, proposed: 0.4, "steps": 20})()
    search._move(
        children, {search.best: 0.0, **{child: float(place == 3) - 0.5 for place, child in enumerate(children)}}
    )
    assert search.depth == pytest.approx(8.0)
