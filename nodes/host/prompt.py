"""The text of a conditioning, traced back through the graph."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Graph = Mapping[str, Mapping[str, Any]]

TEXT_INPUTS = ("text", "prompt", "t5xxl", "text_g", "text_l", "clip_l", "clip_g", "llama", "positive_prompt", "text_positive")
STRING_INPUTS = ("value", "text", "string", "prompt")
CONDITIONING_INPUTS = ("positive", "conditioning", "cond", "guider")
MAX_DEPTH = 200


@dataclass(frozen=True)
class TracedPrompt:
    """The one text found, or "" and why there is not exactly one."""

    text: str = ""
    problem: str = ""


def trace_prompt(graph: Graph | None, node_id: str, input_name: str) -> TracedPrompt:
    """The positive text behind one input of a node of an API-format graph."""
    link = input_of(graph, node_id, input_name)
    if link is None:
        return TracedPrompt(problem="the graph does not show where it comes from")
    return the_one(texts_behind(graph, link, MAX_DEPTH))


def trace_prompt_of_pictures(graph: Graph | None, node_id: str, input_name: str) -> TracedPrompt:
    """The positive text of the sampler that made the pictures behind one input."""
    link = input_of(graph, node_id, input_name)
    if link is None:
        return TracedPrompt(problem="the graph does not show what made the pictures")
    waiting, seen, texts = [str(link[0])], set(), []
    while waiting:
        name = waiting.pop()
        inputs = (graph or {}).get(name, {}).get("inputs", {})
        seen.add(name)
        source = next((inputs[key] for key in ("positive", "guider") if is_link(inputs.get(key))), None)
        if source is not None:
            texts += texts_behind(graph, source, MAX_DEPTH)
        else:
            waiting += [str(value[0]) for value in inputs.values() if is_link(value) and str(value[0]) not in seen]
    return the_one(texts)


def input_of(graph: Graph | None, node_id: str, input_name: str) -> list | None:
    link = (graph or {}).get(str(node_id), {}).get("inputs", {}).get(input_name)
    return link if is_link(link) else None


def the_one(found: Iterable[str | None]) -> TracedPrompt:
    texts = sorted(set(found), key=str)
    if None in texts or not texts:
        return TracedPrompt(problem="its text is made while the workflow runs, or by a node without a text field")
    if len(texts) > 1:
        return TracedPrompt(problem="it comes from several texts: " + ", ".join(repr(shortened(text)) for text in texts))
    return TracedPrompt(texts[0], problem="" if texts[0].strip() else "the positive prompt is empty")


def texts_behind(graph: Graph, link: list, depth: int) -> Iterator[str | None]:
    """Texts that feed a conditioning link; None for one that the graph does not spell out."""
    node = graph.get(str(link[0]))
    if node is None or depth == 0:
        yield None
        return
    inputs = node.get("inputs", {})
    fields = [inputs[name] for name in TEXT_INPUTS if isinstance(inputs.get(name), str) or is_link(inputs.get(name))]
    if fields:
        texts = [string_behind(graph, field, depth) for field in fields]
        yield None if None in texts else max(texts, key=len)  # several fields are views of one prompt
        return
    followed = conditioning_links(inputs, link[1])
    if not followed:
        yield None
    for name in followed:
        yield from texts_behind(graph, inputs[name], depth - 1)


def conditioning_links(inputs: Mapping[str, Any], slot: int) -> list[str]:
    """Which inputs carry what leaves by this slot: nodes with both signs keep them apart, positive first."""
    links = [name for name, value in inputs.items() if is_link(value)]
    if "positive" in links and "negative" in links and slot == 1:
        return ["negative"]
    named = [name for name in links if name != "negative" and name.startswith(CONDITIONING_INPUTS)]
    return named or (links if len(links) == 1 else [])


def string_behind(graph: Graph, value: Any, depth: int) -> str | None:
    """A text field's value: typed in, or in the one string field of the node that it is linked to."""
    if isinstance(value, str):
        return value
    node = graph.get(str(value[0])) if depth else None
    inputs = node.get("inputs", {}) if node else {}
    candidates = [inputs[name] for name in STRING_INPUTS if name in inputs]
    if len(inputs) == 1 and len(candidates) == 1 and (isinstance(candidates[0], str) or is_link(candidates[0])):
        return string_behind(graph, candidates[0], depth - 1)
    return None


def is_link(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[1], int) and not isinstance(value[0], list)


def shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
