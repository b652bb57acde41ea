"""Takes all pictures anew, or those whose names are given.

python dev.py pictures [NAMES]    such as NoiseSearch, panel_running, 09_Seed_list_through_any_workflow
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..examples import EXAMPLES, write_examples
from ..server import PACK, Server, prepare
from .judge import asked_judge
from .scenes import help_scenes
from .states import STATES, waiting
from .studio import Studio
from .thumbnails import THUMBNAILS

HELP, DOCS = PACK / "js" / "docs" / "images", PACK / "docs"


def main(names: list[str]) -> int:
    with asked_judge() as url, studio() as booked:
        jobs = {
            name: lambda name=name, scene=scene: take(booked, name, scene) for name, scene in help_scenes(url).items()
        }
        jobs["HumanPick"] = lambda: waiting(aimed(booked, HELP), "HumanPick", seed=4)
        jobs |= {
            name: lambda name=name, state=state: state(aimed(booked, DOCS), name) for name, state in STATES.items()
        }
        jobs |= {
            name: lambda name=name, make=make: make(booked.client, EXAMPLES / name) for name, make in THUMBNAILS.items()
        }
        if unknown := sorted(set(names) - set(jobs)):
            raise SystemExit(f"NAMES must be of {', '.join(jobs)}; got {', '.join(unknown)}")
        for name in names or jobs:
            print(name, flush=True)
            jobs[name]()
    return 0


def take(studio: Studio, name: str, scene) -> None:
    aimed(studio, HELP)
    studio.run(scene.graph) if scene.runs else studio.set_up(scene.graph)
    studio.shoot(name, scene.columns, scene.sizes)


def aimed(studio: Studio, folder: Path) -> Studio:
    studio.folder = folder
    return studio


@contextlib.contextmanager
def studio() -> Iterator[Studio]:
    from playwright.sync_api import sync_playwright

    os.environ.setdefault("NOISE_SEARCH_STORE", "off")  # every picture is of a search that really runs
    with tempfile.TemporaryDirectory(prefix="noise-search-pictures-") as folder, sync_playwright() as playwright:
        base = prepare(Path(folder))
        write_examples(base)
        browser = playwright.chromium.launch(
            executable_path=os.environ["CHROMIUM_PATH"],
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        with Server(os.environ["COMFYUI_PATH"], base) as server:
            yield Studio(browser, server.client(), HELP)
        browser.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
