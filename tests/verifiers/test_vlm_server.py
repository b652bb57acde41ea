"""The judge behind a server, against servers that misbehave: never a wrong value, a repaired answer or a clear
error.
"""

import itertools
import json
import logging
import time
from email.utils import formatdate

import pytest
import torch
from noise_search.tests.verifiers.fake_server import (
    ASPECTS,
    Answer,
    brightness,
    likely,
    pictures_of,
    rubric,
    says,
    serving,
    text_of,
    token,
)
from noise_search.verifiers.vlm import VlmScore
from noise_search.verifiers.vlm_address import checked_url, key_for
from noise_search.verifiers.vlm_http import Line, ServerError
from noise_search.verifiers.vlm_reply import ReplyError
from noise_search.verifiers.vlm_server import ServerChat

GOOD = rubric(7.5, 6, 8, 9, 5)
SCORES = [7.5, 6.0, 8.0, 9.0, 5.0]
QUICK = {"pause": 0.01, "timeout": 5.0, "retries": 2}


def grey(*levels, size=(32, 48)):
    return torch.tensor(levels)[:, None, None, None].expand(-1, 3, *size).clone()


def judge(server, mode="yes or no", text="", model="tiny", **line):
    return VlmScore(ServerChat(server.url, model, Line(**{**QUICK, **line})), mode, text)


def by_brightness(body, number):
    return likely(brightness(pictures_of(body)[0]))


def measured(script, mode="rubric", count=1, **line):
    with serving(script) as server:
        return judge(server, mode, **line).measure(grey(*[0.5] * count), "a red cube"), server


def scripted(*answers):
    """Gives the answers in order, the last one for ever."""
    return lambda body, number: answers[min(number, len(answers) - 1)]


# Values


def test_the_probability_of_yes_is_read_from_the_tokens_of_each_picture():
    levels = [0.9, 0.1, 0.6, 0.3, 0.75]
    with serving(by_brightness) as server:
        values = judge(server).measure(grey(*levels), "a red cube")
        single = torch.cat([judge(server).measure(grey(level), "a red cube") for level in levels])
    assert values.shape == (5, 1) and values.dtype == torch.float32
    torch.testing.assert_close(values[:, 0], torch.tensor(levels), rtol=0, atol=0.01)
    assert torch.equal(values, single)
    assert 'Does this picture show "a red cube"?' in text_of(server.bodies()[0])


def test_questions_are_asked_of_every_picture_and_kept_apart():
    def script(body, number):
        level = brightness(pictures_of(body)[0])
        return likely(level if "bright" in text_of(body) else 1 - level)

    with serving(script) as server:
        verifier = judge(server, "questions", "- Is it bright?\n- Is it dark?\n\nIs {prompt} bright?")
        values = verifier.measure(grey(0.8, 0.3), "a red cube")
    assert verifier.columns == ("Is it bright?", "Is it dark?", "Is {prompt} bright?")
    torch.testing.assert_close(values, torch.tensor([[0.8, 0.2, 0.8], [0.3, 0.7, 0.3]]), rtol=0, atol=0.01)
    torch.testing.assert_close(verifier.combine(values), values.mean(1))


