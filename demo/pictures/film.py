"""The first fifteen seconds as a film: a right click on a KSampler, eight pictures that emerge, a click on one."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from . import graphs as g
from .studio import Studio

WINDOW = {"width": 1280, "height": 1000}
WIDTH = 860  # pixels of the film
EVERY = 0.12  # seconds between two pictures of it, at least
MOST = 1_500_000  # bytes
SEED, STEPS, TAKEN = 11, 60, 2
LAYOUT: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "sampler": ((0, 0), (320, 0)),
    "result": ((480, 230), (420, 480)),
}
PLACES = """(layout) => {
    for (const [name, node] of Object.entries(window.staged)) {
        const [pos, size] = layout[name] ?? [[-4000, 0], null];
        node.pos = [...pos];
        if (size) node.setSize([size[0], Math.max(size[1], node.computeSize()[1])]);
    }
    Object.assign(app.canvas.ds, { scale: 0.9, offset: [150, 170] });
    app.canvas.setDirty(true, true);
}"""
POINTER = """() => {
    const pointer = Object.assign(document.createElement("div"), { id: "filmed-pointer" });
    pointer.style.cssText = "position:fixed;z-index:2147483647;width:22px;height:22px;pointer-events:none;left:-50px;"
        + "background:#fff;clip-path:polygon(0 0,0 78%,22% 60%,40% 100%,56% 92%,38% 54%,68% 54%)";
    document.body.append(pointer);
    const follow = ({ clientX: x, clientY: y }) => Object.assign(pointer.style, { left: `${x}px`, top: `${y}px` });
    addEventListener("mousemove", follow, true);
}"""
TITLE = """(name) => {
    const node = window.staged[name], { ds, canvas } = app.canvas, { left, top } = canvas.getBoundingClientRect();
    return [left + (node.pos[0] + 90 + ds.offset[0]) * ds.scale, top + (node.pos[1] - 14 + ds.offset[1]) * ds.scale];
}"""
PREVIEWS = "(method) => app.extensionManager.setting.set('Comfy.Execution.PreviewMethod', method)"
DONE = "() => document.querySelector('.ns-status')?.textContent.startsWith('Done')"


class Film:
    """Pictures of the page, each shown as long as it was seen.

    Args:
        page: What is filmed.
    """

    def __init__(self, page: Any):
        self.page, self.pictures, self.times = page, [], []
        self.at = (WINDOW["width"] / 2, WINDOW["height"] / 2)

    def shot(self) -> None:
        began = time.monotonic()
        picture = Image.open(io.BytesIO(self.page.screenshot(type="jpeg", quality=92))).convert("RGB")
        self.pictures.append(picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.LANCZOS))
        self.times.append(began)
        self.page.wait_for_timeout(max(0.0, 1000 * (EVERY - (time.monotonic() - began))))

    def hold(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.shot()

    def until(self, is_so: Callable[[], bool], patience: float = 60) -> None:
        deadline = time.monotonic() + patience
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError("What was waited for did not come")
            self.shot()

    def move(self, to: tuple[float, float], steps: int = 5) -> None:
        """The pointer, in a straight line."""
        (x, y), (left, top) = self.at, to
        for step in range(1, steps + 1):
            self.page.mouse.move(x + (left - x) * step / steps, y + (top - y) * step / steps)
            self.shot()
        self.at = to

    def move_on(self, what: Any, steps: int = 5) -> None:
        box = what.bounding_box()
        self.move((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), steps)

    def click(self, what: Any) -> None:
        self.move_on(what)
        self.page.mouse.click(*self.at)

    def save(self, path: Path) -> None:
        """As small as it has to be. What does not change is one picture, shown for longer."""
        kept, shown = [self.pictures[0]], [self.times[0]]
        for picture, when in zip(self.pictures[1:], self.times[1:]):
            if picture.tobytes() != kept[-1].tobytes():
                kept.append(picture)
                shown.append(when)
        lasted = [
            max(20, round(1000 * (after - when))) for when, after in zip(shown, [*shown[1:], self.times[-1] + 2.5])
        ]
        for quality in range(70, 10, -10):
            kept[0].save(
                path, save_all=True, append_images=kept[1:], duration=lasted, loop=0, quality=quality, method=4
            )
            if path.stat().st_size <= MOST:
                return
        raise ValueError(f"{path.name} must fit into {MOST} bytes, got {path.stat().st_size}")


def fifteen_seconds(studio: Studio, name: str) -> None:
    page = studio.page
    before = page.viewport_size
    page.set_viewport_size(WINDOW)
    page.evaluate(PREVIEWS, "latent2rgb")
    values = {**g.SAMPLING, "steps": STEPS, "seed": SEED, "control_after_generate": "fixed"}
    sampler = g.node("KSampler", **g.MODEL, latent_image=["latent", 0], **values)
    decode = g.node("VAEDecode", samples=["sampler", 0], vae=["checkpoint", 2])
    stock = {key: one for key, one in g.loaders().items() if key != "verifier"}
    studio.set_up({**stock, "sampler": sampler, "decode": decode, **g.enlarged("result", ["decode", 0], "Result")})
    page.evaluate(PLACES, LAYOUT)
    studio.wait(studio.queue())  # as the artist has it: a workflow with a picture
    page.evaluate(POINTER)

    film = Film(page)
    film.hold(0.8)
    film.move(tuple(page.evaluate(TITLE, "sampler")))
    page.mouse.click(*film.at, button="right")
    film.hold(0.5)
    film.click(page.get_by_text("Search its noise", exact=True).last)
    film.hold(1.2)
    film.click(page.get_by_test_id("queue-button"))
    film.until(lambda: page.evaluate(DONE))
    film.hold(0.8)
    cell = page.locator(f".ns-cell[data-id='{TAKEN}']")
    film.move_on(cell)
    film.hold(0.4)
    with page.expect_response(lambda answer: answer.url.endswith("/prompt")) as answer:
        film.click(page.locator(".ns-quick button").get_by_text("Use", exact=True))
    prompt_id = answer.value.json()["prompt_id"]
    film.until(lambda: prompt_id in studio.client.json("/history"))
    film.hold(1.0)
    film.save(studio.folder / f"{name}.webp")
    page.evaluate(PREVIEWS, "default")
    page.evaluate("() => document.getElementById('filmed-pointer').remove()")
    page.set_viewport_size(before)
