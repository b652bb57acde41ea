"""Pictures that a search writes for the artist: shown in the node, and winners as found. A full disk costs those, not the search."""

import logging
from collections.abc import Callable
from typing import Any

from torch import Tensor

from ...search.path import Tried
from .pictures import captioned, save, to_pil

log = logging.getLogger("noise_search")


class Pictures:
    """Writes for one node.

    Args:
        hidden: The node's hidden inputs.
        recipe_of: Writes a candidate's recipe, which its picture carries.
    """

    def __init__(self, hidden: Any, recipe_of: Callable[[Tried], str]):
        self.hidden, self.recipe_of = hidden, recipe_of
        self.problem = ""  # a sentence, once something could not be written

    def shown(self, candidate: Tried, image: Tensor, caption: str) -> list[dict[str, str]]:
        """The frontend's entry of a picture in the temporary folder; none where it could not be written."""
        name = f"noise_search_{self.hidden.unique_id}".replace(":", "_")
        return self._written(captioned(to_pil(image), caption), name, "temp", candidate)

    def found(self, candidate: Tried, image: Tensor) -> None:
        """Keeps a winner in the output folder at once."""
        self._written(to_pil(image), "noise_search/found", "output", candidate)

    def _written(self, picture: Any, prefix: str, folder: str, candidate: Tried) -> list[dict[str, str]]:
        try:
            return [save(picture, prefix, folder, self.hidden, self.recipe_of(candidate))]
        except OSError as error:
            if not self.problem:
                self.problem = f"Pictures could not be written into the {folder} folder: {error}."
                log.warning("%s The search goes on without them.", self.problem)
        return []