def test_a_rubric_gives_one_score_per_aspect_and_their_mean():
    values, server = measured(scripted(says(GOOD)))
    assert values.tolist() == [SCORES]
    schema = server.bodies()[0]["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == list(ASPECTS)
    assert all(list(aspect["properties"]) == ["explanation", "score"] for aspect in schema["properties"].values())


def test_pictures_are_sent_as_jpeg_of_the_right_content_and_size():
    images = torch.zeros(1, 3, 100, 2000)
    images[..., 1000:] = 1
    with serving(scripted(likely(0.5))) as server:
        judge(server).measure(images, "a red cube")
    (picture,) = pictures_of(server.bodies()[0])
    assert picture.format == "JPEG" and picture.size == (768, 38)
    assert picture.getpixel((10, 10)) < (5, 5, 5) and picture.getpixel((750, 10)) > (250, 250, 250)


def test_values_keep_the_order_of_the_pictures_when_answers_overtake_each_other():
    def script(body, number):
        level = brightness(pictures_of(body)[0])
        time.sleep(0.2 * (1 - level))
        return likely(level)

    levels = [0.1, 0.3, 0.5, 0.7, 0.9]
    with serving(script) as server:
        values = judge(server, parallel=3).measure(grey(*levels), "a red cube")
    torch.testing.assert_close(values[:, 0], torch.tensor(levels), rtol=0, atol=0.01)
    assert 2 <= server.most_at_once <= 3


def test_two_pictures_are_compared_in_both_orders_so_that_a_favoured_place_cancels_out():
    def script(body, number):
        first, second = map(brightness, pictures_of(body))
        return likely(0.5 + 0.2 + (first - second) / 4, ("A", "B"))  # 0.2 for being the first

    with serving(script) as server:
        chances = judge(server).compare(grey(0.9, 0.5, 0.1), grey(0.1, 0.5, 0.9), "a red cube")
    torch.testing.assert_close(chances, torch.tensor([0.7, 0.5, 0.3]), rtol=0, atol=0.01)
    assert chances[1] == pytest.approx(0.5, abs=1e-6)
    assert chances[0] + chances[2] == pytest.approx(1, abs=1e-6)
    assert "A for the first picture" in text_of(server.bodies()[0])


# Replies that are nearly right


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"<think>Accuracy to prompt: score 1, no, 2</think>\n{GOOD}",
        f"the template opened it. score: 3</think>{GOOD}",
        f"Here you are:\n{GOOD}\nIs that all?",
        GOOD.replace("7.5", '"7.5"').replace("6}", '"6/10"}'),
        GOOD.replace("Accuracy to prompt", "accuracy_to_prompt"),
        json.dumps({"result": json.loads(GOOD)}),
        f"{rubric(0, 0, 0, 0, 0)}\nNo, I correct myself:\n{GOOD}",
        GOOD[:-2],  # only the last brackets are missing
        GOOD.replace(', "score"', ' "score"'),  # a comma is missing
        "\n".join(f"**{name}**: Seen. Score: {score}/10" for name, score in zip(ASPECTS, SCORES)),
    ],
    ids=[
        "fence",
        "thoughts",
        "thoughts opened before",
        "chatter",
        "strings",
        "names",
        "nested",
        "twice",
        "brackets",
        "comma",
        "plain",
    ],
)
def test_a_reply_that_says_it_clearly_counts_however_it_is_wrapped(text):
    values, server = measured(scripted(says(text)))
    assert values.tolist() == [SCORES] and len(server.requests) == 1


@pytest.mark.parametrize(
    "first",
    [
        says(""),
        says(None),
        says("I cannot judge pictures."),
        says("<think>Accuracy to prompt: score: 1", "length"),
        says(GOOD[: GOOD.index('"score": 9')], "length"),
        says(rubric(7, 6, 8, 9, 10)[:-3], "length"),  # "1" of a 10
        says(GOOD.replace("7.5", "75")),
        says(GOOD.replace("7.5", "-1")),
        says(GOOD.replace("7.5", "7/5")),
        says(GOOD.replace("7.5", "true")),
        says(GOOD.replace("7.5", "NaN")),
        says(GOOD.replace("7.5", '"good"')),
        says(GOOD.replace('"score": 7.5', '"points": 7.5')),
        says("\n".join(f"{name}: score: 3, or rather score: {score}" for name, score in zip(ASPECTS, SCORES))),
        says(json.dumps(dict.fromkeys(ASPECTS[:4], 8))),
        says([{"type": "image_url"}]),
    ],
    ids=[
        "empty",
        "null",
        "refusal",
        "endless thoughts",
        "cut",
        "half a number",
        "above",
        "below",
        "of five",
        "boolean",
        "nan",
        "word",
        "no score",
        "two scores",
        "four of five",
        "no text",
    ],
)
def test_a_reply_that_cannot_be_used_is_asked_for_again_with_what_was_wrong(first):
    values, server = measured(scripted(first, says(GOOD)))
    assert values.tolist() == [SCORES]
    once, again = server.bodies()
    assert [message["role"] for message in again["messages"]] == ["user", "assistant", "user"]
    assert "That cannot be used" in again["messages"][2]["content"]
    assert again["max_tokens"] > once["max_tokens"]


