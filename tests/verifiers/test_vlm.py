"""What is asked of a vision-language model, and what becomes of its answers."""

import math

import pytest
import torch
from noise_search.verifiers.vlm import VlmScore
from noise_search.verifiers.vlm_chance import chance
from noise_search.verifiers.vlm_reply import Reply, ReplyError, marks


class Listener:
    """Notes what it is asked and finds everything even."""

    name, modules = "listener", ()

    def __init__(self):
        self.asked, self.options = [], ()

    def chances(self, asks, options):
        self.asked, self.options = list(asks), options
        return [0.5] * len(asks)


PICTURES = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))


def test_the_prompt_stands_in_the_question_and_cannot_end_its_quotation():
    chat = Listener()
    VlmScore(chat).measure(PICTURES, 'a sign that says "open"')
    assert chat.asked[0].text.splitlines()[0] == "Does this picture show \"a sign that says 'open'\"?"
    assert chat.options == ("yes", "no")


@pytest.mark.parametrize(("text", "reads"), [("", True), ("Is there a cat?", False), ("Is {prompt} there?", True)])
def test_the_card_says_whether_the_prompt_is_read(text, reads):
    verifier = VlmScore(Listener(), "yes or no", text)
    assert verifier.card.prompt is reads and (verifier.count_tokens("a red cube") is not None) is reads


def test_braces_of_a_question_stay_as_they_are():
    chat = Listener()
    VlmScore(chat, "yes or no", "Does it say {open} or {0}?").measure(PICTURES, "a sign")
    assert chat.asked[0].text.startswith("Does it say {open} or {0}?")


def test_a_question_for_two_can_be_the_artists_own():
    chat = Listener()
    VlmScore(chat).compare(PICTURES, PICTURES, "a hand", "Which has the better {prompt}?")
    assert chat.asked[0].text.startswith("Which has the better a hand?") and len(chat.asked) == 4


def test_an_edited_rubric_names_its_own_columns():
    verifier = VlmScore(Listener(), "rubric", "Hands: five fingers each\n* Light: soft")
    assert verifier.columns == ("Hands", "Light") and verifier.card.range == "scores, 0 to 10"


def test_questions_that_begin_alike_have_columns_of_their_own():
    question = "Is there exactly one cat on the red sofa, {}?"
    verifier = VlmScore(Listener(), "questions", question.format("asleep") + "\n" + question.format("awake"))
    assert len(set(verifier.columns)) == 2


@pytest.mark.parametrize(
    ("mode", "text", "problem"),
    [
        ("questions", " \n", "text must hold at least one question"),
        ("rubric", "Light\nlight: soft", "names that differ"),
        ("rubric", "quality: fine\nvisual quality: finer", "none within another"),
        ("pairs", "", "mode must be one of yes or no, questions, rubric, got pairs"),
    ],
)
def test_what_cannot_be_asked_is_refused(mode, text, problem):
    with pytest.raises(ValueError, match=problem):
        VlmScore(Listener(), mode, text)


def test_a_name_that_comes_up_in_an_explanation_is_not_taken_for_its_score():
    broken = '{"Hands": {"explanation": "Light: dim", "score": 3}, "Light": {"explanation": "soft", "score": 8'
    with pytest.raises(ReplyError):
        marks(Reply(broken, cut=True), ["Hands", "Light"], 10)
    with pytest.raises(ReplyError, match="more than one thing of Light"):
        marks(Reply(broken), ["Hands", "Light"], 10)


@pytest.mark.parametrize("end", ["", "/1", ".", ",5", "5"])
def test_every_beginning_of_a_reply_gives_its_own_scores_or_none(end):
    whole = '{"Hands": {"explanation": "fine", "score": 7.5}, "Light": {"explanation": "soft", "score": 10}}'
    for length in range(len(whole)):
        try:
            found = marks(Reply(whole[:length], cut=True), ["Hands", "Light"], 10)
        except ReplyError:
            continue
        assert found == [7.5, 10.0]
    with pytest.raises(ReplyError):
        marks(Reply(f"Hands: 7\nLight: 8{end}", cut=True), ["Hands", "Light"], 10)


def test_a_word_that_is_not_listed_has_half_of_what_it_may_have():
    """Of 0.99 yes and 0.004 maybe, 0.006 is left over: no has at most 0.004, the least that is listed, and is taken to have half of that."""
    listed = {"Yes": 0.99, "maybe": 0.004}
    token = {"token": "Yes", "logprob": math.log(0.99), "top_logprobs": [{"token": word, "logprob": math.log(mass)} for word, mass in listed.items()]}
    assert chance([token], "Yes", ("yes", "no")) == pytest.approx(0.99 / (0.99 + 0.002))
    assert chance([token], "Yes", ("no", "yes")) == pytest.approx(0.002 / (0.99 + 0.002))
