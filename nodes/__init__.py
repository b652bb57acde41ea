"""The pack's nodes: one module per topic, each ending with its list."""

from . import (
    agreement,
    auto,
    candidates,
    local_search,
    paths,
    picks,
    reference,
    report,
    sampling,
    search,
    sheet,
    verifier,
    vlm,
)

NODES = [
    *search.NODES,
    *auto.NODES,
    *local_search.NODES,
    *paths.NODES,
    *sampling.NODES,
    *candidates.NODES,
    *verifier.NODES,
    *reference.NODES,
    *vlm.NODES,
    *report.NODES,
    *sheet.NODES,
    *agreement.NODES,
    *picks.NODES,
]
