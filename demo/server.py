"""Starts a real ComfyUI on a port of its own and talks to it; the demo, the benchmarks, the tests and `dev.py serve` use it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

PACK = Path(__file__).resolve().parents[1]
NAME = "noise-search"  # the folder name under custom_nodes, whatever the checkout is called
WEIGHTS = PACK / "demo" / "weights"
END = ("execution_success", "execution_error", "execution_interrupted")


def prepare(base: Path, nodes: Iterable[Path] = ()) -> Path:
    """Makes `base` a host base directory with this pack, further custom nodes and the tiny models in it."""
    for folder in ("custom_nodes", "models/checkpoints", "models/verifiers", "input", "output", "temp", "user"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    link(PACK, base / "custom_nodes" / NAME)
    for source in nodes:
        link(source, base / "custom_nodes" / source.name)
    for checkpoint in sorted(WEIGHTS.glob("*.ckpt")):
        link(checkpoint, base / "models" / "checkpoints" / checkpoint.name)
    if (WEIGHTS / "noise_search_tiny_clip").is_dir():
        link(WEIGHTS / "noise_search_tiny_clip", base / "models" / "verifiers" / "noise_search_tiny_clip")
    return base


def link(source: Path, target: Path) -> None:
    """Makes `target` a symbolic link to `source`, or a copy where links need a right that the user lacks (Windows)."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(".git", "__pycache__", "output"))
        else:
            shutil.copy2(source, target)


def free_port(preferred: int = 0) -> int:
    """`preferred` where it is free, else any port that is."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name != "nt"))
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("no free port")


class ServerError(RuntimeError):
    """The server did not start, ended, or refused a request."""


class Server:
    """A ComfyUI process. Use it as a context manager: it is ready inside the block and gone after it.

    Args:
        host: Folder of ComfyUI's main.py.
        base: Base directory, see `prepare`.
        python: Interpreter that has the host's packages.
        port: Preferred port; 0 for any.
        cpu: Adds --cpu.
        arguments: Further command line arguments of ComfyUI.
    """

    def __init__(self, host: Path | str, base: Path | str, *, python: str = sys.executable, port: int = 0, cpu: bool = True, arguments=()):
        self.port = free_port(port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.base = Path(base)
        self.log = self.base / "server.log"
        self.process: subprocess.Popen | None = None
        self.command = [python, "-u", str(Path(host) / "main.py"), "--port", str(self.port), "--base-directory", str(base)]
        self.command += ["--database-url", "sqlite:///:memory:", "--disable-api-nodes", "--disable-auto-launch"]
        self.command += ["--cpu"] * cpu + list(arguments)

    def start(self, timeout: float = 300) -> Server:
        with self.log.open("wb") as log:
            environment = {"OMP_NUM_THREADS": "1", **os.environ}
            self.process = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment)
        deadline = time.monotonic() + timeout
        try:
            while not self._answers():
                if self.process.poll() is not None:
                    raise ServerError(f"ComfyUI ended with exit code {self.process.returncode} before it was ready:\n{self.tail()}")
                if time.monotonic() > deadline:
                    raise ServerError(f"ComfyUI was not ready after {timeout:.0f} s:\n{self.tail()}")
                time.sleep(0.2)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate() if os.name == "nt" else self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self, lines: int = 40) -> str:
        """The last lines of the server's log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def client(self) -> Client:
        return Client(self.url)

    def _answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.url}/system_stats", timeout=5).status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *error) -> None:
        self.stop()


@dataclass
class Result:
    """What became of one prompt: per node what it shows (`outputs`), or one text that says what went wrong (`error`)."""

    outputs: dict[str, dict] = field(default_factory=dict)
    error: str | None = None
    node_errors: dict[str, dict] = field(default_factory=dict)
    events: list[tuple[str, dict]] = field(default_factory=list)
    kept: dict[str, list] = field(default_factory=dict)  # in-process host only: what ToyKeep nodes received
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error is None

    def named(self, event: str) -> list[dict]:
        """The data of every event of that name, in order."""
        return [data for name, data in self.events if name == event]


