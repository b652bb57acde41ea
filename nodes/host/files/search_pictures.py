"""Pictures that a search writes for the artist: shown in the node, and winners as found. They are written while it goes
on; a full disk costs those, not the search.
"""

import logging
from collections.abc import Callable
from typing import Any

from PIL import Image
from torch import Tensor

from ....search.path import Proposal
from ..background import Background
from .pictures import Waiting, captioned, save

log = logging.getLogger("noise_search")


class Pictures:
    """Writes for one node.

    Args:
        hidden: The node's hidden inputs.
        recipe_of: Writes a candidate's recipe, which its picture carries.
        background: Where they are written.
    """

    def __init__(self, hidden: Any, recipe_of: Callable[[Proposal], str], background: Background):
        self.hidden, self.recipe_of, self.background = hidden, recipe_of, background
        # once the background has settled:
        self.shown: list[dict[str, str]] = []  # the frontend's entries of what `show` wrote
        self.problem = ""  # a sentence, where something could not be written

    def show(self, candidate: Proposal, image: Tensor, caption: str) -> None:
        """Shows a picture in the node, by way of the temporary folder."""
        name = f"noise_search_{self.hidden.unique_id}".replace(":", "_")
        picture = Waiting(image)
        self.background.do(
            lambda: self.shown.extend(
                self._written(captioned(Image.fromarray(picture.pixels()), caption), name, "temp", candidate)
            ),
            size=picture.size,
        )

    def keep_found(self, candidate: Proposal, image: Tensor) -> None:
        """Keeps a winner in the output folder at once."""
        picture = Waiting(image)
        self.background.do(
            lambda: self._written(Image.fromarray(picture.pixels()), "noise_search/found", "output", candidate),
            size=picture.size,
        )

    def _written(self, picture: Any, prefix: str, folder: str, candidate: Proposal) -> list[dict[str, str]]:
        try:
            return [save(picture, prefix, folder, self.hidden, self.recipe_of(candidate))]
        except OSError as error:
            if not self.problem:
                self.problem = f"Pictures could not be written into the {folder} folder: {error}."
                log.warning("%s The search goes on without them.", self.problem)
        return []
