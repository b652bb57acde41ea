"""The contract of a verifier: something that judges finished pictures."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

COSTS = ("light", "medium", "heavy")


@dataclass(frozen=True)
class Card:
    """What a user and a combination need to know about a verifier.

    Args:
        name: Display name, also used in messages.
        range: The scale of its values in words, such as "100 x cosine, mostly 15 to 35".
        spread: Typical standard deviation among pictures of one prompt, in units of the value, above 0.
        prompt: Whether it reads the prompt.
        token_limit: How many tokens of a prompt it reads; None without a limit.
        cost: "light" (milliseconds per picture on a GPU), "medium" or "heavy" (seconds).
        licence: Licence of the weights.
        source: Where the weights and the method come from.
        working_bytes: Memory that judging one picture takes besides the weights.
        absolute: Whether a picture's score is its own; False where it depends on the pool, as a rank does.
        family: The kind of model that it sees with, such as "CLIP": two judges of one family err alike. "" where it has
            none to share.
    """

    name: str
    range: str
    spread: float
    prompt: bool
    token_limit: int | None = None
    cost: str = "light"
    licence: str = ""
    source: str = ""
    working_bytes: int = 64 * 2**20
    absolute: bool = True
    family: str = ""


class Verifier(Protocol):
    """Judges pictures by absolute values: what else is in the batch, and in what order, changes nothing.

    Values are widened to 64 bits only after they were moved to the CPU: cards of Apple and Intel have no such numbers.
    It computes where its `modules` are and in their dtype; moving them is the caller's business. One that also judges
    by the x0 estimates of an earlier noise level has that level as `estimate_at` and takes them as `measure(images,
    prompt, estimates)`, in the same order.
    """

    @property
    def card(self) -> Card: ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the k values that it gives per picture."""
        ...

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What has weights, for the host to move; () if nothing has."""
        ...

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        """Values of pictures `(n, 3, h, w)` in [0, 1], any size: `(n, k)` float32 on CPU, finite, higher is better."""
        ...

    def combine(self, pool: Tensor) -> Tensor:
        """One score per picture, `(m,)`, from the raw values `(m, k)` of all pictures that are being compared."""
        ...

    def count_tokens(self, prompt: str) -> int | None:
        """How many tokens the whole of what it reads has, of this prompt or its own; None if it reads none."""
        ...

    def key(self) -> str:
        """What its values depend on beside picture and prompt, as a short text: its weights, settings, masks, pictures,
        frames.

        Values are kept under it, and used again for an equal one: also in another session.
        """
        ...


def home(modules: tuple[nn.Module, ...]) -> tuple[torch.device, torch.dtype]:
    """Device and floating-point dtype that modules compute in, read from the first weight; CPU float32 without one."""
    for module in modules:
        for weight in module.parameters():
            return weight.device, weight.dtype
    return torch.device("cpu"), torch.float32