def test_only_the_pictures_without_a_value_are_asked_for_again():
    def script(body, number):
        return says(GOOD) if brightness(pictures_of(body)[0]) > 0.5 or len(body["messages"]) > 1 else says("hm")

    with serving(script) as server:
        values = judge(server, "rubric").measure(grey(0.2, 0.9, 0.8), "a red cube")
    assert values.tolist() == [SCORES] * 3 and len(server.requests) == 4


def test_after_three_useless_replies_the_error_names_picture_and_server():
    with (
        serving(
            lambda body, number: says(GOOD) if brightness(pictures_of(body)[0]) > 0.5 else says("I like both.")
        ) as server,
        pytest.raises(ReplyError) as caught,
    ):
        judge(server, "rubric").measure(grey(0.9, 0.1), "a red cube")
    for part in ("picture 2 of 2", server.url, "tiny", "Accuracy to prompt"):
        assert part in str(caught.value)
    assert "I like both." not in str(caught.value)


# Probabilities


def chances(*answers, count=1):
    return measured(scripted(*answers), "yes or no", count=count)


def test_a_server_without_probabilities_is_asked_for_percentages_and_says_so(caplog):
    def script(body, number):
        if "percent" not in text_of(body):
            return says("Yes")
        return says(json.dumps({"explanation": "Seen.", "percent": 100 * round(brightness(pictures_of(body)[0]), 2)}))

    with serving(script) as server:
        verifier = judge(server)
        values = verifier.measure(grey(0.8, 0.3), "a red cube")
        again = verifier.measure(grey(0.3), "a red cube")
    torch.testing.assert_close(values[:, 0], torch.tensor([0.8, 0.3]), rtol=0, atol=0.01)
    assert torch.equal(again, values[1:]) and len(server.requests) == 1 + 2 + 1
    assert "asked for percentages" in caplog.text


def test_a_server_that_refuses_to_give_probabilities_is_asked_for_percentages():
    def script(body, number):
        if "logprobs" in body:
            return Answer({"error": {"message": "logprobs is not supported"}}, 400)
        return says('{"explanation": "Seen.", "percent": "40%"}') if "percent" in text_of(body) else says("No")

    values, _ = measured(script, "yes or no")
    assert values.tolist() == [[pytest.approx(0.4)]]


def test_probabilities_that_go_missing_later_are_an_error_and_never_mixed_with_percentages():
    with (
        serving(lambda body, number: likely(0.7) if number == 0 else says("No")) as server,
        pytest.raises(
            ReplyError,
            match="picture 2 of 2.*must answer yes or no with its token probabilities, but said something else",
        ),
    ):
        judge(server).measure(grey(0.5, 0.5), "a red cube")


def test_thoughts_before_the_answer_are_no_answer():
    tokens = [
        token("<think>"),
        token("No", No=0.9, Yes=0.1),
        token("</think>"),
        token("\n"),
        token(" yes", **{" yes": 0.8, " no": 0.1, "Yes": 0.1}),
    ]
    answer = says("<think>No</think>\n yes")
    answer.body["choices"][0]["logprobs"] = {"content": tokens}
    assert chances(answer)[0].tolist() == [[pytest.approx(0.9)]]


def test_thoughts_in_a_field_of_their_own_are_no_answer():
    answer = says("Yes", reasoning_content="No, wait")
    answer.body["choices"][0]["logprobs"] = {
        "content": [token("No", No=0.9, Yes=0.1), token(", wait"), token("Yes", Yes=0.6, No=0.2)]
    }
    assert chances(answer)[0].tolist() == [[pytest.approx(0.75)]]


def test_a_model_that_thinks_first_gets_room_for_it():
    def script(body, number):
        return likely(0.7) if body["max_tokens"] > 1000 else says("<think>Let me see", "length")

    with serving(script) as server:
        values = judge(server).measure(grey(0.5), "a red cube")
    assert values.item() == pytest.approx(0.7, abs=1e-6) and len(server.requests) == 2


