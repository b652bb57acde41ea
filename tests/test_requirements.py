"""Installing the pack's requirements changes no package that ComfyUI brought.

The matrix: pip and uv, Python 3.10 to 3.13, and for each Python these installations:

* numpy 1.26.4, 2.1.3 and the newest, each with transformers 4.50.3 and with the newest. All other packages are the
  newest that ComfyUI's requirements lead to with that transformers, on that Python.
* "of 2024": numpy 1.26.4, transformers 4.50.3, and the others from that year.
* "here": what the installation that runs the tests has, with its own Python.

What a cell shows: that installer, told to install requirements.txt where that installation is, would install this
pack's own packages and nothing else. The real installers decide, with what the registry offers today; each is told
which Python to decide for, so that any Python may run this. An installation is a folder with the names and versions of
its packages; what they need of each other is not in it, since an installation that works has it. Only wheels for the
system that runs this are looked at. Nothing is installed and no package is downloaded.

uv is asked in every cell each time. pip takes longer: it is asked for "of 2024" and for the newest of each Python, and
"here". A bound from below shows in the oldest, a bound from above in the newest. `python dev.py test --matrix` asks
it in every cell.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import threading
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from noise_search import dev
from noise_search.tests.host import COMFYUI_PATH, MISSING
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACK = Path(__file__).resolve().parents[1]
REQUIREMENTS = PACK / "requirements.txt"
RUNNING = "{}.{}".format(*sys.version_info)
# What comes with this pack. None of it is compiled, so that nothing but the host decides over numpy: a plotting library
# moved it from 1.26 to 2.5 on Python 3.12 and 3.13, by a release of what it needs itself.
OURS = {"open-clip-torch", "timm", "ftfy", "wcwidth"}
OF_2024 = {
    "torch": "2.4.1",
    "torchvision": "0.19.1",
    "torchaudio": "2.4.1",
    "torchsde": "0.2.6",
    "numpy": "1.26.4",
    "scipy": "1.14.1",
    "einops": "0.8.0",
    "transformers": "4.50.3",
    "tokenizers": "0.21.4",
    "sentencepiece": "0.2.0",
    "huggingface-hub": "0.30.2",
    "safetensors": "0.4.5",
    "pillow": "10.4.0",
    "tqdm": "4.66.5",
    "regex": "2024.9.11",
    "pyyaml": "6.0.2",
    "psutil": "6.0.0",
    "aiohttp": "3.11.8",
    "yarl": "1.18.0",
    "kornia": "0.7.3",
    "spandrel": "0.4.0",
    "requests": "2.32.3",
    "packaging": "24.1",
    "filelock": "3.16.0",
    "fsspec": "2024.9.0",
    "typing-extensions": "4.12.2",
    "jinja2": "3.1.4",
    "networkx": "3.3",
    "sympy": "1.13.2",
}
NUMPYS = ("1.26.4", "2.1.3", "newest")
TRANSFORMERS = ("4.50.3", "newest")
HERE, OLD, NEW = "here", "of 2024", "numpy newest, transformers newest"
INSTALLATIONS = {OLD: ("", ""), **{f"numpy {n}, transformers {t}": (n, t) for n in NUMPYS for t in TRANSFORMERS}}
EVERY_CELL = os.environ.get("NOISE_SEARCH_MATRIX") == "all"
OF_PIP = tuple(INSTALLATIONS) if EVERY_CELL else (OLD, NEW)
CELLS = [(installer, RUNNING, HERE) for installer in ("uv", "pip")] + [
    (installer, python, name)
    for installer, names in (("uv", tuple(INSTALLATIONS)), ("pip", OF_PIP))
    for python in dev.PYTHONS
    for name in names
]
# pip reads the Python that a requirement is for from the one that runs it, whatever it is told
PIP = """
import platform, runpy
platform.python_version = lambda: "{python}.0"
platform.python_version_tuple = lambda: tuple("{python}.0".split("."))
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def parse(path: Path) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def brought_by_the_host() -> dict[str, str]:
    """Name and installed version of all that the host's requirements lead to."""
    found, waiting = {}, [requirement.name for requirement in parse(Path(COMFYUI_PATH) / "requirements.txt")]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an optional one that this platform lacks
        found[name] = package.version
        needed = (Requirement(text) for text in package.requires or [])
        waiting += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


