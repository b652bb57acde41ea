"""A prompt that nobody has written is told before pictures are made, and before what they are made with is loaded."""

import pytest
from noise_search.tests.nodes.graphs import BUDGET, KSAMPLER, MODEL, SOURCES

UPSTREAM = {"1", "clip", "idea", "text", "writer"}
REFUSED = "connect the output STRING of Enhancer (node writer), which goes into The scene (node text), to prompt"


class ReadsThePrompt:
    """Any judge that needs a prompt."""

    columns = ("likeness",)

    class card:
        name, range, spread, prompt, token_limit, cost, absolute = "Reader", "0 to 1", 0.1, True, None, "light", True

    @staticmethod
    def measure(images, prompt):
        return images.mean((1, 2, 3))[:, None]

    @staticmethod
    def combine(pool):
        return pool[:, 0]

    @staticmethod
    def count_tokens(prompt):
        return len(prompt.split())


class Clip:
    """A text encoder of the toy model, which knows one conditioning only."""

    def __init__(self, conditioning):
        self.conditioning = conditioning

    def tokenize(self, text):
        return text

    def encode_from_tokens_scheduled(self, tokens):
        return self.conditioning


@pytest.fixture
def written(host, judge):
    """A toy model whose prompt is written during the run, and a judge that reads prompts."""
    host.toys.VALUES |= {"idea": "a red fox", "clip": Clip(host.toys.conditioning("sd3", 1))}
    joined = {"string_a": ["idea", 0], "string_b": "in the snow", "delimiter": " "}
    return {
        "1": MODEL,
        "idea": {"class_type": "ToyValue", "inputs": {"name": "idea"}},
        "clip": {"class_type": "ToyValue", "inputs": {"name": "clip"}},
        "writer": {"class_type": "StringConcatenate", "inputs": joined, "_meta": {"title": "Enhancer"}},
        "text": {
            "class_type": "CLIPTextEncode",
            "inputs": {"clip": ["clip", 0], "text": ["writer", 0]},
            "_meta": {"title": "The scene"},
        },
        **judge(ReadsThePrompt()),
    }


def ran(result):
    return {data["node"] for data in result.named("executing")}


def drop_in(**inputs):
    sources = {**SOURCES, "positive": ["text", 0]}
    return {"search": {"class_type": "NoiseSearch", "inputs": {**sources, **KSAMPLER, **BUDGET, **inputs}}}


def keep(node, slot=0):
    return {"keep": {"class_type": "ToyKeep", "inputs": {"value": [node, slot], "name": "kept"}}}


def test_a_search_says_what_to_connect_before_the_model_that_writes_the_prompt_runs(host, written):
    result = host.run({**written, **drop_in(verifier=["v", 0]), **keep("search")})
    assert REFUSED in result.error
    assert not ran(result) & UPSTREAM
    assert "v" in ran(result)


def test_a_search_behind_a_setup_says_it_too(host, written):
    setup = {"class_type": "SamplingSetup", "inputs": {**SOURCES, "positive": ["text", 0], **KSAMPLER, "batch_size": 0}}
    search = {"class_type": "RandomSearch", "inputs": {"sampling": ["setup", 0], "verifier": ["v", 0], **BUDGET}}
    result = host.run({**written, "setup": setup, "search": search, **keep("search")})
    assert REFUSED in result.error
    assert not ran(result) & {*UPSTREAM, "setup"}


def test_a_second_judge_that_reads_the_prompt_says_it_too(host, written):
    result = host.run({**written, **drop_in(held_out=["v", 0]), **keep("search")})
    assert REFUSED in result.error
    assert not ran(result) & UPSTREAM


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("VerifierScore", {"verifier": ["v", 0], "prompt": ""}),
        ("HumanPick", {"verifier": ["v", 0], "prompt": "", "timeout": 0.0, "choice": "1"}),
        ("VerifierAgreement", {"verifiers.verifier0": ["v", 0], "prompt": "", "ranking": "1 2"}),
    ],
)
def test_nodes_that_judge_finished_pictures_say_it_before_the_pictures_are_made(host, written, kind, inputs):
    sampler = {name: value for name, value in {**SOURCES, "positive": ["text", 0]}.items() if name != "vae"}
    result = host.run(
        {
            **written,
            "sampler": {"class_type": "KSampler", "inputs": {**sampler, "seed": 5, **KSAMPLER}},
            "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": SOURCES["vae"]}},
            "judge": {"class_type": kind, "inputs": {"images": ["decode", 0], **inputs}},
            **keep("judge"),
        }
    )
    assert REFUSED in result.error
    assert not ran(result) & {*UPSTREAM, "sampler", "decode"}


def test_the_named_socket_connected_to_prompt_gives_scores(host, written):
    result = host.run({**written, **drop_in(verifier=["v", 0], prompt=["writer", 0]), **keep("search", 3)})
    assert result.ok, result.error


def test_without_a_judge_nothing_has_to_be_written(host, written):
    result = host.run({**written, **drop_in(), **keep("search")})
    assert result.ok, result.error
