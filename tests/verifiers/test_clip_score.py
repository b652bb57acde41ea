import json

import pytest
import torch
from noise_search.tests.verifiers.tiny_clip import TINY, write_folder, write_layout
from noise_search.tests.verifiers.tiny_transformers import WORDS, write_open_clip_siglip
from noise_search.verifiers.clip_model import ClipModel
from noise_search.verifiers.clip_score import ClipScore
from noise_search.verifiers.weights import WeightsError
from torchvision.transforms.functional import to_pil_image


def outside(open_clip, model, images, prompt, **preprocess):
    """The score by open_clip's own transform and forward pass."""
    config = open_clip.transform.PreprocessCfg(size=28, **preprocess)
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    pixels = torch.stack([transform(to_pil_image((image * 255).round().byte())) for image in images])
    with torch.no_grad():
        picture, text, _ = model(pixels, open_clip.get_tokenizer("tiny-noise-search")(prompt))
    return 100 * picture @ text.T


@pytest.mark.parametrize("layout", ["plain", "state_dict", "module", "safetensors"])
def test_every_file_layout_gives_the_scores_of_open_clip_itself(open_clip, reference, tmp_path, images, layout):
    verifier = ClipScore.load(write_layout(layout, reference.state_dict(), tmp_path))
    expected = outside(open_clip, reference, images, "a red cube")
    torch.testing.assert_close(verifier.measure(images, "a red cube"), expected, rtol=0, atol=1e-4)


def test_a_folder_says_which_activation_and_pixels_it_wants(open_clip, reference, tmp_path, images):
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear", "resize_mode": "squash"}
    config = {**TINY, "quick_gelu": True}
    verifier = ClipScore.load(write_folder(tmp_path / "clip", reference.state_dict(), config, **preprocess))
    quick = open_clip.CLIP(**config).eval()
    quick.load_state_dict(reference.state_dict())
    expected = outside(open_clip, quick, images, "a red cube", **preprocess)
    torch.testing.assert_close(verifier.measure(images, "a red cube"), expected, rtol=0, atol=1e-4)


def test_a_siglip_of_open_clip_reads_and_sees_as_it_was_trained(open_clip, tmp_path, images):
    model = write_open_clip_siglip(open_clip, tmp_path / "siglip")
    verifier = ClipScore.load(tmp_path / "siglip")
    config = open_clip.transform.PreprocessCfg(size=224, mean=(0.5,) * 3, std=(0.5,) * 3, resize_mode="squash")
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    pixels = torch.stack([transform(to_pil_image((image * 255).round().byte())) for image in images])
    ids = [2 + WORDS.index(word) for word in ("a", "red", "cube")] + [1] * 61
    picture, text = model.encode_image(pixels, normalize=True), model.encode_text(torch.tensor([ids]), normalize=True)
    torch.testing.assert_close(verifier.measure(images, "A red, cube."), 100 * picture @ text.T, rtol=0, atol=1e-4)
    assert (verifier.card.token_limit, verifier.count_tokens("a red cube")) == (
        63,
        3,
    ) and "0 to 20" in verifier.card.range


def test_two_loads_give_the_same(checkpoint, images):
    first, second = (ClipScore.load(checkpoint) for _ in range(2))
    for mine, other in zip(first.modules, second.modules, strict=True):
        weights, others = mine.state_dict(), other.state_dict()
        assert weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)
    # of at most 100
    torch.testing.assert_close(first.measure(images, "a cat"), second.measure(images, "a cat"), rtol=0, atol=1e-4)


def test_tokens_are_counted_past_what_is_read(checkpoint):
    verifier = ClipScore.load(checkpoint)
    assert verifier.card.token_limit == 75
    assert verifier.count_tokens("a cat") == 2
    assert verifier.count_tokens("cat " * 90) == 90


def test_what_lies_behind_the_limit_is_not_read(checkpoint, images):
    verifier = ClipScore.load(checkpoint)
    assert torch.equal(verifier.measure(images, "cat " * 75), verifier.measure(images, "cat " * 75 + "dog"))


def test_a_file_name_with_a_tag_chooses_activation_and_pixels(open_clip, tmp_path):
    config = {**open_clip.get_model_config("ViT-S-32"), "embed_dim": 8}
    config["vision_cfg"] = {**config["vision_cfg"], "layers": 1, "width": 64}
    config["text_cfg"] = {**config["text_cfg"], "layers": 1, "width": 64, "heads": 1, "vocab_size": 49408}
    table = {
        "openai": open_clip.pretrained._pcfg(quick_gelu=True),
        "laion2b": open_clip.pretrained._pcfg(mean=(0.5,) * 3, std=(0.5,) * 3),
    }
    (tmp_path / "tiny-tagged.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-tagged.json")
    open_clip.pretrained._PRETRAINED["tiny-tagged"] = table
    state = open_clip.CLIP(**config).state_dict()
    for name in ("clip.pt", "clip-openai.pt", "CLIP-LAION2B.pt"):
        torch.save(state, tmp_path / name)
    quick, plain = ClipModel.load(tmp_path / "clip-openai.pt"), ClipModel.load(tmp_path / "CLIP-LAION2B.pt")
    assert type(quick.module.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert type(plain.module.visual.transformer.resblocks[0].mlp.gelu).__name__ == "GELU"
    assert plain.pixels.mean == (0.5,) * 3
    with pytest.raises(WeightsError, match="clip.pt must show how it was trained.*laion2b, openai"):
        ClipModel.load(tmp_path / "clip.pt")


def test_another_network_is_refused_by_name(tmp_path):
    torch.save({"conv.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="other.pt is no CLIP model .* conv.weight"):
        ClipScore.load(tmp_path / "other.pt")


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_weights_are_loaded_completely_or_not_at_all(reference, tmp_path, change):
    state = reference.state_dict()
    match change:
        case "missing":
            del state["visual.ln_post.weight"]
        case "unexpected":
            state["visual.extra"] = torch.zeros(1)
        case "shape":
            state["visual.ln_post.weight"] = torch.zeros(31)
    torch.save(state, tmp_path / "clip.pt")
    with pytest.raises(WeightsError, match="visual"):
        ClipScore.load(tmp_path / "clip.pt", architecture="tiny-noise-search")
    with pytest.raises(WeightsError, match="no CLIP model"):
        ClipScore.load(tmp_path / "clip.pt")


def test_an_incomplete_folder_is_refused(reference, tmp_path):
    state = reference.state_dict()
    del state["visual.proj"]
    with pytest.raises(WeightsError, match=r"1 missing \(visual.proj\)"):
        ClipScore.load(write_folder(tmp_path / "clip", state))


def test_a_folder_without_weights_says_which_file_is_missing(tmp_path):
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY}))
    with pytest.raises(FileNotFoundError, match="open_clip_model.safetensors"):
        ClipScore.load(tmp_path / "clip")


def test_a_text_tower_from_elsewhere_is_refused_instead_of_downloaded(reference, tmp_path):
    config = {**TINY, "text_cfg": {"hf_model_name": "roberta-base"}}
    with pytest.raises(WeightsError, match="would have to be downloaded"):
        ClipScore.load(write_folder(tmp_path / "clip", reference.state_dict(), config))


def test_an_unknown_architecture_is_refused(checkpoint):
    with pytest.raises(WeightsError, match="got ViT-Q-99"):
        ClipScore.load(checkpoint, architecture="ViT-Q-99")