class Unanswered(Exception):
    """The registry could not be reached."""


class Registry:
    """Asks the two installers what they would do.

    Args:
        python: An interpreter that has both.
        scratch: An empty folder.
    """

    def __init__(self, python: str, scratch: Path):
        self.python, self.scratch = python, scratch
        (scratch / "nothing.txt").touch()
        self.lists: dict[tuple[str, str], dict[str, str]] = {}
        self.listing = defaultdict(threading.Lock)
        self.cut_off = ""  # why nothing more is asked

    def newest(self, python: str, transformers: str) -> dict[str, str]:
        """What the host's requirements lead to on a Python today: name and version of each package."""
        key = python, transformers
        with self.listing[key]:  # asked once, though many cells want it at the same time
            if key not in self.lists:
                self.lists[key] = self._newest(*key)
        return self.lists[key]

    def _newest(self, python: str, transformers: str) -> dict[str, str]:
        constraints = self.scratch / f"{python}, transformers {transformers}.txt"
        constraints.write_text("" if transformers == "newest" else f"transformers=={transformers}\n")
        command = ["compile", "--constraints", str(constraints), str(Path(COMFYUI_PATH) / "requirements.txt")]
        said = self.said_by_uv(*command, "--no-header", "--no-annotate", "--quiet", python=python).stdout
        return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", said, re.MULTILINE))

    def installed(self, python: str, name: str) -> dict[str, str]:
        """The packages of an installation: name and version."""
        if name in (HERE, OLD):
            return brought_by_the_host() if name == HERE else OF_2024
        numpy, transformers = INSTALLATIONS[name]
        packages = self.newest(python, transformers)
        return packages if numpy == "newest" else {**packages, "numpy": numpy}

    def would_install(self, installer: str, python: str, name: str, wanted: Path) -> tuple[dict[str, str], set[str]]:
        """The packages of an installation, and the names of those that the installer would bring for `wanted`."""
        installed = self.installed(python, name)
        folder = self.scratch / f"{installer} {python} {name} {wanted.name}"
        for package, version in installed.items():
            about = folder / f"{package.replace('-', '_')}-{version}.dist-info"
            about.mkdir(parents=True)
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        ask = self.uv_would if installer == "uv" else self.pip_would
        return installed, {canonicalize_name(each) for each in ask(python, folder, wanted)}

    def uv_would(self, python: str, folder: Path, wanted: Path) -> list[str]:
        command = ["install", "--dry-run", "--target", str(folder), "--requirements", str(wanted)]
        return re.findall(r"^ [+~-] ([\w.-]+)==", self.said_by_uv(*command, python=python).stderr, re.MULTILINE)

    def pip_would(self, python: str, folder: Path, wanted: Path) -> list[str]:
        command = [self.python, "-c", PIP.format(python=python), "install", "--dry-run", "--quiet", "--report", "-"]
        command += ["--python-version", python, "--only-binary", ":all:", "--requirement", str(wanted)]
        # what this machine's settings hold packages to is not what an artist's pip is held to
        settings = {"PYTHONPATH": str(folder), "PIP_CONSTRAINT": str(self.scratch / "nothing.txt")}
        return [entry["metadata"]["name"] for entry in json.loads(self.said(command, settings).stdout)["install"]]

    def said_by_uv(self, *command: str, python: str) -> subprocess.CompletedProcess:
        choice = ["--python", self.python, "--python-version", python, "--only-binary", ":all:", "--color", "never"]
        return self.said([self.python, "-m", "uv", "pip", *command, *choice], {})

    def said(self, command: list[str], settings: dict[str, str]) -> subprocess.CompletedProcess:
        if self.cut_off:
            raise Unanswered(self.cut_off)
        answer = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings})
        if answer.returncode and not self.reached():
            self.cut_off = answer.stderr.strip().splitlines()[-1].strip()
            raise Unanswered(self.cut_off)
        assert answer.returncode == 0, answer.stderr
        return answer

    def reached(self) -> bool:
        """Whether the registry answers at all."""
        command = [self.python, "-m", "uv", "--no-cache", "pip", "install", "--dry-run", "--no-deps", "pip"]
        command += ["--target", str(self.scratch / "empty")]
        return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    if not COMFYUI_PATH:
        pytest.fail(MISSING, pytrace=False)
    try:
        return Registry(dev.apart("installers", dev.INSTALLERS), tmp_path_factory.mktemp("installations"))
    except SystemExit as error:
        pytest.skip(f"pip and uv could not be installed: {str(error).strip().splitlines()[-1]}")