@pytest.mark.parametrize(
    "listed",
    [{"Yes": 0.6}, {"Yes": 0.6, "Sure": 0.1}, {"Hm": 0.6, "Yes": 0.01, "No": 0.01}],
    ids=["one token", "no could be as likely as sure", "neither"],
)
def test_probabilities_that_do_not_tell_are_not_read_as_certainty(listed):
    word = next(iter(listed))
    answer = says(word)
    answer.body["choices"][0]["logprobs"] = {"content": [token(word, **listed)]}
    percents = says('{"explanation": "Seen.", "percent": 55}')
    with serving(lambda body, number: percents if "percent" in text_of(body) else answer) as server:
        assert judge(server).measure(grey(0.5), "a red cube").item() == pytest.approx(0.55)


def test_a_word_that_is_too_unlikely_to_be_listed_hardly_counts():
    answer = says("Yes")
    answer.body["choices"][0]["logprobs"] = {"content": [token("Yes", Yes=0.999, Sure=0.0005, Of=0.0001)]}
    assert chances(answer)[0].item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("broken", [[{"tok": 1}], [{"token": "Yes", "logprob": None}], "Yes", [None]])
def test_probabilities_in_another_form_are_not_guessed_at(broken):
    answer = says("Yes")
    answer.body["choices"][0]["logprobs"] = {"content": broken}
    percents = says('{"explanation": "Seen.", "percent": 20}')
    with serving(lambda body, number: percents if "percent" in text_of(body) else answer) as server:
        assert judge(server).measure(grey(0.5), "a red cube").item() == pytest.approx(0.2)


# Requests that a server does not take


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ("response_format", "json_schema is not supported"),
        ("chat_template_kwargs", "Unrecognized request argument supplied: chat_template_kwargs"),
        ("reasoning_effort", "reasoning_effort must be low or high"),
        ("temperature", "Unsupported value: temperature"),
        ("max_tokens", "Use max_completion_tokens instead of max_tokens"),
        ("response_format", "bad request"),
    ],
)
def test_what_a_server_refuses_is_left_out_from_then_on(refused, message):
    def script(body, number):
        return Answer({"error": {"message": message}}, 400) if refused in body else says(GOOD)

    with serving(script) as server:
        verifier = judge(server, "rubric")
        assert verifier.measure(grey(0.5), "a red cube").tolist() == [SCORES]
        proposed = len(server.requests)
        verifier.measure(grey(0.5, 0.6), "a red cube")
    assert proposed <= 6 and len(server.requests) == proposed + 2
    assert "logprobs" not in message


def test_json_objects_are_asked_for_where_schemas_are_not_taken():
    def script(body, number):
        return (
            Answer({"error": "json_schema?"}, 400)
            if body.get("response_format", {}).get("type") == "json_schema"
            else says(GOOD)
        )

    _, server = measured(script)
    assert server.bodies()[-1]["response_format"] == {"type": "json_object"}


def test_requests_in_flight_do_not_leave_out_more_than_one_part_for_one_reason():
    def script(body, number):
        time.sleep(0.05)
        return Answer({"error": "no such argument"}, 400) if "chat_template_kwargs" in body else says(GOOD)

    with serving(script) as server:
        judge(server, "rubric", parallel=4).measure(grey(*[0.5] * 4), "a red cube")
    assert server.bodies()[-1].keys() >= {"reasoning_effort", "seed", "response_format", "temperature"}


def test_a_request_that_is_refused_in_every_form_is_an_error_and_forgets_what_it_left_out():
    with serving(lambda body, number: Answer({"error": "picture too large"}, 400)) as server:
        verifier = judge(server, "rubric")
        with pytest.raises(ServerError, match="picture 1 of 1: tiny at .* takes no such request: status 400"):
            verifier.measure(grey(0.5), "a red cube")
        server.script = scripted(says(GOOD))
        verifier.measure(grey(0.5), "a red cube")
    assert "response_format" in server.bodies()[-1]


