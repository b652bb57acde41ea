"""What `python dev.py` promises: it finds a host, never trusts half an installation, and leaves nothing running."""

import hashlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import psutil
import pytest

from noise_search import dev
from noise_search.demo.client import Client
from noise_search.demo.examples import EXAMPLES, address, with_tiny_model
from noise_search.demo.server import Server, ServerError, prepare
from noise_search.tests.host import COMFYUI_PATH, MISSING

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


def folder_of_a_host(folder: Path, requirements: str = "") -> Path:
    (folder / "comfy").mkdir(parents=True)
    (folder / "main.py").touch()
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    return folder


def start_dev(*arguments: str, cache: Path, **variables: str) -> subprocess.Popen:
    settings = {**os.environ, "NOISE_SEARCH_CACHE": str(cache), **variables}
    command = [sys.executable, str(dev.PACK / "dev.py"), *arguments]
    return subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def wait_for(process: subprocess.Popen, pattern: str) -> re.Match:
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(pattern, line):
            return found
    raise AssertionError("".join(said))


def still_there(processes: list[psutil.Process], patience: float = 5) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=patience)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@POSIX
def test_ctrl_c_stops_the_server_and_leaves_nothing_running(tmp_path):
    if not COMFYUI_PATH:
        pytest.fail(MISSING, pytrace=False)
    process = start_dev("serve", "--cpu", cache=tmp_path / "a cache", NOISE_SEARCH_PYTHON=sys.executable)
    try:
        url = wait_for(process, r"ready: (http://127\.0\.0\.1:(\d+))")
        assert Client(url[1]).json("/system_stats")["system"]["comfyui_version"]
        wait_for(process, "Ctrl-C stops it")
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert not still_there(children)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(url[2]))) != 0
    finally:
        process.kill()


@POSIX
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_takes_its_grandchildren_along(tmp_path, kind):
    grandchild = "import time; time.sleep(600)"
    child = f"import subprocess, sys; print('up', flush=True); subprocess.run([sys.executable, '-c', '{grandchild}'])"
    program = f"import dev, signal, sys; signal.signal({int(kind)}, signal.default_int_handler); dev.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=dev.PACK, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_for(process, "up")
    while len(family := psutil.Process(process.pid).children(recursive=True)) < 2:
        time.sleep(0.05)
    process.send_signal(kind)
    process.wait(30)
    assert not still_there(family)


def test_the_named_host_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(folder_of_a_host(tmp_path / "my host")))
    assert dev.find_host() == tmp_path / "my host"


def test_a_named_folder_that_is_no_host_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="COMFYUI_PATH must be a ComfyUI folder, got "):
        dev.find_host()


def test_the_host_around_this_folder_comes_second(tmp_path, monkeypatch):
    host = folder_of_a_host(tmp_path / "ComfyUI")
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setattr(dev, "PACK", host / "custom_nodes" / "any name")
    assert dev.find_host() == host


def test_a_failed_installation_is_never_taken_for_a_finished_one(tmp_path):
    host = folder_of_a_host(tmp_path / "host", "this is not a requirement\n")
    cache, python = tmp_path / "cache", {"COMFYUI_PATH": str(host), "NOISE_SEARCH_PYTHON": ""}
    for _ in range(2):
        process = start_dev("test", "--version", cache=cache, **python)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "installing ComfyUI's packages" in said and "this is not a requirement" in said and "pip failed" in said
    (folder,) = (cache / "environments").iterdir()
    (folder / "ready").touch()
    said, _ = start_dev("test", "--version", cache=cache, **python, CHROMIUM_PATH="none").communicate(timeout=120)
    assert "installing" not in said and "No module named pytest" in said


