"""Vision-language models that judge, in the real host: from a folder, behind a server, and two pictures against each
other.
"""

import threading
import time

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.nodes.test_verifier_nodes import Toy, bright, keep, pictures, score, value
from noise_search.tests.verifiers.fake_server import (
    Answer,
    brightness,
    likely,
    pictures_of,
    rubric,
    says,
    serving,
    text_of,
)
from noise_search.tests.verifiers.tiny_vlm import write_vlm
from noise_search.verifiers.vlm import VlmScore
from noise_search.verifiers.vlm_local import LocalChat

SERVER = "server (base_url)"


def vlm(name="load", **inputs):
    settings = {
        "mode": "yes or no",
        "model": SERVER,
        "text": "",
        "base_url": "http://127.0.0.1:9/v1",
        "model_name": "tiny",
        "path": "",
    }
    advanced = {
        "picture_size": 768,
        "parallel": 4,
        "timeout": 20.0,
        "retries": 0,
        "max_requests": 100,
        "device": "auto",
    }
    return {name: {"class_type": "VLMVerifier", "inputs": {**settings, **advanced, **inputs}}}


def judged(host, batch, *outputs, **inputs):
    nodes = {**vlm(**inputs), **value(host, "images", batch)}
    return nodes | score(*(outputs or ("scores",)), images=["images", 0], verifier=["load", 0])


def by_brightness(body, number):
    shown = [brightness(picture) for picture in pictures_of(body)]
    return likely(shown[0]) if len(shown) == 1 else likely(0.5 + (shown[0] - shown[1]) / 4, ("A", "B"))


def test_a_model_from_the_folder_judges_as_it_does_outside_the_host(host, folder):
    write_vlm(folder / "tiny vlm")
    batch = pictures()
    assert "tiny vlm" in host.call(lambda: host.part("nodes.host.judges.vlm").choices())
    result = host.run(judged(host, batch, model="tiny vlm"))
    assert result.ok, result.error
    expected = VlmScore(LocalChat.load(folder / "tiny vlm")).measure(batch.movedim(-1, 1), "a red cube")[:, 0]
    torch.testing.assert_close(
        torch.tensor(result.kept["scores"]), expected.sort(descending=True).values, rtol=0, atol=rounding(1e-4)
    )
    moved = host.run(judged(host, batch, path=str(folder / "tiny vlm")))
    assert moved.ok and moved.kept["scores"] == result.kept["scores"]


def test_a_model_of_the_folder_is_in_the_hosts_hands(host, folder):
    import comfy.model_management

    write_vlm(folder / "tiny vlm")
    nodes = judged(host, pictures(), model="tiny vlm") | keep("load", 0, "verifier")
    result = host.run(nodes)
    assert result.ok, result.error
    (verifier,) = result.kept["verifier"]
    assert any(loaded.model is verifier.patcher for loaded in comfy.model_management.current_loaded_models)


def test_a_missing_model_says_where_to_get_it(host, folder):
    error = host.run(judged(host, pictures(), model="Qwen3-VL-4B-Instruct")).error
    for part in ("https://huggingface.co/Qwen/Qwen3-VL-4B-Instruct", "8.9 GB", "Apache-2.0", str(folder)):
        assert part in error


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"base_url": "nonsense"}, "base_url must be an address"),
        ({"path": "relative/folder"}, "path must be a complete one"),
    ],
)
def test_an_address_or_path_that_cannot_be_is_refused_before_the_run(host, inputs, problem):
    result = host.run(judged(host, pictures(), **inputs))
    assert problem in result.error and result.node_errors


def test_a_server_judges_and_sees_the_traced_words_only(host):
    with serving(by_brightness) as server:
        nodes = judged(host, bright(0.2, 0.9, 0.5, size=(32, 32)), base_url=server.url)
        nodes["score"]["inputs"]["prompt"] = "a (red:1.2) cube <lora:thing:1>"
        result = host.run(nodes)
    assert result.ok, result.error
    assert result.kept["scores"] == pytest.approx([0.9, 0.5, 0.2], abs=0.01)
    assert '"a red cube"' in text_of(server.bodies()[0])


