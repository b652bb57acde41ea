import pytest
import torch
from noise_search.tests.verifiers.tiny_transformers import WORDS, write_image_reward
from noise_search.verifiers.image_reward import ImageReward
from noise_search.verifiers.weights import WeightsError
from safetensors.torch import save_file
from torchvision import transforms
from torchvision.transforms.functional import to_pil_image

PROMPT = "A red cube, with the blue house."


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ImageReward.pt"


def outside(model, images, ids):
    """The authors' reward: their transform, their network."""
    seen = transforms.Compose(
        [
            transforms.Resize(32, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        ]
    )
    pixels = torch.stack([seen(to_pil_image((image * 255).round().byte())) for image in images])
    padded = torch.tensor([ids + [0] * (35 - len(ids))])
    return model(pixels, padded, (padded > 0).long())


def ids_of(text):
    """Token ids of words and marks that stand alone."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", "##s", *WORDS]
    return [2, *(words.index(word) for word in text.split()), 3]


def test_rewards_are_those_of_the_authors_network(file, images):
    model = write_image_reward(file)
    verifier = ImageReward.load(file)
    expected = outside(model, images, ids_of("a red cube , with the blue house ."))
    torch.testing.assert_close(verifier.measure(images, PROMPT), expected, rtol=0, atol=2e-5)
    assert expected.std() > 0.003


def test_capitals_do_not_matter_and_plurals_are_two_tokens(file, images):
    model = write_image_reward(file)
    verifier = ImageReward.load(file)
    assert verifier.count_tokens("RED cubes") == 3
    torch.testing.assert_close(
        verifier.measure(images, "RED cubes"), outside(model, images, ids_of("red cube ##s")), rtol=0, atol=2e-5
    )


def test_the_33_tokens_that_the_network_was_trained_on_are_read(file, images):
    write_image_reward(file)
    verifier = ImageReward.load(file)
    assert verifier.card.token_limit == 33 and verifier.count_tokens("cat " * 50) == 50
    assert torch.equal(verifier.measure(images, "cat " * 33 + "dog"), verifier.measure(images, "cat " * 33 + "house"))
    assert not torch.equal(
        verifier.measure(images, "cat " * 32 + "dog"), verifier.measure(images, "cat " * 32 + "house")
    )


def test_a_repacked_file_is_read_as_well(file, images):
    model = write_image_reward(file)
    save_file(model.state_dict(), file.with_name("model.safetensors"))
    again = ImageReward.load(file.with_name("model.safetensors"))
    torch.testing.assert_close(
        again.measure(images, PROMPT), ImageReward.load(file).measure(images, PROMPT), rtol=0, atol=1e-5
    )


def test_the_words_may_lie_beside_the_file(file, images):
    write_image_reward(file, vocabulary=file.parent)
    assert ImageReward.load(file).count_tokens("a red cube") == 3


def test_missing_words_are_asked_for_with_file_size_licence_and_place(file):
    write_image_reward(file)
    (file.parent / "bert-base-uncased" / "vocab.txt").unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"get vocab.txt \(0.2 MB, Apache-2.0\) from https://huggingface.co/google-bert/.*put it into",
    ):
        ImageReward.load(file)


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("blip.visual_encoder.blocks.1.attn.qkv.weight", "encoder.layers.1.self_attn.qkv.weight"),
        ("blip.visual_encoder.pos_embed", "embeddings.position_embedding"),
        (
            "blip.text_encoder.encoder.layer.1.crossattention.self.value.bias",
            "encoder.layer.1.crossattention.self.value.bias",
        ),
        (
            "blip.text_encoder.encoder.layer.0.crossattention.self.key.weight",
            "encoder.layer.0.crossattention.self.key.weight",
        ),
        ("mlp.layers.7.bias", "layers.7.bias"),
    ],
)
def test_a_file_without_one_of_its_weights_is_refused_by_name(file, key, named):
    state = write_image_reward(file).state_dict()
    del state[key]
    torch.save(state, file)
    with pytest.raises(WeightsError, match=f"ImageReward.pt .*{named}"):
        ImageReward.load(file)


@pytest.mark.parametrize(
    "key", ["blip.visual_encoder.extra", "blip.text_encoder.encoder.layer.0.extra", "mlp.extra", "blip.decoder.extra"]
)
def test_a_file_with_a_foreign_weight_is_refused(file, key):
    torch.save({**write_image_reward(file).state_dict(), key: torch.zeros(1)}, file)
    with pytest.raises(WeightsError, match="extra"):
        ImageReward.load(file)


def test_a_weight_of_another_shape_is_refused(file):
    state = write_image_reward(file).state_dict()
    state["blip.text_encoder.encoder.layer.1.output.dense.weight"] = torch.zeros(128, 511)
    torch.save(state, file)
    with pytest.raises(
        WeightsError,
        match=r"1 of another shape \(encoder.layer.1.output.dense.weight \(128, 511\) instead of \(128, 512\)",
    ):
        ImageReward.load(file)
