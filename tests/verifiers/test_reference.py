import json

import pytest
import torch
from noise_search.tests.verifiers.tiny_clip import write_folder as write_open_clip
from noise_search.tests.verifiers.tiny_dino import (
    PROCESSOR,
    authors_names,
    make_dino,
    named_as_published,
    write_file,
    write_folder,
)
from noise_search.verifiers.clip_model import ClipModel
from noise_search.verifiers.image_encoder import ImageEncoder
from noise_search.verifiers.images import bytes_of
from noise_search.verifiers.reference import ReferenceScore
from noise_search.verifiers.weights import WeightsError
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import cosine_similarity
from transformers import BitImageProcessor, CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
SEEN = {
    "size": {"height": 28, "width": 28},
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
    "resample": 3,
    "do_center_crop": False,
}


@pytest.fixture(scope="module")
def dino():
    return make_dino()


@pytest.fixture(scope="module")
def folder(dino, tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("encoders") / "dinov2-tiny", dino)


@pytest.fixture(params=[(40, 56), (64, 64), (90, 41)], ids=["wide", "square", "tall"])
def some(request):
    return torch.rand(5, 3, *request.param, generator=torch.Generator().manual_seed(1))


def pil(images):
    return [Image.fromarray(picture) for picture in bytes_of(images).numpy()]


def reference_embeddings(model, images):
    """As transformers' own processor and model have it."""
    pixels = BitImageProcessor(**PROCESSOR)(pil(images), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        return model(pixel_values=pixels).pooler_output


def score(folder, references, pooling="mean"):
    return ReferenceScore(ImageEncoder.load(folder), references, pooling)


def test_likeness_is_the_cosine_that_transformers_itself_gives(dino, folder, some):
    values = score(folder, some[:1]).measure(some, "")[:, 0]
    embeddings = reference_embeddings(dino, some)
    expected = 100 * cosine_similarity(embeddings, embeddings[:1])
    torch.testing.assert_close(values, expected, rtol=0, atol=0.1)  # its processor rounds pixels in another place
    assert values[0] == pytest.approx(100, abs=1e-3)


def test_several_references_count_by_their_mean_or_the_best(folder, images):
    single = torch.cat([score(folder, images[row : row + 1]).measure(images, "") for row in (1, 3)], dim=1)
    torch.testing.assert_close(
        score(folder, images[[1, 3]]).measure(images, "")[:, 0], single.mean(1), rtol=0, atol=1e-4
    )
    best = score(folder, images[[1, 3]], "best").measure(images, "")[:, 0]
    torch.testing.assert_close(best, single.amax(1), rtol=0, atol=1e-4)
    assert best[1] == pytest.approx(100, abs=1e-3) and best[3] == pytest.approx(100, abs=1e-3)


def test_a_batch_measures_as_its_pictures_one_by_one_and_in_any_order(folder, some):
    verifier = score(folder, some[:1])
    values = verifier.measure(some, "")
    single = torch.cat([verifier.measure(image[None], "") for image in some])
    torch.testing.assert_close(values, single, rtol=0, atol=1e-3)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(verifier.measure(some[order], ""), values[order], rtol=0, atol=1e-3)
    assert values.shape == (5, 1) and values.dtype == torch.float32 and len(set(values[:, 0].tolist())) == 5


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("registers", [0, 3])
@pytest.mark.parametrize("names", ["transformers", "authors"])
def test_a_single_file_embeds_as_its_folder(tmp_path, images, suffix, registers, names):
    folder = write_folder(tmp_path / "folder", make_dino(registers=registers))
    state = named_as_published(folder)
    path = write_file(tmp_path / f"dinov2{suffix}", authors_names(state) if names == "authors" else state)
    found = ImageEncoder.load(path)
    torch.testing.assert_close(found.embed(images), ImageEncoder.load(folder).embed(images), rtol=0, atol=1e-4)
    assert found.licence == "Apache-2.0"


def test_the_giant_one_with_its_own_kind_of_layers_is_read_as_well(tmp_path, images):
    model = make_dino(use_swiglu_ffn=True)
    folder = write_folder(tmp_path / "folder", model)
    path = write_file(tmp_path / "giant.pth", authors_names(named_as_published(folder)))
    torch.testing.assert_close(
        ImageEncoder.load(path).embed(images), reference_embeddings(model, images), rtol=0.05, atol=0.05
    )


def test_the_size_of_a_file_is_read_from_its_shapes(tmp_path, images):
    model = make_dino(hidden_size=128, num_attention_heads=2, num_hidden_layers=3)
    folder = write_folder(tmp_path / "folder", model)
    path = write_file(tmp_path / "dinov2.pth", authors_names(named_as_published(folder)))
    torch.testing.assert_close(
        ImageEncoder.load(path).embed(images), ImageEncoder.load(folder).embed(images), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_missing_weight_is_an_error_and_no_random_one(folder, tmp_path, kind):
    state = {key: value for key, value in named_as_published(folder).items() if "layer.1.norm1.weight" not in key}
    path = broken(folder, tmp_path, state) if kind == "folder" else write_file(tmp_path / "dino.pth", state)
    with pytest.raises(WeightsError, match="1 missing .*norm1.weight"):
        ImageEncoder.load(path)


def test_a_foreign_weight_is_an_error(folder, tmp_path):
    with pytest.raises(WeightsError, match="1 unexpected .*stranger"):
        ImageEncoder.load(broken(folder, tmp_path, {**named_as_published(folder), "stranger": torch.ones(2)}))


def test_a_weight_of_another_shape_is_an_error(folder, tmp_path):
    with pytest.raises(WeightsError, match="1 of another shape .*layernorm.weight"):
        ImageEncoder.load(broken(folder, tmp_path, {**named_as_published(folder), "layernorm.weight": torch.ones(3)}))


def broken(folder, tmp_path, state):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    save_file(state, copy / "model.safetensors", {"format": "pt"})
    return copy


def test_a_torn_file_is_an_error_that_says_so(folder, tmp_path):
    copy = broken(folder, tmp_path, named_as_published(folder))
    data = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match="complete safetensors"):
        ImageEncoder.load(copy)


@pytest.mark.parametrize("kind", ["llama", None])
def test_a_folder_of_something_else_is_refused(tmp_path, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(WeightsError, match=f"must be an image encoder .*, got {kind}"):
        ImageEncoder.load(tmp_path)


def tiny_clip():
    torch.manual_seed(2)
    config = CLIPConfig(
        text_config={**TOWER, "vocab_size": 99},
        vision_config={**TOWER, "image_size": 28, "patch_size": 14},
        projection_dim=16,
    )
    return CLIPModel(config)


def tiny_siglip():
    torch.manual_seed(2)
    return SiglipModel(
        SiglipConfig(
            text_config={**TOWER, "vocab_size": 99}, vision_config={**TOWER, "image_size": 28, "patch_size": 14}
        )
    )


@pytest.mark.parametrize("make", [tiny_clip, tiny_siglip])
def test_clip_and_siglip_folders_give_their_picture_embeddings_without_keeping_the_text_tower(tmp_path, make):
    model = make().eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SEEN))
    images = torch.rand(3, 3, 28, 28, generator=torch.Generator().manual_seed(1)).mul(255).round().div(255)
    encoder = ImageEncoder.load(tmp_path)
    with torch.no_grad():
        output = model.get_image_features(pixel_values=images * 2 - 1)
    expected = output if torch.is_tensor(output) else output.pooler_output
    torch.testing.assert_close(encoder.embed(images), expected, rtol=0, atol=1e-4)
    names = [name for module in encoder.modules for name, _ in module.named_parameters()]
    assert names and not any(name.startswith("text") for name in names)


