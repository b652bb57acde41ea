"""A workflow of one's own in a benchmark: what is taken from it, and what is refused before anything runs."""

import json

import pytest

from bench.workflow import WorkflowError, bundled, from_file, read_prompts

LOADERS = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a castle"}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "blurry"}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "5": {"class_type": "LoadVerifier", "inputs": {"verifier": "v", "device": "auto"}},
}
SOURCES = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0], "vae": ["1", 2]}
KSAMPLER = {"steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
DROP_IN = {
    "class_type": "NoiseSearch",
    "inputs": {**SOURCES, **KSAMPLER, "seed": 1, "pictures": 4, "keep": 1, "verifier": ["5", 0]},
}
SETUP = {"class_type": "SamplingSetup", "inputs": {**SOURCES, **KSAMPLER, "batch_size": 0}}


def drop_in(without="", **inputs):
    found = {**DROP_IN["inputs"], **inputs}
    return {**DROP_IN, "inputs": {name: value for name, value in found.items() if name != without}}


@pytest.fixture
def file(tmp_path):
    def write(nodes):
        path = tmp_path / "my.json"
        path.write_text(nodes if isinstance(nodes, str) else json.dumps(nodes), encoding="utf-8")
        return path

    return write


def search_in(prompt, name):
    return prompt[name]["class_type"], prompt[name]["inputs"]


def test_a_drop_in_node_becomes_a_setup_that_any_search_can_run(file):
    workflow = from_file(
        file({**LOADERS, "9": DROP_IN, "10": {"class_type": "SaveImage", "inputs": {"images": ["9", 1]}}})
    )
    prompt = workflow.prompt(
        "a red circle", {"u": {"class_type": "RandomSearch", "inputs": {"seed": 1, "verifier": workflow.link()}}}
    )
    assert prompt["2"]["inputs"]["text"] == "a red circle" and prompt["3"]["inputs"]["text"] == "blurry"
    kind, inputs = search_in(prompt, "u")
    assert kind == "RandomSearch" and inputs["verifier"] == ["5", 0]
    assert prompt[inputs["sampling"][0]] == SETUP
    assert not {"9", "10"} & set(prompt)


def test_a_setup_with_its_search_node_keeps_its_own_verifier(file):
    search = {"class_type": "ZeroOrderSearch", "inputs": {"sampling": ["8", 0], "verifier": ["6", 0], "seed": 1}}
    nodes = {
        **LOADERS,
        "6": {"class_type": "VerifierSettings", "inputs": {"verifier": ["5", 0]}},
        "8": SETUP,
        "9": search,
    }
    workflow = from_file(file(nodes))
    assert workflow.sampling == ["8", 0] and workflow.link() == ["6", 0] and workflow.texts == ("2",)


def test_a_setup_alone_takes_the_only_verifier_that_no_other_one_takes_in(file):
    joined = {
        "class_type": "EnsembleVerifier",
        "inputs": {"verifiers.verifier0": ["5", 0], "combination": "mean rank", "weights": ""},
    }
    assert from_file(file({**LOADERS, "6": joined, "8": SETUP})).link() == ["6", 0]


def test_the_text_is_found_behind_other_conditioning_and_through_a_guider(file):
    guidance = {"class_type": "FluxGuidance", "inputs": {"conditioning": ["2", 0]}}
    guider = {"class_type": "BasicGuider", "inputs": {"model": ["1", 0], "conditioning": ["7", 0]}}
    setup = {
        "class_type": "SamplingSetupCustom",
        "inputs": {"guider": ["11", 0], "latent_image": ["4", 0], "vae": ["1", 2]},
    }
    assert from_file(file({**LOADERS, "7": guidance, "11": guider, "8": setup})).texts == ("2",)


def test_a_held_out_verifier_measures_every_picture_and_weighs_nothing(file):
    workflow = from_file(file({**LOADERS, "9": DROP_IN}), held_out="other")
    both = workflow.nodes[workflow.link()[0]]["inputs"]
    assert both["weights"] == "1, 0" and both["combination"] == "weighted sum"
    assert both["verifiers.verifier0"] == ["5", 0]
    assert workflow.nodes[both["verifiers.verifier1"][0]]["inputs"]["verifier"] == "other"


def test_other_texts_and_other_searches_leave_the_pool_valid_and_another_model_does_not():
    assert bundled().digest() == bundled().digest() != bundled(steps=5).digest()
    assert bundled().digest() != bundled("other.ckpt").digest()


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ("no json", "must be JSON"),
        ({"nodes": [], "links": []}, "must be in API format"),
        ({}, "must be in API format"),
        ({**LOADERS}, r"must hold one sampling setup \(or NoiseSearch node\), got none"),
        (
            {**LOADERS, "8": SETUP, "9": SETUP},
            r"must hold one sampling setup .* got SamplingSetup \(8\), SamplingSetup \(9\)",
        ),
        ({**LOADERS, "9": DROP_IN, "10": DROP_IN}, "must hold at most one search node"),
        (
            {name: node for name, node in {**LOADERS, "8": SETUP}.items() if name != "5"},
            "must hold one verifier, got none",
        ),
        ({**LOADERS, "8": SETUP, "6": LOADERS["5"]}, "must hold one verifier, got LoadVerifier"),
        ({**LOADERS, "9": drop_in(positive=["1", 0])}, "one CLIPTextEncode upstream of the positive input, got none"),
        ({**LOADERS, "9": drop_in(positive=["77", 0])}, "every link must lead to a node .* got one to 77"),
        ({**LOADERS, "9": drop_in(without="vae")}, "NoiseSearch must have vae"),
    ],
)
def test_a_workflow_that_cannot_be_searched_is_refused_with_the_reason(file, nodes, message):
    with pytest.raises(WorkflowError, match=message):
        from_file(file(nodes))


def test_prompts_are_lines_without_blanks_comments_and_repetitions(tmp_path):
    path = tmp_path / "my.txt"
    path.write_text("# mine\n\n a cat \na dog\na cat\n", encoding="utf-8")
    assert read_prompts(path) == ["a cat", "a dog"]
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(WorkflowError, match=r"my\.txt must hold at least one prompt, got none"):
        read_prompts(path)