def test_a_rubric_lists_every_aspect_in_the_node(host):
    with serving(lambda body, number: says(rubric(7, 6, 8, 9, 5))) as server:
        result = host.run(judged(host, bright(0.5), base_url=server.url, mode="rubric"))
    assert result.ok, result.error
    assert result.kept["scores"] == [7.0]
    assert "Accuracy to prompt 7" in result.outputs["score"]["text"][0]


def test_a_server_that_fails_fails_the_node_and_names_the_picture(host):
    with serving(lambda body, number: Answer(b"oh", 500)) as server:
        error = host.run(judged(host, bright(0.5), base_url=server.url)).error
    assert "picture 1 of 1" in error and server.url in error and "status 500" in error


def test_cancel_does_not_wait_for_the_server(host):
    with serving(lambda body, number: Answer(hang=True)) as server:
        timer = threading.Timer(1.0, host.interrupt)
        timer.start()
        began = time.monotonic()
        result = host.run(judged(host, bright(*[0.5] * 6), base_url=server.url, timeout=60.0))
        timer.join()
    assert not result.ok and time.monotonic() - began < 15


def test_requests_are_counted_per_run(host):
    with serving(by_brightness) as server:
        for level in (0.3, 0.6):  # the same verifier from the host's cache, other pictures
            result = host.run(
                judged(host, bright(level, level, level), base_url=server.url, max_requests=3), keep_cache=True
            )
            assert result.ok, result.error
        refused = host.run(
            judged(host, bright(0.1, 0.2, 0.3, 0.4), base_url=server.url, max_requests=3), keep_cache=True
        )
    assert "has made its 3 requests" in refused.error


# PairwiseFinal


def final(host, url, **inputs):
    nodes = {**vlm("judge", base_url=url), **value(host, "toy", Toy(0))}
    settings = {"verifier": ["toy", 0], "judge": ["judge", 0], "finalists": 3, "question": "", **inputs}
    return {**nodes, "final": {"class_type": "PairwiseFinal", "inputs": settings}, **keep("final", 0, "verifier")}


def test_the_best_meet_in_a_knockout_after_the_search(host):
    with serving(by_brightness) as server:
        result = host.run(final(host, server.url))
        assert result.ok, result.error
        (verifier,) = result.kept["verifier"]
        assert verifier.finalists == 3 and verifier.columns == ("channel 0",)
        order = host.call(lambda: verifier.knockout(bright(0.2, 0.5, 0.9, size=(32, 32)), "a (red:1.2) cube"))
    assert order[0] == 2 and sorted(order) == [0, 1, 2] and len(server.requests) == 4
    assert 'made for this prompt: "a red cube"' in text_of(server.bodies()[0])


def test_during_the_search_the_other_verifier_judges_as_if_alone(host):
    with serving(by_brightness) as server:
        nodes = final(host, server.url) | value(host, "images", bright(0.2, 0.9, 0.5))
        result = host.run(nodes | score("scores", images=["images", 0], verifier=["final", 0]))
        assert result.ok, result.error
        assert result.kept["scores"] == pytest.approx([0.9, 0.5, 0.2]) and not server.requests


def test_frames_in_the_middle_stand_for_videos(host):
    videos = torch.stack([bright(0.9, 0.1, 0.9, size=(32, 32)), bright(0.1, 0.9, 0.1, size=(32, 32))])
    with serving(by_brightness) as server:
        (verifier,) = host.run(final(host, server.url)).kept["verifier"]
        assert host.call(lambda: verifier.knockout(videos, "a red cube")) == [1, 0]