def test_an_open_clip_checkpoint_compares_by_its_picture_tower_alone(reference, tmp_path, images):
    folder = write_open_clip(tmp_path / "clip", reference.state_dict())
    encoder = ImageEncoder.load(folder)
    embeddings = torch.nn.functional.normalize(encoder.embed(images), dim=-1)
    torch.testing.assert_close(embeddings, ClipModel.load(folder).embed_images(images), rtol=0, atol=1e-5)
    inside = sum(weight.numel() for weight in encoder.modules[0].parameters())
    assert inside == sum(weight.numel() for weight in reference.visual.parameters())


def test_half_precision_weights_give_nearly_the_same_values(folder, images):
    exact = score(folder, images[:1]).measure(images, "")
    verifier = score(folder, images[:1])
    verifier.modules[0].half()
    torch.testing.assert_close(verifier.measure(images, ""), exact, rtol=0, atol=1)


def test_what_was_kept_under_inference_mode_can_be_used_outside_of_it(folder, images):
    verifier = score(folder, images[:1])
    with torch.inference_mode():
        inside = verifier.measure(images.clone(), "")
    assert torch.equal(inside, verifier.measure(images, "")) and not verifier._embedded.is_inference()


@pytest.mark.parametrize(
    ("references", "pooling", "problem"),
    [
        (torch.rand(0, 3, 8, 8), "mean", "must be one or more finite pictures, got none"),
        (torch.full((1, 3, 8, 8), torch.nan), "mean", "got NaN or infinity"),
        (torch.rand(1, 3, 8, 8), "median", "pooling must be one of mean, best, got median"),
    ],
)
def test_references_that_make_no_sense_are_refused(folder, references, pooling, problem):
    with pytest.raises(ValueError, match=problem):
        score(folder, references, pooling)


def test_an_encoder_that_gives_many_vectors_per_picture_is_refused(images):
    encoder = ImageEncoder("tokens", lambda pictures: torch.rand(len(pictures), 7, 4))
    with pytest.raises(ValueError, match="tokens must give one vector per picture"):
        ReferenceScore(encoder, images[:1]).measure(images, "")
