"""Verifiers in the host's memory: loaded, moved and dropped by its model management."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import metadata
from typing import Any

import comfy.model_management as memory
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ....verifiers.abilities import (
    Compares,
    JudgesClips,
    can_compare,
    estimate_level,
    is_apart,
    sees_clips,
    shown_before,
)
from ....verifiers.base import Card, Verifier, home
from ....verifiers.clips import EVENLY, by_frames
from ....verifiers.ensemble import members
from ....verifiers.focus import measure
from ....verifiers.images import Pixels, are_finite, rgb
from ....verifiers.keys import digest, key_of, together
from ....verifiers.motion import likes_stillness
from ....verifiers.prompt import plain
from ..chunks import Chunks
from ..errors import judging
from ..graph.prompt_text import TracedPrompt

log = logging.getLogger("noise_search")

AT_ONCE = 32  # pictures per forward pass, before memory runs out
CPU = torch.device("cpu")
ORDER = (
    "The prompt seems to be an order to change a picture, and {} takes it for a description: type what the picture"
    " should show into prompt, or judge with VLM Verifier and its picture before."
)

STILL = (
    "temporal consistency alone likes a video best that does not move: put motion beside it, in an Ensemble Verifier."
)


class Holder(nn.Module):
    """What the patcher patches: it assigns attributes that the modules themselves may not allow."""

    def __init__(self, modules: Sequence[nn.Module]):
        super().__init__()
        self.held = nn.ModuleList(modules)


class HostVerifier:
    """A verifier for the socket: takes the host's pictures, computes where and in the precision that the host chooses.

    Args:
        verifier: What judges.
        device: "auto" for the host's choice, "cpu" to leave graphics memory alone.
        source: Names, sizes and times of the files that it came from.
    """

    def __init__(self, verifier: Verifier, device: str = "auto", source: tuple = ()):
        self.verifier, self.source = verifier, source
        self.patcher = patch(verifier.modules, device) if verifier.modules else None
        self.chunks = Chunks(verifier.card.name, AT_ONCE)

    @property
    def card(self) -> Card:
        return self.verifier.card

    @property
    def columns(self) -> tuple[str, ...]:
        return self.verifier.columns

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return self.verifier.modules

    def key(self) -> str:
        """The verifier's, with its files, where and how exactly it computes, and the libraries that do."""
        computes = (str(self.patcher.load_device), home(self.modules)[1]) if self.patcher else ()
        return together(key_of(self.verifier), [self.source, computes, libraries()])

    @property
    def estimate_at(self) -> float | None:
        """Share of the schedule's highest noise level whose estimate it wants beside the picture; None = it wants
        none.
        """
        return estimate_level(self.verifier)

    def measure(self, images: Tensor, prompt: str, estimates: Tensor | None = None) -> Tensor:
        """Values `(n, k)` of an IMAGE batch `(n, h, w, c)`; the prompt as the artist wrote it.

        Estimates, an IMAGE batch in the same order, reach a verifier only if it has an `estimate_at`.
        """
        pictures, text = self._pictures(images), readable(self, prompt)
        expected = None if estimates is None or self.estimate_at is None else self._pictures(estimates)
        if expected is not None and len(expected) != len(pictures):
            raise ValueError(f"estimates must be one per picture, {len(pictures)}, got {len(expected)}")

        def some(part: slice) -> Tensor:
            return measure(self.verifier, pictures[part], text, None if expected is None else expected[part])

        values = self._in_chunks(len(pictures), some)
        check_values(values, len(pictures), self)
        self._check(values.isfinite().all(1), "must give finite values, got NaN or infinity for picture {}")
        return values

    @property
    def only_clips(self) -> bool:
        """Whether it judges videos as such and no single pictures."""
        return sees_clips(self.verifier)

    def measure_clips(self, clips: Sequence[Tensor], prompt: str, estimates: Sequence[Tensor] | None = None) -> Tensor:
        """Values `(n, k)` of videos, IMAGE batches `(frames, h, w, c)`; a picture is one of one frame."""
        judge = self.verifier
        if not self.only_clips or not isinstance(judge, JudgesClips):
            return by_frames(self, EVENLY, clips, prompt, estimates)
        seen, text = [self._pictures(clip) for clip in clips], readable(self, prompt)
        values = self._in_chunks(len(seen), lambda part: judge.measure_clips(seen[part], text))
        check_values(values, len(seen), self)
        self._check(values.isfinite().all(1), "must give finite values, got NaN or infinity for video {}")
        return values

    @property
    def shown_before(self) -> bool:
        """Whether it is shown the picture that was to be changed."""
        return shown_before(self.verifier)

    @property
    def compares(self) -> bool:
        """Whether it can judge two pictures against each other."""
        return can_compare(self.verifier)

    def compare(self, images_a: Tensor, images_b: Tensor, prompt: str, question: str = "") -> Tensor:
        """P(a is better than b), `(n,)`, of two IMAGE batches `(n, h, w, c)`."""
        judge = self.verifier
        if not isinstance(judge, Compares):
            raise ValueError(f"judge must be able to compare two pictures, got {self.card.name}")
        first, second, text = self._pictures(images_a), self._pictures(images_b), plain(prompt)
        return self._in_chunks(len(first), lambda part: judge.compare(first[part], second[part], text, question))

    def apart(self, device: torch.device) -> bool:
        """Whether it leaves this device alone: on the processor, or on another machine."""
        if self.patcher is not None:
            return self.patcher.load_device == CPU != torch.device(device.type)
        return is_apart(self.verifier, device)

    def combine(self, pool: Tensor) -> Tensor:
        return self.verifier.combine(pool)

    def count_tokens(self, prompt: str) -> int | None:
        return self.verifier.count_tokens(plain(prompt))

    def _pictures(self, images: Tensor) -> Tensor:
        pictures = rgb(images.movedim(-1, 1))
        self._check(are_finite(pictures), "must see finite pixels, got NaN or infinite ones in picture {}")
        return pictures

    @torch.inference_mode()
    def _in_chunks(self, count: int, work: Callable[[slice], Tensor]) -> Tensor:
        def loaded(part: slice) -> Tensor:
            self._load(part.stop - part.start)
            return work(part)

        with judging(self.card.name):
            return self.chunks.over(count, loaded)

    def _load(self, count: int) -> None:
        # beside a card, what stays on the processor lies there already: the host's list of models is for one thread
        if self.patcher is not None and not self.apart(memory.get_torch_device()):
            needed = count * self.card.working_bytes
            memory.load_models_gpu([self.patcher], memory_required=needed, force_full_load=True)

    def _check(self, good: Tensor, problem: str) -> None:
        if not good.all():
            index = int((~good).nonzero()[0])
            raise ValueError(f"{self.card.name} {problem.format(f'{index + 1} of {len(good)}')}")


