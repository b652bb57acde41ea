"""Vision-language models as judges: yes or no, a list of questions, or a rubric; and two pictures against each other.

P(yes) instead of a spoken score follows Lin et al., Evaluating Text-to-Visual Generation with Image-to-Text Generation,
arXiv:2404.01291. The rubric has the five aspects of Ma et al., arXiv:2501.09732, in words of our own; the explanation
comes before the score.
"""

import re

import torch
from PIL import Image
from torch import Tensor, nn

from . import vlm_texts as texts
from .base import Card
from .images import bytes_of
from .keys import digest
from .vlm_chat import Ask, Chat, marked, schema_of

MODES = ("yes or no", "questions", "rubric")
TOP = 10.0  # of a rubric's scores
SIDE = 768  # pixels of the longer side of what is shown
NAME = 40  # letters of a question that name its column


class VlmScore:
    """What a vision-language model says of a picture: a probability from 0 to 1, or scores from 0 to 10. The mean is
    the score; of an order that was carried out and the rest that was kept, the product.

    Args:
        chat: The model.
        mode: "yes or no" asks one question, "questions" several, one per line; both measure P(yes). "rubric" asks for
            scores of aspects, one per line, as "name: what it means".
        text: Question, questions or aspects; {prompt} stands for the prompt. "" for the text of the pack.
        side: Larger pictures are shown with this many pixels on their longer side.
        before: The picture `(1, 3, h, w)` that was to be changed, which is shown as well; the prompt is the order then.
            None for pictures that were made from nothing.
    """

    def __init__(
        self, chat: Chat, mode: str = MODES[0], text: str = "", *, side: int = SIDE, before: Tensor | None = None
    ):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode}")
        if side < 64:
            raise ValueError(f"side must be at least 64 pixels, got {side}")
        if before is not None and len(before) != 1:
            raise ValueError(f"picture_before must be one picture, got {len(before)}")
        self.chat, self.mode, self.side, self.before = chat, mode, side, before
        self.lines = _lines(mode, text, self.shown_before)
        self.columns = _columns(mode, self.lines)
        self.modules: tuple[nn.Module, ...] = chat.modules
        self.card = Card(
            name=f"VLM {mode} ({chat.name})",
            family="vision-language model",
            range=_range(mode, len(self.lines)),
            spread=0.7 if mode == "rubric" else 0.2,
            prompt=mode == "rubric" or any("{prompt}" in line for line in self.lines),
            cost="heavy",
            licence="that of the model",
            source="arXiv:2501.09732" if mode == "rubric" else "arXiv:2404.01291",
            working_bytes=512 * 2**20,
        )

    @property
    def shown_before(self) -> bool:
        """Whether it is shown the picture that was to be changed."""
        return self.before is not None

    def apart(self, device: torch.device) -> bool:
        """Whether the model is behind a server: on another machine, or at least in another process."""
        return not self.chat.modules

    def key(self) -> str:
        before = () if self.before is None else (self.before,)
        return digest("vlm", self.chat, self.mode, self.lines, self.side, *before)

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        pictures = self._shown(images)
        return torch.tensor(
            self._scores(pictures, prompt) if self.mode == "rubric" else self._chances(pictures, prompt)
        )

    def combine(self, pool: Tensor) -> Tensor:
        # an order that was carried out, and all else that was kept: one without the other is worth nothing
        return pool.prod(1) if self.mode == "yes or no" else pool.mean(1)

    def count_tokens(self, prompt: str) -> int | None:
        """Words, for want of a tokenizer; nothing is left out, however many there are."""
        return len(prompt.split()) if self.card.prompt else None

    def compare(self, images_a: Tensor, images_b: Tensor, prompt: str, question: str = "") -> Tensor:
        """P(a is better than b) of pictures `(n, 3, h, w)`, `(n,)`, 0 to 1: the mean over both orders, so that no place
        is favoured.

        The question may have {prompt} in it; "" is the text of the pack.
        """
        first, second = self._shown(images_a), self._shown(images_b)
        which = texts.A_OR_B_AFTER if self.shown_before else texts.A_OR_B
        text = f"{texts.about(question.strip() or texts.comparison(self.shown_before), prompt)}\n{which}"
        before, pairs = self._before(), list(enumerate(zip(first, second)))
        asks = [Ask((*before, *pair), text, f"pair {index + 1}") for index, pair in pairs]
        turned = [Ask((*before, *pair[::-1]), text, f"pair {index + 1}") for index, pair in pairs]
        chances = torch.tensor(self.chat.chances([*asks, *turned], ("A", "B")))
        return (chances[: len(asks)] + 1 - chances[len(asks) :]) / 2

    def _chances(self, pictures: list[Image.Image], prompt: str) -> list[list[float]]:
        before = self._before()
        known = f"{texts.BEFORE} " if before else ""
        questions = [f"{known}{texts.about(line, prompt)}\n{texts.YES_OR_NO}" for line in self.lines]
        asks = [
            Ask((*before, picture), text, _label(index, pictures))
            for text in questions
            for index, picture in enumerate(pictures)
        ]
        chances = self.chat.chances(asks, ("yes", "no"))
        return [chances[index :: len(pictures)] for index in range(len(pictures))]

    def _scores(self, pictures: list[Image.Image], prompt: str) -> list[list[float]]:
        before = self._before()
        text = texts.about(texts.rubric(self.lines, self.columns, self.shown_before), prompt)
        asks = [Ask((*before, picture), text, _label(index, pictures)) for index, picture in enumerate(pictures)]
        return marked(self.chat, asks, self.columns, TOP, schema_of(self.columns))

    def _before(self) -> list[Image.Image]:
        return [] if self.before is None else self._shown(self.before)

    def _shown(self, images: Tensor) -> list[Image.Image]:
        pictures = [Image.fromarray(picture) for picture in bytes_of(images).numpy()]
        for picture in pictures:
            picture.thumbnail((self.side, self.side), Image.Resampling.BICUBIC)
        return pictures


