"""Benchmarks: `python dev.py bench SECTION` writes its figures to bench/output/<section>.json."""

import os

os.environ.setdefault("NOISE_SEARCH_STORE", "off")  # what is measured twice is paid for twice
