"""What the pack promises about strangers' files, requests and secrets.

Single requests: tests/nodes/test_routes.py. By chance: tests/fuzz.
"""

import ast
import json
import logging
import os
import pickle
import re
import socket
from pathlib import Path

import pytest
import torch
from noise_search.tests.fuzz.requests import Door, Request
from noise_search.tests.nodes.test_verifier_nodes import pictures, score, value
from noise_search.tests.nodes.test_vlm import SERVER, by_brightness, vlm
from noise_search.tests.verifiers.fake_server import Answer, serving

PACK = Path(__file__).parents[1]
PRODUCT = sorted(
    [
        PACK / "__init__.py",
        *(path for folder in ("nodes", "search", "verifiers") for path in (PACK / folder).rglob("*.py")),
    ]
)
SCRIPTS = sorted((PACK / "js").rglob("*.js"))
RUNS_CODE = {"eval", "exec", "compile", "__import__", "execfile"}
RUNS_PROGRAMS = {
    "subprocess",
    "pty",
    "multiprocessing",
    "ctypes",
    "pickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "runpy",
    "code",
}
UNSAFE_SCRIPT = re.compile(
    r"\beval\(|new"
    r" Function|document\.write|insertAdjacentHTML|outerHTML\s*=|innerHTML\s*=(?!\s*[A-Z_]+;)|javascript:|import\("
)


def offences(source: str) -> list[str]:
    """What could run a stranger's code: as (line: what)."""
    found = []
    for node in ast.walk(ast.parse(source)):
        found += [f"{getattr(node, 'lineno', 0)}: {what}" for what in _offences(node)]
    return found


def _offences(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names if name.name.split(".")[0] in RUNS_PROGRAMS]
    if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] in RUNS_PROGRAMS:
        return [f"{node.module}.{name.name}" for name in node.names if not name.name.endswith("Error")]
    if not isinstance(node, ast.Call):
        return []
    called = ast.unparse(node.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    wrong = (
        [called] if called in RUNS_CODE or called in ("os.system", "os.popen") or called.startswith("os.exec") else []
    )
    wrong += ["torch.load"] if called == "torch.load" and given.get("weights_only") != "True" else []
    wrong += ["trust_remote_code"] if given.get("trust_remote_code", "False") != "False" else []
    return wrong + (["allow_pickle"] if given.get("allow_pickle", "False") != "False" else [])


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(PACK)))
def test_no_part_of_the_pack_runs_code_that_it_did_not_bring(path):
    assert offences(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "exec(text)",
        "import pickle",
        "from pickle import loads",
        "import subprocess",
        "torch.load(path)",
        "os.system(text)",
        "torch.load(path, weights_only=False)",
        "AutoModel.from_pretrained(folder, trust_remote_code=True)",
        "numpy.load(path, allow_pickle=True)",
    ],
)
def test_a_line_that_could_is_seen(line):
    assert offences(line)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(PACK)))
def test_no_script_makes_html_or_code_of_a_text(path):
    assert not UNSAFE_SCRIPT.findall(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line",
    ["box.innerHTML = text;", "box.innerHTML = `<b>${name}`", "eval(text)", "new Function(text)", "import(address)"],
)
def test_a_script_that_would_is_seen(line):
    assert UNSAFE_SCRIPT.search(line)


