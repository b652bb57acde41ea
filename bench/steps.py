"""A long benchmark in parts that are done once: what was measured stays, and a run that was stopped goes on with the
next part.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from .farm import spoken
from .results import OUTPUT


class Steps:
    """Measured parts on disk.

    Args:
        name: Of the benchmark.
        folder: Where its parts lie.
    """

    def __init__(self, name: str, folder: Path = OUTPUT / "runs"):
        self.folder = folder / name

    def done(self, part: str) -> bool:
        return self._path(part).exists()

    def read(self, part: str) -> dict:
        return json.loads(self._path(part).read_text(encoding="utf-8"))

    def write(self, part: str, figures: dict) -> None:
        """So that an interruption leaves nothing or all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch = self._path(part).with_suffix(".part")
        scratch.write_text(json.dumps(figures) + "\n", encoding="utf-8")
        scratch.replace(self._path(part))

    def forget(self, section: str) -> None:
        for path in self.folder.glob(f"{section}*.json"):
            path.unlink()

    def all(self, parts: list[str], measure: Callable[[str], dict]) -> list[dict]:
        """The figures of all parts; what is missing is measured, with a word on the time left."""
        missing, began = [part for part in parts if not self.done(part)], time.monotonic()
        for number, part in enumerate(missing, 1):
            self.write(part, measure(part))
            left = (time.monotonic() - began) / number * (len(missing) - number)
            print(f"{part}: {number} of {len(missing)}, {spoken(left)} left", flush=True)
        return [self.read(part) for part in parts]

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, part: str) -> Path:
        return self.folder / f"{part}.json"
