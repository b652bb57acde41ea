"""What the Search Report shows and writes, in the real host."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from noise_search.search.best_of import expected_best
from noise_search.search.noise import fresh, mix
from noise_search.search.path import Path as Walk
from noise_search.search.path import draft
from noise_search.search.trace import Ledger, Measured, Trace
from noise_search.tests.nodes.graphs import Brightness, kept, refused, run, searched
from PIL import Image

LEVELS = (1.0, 0.5, 0.0)


def report(**inputs):
    return {
        "class_type": "SearchReport",
        "inputs": {"trace": ["2", 6], "top_k": 3, "filename_prefix": "r/report", "save": False, **inputs},
    }


def outputs_of(node):
    slots = enumerate(("picture", "json", "csv"))
    return {
        f"k{name}": {"class_type": "ToyKeep", "inputs": {"value": [node, slot], "name": name}} for slot, name in slots
    }


def value(name, host, thing):
    host.toys.VALUES[name] = thing
    return {name: {"class_type": "ToyValue", "inputs": {"name": name}}}


def some_trace(scores=(1.0, 3.0, 2.0, 9.0, 4.0)):
    """Own seed, two random ones, a draft that looks best of all, a neighbor."""
    trace = Trace(("brightness",))
    candidates = [fresh(1), fresh(2), fresh(3), draft(fresh(4), LEVELS), mix(fresh(2), 5, 0.9)]
    hows, costs = ["own seed", "random", "random", "draft", "neighbor"], [1.0, 1.0, 1.0, 0.5, 1.0]
    measured = Measured(values=tuple((score,) for score in scores), nfe=4, sampling_seconds=5.0)
    trace.add(candidates, measured, hows, 0, costs)
    trace.scores = list(scores)
    return trace


def line(host, trace, label):
    (axes,) = host.part("nodes.plots").search_figure(trace, marked=2).axes
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return [list(map(float, data)) for data in found.get_data()]


def test_the_best_so_far_rises_with_finished_pictures_and_passes_drafts_by(host):
    assert line(host, some_trace(), "best so far") == [[1, 2, 3, 4.5], [1, 3, 3, 4]]


def test_the_expected_best_of_n_comes_from_the_independent_draws_alone(host):
    counts, expected = line(host, some_trace(), "best of N, expected")
    assert counts == [1, 2, 3]
    assert expected == pytest.approx([2, (3 + 2 + 3) / 3, 3])


def test_drafts_are_drawn_lighter_than_pictures(host):
    (axes,) = host.part("nodes.plots").search_figure(some_trace()).axes
    looks = {drawn.get_label(): drawn for drawn in axes.collections}
    assert set(looks) == {"own seed", "random", "draft", "neighbor"}
    assert looks["draft"].get_alpha() < looks["random"].get_alpha()
    assert looks["draft"].get_offsets().tolist() == [[3.5, 9.0]]


def test_the_best_are_numbered_where_they_are(host):
    (axes,) = host.part("nodes.plots").search_figure(some_trace(), marked=2).axes
    assert [(note.get_text(), *note.xy) for note in axes.texts] == [("#5", 4.5, 4.0), ("#2", 2.0, 3.0)]


def test_a_trace_of_drafts_alone_is_drawn_without_a_best(host):
    trace = Trace(("brightness",))
    trace.add([draft(fresh(4), LEVELS)], Measured(values=((1.0,),)), ["draft"], 0, [0.5])
    trace.scores = [1.0]
    (axes,) = host.part("nodes.plots").search_figure(trace, marked=1).axes
    assert not axes.lines and not axes.texts


def test_the_sheet_is_as_wide_as_asked_and_holds_every_tile(host):
    tiles = [Image.new("RGB", (30, 40), (50 * number, 0, 0)) for number in range(1, 6)]
    sheet = np.asarray(host.part("nodes.plots").contact_sheet(tiles, 300))
    assert sheet.shape[1] == 300
    assert {50 * number for number in range(1, 6)} <= set(sheet[..., 0].flatten().tolist())


def test_a_search_is_reported_with_its_winners_below_the_plot(host, judge):
    plain = run(host, judge(Brightness()), searched(keep=3), {"r": report()}, outputs_of("r"))
    found = run(
        host, judge(Brightness()), searched(keep=3), {"r": report(images=["2", 1])}, outputs_of("r"), kept("2", "trace")
    )
    assert found.picture.shape[1] > plain.picture.shape[1] and found.picture.shape[2:] == (plain.picture.shape[2], 3)
    assert 0 <= found.picture.min() < found.picture.max() <= 1
    assert found.json == found.trace.to_json()
    assert found.ui["r"]["images"][0]["type"] == "temp" and "6 tries" in found.ui["r"]["text"][0]


def test_saving_writes_picture_json_and_csv_under_one_name_and_the_workflow_into_the_picture(host, judge):
    import folder_paths

    found = run(host, judge(Brightness()), searched(), {"r": report(save=True)}, outputs_of("r"))
    (entry,) = found.ui["r"]["noise_search_report"]
    paths = [Path(folder_paths.get_output_directory(), file["subfolder"], file["filename"]) for file in entry["files"]]
    assert [path.suffix for path in paths] == [".png", ".json", ".csv"] and len({path.stem for path in paths}) == 1
    assert paths[1].read_text(encoding="utf-8") == found.json
    assert paths[2].read_text(encoding="utf-8") == found.csv
    assert json.loads(Image.open(paths[0]).text["prompt"])["r"]["class_type"] == "SearchReport"
    for path in paths:
        os.remove(path)


def test_a_prefix_outside_the_output_folder_is_refused(host, judge):
    node = report(save=True, filename_prefix="../../x")
    assert "outside the output folder" in refused(host, judge(Brightness()), searched(), {"r": node})


def test_the_trace_comes_back_from_its_json(host, judge):
    found = run(
        host, judge(Brightness()), searched("ZeroOrderSearch"), {"r": report()}, outputs_of("r"), kept("2", "trace")
    )
    again = Trace.from_json(found.json)
    assert [trial.candidate.key for trial in again.trials] == [trial.candidate.key for trial in found.trace.trials]
    assert again.scores == found.trace.scores and again.to_json() == found.json and again.to_csv() == found.csv


def test_the_table_has_a_row_per_trial_with_its_running_cost_and_its_parents():
    rows = list(csv.DictReader(io.StringIO(some_trace().to_csv())))
    assert [row["how"] for row in rows] == ["own seed", "random", "random", "draft", "neighbor"]
    assert [float(row["cumulative cost"]) for row in rows] == [1, 2, 3, 3.5, 4.5]
    assert [row["stage"] for row in rows] == ["picture"] * 3 + ["draft of 2 steps", "picture"]
    assert [row["parents"] for row in rows] == ["", "", "", "", "1"]
    assert [float(row["brightness"]) for row in rows] == [float(row["score"]) for row in rows] == [1, 3, 2, 9, 4]
    assert {row["nfe"] for row in rows} == {"4"} and {float(row["seconds"]) for row in rows} == {1.0}


def test_a_name_with_a_comma_stays_one_column():
    trace = Trace(("sharp, clear",), ledger=Ledger())
    trace.add([fresh(1), Walk(fresh(1), LEVELS)], Measured(values=((1.0,), (2.0,))), ["own seed", "path"], 0)
    trace.scores = [1.0, 2.0]
    assert [row["sharp, clear"] for row in csv.DictReader(io.StringIO(trace.to_csv()))] == ["1.0", "2.0"]


def test_a_report_of_nothing_is_refused(host):
    trace = host.part("search.trace").Trace(("brightness",))
    node = report(trace=["empty", 0])
    assert "trace must hold at least one picture, got none" in refused(host, value("empty", host, trace), {"r": node})


def test_an_unjudged_search_says_so(host):
    search = {
        "class_type": "RandomSearch",
        "inputs": {"sampling": ["s", 0], "seed": 1, "pictures": 2, "minutes": 0.0, "keep": 1},
    }
    found = run(host, {**searched(), "2": search}, {"r": report()}, outputs_of("r"), kept("2", "trace"))
    (axes,) = host.part("nodes.plots").search_figure(found.trace).axes
    assert axes.get_title() == "2 tries, not judged" and torch.isfinite(found.picture).all()


def test_best_of_n_is_the_mean_over_all_choices():
    from itertools import combinations

    scores, judged = [3.0, 1.0, 4.0, 1.0, 5.0, 4.0], [0.0, 1.0, 1.0, 0.0, 0.5, 0.0]
    brute = {
        count: [max(scores[i] for i in chosen) for chosen in combinations(range(6), count)] for count in (1, 2, 4, 6)
    }
    assert expected_best(scores, list(brute)) == pytest.approx([np.mean(values) for values in brute.values()])
    for count in brute:
        worth = []
        for chosen in combinations(range(6), count):
            top = max(scores[i] for i in chosen)
            worth.append(np.mean([judged[i] for i in chosen if scores[i] == top]))
        assert expected_best(scores, [count], judged)[0] == pytest.approx(np.mean(worth))
    assert expected_best(scores, [6], judged)[0] == 0.5 and expected_best(scores, [1], judged)[0] == pytest.approx(
        np.mean(judged)
    )


def test_without_matplotlib_the_report_is_drawn_plainly_and_says_how_to_have_a_finer_one(host, monkeypatch):
    plots = host.part("nodes.plots")
    monkeypatch.setattr(plots.importlib.util, "find_spec", lambda name: None)
    plain, note = plots.search_plot(some_trace(), marked=2)
    assert plain.size == (960, 540) and "-m pip install matplotlib numpy==" in note
    pixels = np.asarray(plain).reshape(-1, 3)
    for color in ("d62728", "7f7f7f", "1f77b4", "ff7f0e"):  # own seed, random, neighbor, best of N
        wanted = np.array([int(color[place : place + 2], 16) for place in (0, 2, 4)])
        assert (abs(pixels.astype(int) - wanted).max(1) < 24).sum() > 20, color


MARKS = [
    ((0, 10), [0, 2, 4, 6, 8, 10]),
    ((-0.03, 0.11), [-0.02, 0, 0.02, 0.04, 0.06, 0.08, 0.1]),
    ((31.2, 31.9), [31.2, 31.3, 31.4, 31.5, 31.6, 31.7, 31.8, 31.9]),
]


@pytest.mark.parametrize(("ends", "marks"), MARKS)
def test_marks_of_an_axis_are_round_numbers_within_it(host, ends, marks):
    assert host.part("nodes.plain_plots").ticks(*ends) == pytest.approx(marks)


def test_equal_scores_and_a_single_try_have_axes_as_well(host):
    plots = host.part("nodes.plots")
    one = Trace(("brightness",))
    one.add([fresh(1)], Measured(((2.0,),)), ["own seed"], 0, [1.0])
    one.scores = [2.0]
    for trace in (one, some_trace((1.0,) * 5)):
        assert plots.plain_search_plot(trace, marked=1).size == (960, 540)
