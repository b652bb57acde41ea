"""Fixtures of the tests of the nodes. tests/conftest.py registers them: a conftest.py here would be named as the host's
module `nodes` is.
"""

import shutil

import pytest


@pytest.fixture
def judge(host):
    """Puts any object into a prompt as the verifier "v"."""

    def put(verifier):
        host.toys.VALUES["verifier"] = verifier
        return {"v": {"class_type": "ToyValue", "inputs": {"name": "verifier"}}}

    return put


@pytest.fixture
def folder(host):
    """The host's empty folder of verifiers."""
    path = host.base / "models" / "verifiers"
    aside = path.rename(path.with_name("verifiers aside"))
    path.mkdir()
    yield path
    shutil.rmtree(path)
    aside.rename(path)


@pytest.fixture
def sampled(host, monkeypatch):
    """How many pictures each call of the sampler made, since it was cleared."""
    counted = []
    rollout = host.part("nodes.host.engine.rollout").Rollout
    advance = rollout.advance

    def counting(self, particles, *arguments, **options):
        counted.append(len(particles))
        return advance(self, particles, *arguments, **options)

    monkeypatch.setattr(rollout, "advance", counting)
    return counted
