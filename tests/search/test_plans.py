"""Without a limit in minutes, from one noise, every search does what it was measured with: trial by trial."""

import hashlib
from functools import partial

import pytest
from noise_search.search import (
    AutoSearch,
    DraftSearch,
    LocalSearch,
    PathSearch,
    RandomSearch,
    RefineSearch,
    SteeredSearch,
    ZeroOrderSearch,
)
from noise_search.tests.search.flows import flow_schedule
from noise_search.tests.search.promises import Promises, spent


def among_noises(make, **knobs):
    """A search among noises, which knows of no schedule."""

    def made(start, seeds, *, schedule, pictures):
        return make(start, seeds, **knobs, **({"pictures": pictures} if make is LocalSearch else {}))

    return made


PLANS = {
    "AutoSearch": AutoSearch,
    "AutoSearch with a slow judge": partial(AutoSearch, judging=0.3),
    "DraftSearch": DraftSearch,
    "SteeredSearch": SteeredSearch,
    "SteeredSearch in pools": partial(SteeredSearch, particles=3),
    "SVDD": partial(SteeredSearch, preset="SVDD"),
    "PathSearch": PathSearch,
    "RefineSearch": RefineSearch,
    "RandomSearch": among_noises(RandomSearch),
    "ZeroOrderSearch": among_noises(ZeroOrderSearch),
    "ZeroOrderSearch as in the paper": among_noises(ZeroOrderSearch, warmup=1, adapt=False, restart="fresh"),
    "LocalSearch by steps": among_noises(LocalSearch, moves=("step",)),
}
WORLDS = ((20, 1.0, 4), (20, 3.0, 16), (28, 3.0, 64), (4, 1.0, 12))  # steps, shift, pictures
DIGESTS = {
    "AutoSearch": "ba2f4c92b27926c9",
    "AutoSearch with a slow judge": "7cdd0d235b5f062b",
    "DraftSearch": "e0939168c0285eda",
    "SteeredSearch": "7fe5414ca6530d68",
    "SteeredSearch in pools": "aeea405f7541d559",
    "SVDD": "7a0dd7319e5d08c1",
    "PathSearch": "937aa2a8b563e4cc",
    "RefineSearch": "f664d2d49f49ebdb",
    "RandomSearch": "b4c7eecc9220e202",
    "ZeroOrderSearch": "1547f70ca6dcf04b",
    "ZeroOrderSearch as in the paper": "e04d1c8d38f2fd80",
    "LocalSearch by steps": "0acef67553a3fc1f",
}


def digest(make):
    """Of everything that it asks, in its order, with its scores, in several worlds."""
    found = hashlib.blake2b(digest_size=8)
    for steps, shift, pictures in WORLDS:
        for seed in range(2):
            try:
                trace, _ = spent(make, Promises(0.7, schedule=flow_schedule(steps, shift)), pictures, seed)
            except ValueError as error:
                found.update(str(error).encode())
                continue
            found.update(" ".join(f"{trial.candidate.key} {trial.how}" for trial in trace.trials).encode())
            found.update(repr(trace.stopped).encode())
    return found.hexdigest()


@pytest.mark.parametrize("name", PLANS)
def test_it_asks_what_it_always_asked(name):
    assert digest(PLANS[name]) == DIGESTS[name]
