"""What is judged and shown of a latent is what the workflow around the search shows of it."""

from dataclasses import replace

import pytest
import torch
from noise_search.tests.families.matrix import FAMILIES, SETTINGS, Prompts, searching
from noise_search.tests.nodes.graphs import KSAMPLER, MODEL, drop_in, kept, run
from noise_search.tests.nodes.graphs import SOURCES as TOY

FRAMES = 5


def keep(**links):
    return {
        f"k {name}": {"class_type": "ToyKeep", "inputs": {"value": list(link), "name": name}}
        for name, link in links.items()
    }


def of(name, frames=FRAMES):
    one = next(one for one in FAMILIES if one.name == name)
    return replace(one, shapes=((one.shapes[0][0], frames, *one.shapes[0][2:]), *one.shapes[1:]))


@pytest.fixture(scope="module")
def wan(whole_host):
    return Prompts(whole_host, of("Wan 2.1"))


def trimmed(amount=1, behind="found"):
    trim = {"class_type": "TrimVideoLatent", "inputs": {"samples": [behind, 0], "trim_amount": amount}}
    decode = {"class_type": "VAEDecode", "inputs": {"samples": ["t", 0], "vae": ["vae", 0]}}
    return {"t": trim, "d": decode}


def found(prompts, *nodes, **inputs):
    search = searching("NoiseSearch", SETTINGS, **{"pictures": 1, **inputs})
    search["found"]["inputs"]["search"] = "random"
    result = prompts.run(*nodes, search, kept("found", "latent", "image", "score"))
    assert result.ok, result.error
    return {name: values[0] for name, values in result.kept.items()} | {"text": result.outputs["found"]["text"][0]}


def test_a_reference_frame_that_the_workflow_trims_is_neither_judged_nor_shown(wan):
    seen = found(wan, trimmed(), keep(shown=("d", 0)))
    assert seen["latent"]["samples"].shape[2] == FRAMES, "the workflow trims it"
    assert torch.equal(seen["image"], seen["shown"])
    assert seen["score"] == pytest.approx(seen["shown"].mean().item(), abs=1e-5)
    assert len(found(wan)["image"]) > len(seen["image"])


def test_a_number_of_frames_that_comes_by_a_link_is_read_or_asked_for(wan):
    number = {"n": {"class_type": "PrimitiveInt", "inputs": {"value": 2}}}
    seen = found(wan, number, trimmed(["n", 0]), keep(shown=("d", 0)))
    assert torch.equal(seen["image"], seen["shown"])
    wan.host.toys.VALUES["number"] = 2
    unknown = {"n": {"class_type": "ToyValue", "inputs": {"name": "number"}}}
    seen = found(wan, unknown, trimmed(["n", 0]), keep(shown=("d", 0)))
    assert "TrimVideoLatent (node t) cuts off frames" in seen["text"]
    assert "connect what goes into trim_amount to skip_first as well" in seen["text"]
    seen = found(wan, unknown, trimmed(["n", 0]), keep(shown=("d", 0)), skip_first=["n", 0])
    assert torch.equal(seen["image"], seen["shown"]) and "cuts off frames" not in seen["text"]


def test_frames_can_be_skipped_at_both_ends(wan):
    whole = found(wan)["image"]
    seen = found(wan, skip_first=1, skip_last=2)["image"]
    assert len(seen) == len(whole) * 2 // FRAMES
    # the tiny VAE looks at the whole clip for its brightness
    assert torch.allclose(seen, whole[2 : 2 + len(seen)], atol=0.1) and not torch.allclose(seen, whole[:4], atol=0.1)


def test_the_same_seeds_are_judged_anew_when_other_frames_are_skipped(host, sampled):
    """With the store, which has their latents and values of other frames."""
    judge = {"v": {"class_type": "LoadVerifier", "inputs": {"verifier": "sharpness"}}}
    video = {"1": {"class_type": "ToyModel", "inputs": {"family": "wan", "batch": 1}}}

    def score(count):
        search = drop_in(verifier=["v", 0], pictures=1, skip_first=count)
        return run(host, search, video, judge, kept("2", "score")).score

    scores = [score(count) for count in (0, 1, 0)]
    assert scores[0] == scores[2] != scores[1] and len(sampled) == 1, "sampled once"


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (
            {"skip_first": 3, "skip_last": 2},
            "skip_first and skip_last must leave at least one of the latent's 5 frames, got 3 and 2",
        ),
        ({"tile_size": 32}, "tile_size must be 0 or at least 64, got 32"),
    ],
)
def test_what_leaves_nothing_is_refused_before_anything_is_sampled(wan, inputs, told):
    result = wan.run(searching("NoiseSearch", SETTINGS, **inputs), kept("found", "latent"))
    assert told in result.error and wan.samplings == 0


