"""Searches that are over and wait until the artist says which of their pictures go on."""

import threading
from collections.abc import Sequence
from typing import Any

from ....search.trace import Trace, Trial
from ..engine.choosing import Chosen
from .live import Live
from .question import POLL, WHY, Answer, Question

UNANSWERED = "wait for me: {}. The search's own winner went on."


class AskArtist:
    """Asks the pages that show a search, as Human Pick asks those that show its gallery.

    Args:
        hidden: The node's hidden inputs.
        live: The search.
        minutes: How long to wait, 0 = as long as a page that shows it is open.
        most: How many pictures may leave the node.
    """

    def __init__(self, hidden: Any, live: Live, minutes: float, most: int):
        self.hidden, self.live, self.minutes, self.most = hidden, live, minutes, most

    def __call__(self, trace: Trace, winners: Sequence[Trial]) -> Chosen:
        answered = threading.Event()
        own = Answer(tuple(trial.id for trial in winners), "search")
        question = Question(self.hidden, str(self.hidden.unique_id), self.live.audience, own, answered.set)
        answer = self.wait(question, answered) if question.can_be_asked() else question.unasked("alone")
        if answer.by == "artist":
            return Chosen(answer.picked)
        return Chosen(note="" if answer.why == "left" else UNANSWERED.format(WHY[answer.why]))

    def wait(self, question: Question, answered: threading.Event) -> Answer:
        question.begin(self.minutes)
        try:
            self.live.ask(question, self.most)
            while question.waits():
                answered.wait(POLL)
        finally:
            if question.status == "waiting":
                question.cancel()
        return question.answer
