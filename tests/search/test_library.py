"""The example of the README: the searches without ComfyUI, in a process that knows nothing else of this pack."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACK = Path(__file__).parents[2]
README = (PACK / "README.md").read_text(encoding="utf-8")
SAYS = re.compile(r"(\w+): (-?[0-9.]+) -> (-?[0-9.]+)")
STRANGERS = """
import sys
known = {name.split(".")[0] for name in sys.modules}
assert not known & {"comfy", "comfy_api", "execution", "folder_paths", "nodes", "server", "verifiers"}, known
"""


def test_the_example_of_the_readme_runs_without_the_host_and_prints_what_the_readme_says():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COMFYUI_PATH")}
    command = [sys.executable, "-c", example + STRANGERS]
    done = subprocess.run(command, cwd=PACK, env=variables, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    printed, said = SAYS.findall(done.stdout), SAYS.findall(README.split(example)[1])
    assert [name for name, *_ in printed] == [name for name, *_ in said] == ["RandomSearch", "ZeroOrderSearch"]
    for (_, *found), (_, *promised) in zip(printed, said, strict=True):
        assert [float(one) for one in found] == pytest.approx([float(one) for one in promised], abs=2e-3)
        assert float(found[1]) > float(found[0]) + 0.1


def test_the_readme_stays_short():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert not [line for line in lines if len(line) > 150 and not line.startswith("|")]  # a row of a table is one line
