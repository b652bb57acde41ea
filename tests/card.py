"""A graphics card that is not there, so that what fails on real ones fails here.

Tensors on the card lie in main memory, and are of a class of their own, `OnCard`. What a real card refuses is refused:
operations on tensors of two devices, numpy of a tensor on the card, random numbers there from a generator of the CPU,
and, on cards as Apple's and Intel's, 64-bit floats. Speed means nothing. What torch's own Python functions do inside is
not looked at, only what goes in and comes out; threads that did not enter the card see plain tensors.

`python dev.py test --card NAME` runs tests with it:

| NAME | what it stands for | results |
|---|---|---|
| no-doubles | Apple's, Intel's, DirectML: no 64-bit floats | the CPU's |
| gpu-only | NVIDIA's and AMD's with `--gpu-only`: latents and pictures stay there, files and masks do not | the CPU's |
| gpu-only-no-doubles | both at once; three whole searches on it are in every run | the CPU's |
| half | no 64-bit floats; models and judges in 16 bits, where the host chooses them | within `rounding` |
| small | less memory than most toy models take: they push each other out, or load in parts | the CPU's |
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

DEVICE = torch.device("mps")  # the host takes it for a card that shares the computer's memory
CPU = torch.device("cpu")
VARIABLE = "NOISE_SEARCH_TEST_CARD"  # environment: which of `CARDS` the tests run on


@dataclass(frozen=True)
class Kind:
    """A card, and how the host uses it.

    Args:
        doubles: Whether it has 64-bit floats, as those of NVIDIA and AMD have.
        keeps_all: As with `--gpu-only`: latents and pictures stay on the card between nodes.
        precise: Models in 32-bit floats, so that results are those of the CPU to the bit; else in 16 bits, as the host
            chooses where a card can.
        room: Bytes that weights may take beside what the host keeps free for computing; None for as many as there are.
    """

    doubles: bool = False
    keeps_all: bool = False
    precise: bool = True
    room: int | None = None


CARDS = {
    "no-doubles": Kind(),
    "gpu-only": Kind(doubles=True, keeps_all=True),
    "gpu-only-no-doubles": Kind(keeps_all=True),
    "half": Kind(precise=False),
    "small": Kind(doubles=True, room=2_000_000),  # less than most toy models take
}

# What 16 bits may change where 32 bits change nothing to speak of, in units of the type's last digit at the largest
# value. Another batch, or a walk that is cut, adds up in another order, so that a number is rounded the other way: by
# one unit. Guidance of 3 takes three times one output of the model and two times the other. More steps do not add to
# that, as each moves by its share of the way only. What is rounded inside the model is small, and averages out.
UNITS = 3 + 2


def rounding(exact: float, largest: float = 1.0, dtype: torch.dtype = torch.float16) -> float:
    """What a test that asks for `exact` in 32-bit floats asks for on the card that the tests run on.

    Args:
        exact: The largest difference.
        largest: The largest value, where the difference is not a share of it.
        dtype: What the model computes in, where the card has 16 bits: float16 has 11 digits, bfloat16 has 8.
    """
    name = os.environ.get(VARIABLE)
    return exact if not name or CARDS[name].precise else max(exact, UNITS * torch.finfo(dtype).eps * largest)


class OnCard(Tensor):
    """A tensor on the card."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    device = property(lambda self: DEVICE)
    is_cpu = property(lambda self: False)
    is_mps = property(lambda self: True)


class Generator(torch.Generator):
    """Knows the device that it is for."""

    on_card: bool

    def __new__(cls, device: Any = "cpu") -> Generator:
        made = super().__new__(cls, "cpu")
        made.on_card = is_card(device)
        return made

    device = property(lambda self: DEVICE if self.on_card else CPU)


class Event:
    """Of a card that computes at once: all that was recorded has happened."""

    def __init__(self, device: Any = None, **options: Any):
        self.device = device

    def record(self, stream: Any = None) -> None:
        pass

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        pass


