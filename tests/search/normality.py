"""Is it N(0, I)? The checker that every operation of the noise algebra must pass, and an additive one must not."""

import math

import torch
from torch import Tensor


def is_standard_normal(noise: Tensor) -> bool:
    """Check mean, variance, shape of the law and flatness of the spectrum of independent noises `(n, c, h, w)`."""
    return not complaints(noise)


def complaints(noise: Tensor, law: float = 1.63) -> list[str]:
    """Name what is wrong; `law` is the limit of the Kolmogorov-Smirnov statistic, 1.63 for p > 0.01, 2.3 for p >
    0.00005.
    """
    count = noise.numel()
    values = noise.double().flatten()
    findings = {
        "mean": abs(values.mean().item()) * math.sqrt(count) < 4,
        "variance": abs(values.var().item() - 1) < 4 * math.sqrt(2 / count),
        "law": kolmogorov_smirnov(values) < law,
        "spectrum": max(map(abs, spectrum(noise.double()))) < 4.5,
        "norms": abs(noise.double().flatten(1).pow(2).mean(1) - 1).max().item() < 5 * math.sqrt(2 * len(noise) / count),
    }
    return [name for name, fine in findings.items() if not fine]


def kolmogorov_smirnov(values: Tensor) -> float:
    ordered = values.sort().values
    law = torch.special.ndtr(ordered)
    steps = torch.arange(len(values) + 1, dtype=torch.float64) / len(values)
    return max((steps[1:] - law).max().item(), (law - steps[:-1]).max().item()) * math.sqrt(len(values))


def spectrum(noise: Tensor, bands: int = 4) -> list[float]:
    """Compare the power in radial bands with that of white noise, in standard errors."""
    power = torch.fft.fft2(noise, norm="ortho").abs().square()
    h, w = noise.shape[-2:]
    radius = (torch.fft.fftfreq(h)[:, None].square() + torch.fft.fftfreq(w)[None].square()).sqrt() / 0.7072
    band = (radius * bands).long().clamp(max=bands - 1)
    chosen = [power[..., band == index] for index in range(bands)]
    return [((part.mean() - 1) / math.sqrt(2 / part.numel())).item() for part in chosen]
