"""The host in three forms: in this process (`host`), as a server (`server`), and in a browser (`page`)."""

from __future__ import annotations

import asyncio
import copy
import gc
import importlib
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from noise_search.demo.client import END, Client, Result, failure, refusal
from noise_search.demo.examples import write_examples
from noise_search.demo.server import NAME, Server, prepare
from noise_search.tests.card import CARDS, VARIABLE, Card, put_in

COMFYUI_PATH = os.environ.get("COMFYUI_PATH", "")
MISSING = "this test needs ComfyUI: run `python dev.py test`, or set COMFYUI_PATH to a ComfyUI folder"
TOYS = Path(__file__).with_name("toys.py")
EXTRAS = (
    "custom_sampler",
    "flux",
    "sd3",
    "mask",
    "latent",
    "images",
    "rebatch",
    "primitive",
    "string",
    "logic",
    "differential_diffusion",
    "model_advanced",
)
# the host's own start page, before its graph is there
HARMLESS = ("huggingface.co", "graph accessed before initialization")
EMPTY = {"nodes": [], "links": [], "version": 0.4}
OURS = ("noise-search", "noise_search", "/view?")  # in the address of everything that the page loads for this pack


def make_importable(base: Path) -> None:
    """Puts the host on the path, on the CPU, with `base` as its base directory: before anything of it is imported."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, COMFYUI_PATH)
    # the host's own, as in main.py: before nodes.py puts comfy/ with its utils.py in front
    importlib.import_module("utils")
    from comfy.cli_args import args

    args.cpu, args.base_directory = True, str(prepare(base, [TOYS]))


def find_chromium() -> str | None:
    """An installed Chromium or Chrome; dev.py names one in CHROMIUM_PATH where it had to install it."""
    names = (
        os.environ.get("CHROMIUM_PATH"),
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome",
    )
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Host:
    """The real host in this process: its node registry, its validation, its executor. Nothing listens on a port.

    Prompts run on a thread of their own, as they do in the server.
    """

    started = False  # in this process

    def __init__(self, base: Path):
        self.base = base
        self.thread = ThreadPoolExecutor(1, "prompt worker")
        self.events: list[tuple[str, dict]] = []
        self.on_event: Callable[[str, dict], None] = lambda name, data: None
        Host.started = True
        self.executor = None
        self.extras = set(EXTRAS)
        self.cache = "classic"  # which of the host's caches prompts run with: also "lru" (one result) or "none"
        self.card = CARDS[os.environ[VARIABLE]] if os.environ.get(VARIABLE) else None
        self.thread.submit(self._load).result()
        if self.card:
            Card(self.card).__enter__()  # on the tests' thread as well
        self.toys: ModuleType = self._module(base / "custom_nodes" / "toys")
        self.pack: ModuleType | None = self._module(base / "custom_nodes" / NAME)

    def run(self, prompt: dict, *, workflow: dict | None = None, on_event=None, keep_cache: bool = False) -> Result:
        """Validates and executes an API prompt. `keep_cache` lets nodes be served from the run before, as in the
        server.
        """
        return self.thread.submit(self._run, copy.deepcopy(prompt), workflow, on_event, keep_cache).result()

    def part(self, name: str) -> ModuleType:
        """A module of the pack as the host loaded it, `part("nodes.search")`: not the same object as
        `noise_search.nodes.search`.
        """
        return importlib.import_module(f"{self.pack.__name__}.{name}")

    def call(self, function: Callable, *arguments, **keywords):
        """Calls on the prompt worker's thread, under inference mode as nodes are."""
        import torch

        return self.thread.submit(torch.inference_mode()(function), *arguments, **keywords).result()

    def let_go(self) -> None:
        """Frees all models. What still holds one is silent at the interpreter's end, when the modules for the host's
        own clean-up are gone.
        """
        import comfy.model_management
        import comfy.model_patcher

        self.executor = None
        for function in vars(self.toys).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()
        self.toys.VALUES.clear()
        self.toys.KEPT.clear()
        comfy.model_management.current_loaded_models.clear()
        gc.collect()
        comfy.model_patcher.ModelPatcher.__del__ = lambda patcher: None

    def load_all_nodes(self) -> None:
        """Those of the host's own node files that were left out at the start as well, once; not those that call paid
        services.
        """
        found = sorted(Path(COMFYUI_PATH, "comfy_extras").glob("nodes_*.py"))
        missing = [path for path in found if path.stem.removeprefix("nodes_") not in self.extras]
        self.extras.update(path.stem.removeprefix("nodes_") for path in missing)
        self.thread.submit(lambda: [self._load_node(path, "comfy_extras") for path in missing]).result()

    def interrupt(self) -> None:
        import nodes

        nodes.interrupt_processing()

    def _load(self) -> None:
        import server

        import nodes

        if self.card:
            put_in(self.card)
            Card(self.card).__enter__()

        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.server = server.PromptServer(self.loop)
        self.server.send_sync = self._send
        self._wait(nodes.init_public_apis())
        for name in EXTRAS:
            self._load_node(Path(COMFYUI_PATH) / "comfy_extras" / f"nodes_{name}.py", "comfy_extras")
        for name in ("toys.py", NAME):
            path = self.base / "custom_nodes" / name
            if path.is_file() or (path / "__init__.py").is_file():
                self._load_node(path, "custom_nodes")

    def _load_node(self, path: Path, parent: str) -> None:
        import nodes

        if not self._wait(nodes.load_custom_node(str(path), module_parent=parent)):
            raise RuntimeError(f"the host could not load {path}; its log has the traceback")

    def _run(self, prompt: dict, workflow: dict | None, on_event, keep_cache: bool) -> Result:
        import execution

        prompt_id, started = uuid.uuid4().hex, time.monotonic()
        extra = {"client_id": "tests", "extra_pnginfo": {"workflow": workflow}} if workflow else {"client_id": "tests"}
        queued = self.server.trigger_on_prompt({"prompt": prompt, "extra_data": extra})
        prompt, extra = queued["prompt"], queued["extra_data"]
        valid, error, nodes_to_run, node_errors = self._wait(execution.validate_prompt(prompt_id, prompt, None))
        if not valid:
            return Result(error=refusal(error, node_errors), node_errors=node_errors)
        self.events, self.on_event = [], on_event or (lambda name, data: None)
        self.toys.KEPT.clear()
        if self.executor is None or not keep_cache:
            sizes, kind = {"lru": 1, "ram": 0.0, "ram_inactive": 0.0}, execution.CacheType[self.cache.upper()]
            self.executor = execution.PromptExecutor(self.server, cache_type=kind, cache_args=sizes)
        self.executor.execute(prompt, prompt_id, extra, nodes_to_run)
        ended = next((failure(name, data) for name, data in self.executor.status_messages if name in END), None)
        outputs = self.executor.history_result.get("outputs", {})
        return Result(outputs, ended, {}, self.events, dict(self.toys.KEPT), time.monotonic() - started)

    def _send(self, event: str, data: dict, sid: str | None = None) -> None:
        self.events.append((event, data))
        self.on_event(event, data)

    def _wait(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    @staticmethod
    def _module(path: Path) -> ModuleType | None:
        return sys.modules.get(str(path) if path.with_suffix(".py").is_file() else str(path).replace(".", "_x_"))


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    if not COMFYUI_PATH:
        pytest.fail(MISSING, pytrace=False)
    from comfy.cli_args import args

    host = Host(Path(args.base_directory))
    gc.collect()
    # half a million objects of libraries: the host collects garbage with every model that it loads, a third of a second
    # each time
    gc.freeze()
    yield host
    gc.unfreeze()
    host.thread.submit(host.let_go).result()
    host.thread.shutdown()


@pytest.fixture(scope="session")
def whole_host(host: Host) -> Host:
    """With all of the host's own nodes."""
    host.load_all_nodes()
    return host


@pytest.fixture(scope="session")
def tiny(host: Host) -> Callable[[str], SimpleNamespace]:
    """`tiny("sd3")`: model, positive, negative, latent, vae and shape of a family (sd3, flux, sd15, wan) with random
    weights.
    """
    toys = host.toys

    def build(family: str, batch: int = 1) -> SimpleNamespace:
        return SimpleNamespace(
            model=toys.model(family),
            positive=toys.conditioning(family, 1),
            negative=toys.conditioning(family, 2),
            latent=toys.latent(family, batch),
            vae=toys.vae(toys.SHAPES[family][0]),
            shape=toys.SHAPES[family],
        )

    return build


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with the pack, the toys and the examples with the tiny models; `server.client()` talks to it."""
    if not COMFYUI_PATH:
        pytest.fail(MISSING, pytrace=False)
    base = prepare(tmp_path_factory.mktemp("server base"), [TOYS])
    write_examples(base)
    with Server(COMFYUI_PATH, base) as running:
        yield running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with `--multi-user`, and `users`, the names of two of them."""
    base = prepare(tmp_path_factory.mktemp("shared base"), [TOYS])
    with Server(COMFYUI_PATH, base, arguments=["--multi-user"]) as running:
        running.users = [running.client().json("/users", {"username": name}) for name in ("alice", "bob")]
        yield running


class Page:
    """The host's own web page with the pack's extensions, in Chromium; `page.raw` is playwright's page."""

    def __init__(self, raw, client: Client, vue: bool = False):
        self.raw, self.client, self.vue = raw, client, vue
        self.console: list[tuple[str, str]] = []
        raw.on(
            "console",
            lambda message: self.console.append((message.type, f"{message.text} {message.location.get('url', '')}")),
        )
        raw.on("pageerror", lambda error: self.console.append(("pageerror", str(error))))

    @property
    def errors(self) -> list[str]:
        """Console errors and uncaught exceptions, without the files of its own that the host misses."""
        bad = [
            text
            for kind, text in self.console
            if kind in ("error", "pageerror") and not any(word in text for word in HARMLESS)
        ]
        return [text for text in bad if "Failed to load resource" not in text or any(word in text for word in OURS)]

    def open(self, query: str = "") -> None:
        """Opens the page, as `/?template=NAME&source=noise-search` for an example, and waits until its graph is
        ready.
        """
        self.raw.goto(self.client.url + "/" + query, wait_until="domcontentloaded")
        ready = (
            "() => window.app?.positionConversion && app.isGraphReady && app.extensionManager?.workflow?.activeWorkflow"
        )
        self.raw.wait_for_function(ready)
        if query:
            self.raw.wait_for_function("() => app.graph.nodes.length > 0 && !location.search")
        else:
            self.load(EMPTY)

    def load(self, workflow: dict) -> None:
        """Loads a workflow as dropping its file on the canvas does."""
        self.raw.evaluate("async (workflow) => { await app.loadGraphData(workflow, true, true) }", workflow)
        self.raw.wait_for_function("(count) => app.graph.nodes.length === count", arg=len(workflow["nodes"]))

    def workflow(self) -> dict:
        """The graph on the canvas as it would be saved."""
        return self.raw.evaluate("() => app.graph.serialize()")

    def prompt(self) -> dict:
        """The graph on the canvas as the API prompt that the frontend would queue."""
        return self.raw.evaluate("async () => (await app.graphToPrompt()).output")

    def queue(self, press: Callable[[], object] | None = None) -> str:
        """Queues what is on the canvas, as the button does, or what `press` queues; the prompt's id."""
        with self.raw.expect_response(
            lambda answer: answer.url.endswith("/prompt") and answer.request.method == "POST"
        ) as answer:
            press() if press else self.raw.evaluate("async () => { await app.queuePrompt(0, 1) }")
        if answer.value.status != 200:
            text = answer.value.json()
            raise AssertionError(refusal(text.get("error"), text.get("node_errors")))
        return answer.value.json()["prompt_id"]

    def wait(self, prompt_id: str, timeout: float = 300) -> Result:
        """Waits until a queued prompt has ended, and the page has had a moment to show it."""
        started = time.monotonic()
        while time.monotonic() - started < timeout:
            entry = self.client.json(f"/history/{prompt_id}").get(prompt_id)
            if entry and entry["status"]:
                self.raw.wait_for_timeout(300)
                messages = [(name, data) for name, data in entry["status"]["messages"]]
                error = next((failure(name, data) for name, data in messages if name in END), None)
                return Result(entry["outputs"], error, {}, messages, {}, time.monotonic() - started)
            self.raw.wait_for_timeout(100)
        raise TimeoutError(f"prompt {prompt_id} did not end within {timeout:.0f} s")

    def run(self, workflow: dict | None = None) -> Result:
        """Loads a workflow if one is given, queues the canvas and waits for the end."""
        if workflow is not None:
            self.load(workflow)
        return self.wait(self.queue())

    def screenshot(self, path: Path | str) -> bytes:
        return self.raw.screenshot(path=str(path))


@pytest.fixture(scope="session")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    if (path := find_chromium()) is None:
        pytest.fail("this test needs Chromium: install it, or name it in CHROMIUM_PATH", pytrace=False)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()