def archive_of(folder: Path, **files: str) -> Path:
    with tarfile.open(folder / "host.tar.gz", "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return folder / "host.tar.gz"


def test_only_the_host_is_unpacked_and_only_where_it_belongs(tmp_path):
    wanted, above, other = "x-1/vendor/ComfyUI/comfy/a.py", "x-1/vendor/ComfyUI/../../../b.py", "x-1/setup.py"
    dev.unpack(archive_of(tmp_path, **{wanted: "1", above: "2", other: "3"}), tmp_path / "out")
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.py")] == [Path("out/comfy/a.py")]


def test_an_archive_with_another_hash_is_refused(tmp_path):
    archive = archive_of(tmp_path, a="1")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(SystemExit, match=f"must be {'0' * 64}, got {digest}"):
        dev.checked(archive, "0" * 64)
    assert dev.checked(archive, digest) == archive


def test_a_host_that_nobody_carries_is_refused():
    with pytest.raises(SystemExit, match="--host must be one of 0.30.0, 0.16.3, got 9"):
        dev.carried_host("9")


def test_sides_of_the_tests_run_together_in_their_order_and_one_that_fails_is_not_lost(capfd):
    def ends(code, said=""):
        return [sys.executable, "-c", f"import os, sys; print({said!r}, os.environ['HOST']); sys.exit({code})"], {"HOST": "a host"}

    assert dev.run_together([[ends(0)], [ends(1, "what failed"), ends(0, "and went on")]]) == 1
    assert capfd.readouterr().out.endswith("what failed a host\nand went on a host\n")
    assert dev.run_together([[ends(0)], [ends(dev.NO_TESTS)]]) == 0
    assert dev.run_together([[ends(dev.NO_TESTS)], [ends(dev.NO_TESTS)]]) == dev.NO_TESTS


def test_arguments_that_name_tests_replace_the_whole_suite():
    assert dev.is_test("tests/test_dev.py::test_x") and dev.is_test("tests")
    assert not dev.is_test("-q") and not dev.is_test("search") and not dev.is_test("tests/no_such_file.py")


@pytest.mark.parametrize(
    ("arguments", "value", "rest"),
    [(["-q"], "", ["-q"]), (["--with-weights", "a b", "-q"], "a b", ["-q"]), (["-x", "--with-weights=w"], "w", ["-x"]), ([], "", [])],
)
def test_an_option_is_taken_out_of_the_arguments_for_pytest(arguments, value, rest):
    assert dev.option("--with-weights", arguments) == (value, rest)


def test_an_option_without_its_value_is_refused():
    with pytest.raises(SystemExit, match="--transformers must be followed by a value"):
        dev.option("--transformers", ["-q", "--transformers"])


def golden(cache, *arguments):
    """Which published values `dev.py test` would test, and how many it leaves out."""
    if not COMFYUI_PATH:
        pytest.fail(MISSING, pytrace=False)
    settings = {"NOISE_SEARCH_PYTHON": sys.executable, "CHROMIUM_PATH": "none", "NOISE_SEARCH_WEIGHTS": ""}
    process = start_dev("test", *arguments, "tests/verifiers/test_golden.py", "--collect-only", "-q", cache=cache, **settings)
    said, _ = process.communicate(timeout=300)
    left_out = re.search(r"(\d+) deselected", said)
    assert left_out, said
    return {line.split("::")[1].split("_gives_")[0] for line in said.splitlines() if "::" in line}, int(left_out[1])


def test_published_values_are_tested_for_exactly_the_weights_that_are_there(tmp_path):
    weights = tmp_path / "my weights"
    (weights / "clip-vit-base-patch16").mkdir(parents=True)
    (weights / "sac+logos+ava1-l14-linearMSE.pth").touch()
    (weights / "ImageReward.pt").touch()  # without its pictures
    assert golden(tmp_path / "cache", "--with-weights", str(weights)) == ({"test_the_laion_head", "test_clip"}, 4)


def test_published_values_are_left_out_without_weights(tmp_path):
    assert golden(tmp_path / "cache") == (set(), 10)


def test_a_folder_of_weights_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="PATH must be a folder that holds weights, got "):
        dev.test(["--with-weights", str(tmp_path / "nowhere")])