# Servers in trouble


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(b"busy", 429),
        Answer(b"busy", 429, {"Retry-After": "0.01"}),
        Answer(b"oh", 500),
        Answer(b"oh", 503, {"Retry-After": "soon"}),
        Answer(drop=True),
        Answer(b"<html>start page</html>", kind="text/html"),
        Answer(b'{"choices": ['),
        Answer(b"\xff\xfe\x00"),
        Answer(b""),
        Answer([1, 2]),
        Answer({"choices": []}),
        Answer({"choices": [{"text": "Yes"}]}),
        Answer({"error": {"message": "overloaded"}}),
    ],
    ids=[
        "429",
        "429 with pause",
        "500",
        "503",
        "dropped",
        "html",
        "cut json",
        "binary",
        "nothing",
        "list",
        "no choices",
        "no chat",
        "error in 200",
    ],
)
def test_a_server_in_trouble_is_asked_again(trouble):
    values, server = measured(scripted(trouble, trouble, says(GOOD)))
    assert values.tolist() == [SCORES] and len(server.requests) == 3


def test_json_of_a_wrong_content_type_is_still_json():
    answer = says(GOOD)
    answer.kind = "text/plain"
    assert measured(scripted(answer))[0].tolist() == [SCORES]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (Answer(b"busy", 429), "status 429"),
        (Answer(drop=True), "the connection failed"),
        (Answer(b"<html>start page</html>", kind="text/html"), "an answer of 23 characters that is no JSON"),
        (Answer(hang=True), "no answer within 0.2 seconds"),
    ],
)
def test_a_server_that_stays_in_trouble_is_an_error_that_says_what_came_back(trouble, reason):
    with serving(scripted(trouble)) as server, pytest.raises(ServerError) as caught:
        judge(server, "rubric", timeout=0.2, retries=1).measure(grey(0.5), "a red cube")
    assert reason in str(caught.value) and "picture 1 of 1" in str(caught.value) and server.url in str(caught.value)
    assert "2 attempts" in str(caught.value) and len(server.requests) == 2


def test_one_answer_that_never_comes_is_asked_for_again():
    values, _ = measured(scripted(Answer(hang=True), says(GOOD)), timeout=0.3)
    assert values.tolist() == [SCORES]


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "NOISE_SEARCH_API_KEY"), (403, "NOISE_SEARCH_API_HOST"), (404, "is the address right"), (302, "status 302")],
)
def test_what_asking_again_cannot_mend_is_an_error_at_once(status, hint):
    with (
        serving(scripted(Answer(b"no", status, {"Location": "http://127.0.0.1:1/"}))) as server,
        pytest.raises(ServerError, match=hint),
    ):
        judge(server, "rubric").measure(grey(0.5), "a red cube")
    assert len(server.requests) == 1


def test_no_server_at_all_is_an_error():
    with serving(scripted(says(GOOD))) as server:
        verifier = judge(server, "rubric", retries=0)
    with pytest.raises(ServerError, match="the connection failed"):
        verifier.measure(grey(0.5), "a red cube")


@pytest.mark.parametrize("in_words", [False, True], ids=["seconds", "date"])
def test_the_pause_that_a_server_asks_for_is_kept(in_words):
    def script(body, number):
        pause = formatdate(time.time() + 2, usegmt=True) if in_words else "0.5"
        return Answer(b"busy", 429, {"Retry-After": pause}) if number == 0 else says(GOOD)

    began = time.monotonic()
    measured(script)
    assert 0.4 < time.monotonic() - began < 4


def test_a_pause_of_an_hour_is_an_error_that_says_so():
    with pytest.raises(ServerError, match="asks to wait 3600 seconds"):
        measured(scripted(Answer(b"quota", 429, {"Retry-After": "3600"})))


def test_pauses_double():
    times = []

    def script(body, number):
        times.append(time.monotonic())
        return Answer(b"busy", 503) if number < 3 else says(GOOD)

    measured(script, pause=0.1, retries=3)
    pauses = [end - begin for begin, end in itertools.pairwise(times)]
    assert pauses[0] >= 0.1 and pauses[1] >= 0.2 and pauses[2] >= 0.4


# Cost and interruption


def test_a_run_makes_no_more_requests_than_allowed_and_the_next_run_starts_anew():
    run = ["first"]
    with serving(scripted(says(GOOD))) as server:
        verifier = judge(server, "rubric", most=3, run=lambda: run[0])
        verifier.measure(grey(0.5, 0.5), "a red cube")
        with pytest.raises(ServerError, match="has made its 3 requests"):
            verifier.measure(grey(0.5, 0.5), "a red cube")
        assert len(server.requests) <= 3
        run[0] = "second"
        verifier.measure(grey(0.5), "a red cube")