def test_a_judge_that_cannot_compare_is_refused(host):
    nodes = final(host, "http://127.0.0.1:9/v1", judge=["toy", 0])
    assert "judge must be able to compare two pictures, as VLM Verifier is, got channel 0" in host.run(nodes).error


BEHIND = {
    "EnsembleVerifier": (
        {"verifiers.verifier0": ["final", 0], "combination": "mean rank", "weights": ""},
        "an ensemble",
    ),
    "VerifierSettings": (
        {"verifier": ["final", 0], "weight": 1.0, "gate": False, "floor": 0.0, "prompt": ""},
        "settings or final",
    ),
    "PairwiseFinal": (
        {"verifier": ["final", 0], "judge": ["judge", 0], "finalists": 2, "question": ""},
        "settings or final",
    ),
}


@pytest.mark.parametrize("kind", BEHIND)
def test_a_node_behind_it_would_lose_the_final_and_is_refused(host, kind):
    inputs, within = BEHIND[kind]
    nodes = final(host, "http://127.0.0.1:9/v1") | {"behind": {"class_type": kind, "inputs": inputs}}
    error = host.run(nodes | keep("behind", 0, "verifier")).error
    assert "a pairwise final must come last, right before the search, got channel 0, final by VLM yes or no" in error
    assert within in error


# the picture before


def changed_by_order(body, number):
    """Finds the order carried out where the second picture is brighter, and the rest kept where it is not white."""
    before, after = (brightness(picture) for picture in pictures_of(body))
    return likely(0.9 if "carried out" in text_of(body) and after > before else 0.9 - after / 2)


def edit(host, url, *outputs, **inputs):
    """An editing model's picture, judged; its prompt is an order."""
    before = value(host, "before", bright(0.1, size=(48, 32)))
    nodes = judged(host, bright(0.2, 0.9, size=(32, 32)), *outputs, base_url=url, **inputs) | before
    nodes["score"]["inputs"] |= {"images": ["sampler", 0], "prompt": ""}
    encoder = {"prompt": "Make the kettle blue.", "clip": ["images", 0], "image": ["before", 0]}
    sampler = {"value": ["images", 0], "positive": ["encoder", 0]}
    nodes["encoder"] = {"class_type": "TextEncodeQwenImageEdit", "inputs": encoder}
    return nodes | {"sampler": {"class_type": "Passes", "inputs": sampler}}


@pytest.fixture
def passes(host, monkeypatch):
    """A sampler of another pack, which gives what the test put there."""
    import nodes

    class Passes:
        CATEGORY, FUNCTION, RETURN_TYPES = "tests", "give", ("IMAGE",)

        @classmethod
        def INPUT_TYPES(cls):
            return {"required": {"value": ("IMAGE",)}, "optional": {"positive": ("CONDITIONING", {"lazy": True})}}

        def give(self, value, positive=None):
            return (value,)

    host.load_all_nodes()
    monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, "Passes", Passes)


def test_the_picture_before_is_shown_to_the_model_and_the_order_needs_no_other_words(host, passes):
    with serving(changed_by_order) as server:
        result = host.run(edit(host, server.url, picture_before=["before", 0]))
    assert result.ok, result.error
    assert len(server.requests) == 4
    assert '"Make the kettle blue."' in text_of(server.bodies()[0])
    assert "order to change a picture" not in result.outputs["score"]["text"][0]


def test_a_judge_of_descriptions_says_once_that_the_prompt_is_an_order(host, passes):
    with serving(by_brightness) as server:
        result = host.run(edit(host, server.url))
        assert result.ok, result.error
        shown = result.outputs["score"]["text"][0]
        assert shown.count("The prompt seems to be an order to change a picture") == 1
        assert "type what the picture should show into prompt, or judge with VLM Verifier" in shown
        typed = edit(host, server.url)
        typed["score"]["inputs"]["prompt"] = "a blue kettle on a table"
        result = host.run(typed)
    assert result.ok, result.error
    assert "order to change a picture" not in result.outputs["score"]["text"][0]