def _label(index: int, pictures: list[Image.Image]) -> str:
    return f"picture {index + 1} of {len(pictures)}"


def _range(mode: str, questions: int) -> str:
    if mode == "rubric":
        return "scores, 0 to 10"
    both = mode == "yes or no" and questions > 1
    return f"probability {'that the order was carried out and the rest kept' if both else 'of yes'}, 0 to 1"


def _lines(mode: str, text: str, after: bool) -> list[str]:
    if mode == "yes or no":
        own = " ".join(texts.lines(text))
        return [own] if own else [texts.DONE, texts.KEPT] if after else [texts.QUESTION]
    aspects = texts.lines(texts.ASPECTS_AFTER if after else texts.ASPECTS)
    found = texts.lines(text) or (aspects if mode == "rubric" else [])
    if not found:
        raise ValueError("text must hold at least one question, one per line, got none")
    return found


def _columns(mode: str, lines: list[str]) -> tuple[str, ...]:
    """Names of what is measured; a rubric's are the words that the model is asked to use."""
    if mode == "yes or no":
        return ("P(yes)",) if len(lines) == 1 else ("P(order carried out)", "P(rest kept)")
    names = [line.split(":")[0].strip()[:NAME].strip() if mode == "rubric" else line[:NAME].strip() for line in lines]
    if mode != "rubric":
        return tuple(name if name not in names[:index] else f"{name} {index + 1}" for index, name in enumerate(names))
    plain = [re.sub(r"[\W_]+", "", name.casefold()) for name in names]
    for index, name in enumerate(names):
        if not plain[index] or any(plain[index] in other for place, other in enumerate(plain) if place != index):
            raise ValueError(f"aspects must have names that differ, none within another, got {name!r}")
    return tuple(names)
