"""Pictures carry their recipe: whatever the host saves with a file holds the recipes of the searches behind that very
file.

They are looked up when the file is written, not when the prompt is queued: by then the search has run, in this prompt
or in an earlier one, and the host says which node writes, and which item of a list it writes. What is written is data
by node id, `{"recipes": {"10:2": "…"}}`; the page fills it into widgets by their names (js/recipes.js), so that a
picture that is dropped on the canvas makes itself again.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from comfy_execution.utils import get_executing_context
from server import PromptServer

from ....search.recipe import MAX_LENGTH
from ..compat import node_classes
from ..graph.behind import Behind, Plain
from ..graph.results import Runs, graph_of, keep, results
from ..graph.upstream import lineage_digest

KEY = "noise_search"  # in what the host saves beside the workflow, and in the workflow's "extra"
RECIPES = "recipes"
HOLDERS = ("recipe", "choice")  # widgets that a result is filled into


def register() -> None:
    PromptServer.instance.add_on_prompt_handler(before_prompt)


def carry(hidden: Any, recipes: Sequence[str]) -> None:
    """Has files that are saved from now on carry these, where the node is behind them; also those of later prompts that
    find it in the host's cache.

    Args:
        hidden: The node's hidden inputs, `unique_id`, `prompt` and `dynprompt` among them.
        recipes: Of what leaves the node, in its order.
    """
    keep(hidden, str(hidden.unique_id or ""), together(recipes))


def before_prompt(data: Any) -> Any:
    """Called by the host with every prompt that is queued, which may be anything: gives files something to look recipes
    up with.
    """
    prompt = data.get("prompt") if isinstance(data, dict) else None
    if not isinstance(prompt, dict) or not any(map(holds, prompt.values())):
        return data
    extra = data.setdefault("extra_data", {})
    info = extra.setdefault("extra_pnginfo", {}) if isinstance(extra, dict) else None
    if isinstance(info, dict):
        workflow = info.get("workflow")
        queued = Queued(prompt, given_in(workflow))
        info[KEY] = Filled({}, RECIPES, lambda none: queued.recipes())
        if isinstance(workflow, dict):
            info["workflow"] = Filled(workflow, "extra", lambda own: with_recipes(own, queued.recipes()))
    return data


def carried(info: Any, node: str, recipe: str) -> dict[str, Any]:
    """A plain copy of what the host saves beside a picture, for the picture of this recipe."""
    own = {key: plain(value) for key, value in info.items()} if isinstance(info, dict) else {}
    recipes = {**given_in(own.get("workflow")), node: recipe}
    own[KEY] = {RECIPES: recipes}
    if isinstance(own.get("workflow"), dict):
        own["workflow"]["extra"] = with_recipes(own["workflow"].get("extra"), recipes)
    return own


def with_recipes(extra: Any, recipes: Mapping[str, Any]) -> dict[str, Any]:
    """What a workflow holds beside its nodes, and these recipes."""
    own = {key: value for key, value in extra.items() if key != KEY} if isinstance(extra, dict) else {}
    return {**own, KEY: {RECIPES: dict(recipes)}} if recipes else own


def given_in(workflow: Any) -> dict[str, Any]:
    """Recipes that a workflow came with and no page filled in."""
    found = workflow
    for name in ("extra", KEY, RECIPES):
        found = found.get(name) if isinstance(found, dict) else None
    return dict(found) if isinstance(found, dict) else {}


class Filled(dict):
    """A dictionary of which one value is made whenever it is read or written to a file; copies are the same."""

    def __init__(self, content: Mapping[str, Any], key: str, make: Callable[[Any], Any]):
        super().__init__({**content, key: content.get(key)})
        self.key, self.make = key, make

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return self.make(value) if name == self.key else value

    def __iter__(self) -> Iterator[str]:  # so that dict(filled) reads the values
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 (it is that method)

    def items(self) -> Any:
        return {name: self[name] for name in self}.items()

    def values(self) -> Any:
        return {name: self[name] for name in self}.values()

    def copy(self) -> "Filled":
        return Filled(dict(dict.items(self)), self.key, self.make)

    __copy__ = copy

    def __deepcopy__(self, seen: dict) -> "Filled":
        return Filled(copy.deepcopy(dict(dict.items(self)), seen), self.key, self.make)

    def __reduce__(self) -> tuple:
        return dict, (dict(self.items()),)


def plain(value: Any) -> Any:
    return copy.deepcopy(dict(value) if isinstance(value, Filled) else value)


class Queued:
    """A prompt that was queued.

    Args:
        prompt: Its nodes.
        given: Recipes that the workflow came with and no page filled in, by node.
    """

    def __init__(self, prompt: dict[str, Any], given: Mapping[str, Any]):
        self.prompt, self.given = prompt, given
        self._signatures: dict[str, str] = {}
        self.holders = [node for node, entry in prompt.items() if holds(entry)]

    def recipes(self) -> dict[str, str | list[str]]:
        """By node, the recipe that is behind what is written now; several where it cannot be told which of them it
        is.
        """
        context = get_executing_context()
        graph = (graph_of(context.prompt_id) if context else None) or Plain(self.prompt)
        behind = Behind(graph, context.node_id, self._runs) if context and graph.has_node(context.node_id) else None
        found = {}
        for shown in self.holders:
            runs = self._runs(shown)
            texts = behind.texts(shown, runs, (context.list_index if context else 0) or 0) if behind else []
            texts = list(dict.fromkeys(texts or [text for texts in runs.values() for text in texts.values()]))
            if len(texts) == 1 or (texts and (behind is None or shown in behind.shown)):
                found[shown] = texts[0] if len(texts) == 1 else texts
        return {**self.given, **found}

    def _runs(self, shown: str) -> Runs:
        return results.of(shown, self._signature)

    def _signature(self, node: str) -> str:
        if node not in self._signatures:
            self._signatures[node] = lineage_digest(self.prompt, node)
        return self._signatures[node]


def holds(entry: Any) -> bool:
    """Whether a node of a prompt is one of ours that finds or chooses."""
    kind = entry.get("class_type") if isinstance(entry, dict) else None
    return isinstance(kind, str) and holds_recipe(kind)


@cache
def holds_recipe(kind: str) -> bool:
    found = node_classes().get(kind)
    if found is None or not found.__module__.startswith(f"{__name__.rpartition('.host.')[0]}."):
        return False
    return any(entry.id in HOLDERS for entry in found.define_schema().inputs)


def together(recipes: Sequence[str]) -> str:
    """As many as one text may hold, one after the other."""
    text = recipes[0]
    for recipe in recipes[1:]:
        if len(text) + len(recipe) < MAX_LENGTH:
            text += " " + recipe
    return text
