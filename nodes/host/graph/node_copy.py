"""Where a node runs: as itself, or as a copy of itself that it asked the host to run in its place."""

from typing import Any

from comfy_execution.graph import ExecutionBlocker


class Spot:
    """Of a node that may stand in for itself.

    Args:
        hidden: The node's hidden inputs, `unique_id` and `dynprompt` among them.
    """

    def __init__(self, hidden: Any):
        self.graph, self.name = hidden.dynprompt, str(hidden.unique_id)
        self.node, self.depth = self.name, 0  # the original one, and how many copies deep this one is
        while (parent := self.graph.get_parent_node_id(self.node)) and self._shown(parent) == self._shown(self.node):
            self.node, self.depth = parent, self.depth + 1

    def _shown(self, name: str) -> str:
        return self.graph.get_display_node_id(name)

    @property
    def shown(self) -> str:
        """The node of the page that shows this one."""
        return self._shown(self.node)

    def handed_up(self, values: list) -> list:
        """A list output as the host must get it, which takes one level off at every copy; a blocked output has none to
        lose.
        """
        blocked = any(isinstance(value, ExecutionBlocker) for value in values)
        for _ in range(0 if blocked else self.depth):
            values = [values]
        return values
