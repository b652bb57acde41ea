"""Servers that work through prompts side by side, with a word on how long it will take."""

from __future__ import annotations

import contextlib
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from demo.client import Client
from demo.examples import CHECKPOINT, VERIFIER
from demo.server import WEIGHTS, Server, link, prepare

from .cases import Case
from .workflow import TEXT_FILE, short_text_encoder

POSITIONS = 32  # of the text encoder: 24 distinct ones, which all captions fit into, and some of the padding


@contextlib.contextmanager
def servers(count: int, urls: Sequence[str] = ()) -> Iterator[list[Client]]:
    """Clients of the servers at `urls`, or of `count` fresh ones with the bundled models, which end with the block."""
    if urls:
        yield [Client(url.rstrip("/")) for url in urls]
        return
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            base = prepare(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="noise-search-bench-"))))
            for clip in ("drawn", "counts"):  # the judges of `bench seconds`
                if (folder := WEIGHTS / f"{VERIFIER}_{clip}").is_dir():
                    link(folder, base / "models" / "verifiers" / folder.name)
            short_text_encoder(WEIGHTS / CHECKPOINT, base / "models" / "text_encoders" / TEXT_FILE, POSITIONS)
            clients.append(stack.enter_context(Server(os.environ["COMFYUI_PATH"], base)).client())
        yield clients


def work(clients: Sequence[Client], cases: Sequence[Case], do: Callable[[Client, Case], None], what: str) -> None:
    """Does every case once, on whichever server is free; the first error ends it, after what runs already."""
    progress, stop = Progress(len(cases), what), threading.Event()
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in cases:
        waiting.put(case)

    def serve(client: Client) -> None:
        while not stop.is_set() and not waiting.empty():
            with contextlib.suppress(queue.Empty):
                case = waiting.get_nowait()
                do(client, case)
                progress.done(case)

    with ThreadPoolExecutor(len(clients)) as threads:
        running = [threads.submit(serve, client) for client in clients]
        try:
            for ended in as_completed(running):
                ended.result()
        finally:
            stop.set()


class Progress:
    """One line per case: how many of how many, and the time left at this pace."""

    def __init__(self, total: int, what: str):
        self.total, self.what, self.count, self.started, self.lock = total, what, 0, time.monotonic(), threading.Lock()

    def done(self, case: Case) -> None:
        with self.lock:
            self.count += 1
            left = (time.monotonic() - self.started) / self.count * (self.total - self.count)
            print(f"{self.what}: {self.count} of {self.total}, {spoken(left)} left: {case.text}", flush=True)


def spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
