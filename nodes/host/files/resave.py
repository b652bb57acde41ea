"""A found picture made once more by the prompt that found it: alone and saved in full, or as its result."""

import copy
from collections.abc import Mapping
from typing import Any

from ..graph.upstream import ancestry, inputs_of
from .metadata import carried

SEARCH, SAVER = "noise_search_again", "noise_search_saved"  # node ids that no page gives; js/panel/saving.js
PREFIX = "noise_search/saved"
IMAGE = 1  # output slot of every search node
NOT_NEEDED = ("verifier", "held_out", "accept")  # nothing is judged


def resaved(prompt: Any, info: Any, node: str, recipe: str) -> dict[str, Any]:
    """The prompt and the workflow to queue.

    Args:
        prompt: That the search was queued with.
        info: What the host saved beside that search's pictures.
        node: The search node in both.
        recipe: Of the picture.
    """
    given = ancestry(prompt, node)[node]
    inputs = {name: value for name, value in inputs_of(given).items() if name not in NOT_NEEDED}
    inputs |= {"recipe": recipe, "keep": 1, "save_found": False}
    graph = {
        SEARCH: {"class_type": given["class_type"], "inputs": inputs},
        SAVER: {"class_type": "SaveImage", "inputs": {"images": [SEARCH, IMAGE], "filename_prefix": PREFIX}},
    }
    needed = ancestry({**prompt, **graph}, SAVER)
    return {"prompt": plain(needed), "workflow": carried(info, node, recipe).get("workflow")}


def chosen_again(prompt: Any, info: Any, node: str, recipe: str) -> dict[str, Any]:
    """The prompt and the workflow to queue so that what was behind the search runs on with this picture.

    Args:
        prompt, info, node, recipe: As of `resaved`.
    """
    nodes = plain(prompt)
    nodes[node]["inputs"]["recipe"] = recipe
    return {"prompt": nodes, "workflow": carried(info, node, recipe).get("workflow")}


def plain(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes of a prompt as one queues them, without what the host added."""
    return {
        name: {"class_type": found["class_type"], "inputs": copy.deepcopy(inputs_of(found))}
        for name, found in prompt.items()
    }
