import json

import pytest
import torch
from noise_search.tests.verifiers.tiny_transformers import (
    CLIP_PIXELS,
    SIDE,
    SIGLIP2_PIXELS,
    SIGLIP_PIXELS,
    VIT_PIXELS,
    WORDS,
    write_clip,
    write_siglip,
    write_weights,
)
from noise_search.verifiers.clip_score import ClipScore
from noise_search.verifiers.images import bytes_of
from noise_search.verifiers.transformers_clip import SiglipEye, TransformersClip
from noise_search.verifiers.transformers_folder import pixels_of
from noise_search.verifiers.weights import WeightsError
from PIL import Image

FAMILIES = {
    "clip": write_clip,
    "clip, plain gelu": lambda folder, **how: write_clip(folder, activation="gelu", **how),
    "siglip": write_siglip,
    "siglip 2": lambda folder, **how: write_siglip(folder, second=True, **how),
}


def processor_of(folder):
    """The image processor that transformers itself makes of a folder, the one that works on Pillow pictures."""
    import transformers

    settings = json.loads((folder / "preprocessor_config.json").read_text())
    name = settings["image_processor_type"]
    make = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    return make(**settings)


def outside(model, folder, images, ids):
    """100 x cosine by transformers' own processor and the model's own forward pass."""
    pictures = [Image.fromarray(picture) for picture in bytes_of(images).numpy()]
    pixels = torch.as_tensor(processor_of(folder)(pictures, return_tensors="np")["pixel_values"])
    with torch.no_grad():
        output = model(input_ids=torch.tensor([ids]), pixel_values=pixels)
    return 100 * output.image_embeds @ output.text_embeds.T


def ids_of(family, text):
    """What the prompt is for a family, written down by hand."""
    if family.startswith("clip"):
        import open_clip

        ids = open_clip.tokenize(text)[0].tolist()
        return ids[: ids.index(49407) + 1]
    if family == "siglip":
        words = text.lower().replace(",", "").replace(".", "").split()
        return [2 + WORDS.index(word) for word in words] + [1] * (64 - len(words))
    letters = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,"
    ids = [4 + letters.index(letter) for letter in text.lower().replace(" ", "▁")] + [1]
    return ids + [0] * (64 - len(ids))


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_transformers_itself(family, tmp_path, images):
    model = FAMILIES[family](tmp_path / "model")
    verifier = ClipScore(TransformersClip.load(tmp_path / "model"))
    for prompt in ("a red cube", "The blue House, with a Cat."):
        expected = outside(model, tmp_path / "model", images, ids_of(family, prompt))
        torch.testing.assert_close(verifier.measure(images, prompt), expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.01


@pytest.mark.parametrize(
    "settings", [CLIP_PIXELS, SIGLIP_PIXELS, SIGLIP2_PIXELS, VIT_PIXELS], ids=["clip", "siglip", "siglip 2", "vit"]
)
@pytest.mark.parametrize("size", [(SIDE, SIDE), (64, 64), (31, 97), (97, 31), (35, 28), (512, 311), (9, 7)])
def test_pixels_are_those_of_transformers_to_the_last_bit(settings, size, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = processor_of(tmp_path)(Image.fromarray(bytes_of(picture)[0].numpy()), return_tensors="np")[
        "pixel_values"
    ]
    assert torch.equal(pixels_of(tmp_path)(picture), torch.as_tensor(expected[0])[None])


@pytest.mark.parametrize("layout", ["bin", "parts"])
def test_every_layout_of_weights_gives_the_same(layout, tmp_path, images):
    write_clip(tmp_path / "one")
    write_clip(tmp_path / "other", layout=layout)
    one, other = (ClipScore(TransformersClip.load(tmp_path / name)) for name in ("one", "other"))
    weights, others = (verifier.modules[0].state_dict() for verifier in (one, other))
    assert weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)
    # Two loads lie at other places in memory, where some processors sum in another order: 1e-5 of a score, not its
    # bits.
    torch.testing.assert_close(one.measure(images, "a cat"), other.measure(images, "a cat"), rtol=1e-5, atol=1e-5)


def test_places_that_old_versions_saved_along_are_ignored(tmp_path):
    model = write_clip(tmp_path / "clip")
    places = {
        f"{tower}_model.embeddings.position_ids": torch.arange(count)[None]
        for tower, count in (("text", 77), ("vision", 5))
    }
    write_weights(tmp_path / "clip", {**model.state_dict(), **places})
    assert TransformersClip.load(tmp_path / "clip").token_limit == 75


@pytest.mark.parametrize(("family", "limit"), [("clip", 75), ("siglip", 63), ("siglip 2", 63)])
def test_what_lies_behind_the_limit_is_not_read(family, limit, tmp_path, images):
    FAMILIES[family](tmp_path / "model")
    verifier = ClipScore(TransformersClip.load(tmp_path / "model"))
    many = "a" * (limit + 9) if family == "siglip 2" else "cat " * (limit + 9)
    assert verifier.card.token_limit == limit and verifier.count_tokens(many) == limit + 9
    assert torch.equal(verifier.measure(images, many), verifier.measure(images, many + " dog"))
    assert torch.isfinite(verifier.measure(images, "")).all()


@pytest.mark.parametrize("change", ["missing", "unexpected", "of another shape"])
@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_weights_are_loaded_completely_or_not_at_all(family, change, tmp_path):
    state = dict(FAMILIES[family](tmp_path / "model").state_dict())
    key = "text_model.encoder.layers.1.mlp.fc1.bias"
    match change:
        case "missing":
            del state[key]
        case "unexpected":
            state["extra.weight"] = torch.zeros(1)
        case _:
            state[key] = torch.zeros(63)
    write_weights(tmp_path / "model", state)
    with pytest.raises(WeightsError, match=rf"1 {change} \({'extra' if change == 'unexpected' else key}"):
        TransformersClip.load(tmp_path / "model")


@pytest.mark.parametrize("file", ["model.safetensors", "preprocessor_config.json"])
def test_a_file_that_is_not_there_is_named(file, tmp_path):
    write_clip(tmp_path / "clip")
    (tmp_path / "clip" / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"clip must hold {file}"):
        TransformersClip.load(tmp_path / "clip")


@pytest.mark.parametrize(
    ("write", "files"), [(write_clip, ("vocab.json", "merges.txt")), (write_siglip, ("tokenizer.json",))]
)
def test_a_missing_tokenizer_is_asked_for_rather_than_downloaded(write, files, tmp_path):
    write(tmp_path / "model")
    for file in files:
        (tmp_path / "model" / file).unlink()
    with pytest.raises(FileNotFoundError, match="must hold .*tokenizer.json.*, got none"):
        TransformersClip.load(tmp_path / "model")


def test_a_processor_of_the_newer_layout_is_read(tmp_path):
    write_clip(tmp_path / "clip")
    before = TransformersClip.load(tmp_path / "clip").pixels
    old = tmp_path / "clip" / "preprocessor_config.json"
    old.with_name("processor_config.json").write_text(json.dumps({"image_processor": json.loads(old.read_text())}))
    old.unlink()
    assert TransformersClip.load(tmp_path / "clip").pixels == before


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"do_resize": False}, "must resize"),
        ({"resample": 0}, "resample .* must be one of 2, 3, got 0"),
        ({"size": {}, "crop_size": {}}, "height and width"),
    ],
)
def test_a_processor_that_does_something_else_is_refused(change, problem, tmp_path):
    write_clip(tmp_path / "clip")
    path = tmp_path / "clip" / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(WeightsError, match=problem):
        TransformersClip.load(tmp_path / "clip")


