"""Videos in the real host: judged by the frames that the artist chose, or as a whole."""

import pytest
from noise_search.tests.families.matrix import FAMILIES, Prompts, searching
from noise_search.tests.nodes.graphs import Brightness, kept

SETTINGS = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
PLAIN = {"weight": 1.0, "gate": False, "floor": 0.0, "prompt": ""}
MOTION = {"judge": {"class_type": "LoadVerifier", "inputs": {"verifier": "temporal consistency", "device": "auto"}}}


@pytest.fixture(scope="module")
def wan(host):
    return Prompts(host, next(one for one in FAMILIES if one.name == "Wan 2.1"))


def settings(**inputs):
    return {"judge": {"class_type": "VerifierSettings", "inputs": {"verifier": ["verifier", 0], **PLAIN, **inputs}}}


def found(prompts, judge, search="NoiseSearch", **inputs):
    result = prompts.run(
        judge, searching(search, SETTINGS, verifier=["judge", 0], **inputs), kept("found", "image", "score", "trace")
    )
    assert result.ok, result.error
    return {name: values[0] for name, values in result.kept.items()} | {"text": result.outputs["found"]["text"][0]}


@pytest.fixture
def bright(host, monkeypatch):
    """The toy judge with a card that settings can be put on."""
    card = host.part("verifiers.base").Card("brightness", "0 to 1", 0.1, prompt=False)
    monkeypatch.setattr(Brightness, "card", card)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, lambda frames: frames.mean()),
        ({"frames": "worst"}, lambda frames: frames.min()),
        ({"frames": "last"}, lambda frames: frames[-1]),
        ({"frames": "mean", "judged_frames": 2}, lambda frames: (frames[0] + frames[-1]) / 2),
    ],
)
def test_the_frames_of_the_settings_are_judged(wan, bright, inputs, expected):
    result = found(wan, settings(**inputs))
    assert result["image"].shape[0] == 4
    assert result["score"] == pytest.approx(float(expected(result["image"].flatten(1).mean(1))), abs=1e-5)


@pytest.mark.parametrize("search", ["NoiseSearch", "SteeredSearch"])
def test_a_search_for_steady_motion_judges_whole_videos_and_finds_a_steadier_one(host, wan, search):
    result = found(wan, MOTION, search)
    motion = host.part("verifiers.motion").Motion("temporal consistency")
    assert result["score"] == pytest.approx(motion.measure_clips([result["image"].movedim(-1, 1)], "").item(), abs=1e-5)
    assert result["score"] >= result["trace"].scores[0] and len(set(result["trace"].scores)) > 1


def test_motion_can_be_the_held_out_judge_of_a_video(wan):
    held = {"held": MOTION["judge"]}
    result = found(wan, {**MOTION, **held}, held_out=["held", 0])
    assert "held out: temporal consistency" in result["text"]
    assert result["text"].count("likes a video best that does not move: put motion beside it") == 1


@pytest.mark.parametrize("name", ["SD 1.5", "Qwen-Image"])
def test_a_verifier_of_motion_is_refused_for_pictures_before_anything_is_sampled(host, name):
    prompts = Prompts(host, next(one for one in FAMILIES if one.name == name))
    result = prompts.run(MOTION, searching("NoiseSearch", SETTINGS, verifier=["judge", 0]), kept("found", "image"))
    assert (
        "temporal consistency must be used on videos, because it judges how they move, got a setup that makes pictures"
        in result.error
    )
    assert prompts.samplings == 0


def test_verifier_score_says_that_single_pictures_do_not_move(host):
    import torch

    host.toys.VALUES["images"] = torch.rand(3, 16, 16, 3)
    images = {"images": {"class_type": "ToyValue", "inputs": {"name": "images"}}}
    score = {
        "score": {
            "class_type": "VerifierScore",
            "inputs": {"images": ["images", 0], "verifier": ["judge", 0], "prompt": ""},
        }
    }
    keep = {"keep": {"class_type": "ToyKeep", "inputs": {"value": ["score", 5], "name": "best"}}}
    assert (
        "temporal consistency must be judged on whole videos from a search, got single pictures"
        in host.run({**MOTION, **images, **score, **keep}).error
    )
