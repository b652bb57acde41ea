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
    """Of 0.99 yes and 0.004 maybe, 0.006 is left over: no has at most 0.004, the least that is listed, and is taken to
    have half of that.
    """
    listed = {"Yes": 0.99, "maybe": 0.004}
    token = {
        "token": "Yes",
        "logprob": math.log(0.99),
        "top_logprobs": [{"token": word, "logprob": math.log(mass)} for word, mass in listed.items()],
    }
    assert chance([token], "Yes", ("yes", "no")) == pytest.approx(0.99 / (0.99 + 0.002))
    assert chance([token], "Yes", ("no", "yes")) == pytest.approx(0.002 / (0.99 + 0.002))


BEFORE = torch.rand(1, 3, 40, 24, generator=torch.Generator().manual_seed(2))


def test_the_picture_before_is_shown_first_and_both_halves_of_an_edit_are_asked_for():
    chat = Listener()
    verifier = VlmScore(chat, before=BEFORE)
    assert verifier.measure(PICTURES, 'remove the "sale" sign').shape == (2, 2)
    assert [len(ask.pictures) for ask in chat.asked] == [2] * 4
    assert {ask.pictures[0].size for ask in chat.asked} == {(24, 40)}
    assert {ask.pictures[1].size for ask in chat.asked} == {(48, 32)}
    done, kept = chat.asked[0].text, chat.asked[2].text
    assert "The order was: \"remove the 'sale' sign\". Does the second picture show it carried out?" in done
    assert "is the second picture the same as the first" in kept
    assert verifier.columns == ("P(order carried out)", "P(rest kept)")


def test_an_edit_that_did_only_one_half_is_worth_little():
    pool = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.8, 0.8]])
    scores = VlmScore(Listener(), before=BEFORE).combine(pool)
    torch.testing.assert_close(scores, torch.tensor([0.0, 0.0, 0.64]))


def test_an_own_question_about_an_edit_gets_both_pictures_and_is_the_score():
    chat = Listener()
    verifier = VlmScore(chat, "yes or no", "Is the second kettle blue?", before=BEFORE)
    assert verifier.measure(PICTURES, "make it blue").shape == (2, 1)
    assert "The first picture is what was there before." in chat.asked[0].text
    assert verifier.columns == ("P(yes)",)


def test_an_edits_rubric_has_aspects_of_its_own():
    verifier = VlmScore(Listener(), "rubric", before=BEFORE)
    assert verifier.columns == ("Order carried out", "Rest kept", "Visual quality and realism")


def test_two_edits_are_compared_beside_the_picture_before_in_both_orders():
    chat = Listener()
    VlmScore(chat, before=BEFORE).compare(PICTURES[:1], PICTURES[1:], "make it blue")
    first, turned = chat.asked
    assert first.pictures[0].tobytes() == turned.pictures[0].tobytes()
    assert [picture.tobytes() for picture in first.pictures[1:]] == [
        picture.tobytes() for picture in turned.pictures[:0:-1]
    ]
    assert "A for the second picture, B for the third" in first.text


def test_values_of_one_picture_before_are_not_used_for_another():
    keys = {VlmScore(Listener(), before=before).key() for before in (None, BEFORE, BEFORE / 2)}
    assert len(keys) == 3


def test_several_pictures_before_are_refused():
    with pytest.raises(ValueError, match="picture_before must be one picture, got 2"):
        VlmScore(Listener(), before=PICTURES)
