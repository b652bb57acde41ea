"""When one more draw is not worth its price: Pandora's rule.

Weitzman, Optimal Search for the Best Alternative, Econometrica 1979: draw until the best reaches the level from which
one more draw is expected to gain no more than it costs. With mean and spread unknown, the next draw follows a t
distribution around those of the draws so far.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from fractions import Fraction

FEWEST = 3  # draws before their spread means anything
NEARLY_NORMAL = 200  # degrees of freedom
SLICES = 200  # of the integral over the tail of a t distribution


def expected_gain(best: float, mean: float, spread: float, freedom: float = math.inf) -> float:
    """What one more draw is expected to add to `best`: E[(v - best)+].

    Args:
        mean, spread: Of a draw v, normal or with `freedom` degrees of freedom, more than 1, as a scaled t distribution.
    """
    if spread == 0:
        return max(mean - best, 0.0)
    level = (best - mean) / spread
    if freedom < NEARLY_NORMAL:
        return spread * _t_gain(level, freedom)
    density, above = math.exp(-level * level / 2) / math.sqrt(2 * math.pi), math.erfc(level / math.sqrt(2)) / 2
    return spread * (density - level * above)


class Draws:
    """Mean and spread of draws by name, exact; what they cost does not grow with how many there are."""

    def __init__(self) -> None:
        self._values: dict[Hashable, float] = {}
        self._sum, self._squares = Fraction(0), Fraction(0)

    def __len__(self) -> int:
        return len(self._values)

    def put(self, name: Hashable, value: float) -> None:
        """Add a draw, or give a known one another value."""
        for number, sign in ((self._values.get(name), -1), (value, 1)):
            if number is not None:
                exact = Fraction(number)
                self._sum, self._squares = self._sum + sign * exact, self._squares + sign * exact**2
        self._values[name] = value

    @property
    def mean(self) -> float:
        return float(self._sum / len(self))

    @property
    def spread(self) -> float:
        """Standard deviation; of at least two draws."""
        return math.sqrt((self._squares - self._sum**2 / len(self)) / (len(self) - 1))


def worth_it(scores: Sequence[float], cost: float) -> bool:
    """Whether one more independent draw is expected to gain more than it costs; always, where there are fewer than
    three.

    Args:
        scores: Of the draws so far.
        cost: Of one more, in standard deviations of the scores, above 0: 0.1 stops after some 5 draws, 0.02 after some
            20.
    """
    if not cost > 0:
        raise ValueError(f"cost must be above 0, got {cost}")
    count = len(scores)
    if count < FEWEST:
        return True
    mean = math.fsum(scores) / count
    spread = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (count - 1))
    if spread == 0:
        return False
    return expected_gain(max(scores), mean, spread * math.sqrt(1 + 1 / count), count - 1) > cost * spread


def reservation(cost: float) -> float:
    """The level of a standard normal draw at which one more is worth exactly its cost: E[(v - level)+] = cost."""
    low, high = -cost - 1, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if expected_gain(middle, 0, 1) > cost else (low, middle)
    return (low + high) / 2


def _t_gain(level: float, freedom: float) -> float:
    """E[(v - level)+] of a t distribution, by midpoints over the angle whose tangent is v / sqrt(freedom)."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    low = math.atan(level / math.sqrt(freedom))
    width = (math.pi / 2 - low) / SLICES
    angles = [low + (index + 0.5) * width for index in range(SLICES)]
    gains = [(math.sqrt(freedom) * math.tan(angle) - level) * math.cos(angle) ** (freedom - 1) for angle in angles]
    return scale * width * math.fsum(gains)
