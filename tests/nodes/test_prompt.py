"""The prompt is read from the graph, or the node says why it cannot be."""

import pytest

ENCODE = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["m", 1], "text": "a red fox"}}
NEGATIVE = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["m", 1], "text": "blurry"}}


@pytest.fixture
def trace(host):
    return host.part("nodes.host.graph.prompt_text").trace_prompt


@pytest.fixture
def trace_of_pictures(host):
    return host.part("nodes.host.graph.prompt_text").trace_prompt_of_pictures


def sampler(positive=("p", 0), negative=("n", 0), **inputs):
    return {
        "class_type": "NoiseSearch",
        "inputs": {"positive": list(positive), "negative": list(negative), "model": ["m", 0], **inputs},
    }


def test_the_text_of_the_positive_prompt_is_found(trace):
    assert trace({"s": sampler(), "p": ENCODE, "n": NEGATIVE}, "s", "positive").text == "a red fox"


def test_it_is_followed_through_guidance_and_controlnet_on_its_own_side(trace):
    control = {
        "class_type": "ControlNetApplyAdvanced",
        "inputs": {"positive": ["f", 0], "negative": ["n", 0], "image": ["i", 0]},
    }
    guidance = {"class_type": "FluxGuidance", "inputs": {"conditioning": ["p", 0], "guidance": 3.5}}
    graph = {"s": sampler(("c", 0), ("c", 1)), "c": control, "f": guidance, "p": ENCODE, "n": NEGATIVE}
    assert trace(graph, "s", "positive").text == "a red fox"
    assert trace(graph, "s", "negative").text == "blurry"


def test_it_is_followed_into_a_text_node_and_through_a_guider(trace):
    text = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "a red fox"}}
    encode = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["m", 1], "text": ["t", 0]}}
    guider = {
        "class_type": "CFGGuider",
        "inputs": {"model": ["m", 0], "positive": ["p", 0], "negative": ["n", 0], "cfg": 3.0},
    }
    setup = {"class_type": "SamplingSetupCustom", "inputs": {"guider": ["g", 0]}}
    assert trace({"s": setup, "g": guider, "p": encode, "t": text, "n": NEGATIVE}, "s", "guider").text == "a red fox"


def test_fields_of_one_encoder_are_views_of_one_prompt(trace):
    encode = {
        "class_type": "CLIPTextEncodeFlux",
        "inputs": {"clip": ["m", 1], "clip_l": "fox", "t5xxl": "a red fox in the snow", "guidance": 3.5},
    }
    assert trace({"s": sampler(), "p": encode}, "s", "positive").text == "a red fox in the snow"


def test_several_texts_are_not_chosen_between(trace):
    both = {"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["p", 0], "conditioning_2": ["n", 0]}}
    found = trace({"s": sampler(("b", 0)), "b": both, "p": ENCODE, "n": NEGATIVE}, "s", "positive")
    assert found.text == "" and "'a red fox'" in found.problem and "'blurry'" in found.problem


def test_text_that_is_made_while_running_is_named_as_the_reason(trace):
    writer = {"class_type": "SomeLanguageModel", "inputs": {"seed": 1, "topic": "foxes"}}
    encode = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["m", 1], "text": ["w", 0]}}
    found = trace({"s": sampler(), "p": encode, "w": writer}, "s", "positive")
    assert found.text == "" and "while the workflow runs" in found.problem


def test_a_graph_with_a_loop_ends(trace):
    loop = {"class_type": "Reroute", "inputs": {"value": ["a", 0]}}
    assert trace({"s": sampler(("a", 0)), "a": loop}, "s", "positive").text == ""


def test_without_a_graph_there_is_no_prompt(trace):
    assert trace(None, "s", "positive").text == ""


def test_pictures_know_the_prompt_of_the_sampler_behind_them(trace_of_pictures):
    graph = {
        "v": {"class_type": "VerifierScore", "inputs": {"images": ["d", 0]}},
        "d": {"class_type": "VAEDecode", "inputs": {"samples": ["s", 0], "vae": ["m", 2]}},
        "s": sampler(),
        "p": ENCODE,
        "n": NEGATIVE,
        "m": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x"}},
    }
    assert trace_of_pictures(graph, "v", "images").text == "a red fox"


def test_pictures_of_a_search_know_the_prompt_of_its_setup(trace_of_pictures):
    graph = {
        "v": {"class_type": "VerifierScore", "inputs": {"images": ["r", 1]}},
        "r": {"class_type": "RandomSearch", "inputs": {"sampling": ["s", 0], "noise": ["x", 0]}},
        "x": {"class_type": "RandomNoise", "inputs": {"noise_seed": 1}},
        "s": {**sampler(), "class_type": "SamplingSetup"}, "p": ENCODE, "n": NEGATIVE,
    }  # fmt: skip
    assert trace_of_pictures(graph, "v", "images").text == "a red fox"