GIVE_NO_TENSOR = {"tolist", "item", "__bool__", "__float__", "__int__", "__index__", "__len__", "__contains__"}
WRITE_IN_PLACE = {"copy_", "set_", "__set__", "__setitem__"}  # a tensor that stays where it is
TAKE_ANY_DEVICE = WRITE_IN_PLACE | {"__get__", "__getitem__", "__repr__", "__format__", "__hash__", "__deepcopy__"}
TAKE_ANY_DEVICE |= {"__reduce_ex__", "_has_compatible_shallow_copy_type", "_make_subclass", "data_ptr", "is_pinned"}
TAKE_ANY_DEVICE |= {"element_size", "is_set_to", "pin_memory", "requires_grad_", "share_memory_", "swap_tensors"}
TAKE_ANY_DEVICE |= {"type_as", "untyped_storage"}
PRODUCTS = {"conv1d", "conv2d", "conv3d", "linear", "matmul", "__matmul__", "bmm", "baddbmm", "addmm", "einsum"}
PRODUCTS |= {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "scaled_dot_product_attention"}


class Card(TorchFunctionMode):
    """Looks at every operation of a thread that entered it.

    Args:
        kind: Which card it is.
    """

    def __init__(self, kind: Kind):
        super().__init__()
        self.kind = kind
        self._before = torch.__future__.get_overwrite_module_params_on_conversion(), torch.Event

    def __enter__(self) -> Card:
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # a module's weights become those on the card
        torch.Event = Event
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        overwrite, torch.Event = self._before
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named, name = dict(kwargs or {}), getattr(function, "__name__", str(function))
        given = list(tensors((args, named)))
        here = [tensor for tensor in given if isinstance(tensor, OnCard)]
        if here and name in ("numpy", "__array__"):
            raise TypeError("can't convert a tensor on the card to numpy: use Tensor.cpu() first")
        if here and name == "cpu":
            return to_cpu(args[0]).clone()  # another memory
        if given and name == "to":
            return self._moved(function, args[0], list(args[1:]), named)
        if is_device(named.get("device")):
            return self._made(function, args, named)
        if not here or name in GIVE_NO_TENSOR:
            return function(*args, **named)
        refuse_mixtures(name, args, given, here)
        result = (multiplied if name in PRODUCTS else call)(function, args, named)
        if name in WRITE_IN_PLACE or (name == "__get__" and not isinstance(args[0], OnCard)):
            return result
        return self._possible(to_card(result))

    def _made(self, function: Callable, args: tuple, named: dict[str, Any]) -> Any:
        """A new tensor on a device that is named."""
        if not is_card(named["device"]):
            return to_cpu(function(*args, **named))
        if named.get("generator") is not None and not getattr(named["generator"], "on_card", False):
            raise RuntimeError("expected a generator of the card, got one of the CPU")
        named["device"] = CPU
        return self._possible(to_card(function(*map(to_cpu, args), **{key: to_cpu(one) for key, one in named.items()})))

    def _moved(self, function: Callable, source: Tensor, rest: list[Any], named: dict[str, Any]) -> Tensor:
        """`Tensor.to` a device, a type or what another tensor has."""
        device = next((value for value in rest if is_device(value)), named.get("device"))
        other = next((value for value in [*rest, named.get("other")] if isinstance(value, Tensor)), None)
        there = isinstance(source, OnCard) if device is None else is_card(device)
        there = isinstance(other, OnCard) if other is not None else there
        rest = [CPU if is_device(value) else to_cpu(value) for value in rest]
        named = {key: CPU if is_device(value) else to_cpu(value) for key, value in named.items()}
        # a weight stays one that could be trained, as on a real card
        weight = isinstance(source, torch.nn.Parameter)
        with torch.inference_mode(torch.is_inference_mode_enabled() and not weight):
            result = function(to_cpu(source), *rest, **named)
            moved = there != isinstance(source, OnCard) and result.data_ptr() == source.data_ptr()
            if moved or (weight and result.is_inference()):
                result = result.clone()  # another device is another memory
        return self._possible(to_card(result) if there else to_cpu(result))

    def _possible(self, result: Any) -> Any:
        doubles = (tensor.dtype == torch.float64 for tensor in tensors((result,)) if isinstance(tensor, OnCard))
        if not self.kind.doubles and any(doubles):
            raise TypeError("the card has no 64-bit floats")
        return result


