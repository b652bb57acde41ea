"""Technical quality: what can be said of pixels without a network, and needs no file.

Guards against what searches do to pictures rather than judges of beauty: blur, blank areas, burnt colours. The variance
of the Laplacian is Pech-Pacheco et al., Diatom Autofocusing in Brightfield Microscopy (2000); the JPEG size is the
"incompressibility" reward of Black et al., arXiv:2305.13301. Luma is that of ITU-R BT.601.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from PIL import Image
from torch import Tensor

from .base import Card
from .images import bytes_of
from .keys import Keyed

LUMA = (0.299, 0.587, 0.114)
JPEG_QUALITY = 95
CLIPPED = (1, 254)  # levels of 0 to 255 up to and from which a channel counts as clipped


class Seen:
    """One or more pictures, with what several quantities are made of.

    Args:
        pixels: `(n, h, w, 3)` uint8.
    """

    def __init__(self, pixels: Tensor):
        self.pixels = pixels

    @cached_property
    def luma(self) -> Tensor:
        """`(n, h, w)` float32, in levels of 0 to 255."""
        return self.pixels.float() @ torch.tensor(LUMA)

    @cached_property
    def strongest(self) -> Tensor:
        """The level of the strongest channel, `(n, h, w)` uint8."""
        return self.pixels.amax(-1)

    @cached_property
    def weakest(self) -> Tensor:
        """The level of the weakest channel, `(n, h, w)` uint8."""
        return self.pixels.amin(-1)


def sharpness(seen: Seen) -> Tensor:
    """log10(1 + variance of the Laplacian) of luma in levels of 0 to 255, `(n,)`: 0 for a blank picture, mostly 1.5 to
    3.5.
    """
    luma = seen.luma
    inner = luma[:, 1:-1, 1:-1]
    beside = luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:] + luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1]
    if not inner[0].numel():
        raise ValueError(f"pictures must be 3 x 3 pixels or larger to be sharp, got {luma.shape[2]} x {luma.shape[1]}")
    return torch.log10(1 + (beside - 4 * inner).flatten(1).var(1, correction=0))


def contrast(seen: Seen) -> Tensor:
    """Standard deviation of luma in percent of the full range, `(n,)`: 0 to 50, mostly 12 to 30."""
    return seen.luma.flatten(1).std(1, correction=0) / 2.55


def saturation(seen: Seen) -> Tensor:
    """Mean distance between the strongest and the weakest channel in percent of the full range, `(n,)`: 0 for grey,
    mostly 8 to 35.
    """
    return (seen.strongest - seen.weakest).flatten(1).float().mean(1) / 2.55


def clipping(seen: Seen) -> Tensor:
    """Percent of pixels whose channels are all black or all white, up to one level, `(n,)`: 0 to 100, mostly below
    2.
    """
    low, high = CLIPPED
    return 100 * ((seen.strongest <= low) | (seen.weakest >= high)).flatten(1).float().mean(1)


def jpeg_size(seen: Seen) -> Tensor:
    """Size as a JPEG of quality 95 in kilobytes (1000 bytes), `(n,)`: the more there is in the picture the larger."""
    return torch.tensor([_jpeg_bytes(picture) / 1000 for picture in seen.pixels])


@dataclass(frozen=True)
class Quantity:
    """Something that is measured, and what of it is good.

    Args:
        measure: Of `n` pictures, `(n,)` float32.
        unit: In words.
        spread: Typical standard deviation among pictures of one prompt.
        band: From where to where it is good; None where more is better.
    """

    measure: Callable[[Seen], Tensor]
    unit: str
    spread: float
    band: tuple[float, float] | None = None

    def value(self, pixels: Tensor) -> Tensor:
        """Of pixels `(n, h, w, 3)` uint8, higher is better: what was measured, or minus the distance from the band."""
        found = self.measure(Seen(pixels))
        return found if self.band is None else 0 - outside(found, self.band)

    @property
    def words(self) -> str:
        if self.band is None:
            return f"{self.unit}, more is better"
        return f"minus the {self.unit} outside {self.band[0]:g} to {self.band[1]:g}; 0 is best"


QUANTITIES: dict[str, Quantity] = {
    "sharpness": Quantity(sharpness, "log10 of the Laplacian's variance, mostly 1.5 to 3.5", 0.2),
    "contrast": Quantity(contrast, "percent of deviation in luma, mostly 12 to 30", 3.0),
    "saturation": Quantity(saturation, "percent of mean saturation", 4.0, (3, 45)),
    "clipping": Quantity(clipping, "percent of clipped pixels", 1.5, (0, 2)),
    "JPEG size": Quantity(jpeg_size, "kilobytes at quality 95, depends on the size in pixels", 40.0),
}
# what every good picture keeps to
GUARDED = {"sharpness": (1.5, 4.2), "contrast": (8, 40), "saturation": (3, 45), "clipping": (0, 2)}


class Technical(Keyed):
    """One quantity of the pixels. Ignores the prompt.

    Args:
        name: One of `QUANTITIES`.
    """

    modules = ()

    def __init__(self, name: str):
        if name not in QUANTITIES:
            raise ValueError(f"name must be one of {', '.join(QUANTITIES)}, got {name}")
        self.quantity, self.columns = QUANTITIES[name], (name,)
        self.card = Card(
            name, self.quantity.words, self.quantity.spread, prompt=False, licence="no weights", source="this pack"
        )

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        # one by one: what is made of a picture takes as much memory as some of them
        return torch.cat([self.quantity.value(bytes_of(image)) for image in images.split(1)]).unsqueeze(1)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> None:
        return None


class TechnicalQuality(Keyed):
    """What is technically wrong with a picture: 0 if nothing, and one less per typical spread that a quantity is
    outside its band.

    The values are sharpness, contrast, saturation and clipping as such; the score is made of them. Ignores the prompt.
    Made for a gate.
    """

    modules = ()
    columns = tuple(GUARDED)
    card = Card(
        name="technical quality",
        range="0 if nothing is wrong, else below; blur, flatness, garish or missing colours and clipping count",
        spread=0.5,
        prompt=False,
        licence="no weights",
        source="this pack",
    )

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        return torch.cat([self._of_one(picture) for picture in images.split(1)])

    def _of_one(self, image: Tensor) -> Tensor:
        seen = Seen(bytes_of(image))
        return torch.stack([QUANTITIES[name].measure(seen) for name in GUARDED], dim=1)

    def combine(self, pool: Tensor) -> Tensor:
        wrong = [
            outside(column, band) / QUANTITIES[name].spread for column, (name, band) in zip(pool.T, GUARDED.items())
        ]
        return 0 - torch.stack(wrong).sum(0)

    def count_tokens(self, prompt: str) -> None:
        return None


def outside(values: Tensor, band: tuple[float, float]) -> Tensor:
    """How far values are outside a band, 0 inside."""
    return (band[0] - values).clamp(min=0) + (values - band[1]).clamp(min=0)


def _jpeg_bytes(picture: Tensor) -> int:
    file = io.BytesIO()
    Image.fromarray(picture.numpy()).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.tell()
