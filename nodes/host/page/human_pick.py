"""Pictures that wait for somebody to pick, and those that were picked."""

import asyncio
import os
import shutil
import threading
import time
import uuid
from collections.abc import Sequence
from itertools import count
from typing import Any

import folder_paths
from comfy_execution.utils import get_executing_context
from PIL import Image
from server import PromptServer
from torch import Tensor

from ..compat import running_entries
from ..files.pictures import moving_of, to_pil
from ..graph.upstream import is_same, lineage_digest, shown_node, workflow_of
from .audience import audience_of
from .messages import PICK, PickFacts, PickState
from .question import POLL, Answer, Question
from .thumbnails import MOVING, save_moving

SIZES = {"small": 384, "large": 2048}  # longer side of a shown picture, in pixels
KINDS = (*SIZES, MOVING)  # a video has a small picture that moves, beside the frame in its middle
KEPT = 32  # answered picks that pages can still show, per server

_picks: dict[str, "Pick"] = {}  # in the order of asking
_lock = threading.Lock()
_numbers = count(time.time_ns() // 10**6)  # above those of a server before, which pages that stayed open still show


class Pick(Question):
    """One gallery, asked by the thread that runs the prompt, answered by the routes.

    Args:
        hidden: The node's hidden inputs.
        node: The node that asks, and
        shown: the one of the page that shows the gallery.
        images: Pictures `(1, h, w, c)` or videos `(frames, h, w, c)`.
        facts: What the page shows beside them: scores, columns, values, seeds, roll, rollable, notes.
        fallback: What is taken if nobody answers.
    """

    def __init__(
        self, hidden: Any, node: str, shown: str, images: Sequence[Tensor], facts: PickFacts, fallback: Answer
    ):
        context = get_executing_context()
        self.id, self.number, self.version = uuid.uuid4().hex, next(_numbers), 0
        self.prompt_id, self.workflow = context.prompt_id if context else "", workflow_of(hidden)
        loop, self._answered = asyncio.get_running_loop(), asyncio.Event()
        super().__init__(
            hidden,
            node,
            audience_of(hidden, self.prompt_id, shown),
            fallback,
            lambda: loop.call_soon_threadsafe(self._answered.set),
            self.send,
        )
        self.node = shown
        self.made_from = made_from(hidden.prompt, shown)
        self.images, self.facts = images, facts
        self.count, self.sizes = len(images), list[tuple[int, int]]()
        self.frames = [len(image) for image in images]

    async def ask(self, minutes: float) -> Answer:
        """The answer, or the fall-back with the reason. The host's interrupt ends it, and leaves nothing behind.

        Args:
            minutes: How long to wait, 0 = as long as a page that shows it is open.
        """
        if not self.can_be_asked():
            return self.unasked("alone")
        self.begin(minutes)
        self.sizes = [self._write(place, image) for place, image in enumerate(self.images)]
        self.images = ()
        add_pick(self)
        try:
            self.send()
            while self.waits():
                await asyncio.wait([waiting := asyncio.ensure_future(self._answered.wait())], timeout=POLL)
                waiting.cancel()
        finally:
            if self.status == "waiting":
                self.cancel()
        return self.answer

    def change(self, answer: Answer) -> None:
        """Afterwards the artist had others go on."""
        self.answer = answer
        self.send()

    def state(self) -> PickState:
        """All that a page needs to show it."""
        given = self.answer if self.status == "picked" else Answer()
        return PickState(
            **self.facts,
            count=self.count,
            sizes=self.sizes,
            frames=self.frames,
            pick=self.id,
            number=self.number,
            version=self.version,
            node=self.node,
            workflow=self.workflow,
            mine=True,
            prompt_id=self.prompt_id,
            status=self.status,
            picked=given.picked,
            by=given.by,
            why=given.why,
            fallback=[self.fallback.by, *self.fallback.picked],
            seconds_left=self.seconds_left(),
        )

    def picture(self, place: int, size: str) -> str:
        return os.path.join(self.folder(), f"{place}_{size}.{'webp' if size == MOVING else 'jpg'}")

    def folder(self) -> str:
        return os.path.join(folder_paths.get_temp_directory(), "noise_search", "picks", self.id)

    def send(self) -> None:
        """To the pages that see it: the one that queued it, and those that were shown it once that was closed."""
        self.version += 1
        self.audience.send(PICK, self.state())

    def cancel(self) -> None:
        super().cancel()
        with _lock:
            _picks.pop(self.id, None)
        shutil.rmtree(self.folder(), ignore_errors=True)
        self.send()

    def _write(self, place: int, image: Tensor) -> tuple[int, int]:
        """Its width and height. Of a video three files are written, however long it is."""
        os.makedirs(self.folder(), exist_ok=True)
        picture = to_pil(image).convert("RGB")
        for size, pixels in SIZES.items():
            small = picture.copy()
            small.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
            small.save(self.picture(place, size), quality=90, subsampling=0)
        if (moving := moving_of(image)) is not None:
            frames = [to_pil(frame).convert("RGB") for frame in moving]
            save_moving(frames, self.picture(place, MOVING), SIZES["small"])
        return picture.size


def add_pick(pick: Pick) -> None:
    """Adds one, in the place of the node's last one; the oldest answered ones go."""
    with _lock:
        _picks[pick.id] = pick
        answered = [old for old in _picks.values() if old.status != "waiting"]
        same = [
            old
            for old in answered
            if old.node == pick.node and old.audience.in_place(pick.audience.page, pick.workflow)
        ]
        gone = {old.id: old for old in [*same, *answered[: max(0, len(_picks) - KEPT)]]}
        for name in gone:
            del _picks[name]
    for old in gone.values():
        shutil.rmtree(old.folder(), ignore_errors=True)


def find_pick(pick: str) -> Pick | None:
    with _lock:
        return _picks.get(pick)


def everywhere() -> list[Pick]:
    """All that are known, in the order of asking."""
    with _lock:
        return list(_picks.values())


def in_place(page: str, workflow: str) -> list[Pick]:
    """What a page shows in a workflow; of others' only what still waits for somebody."""
    places = ((pick, pick.audience.in_place(page, workflow)) for pick in everywhere())
    return [pick for pick, steers in places if steers or (steers is not None and pick.is_offered())]


def elsewhere(user: str, page: str, workflow: str) -> list[Pick]:
    """The user's galleries that another page queued, which is closed now."""
    return [
        pick
        for pick in everywhere()
        if pick.is_offered() and pick.audience.is_of(user) and not pick.audience.in_place(page, workflow)
    ]


def watch(user: str, page: str, workflow: str, prompt: Any) -> list[Pick]:
    """Of what is elsewhere, that which is made from the same as in this prompt: it is watched from now on, the rest no
    more.
    """
    found = elsewhere(user, page, workflow)
    same = [pick for pick in found if is_made_from(pick, prompt)]
    for pick in found:
        if pick in same:
            pick.audience.watch(page, workflow)
        else:
            pick.audience.leave(page, workflow)
    return same


def is_made_from(pick: Pick, prompt: Any) -> bool:
    return is_same(pick.made_from, made_from(prompt, pick.node))


def settle() -> None:
    """Galleries whose other pictures will never come, since their prompt has ended, are cancelled."""
    prompts = {entry[1] for entry in running_entries(PromptServer.instance.prompt_queue)}
    with _lock:
        for pick in _picks.values():
            if pick.status == "rolled" and pick.prompt_id not in prompts:
                pick.status, pick.version = "cancelled", pick.version + 1


def of_page(page: str) -> list[Pick]:
    """What waits for a page that queued it or took it over, whatever workflow that shows now."""
    return [
        pick
        for pick in everywhere()
        if pick.status == "waiting" and any(here == page and steers for (here, _), steers in pick.audience.places())
    ]


def changed(hidden: Any, node: str, roll: int, answer: Answer) -> None:
    """Others were chosen than was answered: the gallery of the same pictures, if there is one, shows it."""
    page, workflow, same = (
        PromptServer.instance.client_id or "",
        workflow_of(hidden),
        made_from(hidden.prompt, shown_node(hidden)),
    )
    for pick in in_place(page, workflow) if workflow else ():
        if (pick.status, pick.asking, pick.facts["roll"], pick.made_from) == ("picked", node, roll, same):
            pick.change(answer)


def made_from(prompt: Any, node: str) -> str:
    return lineage_digest(prompt, node, without=("choice", "timeout"))
