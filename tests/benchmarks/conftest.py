"""The benchmarks run as `python -m bench.x` in the pack's folder, where its parts are packages of their own."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
