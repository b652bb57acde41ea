"""A hundred thousand recipes, stores and requests of strangers, in parts of a thousand."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

SHARES = {"recipes": 0.5, "stores": 0.2, "records": 0.1, "requests": 0.2}


class Fuzz:
    """Runs the properties of `tests/fuzz` on the real host in this process."""

    def __init__(self, host):
        from noise_search.tests.faults.lab import Lab
        from noise_search.tests.fuzz.properties import sound_store
        from noise_search.tests.fuzz.requests import Door

        self.host, self.lab = host, Lab(host)
        self.scratch = tempfile.TemporaryDirectory(prefix="noise-search-fuzz-")
        self.store, self.path = host.part("nodes.host.store.records"), Path(self.scratch.name) / "one" / "x.sqlite3"
        self.path.parent.mkdir()
        self.sound = sound_store(self.path, self.store)
        if error := self.lab.run(self.lab.graph(), "fuzz").error:
            raise RuntimeError(error)
        self.door = Door(host)
        self.known = {
            "search": [self.lab.panel().id],
            "candidate": ["0", "5"],
            "workflow": ["fuzz"],
            "page": ["tests"],
            "size": ["small"],
            "place": ["0"],
        }

    def part(self, number: int, examples: int) -> dict:
        """Counts of what became of the examples; an example that breaks a promise raises, and hypothesis has made it
        small.
        """
        found: Counter[str] = Counter()
        before = self.door.files()
        for name, check in self.checks(found).items():
            self.many(check, name, number, round(examples * SHARES[name]), found)
        assert self.door.files() == before, "a file elsewhere was touched"
        return dict(found)

    def many(self, check, name: str, number: int, examples: int, found: Counter) -> None:
        from hypothesis import HealthCheck, Phase, given, seed, settings

        strategy, use = check

        @seed(number * 10 + sorted(SHARES).index(name))
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        )
        @given(strategy)
        def run(example) -> None:
            found[name] += 1
            found[f"{name} {use(example)}"] += 1

        run()

    def checks(self, found: Counter) -> dict:
        from noise_search.tests.fuzz import properties, strategies
        from noise_search.tests.fuzz.requests import check_request, requests

        memo, rollout = self.host.part("nodes.host.store.memo"), self.host.part("nodes.host.engine.rollout")
        import torch

        sound = vars(memo.record(rollout.Particles(torch.ones(1, 16, 8, 8), torch.zeros(1, 16, 8, 8), 0.0, (1,)), 4))
        return {
            "recipes": (strategies.recipe_texts, properties.check_recipe),
            "stores": (
                strategies.changed_bytes(self.sound),
                lambda data: f"with {properties.check_store(self.path, self.store, data)} records",
            ),
            "records": (
                strategies.records(sound),
                lambda one: "used" if properties.check_remembered(memo, self.store, one) else "refused",
            ),
            "requests": (requests(self.door.routes, self.known), lambda request: check_request(self.door, request)),
        }

    def close(self) -> None:
        self.door.close()
        self.scratch.cleanup()


def summary(parts: list[dict]) -> dict:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return {
        "examples": sum(total[name] for name in SHARES),
        "broken_promises": 0,
        "counts": dict(sorted(total.items())),
    }
