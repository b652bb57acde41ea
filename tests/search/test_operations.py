"""The registry of operations: what each says of itself, and that one more is made known by registering it alone."""

import json

import pytest
import torch
from noise_search.search import Path, dumps, fresh, leaf, loads, materialize, mix, span
from noise_search.search import operations as registry
from noise_search.search.noise import Candidate
from noise_search.search.operations import Operation, incomplete, operation_of, register

SHAPES = [(4, 8, 8)]
EXAMPLES = [
    fresh(1),
    leaf("0" * 32, 2),
    span([0.6, 0.8], [fresh(1), fresh(2)]),
    mix(fresh(1), 2, 0.9),
    mix(fresh(1), 2, 0.9, band=(0.0, 0.5)),
    Path(fresh(1), (1.0, 0.5, 0.0)),
]


@pytest.fixture
def one_more(monkeypatch):
    """An operation that nobody else knows: the noise turned round, which keeps its law."""
    monkeypatch.setattr(registry, "_operations", dict(registry._operations))

    def read(entry, earlier):
        match entry:
            case [int(place)]:
                return Candidate("turned", (registry.earlier_one(place, earlier, Candidate),))
            case _:
                raise incomplete()

    def evaluate(node, parents, shapes, leaves):
        return tuple(-stream for stream in parents[0])

    return register(Operation("turned", lambda node, places: [places[node.parents[0].key]], read, evaluate))


def test_every_operation_is_written_and_read_by_itself():
    assert {operation_of(example).name for example in EXAMPLES} == set(registry.names())
    for example in EXAMPLES:
        schedule = {"levels": [1.0, 0.5, 0.0], "flow": True}
        entries = [*[["fresh", 1], ["fresh", 2]][: len(example.parents)]]
        places = {parent.key: place for place, parent in enumerate(example.parents)}
        entries.append([operation_of(example).name, *operation_of(example).write(example, places)])
        version = max(operation_of(example).version(example), 1)
        body = {"noise_search": version, "shapes": [[4, 8, 8]], "noise": entries, "settings": {}, "schedule": schedule}
        assert loads(json.dumps(body)).candidate == example


def test_only_walks_need_the_model_and_cost_their_steps():
    needing = {name for name in registry.names() if registry.operation_named(name).needs_model}
    assert needing == {"walk"}
    assert operation_of(EXAMPLES[-1]).steps(EXAMPLES[-1]) == 2 and operation_of(fresh(1)).steps is None


def test_a_registered_operation_is_computed_and_goes_through_recipes(one_more):
    turned = Candidate("turned", (fresh(5),))
    assert torch.equal(materialize([turned], SHAPES)[0], -materialize([fresh(5)], SHAPES)[0])
    again = loads(dumps(mix(turned, 7, 0.5), SHAPES, {})).candidate
    assert again == mix(turned, 7, 0.5) and operation_of(again.parents[0]) is one_more


def test_a_name_is_given_once(one_more):
    with pytest.raises(ValueError, match="an operation must have a name of its own, got a second turned"):
        register(one_more)


@pytest.mark.parametrize(
    "entry", [["turned"], ["turned", -1], ["turned", "x"], ["fresh"], ["fresh", 1, 2], ["swirl", 0], [], [[]], 5]
)
def test_an_entry_that_no_operation_reads_is_refused_by_its_place(one_more, entry):
    body = {"noise_search": 1, "shapes": [[4, 8, 8]], "noise": [["fresh", 1], entry], "settings": {}}
    with pytest.raises(ValueError, match="recipe entry 1 must be an operation of the noise algebra"):
        loads(json.dumps(body))
