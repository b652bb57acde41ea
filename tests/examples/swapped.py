"""Templates of the host as the page exports them: before "Search its noise", after it, and taken back in both ways."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from noise_search.demo.server import Server, prepare
from noise_search.dev import cache
from noise_search.tests.examples.templates import SETTINGS, local_templates, versions
from noise_search.tests.host import COMFYUI_PATH, Page

JS = Path(__file__).parents[2] / "js"
SWAP = """async (workflow) => {
    const from = (path) => import(`/extensions/noise-search/${path}.js`);
    const [{ searchNoise }, { asOneStep }, { replace }] = await Promise.all(
        ["swap/all", "panel/page", "panel/ksampler"].map(from));
    app.canvas.pause_rendering = true;
    await app.loadGraphData(workflow, true, false);
    const tracker = app.extensionManager.workflow.activeWorkflow.changeTracker;
    const prompt = async () => JSON.parse(JSON.stringify((await app.graphToPrompt()).output));
    const settled = () => new Promise((done) => setTimeout(done, 250));
    const create = (type) => LiteGraph.createNode(type), found = { before: await prompt() };
    tracker.captureCanvasState();
    const steps = tracker.undoQueue.length;
    const { made, refused, notes } = asOneStep(() => searchNoise(app.rootGraph.nodes, create, app.rootGraph));
    Object.assign(found, { refused, notes, made: made.map(({ type }) => type), after: await prompt() });
    await settled();
    found.steps = tracker.undoQueue.length - steps;
    await tracker.undo();
    found.undone = await prompt();
    await tracker.redo();
    found.redone = await prompt();
    const inside = (graph, path = "") => graph.nodes.flatMap((node) => [[node, `${path}${node.id}`],
        ...(node.subgraph ? inside(node.subgraph, `${path}${node.id}:`) : [])]);
    for (const [node, path] of inside(app.rootGraph)) {
        const seed = found.after[path]?.inputs.seed;
        if (node.type === "NoiseSearch" && node.graph) asOneStep(() => replace(node, seed, create, app.rootGraph));
    }
    found.back = await prompt();
    return found;
}"""

Swapped = dict[str, Any]


def swapped_templates(browser: Any, scratch: Path, names: Collection[str] | None = None) -> dict[str, Swapped]:
    """What becomes of templates that sample on this machine, by name; of all of them where no names are given.

    Kept in the cache folder until the page, the templates or our part of the page are others.
    """
    code = [path.read_text(encoding="utf-8") for path in sorted(JS.rglob("*.js"))]
    digest = hashlib.sha256(json.dumps([versions(), SWAP, code]).encode()).hexdigest()[:16]
    folder = cache() / "swapped" / digest
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: workflow for name, workflow in local_templates() if names is None or name in names}
    missing = {name: workflow for name, workflow in wanted.items() if not (folder / f"{name}.json").exists()}
    if missing:
        swap(browser, scratch, missing, folder)
    return {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in wanted}


def swap(browser: Any, scratch: Path, workflows: Mapping[str, dict], folder: Path) -> None:
    with Server(COMFYUI_PATH, prepare(scratch), paid=True) as server:
        client = server.client()
        client.request("/settings", SETTINGS)
        context = browser.new_context(viewport={"width": 800, "height": 600})
        page = Page(context.new_page(), client)
        page.open()
        for name, workflow in workflows.items():
            part = folder / f"{name}.{os.getpid()}"
            part.write_text(json.dumps(page.raw.evaluate(SWAP, workflow)), encoding="utf-8")
            part.replace(folder / f"{name}.json")  # last: never half of one
        context.close()
