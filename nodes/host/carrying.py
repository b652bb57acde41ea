"""Pictures carry their recipe: it is filled into the copy of the workflow that every node of the prompt saves with its files.

A picture that is dropped on the canvas then brings its search node back with the recipe filled in, and queueing makes the picture again.
"""

import copy
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from comfy_api.latest import io
from server import PromptServer

import nodes as host_nodes

from ...search.recipe import MAX_LENGTH
from .upstream import signature

KEY = "noise_search"  # of the recipes by node in what the host saves beside the workflow
REMEMBERED = 1000  # results of this server,
CHARACTERS = 20_000_000  # and of all their recipes together

_made: OrderedDict[tuple[str, str], str] = OrderedDict()  # (node, signature) -> recipe
_made_lock = threading.Lock()


def register() -> None:
    PromptServer.instance.add_on_prompt_handler(before_prompt)


def carry(hidden: Any, recipes: Sequence[str]) -> None:
    """Has the files of this prompt that are saved from now on, and of later prompts that find the node in the host's cache, carry these.

    Args:
        hidden: The node's hidden inputs.
        recipes: Of what leaves the node, in its order.
    """
    remember(hidden, str(hidden.unique_id or ""), together(recipes))


def carry_choice(hidden: Any, node: str, choice: str) -> None:
    """The same of what was picked by hand; the node is the original of the one that runs."""
    remember(hidden, node, choice)


def remember(hidden: Any, node: str, text: str) -> None:
    made = node, signature(hidden.prompt, node)
    with _made_lock:
        _made.pop(made, None)
        _made[made] = text
        while len(_made) > REMEMBERED or sum(map(len, _made.values())) > CHARACTERS:
            _made.popitem(last=False)
    write(hidden.extra_pnginfo, node, text)


def made_by(prompt: Any, node: str) -> str:
    """What a search found, or the artist chose, when this node ran last with these inputs; "" where it is no such node."""
    with _made_lock:
        if not any(node == other for other, _ in _made):
            return ""
    made = node, signature(prompt, node)
    with _made_lock:
        return _made.get(made, "")


def before_prompt(data: Any) -> Any:
    """Called by the host with every prompt that is queued: a node that will come from the cache cannot write its recipe itself."""
    info = _entry(_entry(data, "extra_data"), "extra_pnginfo")
    prompt = _entry(data, "prompt")
    with _made_lock:
        known = prompt.keys() & {node for node, _ in _made}
    for node in known:
        if text := made_by(prompt, node):
            write(info, node, text)
    return data


def carried(info: Any, node: str, recipe: str) -> dict[str, Any]:
    """A copy of what the host saves beside a picture, for the picture of this recipe."""
    own = copy.deepcopy(info) if isinstance(info, dict) else {}
    own.setdefault(KEY, {})
    write(own, node, recipe)
    return own


def write(info: Any, node: str, recipe: str) -> None:
    """Puts a node's recipe among the others and into the node of the workflow, in place; does nothing where there is no workflow."""
    if not isinstance(info, dict) or not info:
        return
    recipes = info.get(KEY)
    recipes = info[KEY] = {**recipes, node: recipe} if isinstance(recipes, dict) else {node: recipe}
    values, place = where(info.get("workflow"), node)
    if values is None:
        return
    shared = [recipes[other] for other in recipes if where(info["workflow"], other)[0] is values]
    values[place] = recipe if len(set(shared)) == 1 else ""  # copies of one subgraph that found different ones: each searches again


def together(recipes: Sequence[str]) -> str:
    """As many as one text may hold, one after the other."""
    text = recipes[0]
    for recipe in recipes[1:]:
        if len(text) + len(recipe) < MAX_LENGTH:
            text += " " + recipe
    return text


def where(workflow: Any, node: str) -> tuple[list[Any] | None, int]:
    """The saved widget values that hold the recipe of the node with this execution id, and its place in them; None where nothing holds it.

    "10:2" is node 2 in the subgraph of node 10, which holds the recipe itself where it shows it as a widget of its own.
    """
    levels = levels_of(workflow, node)
    if not levels:
        return None, 0
    graph, found = levels.pop()
    place, link = recipe_place(str(found.get("type"))), link_of(found, "recipe")
    while link is not None and levels:
        place, shown = shown_as(graph, link)
        graph, found = levels.pop()
        link = link_of(found, shown)
    values = found.get("widgets_values")
    usable = isinstance(values, list) and place is not None and place < len(values) and link is None
    return (values, place) if usable else (None, 0)


def levels_of(workflow: Any, node: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The graphs on the way to a node, each with the node that leads on; the last one is the node itself."""
    subgraphs = {str(graph.get("id")): graph for graph in _entries(_entry(workflow, "definitions"), "subgraphs")}
    graph, levels = workflow, []
    for part in node.split(":"):
        found = next((entry for entry in _entries(graph, "nodes") if str(entry.get("id")) == part), None)
        if found is None:
            return []
        levels.append((graph, found))
        graph = subgraphs.get(str(found.get("type")))
    return levels


def link_of(node: dict[str, Any], name: str) -> Any:
    return next((entry.get("link") for entry in _entries(node, "inputs") if entry.get("name") == name), None)


def shown_as(graph: dict[str, Any], link: Any) -> tuple[int | None, Any]:
    """Place and name of the widget with which the holder of a subgraph shows what this link brings in; None where a node of the subgraph does.

    The holder has a widget for every input of the subgraph that leads to a widget in it, in their order.
    """
    to_widgets = {str(entry.get("link")) for node in _entries(graph, "nodes") for entry in _entries(node, "inputs") if entry.get("widget")}
    place = 0
    for entry in _entries(graph, "inputs"):
        links = entry.get("linkIds")
        links = {str(number) for number in links} if isinstance(links, list) else set()
        if str(link) in links:
            return place, entry.get("name")
        place += bool(links & to_widgets)
    return None, None


@cache
def recipe_place(kind: str) -> int | None:
    """Where a node of this type saves its recipe widget: workflows hold the values of widgets by their place."""
    schema = getattr(host_nodes.NODE_CLASS_MAPPINGS.get(kind), "define_schema", lambda: None)()
    names = list(saved_widgets(schema.inputs)) if schema else []
    return next((names.index(name) for name in ("recipe", "choice") if name in names), None)


def saved_widgets(inputs: Sequence[Any]) -> Iterator[str]:
    """Names of the widgets in the order of their saved values: required ones first; a seed's is followed by its control."""
    widgets = [entry for entry in inputs if isinstance(entry, io.WidgetInput) and not entry.force_input]
    for entry in sorted(widgets, key=lambda entry: bool(entry.optional)):
        yield entry.id
        if getattr(entry, "control_after_generate", None):
            yield f"{entry.id} control"


def _entry(holder: Any, name: str) -> dict[str, Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def _entries(holder: Any, name: str) -> list[dict[str, Any]]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
