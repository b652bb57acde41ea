"""A page of a running ComfyUI as a photographer's studio: sets up nodes, runs them, takes pictures of them."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..client import Client

Graph = dict[str, dict[str, Any]]

CORNER = (110, 170)  # of the first column, in pixels of the window: clear of the page's bars
WINDOW = {"width": 1700, "height": 1640}
MARGIN, LABEL = 14, 44  # around the nodes; above them for their titles
MOST = 40_000  # bytes of a picture
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.VueNodes.Enabled": False,
    "Comfy.Minimap.Visible": False,
    "Comfy.Workflow.Persist": False,
    "Comfy.Graph.CanvasInfo": False,
    "Comfy.NodeBadge.NodeSourceBadgeMode": "None",
    "Comfy.NodeBadge.NodeIdBadgeMode": "None",
}
READY = "() => window.app?.positionConversion && app.isGraphReady && app.extensionManager?.workflow?.activeWorkflow"

SET_UP = """async (graph) => {
    await app.loadGraphData({ nodes: [], links: [], version: 0.4 }, true, true);
    const pause = (ms) => new Promise((done) => setTimeout(done, ms));
    const made = (window.staged = {}), isLink = Array.isArray;
    for (const [name, { class_type, inputs, title }] of Object.entries(graph)) {
        const node = (made[name] = LiteGraph.createNode(class_type));
        app.graph.add(node);
        if (title) node.title = title;
        node.pos = [-4000, 0];
        for (const [key, value] of Object.entries(inputs)) {
            if (isLink(value)) continue;
            const widget = node.widgets?.find((one) => one.name === key);
            if (!widget) throw new Error(`${class_type} has no widget ${key}`);
            widget.value = value;
            if (class_type === "LoadImage") widget.callback?.(value);
        }
    }
    for (const [name, { class_type, inputs }] of Object.entries(graph)) {
        for (const [key, [from, slot]] of Object.entries(inputs).filter(([, value]) => isLink(value))) {
            const place = () => made[name].inputs.findIndex((one) => one.name === key);
            for (let wait = 0; wait < 30 && place() < 0; wait += 1) await pause(100);
            if (place() < 0 || !made[from].connect(slot, made[name], place()))
                throw new Error(`${class_type} refused ${key}`);
            if (key.includes(".")) await pause(300);
        }
    }
    await pause(300);
}"""

LAY_OUT = """async ({ columns, sizes, corner, gap }) => {
    let x = 0, bottom = 0;
    const shown = new Set(columns.flat());
    for (const [name, node] of Object.entries(window.staged)) if (!shown.has(name)) node.pos = [-4000, 0];
    for (const names of columns) {
        const nodes = names.map((name) => window.staged[name]);
        const wide = Math.max(...names.map((name) => sizes[name]?.[0] ?? 300));
        let y = 0;
        for (const [index, node] of nodes.entries()) {
            node.setSize([wide, Math.max(sizes[names[index]]?.[1] ?? 0, node.computeSize()[1])]);
            node.pos = [x, y];
            y += node.size[1] + gap;
        }
        bottom = Math.max(bottom, y - gap);
        x += wide + gap;
    }
    const { ds } = app.canvas;
    ds.scale = 1;
    ds.offset = [corner[0], corner[1]];
    app.canvas.deselectAll?.();
    app.canvas.setDirty(true, true);
    await new Promise((done) => setTimeout(done, 600));
    return [x - gap, bottom];
}"""


class Studio:
    """One page. `set_up` a graph, `run` it, `shoot` some of its nodes."""

    def __init__(self, browser: Any, client: Client, folder: Path):
        self.client, self.folder = client, folder
        client.request("/settings", SETTINGS)
        self.page = browser.new_context(viewport=WINDOW).new_page()
        self.page.set_default_timeout(120_000)
        self.page.goto(client.url, wait_until="domcontentloaded")
        self.page.wait_for_function(READY)

    def set_up(self, graph: Graph) -> None:
        self.page.evaluate(SET_UP, graph)

    def queue(self) -> str:
        with self.page.expect_response(
            lambda answer: answer.url.endswith("/prompt") and answer.request.method == "POST"
        ) as answer:
            self.page.evaluate("async () => { await app.queuePrompt(0, 1) }")
        text = answer.value.json()
        if answer.value.status != 200:
            raise RuntimeError(json.dumps(text))
        return text["prompt_id"]

    def wait(self, prompt_id: str, timeout: float = 300) -> dict:
        """What the nodes show once the prompt has ended, by their ids."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            entry = self.client.json(f"/history/{prompt_id}").get(prompt_id)
            if entry:
                if entry["status"]["status_str"] != "success":
                    raise RuntimeError(json.dumps(entry["status"]["messages"][-1]))
                self.page.wait_for_timeout(1200)  # for the page to show it
                return entry["outputs"]
            self.page.wait_for_timeout(200)
        raise TimeoutError(f"prompt {prompt_id} did not end within {timeout:.0f} s")

    def run(self, graph: Graph) -> dict:
        """As `wait`, by the names of the graph."""
        self.set_up(graph)
        outputs = self.wait(self.queue())
        ids = self.page.evaluate(
            "() => Object.fromEntries(Object.entries(window.staged).map(([name, node]) => [name, String(node.id)]))"
        )
        return {name: outputs[number] for name, number in ids.items() if number in outputs}

    def lay_out(
        self, columns: Sequence[Sequence[str]], sizes: dict[str, Sequence[int]] | None = None
    ) -> tuple[float, float]:
        """Puts the named nodes into columns, all others out of sight; the width and height that they take."""
        view = {"columns": columns, "sizes": sizes or {}, "corner": CORNER, "gap": 60}
        return tuple(self.page.evaluate(LAY_OUT, view))

    def shoot(self, name: str, columns: Sequence[Sequence[str]], sizes: dict[str, Sequence[int]] | None = None) -> None:
        """A picture of the nodes as they are now."""
        width, height = self.lay_out(columns, sizes)
        left, top = CORNER[0] - MARGIN, CORNER[1] - LABEL
        clip = {"x": left, "y": top, "width": width + 2 * MARGIN, "height": height + LABEL + MARGIN}
        keep(self.page.screenshot(clip=clip), self.folder / f"{name}.webp")

    def whole(self, name: str, clip: dict[str, float] | None = None) -> None:
        """A picture of the page as it is now."""
        keep(self.page.screenshot(**({"clip": clip} if clip else {})), self.folder / f"{name}.webp", most=3 * MOST)

    def close(self) -> None:
        self.page.context.close()


def keep(png: bytes, path: Path, most: int = MOST) -> None:
    """Writes a picture as well as `most` bytes allow."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    for quality in range(90, 20, -6):
        picture.save(path, quality=quality, **({"method": 6} if path.suffix == ".webp" else {"optimize": True}))
        if path.stat().st_size <= most:
            return
    raise ValueError(f"{path.name} must fit into {most} bytes, got {path.stat().st_size}")