class Trap:
    """Whoever unpickles it, writes a file."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("name", ["head.pt", "head.pth", "head.bin", "head.ckpt", "head.safetensors"])
def test_a_verifier_file_that_is_a_program_is_refused_and_not_run(host, tmp_path, name):
    trap = tmp_path / "sprung"
    (tmp_path / name).write_bytes(pickle.dumps({"weight": torch.zeros(1), "trap": Trap(trap)}))
    load = {
        "class_type": "LoadVerifier",
        "inputs": {"verifier": "sharpness", "device": "auto", "path": str(tmp_path / name)},
    }
    result = host.run(
        {
            "load": load,
            **value(host, "images", pictures()),
            **score("scores", images=["images", 0], verifier=["load", 0]),
        }
    )
    assert not result.ok and not trap.exists()


@pytest.fixture
def door(host):
    door = Door(host)
    yield door
    door.close()


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}], ids=str
)
def test_a_request_that_another_site_makes_in_the_artists_browser_is_refused(door, headers):
    if headers == {"Origin": "null"}:
        headers = {"Origin": "http://127.0.0.1:1"}  # another port of this machine
    for method, path in door.routes:
        request = Request(method, re.sub(r"{\w+}", "1", path), b"{}", "application/json")
        assert door.ask(request, **headers)[0] == 403, path


def test_no_route_of_the_pack_changes_anything_for_a_get_or_a_form(door):
    """What a link, a picture or a form of another site could send: GET, or POST without JSON."""
    for method, path in door.routes:
        filled = re.sub(r"{\w+}", "1", path)
        if method == "POST":
            assert door.ask(Request("POST", filled, b'{"action":"finish"}', "text/plain"))[0] in (404, 415), path
            assert door.ask(Request("GET", filled, b"", ""))[0] in (200, 400, 404, 405), path


SECRET = "sk-noise-search-secret-0123456789"


@pytest.mark.parametrize("works", [True, False])
def test_a_key_is_in_no_prompt_output_file_message_or_log(host, monkeypatch, caplog, tmp_path, works):
    """A search judged by a model behind a server, which gets the key, and by one that refuses and repeats it."""
    import folder_paths

    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    for folder in ("user", "output", "temp"):
        monkeypatch.setattr(folder_paths, f"{folder}_directory", str(tmp_path / folder))
    refusing = Answer({"error": {"message": f"wrong key {SECRET}"}}, 401)
    with caplog.at_level(logging.DEBUG), serving(by_brightness if works else lambda body, number: refusing) as server:
        monkeypatch.setenv("NOISE_SEARCH_API_HOST", "127.0.0.1")
        result = host.run(judged_search(server.url), workflow={"id": "secret"})
        assert any(SECRET in str(headers) for _, headers, _ in server.requests), "the server itself gets it"
    assert result.ok is works
    said = json.dumps([result.error, result.outputs, result.events], default=str) + caplog.text
    assert SECRET not in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "noise_search.sqlite3" for path in files) and (
        not works or any(path.suffix == ".png" for path in files)
    )
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def judged_search(url: str) -> dict:
    sources = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
    sampler = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    search = {
        **sources,
        **sampler,
        "seed": 5,
        "pictures": 3,
        "minutes": 0.0,
        "keep": 1,
        "prompt": "a red cube",
        "save_found": True,
    }
    return {
        "1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
        **vlm(model=SERVER, base_url=url),
        "2": {"class_type": "NoiseSearch", "inputs": {**search, "verifier": ["load", 0]}},
        "3": {"class_type": "ToyKeep", "inputs": {"value": ["2", 5], "name": "recipe"}},
    }


OTHER_MACHINES = [
    "\\\\host\\share\\x.safetensors",
    "//host/share/x.safetensors",
    "\\/host/share/x",
    "/\\host\\share\\x",
    " \\\\host\\share\\x",
    '"\\\\host\\share\\x"',
    "\\\\?\\UNC\\host\\share\\x",
    "\\\\.\\pipe\\x",
    "//?/UNC/host/share/x",
    "\t//host/share/x",
]


@pytest.mark.parametrize("name", OTHER_MACHINES)
def test_a_file_of_another_machine_is_not_even_looked_for(host, monkeypatch, name):
    """On Windows the look alone signs this machine in there."""
    files, weights = host.part("nodes.host.store.identity.files"), host.part("nodes.host.judges.model_files")
    looked = []
    for looking in ("isfile", "isdir", "exists", "realpath"):
        monkeypatch.setattr(
            os.path, looking, lambda path, looking=getattr(os.path, looking): looked.append(str(path)) or looking(path)
        )
    monkeypatch.setattr(Path, "is_file", lambda path: looked.append(str(path)))
    assert list(files.named_in({"text": [name]})) == []
    with pytest.raises(ValueError, match="path must be a complete one on this machine"):
        weights.elsewhere(name)
    assert not [path for path in looked if "host" in path or "pipe" in path]


def test_files_of_this_machine_are_looked_for(host):
    rule = host.part("nodes.host.foreign_paths").is_elsewhere
    assert not any(
        map(
            rule,
            ["C:\\models\\x.safetensors", "/models/x.safetensors", "models//x", "x", "", "/", "\\models\\x", "a\\\\b"],
        )
    )


@pytest.fixture
def elsewhere(monkeypatch):
    """A server under a name of another machine, which leads here so that what is sent there is seen."""
    find = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *given, **more: find("127.0.0.1" if host == "models.example" else host, *given, **more),
    )
    with serving(by_brightness) as server:
        yield server, server.url.replace("127.0.0.1", "models.example")


def test_a_workflow_from_elsewhere_sends_no_picture_and_no_prompt_to_a_server_that_nobody_here_named(host, elsewhere):
    server, url = elsewhere
    typed = host.run(judged_search(url))
    assert (
        "base_url must be an address of this machine or of a host that the environment variable NOISE_SEARCH_API_HOST"
        " names" in typed.error
    )
    assert typed.node_errors, "refused before anything runs"
    linked = {**judged_search(["text", 0]), "text": {"class_type": "PrimitiveString", "inputs": {"value": url}}}
    assert "NOISE_SEARCH_API_HOST" in host.run(linked).error
    assert server.connections == 0


def test_a_server_that_the_owner_of_the_machine_named_is_asked(host, elsewhere, monkeypatch):
    server, url = elsewhere
    monkeypatch.setenv("NOISE_SEARCH_API_HOST", "api.openai.com, models.example")
    result = host.run(judged_search(url))
    assert result.ok, result.error
    assert server.connections and all("Authorization" not in headers for _, headers, _ in server.requests)


@pytest.mark.parametrize("prefix", ["../escaped", "../../../../tmp/escaped", "/tmp/escaped", "a/../../../escaped"])
def test_no_name_that_is_typed_leaves_the_output_folder(host, prefix):
    """The one text that names files: the report's."""
    nodes = judged_search("http://127.0.0.1:9/v1")
    nodes["2"]["inputs"].pop("verifier")
    report = {"trace": ["2", 6], "top_k": 1, "filename_prefix": prefix, "save": True}
    before = set(host.base.rglob("*"))
    result = host.run({**nodes, "4": {"class_type": "SearchReport", "inputs": report}})
    assert not result.ok or not any("escaped" in str(path) for path in Path("/tmp").glob("escaped*"))
    new = set(host.base.rglob("*")) - before
    assert all(
        path.is_relative_to(host.base / folder)
        for path in new
        for folder in [path.relative_to(host.base).parts[0]]
        if folder not in ("output", "temp")
    ) and not [path for path in new if "escaped" in path.name]
