"""Vision-language models for the socket: from the host's folder of verifiers, from any folder, or behind a server."""

from dataclasses import replace
from typing import Any

import comfy.model_management as memory
import torch
from torch import Tensor

from ....verifiers.abilities import can_compare, shown_before
from ....verifiers.focus import Adjusted
from ....verifiers.images import rgb
from ....verifiers.keys import key_of, together
from ....verifiers.knockout import knockout
from ....verifiers.published import VISION_LANGUAGE
from ....verifiers.vlm import VlmScore
from ....verifiers.vlm_address import checked_url, key_for
from ....verifiers.vlm_chat import Chat
from ....verifiers.vlm_http import Line
from ....verifiers.vlm_local import LocalChat, is_vision_language
from ....verifiers.vlm_server import ServerChat
from ....verifiers.vlm_texts import comparison
from ..compat import running_prompt
from . import model_files as files
from .host_verifier import HostVerifier

SERVER = "server (base_url)"


def choices() -> list[str]:
    """The dropdown: a server, folders that hold a vision-language model, then what is known and missing."""
    here = files.present()
    usable = [name for name in here if (path := files.located(name)).is_dir() and is_vision_language(path)]
    return [SERVER, *usable, *(files.label(known) for known in VISION_LANGUAGE if known.name not in here)]


def check(choice: str, path: str, base_url: str) -> None:
    """An error that says what to do if the model cannot be there."""
    if path.strip():
        files.elsewhere(path)
    elif choice == SERVER:
        checked_url(base_url)
    else:
        files.find_model(choice)


def open_chat(choice: str, path: str, base_url: str, model_name: str, **line: Any) -> Chat:
    """The model; one of this machine is in memory and on no device yet, a server has not been asked anything."""
    stop = memory.throw_exception_if_processing_interrupted
    if choice == SERVER and not path.strip():
        key = key_for(checked_url(base_url))
        return ServerChat(base_url, model_name, Line(**line, key=key, check=stop, run=running_prompt))
    with torch.inference_mode(False):
        return LocalChat.load(files.elsewhere(path) if path.strip() else files.find_model(choice), stop)


def verifier(
    chat: Chat, device: str, mode: str, text: str, side: int, source: tuple = (), before: Tensor | None = None
) -> HostVerifier:
    """The judge; `before` is the picture that was to be changed, an IMAGE `(1, h, w, c)`."""
    shown = None if before is None else rgb(before.movedim(-1, 1))
    return HostVerifier(VlmScore(chat, mode, text, side=side, before=shown), device, source)


class PairwiseFinal(Adjusted):
    """A verifier whose best pictures are, at the end of a search, compared in pairs by another.

    Args:
        verifier: What judges during the search.
        judge: What compares two pictures.
        finalists: How many of the best it compares.
        question: What it asks of two; "" for the text of the pack.
    """

    def __init__(self, verifier: Any, judge: HostVerifier, finalists: int, question: str = ""):
        if not can_compare(judge):
            raise ValueError(f"judge must be able to compare two pictures, as VLM Verifier is, got {judge.card.name}")
        super().__init__(verifier)
        self.judge, self.finalists = judge, finalists
        self.question = question.strip() or comparison(shown_before(judge))
        self.shown_before = shown_before(judge) and (self.shown_before or not self.card.prompt)
        reads = self.card.prompt or "{prompt}" in self.question
        self.card = replace(self.card, name=f"{self.card.name}, final by {judge.card.name}", prompt=reads, cost="heavy")

    def final_key(self) -> str:
        """What the outcome of the final depends on beside the pictures; "" where that cannot be told."""
        return together(key_of(self.judge), ["final", self.question])

    def knockout(self, images: Tensor, prompt: str) -> list[int]:
        """Places of pictures `(k, h, w, c)` that come best first, in their final order, best first.

        Of videos `(k, frames, h, w, c)` the middle frame is compared.
        """
        shown = images if images.ndim == 4 else images[:, images.shape[1] // 2]

        def better(pairs: Any) -> list[float]:
            first, second = ([pair[side] for pair in pairs] for side in (0, 1))
            return self.judge.compare(shown[first], shown[second], prompt, self.question).tolist()

        return knockout(len(shown), better)
