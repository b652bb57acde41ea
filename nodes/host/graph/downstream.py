"""How the latent that leaves a node becomes pictures further on in the graph: what is cut off it, and how it is
decoded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .prompt_text import titled
from .text_nodes import SWITCHES, switched
from .upstream import inputs_of, is_link
from .values import Graph, Values

# Latents that go on as they are, but for what is cut off: kind, input, output.
PASSED = {
    ("TrimVideoLatent", "samples"): 0,
    ("LTXVCropGuides", "latent"): 2,
    ("LTXVSeparateAVLatent", "av_latent"): 0,
    ("LatentCutToBatch", "samples"): 0,
}
DECODERS = ("VAEDecode", "VAEDecodeTiled")
TILES = {"tile_size": 512, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8}  # what the host leaves out
# Outputs with the number of frames that a node puts before the clip: one where this input of it is connected.
REFERENCES = {("WanVaceToVideo", 3): "reference_image"}


@dataclass(frozen=True)
class Shown:
    """How a workflow makes pictures of a latent.

    Args:
        first: Frames of the latent that it cuts off at the beginning; None where that is only known when it runs.
        guides: Whether it cuts off the guide frames at the end.
        slices: Frames of each of the parts that the latent is cut into, which are decoded one by one; 0 = not cut.
        tiles: Settings of a tiled decoding by name, or None.
        frames: The first one and the number of the decoded frames that go on, or None for all.
        problem: What is not known, and what to do.
    """

    first: int | None = 0
    guides: bool = False
    slices: int = 0
    tiles: Mapping[str, int] | None = None
    frames: tuple[int, int] | None = None
    problem: str = ""


def shown_by(graph: Graph | None, node: str, slot: int = 0) -> Shown | None:
    """How the nearest decoder of pictures shows the latent of an output; None where the graph has none that only cuts
    frames off lead to.
    """
    if graph is None:
        return None
    readers, values = readers_in(graph), Values(graph)
    waiting, seen = [(node, slot, Shown())], {(node, slot)}
    while waiting:
        name, place, shown = waiting.pop(0)
        for reader, key in readers.get((name, place), ()):
            kind = graph[reader].get("class_type")
            if kind in DECODERS and key == "samples":
                return decoded(graph, reader, shown, readers, values)
            if (to := passed(graph, reader, key, values)) is not None and (reader, to) not in seen:
                seen.add((reader, to))
                waiting.append((reader, to, after(graph, reader, shown, values)))
    return None


def is_read(graph: Graph | None, node: str, slot: int) -> bool:
    """Whether anything in the graph takes an output of a node."""
    return graph is not None and (node, slot) in readers_in(graph)


def readers_in(graph: Graph) -> dict[tuple[str, int], list[tuple[str, str]]]:
    """Of each output the nodes and inputs that it goes into."""
    found: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for name in graph:
        for key, value in inputs_of(graph[name]).items():
            if is_link(value) and isinstance(value[1], int):
                found.setdefault((str(value[0]), value[1]), []).append((str(name), key))
    return found


def passed(graph: Graph, name: str, key: str, values: Values) -> int | None:
    """The output by which a latent leaves a node that came in by an input; None where it does not leave as it is."""
    node = graph[name]
    kind, inputs = node.get("class_type"), inputs_of(node)
    if kind in SWITCHES:
        return 0 if switched(inputs, values.of(inputs.get("switch"))) is inputs.get(key) else None
    if kind == "LatentCutToBatch" and values.of(inputs.get("dim")) != "t":
        return None
    return PASSED.get((str(kind), key))


def after(graph: Graph, name: str, shown: Shown, values: Values) -> Shown:
    """What is known behind a node that a latent passes."""
    node = graph[name]
    kind, inputs = node.get("class_type"), inputs_of(node)
    if kind == "LTXVCropGuides":
        return replace(shown, guides=True)
    if kind == "LatentCutToBatch":
        size = values.of(inputs.get("slice_size", 1))
        return replace(shown, slices=size) if isinstance(size, int) else shown
    if kind == "TrimVideoLatent":
        amount = trimmed(graph, inputs.get("trim_amount", 0), values)
        if amount is None or shown.first is None:
            what = f"{titled(graph, name)} cuts off frames, and how many is known only when the workflow runs"
            return replace(
                shown, first=None, problem=f"{what}: connect what goes into trim_amount to skip_first as well."
            )
        return replace(shown, first=shown.first + amount)
    return shown


def trimmed(graph: Graph, value: Any, values: Values) -> int | None:
    """A number of frames; None where the graph does not tell."""
    found = values.of(value)
    if isinstance(found, int):
        return found
    if is_link(value) and (maker := graph.get(str(value[0]))):
        reference = REFERENCES.get((str(maker.get("class_type")), value[1]))
        return int(is_link(inputs_of(maker).get(reference))) if reference else None
    return None


def decoded(graph: Graph, name: str, shown: Shown, readers: Mapping, values: Values) -> Shown:
    """What is known behind a decoder."""
    if graph[name].get("class_type") == "VAEDecodeTiled":
        inputs = inputs_of(graph[name])
        tiles = {key: values.of(inputs.get(key, default)) for key, default in TILES.items()}
        shown = replace(shown, tiles={key: one if isinstance(one, int) else TILES[key] for key, one in tiles.items()})
    cut = list(cuts_of(graph, readers.get((name, 0), ()), values))
    return replace(shown, frames=cut[0]) if len(cut) == 1 and cut[0] is not None else shown


def cuts_of(graph: Graph, readers: Any, values: Values) -> Iterator[tuple[int, int] | None]:
    """The frames that each reader of the decoded pictures takes; None for all of them."""
    for reader, key in readers:
        inputs = inputs_of(graph[reader])
        taken = [values.of(inputs.get(part)) for part in ("batch_index", "length")]
        whole = graph[reader].get("class_type") != "ImageFromBatch" or key != "image"
        yield None if whole or not all(isinstance(one, int) for one in taken) else (taken[0], taken[1])