def check_values(values: Tensor, count: int, verifier: Any) -> None:
    """Refuses values that are not one row per picture with one number per column."""
    wanted = (count, len(verifier.columns))
    if tuple(getattr(values, "shape", ())) != wanted:
        raise ValueError(
            f"{verifier.card.name} must give {wanted[1]} value(s) for each of {count} pictures, {wanted[0]} x"
            f" {wanted[1]}, got {' x '.join(map(str, getattr(values, 'shape', ()))) or type(values).__name__}"
        )


def patch(modules: Sequence[nn.Module], device: str) -> ModelPatcher:
    """A patcher for modules in half precision where the host would use it; it must live as long as the verifier."""
    if device not in ("auto", "cpu"):
        raise ValueError(f"device must be auto or cpu, got {device}")
    holder = Holder(modules)
    load, offload = (CPU, CPU) if device == "cpu" else (memory.get_torch_device(), memory.unet_offload_device())
    stored_as = home(tuple(modules))[1]
    if stored_as is torch.bfloat16 and (load == CPU or memory.should_use_bf16(load)):
        # its range would not fit into half precision
        return ModelPatcher(holder, load_device=load, offload_device=offload)
    if memory.should_use_fp16(load, sum(weight.numel() for weight in holder.parameters())):
        holder.half()
    return ModelPatcher(holder, load_device=load, offload_device=offload)