def test_attempts_count_as_requests():
    with pytest.raises(ServerError, match="has made its 2 requests"):
        measured(scripted(Answer(b"busy", 429)), most=2, retries=9)


def test_an_interrupt_ends_the_waiting_at_once():
    class Interrupt(Exception):
        pass

    began = time.monotonic()

    def check():
        if time.monotonic() - began > 0.3:
            raise Interrupt

    with serving(scripted(Answer(hang=True))) as server:
        with pytest.raises(Interrupt):
            judge(server, "rubric", timeout=60.0, check=check).measure(grey(*[0.5] * 8), "a red cube")
        assert time.monotonic() - began < 2
    assert len(server.requests) <= 4


def test_it_works_where_a_loop_is_already_running():
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    async def inside():
        return measured(scripted(says(GOOD)))[0]

    with ThreadPoolExecutor(1) as thread:  # the main one may have a loop already, of a browser test
        assert thread.submit(lambda: asyncio.run(inside())).result().tolist() == [SCORES]


# Addresses, models and keys


def test_a_server_with_one_model_needs_no_name():
    with serving(lambda body, number: says(GOOD) if body else Answer({"data": [{"id": "qwen"}]})) as server:
        verifier = VlmScore(ServerChat(server.url, "", Line(**QUICK)), "rubric")
        verifier.measure(grey(0.5), "a red cube")
    assert server.requests[0][0] == "/v1/models" and server.bodies()[1]["model"] == "qwen"


def test_a_server_with_several_models_names_them():
    with (
        serving(lambda body, number: Answer({"data": [{"id": "qwen"}, {"id": "llava"}]})) as server,
        pytest.raises(ServerError, match="model_name must be given.* has 2 models"),
    ):
        VlmScore(ServerChat(server.url, "", Line(**QUICK)), "rubric").measure(grey(0.5), "a red cube")


OWN = {"NOISE_SEARCH_API_HOST": "models.example, host, 192.168.1.7:8000"}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        (" http://127.0.0.1:11434/v1/ ", "http://127.0.0.1:11434/v1"),
        ("HTTP://LocalHost:1234/v1", "http://localhost:1234/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
        ("http://127.9.9.9/v1", "http://127.9.9.9/v1"),
        ("https://host/api/v1/chat/completions", "https://host/api/v1"),
        ("https://MODELS.example:443/v1", "https://models.example/v1"),
        ("http://192.168.1.7:8000/v1", "http://192.168.1.7:8000/v1"),
    ],
)
def test_addresses_are_understood_as_people_type_them(typed, meant):
    assert checked_url(typed, OWN) == meant


ODD = [
    "",
    "127.0.0.1:11434",
    "file:///etc/passwd",
    "http://user:secret@host/v1",
    "ftp://host",
    "http://127.1/v1",
    "http://0x7f.0.0.1/v1",
    "http://0x7f000001/v1",
    "http://2130706433/v1",
    "http://0177.0.0.1/v1",
    "http://127.0.0.1./v1",
    "http://127.0.0.01/v1",
    "http://[::ffff:127.0.0.1]/v1",
    "http://[0:0:0:0:0:0:0:1]/v1",
    "http://127.0.0.1@evil.example/v1",
    "http://127.0.0.1\\@evil.example/v1",
    "http://evil.example#@127.0.0.1/v1",
    "http://evil.example?@127.0.0.1/v1",
    "http://127。0。0。1/v1",
    "http://１27.0.0.1/v1",
    "http://127.0.0.1%2eevil.example/v1",
    "http://127.0.0.1:0/v1",
    "http://127.0.0.1:99999/v1",
    "http://127.0.0.1/v1/../../admin",
    "http://127.0.0.1/v1?x=1",
    "http://127.0.0.1/a\nb",
    "http:///v1",
    "//127.0.0.1/v1",
    "http://[::1/v1",
    "http://host../v1",
]


@pytest.mark.parametrize("typed", ODD)
def test_addresses_that_two_programs_may_read_in_two_ways_are_refused(typed):
    with pytest.raises(ValueError, match="base_url must be an address"):
        checked_url(typed, OWN)


