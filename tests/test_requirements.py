"""Installing the pack's requirements changes no package that ComfyUI brought."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from noise_search.tests.host import COMFYUI_PATH, MISSING

PACK = Path(__file__).resolve().parents[1]
REQUIREMENTS = PACK / "requirements.txt"
OLDER = {"torch": "2.4.1", "torchvision": "0.19.1", "numpy": "1.26.4", "transformers": "4.50.3", "tokenizers": "0.21.4",
         "huggingface-hub": "0.30.2", "safetensors": "0.4.5", "pillow": "10.4.0", "tqdm": "4.66.5", "regex": "2024.9.11"}  # fmt: skip


def parse(path: Path) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def brought_by_the_host() -> dict[str, str]:
    """Name and installed version of all that the host's requirements lead to."""
    if not COMFYUI_PATH:
        pytest.fail(MISSING, pytrace=False)
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


def changes(installed: dict[str, str], scratch: Path) -> dict[str, str]:
    """What pip would install for our requirements where `installed` is there: name and version."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(scratch)], check=True)
    (site,) = scratch.glob("[Ll]ib*/**/site-packages") if sys.platform == "win32" else scratch.glob("lib/*/site-packages")
    for name, version in installed.items():
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        (folder / "INSTALLER").write_text("pip\n", encoding="utf-8")
        (folder / "RECORD").write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(scratch), "install", "--dry-run", "--quiet", "--report", "-", "-r", str(REQUIREMENTS)]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    packages = (entry["metadata"] for entry in json.loads(answer.stdout)["install"])
    return {canonicalize_name(package["name"]): package["version"] for package in packages}


def test_no_package_of_the_host_moves(tmp_path):
    installed = brought_by_the_host()
    assert {"torch", "transformers", "safetensors", "numpy"} <= set(installed)
    new = changes(installed, tmp_path)
    assert "open-clip-torch" in new
    assert not set(new) & set(installed)


def test_no_package_of_an_older_installation_moves(tmp_path):
    assert not set(changes(OLDER, tmp_path)) & set(OLDER)


def test_nothing_is_pinned():
    for requirement in parse(REQUIREMENTS):
        assert {clause.operator for clause in requirement.specifier} <= {">="}, f"{requirement} must have no upper bound"


def test_the_registry_sees_the_same_requirements():
    text = (PACK / "pyproject.toml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^dependencies = (\[.*\])$", text, re.MULTILINE)
    assert json.loads(listed) == [str(requirement) for requirement in parse(REQUIREMENTS)]
