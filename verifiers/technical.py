"""Technical quality: what can be said of pixels without a network, and needs no file.

Guards against what searches do to pictures rather than judges of beauty: blur, blank areas, burnt colours. The variance
of the Laplacian is Pech-Pacheco et al., Diatom Autofocusing in Brightfield Microscopy (2000); the JPEG size is the
"incompressibility" reward of Black et al., arXiv:2305.13301. Luma is that of ITU-R BT.601.
"""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy
import torch
from PIL import Image
from torch import Tensor

from .base import Card
from .images import rounded
from .keys import Keyed
from .workers import of_each

LUMA = (0.299, 0.587, 0.114)
JPEG_QUALITY = 95
ROWS = 32  # of a picture that are measured at once, in the processor's cache
CLIPPED = (1, 254)  # levels of 0 to 255 up to and from which a channel counts as clipped


class Seen:
    """One picture, with what several quantities are made of.

    Args:
        pixels: `(h, w, 3)` uint8.
    """

    def __init__(self, pixels: numpy.ndarray):
        self.pixels = pixels

    @cached_property
    def channels(self) -> numpy.ndarray:
        """`(3, h, w)` uint8, each channel in one piece."""
        return numpy.ascontiguousarray(self.pixels.transpose(2, 0, 1))

    @cached_property
    def luma(self) -> numpy.ndarray:
        """`(h, w)` float32, in levels of 0 to 255."""
        found = numpy.empty(self.pixels.shape[:2], numpy.float32)
        for top in range(0, len(found), ROWS):
            rows = slice(top, top + ROWS)
            red, green, blue = (channel[rows] * numpy.float32(share) for channel, share in zip(self.channels, LUMA))
            found[rows] = red + green + blue
        return found

    @cached_property
    def strongest(self) -> numpy.ndarray:
        """The level of the strongest channel, `(h, w)` uint8."""
        return self.channels.max(0)

    @cached_property
    def weakest(self) -> numpy.ndarray:
        """The level of the weakest channel, `(h, w)` uint8."""
        return self.channels.min(0)


def sharpness(seen: Seen) -> float:
    """log10(1 + variance of the Laplacian) of luma in levels of 0 to 255: 0 for a blank picture, mostly 1.5 to 3.5."""
    luma = seen.luma
    height, width = luma.shape
    if min(height, width) < 3:
        raise ValueError(f"pictures must be 3 x 3 pixels or larger to be sharp, got {width} x {height}")
    return math.log10(1 + variance(laplacian(luma[top : top + ROWS + 2]) for top in range(0, height - 2, ROWS)))


def laplacian(luma: numpy.ndarray) -> numpy.ndarray:
    """Of luma `(h, w)`, where all four neighbours are inside, `(h - 2, w - 2)`."""
    beside = luma[1:-1, :-2] + luma[1:-1, 2:]
    beside += luma[:-2, 1:-1]
    beside += luma[2:, 1:-1]
    return beside - 4 * luma[1:-1, 1:-1]


def variance(strips: Iterable[numpy.ndarray]) -> float:
    """Of all numbers of arrays, exactly 0 where all are equal: summed in 64 bits, about the first of them."""
    count, total, squares, first = 0, 0.0, 0.0, None
    for strip in strips:
        first = strip.flat[0] if first is None else first
        wide = (strip - first).astype(numpy.float64)
        count, total, squares = count + wide.size, total + wide.sum(), squares + numpy.square(wide).sum()
    return max(0.0, float(squares / count - (total / count) ** 2))


def contrast(seen: Seen) -> float:
    """Standard deviation of luma in percent of the full range: 0 to 50, mostly 12 to 30."""
    strips = (seen.luma[top : top + ROWS] for top in range(0, len(seen.luma), ROWS))
    return math.sqrt(variance(strips)) / 2.55


def saturation(seen: Seen) -> float:
    """Mean distance between the strongest and the weakest channel in percent of the full range: 0 for grey, mostly 8
    to 35.
    """
    return float((seen.strongest - seen.weakest).mean()) / 2.55


def clipping(seen: Seen) -> float:
    """Percent of pixels whose channels are all black or all white, up to one level: 0 to 100, mostly below 2."""
    low, high = CLIPPED
    return 100 * float(((seen.strongest <= low) | (seen.weakest >= high)).mean())


def jpeg_size(seen: Seen) -> float:
    """Size as a JPEG of quality 95 in kilobytes (1000 bytes): the more there is in the picture the larger."""
    file = io.BytesIO()
    Image.fromarray(seen.pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.tell() / 1000


@dataclass(frozen=True)
class Quantity:
    """Something that is measured, and what of it is good.

    Args:
        measure: Of one picture.
        unit: In words.
        spread: Typical standard deviation among pictures of one prompt.
        band: From where to where it is good; None where more is better.
    """

    measure: Callable[[Seen], float]
    unit: str
    spread: float
    band: tuple[float, float] | None = None

    def value(self, pixels: Tensor) -> Tensor:
        """Of pixels `(n, h, w, 3)` uint8, `(n,)` float32, higher is better: what was measured, or minus the distance
        from the band.
        """
        return self.judged([self.measure(Seen(picture)) for picture in pixels.numpy()])

    def judged(self, measured: Sequence[float]) -> Tensor:
        found = torch.tensor(measured, dtype=torch.float32)
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
        measured = of_each(lambda picture: self.quantity.measure(Seen(rounded(picture))), images)
        return self.quantity.judged(measured).unsqueeze(1)

    def apart(self, device: torch.device) -> bool:
        """Whether this is not the processor, where it computes."""
        return device.type != "cpu"

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
        return torch.tensor(of_each(self._of_one, images), dtype=torch.float32)

    def _of_one(self, picture: numpy.ndarray) -> list[float]:
        seen = Seen(rounded(picture))
        return [QUANTITIES[name].measure(seen) for name in GUARDED]

    def apart(self, device: torch.device) -> bool:
        """Whether this is not the processor, where it computes."""
        return device.type != "cpu"

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
