"""Knockout: the best of a few pictures, from comparisons of two."""

from collections.abc import Callable, Sequence

Pair = tuple[int, int]


def knockout(count: int, better: Callable[[Sequence[Pair]], Sequence[float]]) -> list[int]:
    """Places of `count` entrants, best first; who goes out later stands higher, those of one round in their former
    order.

    Entrants come best first. In every round the best meets the worst, the second best the second worst, and so on; of
    an odd number the best waits. An undecided match goes to whom was better before, so the same comparisons give the
    same order.

    Args:
        count: Entrants, at least 0.
        better: Gives P(first is better), 0 to 1, of every pair of one round.
    """
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    left, out = list(range(count)), []
    while len(left) > 1:
        half = len(left) // 2
        pairs = list(zip(left[len(left) % 2 :], reversed(left[-half:])))[:half]
        chances = better(pairs)
        if len(chances) != len(pairs):
            raise ValueError(f"better must give one chance per pair, {len(pairs)}, got {len(chances)}")
        losers = {second if chance >= 0.5 else first for (first, second), chance in zip(pairs, chances)}
        out = [*sorted(losers), *out]
        left = [entrant for entrant in left if entrant not in losers]
    return left + out