@pytest.mark.parametrize(
    "typed",
    [
        "https://evil.example/v1",
        "https://api.openai.com/v1",
        "http://10.0.0.5:11434",
        "http://0.0.0.0:11434",
        "http://[fe80::1]/v1",
        "http://169.254.169.254/latest",
        "http://models.example.evil.example/v1",
        "http://evil-models.example/v1",
        "http://localhost.evil.example/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://192.168.1.7/v1",
        "http://192.168.1.7:8001/v1",
        "http://128.0.0.1/v1",
        "http://xn--fsq.example/v1",
    ],
)
def test_a_host_that_nobody_named_on_this_machine_is_refused(typed):
    with pytest.raises(
        ValueError, match="this machine or of a host that the environment variable NOISE_SEARCH_API_HOST names"
    ):
        checked_url(typed, OWN)


def test_the_key_goes_only_to_the_first_named_host_and_only_over_a_private_line():
    key = {"OPENAI_API_KEY": "secret", "NOISE_SEARCH_API_HOST": "api.openai.com, models.example"}
    assert key_for("https://api.openai.com/v1", key) == "secret"
    assert key_for("http://api.openai.com/v1", key) == ""
    assert key_for("https://models.example/v1", key) == ""
    assert key_for("https://api.openai.com.evil.example/v1", key) == ""
    assert key_for("http://127.0.0.1:8000/v1", key) == ""
    assert key_for("https://api.openai.com/v1", {"OPENAI_API_KEY": "secret"}) == ""
    assert (
        key_for("https://models.example/v1", {**OWN, "NOISE_SEARCH_API_KEY": "own", "OPENAI_API_KEY": "secret"})
        == "own"
    )
    assert (
        key_for("http://127.0.0.1:8000/v1", {"NOISE_SEARCH_API_KEY": "own", "NOISE_SEARCH_API_HOST": "127.0.0.1"})
        == "own"
    )


INSIDE = "INTERNAL-SECRET-TOKEN"


@pytest.mark.parametrize("model", ["tiny", ""], ids=["a model named", "the only model"])
@pytest.mark.parametrize("mode", ["rubric", "yes or no"])
@pytest.mark.parametrize(
    "answer",
    [
        *(
            Answer(INSIDE.encode(), status, {"Location": f"http://127.0.0.1:1/{INSIDE}"}, INSIDE)
            for status in (200, 302, 400, 401, 404, 500, 503)
        ),
        Answer({"error": INSIDE}),
        Answer({"data": [{"id": INSIDE}]}),
        Answer({"data": [{"id": INSIDE}, {"id": INSIDE}]}),
        says(INSIDE),
        says(f'{{"score": "{INSIDE}"}}'),
        Answer(b"", 429, {"Retry-After": INSIDE}),
    ],
)
def test_nothing_that_a_server_says_stands_in_an_error_or_in_the_log(caplog, answer, mode, model):
    """The address may be that of another program on this machine, and the error goes back to whoever queued the
    workflow.
    """
    with (
        caplog.at_level(logging.DEBUG),
        serving(scripted(answer)) as server,
        pytest.raises((ServerError, ReplyError)) as caught,
    ):
        verifier = judge(server, mode, retries=0, model=model)
        verifier.measure(grey(0.5), "a red cube")
    assert INSIDE not in str(caught.value) + caplog.text and INSIDE not in verifier.card.name


def test_a_proxy_of_the_environment_gets_nothing(monkeypatch):
    with serving(scripted(says(GOOD))) as proxy, serving(scripted(says(GOOD))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        judge(server, "rubric").measure(grey(0.5), "a red cube")
    assert server.requests and not proxy.requests


def test_the_key_is_sent_as_a_bearer_token_and_stays_out_of_errors():
    with serving(scripted(Answer(b"no", 401))) as server, pytest.raises(ServerError) as caught:
        judge(server, "rubric", key="secret").measure(grey(0.5), "a red cube")
    assert server.requests[0][1]["Authorization"] == "Bearer secret"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"parallel": 0}, "parallel must be at least 1, got 0"),
        ({"most": 0}, "most must be at least 1"),
        ({"timeout": 0}, "timeout must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        Line(**settings)
