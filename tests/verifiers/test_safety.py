import pytest
import torch
from noise_search.tests.verifiers.test_transformers_clip import processor_of
from noise_search.tests.verifiers.tiny_transformers import (
    write_classifier,
    write_safety_checker,
    write_timm_classifier,
    write_weights,
)
from noise_search.verifiers.images import bytes_of
from noise_search.verifiers.safety import SafetyChecker, SafetyScore
from noise_search.verifiers.weights import WeightsError
from PIL import Image


def pictures(images):
    return [Image.fromarray(picture) for picture in bytes_of(images).numpy()]


def test_safety_is_one_minus_the_chance_that_transformers_gives(tmp_path, images):
    model = write_classifier(tmp_path / "nsfw")
    pixels = torch.as_tensor(processor_of(tmp_path / "nsfw")(pictures(images), return_tensors="np")["pixel_values"])
    expected = 1 - model(pixel_values=pixels).logits.softmax(-1)[:, 1:]
    torch.testing.assert_close(SafetyScore.load(tmp_path / "nsfw").measure(images, ""), expected, rtol=0, atol=1e-6)
    assert expected.std() > 0.001


def test_a_classifier_of_timm_sees_what_timm_would_show_it(tmp_path, images):
    import timm

    model = write_timm_classifier(tmp_path / "nsfw")
    transform = timm.data.create_transform(
        (3, 28, 28), interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3, crop_pct=1.0, crop_mode="center"
    )
    pixels = torch.stack([transform(picture) for picture in pictures(images)])
    verifier = SafetyScore.load(tmp_path / "nsfw")
    assert torch.equal(verifier.pixels(images), pixels)
    torch.testing.assert_close(verifier.measure(images, ""), model(pixels).softmax(-1)[:, 1:], rtol=0, atol=1e-6)


def test_several_unsafe_classes_are_added_up(tmp_path, images):
    write_classifier(tmp_path / "nsfw", labels=("drawing", "Hentai", "neutral", "Porn"))
    verifier = SafetyScore.load(tmp_path / "nsfw")
    assert verifier.unsafe == [1, 3]
    chances = verifier.modules[0](verifier.pixels(images)).logits.softmax(-1)
    torch.testing.assert_close(verifier.measure(images, "")[:, 0], chances[:, 0] + chances[:, 2], rtol=0, atol=1e-6)


def test_a_classifier_of_something_else_is_refused_by_its_classes(tmp_path):
    write_classifier(tmp_path / "pets", labels=("cat", "dog"))
    with pytest.raises(WeightsError, match="pets must have classes such as nsfw and normal, got cat, dog"):
        SafetyScore.load(tmp_path / "pets")


@pytest.mark.parametrize("write", [write_classifier, write_timm_classifier, write_safety_checker])
@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_weights_are_loaded_completely_or_not_at_all(tmp_path, write, change):
    state = dict(write(tmp_path / "safety").state_dict())
    if change == "missing":
        key = next(
            key
            for key in state
            if key.endswith("norm1.weight") or "layernorm_before.weight" in key or "layer_norm1.weight" in key
        )
        del state[key]
    else:
        state["extra.weight"] = torch.zeros(1)
    for file in (tmp_path / "safety").glob("*.bin"):
        file.unlink()
    write_weights(tmp_path / "safety", state)
    load = SafetyChecker.load if write is write_safety_checker else SafetyScore.load
    with pytest.raises(WeightsError, match=f"1 {change}"):
        load(tmp_path / "safety")


def test_the_checker_of_stable_diffusion_blacks_out_what_it_blacked_out(tmp_path, images):
    model = write_safety_checker(tmp_path / "checker")
    model.concept_embeds_weights.fill_(0.35), model.special_care_embeds_weights.fill_(0.3)
    write_weights(tmp_path / "checker", model.state_dict(), "bin")
    pixels = torch.as_tensor(processor_of(tmp_path / "checker")(pictures(images), return_tensors="np")["pixel_values"])
    seen = torch.nn.functional.normalize(model.eye(pixel_values=pixels).image_embeds)
    found = SafetyChecker.load(tmp_path / "checker").measure(images, "")[:, 0]
    for row, vector in enumerate(seen):  # the authors' loop
        special = [
            float(vector @ torch.nn.functional.normalize(care, dim=0)) - 0.3 for care in model.special_care_embeds
        ]
        care = 0.01 if max(special) > 0 else 0.0
        worst = max(
            float(vector @ torch.nn.functional.normalize(concept, dim=0)) - 0.35 + care
            for concept in model.concept_embeds
        )
        assert found[row].item() == pytest.approx(-100 * worst, abs=1e-3)


def test_a_checker_without_its_concepts_is_refused(tmp_path):
    state = dict(write_safety_checker(tmp_path / "checker").state_dict())
    del state["concept_embeds"]
    write_weights(tmp_path / "checker", state, "bin")
    with pytest.raises(WeightsError, match=r"1 missing \(concept_embeds\)"):
        SafetyChecker.load(tmp_path / "checker")
