"""The runner: budget, ledger, ranking of the whole pool, stop rules, and what is left when something raises."""

import math

import pytest
import torch
from noise_search.search import Budget, Measured, RandomSearch, SeedStream, Trace, fresh, mix, run


class Script:
    """A search that asks from a list, and keeps what it was told: what was measured, and all scores of then."""

    def __init__(self, candidates):
        self.left, self.heard = list(candidates), []

    def ask(self, limit):
        asked, self.left = self.left[:limit], self.left[limit:]
        return asked

    def tell(self, measured, scores):
        self.heard.append((list(measured), dict(scores)))


class Clock:
    """A clock that only moves when pictures are made."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def single(pool):
    return pool[:, 0]


def mean_rank(pool):
    return (pool[:, None] > pool[None]).float().sum(1).mean(1) - len(pool)  # depends on who else is in the pool


class Judge:
    """Measures by a table of seeds, and remembers every call."""

    def __init__(self, value=lambda seed: (float(seed),), clock=None, seconds=0.0):
        self.value, self.clock, self.seconds, self.calls = value, clock, seconds, []

    def __call__(self, candidates):
        self.calls.append(list(candidates))
        if self.clock:
            self.clock.now += self.seconds * len(candidates)
        values = tuple(self.value(candidate.seed) for candidate in candidates)
        return Measured(values, nfe=40, sampling_seconds=3.0, decoding_seconds=2.0, scoring_seconds=1.0)


def finished(search, judge, budget, *, combine=single, group=4, columns=("score",), **more):
    trace = Trace(columns)
    return list(run(search, judge, combine, budget, group=group, trace=trace, **more)), trace


def seeds(*numbers):
    return [fresh(number) for number in numbers]


def test_the_budget_is_used_to_the_last_picture_and_never_exceeded():
    for pictures in (1, 2, 7, 8, 20):
        judge = Judge()
        rounds, trace = finished(RandomSearch(fresh(1), SeedStream(0)), judge, Budget(pictures))
        assert sum(map(len, judge.calls)) == len(trace.trials) == trace.ledger.rollouts == pictures
        assert max(map(len, judge.calls)) <= 4 and len(judge.calls) == math.ceil(pictures / 4) == len(rounds)
        assert trace.stopped == "pictures"


def test_the_ledger_is_exact():
    _, trace = finished(RandomSearch(fresh(1), SeedStream(0)), Judge(), Budget(10))
    ledger = trace.ledger
    assert (ledger.rollouts, ledger.nfe, ledger.decodes, ledger.scores) == (10, 400, 10, 10)
    assert (ledger.sampling_seconds, ledger.decoding_seconds, ledger.scoring_seconds) == (9.0, 6.0, 3.0)
    assert sum(trial.seconds for trial in trace.trials) == pytest.approx(18) and {
        trial.nfe for trial in trace.trials
    } == {40}


def test_the_users_own_noise_is_candidate_zero():
    rounds, trace = finished(RandomSearch(fresh(7), SeedStream(0)), Judge(), Budget(8), first=[(fresh(7), "own seed")])
    assert [trial.how for trial in trace.trials] == ["own seed"] + ["random"] * 7
    assert trace.trials[0].candidate == fresh(7) and [len(made.trials) for made in rounds] == [4, 4]


def test_noises_that_came_in_are_measured_first_and_counted():
    first = [(fresh(100), "own seed"), (fresh(101), "start"), (fresh(102), "start"), (fresh(100), "start")]
    for group in (1, 2, 8):
        _, trace = finished(RandomSearch(fresh(101), SeedStream(0)), Judge(), Budget(6), group=group, first=first)
        assert [trial.candidate.seed for trial in trace.trials][:3] == [100, 101, 102] and len(trace.trials) == 6
        assert [trial.how for trial in trace.trials] == ["own seed", "start", "start", "random", "random", "random"]
    _, trace = finished(RandomSearch(fresh(101), SeedStream(0)), Judge(), Budget(2), first=first)
    assert [trial.candidate.seed for trial in trace.trials] == [100, 101]


def test_no_candidate_is_paid_for_twice():
    judge, search = Judge(), Script(seeds(1, 2, 1, 2, 3, 3, 1, 4))
    _, trace = finished(search, judge, Budget(100))
    assert [candidate.seed for call in judge.calls for candidate in call] == [
        1,
        2,
        3,
        4,
    ] and trace.stopped == "finished"
    assert sorted({candidate.seed for told, _ in search.heard for candidate in told}) == [1, 2, 3, 4]


def test_a_known_candidate_that_is_asked_again_is_told_without_a_picture():
    judge, search = Judge(), Script(seeds(1, 2, 1))
    rounds, _ = finished(search, judge, Budget(100), group=2)
    assert [len(made.trials) for made in rounds] == [2, 0]
    assert search.heard[1] == (seeds(1), {fresh(1): 1.0, fresh(2): 2.0})


def test_the_whole_pool_is_ranked_anew_and_a_search_hears_the_new_score_of_what_it_knew():
    search = Script(seeds(5, 9, 1, 2))
    rounds, _ = finished(search, Judge(), Budget(4), combine=mean_rank, group=1)
    # alone; then beaten by 9; then 1 and 2 below it
    assert [scores[fresh(5)] for _, scores in search.heard] == [-1.0, -2.0, -2.0, -2.0]
    assert [scores[measured[0]] for measured, scores in search.heard] == [-1.0, -1.0, -3.0, -3.0]
    assert [made.rescored for made in rounds] == [False, True, False, True], "1 is below 5 and 9, and moves neither"
    assert [made.best.candidate.seed for made in rounds] == [5, 9, 9, 9]


def test_where_no_older_score_changes_a_round_says_so():
    rounds, trace = finished(Script(seeds(5, 9, 1, 2)), Judge(), Budget(4), group=1)
    assert [made.rescored for made in rounds] == [False] * 4 and trace.scores == [5.0, 9.0, 1.0, 2.0]


def test_minutes_start_no_group_that_would_pass_the_limit():
    clock = Clock()
    judge = Judge(clock=clock, seconds=10)
    _, trace = finished(RandomSearch(fresh(1), SeedStream(0)), judge, Budget(100, minutes=2.0), clock=clock)
    assert list(map(len, judge.calls)) == [1, 4, 4, 3] and clock.now == 220 and trace.stopped == "minutes"


def test_the_first_picture_runs_however_short_the_time_is():
    clock = Clock()
    _, trace = finished(
        RandomSearch(fresh(1), SeedStream(0)), Judge(clock=clock, seconds=1000), Budget(100, minutes=1), clock=clock
    )
    assert len(trace.trials) == 1 and trace.stopped == "minutes"


def test_time_that_passes_between_rounds_counts():
    clock, trace = Clock(), Trace(("score",))
    search = RandomSearch(fresh(1), SeedStream(0))
    for _ in run(
        search, Judge(clock=clock, seconds=10), single, Budget(100, minutes=1), group=4, trace=trace, clock=clock
    ):
        clock.now += 60
    assert len(trace.trials) == 1 and trace.stopped == "minutes"


def test_the_target_stops_the_search():
    _, trace = finished(Script(seeds(*range(1, 50))), Judge(), Budget(40, target=6.0))
    assert len(trace.trials) == 8 and trace.stopped == "target"


def test_patience_stops_after_so_many_rounds_without_a_new_best():
    _, trace = finished(Script(seeds(1, 2, 50, *range(3, 40))), Judge(), Budget(40, patience=3), group=1)
    assert len(trace.trials) == 6 and trace.stopped == "patience"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_names_its_column_and_candidate(bad):
    judge = Judge(lambda seed: (0.0, bad if seed == 6 else 1.0))
    with pytest.raises(ValueError, match="ImageReward must be finite, got .* for candidate 5"):
        finished(Script(seeds(*range(1, 9))), judge, Budget(8), columns=("clip", "ImageReward"))


def test_a_wrong_number_of_values_is_refused():
    with pytest.raises(ValueError, match="one value for each of"):
        finished(Script(seeds(1)), Judge(lambda seed: (1.0, 2.0)), Budget(1))
    with pytest.raises(ValueError, match="one row per candidate, got 1 rows for 2"):
        finished(Script(seeds(1, 2)), lambda candidates: Measured(((1.0,),)), Budget(2))
    with pytest.raises(ValueError, match="one finite score per candidate"):
        finished(Script(seeds(1)), Judge(), Budget(1), combine=lambda pool: pool[:, 0] * math.nan)
    with pytest.raises(ValueError, match="ask must return at most"):
        Greedy = type("Greedy", (Script,), {"ask": lambda self, limit: self.left})
        finished(Greedy(seeds(1, 2, 3)), Judge(), Budget(2))


@pytest.mark.parametrize("error", [RuntimeError("no memory"), KeyboardInterrupt()])
def test_what_measuring_raises_passes_through_and_the_trace_stays(error):
    def value(seed):
        if seed == 7:
            raise error
        return (float(seed),)

    trace = Trace(("score",))
    with pytest.raises(type(error)) as caught:
        for _ in run(Script(seeds(*range(1, 20))), Judge(value), single, Budget(16), group=4, trace=trace):
            pass
    assert (
        caught.value is error
        and trace.scores == [1.0, 2.0, 3.0, 4.0]
        and trace.ledger.rollouts == 4
        and trace.stopped == ""
    )
    assert trace.best()[0].candidate == fresh(4)


def test_without_a_verifier_all_are_equal_and_the_first_is_the_best():
    _, trace = finished(
        RandomSearch(fresh(7), SeedStream(0)),
        Judge(lambda seed: ()),
        Budget(5),
        columns=(),
        combine=lambda pool: pool.sum(1),
    )
    assert trace.best()[0].candidate == fresh(7) and trace.ledger.scores == 0 and trace.ledger.decodes == 5


def test_equal_scores_go_to_the_earlier_one():
    _, trace = finished(Script(seeds(3, 1, 2)), Judge(lambda seed: (float(seed > 1),)), Budget(3))
    assert [trial.id for trial in trace.best(3)] == [0, 2, 1]


def test_trials_know_their_round_and_their_parents():
    script = Script([fresh(1), mix(fresh(1), 2, 0.5), mix(mix(fresh(1), 2, 0.5), 3, 0.5), mix(fresh(99), 4, 0.5)])
    _, trace = finished(script, Judge(), Budget(4), group=2)
    assert [trial.parents for trial in trace.trials] == [(), (0,), (1,), ()] and [
        trial.round for trial in trace.trials
    ] == [0, 0, 1, 1]
    assert [trial.how for trial in trace.trials] == ["random", "neighbor", "neighbor", "neighbor"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Budget(0), "pictures must be at least 1, got 0"),
        (lambda: Budget(1, minutes=-1), "minutes must be 0"),
        (lambda: Budget(1, minutes=0.001), "at least one second"),
        (lambda: Budget(1, minutes=math.inf), "minutes must be"),
        (lambda: Budget(1, target=math.nan), "target must be finite, got nan"),
        (lambda: Budget(1, patience=-1), "patience must be at least 0, got -1"),
        (
            lambda: next(run(Script(seeds(1)), Judge(), single, Budget(1), group=0, trace=Trace())),
            "group must be at least 1, got 0",
        ),
    ],
)
def test_bad_limits_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_scores_are_those_of_float32_values():
    value = torch.tensor(0.1).item()
    _, trace = finished(Script(seeds(1)), Judge(lambda seed: (value,)), Budget(1))
    assert trace.scores == [value] and trace.trials[0].values == (value,)
