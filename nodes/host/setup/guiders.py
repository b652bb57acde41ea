"""What a guider calls of its model in each step, from which drafts of another setup are priced."""

import math
from typing import Any

from torch import Tensor

from .two_stage import PairGuider

ROUNDING = 1e-6  # of noise levels


def calls(guider: Any, sigmas: Tensor) -> float:
    """Model calls of one picture per step, at least 1: those of a pair of guiders in the mean over the schedule."""
    if not isinstance(guider, PairGuider):
        return float(calls_of_one(guider))
    high = float((sigmas[:-1] > guider.boundary + ROUNDING).sum()) / (len(sigmas) - 1)
    return high * calls(guider.high, sigmas) + (1 - high) * calls(guider.low, sigmas)


def calls_of_one(guider: Any) -> int:
    """One for each conditioning that is followed. The host leaves out those that a scale of 1, or of 0, makes
    meaningless.

    The guiders of the host have their scales as `cfg`, as `cfg1` and `cfg2` (Dual CFG), or as `cfg` and `neg_scale`
    (Perp-Neg). One of another pack is taken to follow all of its conditionings, and two where it does not tell.
    """
    all_of_them = len(getattr(guider, "original_conds", None) or ()) or 2
    if getattr(guider, "model_options", {}).get("disable_cfg1_optimization", False):
        return all_of_them
    if hasattr(guider, "cfg1") and hasattr(guider, "cfg2"):
        # its `cfg` is one that it inherits and never reads
        outer, inner = is_one(guider.cfg2), is_one(guider.cfg1)
        return all_of_them if getattr(guider, "nested", False) else all_of_them - outer - (outer and inner)
    if hasattr(guider, "neg_scale"):
        unmoved = math.isclose(guider.neg_scale, 0.0)
        return all_of_them - unmoved - (unmoved and is_one(guider.cfg))
    return 1 if is_one(getattr(guider, "cfg", 0.0)) else all_of_them


def is_one(scale: float) -> bool:
    return math.isclose(scale, 1.0)
