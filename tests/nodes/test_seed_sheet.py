"""The Seed Sheet in the real host: what is a row and what a column, what is drawn, marked, written and refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from noise_search.tests.nodes.graphs import Brightness, run
from PIL import Image

SIDE = 64
PROMPTS = ["a red circle", "two green triangles", "a yellow cross"]


def batch(*levels, height=SIDE, width=SIDE):
    """One even grey picture per level."""
    return torch.tensor(levels).float()[:, None, None, None].expand(-1, height, width, 3).clone()


THREE_OF_TWO = [batch(0.1, 0.9), batch(0.6, 0.2), batch(0.3, 0.5)]


def sheet(host, images=THREE_OF_TWO, **inputs):
    """A sheet "s" of a list of batches; other lists are connected, what is no list is typed."""
    nodes, given = {}, {}
    for name, value in {"images": images, **inputs}.items():
        if isinstance(value, list) and name != "verifier":
            host.toys.VALUES[name] = value
            nodes[name] = {"class_type": "ToyValue", "inputs": {"name": name}}
            value = [name, 1]
        given[name] = value
    nodes["s"] = {"class_type": "SeedSheet", "inputs": given}
    return {**nodes, "k": {"class_type": "ToyKeep", "inputs": {"value": ["s", 0], "name": "picture"}}}


def state(host, *parts, **inputs):
    return run(host, sheet(host, **inputs), *parts).ui["s"]["noise_search_sheet"][0]


def error(host, *parts, **inputs):
    result = host.run({**sheet(host, **inputs), **{name: node for part in parts for name, node in part.items()}})
    assert not result.ok
    return result.error


def pixels(picture):
    return (np.asarray(picture[0]) * 255).round().astype(int)


def file_of(entry):
    import folder_paths

    return Path(folder_paths.get_directory_by_type(entry["type"]), entry["subfolder"], entry["filename"])


def test_a_list_of_prompts_by_a_batch_of_seeds_is_a_labelled_sheet(host):
    found = run(host, sheet(host, row_labels=PROMPTS, seeds=[42, 2**50 - 1], title="Shapes"))
    (shown,) = found.ui["s"]["noise_search_sheet"]
    assert (shown["rows"], shown["columns"], shown["across"]) == (PROMPTS, ["42", str(2**50 - 1)], 2)
    assert [cell["seed"] for cell in shown["cells"]] == ["42", str(2**50 - 1)] * 3
    drawn = pixels(found.picture)
    middle = drawn[:, :, 0]
    levels = [round(255 * level) for level in (0.1, 0.9, 0.6, 0.2, 0.3, 0.5)]
    places = [np.argwhere(abs(middle - level) <= 1).mean(0) for level in levels]
    assert [places[one][0] < places[other][0] - 200 for one, other in ((0, 2), (2, 4))] == [True, True]
    assert all(places[row][1] < places[row + 1][1] - 200 for row in (0, 2, 4)), "columns beside each other"
    assert drawn.shape[1] > 2 * 256, "small pictures are enlarged, so that labels can be read"
    assert (drawn[:, :100] < 60).any(), "the rows' labels stand on the left"


def test_the_sheet_and_its_cells_are_files_that_the_page_can_show(host):
    wide = [batch(0.2, 0.4, height=400, width=800)]
    found = run(host, sheet(host, wide)).ui["s"]
    (entry,) = found["images"]
    assert entry["type"] == "temp" and json.loads(Image.open(file_of(entry)).text["prompt"])["s"]
    first = found["noise_search_sheet"][0]["cells"][0]
    assert Image.open(file_of(first["large"])).size == tuple(first["size"]) == (800, 400)
    assert Image.open(file_of(first["small"])).size == (384, 192)


def test_a_saved_sheet_lies_in_the_output_folder_with_its_workflow(host):
    (entry,) = run(host, sheet(host, save=True, filename_prefix="s/sheet")).ui["s"]["images"]
    assert (entry["type"], entry["subfolder"]) == ("output", "s")
    assert json.loads(Image.open(file_of(entry)).text["prompt"])["s"]["class_type"] == "SeedSheet"
    file_of(entry).unlink()


SINGLE = [batch(level / 10) for level in range(6)]


@pytest.mark.parametrize(
    ("inputs", "across"),
    [
        ({"images": SINGLE}, 6),
        ({"images": SINGLE, "columns": 2}, 2),
        ({"images": SINGLE, "column_labels": "cfg 1\ncfg 4\n"}, 2),
        ({"images": SINGLE, "seeds": [1, 2, 3]}, 3),
        ({"images": SINGLE, "seeds": [1, 2, 3, 4, 5, 6]}, 6),
        ({"images": SINGLE, "seeds": [1, 2, 3, 4, 5, 6], "row_labels": "a\nb"}, 3),
        ({"images": [batch(0.1, 0.2, 0.3, 0.4)], "row_labels": "a\nb"}, 2),
        ({"images": THREE_OF_TWO}, 2),
        ({"images": THREE_OF_TWO, "columns": 3}, 3),
        ({"images": [batch(0.1, 0.2, 0.3), batch(0.5)], "columns": 2}, 2),
    ],
)
def test_columns_are_typed_or_found_out(host, inputs, across):
    shown = state(host, **inputs)
    assert shown["across"] == across and len(shown["cells"]) % across == 0


def test_numbers_texts_and_yes_or_no_are_labels_as_one_would_write_them(host):
    shown = state(host, row_labels=[0.1 + 0.2, 1.0, 3], column_labels=["dpmpp_2m", True])
    assert shown["rows"] == ["0.3", "1", "3"] and shown["columns"] == ["dpmpp_2m", "True"]
    assert state(host, row_labels=["a\nfox", "b", "c"])["rows"] == ["a fox", "b", "c"], "a prompt of two lines"
    two = [batch(0.1, 0.2)]
    assert state(host, images=two, columns=2, row_labels=["a fox,\nasleep"])["rows"] == ["a fox, asleep"]


def test_scores_mark_the_best_of_each_row_and_column(host):
    found = run(host, sheet(host, scores=[1.0, 5.0, 9.0, 2.0, 3.0, 4.0], row_labels=PROMPTS))
    (shown,) = found.ui["s"]["noise_search_sheet"]
    marks = [cell["best"] for cell in shown["cells"]]
    assert marks == [[], ["row", "column"], ["all", "row", "column"], [], [], ["row"]]
    assert [cell["score"] for cell in shown["cells"]] == [1, 5, 9, 2, 3, 4]
    assert "best: two green triangles, column 1, 9" in found.ui["s"]["text"][0]
    drawn = pixels(found.picture).reshape(-1, 3)
    for color in ((0xB2, 0x6A, 0x00), (0x1F, 0x6F, 0xB2)):
        assert (abs(drawn - color).max(1) < 3).sum() > 100


class Reading(Brightness):
    """Notes what it read for how many pictures."""

    def __init__(self):
        self.read = []

    def measure(self, images, prompt):
        self.read.append((prompt, len(images)))
        return super().measure(images, prompt)


def test_a_verifier_judges_every_picture_by_the_prompt_of_its_row(host, judge):
    reading = Reading()
    shown = state(host, judge(reading), verifier=["v", 0], prompt=PROMPTS)
    assert reading.read == [(prompt, 2) for prompt in PROMPTS]
    assert [cell["score"] for cell in shown["cells"]] == pytest.approx([0.1, 0.9, 0.6, 0.2, 0.3, 0.5])
    assert [cell["best"] for cell in shown["cells"]][1] == ["all", "row", "column"]


def test_pictures_of_unlike_sizes_keep_their_shape(host):
    tall, wide = batch(0.25, height=256, width=128), batch(0.75, height=128, width=256)
    drawn = pixels(run(host, sheet(host, [tall, wide])).picture)[:, :, 0]
    for level, shape in ((0.25, 2), (0.75, 0.5)):
        rows, columns = np.nonzero(abs(drawn - round(255 * level)) <= 1)
        assert np.ptp(rows) / np.ptp(columns) == pytest.approx(shape, rel=0.03)


def test_a_large_sheet_is_scaled_to_its_limit_and_a_long_label_is_shortened(host):
    images = [batch(0.2, 0.4, 0.6, height=300, width=500)] * 4
    found = run(host, sheet(host, images, max_width=640, row_labels=["a long prompt " * 60] * 4, title="t " * 900))
    assert 560 < found.picture.shape[2] <= 640 and found.picture.shape[1] <= 4 * 640
    (shown,) = found.ui["s"]["noise_search_sheet"]
    assert shown["cells"][0]["size"] == [500, 300], "what is clicked has its own size"
    tall = run(host, sheet(host, [batch(0.5, height=900, width=300)] * 9, columns=1, max_width=320)).picture
    assert 1100 < tall.shape[1] <= 4 * 320


def test_a_video_is_one_picture_of_the_sheet(host):
    shown = state(host, images=[batch(0.1, 0.2, 0.3, 0.4)], frames_per_video=2)
    assert [cell["frames"] for cell in shown["cells"]] == [2, 2]


LABELLED = "row_labels must be as many as the rows of 6 pictures, 3, got 2"


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"row_labels": "a\nb"}, LABELLED),
        ({"row_labels": ["a", 2]}, LABELLED),
        ({"column_labels": "a\nb\nc"}, "column_labels must be as many as the columns of 6 pictures, 2, got 3"),
        ({"columns": 4}, "columns must divide the 6 pictures, got 4"),
        ({"images": [batch(0.1, 0.2), batch(0.3)]}, "one size, a batch per row, or columns be typed, got 2, 1"),
        ({"images": SINGLE, "column_labels": "a\nb\nc\nd"}, "column_labels must divide the 6 pictures into"),
        ({"images": SINGLE, "row_labels": "a\nb\nc\nd"}, "row_labels must divide the 6 pictures into rows, got 4"),
        ({"seeds": [1, 2, 3]}, "seeds must be as many as the columns, 2, or the pictures, 6, got 3"),
        ({"scores": [1.0] * 5}, "scores must be as many as the pictures, 6, got 5"),
        ({"scores": [1.0, 2.0, float("nan"), 1.0, 1.0, 1.0]}, "scores must be finite, got nan for picture 3 of 6"),
        ({"images": [batch(0.1)[:0]]}, "images must hold at least one picture, got none"),
        ({"images": [batch(*[0.1] * 200)], "max_width": 256}, "max_width must leave 32 pixels for each picture of"),
        ({"frames_per_video": 4}, "frames_per_video must divide the 2 frames of a batch, got 4"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(host, inputs, told):
    assert told in error(host, **inputs)


def test_prompts_that_are_neither_one_nor_one_per_row_are_refused(host, judge):
    told = error(host, judge(Brightness()), verifier=["v", 0], prompt=["a", "b"])
    assert "prompt must be one for all, or one per row, 3, got 2" in told


def test_a_verifier_and_scores_at_once_are_refused_before_anything_is_made(host, judge):
    told = error(host, judge(Brightness()), verifier=["v", 0], scores=[1.0] * 6)
    assert "either verifier or scores may be connected, got both" in told


def test_a_full_disk_costs_the_clicks_and_not_the_sheet(host, monkeypatch):
    sheets = host.part("nodes.host.files.sheets")

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sheets, "save", full)
    found = run(host, sheet(host))
    assert found.picture.shape[0] == 1
    (shown,) = found.ui["s"]["noise_search_sheet"]
    assert [cell["large"] for cell in shown["cells"]] == [None] * 6
    assert "No space left on device" in found.ui["s"]["text"][0]


def test_what_a_sheet_sends_is_as_it_is_written_down(host):
    from noise_search.tests.nodes.test_messages import fits

    messages = host.part("nodes.host.page.messages")
    sent = json.loads(json.dumps(state(host, scores=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], seeds=[1, 2])))
    assert not fits(sent, messages.SheetState)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a red fox", ["a red fox"]),
        ("a red fox asleep on a chair", ["a red fox", "asleep on", "a chair"]),
        ("a red fox asleep on a chair beside three candles", ["a red fox", "asleep on", "a chair…"]),
        ("dpmpp_2m_sde_gpu", ["dpmpp_2", "m_sde_g", "pu"]),
    ],
)
def test_a_label_is_wrapped_between_words_and_then_cut_off(host, text, lines):
    lettering = host.part("nodes.lettering")
    font = lettering.own(20)
    assert lettering.wrapped(text, font, round(font.getlength("a red fox a")), 3) == lines


def test_letters_that_no_font_has_are_told(host, monkeypatch):
    monkeypatch.setattr(host.part("nodes.lettering"), "OTHERS", ())
    host.part("nodes.lettering").others.cache_clear()
    text = run(host, sheet(host, title="赤い fox")).ui["s"]["text"][0]
    host.part("nodes.lettering").others.cache_clear()
    assert "The sheet has boxes for 赤い: no font of this machine has them." in text
