"""Dependencies point one way, over the whole pack and between the rooms of nodes/host."""

import ast
from pathlib import Path

import pytest

PACK = Path(__file__).parents[1]
LIBRARY = sorted(path for layer in ("search", "verifiers") for path in (PACK / layer).rglob("*.py"))
HOST = {
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "execution",
    "folder_paths",
    "latent_preview",
    "node_helpers",
    "nodes",
    "server",
    "app",
    "api_server",
    "utils",
    "noise_search",
}


def imports(source: str) -> list[tuple[int, str]]:
    """List (level, module) of all imports, those inside functions too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(0, name.name) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or ""))
    return found


def offences(source: str) -> list[str]:
    return [
        f"{'.' * level}{module}"
        for level, module in imports(source)
        if level > 1 or (not level and module.split(".")[0] in HOST)
    ]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACK)))
def test_library_imports_neither_the_host_nor_upward(path):
    assert offences(path.read_text(encoding="utf-8")) == []


def test_both_layers_are_looked_at():
    assert {"search", "verifiers"} <= {path.parent.name for path in LIBRARY}


@pytest.mark.parametrize(
    "line",
    [
        "import folder_paths",
        "from comfy import utils",
        "from .. import nodes",
        "from ..verifiers import base",
        "def f():\n    import comfy.sd",
    ],
)
def test_a_wrong_import_is_seen(line):
    assert offences(line)


# The rooms of nodes/host, and what each may import of the others; what lies in none of them is the ground floor.
ROOMS = {
    "ground": set(),
    "graph": {"ground"},
    "setup": {"graph", "ground"},
    "files": {"graph", "ground"},
    "store": {"setup", "graph", "ground"},
    "judges": {"files", "setup", "graph", "ground"},
    "engine": {"judges", "store", "files", "setup", "graph", "ground"},
    "page": {"engine", "store", "files", "graph", "ground"},
}
ROOFED = sorted((PACK / "nodes" / "host").rglob("*.py"))
SERVED = {"files", "page"}  # rooms that know the host's server
GRAMMAR = {"comfy_api.latest"}  # what node classes import of the host
READS_MORE = {"inputs.py": {"comfy.samplers", "comfy_execution.graph"}}


def room_of(path):
    """The room of a module of nodes/host."""
    inside = path.relative_to(PACK / "nodes" / "host").parts
    return inside[0] if len(inside) > 1 else "ground"


def targets(path, source):
    """Modules of this pack that a module imports, as paths from the pack's root, without their suffix."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            found |= {
                base / name.name if (base / name.name).with_suffix(".py").exists() else base for name in node.names
            }
    return {one.relative_to(PACK) for one in found if one.is_relative_to(PACK)}


def wrong_doors(path, source):
    """What a module of a room imports of rooms that it may not know, and of the nodes above them."""
    mine, wrong = room_of(path), []
    for target in targets(path, source):
        if target.parts[:2] == ("nodes", "host"):
            theirs = target.parts[2] if len(target.parts) > 2 and target.parts[2] in ROOMS else "ground"
            wrong += [str(target)] if theirs not in ROOMS[mine] | {mine} else []
        elif target.parts[:1] == ("nodes",):
            wrong.append(str(target))
    return wrong


@pytest.mark.parametrize("path", ROOFED, ids=lambda path: str(path.relative_to(PACK)))
def test_a_room_imports_only_those_below_it(path):
    source = path.read_text(encoding="utf-8")
    assert wrong_doors(path, source) == []
    assert room_of(path) in SERVED or not {"server", "aiohttp"} & {module for _, module in imports(source)}


def test_the_plan_of_the_rooms_has_no_circle_and_every_room_says_what_it_is():
    done: set[str] = set()
    for room, below in ROOMS.items():
        assert below <= done, f"{room} may only know rooms that stand before it"
        done.add(room)
    assert {room_of(path) for path in ROOFED} == set(ROOMS)
    for room in set(ROOMS) - {"ground"}:
        assert ast.get_docstring(ast.parse((PACK / "nodes" / "host" / room / "__init__.py").read_text()))


@pytest.mark.parametrize("path", sorted((PACK / "nodes").glob("*.py")), ids=lambda path: path.name)
def test_node_classes_know_of_the_host_only_how_nodes_are_written(path):
    host = {module for level, module in imports(path.read_text(encoding="utf-8")) if not level}
    host = {module for module in host if module.split(".")[0] in HOST}
    assert host <= GRAMMAR | READS_MORE.get(path.name, set())


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("graph", "from ..setup import noise"),
        ("setup", "from ..engine.rollout import Rollout"),
        ("store", "from ..engine import rollout"),
        ("engine", "from ..page.live import Live"),
        ("judges", "def f():\n    from ..engine.job import SearchJob"),
        ("page", "from ...runner import run_search"),
    ],
)
def test_a_wrong_door_is_seen(room, line):
    assert wrong_doors(PACK / "nodes" / "host" / room / "some.py", line)
