"""Benchmarks: `python dev.py bench SECTION` writes its figures to bench/output/<section>.json."""
