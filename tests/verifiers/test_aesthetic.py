import pytest
import torch
from noise_search.tests.verifiers.tiny_transformers import write_head, write_siglip, write_siglip_eye
from noise_search.verifiers.aesthetic import V2_5, AestheticScore, fold
from noise_search.verifiers.clip_model import ClipModel
from noise_search.verifiers.transformers_clip import SiglipEye
from noise_search.verifiers.weights import WeightsError
from torch import nn

WIDTHS = (16, 12, 8, 6, 4, 1)


class Unfolded(nn.Module):
    """The published module: linear layers with dropouts in the gaps of its key layout."""

    def __init__(self, widths=WIDTHS):
        super().__init__()
        linear = [nn.Linear(a, b) for a, b in zip(widths, widths[1:])]
        dropout = [nn.Dropout(p) for p in (0.2, 0.2, 0.1)]
        self.layers = nn.Sequential(
            linear[0], dropout[0], linear[1], dropout[1], linear[2], dropout[2], linear[3], linear[4]
        )

    def forward(self, embeddings):
        return self.layers(embeddings)


@pytest.fixture
def head():
    torch.manual_seed(3)
    return Unfolded().eval().requires_grad_(False)


@pytest.fixture
def head_file(head, tmp_path):
    torch.save(head.state_dict(), tmp_path / "head.pth")
    return tmp_path / "head.pth"


def test_the_layout_is_the_published_one(head):
    assert sorted({key.split(".")[1] for key in head.state_dict()}) == ["0", "2", "4", "6", "7"]


def test_the_folded_head_is_the_layers_one_after_the_other(head):
    weight, bias = fold(head.state_dict(), "head")
    embeddings = torch.randn(32, 16, dtype=torch.float64)
    torch.testing.assert_close(embeddings @ weight + bias, head.double()(embeddings)[:, 0], rtol=0, atol=1e-12)


def test_the_folded_heads_closed_forms(head):
    weight, bias = fold(head.state_dict(), "head")
    head.double()
    assert bias == pytest.approx(head(torch.zeros(1, 16, dtype=torch.float64)).item(), abs=1e-12)
    assert (weight[0] + bias).item() == pytest.approx(head(torch.eye(16, dtype=torch.float64)[:1]).item(), abs=1e-12)


def test_the_rating_is_the_head_on_the_unit_embedding(head, head_file, images):
    verifier = AestheticScore.load(head_file, lambda pictures: 5 * pictures.mean((2, 3)).repeat(1, 6)[:, :16])
    embeddings = nn.functional.normalize(images.mean((2, 3)).repeat(1, 6)[:, :16], dim=-1)
    torch.testing.assert_close(verifier.measure(images, ""), head(embeddings), rtol=0, atol=1e-5)


def test_an_embedding_of_length_zero_gives_the_bias(head_file, head):
    verifier = AestheticScore.load(head_file, lambda pictures: torch.zeros(len(pictures), 16))
    assert verifier.measure(torch.rand(1, 3, 4, 4), "").item() == pytest.approx(
        head(torch.zeros(1, 16)).item(), abs=1e-6
    )


def test_it_sits_on_an_open_clip_trunk(head, head_file, checkpoint, reference, images):
    model = ClipModel.load(checkpoint)
    verifier = AestheticScore.load(head_file, model.embed_images, modules=(model.module,))
    embeddings = reference.encode_image(model.pixels(images), normalize=True)
    torch.testing.assert_close(verifier.measure(images, ""), head(embeddings), rtol=0, atol=1e-5)
    assert verifier.modules == (model.module,)


def test_the_prompt_changes_nothing(head_file, checkpoint, images):
    verifier = AestheticScore.load(head_file, ClipModel.load(checkpoint).embed_images)
    assert torch.equal(verifier.measure(images, "a cat"), verifier.measure(images, "a dog"))
    assert verifier.count_tokens("a cat") is None


def test_a_trunk_of_another_width_is_refused(head_file, images):
    verifier = AestheticScore.load(head_file, lambda pictures: torch.zeros(len(pictures), 24))
    with pytest.raises(WeightsError, match=r"needs embeddings of 16 numbers.*got \(24,\)"):
        verifier.measure(images, "")


def test_token_embeddings_are_refused(head_file, images):
    verifier = AestheticScore.load(head_file, lambda pictures: torch.zeros(len(pictures), 9, 16))
    with pytest.raises(WeightsError, match=r"got \(9, 16\)"):
        verifier.measure(images, "")


@pytest.mark.parametrize("change", ["missing", "extra", "other", "shape", "outputs"])
def test_another_head_is_refused(head, change):
    state = head.state_dict()
    match change:
        case "missing":
            del state["layers.7.bias"]
        case "extra":
            state["layers.8.weight"] = torch.zeros(1, 1)
        case "other":
            state = {"scoring_head.weight": torch.zeros(1, 16)}
        case "shape":
            state["layers.4.weight"] = torch.zeros(6, 9)
        case "outputs":
            state["layers.7.weight"], state["layers.7.bias"] = torch.zeros(2, 4), torch.zeros(2)
    with pytest.raises(WeightsError, match="of my head|my head must"):
        fold(state, "my head")


@pytest.mark.parametrize("alone", [False, True])
def test_v2_5_sits_on_the_pooled_output_of_siglip(tmp_path, images, alone):
    model = write_siglip(tmp_path / "siglip")
    if alone:
        write_siglip_eye(tmp_path / "eye", model)
    head = write_head(tmp_path / "v2_5.pth", "scoring_head", (0, 2, 4, 6, 8), 32)
    eye = SiglipEye.load(tmp_path / ("eye" if alone else "siglip"))
    verifier = AestheticScore.load(tmp_path / "v2_5.pth", eye.embed_images, modules=(eye.module,), layout=V2_5)
    pooled = model.vision_model(pixel_values=eye.pixels(images)).pooler_output
    expected = head(pooled / pooled.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(verifier.measure(images, ""), expected, rtol=0, atol=1e-5)


def test_the_published_v2_5_head_is_in_half_precision_and_is_folded_in_double(tmp_path):
    head = write_head(tmp_path / "v2_5.pth", "scoring_head", (0, 2, 4, 6, 8), 32).bfloat16()
    state = {f"scoring_head.{key}": value for key, value in head.state_dict().items()}
    weight, bias = fold(state, "v2_5.pth", V2_5)
    zero = head.double()(torch.zeros(1, 32, dtype=torch.float64)).item()
    assert weight.dtype == torch.float64 and bias == pytest.approx(zero, abs=1e-12)


def test_the_one_head_is_not_taken_for_the_other(head):
    with pytest.raises(WeightsError, match="my head must be a linear V2.5 head .* got none named scoring_head"):
        fold(head.state_dict(), "my head", V2_5)
