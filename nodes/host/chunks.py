"""Work in chunks that fit into the memory."""

import logging
from collections.abc import Callable

import comfy.model_management as memory
import torch
from torch import Tensor

from .compat import is_out_of_memory, running_prompt

log = logging.getLogger("noise_search")


class Chunks:
    """So many at once: halved where the memory runs out, and remembered until another prompt runs.

    Args:
        what: Does the work, as a log line begins.
        most: At once, before the memory has run out.
    """

    def __init__(self, what: str, most: int):
        self.what, self.most = what, most
        self.size, self.prompt = most, ""

    def over(self, count: int, work: Callable[[slice], Tensor]) -> Tensor:
        """What `work` gives for the places of each chunk, in order; an error other than a lack of memory passes
        through.
        """
        if (prompt := running_prompt()) != self.prompt:
            self.size, self.prompt = self.most, prompt
        parts, done = [], 0
        while done < count:
            memory.throw_exception_if_processing_interrupted()
            end = min(count, done + self.size)
            try:
                parts.append(work(slice(done, end)))
                done = end
                continue
            except RuntimeError as error:
                if end - done == 1 or not is_out_of_memory(error):
                    raise
            self._halve(end - done)  # here, where the error and all that hangs on it are gone
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _halve(self, count: int) -> None:
        self.size = count // 2
        memory.soft_empty_cache()
        log.warning("%s: out of memory with %d pictures at once; going on with %d.", self.what, count, self.size)
