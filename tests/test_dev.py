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
    return subprocess.Popen(
        command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


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
    program = (
        f"import dev, signal, sys; signal.signal({int(kind)}, signal.default_int_handler); dev.run([sys.executable,"
        f" '-c', {child!r}])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=dev.PACK, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
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
        process = start_dev("test", "--version", "tests", cache=cache, **python)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "installing ComfyUI's packages" in said and "this is not a requirement" in said and "pip failed" in said
    (folder,) = (cache / "environments").iterdir()
    (folder / "ready").touch()
    again = start_dev("test", "--version", "tests", cache=cache, **python, CHROMIUM_PATH="none")
    said, _ = again.communicate(timeout=120)
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
        program = f"import os, sys; print({said!r}, os.environ['HOST']); sys.exit({code})"
        return [sys.executable, f"-c{program}", "a module", "--an-option", "-q"], {"HOST": "a host"}

    assert dev.run_together([[ends(0)], [ends(1, "what failed"), ends(0, "and went on")]]) == 1
    out = capfd.readouterr().out
    assert "what failed a host\nand went on a host\n[" in out and out.endswith("failed (exit code 1): a module\n")
    assert dev.run_together([[ends(0)], [ends(dev.NO_TESTS)]]) == 0
    assert dev.run_together([[ends(dev.NO_TESTS)], [ends(dev.NO_TESTS)]]) == dev.NO_TESTS


def test_arguments_that_name_tests_replace_the_whole_suite():
    assert dev.is_test("tests/test_dev.py::test_x") and dev.is_test("tests")
    assert not dev.is_test("-q") and not dev.is_test("search") and not dev.is_test("tests/no_such_file.py")


@pytest.mark.parametrize(
    ("arguments", "value", "rest"),
    [
        (["-q"], "", ["-q"]),
        (["--with-weights", "a b", "-q"], "a b", ["-q"]),
        (["-x", "--with-weights=w"], "w", ["-x"]),
        ([], "", []),
    ],
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
    process = start_dev(
        "test", *arguments, "tests/verifiers/test_golden.py", "--collect-only", "-q", cache=cache, **settings
    )
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
    monkeypatch.setattr(dev, "make_venv", venv_without_pip)
    monkeypatch.setenv("NOISE_SEARCH_CACHE", str(tmp_path / "a cache"))
    pythons = {dev.with_package(sys.executable, "transformers", "4.50.3") for _ in range(2)}
    ask = "import transformers, psutil; print(transformers.__version__, psutil.__file__)"
    said = subprocess.run([pythons.pop(), "-c", ask], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    assert said == f"the pinned one {psutil.__file__}"
    assert installed == [("install", "--upgrade", "transformers==4.50.3")] and not pythons


def venv_without_pip(folder, python=sys.executable):
    """As `dev.make_venv`, which takes seconds for pip."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    return dev.interpreter(folder)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """What pip was asked for, with nothing installed."""
    asked = []
    monkeypatch.setattr(dev, "pip", lambda python, *arguments: asked.append(arguments))
    monkeypatch.setattr(dev, "make_venv", venv_without_pip)
    monkeypatch.setenv("NOISE_SEARCH_CACHE", str(tmp_path / "a cache"))
    monkeypatch.setenv("NOISE_SEARCH_PYTHON", "")
    return asked


def test_linters_are_installed_once_at_their_versions_in_an_environment_of_their_own(installed, monkeypatch, tmp_path):
    first = dev.linters()
    assert dev.linters() == first and installed == [("install", *dev.LINTERS)]
    assert all(re.fullmatch(r"[a-z]+==[0-9.]+", pinned) for pinned in dev.LINTERS)
    assert Path(first).is_relative_to(tmp_path / "a cache" / "linters")
    monkeypatch.setattr(dev, "LINTERS", ["ruff==0.0.1"])
    assert dev.linters() != first and installed[1:] == [("install", "ruff==0.0.1")]


def test_every_linter_is_run_on_the_types_of_the_interpreter_that_runs_the_tests(installed, tmp_path):
    commands = [command[2:] for command, _ in dev.checks(tmp_path, "python of the tests")]
    assert commands == [
        ["ruff", "format", "--check", "."],
        ["ruff", "check", "."],
        ["basedpyright", "--pythonpath", "python of the tests"],
    ]


def test_linters_that_a_named_interpreter_lacks_are_left_out_but_never_in_ci(installed, monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("NOISE_SEARCH_PYTHON", dev.make_venv(tmp_path / "bare"))
    monkeypatch.setattr(dev, "CI", False)
    assert dev.checks(tmp_path, "python") == [] and "are not looked at" in capfd.readouterr().out
    monkeypatch.setattr(dev, "CI", True)
    with pytest.raises(SystemExit, match="nothing may be left out"):
        dev.checks(tmp_path, "python")
    assert not installed


def test_installers_are_installed_once_at_their_versions(installed):
    assert dev.apart("installers", dev.INSTALLERS) == dev.apart("installers", dev.INSTALLERS)
    assert installed == [("install", *dev.INSTALLERS)] and all("==" in pinned for pinned in dev.INSTALLERS)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What `dev.test` would run, with its variables."""
    runs = []
    monkeypatch.setenv("COMFYUI_PATH", str(folder_of_a_host(tmp_path / "host")))
    monkeypatch.setenv("NOISE_SEARCH_PYTHON", "python")
    monkeypatch.setattr(dev, "run", lambda command, variables: runs.append((command, variables)) or 0)
    monkeypatch.setattr(dev, "find_chromium", lambda python: "chromium")
    return runs


def test_the_matrix_is_asked_for_in_the_tests_of_what_an_installation_moves(started):
    assert dev.test(["-x", "--matrix"]) == 0
    ((command, variables),) = started
    assert command == ["python", "-m", "pytest", "tests/test_requirements.py", "-x"]
    assert variables["NOISE_SEARCH_MATRIX"] == "all"


def test_all_templates_are_asked_for_in_their_tests_alone(started):
    assert dev.test(["--templates", "-x"]) == 0
    ((command, variables),) = started
    assert command == ["python", "-m", "pytest", "tests/examples/test_templates.py", "-x"]
    assert variables["NOISE_SEARCH_TEMPLATES"] == "all" and variables["CHROMIUM_PATH"] == "chromium"


def test_a_card_is_put_into_all_tests_that_compute_or_into_those_that_are_named(started):
    assert dev.test(["--card", "half"]) == 0
    assert dev.test(["--card=small", "tests/nodes"]) == 0
    (every, first), (some, second) = started
    assert every == ["python", "-m", "pytest", "tests/verifiers", "tests/nodes", "tests/families"]
    assert some == ["python", "-m", "pytest", "tests/nodes"]
    assert (first["NOISE_SEARCH_TEST_CARD"], second["NOISE_SEARCH_TEST_CARD"]) == ("half", "small")
    with pytest.raises(SystemExit, match="--card must be one of no-doubles, .*, got big"):
        dev.test(["--card", "big"])


def test_every_python_that_is_promised_is_tested_on_every_system_in_public():
    workflow = (dev.PACK / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    (pythons,) = re.findall(r"python-version: (\[.*\])", workflow)
    (systems,) = re.findall(r"os: \[(.*)\]", workflow)
    assert tuple(json.loads(pythons)) == dev.PYTHONS
    assert systems.split(", ") == ["ubuntu-latest", "windows-latest", "macos-latest"]
    script = (dev.PACK / ".ci/run").read_text(encoding="utf-8")
    assert set(re.findall(r"python(3\.\d+)", script)) == set(dev.PYTHONS)
    assert "run: .ci/run" in workflow and 'exec "$python" dev.py test' in script
    assert b"\r" not in (dev.PACK / ".ci/run").read_bytes()  # bash would read it as part of a word
    assert "run: python dev.py demo --gpu" in workflow  # on the one system there whose card torch can use


TORCH = "from types import SimpleNamespace as N\nno = N(is_available=lambda: False)\n"


@pytest.fixture
def card(monkeypatch, tmp_path):
    """Makes a machine of Linux: with these tools and this folder of devices, and a torch that can use these kinds."""

    def make(*kinds: str, tools: tuple[str, ...] = (), old: bool = False) -> Path:
        (tmp_path / "torch.py").write_text(
            f"{TORCH}yes = N(is_available=lambda: True)\ncuda = {'yes' if 'cuda' in kinds else 'no'}\n"
            f"backends = N(mps={'yes' if 'mps' in kinds else 'no'})\n"
            + ("" if old else f"xpu = {'yes' if 'xpu' in kinds else 'no'}\n")
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(dev.sys, "platform", "linux")
        monkeypatch.setattr(dev.shutil, "which", lambda name: name if name in tools else None)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("kind", "tool"), [("cuda", "nvidia-smi"), ("cuda", "rocm-smi"), ("cuda", "amd-smi"), ("xpu", "xpu-smi")]
)
def test_a_card_is_found_by_the_tool_of_its_driver_and_by_torch(card, monkeypatch, kind, tool):
    monkeypatch.setattr(dev, "shows_card", lambda root: False)
    card(kind, tools=(tool,))
    assert dev.has_gpu(sys.executable)
    card(tools=(tool,))  # torch was built for another kind of card
    assert not dev.has_gpu(sys.executable)
    card(tools=(tool,), old=True)  # as torch was before it knew cards of Intel
    assert not dev.has_gpu(sys.executable)


def test_a_card_without_its_tool_is_found_by_its_device(card, monkeypatch):
    card("xpu")
    monkeypatch.setattr(dev, "shows_card", lambda root: root == Path("/"))
    assert dev.has_gpu(sys.executable)


def test_torch_is_not_asked_where_there_is_no_sign_of_a_card(card, monkeypatch):
    card("cuda", "xpu")
    monkeypatch.setattr(dev, "shows_card", lambda root: False)
    assert not dev.has_gpu("no such interpreter")


@pytest.mark.parametrize(("system", "kind"), [("darwin", "mps"), ("win32", "cuda"), ("win32", "xpu")])
def test_torch_is_always_asked_where_no_sign_could_be_seen(card, monkeypatch, system, kind):
    card(kind)
    monkeypatch.setattr(dev.sys, "platform", system)
    monkeypatch.setattr(dev, "shows_card", lambda root: False)
    assert dev.has_gpu(sys.executable)


def test_the_program_that_asks_torch_runs_with_the_real_one(monkeypatch):
    import torch

    monkeypatch.setattr(dev, "shows_card", lambda root: True)
    kinds = [torch.cuda, torch.backends.mps, torch.xpu]
    assert dev.has_gpu(sys.executable) == any(kind.is_available() for kind in kinds)


@POSIX
def test_devices_of_cards_are_known_by_their_drivers(tmp_path):
    def machine(name: str, *devices: str, driver: str = "") -> Path:
        root = tmp_path / name
        for device in devices:
            (root / "dev" / device).parent.mkdir(parents=True, exist_ok=True)
            (root / "dev" / device).touch()
        if driver:  # as Linux has it: the class has links to devices, and these to their drivers
            (root / "bus/drivers" / driver).mkdir(parents=True)
            (root / "devices/card/drm/renderD128").mkdir(parents=True)
            (root / "devices/card/driver").symlink_to(root / "bus/drivers" / driver)
            (root / "devices/card/drm/renderD128/device").symlink_to(root / "devices/card")
            (root / "sys/class/drm").mkdir(parents=True)
            (root / "sys/class/drm/renderD128").symlink_to(root / "devices/card/drm/renderD128")
        return root

    assert dev.shows_card(machine("amd", "kfd"))
    assert dev.shows_card(machine("arc", "dri/renderD128", driver="xe"))
    assert dev.shows_card(machine("older intel", "dri/renderD128", driver="i915"))
    assert dev.shows_card(machine("linux in windows", "dxg"))
    assert not dev.shows_card(machine("a virtual display", "dri/renderD128", driver="virtio-pci"))
    assert not dev.shows_card(machine("a container without the device", driver="xe"))
    assert not dev.shows_card(machine("no card", "null"))


def test_a_version_that_is_none_is_refused():
    with pytest.raises(SystemExit, match="version of transformers must be one such as 4.50.3, got ../x"):
        dev.with_package(sys.executable, "transformers", "../x")


def test_a_server_that_cannot_start_says_why(tmp_path):
    host = folder_of_a_host(tmp_path / "host")
    (host / "main.py").write_text("raise SystemExit('no such device')", encoding="utf-8")
    with (
        pytest.raises(ServerError, match="(?s)exit code 1 .*no such device"),
        Server(host, prepare(tmp_path / "a base")),
    ):
        pass


def test_the_base_directory_links_the_pack_under_its_fixed_name(tmp_path):
    for _ in range(2):
        base = prepare(tmp_path / "a base")
    assert (base / "custom_nodes" / "noise-search" / "dev.py").read_bytes() == (dev.PACK / "dev.py").read_bytes()


def test_an_example_gets_the_tiny_model_its_size_and_a_caption_that_it_knows():
    text = {"type": "CLIPTextEncode", "inputs": [{"name": "clip", "type": "CLIP", "link": 2}]}
    workflow = {
        "nodes": [
            {
                "id": 1,
                "type": "UNETLoader",
                "widgets_values": ["flux.safetensors", "default"],
                "outputs": [{"name": "MODEL", "links": [1]}],
            },
            {
                "id": 2,
                "type": "DualCLIPLoader",
                "widgets_values": ["a", "b"],
                "outputs": [{"name": "CLIP", "links": [2]}],
            },
            {"id": 3, "widgets_values": ["a castle"], **text},
            {"id": 4, "widgets_values": ["blurry"], **text},
            {"id": 5, "type": "EmptySD3LatentImage", "widgets_values": [1024, 768, 1]},
            {
                "id": 6,
                "type": "KSampler",
                "inputs": [
                    {"name": "positive", "type": "CONDITIONING", "link": 3},
                    {"name": "negative", "type": "CONDITIONING", "link": 4},
                ],
            },
        ],
        "links": [
            [1, 1, 0, 6, 0, "MODEL"],
            [2, 2, 0, 3, 0, "CLIP"],
            [3, 3, 0, 6, 1, "CONDITIONING"],
            [4, 4, 0, 6, 2, "CONDITIONING"],
        ],
    }
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
