"""A second stage: what the first one ended in is enlarged and sampled on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import comfy.utils
import torch
from torch import Tensor

from ....search.noise import Shape, draw
from ..compat import host_node
from .noise import Latent, joined, streams


class Enlarging(Protocol):
    """Makes latents larger."""

    @property
    def scale(self) -> float:
        """How much larger their sides become."""
        ...

    def shape(self, shape: Shape) -> Shape:
        """What becomes of a latent's shape, without the batch."""
        ...

    def enlarged(self, latents: Tensor) -> Tensor:
        """The latents `(n, …)` at the size of the second stage."""
        ...


@dataclass(frozen=True)
class Resized:
    """Latent upscaling of the host.

    Args:
        scale: How much larger the sides become; 1 = not at all.
        method: As the host names it.
    """

    scale: float
    method: str

    def shape(self, shape: Shape) -> Shape:
        return (*shape[:-2], *(round(side * self.scale) for side in shape[-2:]))

    def enlarged(self, latents: Tensor) -> Tensor:
        if self.scale == 1:
            return latents
        height, width = self.shape(tuple(latents.shape))[-2:]
        return comfy.utils.common_upscale(latents, width, height, self.method, "disabled")


@dataclass(frozen=True, eq=False)
class Upsampled:
    """What LTXV Latent Upsampler does.

    Args:
        model: A LATENT_UPSCALE_MODEL.
        vae: That of the model that samples.
    """

    model: Any
    vae: Any

    @property
    def scale(self) -> float:
        model = self.model.model
        return float(getattr(model, "spatial_scale", 2.0)) if getattr(model, "spatial_upsample", True) else 1.0

    def shape(self, shape: Shape) -> Shape:
        frames = 2 * shape[1] - 1 if getattr(self.model.model, "temporal_upsample", False) else shape[1]
        return (shape[0], frames, *(round(side * self.scale) for side in shape[2:]))

    def enlarged(self, latents: Tensor) -> Tensor:
        node = host_node("LTXVLatentUpsampler")
        return node.execute(samples={"samples": latents}, upscale_model=self.model, vae=self.vae)[0]["samples"]


@dataclass(frozen=True, eq=False)
class FirstFrame:
    """A picture that a video begins with: what LTXV Img To Video Inplace does.

    Args:
        vae: Encodes it.
        image: IMAGE of one.
        strength: How much it is kept.
    """

    vae: Any
    image: Tensor
    strength: float

    def put(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The latents with it, and the mask of what is sampled, a batch of one."""
        node, given = host_node("LTXVImgToVideoInplace"), {"samples": latents}
        found = node.execute(vae=self.vae, image=self.image, latent=given, strength=self.strength)[0]
        return found["samples"], found["noise_mask"][:1]


@dataclass(frozen=True, eq=False)
class SecondStage:
    """A second stage.

    Args:
        enlarging: How latents are made larger first.
        sampler, sigmas: What it is sampled with.
        guider: A GUIDER of its own, or None for that of the first stage.
        seed: Of its noise, the same for every picture; None for each picture's own.
        guides: Guide frames at the end of the first stage's latents, which are cut off.
        first_frame: A picture that the enlarged video begins with, or None.
        denoised: As of the first stage.
    """

    enlarging: Enlarging
    sampler: Any
    sigmas: Tensor
    guider: Any = None
    seed: int | None = None
    guides: int = 0
    first_frame: FirstFrame | None = None
    denoised: bool = False

    @property
    def scale(self) -> float:
        return self.enlarging.scale

    def shapes(self, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Of its latents, by those of the first stage. Only pictures grow, sound does not."""
        first = shapes[0] if not self.guides else (shapes[0][0], shapes[0][1] - self.guides, *shapes[0][2:])
        return (self.enlarging.shape(first), *shapes[1:])

    def begin(self, latent: Latent, mask: Any) -> tuple[Latent, Any]:
        """What it starts from, and the mask of what is sampled.

        Args:
            latent: What the first stage handed on, `(n, …)`.
            mask: Of the first stage, or None.
        """
        seen, *others = streams(latent)
        seen = self.enlarging.enlarged(seen[:, :, : seen.shape[2] - self.guides] if self.guides else seen)
        if isinstance(self.enlarging, Upsampled):
            mask = mask if others else None  # of the size before; that of the sound stays
        if self.first_frame is None and not (others and isinstance(self.enlarging, Upsampled)):
            return joined([seen, *others]), mask
        put = None
        if self.first_frame is not None:
            seen, put = self.first_frame.put(seen)
        return joined([seen, *others]), whole_mask(seen, put, others, mask)

    def noise(self, seeds: Sequence[int], latent: Latent) -> Latent:
        """What the host draws for each seed and the enlarged latent."""
        parts = streams(latent)
        rows = [draw(seed, [tuple(part.shape[1:]) for part in parts]) for seed in seeds]
        return joined([torch.cat(row).to(part.dtype) for row, part in zip(zip(*rows), parts)])


def whole_mask(seen: Tensor, put: Tensor | None, others: Sequence[Tensor], before: Any) -> Any:
    """As the host joins the masks of pictures and sound: where one has none, all of it is sampled."""
    heard = list(before.unbind())[1:] if getattr(before, "is_nested", False) else []
    if not others or (put is None and not heard):
        return put
    masks = [put if put is not None else torch.ones_like(seen[:1])]
    return joined([*masks, *(heard or [torch.ones_like(part[:1]) for part in others])])
