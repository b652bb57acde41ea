"""The pack's nodes: one module per topic, each ending with its list."""

from . import candidates, sampling, search, verifier

NODES = [*search.NODES, *sampling.NODES, *candidates.NODES, *verifier.NODES]
