"""What can be said of how a video moves without a network: how steadily it changes, and how much.

Frames are compared as small pictures of luma (ITU-R BT.601), so that what moves by less than a small pixel changes it
evenly. The unsteadiness is the energy of the second difference in time over that of the first: 0 for what changes
evenly, 2 for a sharp edge that moves on steadily, 3 for frames that have nothing to do with each other, 4 for a flicker
from frame to frame.
"""

from collections.abc import Collection, Sequence
from typing import NoReturn

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .base import Card
from .keys import Keyed
from .technical import LUMA

SIDE = 64  # pixels of the longer side that frames are compared at
FLICKER = 4.0  # unsteadiness of a clip that goes to and fro
VISIBLE = 1.0  # levels of 0 to 255: what changes by less is no motion
LEAST = 3  # frames


def consistency(luma: Tensor) -> float:
    """1 - unsteadiness / 4 of luma `(frames, h, w)` in levels of 0 to 255: 1 if it changes evenly or not at all, 0 if
    it flickers.
    """
    first, second = luma.diff(dim=0), luma.diff(n=2, dim=0)
    return 1 - float(second.square().mean() / (first.square().mean() + VISIBLE**2)) / FLICKER


def motion(luma: Tensor) -> float:
    """Root mean square change from frame to frame in percent of the full range: 0 for a still clip, mostly 1 to 10."""
    return float(luma.diff(dim=0).square().mean().sqrt()) / 2.55


QUANTITIES = {
    "temporal consistency": (consistency, "0 to 1, 1 = changes evenly or does not move at all, 0 = flickers", 0.1),
    "motion": (motion, "percent of change from frame to frame, more is better, mostly 1 to 10", 1.0),
}


STEADY, MOVES = QUANTITIES  # their names


def likes_stillness(names: Collection[str]) -> bool:
    """Whether judges of these names, together, like a video best that does not move at all."""
    return STEADY in names and MOVES not in names


class Motion(Keyed):
    """One quantity of how a clip moves. Ignores the prompt; a single picture has none.

    Args:
        name: One of `QUANTITIES`.
    """

    modules = ()
    only_clips = True

    def __init__(self, name: str):
        if name not in QUANTITIES:
            raise ValueError(f"name must be one of {', '.join(QUANTITIES)}, got {name}")
        self.quantity, words, spread = QUANTITIES[name]
        self.columns = (name,)
        self.card = Card(name, words, spread, prompt=False, licence="no weights", source="this pack")

    def measure(self, images: Tensor, prompt: str) -> NoReturn:
        raise ValueError(f"{self.card.name} must be judged on whole videos from a search, got single pictures")

    def measure_clips(self, clips: Sequence[Tensor], prompt: str, estimates: Sequence[Tensor] | None = None) -> Tensor:
        """Values `(n, 1)` of clips `(frames, 3, h, w)` in [0, 1], each of at least 3 frames."""
        for clip in clips:
            if len(clip) < LEAST:
                raise ValueError(
                    f"{self.card.name} must be judged on videos of at least {LEAST} frames, got {len(clip)}"
                )
        return torch.tensor([[self.quantity(small_luma(clip))] for clip in clips], dtype=torch.float32)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> None:
        return None


def small_luma(clip: Tensor) -> Tensor:
    """Luma `(frames, h, w)` in levels of 0 to 255, the longer side at most 64 pixels."""
    luma = torch.einsum("nchw,c->nhw", clip.float(), clip.new_tensor(LUMA, dtype=torch.float32))[:, None]
    scale = SIDE / max(luma.shape[-2:])
    if scale < 1:
        luma = interpolate(luma, [max(1, round(side * scale)) for side in luma.shape[-2:]], mode="area")
    return luma[:, 0].cpu().double() * 255
