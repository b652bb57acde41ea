import pytest
import torch
from noise_search.tests.verifiers.tiny_transformers import write_hps
from noise_search.tests.verifiers.upstream import hps_letterbox
from noise_search.verifiers.hps_score import HpsScore, Letterbox
from noise_search.verifiers.weights import WeightsError
from safetensors.torch import save_file
from torchvision.transforms.functional import to_pil_image

SIZES = [(28, 28), (64, 64), (20, 56), (97, 31), (31, 97), (512, 311), (9, 7), (28, 14)]


def picture(size):
    return (torch.rand(3, *size, generator=torch.Generator().manual_seed(0)) * 255).round() / 255


@pytest.fixture
def file(tmp_path):
    return tmp_path / "HPS_v2.1_compressed.pt"


@pytest.mark.parametrize("size", SIZES)
def test_the_letterbox_is_the_authors_to_the_last_bit(size):
    expected = hps_letterbox(to_pil_image((picture(size) * 255).byte()), 28)
    assert torch.equal(Letterbox(28)(picture(size)[None])[0], expected)


def test_the_whole_of_a_wide_picture_is_seen_between_black_bars():
    seen = Letterbox(28).frame(torch.ones(1, 3, 30, 60))
    assert seen.shape == (1, 3, 28, 28)
    assert torch.equal(seen[0, 0, :, 5] > 0.5, torch.tensor([7 <= row < 21 for row in range(28)]))


def test_scores_are_the_cosines_of_the_authors_pixels(open_clip, file, images):
    model = write_hps(open_clip, file)
    pixels = torch.stack([hps_letterbox(to_pil_image((image * 255).round().byte()), 28) for image in images])
    picture, text, _ = model(pixels, open_clip.tokenize("a red cube"))
    torch.testing.assert_close(HpsScore.load(file).measure(images, "a red cube"), picture @ text.T, rtol=0, atol=1e-6)


def test_cropping_would_be_another_score(open_clip, file, images):
    write_hps(open_clip, file)
    verifier = HpsScore.load(file)
    square = verifier.measure(images[..., 8:48], "a red cube")
    assert (square - verifier.measure(images, "a red cube")).abs().max() > 1e-3


def test_a_repacked_file_is_read_as_well(open_clip, file, images):
    model = write_hps(open_clip, file)
    save_file(
        {f"model.{key}": value for key, value in model.state_dict().items()}, file.with_name("hpsv21.safetensors")
    )
    again = HpsScore.load(file.with_name("hpsv21.safetensors"))
    torch.testing.assert_close(
        again.measure(images, "a cat"), HpsScore.load(file).measure(images, "a cat"), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_weights_are_loaded_completely_or_not_at_all(open_clip, file, change):
    state = dict(write_hps(open_clip, file).state_dict())
    match change:
        case "missing":
            del state["visual.ln_post.weight"]
        case "unexpected":
            state["visual.extra"] = torch.zeros(1)
        case "shape":
            state["visual.ln_post.weight"] = torch.zeros(31)
    torch.save({"state_dict": state}, file)
    with pytest.raises(WeightsError, match="HPS_v2.1_compressed.pt .*visual"):
        HpsScore.load(file)
