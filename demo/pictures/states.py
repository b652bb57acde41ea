"""The panel and Human Pick in each of their states, as an artist sees them."""

from __future__ import annotations

from collections.abc import Callable

from . import graphs as g
from .film import fifteen_seconds
from .studio import Studio

PANEL = {"search": (460, 1)}
BUSY = {"steps": 40}  # long enough to be caught in the middle


def running(studio: Studio, name: str) -> None:
    prompt_id = begun(studio, 10)
    of_panel(studio, name)
    finish(studio, prompt_id)


def paused(studio: Studio, name: str) -> None:
    prompt_id = begun(studio, 8)
    press(studio, "Pause")
    says(studio, "Paused")
    studio.page.wait_for_timeout(1500)
    of_panel(studio, name)
    press(studio, "Continue")
    finish(studio, prompt_id)


def done(studio: Studio, name: str) -> None:
    studio.run(g.drop_in(pictures=24, seed=4))
    of_panel(studio, name)


def large(studio: Studio, name: str) -> None:
    studio.run(g.drop_in(pictures=48, seed=5))
    of_panel(studio, "")
    press(studio, "⤢")
    studio.page.wait_for_timeout(1500)
    box = studio.page.locator(".ns-panel").last.bounding_box()
    studio.whole(name, {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]})
    studio.page.keyboard.press("Escape")


def waiting(studio: Studio, name: str, seed: int = 3) -> None:
    graph = {
        **g.seeds(6, seed),
        "pick": g.node("HumanPick", images=["decode", 0], verifier=["verifier", 0]),
        "preview": g.preview(["pick", 0]),
    }
    studio.set_up(graph)
    studio.lay_out([["pick"]], {"pick": (520, 1)})
    prompt_id = studio.queue()
    studio.page.wait_for_selector(".np-root[data-status=waiting] .np-tile img")
    studio.page.locator(".np-tile").nth(2).click()
    studio.shoot(name, [["pick"]], {"pick": (520, 1)})
    studio.page.locator(".np-foot .np-go:visible").click()
    studio.wait(prompt_id)


STATES: dict[str, Callable[[Studio, str], None]] = {
    "panel_running": running,
    "panel_paused": paused,
    "panel_done": done,
    "panel_large": large,
    "human_pick": waiting,
    "fifteen_seconds": fifteen_seconds,
}


def begun(studio: Studio, count: int) -> str:
    """A long search, caught when it has that many pictures and has found a better one than the own seed's."""
    studio.set_up(g.drop_in(pictures=40, seed=3 + count % 4, **BUSY))
    studio.lay_out([["search"]], PANEL)  # only what is in sight is drawn
    prompt_id = studio.queue()
    better = """(count) => parseInt(document.querySelector('.ns-hint')?.textContent) >= count
        && document.querySelector('.ns-small').textContent.includes('over')"""
    studio.page.wait_for_function(better, arg=count)
    return prompt_id


def finish(studio: Studio, prompt_id: str) -> None:
    press(studio, "Finish now")
    studio.wait(prompt_id)


def press(studio: Studio, name: str) -> None:
    studio.page.locator(".ns-panel").get_by_role("button", name=name).first.click()


def says(studio: Studio, text: str) -> None:
    studio.page.wait_for_function(
        "(text) => document.querySelector('.ns-status')?.textContent.startsWith(text)", arg=text
    )


def of_panel(studio: Studio, name: str) -> None:
    """A picture of the panel alone, without the widgets above it; without a name it is only brought into sight."""
    studio.lay_out([["search"]], PANEL)
    box = studio.page.locator(".ns-panel").bounding_box()
    if name:
        studio.whole(
            name, {"x": box["x"] - 8, "y": box["y"] - 8, "width": box["width"] + 16, "height": box["height"] + 16}
        )