def refuse_mixtures(name: str, args: tuple, given: list[Tensor], here: list[Tensor]) -> None:
    """A single number may lie on the CPU; everything else must be where the rest is."""
    if name not in TAKE_ANY_DEVICE and any(not isinstance(tensor, OnCard) and tensor.ndim for tensor in given):
        raise RuntimeError(
            f"expected all tensors to be on the same device, but found the card's and the CPU's ({name})"
        )
    by_tensor = name == "__setitem__" and any(True for _ in tensors((args[1],)))
    if by_tensor and isinstance(args[2], Tensor) and args[2].ndim and not isinstance(args[2], OnCard):
        raise RuntimeError("expected the values to be on the card, as the tensor that they are put into")
    if name == "__getitem__" and not isinstance(args[0], OnCard) and any(tensor.ndim for tensor in here):
        raise RuntimeError("indices should be on the CPU, as the tensor that they are of")


def call(function: Callable, args: tuple, named: dict[str, Any]) -> Any:
    return function(*args, **named)


def multiplied(function: Callable, args: tuple, named: dict[str, Any]) -> Any:
    """As cards multiply float16: the products are added up in 32 bits, and the result is rounded. A processor's own
    float16 takes twenty times as long.
    """
    floats = [tensor for tensor in tensors((args, named)) if tensor.is_floating_point()]
    if any(tensor.dtype != torch.float16 for tensor in floats):
        return function(*args, **named)
    return function(*wider(args), **wider(named)).half()


def wider(value: Any) -> Any:
    """The same with 32 bits; in sequences and mappings as well."""
    if isinstance(value, Tensor):
        return to_cpu(value).float() if value.is_floating_point() else to_cpu(value)
    if isinstance(value, dict):
        return {key: wider(one) for key, one in value.items()}
    return type(value)(map(wider, value)) if type(value) in (list, tuple) else value


def is_device(value: Any) -> bool:
    names = ("cpu", "mps", "cuda", "meta", "xpu")
    return isinstance(value, torch.device) or (isinstance(value, str) and value.split(":")[0] in names)


def is_card(device: Any) -> bool:
    return is_device(device) and str(device).split(":")[0] == DEVICE.type


def tensors(values: Iterable | Mapping) -> Iterator[Tensor]:
    """All tensors in nested sequences and mappings."""
    for value in values.values() if isinstance(values, Mapping) else values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple, dict)):
            yield from tensors(value)


def to_card(value: Any) -> Any:
    """The same tensors, as on the card; in sequences as well."""
    if isinstance(value, torch.nn.Parameter) and not isinstance(value, OnCard):
        return torch.nn.Parameter(value.detach().as_subclass(OnCard), requires_grad=False)
    if isinstance(value, Tensor):
        return value if isinstance(value, OnCard) else value.as_subclass(OnCard)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(to_card, value))
    if isinstance(value, (list, tuple)):
        return type(value)([to_card(part) for part in value])  # torch's own results take one sequence, as tuples do
    return value


def to_cpu(value: Any) -> Any:
    if isinstance(value, OnCard):
        return value.as_subclass(Tensor)
    return type(value)(map(to_cpu, value)) if type(value) in (list, tuple) else value


def put_in(kind: Kind) -> None:
    """Has the host of this process believe that the card is there, before it loads a model."""
    import comfy.model_management as memory
    from comfy.cli_args import args

    memory.cpu_state, memory.vram_state = memory.CPUState.MPS, memory.VRAMState.SHARED
    memory.mac_version = lambda: (15,)
    if kind.precise:
        args.force_fp32 = args.fp32_unet = args.fp32_vae = args.fp32_text_enc = memory.FORCE_FP32 = True
    args.gpu_only = kind.keeps_all
    if kind.room is not None:
        memory.vram_state, memory.get_free_memory = memory.VRAMState.NORMAL_VRAM, small_memory(memory, kind.room)
    torch.Generator = Generator
    torch.mps.empty_cache = torch.mps.synchronize = lambda: None


def small_memory(memory: Any, room: int) -> Callable:
    """The host's `get_free_memory`, by its own books of what is loaded: so models push each other out, and load in
    parts.
    """
    everywhere = memory.get_free_memory

    def free(device: Any = None, torch_free_too: bool = False) -> Any:
        if device is not None and not is_card(device):
            return everywhere(device, torch_free_too)
        there = [loaded for loaded in memory.current_loaded_models if is_card(loaded.device)]
        left = int(memory.minimum_inference_memory()) + room - sum(one.model_loaded_memory() for one in there)
        return (left, left) if torch_free_too else left

    return free
