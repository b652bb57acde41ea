"""What a verifier depends on, as one short text: equal only where the same pictures get the same values."""

import enum
import functools
import hashlib
import struct
import types
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

PACK = __name__.rpartition(".verifiers")[0]
SAMPLES = 64  # numbers of each weight that are looked at: training changes all of them
NO_TREE = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    torch.dtype,
    torch.device,
    torch.Size,
    range,
    slice,
    type(Ellipsis),
)


def key_of(verifier: Any) -> str:
    """The verifier's own key; "" for one that does not say what its values depend on."""
    key = getattr(verifier, "key", None)
    return key() if key else ""


def together(*parts: Any) -> str:
    """One key of several keys and settings; "" where one of the keys is."""
    return "" if "" in parts else digest(*parts)


class Keyed:
    """A verifier whose values depend on what it holds in public and on nothing else."""

    def key(self) -> str:
        """Digest of its class, its numbers and texts, its pictures and masks, a sample of every weight, and of the
        parts it is made of.
        """
        return digest(type(self), dict(held(self)))


def digest(*values: Any) -> str:
    """One digest of all the values, equal in every process for equal contents."""
    reader = Reader()
    for value in values:
        reader.read(value)
    return reader.hash.hexdigest()


def held(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds in public, by name."""
    slots = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if isinstance(name, str)}
    found = {**{name: getattr(value, name) for name in slots if hasattr(value, name)}, **getattr(value, "__dict__", {})}
    return ((name, found[name]) for name in sorted(found) if not name.startswith("_"))


class Reader:
    """Feeds one hash with whatever it is shown; every object once. What is neither plain data nor of this pack counts
    by its class.
    """

    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=16)
        self.places: dict[int, int] = {}  # where in the reading an object was met first
        self.kept: list[Any] = []  # so that no id comes up twice
        self.parts = 0

    def read(self, value: Any) -> None:
        self.parts += 1
        if isinstance(value, enum.Enum):
            self.mark("enum", type(value).__qualname__, value.name)
        elif isinstance(value, NO_TREE):
            self.mark(type(value).__name__, repr(value))
        elif id(value) in self.places:
            self.mark("again", self.places[id(value)])
        else:
            self.places[id(value)] = self.parts
            self.kept.append(value)
            self.tree(value)

    def tree(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self.tensor(value)
        elif isinstance(value, Mapping):
            self.mapping(value)
        elif isinstance(value, list | tuple):
            self.named("sequence", value)
        elif isinstance(value, set | frozenset):
            self.mark("set", *sorted(type(self).of(one) for one in value))
        elif isinstance(value, functools.partial):
            self.named("partial", [value.func, value.args, value.keywords])
        elif isinstance(value, types.MethodType):
            self.named("method", [value.__func__, value.__self__])
        elif isinstance(value, types.FunctionType):
            self.function(value)
        elif isinstance(value, type | types.ModuleType):
            self.by_name(value)
        elif isinstance(value, nn.Module):
            self.module(value)
        elif callable(getattr(value, "key", None)):
            self.mark("key", value.key())
        else:
            self.object(value)

    @classmethod
    def of(cls, value: Any) -> str:
        reader = cls()
        reader.read(value)
        return reader.hash.hexdigest()

    def mark(self, *words: Any) -> None:
        for word in words:
            data = str(word).encode("utf-8", "surrogatepass")
            self.hash.update(struct.pack("<Q", len(data)) + data)

    def named(self, name: str, values: Any) -> None:
        self.mark(name, len(values))
        for value in values:
            self.read(value)

    def mapping(self, value: Mapping) -> None:
        self.mark("mapping", len(value))
        for name in sorted(value, key=repr):
            self.read(name)
            self.read(value[name])

    def tensor(self, value: Tensor) -> None:
        data = value.detach().cpu().contiguous()
        self.mark("tensor", data.dtype, tuple(data.shape))
        if data.numel():
            self.hash.update(data.reshape(-1).view(torch.uint8).numpy().data)

    def weight(self, value: Tensor, samples: int = SAMPLES) -> None:
        """A sample of a weight, spread over the whole."""
        flat = value.detach().reshape(-1)
        self.mark("weight", tuple(value.shape))
        self.tensor(flat[:: max(1, flat.numel() // samples)])

    def module(self, value: nn.Module) -> None:
        self.by_name(type(value))
        for name, weight in value.state_dict(keep_vars=True).items():
            self.mark(name)
            self.weight(weight) if isinstance(weight, Tensor) else self.read(weight)

    def function(self, value: types.FunctionType) -> None:
        self.by_name(value)
        self.named("made with", [value.__defaults__, value.__kwdefaults__, *cells(value)])

    def by_name(self, value: Any) -> None:
        self.mark(
            "name",
            str(getattr(value, "__module__", "")).removeprefix(PACK),
            getattr(value, "__qualname__", getattr(value, "__name__", "")),
        )

    def object(self, value: Any) -> None:
        self.by_name(type(value))
        if type(value).__module__.startswith(PACK):
            self.mapping(dict(held(value)))


def cells(function: types.FunctionType) -> list[Any]:
    """What a function keeps from where it was made."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not filled yet
            found.append(None)
    return found