@cache
def libraries() -> tuple[str, ...]:
    """What reads weights and prepares pictures and texts, with its version."""
    return tuple(f"{name} {metadata.version(name)}" for name in ("transformers", "open_clip_torch", "pillow"))


class ClipVisionTrunk:
    """The host's CLIP_VISION as an encoder; it manages its own memory.

    Args:
        clip_vision: From the host's loader. It sees pictures that are already of its size, on this pack's own pixel
            path.
    """

    def __init__(self, clip_vision: Any):
        self.clip_vision = clip_vision
        self.pixels = Pixels((clip_vision.image_size, clip_vision.image_size))

    def key(self) -> str:
        return digest(self.pixels, self.clip_vision.model)

    def __call__(self, images: Tensor) -> Tensor:
        seen = self.pixels.resize(images).movedim(1, -1)
        return self.clip_vision.encode_image(seen, crop=False)["image_embeds"]


def readable(verifier: Verifier, prompt: str) -> str:
    """What a verifier reads of a prompt; an error if it needs one and there is none."""
    text = plain(prompt)
    if verifier.card.prompt and not text:
        raise ValueError(f"prompt must be given, because {verifier.card.name} reads it, got an empty one")
    return text


def prompt_for(verifier: Verifier, typed: str, traced: TracedPrompt) -> str:
    """What the verifier is to read: what was typed, else what the graph says; an error that says why if it needs more
    than that.
    """
    prompt = typed.strip() or traced.text
    if verifier.card.prompt and not plain(prompt):
        problem = (
            "it was typed without any words" if typed.strip() else traced.problem or "the positive prompt has no words"
        )
        raise ValueError(
            f"prompt must be given, because {verifier.card.name} reads it and there is none to be found: {problem}"
        )
    return prompt


def check_readable(verifiers: Iterable[Verifier | None], typed: str | None, traced: TracedPrompt) -> None:
    """Refuses what a verifier would read, where one needs more than there is: before pictures are made for it."""
    for verifier in verifiers:
        if verifier is not None:
            prompt_for(verifier, typed or "", traced)


def warn(verifier: Verifier, prompt: str) -> list[str]:
    """Logs and returns what the artist should know before pictures are judged: parts of the prompt that are not
    read.
    """
    texts = []
    for member in members(verifier):
        limit, count = member.card.token_limit, member.count_tokens(prompt)
        if limit is not None and count is not None and count > limit:
            texts.append(f"{member.card.name} reads the first {limit} of the prompt's {count} tokens.")
    for text in texts:
        log.warning(text)
    return texts


def order_note(verifier: Verifier, typed: str, traced: TracedPrompt) -> list[str]:
    """What to do where the prompt tells how to change a picture and a judge takes it for a description; nothing where
    the artist typed another text.
    """
    read = {"", traced.text.strip()} if traced.text else {typed.strip()}
    if not traced.edits or typed.strip() not in read:
        return []
    reading = [member for member in members(verifier) if member.card.prompt and not shown_before(member)]
    return [ORDER.format(reading[0].card.name)] if reading else []


def still_note(verifier: Verifier) -> list[str]:
    """What a search of videos would end at by this judge, where that is one that does not move."""
    return [STILL] * likes_stillness([column for member in members(verifier) for column in member.columns])


def same_family_note(verifier: Verifier, accept: Verifier | None) -> list[str]:
    """Whether a second judge is of the kind of the first: it errs where that does, and adds little."""
    if accept is None:
        return []
    first, second = ({getattr(member.card, "family", "") for member in members(judge)} for judge in (verifier, accept))
    if not (shared := sorted((first & second) - {""})):
        return []
    return [
        f"accept and verifier are both of one family ({', '.join(shared)}): such judges err alike. One of another kind"
        " tells more."
    ]


def check_clips(verifier: Verifier, sampling: Any) -> None:
    """Refuses a verifier of videos where pictures are made."""
    shape = sampling.shapes[0]
    if sees_clips(verifier) and (
        len(shape) < 4 or sampling.showing.left(shape[1]) < 2 or getattr(sampling.vae, "latent_dim", 3) < 3
    ):
        raise ValueError(
            f"{verifier.card.name} must be used on videos, because it judges how they move, got a setup that makes"
            " pictures"
        )
