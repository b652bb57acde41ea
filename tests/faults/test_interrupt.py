"""Cancel: within one sampler step, in every search, at any moment; and nothing of the search is left in the host."""

import pytest

from .lab import KINDS, Trouble

pytestmark = pytest.mark.usefixtures("store_off")  # the same search samples again, to be disturbed elsewhere


class Interrupted(Exception):
    """What older hosts raise: an ordinary exception."""


def cancelled_at(lab, point, number):
    return Trouble(point, lambda value, count: (lab.host.interrupt(), value)[1], number, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_cancel_ends_every_search_within_the_step_and_leaves_the_host_as_it_was(lab, kind):
    """At an early, a middle and the last step of its sampling."""
    alone, marks = lab.run(lab.graph(kind)), lab.marks()
    steps = lab.calls["step"]
    for number in (1, steps // 2, steps - 1):
        with lab.troubled(cancelled_at(lab, "step", number)):
            found = lab.run(lab.graph(kind))
        assert found.error == "interrupted"
        assert lab.calls["step"] == number + 1, "no step was begun after the one in which it was cancelled"
        assert lab.marks() == marks
    assert lab.leftovers() == []
    assert lab.run(lab.graph(kind)).same_as(alone)


@pytest.mark.parametrize("point", ["step", "decode", "measure"])
def test_a_host_whose_interrupt_is_an_ordinary_exception_is_not_swallowed_either(lab, point, monkeypatch):
    import comfy.model_management as memory

    monkeypatch.setattr(memory, "InterruptProcessingException", Interrupted)
    with lab.troubled(cancelled_at(lab, point, 1)):
        found = lab.run(lab.graph("AutoSearch"))
    assert found.error == "interrupted" and lab.panel().status == "interrupted"
    assert lab.leftovers() == []


def test_an_interrupt_that_came_when_nothing_ran_does_not_end_the_next_search(lab):
    lab.host.interrupt()
    assert not lab.run(lab.graph()).error


def test_a_cancelled_search_leaves_the_one_before_it_in_the_same_graph_untouched(lab):
    """The second of two is cancelled: the first one's pictures stay in its panel."""
    both = lab.graph()
    both["9"] = {"class_type": "RandomSearch", "inputs": {**both["2"]["inputs"], "noise": ["2", 4], "seed": 77}}
    both["k second"] = {"class_type": "ToyKeep", "inputs": {"value": ["9", 5], "name": "second"}}
    with lab.troubled(cancelled_at(lab, "measure", 4)):
        found = lab.run(both)
    assert found.error == "interrupted"
    assert [(lab.panel(node).status, len(lab.panel(node).rows)) for node in ("2", "9")] == [
        ("done", 6),
        ("interrupted", 4),
    ]


def test_a_copy_of_a_search_node_finds_the_same_in_a_panel_of_its_own(lab):
    both = lab.graph()
    both["9"] = {"class_type": "RandomSearch", "inputs": {**both["2"]["inputs"], "keep": 2}}
    both["k second"] = {"class_type": "ToyKeep", "inputs": {"value": ["9", 5], "name": "second"}}
    found = lab.run(both, "copies")
    first, second = lab.panel("2"), lab.panel("9")
    assert not found.error and first.id != second.id
    assert [row["score"] for row in first.rows] == [row["score"] for row in second.rows]
