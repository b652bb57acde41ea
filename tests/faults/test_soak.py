"""Memory stays flat from candidate to candidate and from search to search.

By Python's own count here, which no other test disturbs; by the system's, over 4096 and 200 of them, in `python dev.py
bench reliability`.
"""

import gc
import statistics
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest

from .lab import Lab

sys.path.append(str(Path(__file__).resolve().parents[2]))  # the benchmarks import the demo as a package of its own

from noise_search.bench import soaking  # noqa: E402

KEPT = 4  # runs that the panel keeps, and galleries on the disk, for the time of the test


@pytest.fixture
def lab(host, monkeypatch, tmp_path):
    """A search with the store, as an artist has it; without the harness's own list of events."""
    import folder_paths

    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    monkeypatch.setattr(host.server, "send_sync", lambda *event: None)
    monkeypatch.setattr(host.part("nodes.host.page.searches"), "RUNS", KEPT)
    monkeypatch.setattr(host.part("nodes.host.store.galleries"), "MOST", KEPT)
    lab = Lab(host)
    lab.run(lab.graph(pictures=8, batch=8))
    tracemalloc.start()
    yield lab
    tracemalloc.stop()


def traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_memory_is_flat_over_the_candidates_of_a_search(lab):
    points = []
    lab.values["judge"].verifier.measure = watching(lab, points)
    assert not lab.run(lab.graph(pictures=160, batch=8, seed=9)).error
    assert len(points) == 20 and soaking.slope(points, "candidates") < soaking.LIMIT_CANDIDATE


def watching(lab, points):
    measure = lab.values["judge"].verifier.measure

    def watched(images, prompt):
        points.append((8 * len(points), traced()))
        return measure(images, prompt)

    return watched


def test_memory_is_flat_over_searches(lab):
    points = []
    for number in range(4 * KEPT):
        assert not lab.run(lab.graph(pictures=8, batch=8, seed=1000 + number), f"soak {number}").error
        lab.host.part("nodes.host.page.shelf")._desk.submit(int).result()  # its gallery is on the disk
        points.append(traced())
    grown = [after - before for before, after in pairwise(points[KEPT + 2 :])]
    assert statistics.median(grown) < soaking.LIMIT_SEARCH / 10, "what is made once may come at any search"


def test_a_leak_would_be_seen_and_a_moment_of_the_allocator_would_not():
    leak, moments = 5_000, (7, 12)
    for growth in (0, leak):
        points = [(count, 10**9 + growth * count + 16 * 2**20 * (count in moments)) for count in range(20)]
        assert (soaking.slope(points, "candidates") > soaking.LIMIT_CANDIDATE) == bool(growth)
