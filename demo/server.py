"""Starts a real ComfyUI on a port of its own, in a base directory of its own; the demo, the benchmarks, the tests and
dev.py use it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from .client import Client

PACK = Path(__file__).resolve().parents[1]
NAME = "noise-search"  # the folder name under custom_nodes, whatever the checkout is called
WEIGHTS = PACK / "demo" / "weights"


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
    """The server did not start."""


class Server:
    """A ComfyUI process. Use it as a context manager: it is ready inside the block and gone after it.

    Args:
        host: Folder of ComfyUI's main.py.
        base: Base directory, see `prepare`.
        python: Interpreter that has the host's packages.
        port: Preferred port; 0 for any.
        cpu: Adds --cpu.
        paid: Whether it has the nodes that call paid services; none of them is called.
        arguments: Further command line arguments of ComfyUI.
    """

    def __init__(
        self,
        host: Path | str,
        base: Path | str,
        *,
        python: str = sys.executable,
        port: int = 0,
        cpu: bool = True,
        paid: bool = False,
        arguments=(),
    ):
        self.port = free_port(port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.base = Path(base)
        self.log = self.base / "server.log"
        self.process: subprocess.Popen | None = None
        self.command = [
            python,
            "-u",
            str(Path(host) / "main.py"),
            "--port",
            str(self.port),
            "--base-directory",
            str(base),
        ]
        self.command += ["--database-url", "sqlite:///:memory:", "--disable-auto-launch"]
        self.command += ["--disable-api-nodes"] * (not paid)
        self.command += ["--cpu"] * cpu + list(arguments)

    def start(self, timeout: float = 300) -> Server:
        with self.log.open("wb") as log:
            environment = {"OMP_NUM_THREADS": "1", **os.environ}
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
            )
        deadline = time.monotonic() + timeout
        try:
            while not self._answers():
                if self.process.poll() is not None:
                    raise ServerError(
                        f"ComfyUI ended with exit code {self.process.returncode} before it was ready:\n{self.tail()}"
                    )
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
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        finally:
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