def refusal(error: dict | None, node_errors: dict | None) -> str:
    """The host's two error objects for a prompt that it will not run, as one text."""
    details = [
        f"node {node} ({entry.get('class_type')}): {problem['message']}: {problem['details']}"
        for node, entry in (node_errors or {}).items()
        for problem in entry["errors"]
    ]
    return "\n".join([f"{error.get('message')}: {error.get('details')}" if isinstance(error, dict) else str(error), *details])


def failure(event: str, data: dict) -> str | None:
    """The text of the event that ended a prompt; None for a success."""
    if event == "execution_error":
        return f"node {data['node_id']} ({data['node_type']}): {data['exception_type']}: {data['exception_message'].strip()}"
    return "interrupted" if event == "execution_interrupted" else None


class Client:
    """One browser's worth of a running server: requests, and events over a websocket."""

    def __init__(self, url: str):
        self.url, self.id, self.socket = url, uuid.uuid4().hex, None

    def request(self, path: str, body: object = None, method: str | None = None, timeout: float = 60) -> bytes:
        """GET, or POST of `body` as JSON; the answer's bytes."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"}, method=method)
        return urllib.request.urlopen(request, timeout=timeout).read()

    def json(self, path: str, body: object = None, method: str | None = None):
        """As `request`; the answer decoded, None if it is empty."""
        answer = self.request(path, body, method)
        return json.loads(answer) if answer else None

    def connect(self) -> None:
        """Opens the websocket; `queue` does it where needed."""
        if self.socket is None:
            import websocket

            self.socket = websocket.create_connection(f"{self.url.replace('http', 'ws', 1)}/ws?clientId={self.id}", timeout=10)

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def queue(self, prompt: dict, workflow: dict | None = None) -> tuple[str | None, Result]:
        """Queues an API prompt: its id, or None and a Result that says why it was refused."""
        self.connect()
        body = {"prompt": prompt, "client_id": self.id}
        if workflow is not None:
            body["extra_data"] = {"extra_pnginfo": {"workflow": workflow}}
        try:
            return self.json("/prompt", body)["prompt_id"], Result()
        except urllib.error.HTTPError as answer:
            if answer.code != 400:
                raise
            text = json.loads(answer.read())
            return None, Result(error=refusal(text.get("error"), text.get("node_errors")), node_errors=text.get("node_errors") or {})

    def wait(self, prompt_id: str, *, on_event: Callable[[str, dict], None] = lambda name, data: None, timeout: float = 600) -> Result:
        """Reads events until the prompt has ended. `on_event(name, data)` sees each; binary previews come as ("binary", {"bytes": ...})."""
        import websocket

        result, started = Result(), time.monotonic()
        while time.monotonic() - started < timeout:
            try:
                message = self.socket.recv()
            except websocket.WebSocketTimeoutException:
                continue
            event = json.loads(message) if isinstance(message, str) else {"type": "binary", "data": {"bytes": message}}
            name, data = event["type"], event.get("data") or {}
            result.events.append((name, data))
            on_event(name, data)
            if name in END and data.get("prompt_id") == prompt_id:
                result.error = failure(name, data)
                result.outputs = self.json(f"/history/{prompt_id}").get(prompt_id, {}).get("outputs", {})
                result.seconds = time.monotonic() - started
                return result
        raise TimeoutError(f"prompt {prompt_id} did not end within {timeout:.0f} s")

    def run(self, prompt: dict, workflow: dict | None = None, **wait) -> Result:
        """Queues an API prompt and waits for its end."""
        prompt_id, refused = self.queue(prompt, workflow)
        return refused if prompt_id is None else self.wait(prompt_id, **wait)

    def image(self, entry: dict) -> bytes:
        """The file behind one entry of a node's `images` output."""
        return self.request("/view?" + urllib.parse.urlencode({key: entry[key] for key in ("filename", "subfolder", "type")}))

    def interrupt(self) -> None:
        self.request("/interrupt", {})
