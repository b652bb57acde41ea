"""Videos before verifiers: which of a clip's frames are judged, and how their values become the clip's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .abilities import JudgesClips, estimate_level
from .base import Verifier
from .images import together

HOW = ("mean", "worst", "first", "middle", "last")
JUDGED = 4  # frames of a clip, evenly spaced, unless the artist says otherwise
MOST = 1024


@dataclass(frozen=True)
class Frames:
    """Which frames a verifier of pictures sees of a clip.

    Args:
        how: "mean" or "worst" of evenly spaced frames; or the "first", "middle" or "last" frame alone.
        count: How many are spaced over the clip, 1 to 1024; a clip with fewer is judged whole.
    """

    how: str = "mean"
    count: int = JUDGED

    def __post_init__(self) -> None:
        if self.how not in HOW:
            raise ValueError(f"frames must be one of {', '.join(HOW)}, got {self.how}")
        if not 1 <= self.count <= MOST:
            raise ValueError(f"judged_frames must be between 1 and {MOST}, got {self.count}")

    def of(self, clip: Tensor) -> Tensor:
        """The frames that are judged of `(frames, ...)`."""
        last = len(clip) - 1
        if self.how in ("mean", "worst"):
            if len(clip) <= self.count:
                return clip  # all of them, and no copy
            return clip[torch.linspace(0, last, min(last + 1, self.count)).round().long()]
        at = {"first": 0, "middle": len(clip) // 2, "last": last}[self.how]
        return clip[at : at + 1]

    def joined(self, values: Tensor, combine: Callable[[Tensor], Tensor]) -> Tensor:
        """One row `(k,)` from the raw values `(frames, k)`; the worst frame is the one with the lowest score."""
        if self.how == "worst":
            return values[int(combine(values).argmin())]
        return values.double().mean(0)


EVENLY = Frames()


def measure_clips(
    verifier: Verifier, clips: Sequence[Tensor], prompt: str, estimates: Sequence[Tensor] | None = None
) -> Tensor:
    """Raw values `(n, k)` of clips, each `(frames, ...)`; a picture is a clip of one frame. Of one size, all of them.

    A verifier that judges clips as such has a `measure_clips(clips, prompt, estimates)` of its own; any other sees some
    of the frames.
    """
    if isinstance(verifier, JudgesClips):
        return verifier.measure_clips(clips, prompt, estimates)
    return by_frames(verifier, EVENLY, clips, prompt, estimates)


def by_frames(
    verifier: Verifier,
    frames: Frames,
    clips: Sequence[Tensor],
    prompt: str,
    estimates: Sequence[Tensor] | None = None,
    combine: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Raw values `(n, k)` of clips by their judged frames, which are all measured together."""
    judged = [frames.of(clip) for clip in clips]
    wanted = estimates if estimate_level(verifier) is not None else None
    expected = {} if wanted is None else {"estimates": together([frames.of(clip) for clip in wanted])}
    values = verifier.measure(together(judged), prompt, **expected).cpu()
    parts = values.split([len(part) for part in judged])
    return torch.stack([frames.joined(part, combine or verifier.combine).double() for part in parts])