def test_a_picture_has_no_frames_to_skip(whole_host):
    prompts = Prompts(whole_host, next(one for one in FAMILIES if one.name == "SD 1.5"))
    result = prompts.run(searching("NoiseSearch", SETTINGS, skip_last=1), kept("found", "latent"))
    assert "skip_last must be 0 or -1 where the latent has no frames, got 1" in result.error


def test_a_clip_of_which_one_frame_is_left_does_not_move(wan):
    motion = {"class_type": "LoadVerifier", "inputs": {"verifier": "temporal consistency"}}
    search = searching("NoiseSearch", SETTINGS, verifier=["m", 0], skip_first=FRAMES - 1)
    result = wan.run({"m": motion}, search, kept("found", "latent"))
    assert "must be used on videos" in result.error and wan.samplings == 0


def guided(host, count):
    """A clip with guide frames at the end, as LTXV Add Guide leaves it."""
    one = of("LTX Video")
    prompts, (_, frames, height, width) = Prompts(host, one), one.shapes[0]
    places = torch.zeros(1, 3, count * height * width, 2)
    places[:, 0, :, 1] = 1

    def with_guides(conditioning):
        return [[text, {**extra, "keyframe_idxs": places}] for text, extra in conditioning]

    mask = torch.ones(1, 1, frames, 1, 1)
    mask[:, :, -count:] = 0
    parts = {name: with_guides(getattr(prompts.parts, name)) for name in ("positive", "negative")}
    return Prompts(host, one, **parts, latent={**prompts.parts.latent, "noise_mask": mask})


@pytest.mark.parametrize("cropped", [True, False], ids=["cropped", "image output"])
def test_guide_frames_are_neither_judged_nor_shown(whole_host, cropped):
    prompts = guided(whole_host, 2)
    crop = {
        "class_type": "LTXVCropGuides",
        "inputs": {"positive": ["positive", 0], "negative": ["negative", 0], "latent": ["found", 0]},
    }
    decode = {"class_type": "VAEDecode", "inputs": {"samples": ["c", 2], "vae": ["vae", 0]}}
    seen = found(prompts, {"c": crop, "d": decode} if cropped else {}, keep(shown=("d", 0)) if cropped else {})
    assert seen["latent"]["samples"].shape[2] == FRAMES
    assert len(seen["image"]) == (FRAMES - 2) * 2, "the tiny VAE makes two frames of one"
    if cropped:
        assert torch.equal(seen["image"], seen["shown"])


def test_guide_frames_that_the_workflow_shows_are_shown(whole_host):
    prompts = guided(whole_host, 2)
    decode = {"class_type": "VAEDecode", "inputs": {"samples": ["found", 0], "vae": ["vae", 0]}}
    seen = found(prompts, {"d": decode}, keep(shown=("d", 0)))
    assert torch.equal(seen["image"], seen["shown"])


def test_frames_that_become_single_pictures_are_decoded_as_those(wan):
    """As Qwen-Image-Layered has it: its layers are frames of the latent, and no video."""
    cut = {"class_type": "LatentCutToBatch", "inputs": {"samples": ["found", 0], "dim": "t", "slice_size": 1}}
    decode = {"class_type": "VAEDecode", "inputs": {"samples": ["c", 0], "vae": ["vae", 0]}}
    seen = found(wan, {"c": cut, "d": decode}, keep(shown=("d", 0)))
    assert torch.allclose(seen["image"], seen["shown"], atol=1e-5)
    assert not torch.allclose(seen["image"], found(wan)["image"], atol=1e-3)


def test_a_frame_that_the_workflow_takes_out_of_the_clip_is_what_is_judged(wan):
    decode = {"class_type": "VAEDecode", "inputs": {"samples": ["found", 0], "vae": ["vae", 0]}}
    taken = {"class_type": "ImageFromBatch", "inputs": {"image": ["d", 0], "batch_index": -1, "length": 1}}
    seen = found(wan, {"d": decode, "i": taken}, keep(shown=("i", 0)))
    assert seen["image"].shape == seen["shown"].shape and torch.equal(seen["image"], seen["shown"])


TILED = {"tile_size": 64, "overlap": 16, "temporal_size": 64, "temporal_overlap": 8}


@pytest.fixture
def large(host):
    """A latent of several tiles, for the toy model."""
    host.toys.VALUES["large"] = {"samples": torch.zeros(1, 16, 24, 24)}
    return {"1": MODEL, "l": {"class_type": "ToyValue", "inputs": {"name": "large"}}}