def test_another_transformers_is_installed_once_over_the_packages_that_are_there(tmp_path, monkeypatch):
    installed = []

    def pip(python, *arguments):
        installed.append(arguments)
        package = Path(dev.packages(python)) / "transformers"
        package.mkdir()
        (package / "__init__.py").write_text("__version__ = 'the pinned one'", encoding="utf-8")

    monkeypatch.setattr(dev, "pip", pip)
    monkeypatch.setenv("NOISE_SEARCH_CACHE", str(tmp_path / "a cache"))
    pythons = {dev.with_package(sys.executable, "transformers", "4.50.3") for _ in range(2)}
    ask = "import transformers, psutil; print(transformers.__version__, psutil.__file__)"
    said = subprocess.run([pythons.pop(), "-c", ask], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    assert said == f"the pinned one {psutil.__file__}"
    assert installed == [("install", "--upgrade", "transformers==4.50.3")] and not pythons


def test_a_version_that_is_none_is_refused():
    with pytest.raises(SystemExit, match="version of transformers must be one such as 4.50.3, got ../x"):
        dev.with_package(sys.executable, "transformers", "../x")


def test_a_server_that_cannot_start_says_why(tmp_path):
    host = folder_of_a_host(tmp_path / "host")
    (host / "main.py").write_text("raise SystemExit('no such device')", encoding="utf-8")
    with pytest.raises(ServerError, match="(?s)exit code 1 .*no such device"), Server(host, prepare(tmp_path / "a base")):
        pass


def test_the_base_directory_links_the_pack_under_its_fixed_name(tmp_path):
    for _ in range(2):
        base = prepare(tmp_path / "a base")
    assert (base / "custom_nodes" / "noise-search" / "dev.py").read_bytes() == (dev.PACK / "dev.py").read_bytes()


def test_an_example_gets_the_tiny_model_its_size_and_a_caption_that_it_knows():
    text = {"type": "CLIPTextEncode", "inputs": [{"name": "clip", "type": "CLIP", "link": 2}]}
    workflow = {
        "nodes": [
            {"id": 1, "type": "UNETLoader", "widgets_values": ["flux.safetensors", "default"], "outputs": [{"name": "MODEL", "links": [1]}]},
            {"id": 2, "type": "DualCLIPLoader", "widgets_values": ["a", "b"], "outputs": [{"name": "CLIP", "links": [2]}]},
            {"id": 3, "widgets_values": ["a castle"], **text},
            {"id": 4, "widgets_values": ["blurry"], **text},
            {"id": 5, "type": "EmptySD3LatentImage", "widgets_values": [1024, 768, 1]},
            {"id": 6, "type": "KSampler", "inputs": [{"name": "positive", "type": "CONDITIONING", "link": 3},
                                                     {"name": "negative", "type": "CONDITIONING", "link": 4}]},
        ],
        "links": [[1, 1, 0, 6, 0, "MODEL"], [2, 2, 0, 3, 0, "CLIP"], [3, 3, 0, 6, 1, "CONDITIONING"], [4, 4, 0, 6, 2, "CONDITIONING"]],
    }  # fmt: skip
    tiny = with_tiny_model(workflow, "a red circle")
    assert [node["widgets_values"] for node in tiny["nodes"][:5]] == [
        ["noise_search_tiny.ckpt"], ["noise_search_tiny.ckpt"], ["a red circle"], [""], [64, 64, 1]]  # fmt: skip
    assert tiny["links"][0][:3] == [1, 1, 0] and tiny["links"][1][:3] == [2, 2, 1]
    assert workflow["nodes"][0]["type"] == "UNETLoader"


def test_the_address_of_an_example_opens_it(page):
    path = min(EXAMPLES.glob("*.json"))
    page.open(address("", path.stem).removeprefix("/"))
    expected = json.loads(path.read_text(encoding="utf-8"))
    assert len(page.workflow()["nodes"]) == len(expected["nodes"])
    assert not page.errors, "\n".join(page.errors)
