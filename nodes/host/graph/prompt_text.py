"""The prompt of a conditioning, traced back through the graph."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .conditioning import Conditionings, Socket
from .kinds import Kinds
from .upstream import inputs_of, is_link
from .values import Graph

TYPE_IT = "type what the picture should show into prompt"


@dataclass(frozen=True)
class TracedPrompt:
    """The one text found, or "" and why there is not exactly one.

    Args:
        text: The prompt.
        problem: Why there is none, and what to do.
        edits: Whether it tells a model how to change a picture.
        socket: The output that writes it during the run; connected to prompt, it gives the very text.
    """

    text: str = ""
    problem: str = ""
    edits: bool = False
    socket: Socket | None = None


def trace_prompt(graph: Graph | None, node_id: str, input_name: str) -> TracedPrompt:
    """The positive text behind one input of a node of an API-format graph."""
    link = input_of(graph, node_id, input_name)
    if graph is None or link is None:
        return TracedPrompt(problem=f"the graph does not show where it comes from; {TYPE_IT}")
    return traced(graph, [link])


def trace_prompt_of_pictures(graph: Graph | None, node_id: str, input_name: str) -> TracedPrompt:
    """The positive text of the sampler that made the pictures behind one input."""
    link = input_of(graph, node_id, input_name)
    if graph is None or link is None:
        return TracedPrompt(problem=f"the graph does not show what made the pictures; {TYPE_IT}")
    return traced(graph, list(prompts_of_samplers(graph, str(link[0]))))


def prompts_of_samplers(graph: Graph, node: str) -> Iterator[list]:
    """Links to the conditionings of the samplers nearest behind a node."""
    waiting, seen = [node], {node}
    while waiting:
        inputs = inputs_of(graph.get(waiting.pop()) or {})
        source = next((inputs[key] for key in ("positive", "guider") if is_link(inputs.get(key))), None)
        if source is not None:
            yield source
            continue
        before = {str(value[0]) for value in inputs.values() if is_link(value)} - seen
        seen |= before
        waiting += before


def input_of(graph: Graph | None, node_id: str, input_name: str) -> list | None:
    link = (graph or {}).get(str(node_id), {}).get("inputs", {}).get(input_name)
    return link if is_link(link) else None


def traced(graph: Graph, links: list[Any]) -> TracedPrompt:
    """The one text behind conditionings."""
    behind = Conditionings(graph)
    for link in links:
        behind.follow(link)
    found = behind.found
    texts = sorted({text for text in found.texts if text.strip()}) or sorted(found.texts)[:1]
    if len(texts) == 1 and not found.sockets and not found.textless:
        problem = "" if texts[0].strip() else f"the positive prompt is empty; {TYPE_IT}"
        return TracedPrompt(texts[0], problem, found.is_order(texts[0]))
    written = list(spoken_sockets(graph, found.sockets, behind.kinds))
    if len(written) == 1 and not any(text.strip() for text in texts):
        (socket,) = found.sockets
        return TracedPrompt(
            problem=f"the text is written while the workflow runs, so connect {written[0]} to prompt as well",
            edits=found.is_order(""),
            socket=socket,
        )
    return TracedPrompt(
        problem=f"{why_not(graph, texts, written, found.textless)}; {TYPE_IT}", edits=found.is_order("")
    )


def why_not(graph: Graph, texts: list[str], written: list[str], textless: set[str]) -> str:
    parts = [repr(shortened(text)) for text in texts if text.strip()]
    if len(parts) + len(written) > 1:
        several = [*parts, *(part.rstrip(",") for part in written)]
        return f"it comes from several texts: {', '.join(several)}"
    if textless:
        return f"{titled(graph, min(textless))} makes it from no text"
    return "the graph has none"


def shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def spoken_sockets(graph: Graph, sockets: Iterable[Socket], kinds: Kinds) -> Iterator[str]:
    """Sockets as an artist finds them."""
    for socket in sorted(sockets, key=str):
        kind = (graph.get(socket.node) or {}).get("class_type")
        slot = socket.slot if isinstance(socket.slot, int) else 0
        output = kinds.of(kind).output(slot)[0] or f"number {slot + 1}"
        yield (f"the output {output} of {titled(graph, socket.node)}, which goes into {titled(graph, socket.reader)},")


def titled(graph: Graph, name: str) -> str:
    """A node's title, as it stands on the canvas, and its number."""
    node = graph.get(name) or {}
    about = node.get("_meta")
    title = about.get("title") if isinstance(about, Mapping) else None
    return f"{title or node.get('class_type') or 'a node that is not there'} (node {name})"