def search(**inputs):
    budget = {"seed": 5, "pictures": 2, "minutes": 0.0, "keep": 2}
    return {
        "2": {"class_type": "NoiseSearch", "inputs": {**TOY, "latent_image": ["l", 0], **KSAMPLER, **budget, **inputs}}
    }


def decoder(kind, **settings):
    return {kind: {"class_type": kind, "inputs": {"samples": ["2", 0], "vae": ["1", 4], **settings}}}


def test_where_the_workflow_decodes_in_tiles_the_search_does(host, large):
    tiled = decoder("VAEDecodeTiled", **TILED)
    seen = run(host, large, search(), tiled, keep(image=("2", 1), shown=("VAEDecodeTiled", 0)))
    assert torch.equal(seen.image, seen.shown)
    whole = run(host, large, search(), decoder("VAEDecode"), keep(image=("2", 1), shown=("VAEDecode", 0)))
    assert torch.equal(whole.image, whole.shown) and not torch.equal(whole.image, seen.image)


def test_tiles_can_be_asked_for_where_the_workflow_does_not_decode(host, large):
    usual = decoder("VAEDecodeTiled", **{**TILED, "overlap": 64})
    expected = run(host, large, search(), usual, keep(shown=("VAEDecodeTiled", 0))).shown
    assert torch.equal(run(host, large, search(tile_size=64), kept("2", "image")).image, expected)


def test_a_decoder_behind_another_sampler_says_nothing_about_this_one(host, large):
    second = {"class_type": "KSampler", "inputs": {**TOY, "latent_image": ["2", 0], **KSAMPLER, "seed": 1}}
    second["inputs"].pop("vae")
    tiled = {"t": {"class_type": "VAEDecodeTiled", "inputs": {"samples": ["3", 0], "vae": ["1", 4], **TILED}}}
    seen = run(host, large, search(), {"3": second}, tiled, keep(image=("2", 1), shown=("t", 0)))
    whole = run(host, large, search(), kept("2", "image"))
    assert torch.equal(seen.image, whole.image)


GRAPH = {
    "s": {"class_type": "RandomSearch", "inputs": {}},
    "w": {"class_type": "ComfySwitchNode", "inputs": {"on_false": ["s", 0], "on_true": ["x", 0], "switch": False}},
    "v": {"class_type": "WanVaceToVideo", "inputs": {"reference_image": ["i", 0]}},
    "t": {"class_type": "TrimVideoLatent", "inputs": {"samples": ["w", 0], "trim_amount": ["v", 3]}},
    "a": {"class_type": "LTXVSeparateAVLatent", "inputs": {"av_latent": ["t", 0]}},
    "d": {"class_type": "VAEDecodeTiled", "inputs": {"samples": ["a", 0], "tile_size": 256}},
}


@pytest.fixture(scope="module")
def shown_by(host):
    return host.part("nodes.host.graph.downstream").shown_by


def test_the_way_to_the_decoder_leads_through_switches_and_streams(shown_by):
    shown = shown_by(GRAPH, "s")
    assert (shown.first, shown.tiles["tile_size"], shown.tiles["overlap"]) == (1, 256, 64)
    alone = {**GRAPH, "v": {"class_type": "WanVaceToVideo", "inputs": {}}}
    assert shown_by(alone, "s").first == 0, "no reference picture, nothing to trim"


@pytest.mark.parametrize(
    "change",
    [
        {"w": {"class_type": "ComfySwitchNode", "inputs": {"on_false": ["s", 0], "on_true": ["x", 0], "switch": True}}},
        {"a": {"class_type": "LTXVSeparateAVLatent", "inputs": {"av_latent": ["s", 5]}}},
        {"t": {"class_type": "SomethingElse", "inputs": {"samples": ["w", 0]}}},
        {"d": {"class_type": "VAEDecodeAudio", "inputs": {"samples": ["a", 0]}}},
    ],
    ids=["switched off", "another output", "an unknown node", "sound"],
)
def test_what_does_not_lead_to_a_picture_says_nothing(shown_by, change):
    assert shown_by({**GRAPH, **change}, "s") is None


def test_a_graph_that_goes_in_circles_comes_to_an_end(shown_by):
    circle = {
        "s": {"class_type": "RandomSearch", "inputs": {}},
        "t": {"class_type": "TrimVideoLatent", "inputs": {"samples": ["s", 0], "trim_amount": 1}},
        "w": {"class_type": "ComfySwitchNode", "inputs": {"on_false": ["t", 0], "switch": False}},
        "u": {"class_type": "TrimVideoLatent", "inputs": {"samples": ["u", 0]}},
    }
    assert shown_by(circle, "s") is None
