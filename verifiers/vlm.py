"""Vision-language models as judges: yes or no, a list of questions, or a rubric; and two pictures against each other.

P(yes) instead of a spoken score follows Lin et al., Evaluating Text-to-Visual Generation with Image-to-Text Generation, arXiv:2404.01291.
The rubric has the five aspects of Ma et al., arXiv:2501.09732, in words of our own; the explanation comes before the score.
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
    """What a vision-language model says of a picture: a probability from 0 to 1, or scores from 0 to 10. Its mean is the score.

    Args:
        chat: The model.
        mode: "yes or no" asks one question, "questions" several, one per line; both measure P(yes). "rubric" asks for scores of
            aspects, one per line, as "name: what it means".
        text: Question, questions or aspects; {prompt} stands for the prompt. "" for the text of the pack.
        side: Larger pictures are shown with this many pixels on their longer side.
    """

    def __init__(self, chat: Chat, mode: str = MODES[0], text: str = "", *, side: int = SIDE):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode}")
        if side < 64:
            raise ValueError(f"side must be at least 64 pixels, got {side}")
        self.chat, self.mode, self.side = chat, mode, side
        self.lines = _lines(mode, text)
        self.columns = _columns(mode, self.lines)
        self.modules: tuple[nn.Module, ...] = chat.modules
        self.card = Card(
            name=f"VLM {mode} ({chat.name})",
            range="scores, 0 to 10" if mode == "rubric" else "probability of yes, 0 to 1",
            spread=0.7 if mode == "rubric" else 0.2,
            prompt=mode == "rubric" or any("{prompt}" in line for line in self.lines),
            cost="heavy",
            licence="that of the model",
            source="arXiv:2501.09732" if mode == "rubric" else "arXiv:2404.01291",
            working_bytes=512 * 2**20,
        )

    def key(self) -> str:
        return digest("vlm", self.chat, self.mode, self.lines, self.side)

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        pictures = self._shown(images)
        return torch.tensor(self._scores(pictures, prompt) if self.mode == "rubric" else self._chances(pictures, prompt))

    def combine(self, pool: Tensor) -> Tensor:
        return pool.mean(1)

    def count_tokens(self, prompt: str) -> int | None:
        """Words, for want of a tokenizer; nothing is left out, however many there are."""
        return len(prompt.split()) if self.card.prompt else None

    def compare(self, images_a: Tensor, images_b: Tensor, prompt: str, question: str = "") -> Tensor:
        """P(a is better than b) of pictures `(n, 3, h, w)`, `(n,)`, 0 to 1: the mean over both orders, so that no place is favoured.

        The question may have {prompt} in it; "" is the text of the pack.
        """
        first, second = self._shown(images_a), self._shown(images_b)
        text = f"{texts.about(question.strip() or texts.COMPARISON, prompt)}\n{texts.A_OR_B}"
        asks = [Ask(pair, text, f"pair {index + 1}") for index, pair in enumerate(zip(first, second))]
        turned = [Ask(ask.pictures[::-1], text, ask.label) for ask in asks]
        chances = torch.tensor(self.chat.chances([*asks, *turned], ("A", "B")))
        return (chances[: len(asks)] + 1 - chances[len(asks) :]) / 2

    def _chances(self, pictures: list[Image.Image], prompt: str) -> list[list[float]]:
        questions = [f"{texts.about(line, prompt)}\n{texts.YES_OR_NO}" for line in self.lines]
        asks = [Ask((picture,), text, _label(index, pictures)) for text in questions for index, picture in enumerate(pictures)]
        chances = self.chat.chances(asks, ("yes", "no"))
        return [chances[index :: len(pictures)] for index in range(len(pictures))]

    def _scores(self, pictures: list[Image.Image], prompt: str) -> list[list[float]]:
        text = texts.about(texts.rubric(self.lines, self.columns), prompt)
        asks = [Ask((picture,), text, _label(index, pictures)) for index, picture in enumerate(pictures)]
        return marked(self.chat, asks, self.columns, TOP, schema_of(self.columns))

    def _shown(self, images: Tensor) -> list[Image.Image]:
        pictures = [Image.fromarray(picture) for picture in bytes_of(images).numpy()]
        for picture in pictures:
            picture.thumbnail((self.side, self.side), Image.Resampling.BICUBIC)
        return pictures


def _label(index: int, pictures: list[Image.Image]) -> str:
    return f"picture {index + 1} of {len(pictures)}"


def _lines(mode: str, text: str) -> list[str]:
    if mode == "yes or no":
        return [" ".join(texts.lines(text)) or texts.QUESTION]
    found = texts.lines(text) or (texts.lines(texts.ASPECTS) if mode == "rubric" else [])
    if not found:
        raise ValueError("text must hold at least one question, one per line, got none")
    return found


def _columns(mode: str, lines: list[str]) -> tuple[str, ...]:
    """Names of what is measured; a rubric's are the words that the model is asked to use."""
    if mode == "yes or no":
        return ("P(yes)",)
    names = [line.split(":")[0].strip()[:NAME].strip() if mode == "rubric" else line[:NAME].strip() for line in lines]
    if mode != "rubric":
        return tuple(name if name not in names[:index] else f"{name} {index + 1}" for index, name in enumerate(names))
    plain = [re.sub(r"[\W_]+", "", name.casefold()) for name in names]
    for index, name in enumerate(names):
        if not plain[index] or any(plain[index] in other for place, other in enumerate(plain) if place != index):
            raise ValueError(f"aspects must have names that differ, none within another, got {name!r}")
    return tuple(names)
