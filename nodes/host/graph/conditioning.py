"""Which texts are behind a conditioning, by one walk that visits each node once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ....verifiers.prompt import without_preamble
from .kinds import Kind, Kinds
from .orders import EDITORS, is_order, takes_picture
from .text_nodes import SWITCHES, switched
from .upstream import inputs_of, is_link
from .values import Graph, Values

# Fields of text encoders; several of one node are views of one prompt.
TEXT_INPUTS = (
    "text",
    "prompt",
    "user_prompt",
    "t5xxl",
    "text_g",
    "text_l",
    "clip_l",
    "clip_g",
    "llama",
    "bert",
    "mt5xl",
    "qwen25_7b",
    "positive_prompt",
    "text_positive",
    "positive",
)
CARRIED = ("CONDITIONING", "GUIDER")
CONDITIONING_INPUTS = ("positive", "conditioning", "cond", "guider")  # names, where the host tells no types


@dataclass(frozen=True)
class Socket:
    """An output that writes a text during the run.

    Args:
        node: Of the output.
        slot: Which one.
        reader: The node that encodes the text.
    """

    node: str
    slot: int
    reader: str


@dataclass
class Found:
    """What is behind a conditioning.

    Args:
        texts: The prompts that the graph spells out.
        sockets: Where prompts come from that it does not.
        textless: Nodes that make conditioning from no text.
        pictures: Whether pictures go into it as well.
        editors: Whether there is a node that has pictures changed.
    """

    texts: set[str] = field(default_factory=set)
    sockets: set[Socket] = field(default_factory=set)
    textless: set[str] = field(default_factory=set)
    pictures: bool = False
    editors: bool = False

    def is_order(self, text: str) -> bool:
        """Whether the prompt tells how to change a picture."""
        return (self.pictures and self.editors) or ((self.pictures or self.editors) and is_order(text))


class Conditionings:
    """Follows conditionings of a graph back to their texts.

    Args:
        graph: In API format.
    """

    def __init__(self, graph: Graph):
        self.graph, self.kinds, self.values = graph, Kinds(), Values(graph)
        self.found = Found()
        self._seen: set[tuple[str, Any]] = set()

    def follow(self, link: Any) -> None:
        """Adds what is behind a link to what was found."""
        waiting = [link]
        while waiting:
            name, slot = waiting.pop()
            place = str(name), slot if isinstance(slot, int) else 0
            if place not in self._seen:
                self._seen.add(place)
                waiting += self._before(*place)

    def _before(self, name: str, slot: int) -> list:
        """Links that carry on what leaves by this slot; a text that begins here is added to what was found."""
        node = self.graph.get(name)
        if not isinstance(node, Mapping):
            self.found.textless.add(name)
            return []
        inputs, said = inputs_of(node), node.get("class_type")
        if said in SWITCHES:
            taken = switched(inputs, self.values.of(inputs.get("switch")))
            return [value for value in ([taken] if taken is not None else inputs.values()) if is_link(value)]
        if said == "ConditioningZeroOut":
            self.found.texts.add("")
            return []
        kind = self.kinds.of(said)
        self.found.pictures |= takes_picture(kind, inputs)
        self.found.editors |= bool(EDITORS.search(str(said)))
        negative = is_negative(kind, inputs, slot)
        fields = text_fields(inputs, kind, negative)
        links = carrying(kind, inputs) or ([] if fields else lone(kind, inputs))
        followed = [inputs[key] for key in of_one_side(links, negative, kind.output(slot)[1])]
        if not followed:
            self._read(name, fields)
        return followed

    def _read(self, name: str, fields: list) -> None:
        texts = [self.values.of(value) for value in fields]
        unwritten = [value for value, text in zip(fields, texts) if not isinstance(text, str) and is_link(value)]
        if unwritten:
            self.found.sockets.add(Socket(str(unwritten[0][0]), unwritten[0][1], name))
        elif fields:
            text = max((text for text in texts if isinstance(text, str)), key=len, default="")
            self.found.texts.add(without_preamble(text))
        else:
            self.found.textless.add(name)


def is_negative(kind: Kind, inputs: Mapping[str, Any], slot: int) -> bool:
    """Whether the negative prompt leaves by a slot: the output's name says it, else its place among the
    conditionings.
    """
    name = kind.output(slot)[0].casefold()
    if name.startswith(("positive", "negative")):
        return name.startswith("negative")
    if not all(any(key.startswith(sign) for key in inputs) for sign in ("positive", "negative")):
        return False
    signed = [place for place, (_, given) in enumerate(kind.outputs) if given == "CONDITIONING"]
    return slot in signed[1:] if kind.known else slot == 1


def carrying(kind: Kind, inputs: Mapping[str, Any]) -> list[str]:
    """Inputs that are connected to a conditioning, or to what holds one."""
    links = [name for name, value in inputs.items() if is_link(value)]
    declared = [name for name in links if set(kind.type_of(name).split(",")) & {*CARRIED}]
    return declared or [
        name
        for name in links
        if kind.type_of(name) in ("", "*") and name.startswith((*CONDITIONING_INPUTS, "negative"))
    ]


def lone(kind: Kind, inputs: Mapping[str, Any]) -> list[str]:
    """The one connected input that may be anything, of nodes that pass on what they get."""
    links = [name for name, value in inputs.items() if is_link(value) and kind.type_of(name) in ("", "*")]
    return links if len(links) == 1 else []


def of_one_side(names: Iterable[str], negative: bool, given: str) -> list[str]:
    """Of inputs with conditionings those that carry the prompt of one side."""
    names = list(names)
    against = [name for name in names if "negative" in name]
    if negative:
        return against or names
    if named := [name for name in names if name.startswith("positive")]:
        return named
    if given == "GUIDER" and "cond1" in names:  # cond2 is what it is guided away from, or towards less
        return ["cond1"]
    return [name for name in names if name not in against]


def text_fields(inputs: Mapping[str, Any], kind: Kind, negative: bool) -> list:
    """What is typed into, or connected to, the fields that hold the prompt of one side."""
    fields = [name for name, value in inputs.items() if is_text(kind, name, value)]
    against = [name for name in fields if "negative" in name]
    if negative and against:
        return [inputs[name] for name in against]
    named = [name for name in TEXT_INPUTS if name in fields]
    others = [name for name in fields if name not in against and "system" not in name]
    if not named and kind.known and len(others) == 1:
        named = others
    return [inputs[name] for name in named]


def is_text(kind: Kind, name: str, value: Any) -> bool:
    return kind.type_of(name) in ("STRING", "*", "") and (isinstance(value, str) or is_link(value))
