"""Pictures carry their recipe: whatever the host saves with a file holds the recipes of the searches behind that very file.

They are looked up when the file is written, not when the prompt is queued: by then the search has run, in this prompt or in an earlier one, and
the host says which node writes, and which item of a list it writes. What is written is data by node id, `{"recipes": {"10:2": "…"}}`; the page
fills it into widgets by their names (js/recipes.js), so that a picture that is dropped on the canvas makes itself again.
"""

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from comfy_execution.utils import get_executing_context
from server import PromptServer

import nodes as host_nodes

from ...search.recipe import MAX_LENGTH
from .upstream import inputs_of, is_link, signature

KEY = "noise_search"  # in what the host saves beside the workflow, and in the workflow's "extra"
RECIPES = "recipes"
HOLDERS = ("recipe", "choice")  # widgets that a result is filled into
REMEMBERED = 1000  # results of this server,
CHARACTERS = 20_000_000  # and of all their recipes together

Texts = dict[int, str]  # item of the list that the node ran for -> what it found
Runs = dict[str, Texts]  # node or copy of it, as the host ran it -> what it found


class Run(NamedTuple):
    """What a node, or a copy of it, found.

    Args:
        origin: The node of the prompt that asked for the copy; the node itself where it is none.
        made_from: Digest of that one's inputs and all that is upstream of it.
    """

    origin: str
    made_from: str
    texts: Texts


class Results:
    """What searches found, and artists chose, when they ran last: by node of the page and all that is upstream of it. Safe across threads."""

    def __init__(self, most: int = REMEMBERED, characters: int = CHARACTERS):
        self.most, self.characters = most, characters
        self._found: OrderedDict[tuple[str, str], dict[str, Run]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, prompt: Any, shown: str, node: str, origin: str, item: int, text: str) -> None:
        """Keeps a result; that of a list's first item begins anew.

        Args:
            shown: The node of the page.
            node: It, or the copy of it that ran.
            origin: The node of the prompt that asked for the copy.
        """
        made, made_from = (shown, signature(prompt, shown)), signature(prompt, origin)
        with self._lock:
            runs = self._found.pop(made, {})
            before = runs.pop(node, None)
            texts = before.texts if before and item and before.made_from == made_from else {}
            self._found[made] = {**runs, node: Run(origin, made_from, {**texts, item: text})}
            while len(self._found) > self.most or sum(map(characters, self._found.values())) > self.characters:
                self._found.popitem(last=False)

    def of(self, shown: str, sign: Callable[[str], str]) -> Runs:
        """What was found with these very inputs.

        Args:
            sign: Gives the digest of a node of the prompt.
        """
        if not self.has(shown):
            return {}
        made = shown, sign(shown)
        with self._lock:
            found = self._found.get(made, {})
        return {node: run.texts for node, run in found.items() if sign(run.origin) == run.made_from}

    def has(self, shown: str) -> bool:
        with self._lock:
            return any(shown == other for other, _ in self._found)


def characters(runs: Mapping[str, Run]) -> int:
    return sum(len(text) for run in runs.values() for text in run.texts.values())


results = Results()
_graphs: WeakValueDictionary[str, Any] = WeakValueDictionary()  # prompt id -> its graph, copies of nodes included


def register() -> None:
    PromptServer.instance.add_on_prompt_handler(before_prompt)


def carry(hidden: Any, recipes: Sequence[str]) -> None:
    """Has files that are saved from now on carry these, where the node is behind them; also those of later prompts that find it in the host's cache.

    Args:
        hidden: The node's hidden inputs, `unique_id`, `prompt` and `dynprompt` among them.
        recipes: Of what leaves the node, in its order.
    """
    keep(hidden, str(hidden.unique_id or ""), together(recipes))


def carry_choice(hidden: Any, node: str, choice: str) -> None:
    """The same of what was picked by hand; the node is the one that others are linked to, which copies of it may have run for."""
    keep(hidden, node, choice)


def keep(hidden: Any, node: str, text: str) -> None:
    graph, context = hidden.dynprompt, get_executing_context()
    if graph is not None and context:
        _graphs[context.prompt_id] = graph
    shown, origin = (graph.get_display_node_id(node), graph.get_real_node_id(node)) if graph is not None else (node, node)
    results.keep(hidden.prompt, shown, node, origin, (context.list_index or 0) if context else 0, text)


def made_by(graph: Any, node: str) -> Texts:
    """What a search found, or the artist chose, when this node of the host's graph ran last with these inputs; nothing where it is no such node."""
    prompt = graph.get_original_prompt()
    return results.of(graph.get_display_node_id(node), lambda name: signature(prompt, name)).get(node, {})


