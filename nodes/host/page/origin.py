"""Where a search is from: which node of which prompt, and whose."""

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfy_execution.utils import get_executing_context

from ..graph.upstream import CHOOSING, lineage_digest, shown_node, workflow_of
from .audience import Audience, audience_again, audience_of
from .messages import SearchName
from .pages import user_now

_lock = threading.Lock()
_last = 0


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a search is from.

    Args:
        search: Its id.
        copy: The node that ran, and
        node: the one of the page that shows it.
        turn: The node that ran, and which item of a list that was for.
        made_from: What the node is made from, see `made_from`.
        user: Whose folder keeps it, "" on a host with one user.
    """

    search: str
    number: int
    prompt_id: str
    copy: str
    node: str
    workflow: str
    turn: tuple[str, int | None]
    made_from: str
    audience: Audience
    user: str

    def to_dict(self) -> dict[str, Any]:
        names = ("search", "number", "prompt_id", "copy", "node", "workflow", "turn", "made_from")
        return {name: getattr(self, name) for name in names} | {"audience": self.audience.to_dict()}


class Known:
    """A search that pages may be shown.

    Args:
        origin: Where it is from.
    """

    def __init__(self, origin: Origin):
        self.origin, self.version = origin, 0
        self.id, self.number, self.prompt_id = origin.search, origin.number, origin.prompt_id
        self.copy, self.node, self.workflow = origin.copy, origin.node, origin.workflow
        self.turn, self.made_from, self.audience = origin.turn, origin.made_from, origin.audience

    def name(self) -> SearchName:
        return SearchName(
            search=self.id,
            node=self.node,
            workflow=self.workflow,
            version=self.version,
            mine=True,
            prompt_id=self.prompt_id,
            number=self.number,
        )


def origin_of(hidden: Any) -> Origin:
    """That of the search which begins now in a node.

    Args:
        hidden: The node's hidden inputs.
    """
    context = get_executing_context()
    copy, node, prompt_id = str(hidden.unique_id or ""), shown_node(hidden), context.prompt_id if context else ""
    return Origin(
        uuid.uuid4().hex,
        next_number(),
        prompt_id,
        copy,
        node,
        workflow_of(hidden),
        (copy, context.list_index if context else None),
        made_from(hidden.prompt, node),
        audience_of(hidden, prompt_id, node),
        user_now(),
    )


def origin_again(found: Mapping[str, Any], user: str, owner: str) -> Origin:
    """What `to_dict` wrote.

    Args:
        user: Whose folder keeps it, and
        owner: what that user is called in requests.

    Raises:
        KeyError, TypeError, ValueError: If something else wrote it.
    """
    texts = {name: str(found[name]) for name in ("search", "prompt_id", "copy", "node", "workflow", "made_from")}
    copy, item = found["turn"]
    audience = audience_again(found["audience"], texts["prompt_id"], texts["node"], owner)
    return Origin(number=int(found["number"]), turn=(copy, item), audience=audience, user=user, **texts)


def next_number() -> int:
    """Above those of a server before, which pages and the disk still know."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 10**6)
        return _last


def made_from(prompt: Any, node: str) -> str:
    """What a search node is made from, but for what decides how much is tried and what is chosen."""
    return lineage_digest(prompt, node, without=CHOOSING)