def test_numbers_for_sizes_mean_squares_as_in_old_folders(tmp_path):
    write_clip(tmp_path / "clip")
    before = TransformersClip.load(tmp_path / "clip").pixels
    path = tmp_path / "clip" / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "size": SIDE, "crop_size": SIDE}))
    assert TransformersClip.load(tmp_path / "clip").pixels == before


def test_another_model_is_refused_by_its_type(tmp_path):
    write_clip(tmp_path / "clip")
    (tmp_path / "clip" / "config.json").write_text(json.dumps({"model_type": "dinov2"}))
    with pytest.raises(WeightsError, match="must be a model of type clip or siglip, got dinov2"):
        TransformersClip.load(tmp_path / "clip")


def test_a_model_type_of_the_future_and_one_with_code_of_its_own_are_refused(tmp_path):
    write_clip(tmp_path / "clip")
    code = {"auto_map": {"AutoConfig": "evil.Config"}}
    (tmp_path / "clip" / "evil.py").write_text("raise SystemExit('code of a folder was run')")
    (tmp_path / "clip" / "config.json").write_text(json.dumps({"model_type": "clip9", **code}))
    with pytest.raises(WeightsError, match="must be of a model type that transformers .* knows, got clip9"):
        TransformersClip.load(tmp_path / "clip")


def test_the_eye_of_a_siglip_sees_what_the_whole_model_sees(tmp_path, images):
    write_siglip(tmp_path / "siglip")
    whole, eye = TransformersClip.load(tmp_path / "siglip"), SiglipEye.load(tmp_path / "siglip")
    torch.testing.assert_close(eye.embed_images(images), whole.embed_images(images), rtol=0, atol=1e-6)
    assert sum(w.numel() for w in eye.module.parameters()) < sum(w.numel() for w in whole.module.parameters())
