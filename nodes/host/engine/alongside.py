"""Two things at once: what another device or machine does on a thread of its own, and what is done here meanwhile."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

import comfy.model_management as memory
import torch

T = TypeVar("T")


def alongside(apart: Callable[[], T], here: Callable[[], None]) -> T:
    """What `apart` gives, which runs on a thread of its own while `here` runs on this one; both are over when it
    returns. The host tells of an interrupt once: whoever hears it, it ends both.

    Raises:
        Exception: What `here` raised; else what `apart` raised.
    """
    interrupts = list[BaseException]()

    def heard(error: BaseException | None) -> None:
        if isinstance(error, memory.InterruptProcessingException):
            interrupts.append(error)
            memory.interrupt_current_processing()

    def there() -> T:
        with torch.inference_mode(inference):
            return apart()

    inference = torch.is_inference_mode_enabled()
    try:
        with ThreadPoolExecutor(1, "noise_search") as pool:
            found: Future[T] = pool.submit(copy_context().run, there)
            found.add_done_callback(lambda done: heard(done.exception()))
            try:
                here()
            except BaseException as error:
                heard(error)
                raise
            return found.result()
    finally:
        if interrupts:
            interrupts.clear()
            memory.interrupt_current_processing(False)
