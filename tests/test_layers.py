"""Dependencies point one way: nodes use search and verifiers, which know neither each other, nor the host, nor anything above them."""

import ast
from pathlib import Path

import pytest

PACK = Path(__file__).parents[1]
LIBRARY = sorted(path for layer in ("search", "verifiers") for path in (PACK / layer).rglob("*.py"))
HOST = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths", "latent_preview", "node_helpers", "nodes",
        "server", "app", "api_server", "utils", "noise_search"}  # fmt: skip


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
    return [f"{'.' * level}{module}" for level, module in imports(source) if level > 1 or (not level and module.split(".")[0] in HOST)]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(PACK)))
def test_library_imports_neither_the_host_nor_upward(path):
    assert offences(path.read_text(encoding="utf-8")) == []


def test_both_layers_are_looked_at():
    assert {"search", "verifiers"} <= {path.parent.name for path in LIBRARY}


@pytest.mark.parametrize("line", ["import folder_paths", "from comfy import utils", "from .. import nodes", "from ..verifiers import base",
                                  "def f():\n    import comfy.sd"])  # fmt: skip
def test_a_wrong_import_is_seen(line):
    assert offences(line)
