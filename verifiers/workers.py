"""What is done to each picture by itself, on a few threads: a batch waits for the slowest, not for all in turn.

The work is numpy's and Pillow's, which use one thread each and let others run meanwhile.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy
from torch import Tensor

Found = TypeVar("Found")
MOST = 4  # threads: each holds what it makes of one picture


@cache
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(MOST, os.cpu_count() or 1), "noise_search_pixels")


def of_each(work: Callable[[numpy.ndarray], Found], images: Tensor) -> list[Found]:
    """What `work` gives for each picture `(h, w, c)` of `(n, c, h, w)`, in order.

    Raises:
        Exception: What the first of them raised that failed.
    """

    def of_one(image: Tensor) -> Found:
        return work(image.movedim(0, -1).float().cpu().numpy())

    return list(pool().map(of_one, images) if len(images) > 1 else map(of_one, images))
