"""What an artist gets: the files that the registry packs, which are those that git tracks without `.comfyignore`.

The registry's client reads that file by the rules of `.gitignore`, so git itself is asked what a line leaves out.
"""

import ast
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

PACK = Path(__file__).parents[1]
MOST = 4_000_000  # bytes
RUN = ("nodes", "search", "verifiers", "js", "locales", "example_workflows", "subgraphs")  # imported, served or read
FILES = {"__init__.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"}
LINES = [line for line in (PACK / ".comfyignore").read_text(encoding="utf-8").split("\n") if line and line[0] != "#"]


def listed(*options: str) -> set[Path]:
    """Files of this folder by git's rules, be it a checkout or not: a repository that tracks nothing is asked."""
    with tempfile.TemporaryDirectory() as scratch:
        asked = ["git", f"--git-dir={scratch}/.git", f"--work-tree={PACK}"]
        subprocess.run([*asked, "init", "--quiet"], check=True)
        found = subprocess.run(
            [*asked, "ls-files", "-z", "--others", *options], cwd=PACK, capture_output=True, text=True
        )
    assert not found.returncode, found.stderr
    return {Path(name) for name in found.stdout.split("\0") if name and (PACK / name).is_file()}


def tracked() -> set[Path]:
    return listed("--exclude-standard")


def left_out(*lines: str) -> set[Path]:
    return listed("--ignored", *(f"--exclude={line}" for line in lines)) & tracked()


def packed() -> set[Path]:
    return tracked() - left_out(*LINES)


@pytest.mark.parametrize("line", LINES)
def test_every_line_leaves_something_out_and_nothing_that_runs(line):
    gone = left_out(line)
    assert gone
    assert not [path for path in gone if path.parts[0] in RUN or str(path) in FILES]


def test_a_line_without_its_first_slash_would_be_seen():
    assert [path for path in left_out("docs/") if path.parts[0] == "js"]


def test_what_is_packed_is_small_and_all_there():
    files = packed()
    assert sum((PACK / path).stat().st_size for path in files) < MOST
    assert {path.parts[0] for path in files} >= {*RUN, *FILES}


def test_what_is_packed_imports_nothing_that_is_not():
    there = packed()
    modules = {path.with_suffix("") for path in there} | {path.parent for path in there}
    for path in there:
        if path.suffix == ".py":
            for node in ast.walk(ast.parse((PACK / path).read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level:
                    target = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                    assert target in modules, f"{path} imports {target}"


def test_pages_that_are_packed_import_only_pages_that_are_packed():
    there = packed()
    for path in there:
        if path.suffix == ".js":
            for name in re.findall(r'(?:from|import)\s*\(?\s*"(\.[^"]+)"', (PACK / path).read_text(encoding="utf-8")):
                target = (PACK / path.parent / name).resolve()
                if target.is_relative_to(PACK):  # others are the host's
                    assert target.relative_to(PACK) in there, f"{path} imports {name}"
