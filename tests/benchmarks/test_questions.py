"""The answers to the paper's questions, on pools whose answers are known."""

import numpy as np
import pytest

from bench import cases, comparison, plots, questions
from bench.pool import Pool
from bench.searches import Unit, apart, curve
from search.noise import fresh
from search.path import draft
from search.trace import Measured, Trace

RANDOM = np.random.default_rng(5)


def a_pool(values, checked, pictures=None, seconds=(1.0, 0.0, 0.0)):
    count = len(values)
    shown = RANDOM.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8) if pictures is None else pictures
    judged = np.asarray(checked, float)
    return Pool(
        np.asarray(values, float)[:, None], ("clip",), judged, (judged == 1).astype(float), shown, 40.0, seconds
    )


def base_of(*pools):
    return comparison.baseline(pools, [cases.Case(f"prompt {number}") for number in range(len(pools))])


def honest_pools(count=6):
    scores = [RANDOM.random(32) for _ in range(count)]
    return [a_pool(score, score) for score in scores]


def hacked_pools(count=6):
    """The judge agrees with the verifier up to a point, and is turned round above it."""
    scores = [RANDOM.permutation(np.linspace(0, 1, 32)) for _ in range(count)]
    return [a_pool(score, np.where(score > 0.9, 0.0, score)) for score in scores]


def test_an_honest_verifier_is_not_called_hacked_and_one_that_is_fooled_is():
    honest, hacked = questions.hacking(base_of(*honest_pools())), questions.hacking(base_of(*hacked_pools()))
    assert honest["judge"]["searched"]["peak"] == 32 and "the judge is highest at N = 32" in honest["sentence"]
    found = hacked["judge"]["searched"]
    assert 1 < found["peak"] < 32 and found["change_after"][2] < 0
    assert "then falls (0.000 at 32)" in hacked["sentence"]


def test_the_verifier_that_agrees_is_told_from_those_that_do_not():
    answer = questions.agreement(base_of(*honest_pools()))
    assert answer["spearman"]["searched"][0] == pytest.approx(1)
    assert abs(answer["spearman"]["sharpness"][0]) < 0.4


def test_steps_are_compared_at_equal_cost(tmp_path):
    def stored(name, worth):
        store, case = cases.Store(tmp_path), cases.Case(name)
        one = a_pool(np.linspace(0, 1, 64), np.full(64, worth))
        np.savez_compressed(
            store.path(case, "npz"),
            columns=np.array(one.columns),
            nfe=one.nfe,
            seconds=np.array(one.seconds),
            values=one.values,
            checked=one.checked,
            passed=one.passed,
            pictures=one.pictures,
        )
        return store, [case]

    answer = questions.candidates_or_steps({5: stored("a", 0.3), 20: stored("b", 0.8)}, 20)
    few, full = answer["plot"]["lines"]["5 steps"], answer["plot"]["lines"]["20 steps"]
    assert few[0][:4] == [0.25, 0.5, 0.75, 1] and full[0][:2] == [1, 2]
    assert "20 steps for 16 pictures' worth (0.800)" in answer["sentence"]


def test_winners_that_are_all_alike_are_no_distance_apart():
    same = np.full((3, 8, 8, 3), 7, np.uint8)
    assert apart(same) == 0 and apart(same[:1]) is None
    assert apart(np.stack([np.zeros((4, 4, 3)), np.full((4, 4, 3), 10)])) == pytest.approx(10)


def test_the_table_names_the_best_pair():
    rows = [{"algorithm": "auto, ensemble", "pictures": 16, "checked": {"search": (0.99, 0.9, 1.0)}},
            {"algorithm": "auto", "pictures": 16, "checked": {"search": (0.5, 0.4, 0.6)}}]  # fmt: skip
    answer = questions.verifier_table(base_of(*honest_pools()), rows, 16)
    assert answer["judge"]["ensemble"]["auto"] == 0.99 and answer["judge"]["searched"]["auto"] == 0.5
    assert "auto with the ensemble verifier" in answer["sentence"]


def test_the_ensemble_of_a_pool_is_ranked_by_all_its_judges():
    pool = honest_pools(1)[0]
    seen = comparison.seen_by(pool, "ensemble")
    assert seen.values.shape == (32, 2) and np.allclose(seen.values[:, 0], pool.values[:, 0])
    alone = [
        questions.together(np.column_stack([seen.values[:, 0], np.zeros(32)])),
        questions.together(np.column_stack([np.zeros(32), seen.values[:, 1]])),
    ]
    assert np.allclose(questions.together(seen.values), np.sum(alone, axis=0)), "what each judge says counts"


def test_a_drafts_score_is_no_best_so_far():
    trace = Trace(("clip",))
    proposed = [draft(fresh(1), (1.0, 0.5, 0.0)), fresh(1), fresh(2), fresh(3)]
    trace.add(
        proposed,
        Measured(values=((9.0,), (1.0,), (0.5,), (2.0,))),
        ["draft", "own seed", "random", "random"],
        0,
        [0.25, 1, 1, 1],
    )
    trace.scores = [9.0, 1.0, 0.5, 2.0]
    assert curve(trace) == [[1.25, 1.0], [3.25, 2.0]]


def test_every_plot_is_written(tmp_path):
    base = base_of(*honest_pools())
    answers = [questions.hacking(base), questions.ensembles(base), questions.agreement(base)]
    for number, answer in enumerate(answers):
        assert plots.answer(answer["plot"], tmp_path / f"{number}.png").stat().st_size > 1000
    row = {
        "algorithm": "auto",
        "pictures": 8,
        "cost": 8.0,
        "searched": {"search": (1.0, 0.5, 1.5)},
        "checked": {"search": (0.9, 0.8, 1.0)},
        "equivalent_n": (12.0, 9.0, float("inf")),
    }
    assert (
        plots.score_against_cost(base, [row], tmp_path / "s.png").exists()
        and plots.equivalent_n([row], tmp_path / "n.png", 32).exists()
    )


def test_records_of_kept_pictures_are_no_rows():
    assert comparison.unit_of("auto @ 16").pictures == 16
    assert comparison.unit_of(Unit(comparison.Algorithm("auto", "AutoSearch", (32,)), 32, keep=4).name) is None


def test_a_search_that_loses_in_few_steps_is_told_to_lose():
    rows = [
        {"pictures": 2, "searched": {"gain": (0.0, -0.01, 0.01)}},
        {"pictures": 8, "searched": {"gain": (-0.2, -0.3, -0.1)}},
    ]
    answer = questions.never_worse(rows, 4)
    assert "-0.200 (-0.300 to -0.100) sd with 8 pictures" in answer["sentence"] and answer["gain"][2][0] == 0.0
