"""The messages between server and page: both sides have the same, and what is really sent is what they say."""

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from noise_search.search import dumps, fresh
from noise_search.tests.nodes.test_human_pick import artist, sampled  # noqa: F401 (a fixture)
from noise_search.tests.nodes.test_routes import prompt

PACK = Path(__file__).parents[2]
SOURCE = (PACK / "js" / "messages.js").read_text(encoding="utf-8")


@pytest.fixture
def messages(host):
    return host.part("nodes.host.page.messages")


def in_the_page(name: str) -> Any:
    """A constant of js/messages.js, which is written as JSON."""
    return json.loads(re.search(rf"export const {name} = (\{{.*?\n\}});", SOURCE, re.DOTALL)[1])


def fits(value: Any, kind: Any) -> str:
    """Where a value is not of a type, "" if it is. Numbers of JSON are floats and integers alike."""
    origin = get_origin(kind)
    if kind is Any:
        return ""
    if is_typeddict(kind):
        return fields_fit(value, kind) if isinstance(value, dict) else f"{value!r} is no {kind.__name__}"
    if origin in (Union, UnionType):
        return "" if any(not fits(value, one) for one in get_args(kind)) else f"{value!r} is no {kind}"
    if origin is Literal:
        return "" if value in get_args(kind) else f"{value!r} is none of {get_args(kind)}"
    if origin is Sequence:
        wrong = (
            [fits(one, get_args(kind)[0]) for one in value] if isinstance(value, list) else [f"{value!r} is no list"]
        )
        return next(filter(None, wrong), "")
    number = kind is float and type(value) in (int, float)
    return "" if number or type(value) is {None: NoneType}.get(kind, kind) else f"{value!r} is no {kind}"


def fields_fit(value: dict, kind: Any) -> str:
    hints = get_type_hints(kind)
    if strange := set(value) - set(hints):
        return f"{kind.__name__} has no {sorted(strange)}"
    if missing := kind.__required_keys__ - set(value):
        return f"{kind.__name__} needs {sorted(missing)}"
    wrong = {name: fits(one, hints[name]) for name, one in value.items()}
    return next((f"{kind.__name__}.{name}: {why}" for name, why in wrong.items() if why), "")


def test_server_and_page_know_the_same_messages(messages):
    assert in_the_page("EVENTS") == messages.EVENTS
    assert in_the_page("ADDRESSES") == messages.ADDRESSES
    ours = {name: set(get_type_hints(kind)) for name, kind in messages.MESSAGES.items()}
    assert {name: set(fields) for name, fields in in_the_page("FIELDS").items()} == ours


def test_no_other_module_writes_an_event_or_an_address_by_hand(messages):
    names = [*messages.EVENTS.values(), *messages.ADDRESSES.values()]
    for path in [*(PACK / "js").rglob("*.js"), *(PACK / "nodes").rglob("*.py")]:
        if path.stem != "messages":
            text = path.read_text(encoding="utf-8")
            assert not [name for name in names if f'"{name}"' in text or f"`{name}" in text], path


def test_all_that_a_search_sends_while_it_runs_is_as_it_is_written_down(host, messages):
    events = []
    result = host.run(
        prompt(seed=71, pictures=6), workflow={"id": "messages"}, on_event=lambda *event: events.append(event)
    )
    assert result.ok, result.error
    sent = [json.loads(json.dumps(data)) for name, data in events if name == messages.UPDATE]
    assert len(sent) > 3 and "columns" in sent[0] and any("candidates" in data for data in sent[1:])
    for data in sent:
        assert not fits(data, messages.SearchState if "columns" in data else messages.SearchUpdate)
    assert {name for data in sent for name in data} >= {"candidates", "used", "status", "result", "seconds_left"}


def test_all_that_a_gallery_sends_is_as_it_is_written_down(host, messages, artist):  # noqa: F811
    events = []
    asked = artist("roll", [1])
    seen = asked.hear
    asked.hear = lambda name, data: (events.append((name, json.loads(json.dumps(data)))), seen(name, data))
    result = asked.run(sampled("images", choice=""))
    assert result.ok, result.error
    sent = [data for name, data in events if name == messages.PICK]
    assert {data["status"] for data in sent} == {"waiting", "rolled", "picked"}
    for data in sent:
        assert not fits(data, messages.PickState)


def test_an_entry_of_the_seed_book_is_as_it_is_written_down(host, messages):
    book = host.part("nodes.host.store.seed_book")
    recipe = dumps(fresh(5), [(16, 8, 8)], {})
    book.keep([book.Entry(recipe, "5", 1.5, "CLIP", "a cat", "sd.safetensors", "random", 7.0, None)])
    ((entry,), count) = book.listed()
    assert count == 1 and not fits(json.loads(json.dumps(entry)), messages.Kept)


@pytest.mark.parametrize("broken", [{"status": "asleep"}, {"used": "1"}, {"more": 1}, {"result": [0.5]}])
def test_a_message_that_says_something_else_is_seen(messages, broken):
    good = {"search": "s", "node": "2", "workflow": "w", "version": 1, "mine": True, "prompt_id": "p", "number": 1}
    assert not fits(good, messages.SearchUpdate)
    assert fits({**good, **broken}, messages.SearchUpdate)
    assert "needs ['search']" in fits({name: good[name] for name in good if name != "search"}, messages.SearchUpdate)


def test_types_of_messages_are_used_where_they_are_made():
    """What is sent by these modules is typed, so that a type checker sees a field that is no part of a message."""
    for module, names in (("live", {"SearchState", "SearchChanges"}), ("human_pick", {"PickState"})):
        tree = ast.parse((PACK / "nodes" / "host" / "page" / f"{module}.py").read_text(encoding="utf-8"))
        assert names <= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