@pytest.fixture(scope="module")
def answers(registry, request):
    """What was answered for each cell whose test runs. They are asked together, as most of the time is waiting."""
    cells = [item.callspec.params["cell"] for item in request.session.items if in_the_matrix(item)]
    with ThreadPoolExecutor(8) as pool:
        yield {cell: pool.submit(registry.would_install, *cell, REQUIREMENTS) for cell in dict.fromkeys(cells)}
        pool.shutdown(cancel_futures=True)


def in_the_matrix(item: pytest.Item) -> bool:
    return getattr(item, "originalname", "") == test_nothing_of_the_host_moves.__name__


def answered(future: Future) -> tuple[dict[str, str], set[str]]:
    try:
        return future.result()
    except Unanswered as error:
        pytest.skip(f"the registry of packages could not be reached: {error}")


@pytest.mark.parametrize("cell", CELLS, ids=", ".join)
def test_nothing_of_the_host_moves(answers, cell):
    installed, new = answered(answers[cell])
    assert {"torch", "transformers", "safetensors", "numpy"} <= set(installed)
    moved = [f"{name} {installed[name]}" for name in sorted(new & set(installed))]
    assert not moved, f"these packages of the host would move: {', '.join(moved)}"
    assert "open-clip-torch" in new
    assert new <= OURS, f"these come along: {', '.join(sorted(new - OURS))}"


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_numpy_that_would_move_is_seen(registry, tmp_path, installer):
    """What the matrix is made of works: for another Python than the one that runs this."""
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"numpy>=2\ntomli; python_version < '3.11'\n{REQUIREMENTS.read_text(encoding='utf-8')}")
    python = "3.12" if RUNNING == "3.10" else "3.10"
    with ThreadPoolExecutor(1) as pool:
        _, new = answered(pool.submit(registry.would_install, installer, python, OLD, wanted))
    assert new == OURS | {"numpy"} | ({"tomli"} if python == "3.10" else set())


def test_without_a_registry_the_reason_is_told(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # nor any other registry
    for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("UV_HTTP_RETRIES", "PIP_RETRIES"):
        monkeypatch.setenv(name, "0")
    for installer, reason in (("uv", "refused"), ("pip", "open_clip_torch")):
        (tmp_path / installer).mkdir()
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / installer / "cache"))
        cut_off = Registry(registry.python, tmp_path / installer)
        with ThreadPoolExecutor(1) as pool, pytest.raises(pytest.skip.Exception, match=f"not be reached: .*{reason}"):
            answered(pool.submit(cut_off.would_install, installer, "3.12", OLD, REQUIREMENTS))


def test_nothing_is_pinned():
    for requirement in parse(REQUIREMENTS):
        assert {clause.operator for clause in requirement.specifier} <= {">="}, (
            f"{requirement} must have no upper bound"
        )


def test_the_registry_sees_the_same_requirements():
    text = (PACK / "pyproject.toml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^dependencies = (\[.*\])$", text, re.MULTILINE)
    assert json.loads(listed) == [str(requirement) for requirement in parse(REQUIREMENTS)]
