"""Every verifier that Load Verifier offers, from files as people have them, in the real host."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.verifiers.tiny_clip import make_clip, write_folder
from noise_search.tests.verifiers.tiny_transformers import (
    write_classifier,
    write_clip,
    write_head,
    write_hps,
    write_image_reward,
    write_safety_checker,
    write_siglip,
    write_siglip_eye,
    write_timm_classifier,
)

PROMPT, OTHER = "a red cube", "the blue house"
OPENAI = "vit_large_patch14_clip_224.openai"


def laion(folder, library):
    write_folder(folder / OPENAI, make_clip(library).state_dict())
    write_head(folder / "sac+logos+ava1-l14-linearMSE.pth", "layers", (0, 2, 4, 6, 7), 16)


def laion_on_transformers(folder, library):
    write_clip(folder / "clip-vit-large-patch14")
    write_head(folder / "sac+logos+ava1-l14-linearMSE.pth", "layers", (0, 2, 4, 6, 7), 16)


def v2_5(folder, library):
    write_siglip(folder / "siglip-so400m-patch14-384")
    write_head(folder / "aesthetic_predictor_v2_5.pth", "scoring_head", (0, 2, 4, 6, 8), 32)


def v2_5_on_the_eye_alone(folder, library):
    write_siglip_eye(folder / "siglip-so400m-patch14-384", write_siglip(folder.parent / "whole"))
    shutil.rmtree(folder.parent / "whole")
    write_head(folder / "aesthetic_predictor_v2_5.pth", "scoring_head", (0, 2, 4, 6, 8), 32)


def named(name, write):
    return lambda folder, library: write(folder / name)


# what is written, the choice, the start of the verifier's name, whether it reads the prompt
CHECKPOINTS = {
    "open_clip": (
        lambda folder, library: write_folder(folder / "our", make_clip(library).state_dict()),
        "our",
        "CLIP score (our)",
        True,
    ),
    "transformers": (
        named("clip-vit-large-patch14", write_clip),
        "clip-vit-large-patch14",
        "CLIP score (clip-vit",
        True,
    ),
    "siglip": (named("siglip-base", write_siglip), "siglip-base", "CLIP score (siglip", True),
    "siglip2": (
        named("siglip2-base", lambda path: write_siglip(path, second=True)),
        "siglip2-base",
        "CLIP score (siglip2",
        True,
    ),
    "pickscore": (named("PickScore_v1", write_clip), "PickScore_v1", "PickScore", True),
    "hps 2.1": (
        lambda folder, library: write_hps(library, folder / "HPS_v2.1_compressed.pt"),
        "HPS_v2.1_compressed.pt",
        "HPSv2.1",
        True,
    ),
    "hps 2": (
        lambda folder, library: write_hps(library, folder / "HPS_v2_compressed.pt"),
        "HPS_v2_compressed.pt",
        "HPSv2",
        True,
    ),
    "imagereward": (named("ImageReward.pt", write_image_reward), "ImageReward.pt", "ImageReward", True),
    "laion": (laion, "sac+logos+ava1-l14-linearMSE.pth", "LAION aesthetic", False),
    "laion on transformers": (laion_on_transformers, "sac+logos+ava1-l14-linearMSE.pth", "LAION aesthetic", False),
    "v2.5": (v2_5, "aesthetic_predictor_v2_5.pth", "Aesthetic V2.5", False),
    "v2.5 on the eye alone": (v2_5_on_the_eye_alone, "aesthetic_predictor_v2_5.pth", "Aesthetic V2.5", False),
    "classifier": (named("nsfw_image_detection", write_classifier), "nsfw_image_detection", "safety (nsfw", False),
    "timm": (
        named("nsfw-image-detection-384", write_timm_classifier),
        "nsfw-image-detection-384",
        "safety (nsfw",
        False,
    ),
    "checker": (
        named("stable-diffusion-safety-checker", write_safety_checker),
        "stable-diffusion-safety-checker",
        "safety checker",
        False,
    ),
    "technical": (lambda folder, library: None, "technical quality", "technical quality", False),
    **{
        name: (lambda folder, library: None, name, name, False)
        for name in ("sharpness", "contrast", "saturation", "clipping", "JPEG size")
    },
}


def load(choice, **inputs):
    return {
        "load": {"class_type": "LoadVerifier", "inputs": {"verifier": choice, "device": "auto", **inputs}},
        "keep": {"class_type": "ToyKeep", "inputs": {"value": ["load", 0], "name": "verifier"}},
    }


def loaded(host, choice, **inputs):
    result = host.run(load(choice, **inputs))
    assert result.ok, result.error
    return result.kept["verifier"][0]


def choices(host):
    return host.call(lambda: host.part("nodes.host.judges.model_files").choices())


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_it_is_recognised_and_judges_in_the_host(host, folder, open_clip, name):
    write, choice, called, reads = CHECKPOINTS[name]
    write(folder, open_clip)
    assert choice in choices(host)
    verifier = loaded(host, choice)
    assert verifier.card.name.startswith(called) and verifier.card.prompt is reads
    # a little outside, as decoders give
    pictures = torch.rand(4, 40, 56, 3, generator=torch.Generator().manual_seed(1)) * 1.2 - 0.1
    for index, picture in enumerate(pictures):
        picture[: 4 * index] = 1.1
    values = host.call(lambda: verifier.measure(pictures, PROMPT))
    assert (
        values.shape == (4, len(verifier.columns)) and values.isfinite().all() and not torch.equal(values[0], values[1])
    )
    same = rounding(1e-4, values.abs().max().item())
    single = host.call(lambda: torch.cat([verifier.measure(picture[None], PROMPT) for picture in pictures]))
    torch.testing.assert_close(values, single, rtol=0, atol=same)
    order = [2, 0, 3, 1]
    torch.testing.assert_close(
        host.call(lambda: verifier.measure(pictures[order], PROMPT)), values[order], rtol=0, atol=same
    )
    other = host.call(lambda: verifier.measure(pictures, OTHER))
    assert torch.equal(values, other) is not reads
    alpha = torch.cat([pictures, torch.rand(4, 40, 56, 1)], dim=-1)
    torch.testing.assert_close(host.call(lambda: verifier.measure(alpha, PROMPT)), values, rtol=0, atol=same)
    grey = pictures[..., :1]
    as_colour = host.call(lambda: verifier.measure(grey.expand(-1, -1, -1, 3), PROMPT))
    torch.testing.assert_close(host.call(lambda: verifier.measure(grey, PROMPT)), as_colour, rtol=0, atol=same)


def test_what_needs_no_file_is_offered_before_what_is_missing(host, folder):
    found = choices(host)
    assert found[0] == "technical quality" and "JPEG size" in found
    missing = found[len([entry for entry in found if "missing" not in entry]) :]
    assert all("missing" in entry for entry in missing)
    for part in (
        "ImageReward.pt · missing: ImageReward.pt, 1.8 GB, Apache-2.0",
        "PickScore_v1 · missing: model.safetensors, 3.9 GB, no licence stated",
        "HPS_v2.1_compressed.pt · missing",
        "nsfw-image-detection-384 · missing: model.safetensors, 22.4 MB",
    ):
        assert any(entry.startswith(part) for entry in missing)


def test_the_tooltip_names_what_is_known_with_its_licence(host):
    import nodes

    tooltip = nodes.NODE_CLASS_MAPPINGS["LoadVerifier"].INPUT_TYPES()["required"]["verifier"][1]["tooltip"]
    for part in (
        "ImageReward.pt (ImageReward, human preference; Apache-2.0)",
        "v2_5.pth (Aesthetic V2.5; AGPL-3.0)",
        "technical quality",
    ):
        assert part in tooltip


def test_a_missing_head_asks_for_its_trunk_as_well(host, folder):
    error = host.run(load("aesthetic_predictor_v2_5.pth")).error
    trunk = ("siglip-so400m-patch14-384", "3.5 GB", "tokenizer.json", str(folder))
    for part in ("2.6 MB", "AGPL-3.0", "https://github.com/discus0434/", *trunk):
        assert part in error
    write_head(folder / "aesthetic_predictor_v2_5.pth", "scoring_head", (0, 2, 4, 6, 8), 32)
    error = host.run(load("aesthetic_predictor_v2_5.pth")).error
    assert "needs the image encoder it was trained on: siglip-so400m-patch14-384 not found" in error


def test_a_head_whose_trunk_is_of_another_width_is_an_error(host, folder, open_clip):
    laion(folder, open_clip)
    write_head(folder / "sac+logos+ava1-l14-linearMSE.pth", "layers", (0, 2, 4, 6, 7), 24)
    verifier = loaded(host, "sac+logos+ava1-l14-linearMSE.pth")
    with pytest.raises(ValueError, match=r"needs embeddings of 24 numbers, as CLIP ViT-L/14 gives, got \(16,\)"):
        host.call(lambda: verifier.measure(torch.rand(1, 30, 30, 3), ""))


@pytest.mark.parametrize("choice", ["technical quality", "aesthetic_predictor_v2_5.pth"])
def test_clip_vision_is_refused_where_it_would_not_do(host, folder, choice):
    v2_5(folder, None)
    host.toys.VALUES["vision"] = object()
    vision = {"vision": {"class_type": "ToyValue", "inputs": {"name": "vision"}}}
    assert (
        "clip_vision must be left unconnected" in host.run({**vision, **load(choice, clip_vision=["vision", 0])}).error
    )


def test_folders_of_other_models_are_not_offered_and_say_what_they_are(host, folder):
    (folder / "dinov2-base").mkdir()
    (folder / "dinov2-base" / "config.json").write_text(
        json.dumps({"model_type": "dinov2", "architectures": ["Dinov2Model"]})
    )
    assert "dinov2-base" not in choices(host)
    error = host.run(load("dinov2-base")).error
    assert "got a model of type dinov2" in error and "Reference Verifier" in error


def test_the_words_of_imagereward_are_not_offered_as_a_verifier(host, folder):
    write_image_reward(folder / "ImageReward.pt")
    (folder / "bert-base-uncased" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert choices(host)[0] == "ImageReward.pt" and "bert-base-uncased" not in choices(host)
    assert loaded(host, "ImageReward.pt").count_tokens("a red cube") == 3


def test_a_folder_with_the_files_of_both_packages_is_read_by_the_one_whose_weights_are_there(host, folder, open_clip):
    write_clip(folder / "both")
    (folder / "both" / "open_clip_config.json").write_text(json.dumps({"model_cfg": {}, "preprocess_cfg": {}}))
    assert loaded(host, "both").card.name == "CLIP score (both)"


def test_weights_of_transformers_without_their_folder_say_what_they_need(host, folder):
    write_clip(folder / "clip")
    shutil.move(folder / "clip" / "model.safetensors", folder / "pickscore.safetensors")
    shutil.rmtree(folder / "clip")
    assert "must lie in a folder with its config.json" in host.run(load("pickscore.safetensors")).error


def test_a_folder_elsewhere_is_opened_by_its_path(host, folder, tmp_path):
    write_clip(tmp_path / "PickScore_v1")
    assert loaded(host, "technical quality", path=str(tmp_path / "PickScore_v1")).card.name == "PickScore"


def test_a_repository_in_the_hubs_cache_is_opened_by_its_path(host, folder, tmp_path):
    repository = tmp_path / "models--yuvalkirstain--PickScore_v1"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a4e4367")
    (repository / "snapshots").mkdir()
    write_clip(repository / "snapshots" / "a4e4367")
    assert loaded(host, "technical quality", path=str(repository)).card.name == "PickScore"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("relative/clip", "must be a complete one"),
        ("//server/share", "must be a complete one"),
        ("/no/such/clip", "not found"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(host, folder, path, problem):
    assert problem in host.run(load("technical quality", path=path)).error


def test_licences_are_on_the_cards_of_known_weights(host, folder):
    write_siglip(folder / "siglip-so400m-patch14-384")
    assert loaded(host, "siglip-so400m-patch14-384").card.licence == "Apache-2.0"


def test_nothing_is_downloaded(host, folder, monkeypatch, tmp_path):
    import socket

    def refuse(*arguments, **keywords):
        raise AssertionError("a verifier opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for write in (write_clip, write_siglip, write_classifier):
        write(tmp_path / write.__name__)
        loaded(host, "technical quality", path=str(Path(tmp_path) / write.__name__))
