"""The benchmark in equal seconds: what it says of its runs, and that the documentation says the same."""

import json

import pytest
from noise_search.bench.minutes import VALUES, difference
from noise_search.dev import PACK


def run(caption, search, score, checked):
    return {"caption": caption, "worth": 10, "search": search, "limit": 2.0, "seconds": 1.9, "values": [score],
            "checked": checked}  # fmt: skip


def test_searches_are_compared_caption_by_caption():
    runs = [run(0, "auto", 4.0, 1.0), run(0, "random", 3.0, 0.5), run(1, "random", 7.0, 1.0), run(1, "auto", 8.0, 0.5)]
    found = difference(runs, 10, "values")
    assert (found["captions"], found["auto"], found["random"]) == (2, 6.0, 5.0)
    assert found["difference"] == [1.0, 1.0, 1.0], "every pair differs by as much"
    assert found["share of the limit"] == [0.95, 0.95]
    assert difference(runs, 10, "checked")["difference"] == [0.0, -50.0, 50.0]


@pytest.mark.parametrize("worth", [10, 30, 100])
def test_the_documentation_has_the_committed_figures(worth):
    figures = json.loads((PACK / "bench/figures/minutes.json").read_text(encoding="utf-8"))
    again = [difference(figures["runs"], worth, value) for value in VALUES]
    assert again == [one for one in figures["differences"] if one["worth"] == worth]
    cells = [
        f"{one['auto']:.1f}, {one['random']:.1f}: {mean:+.1f} ({low:+.1f} to {high:+.1f})"
        for one in again
        for mean, low, high in [one["difference"]]
    ]
    line = f"| {worth} | {again[0]['captions']} | {' | '.join(cells)} |"
    assert line in (PACK / "docs/benchmarks.md").read_text(encoding="utf-8").splitlines()
