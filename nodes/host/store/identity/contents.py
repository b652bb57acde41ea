"""Digests of what arrives at a node: numbers, texts, tensors, functions with their code, and objects by what they
hold.
"""

import inspect
import types
import uuid
from typing import Any

import comfy.model_patcher
import comfy.sd
import numpy
from torch import Tensor, nn

from .....verifiers.keys import NO_TREE, Reader, held
from ...setup.noise import streams
from .installed import code_of, pack_of

MOST = 200_000  # parts of one value; a vocabulary, say, is not looked through
SMALL = 4 << 20  # bytes of weights up to which every number counts
SAMPLES = 4096  # numbers of larger ones that are looked at
# What objects of the host hold while they sample, not what they were given.
RUNNING = ("cond_hint", "extra_concat", "timestep_range", "model_sampling_current", "control_model_wrapped")
WEIGHTS = ("weights", "weights_clip")  # of a patch, and of a hook that changes weights


class Unknown(Exception):
    """It cannot be told what something holds."""


def digest(*values: Any) -> str:
    """One digest of all the values, equal in every process for equal contents.

    Raises:
        Unknown: If there is no end to what they hold.
    """
    reader = Contents()
    for value in values:
        reader.read(value)
    return reader.hash.hexdigest()


class Contents(Reader):
    """Looks into every object, whatever pack it is of."""

    def read(self, value: Any) -> None:
        if self.parts > MOST:
            raise Unknown(f"it holds more than {MOST} parts")
        super().read(value)

    def tree(self, value: Any) -> None:
        if getattr(value, "is_nested", False):
            self.named("nested", streams(value))
        elif isinstance(value, uuid.UUID):
            self.mark("uuid")  # the host gives one to every conditioning, another one each time
        elif isinstance(value, numpy.ndarray | numpy.generic):
            self.mark("array", value.dtype, value.shape)
            self.read(value.tolist())
        elif isinstance(value, comfy.model_patcher.ModelPatcher):
            self.patcher(value)
        elif isinstance(value, comfy.sd.VAE | comfy.sd.CLIP):
            self.named("loaded", [value.patcher])
        else:
            super().tree(value)

    def function(self, value: types.FunctionType) -> None:
        super().function(value)
        self.mark(code_of(value.__code__))

    def by_name(self, value: Any) -> None:
        super().by_name(value)
        self.mark(pack_of(getattr(value, "__module__", None) or ""))

    def module(self, value: nn.Module) -> None:
        """A small one by its numbers; a large one by its kind, since the graph names the file that it came from."""
        self.by_name(type(value))
        weights = [*value.parameters(), *value.buffers()]
        size = sum(weight.numel() * weight.element_size() for weight in weights)
        self.mark(len(weights), size)
        for weight in weights if size <= SMALL else ():
            self.tensor(weight)
        self.mapping({name: part for name, part in held(value) if isinstance(part, NO_TREE)})

    def patcher(self, value: comfy.model_patcher.ModelPatcher) -> None:
        """What is put on a model: patches of its weights, options, objects in the place of its own. Its own weights are
        the graph's affair.
        """
        self.by_name(type(value))
        self.by_name(type(value.model))
        self.mark(len(value.patches))
        for name in sorted(value.patches, key=repr):
            self.mark(name)
            self.patch(value.patches[name])
        put = (
            "model_options",
            "object_patches",
            "additional_models",
            "wrappers",
            "callbacks",
            "injections",
            "attachments",
            "forced_hooks",
        )
        self.mapping({name: getattr(value, name, None) for name in put})

    def patch(self, value: Any) -> None:
        """Patches of weights: strengths as they are, large tensors by a sample, since training changes every number."""
        if isinstance(value, Tensor):
            self.weight(value, SAMPLES) if value.numel() * value.element_size() > SMALL else self.tensor(value)
        elif isinstance(value, list | tuple):
            self.mark("patch", len(value))
            for part in value:
                self.patch(part)
        elif isinstance(value, dict):
            self.mark("patches", len(value))
            for name in sorted(value, key=repr):
                self.mark(repr(name))
                self.patch(value[name])
        elif not isinstance(value, NO_TREE) and hasattr(value, "weights"):
            self.object(value)
        else:
            self.read(value)

    def object(self, value: Any) -> None:
        """An object of any class: the class, and what it holds in public."""
        self.by_name(type(value))
        for name, part in held(value):
            if name in WEIGHTS:
                self.mark(name)
                self.patch(part)
            elif name not in RUNNING and not inspect.isbuiltin(part):
                self.mark(name)
                self.read(part)