def before_prompt(data: Any) -> Any:
    """Called by the host with every prompt that is queued, which may be anything: gives files something to look recipes up with."""
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
        return self[name] if name in self else default

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
        """By node, the recipe that is behind what is written now; several where it cannot be told which of them it is."""
        context = get_executing_context()
        graph = _graphs.get(context.prompt_id) if context else None
        graph = graph or Plain(self.prompt)
        behind = Behind(graph, context.node_id, self._runs) if context and graph.has_node(context.node_id) else None
        found = {}
        for shown in self.holders:
            runs = self._runs(shown)
            texts = behind.texts(shown, runs, context.list_index or 0) if behind else []
            texts = list(dict.fromkeys(texts or [text for texts in runs.values() for text in texts.values()]))
            if len(texts) == 1 or (texts and (behind is None or shown in behind.shown)):
                found[shown] = texts[0] if len(texts) == 1 else texts
        return {**self.given, **found}

    def _runs(self, shown: str) -> Runs:
        return results.of(shown, self._signature)

    def _signature(self, node: str) -> str:
        if node not in self._signatures:
            self._signatures[node] = signature(self.prompt, node)
        return self._signatures[node]


class Plain:
    """A prompt's nodes as the host's graph has them, where none was copied."""

    def __init__(self, prompt: Mapping[str, Any]):
        self.prompt, self.ephemeral_parents = prompt, {}

    def has_node(self, node: str) -> bool:
        return node in self.prompt

    def get_node(self, node: str) -> Any:
        return self.prompt[node]

    def get_display_node_id(self, node: str) -> str:
        return node


class Behind:
    """What a node is made from.

    Args:
        graph: The host's dynamic prompt.
        node: Of the graph.
        runs_of: What a node of the page found, by copy of it.
    """

    def __init__(self, graph: Any, node: str, runs_of: Callable[[str], Runs]):
        self.graph, self.runs_of = graph, runs_of
        self.aligned: dict[str, bool] = {}  # node -> whether items of its list are items of the same place of the first node's
        self._walk(node)
        self.made = set(self._made())
        self.shown = {graph.get_display_node_id(name) for name in (*self.aligned, *self.made)}

    def texts(self, shown: str, runs: Runs, item: int) -> list[str]:
        """What the copies of a node of the page found that are behind item number `item`."""
        found: list[str] = []
        for node, texts in runs.items():
            if self.aligned.get(node):
                found.append(texts.get(item, texts[max(texts)]))  # as the host repeats the last item of a shorter list
            elif node in self.aligned or node in self.made or not self.graph.has_node(node):  # of an earlier prompt: its maker came from the cache
                found += texts.values()
        return found

    def _walk(self, node: str) -> None:
        waiting = [(node, not takes_lists(self.graph.get_node(node)))]
        while waiting:
            name, aligned = waiting.pop()
            if name in self.aligned and (self.aligned[name] or not aligned):
                continue
            self.aligned[name] = aligned
            for link in links_of(self.graph.get_node(name)):
                if self.graph.has_node(link[0]):
                    before = self.graph.get_node(link[0])
                    waiting.append((link[0], aligned and not takes_lists(before) and not gives_lists(before, link[1])))

    def _made(self) -> Iterator[str]:
        """Copies that a node behind had run in its place; what was picked by hand answers for its copies."""
        for node in self.graph.ephemeral_parents:
            parent = self.graph.ephemeral_parents.get(node)
            while parent is not None and parent not in self.aligned:
                parent = self.graph.ephemeral_parents.get(parent)
            if parent is not None and not self.runs_of(self.graph.get_display_node_id(parent)):
                yield node


def holds(entry: Any) -> bool:
    """Whether a node of a prompt is one of ours that finds or chooses."""
    kind = entry.get("class_type") if isinstance(entry, dict) else None
    return isinstance(kind, str) and holds_recipe(kind)


@cache
def holds_recipe(kind: str) -> bool:
    found = host_nodes.NODE_CLASS_MAPPINGS.get(kind)
    if found is None or not found.__module__.startswith(f"{__name__.rpartition('.host.')[0]}."):
        return False
    return any(entry.id in HOLDERS for entry in found.define_schema().inputs)


def links_of(node: Any) -> list[list]:
    """What a node waits for; not what it only asks the host to run for it, in copies."""
    kind = host_nodes.NODE_CLASS_MAPPINGS.get(node.get("class_type"))
    said = kind.INPUT_TYPES() if kind else {}
    options = {name: entry[1] for group in said.values() for name, entry in group.items() if isinstance(entry, tuple | list) and len(entry) > 1}
    return [value for name, value in inputs_of(node).items() if is_link(value) and not options.get(name, {}).get("rawLink")]


def takes_lists(node: Any) -> bool:
    return bool(getattr(host_nodes.NODE_CLASS_MAPPINGS.get(node.get("class_type")), "INPUT_IS_LIST", False))


def gives_lists(node: Any, slot: int) -> bool:
    found = getattr(host_nodes.NODE_CLASS_MAPPINGS.get(node.get("class_type")), "OUTPUT_IS_LIST", None) or ()
    return slot < len(found) and bool(found[slot])


def together(recipes: Sequence[str]) -> str:
    """As many as one text may hold, one after the other."""
    text = recipes[0]
    for recipe in recipes[1:]:
        if len(text) + len(recipe) < MAX_LENGTH:
            text += " " + recipe
    return text
