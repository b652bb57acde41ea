import io

import pytest
import torch
from noise_search.verifiers.images import bytes_of
from noise_search.verifiers.technical import GUARDED, LUMA, QUANTITIES, Seen, Technical, TechnicalQuality, outside
from PIL import Image, ImageFilter


def value(name, images):
    return Technical(name).measure(images, "")[:, 0]


def even(red, green, blue, size=(24, 32)):
    return torch.tensor([red, green, blue])[None, :, None, None].expand(1, 3, *size) / 255


def good(seed=0, size=(96, 96)):
    """A picture with soft shapes, fine grain, colours within measure."""
    noise = torch.Generator().manual_seed(seed)
    soft = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 6, generator=noise), size, mode="bicubic").clamp(
        0.05, 0.95
    )
    return (0.35 * soft + 0.65 * soft.mean(1, keepdim=True) + 0.02 * torch.randn(1, 3, *size, generator=noise)).clamp(
        0.02, 0.98
    )


def test_sharpness_is_the_laplacians_variance_by_hand(images):
    (found,) = value("sharpness", images[:1])
    pixels = bytes_of(images[:1])[0].double()
    luma = pixels @ torch.tensor([0.299, 0.587, 0.114]).double()
    laplacian = [
        luma[y - 1, x] + luma[y + 1, x] + luma[y, x - 1] + luma[y, x + 1] - 4 * luma[y, x]
        for y in range(1, luma.shape[0] - 1)
        for x in range(1, luma.shape[1] - 1)
    ]
    assert found.item() == pytest.approx((1 + torch.stack(laplacian).var(correction=0)).log10().item(), abs=1e-5)


def test_a_blank_picture_has_no_sharpness_and_no_contrast():
    assert value("sharpness", even(90, 120, 10)).item() == 0
    assert value("contrast", even(90, 120, 10)).item() == pytest.approx(0, abs=1e-5)


def test_blurring_lowers_sharpness_and_jpeg_size():
    sharp = good()
    blurred = Image.fromarray(bytes_of(sharp)[0].numpy()).filter(ImageFilter.GaussianBlur(2))
    blurred = torch.tensor(list(blurred.tobytes())).view(96, 96, 3).movedim(-1, 0)[None] / 255
    for name in ("sharpness", "JPEG size"):
        assert value(name, blurred) < value(name, sharp)


def test_a_black_and_white_picture_has_half_the_range_as_contrast_and_is_all_clipped():
    halves = torch.cat([even(0, 0, 0), even(255, 255, 255)], dim=3)
    assert value("contrast", halves).item() == pytest.approx(50)
    assert value("clipping", halves).item() == pytest.approx(-98)


def test_saturation_is_best_inside_its_band_and_falls_outside():
    assert value("saturation", even(100, 100, 151)).item() == 0  # 20 % lies inside
    assert value("saturation", even(100, 100, 100)).item() == pytest.approx(-3)
    assert value("saturation", even(255, 0, 0)).item() == pytest.approx(-55)


def test_clipping_counts_pixels_that_are_black_or_white_in_all_channels():
    picture = even(120, 130, 140, size=(10, 10)).clone()
    picture[0, :, 0, :3], picture[0, :, 1, :2] = 0, 1  # five of a hundred, two are free
    picture[0, 0, 2, :] = 0  # one channel only
    assert value("clipping", picture).item() == pytest.approx(-3)


def test_the_size_is_that_of_the_file(images):
    file = io.BytesIO()
    Image.fromarray(bytes_of(images[:1])[0].numpy()).save(file, "JPEG", quality=95)
    assert value("JPEG size", images[:1]).item() == pytest.approx(len(file.getvalue()) / 1000)


def test_nothing_is_wrong_with_a_good_picture():
    quality = TechnicalQuality()
    assert quality.combine(quality.measure(torch.cat([good(seed) for seed in range(4)]), "")).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image.mean((2, 3), keepdim=True).expand_as(image),
        lambda image: 0.5 + 0.1 * (image - 0.5),
        lambda image: image.mean(1, keepdim=True).expand_as(image),
        lambda image: ((image - 0.5) * 40 + 0.5).clamp(0, 1),
        lambda image: torch.nn.functional.avg_pool2d(image, 9, 1, 4, count_include_pad=False),
    ],
    ids=["blank", "flat", "grey", "burnt", "blurred"],
)
def test_each_way_to_spoil_a_picture_costs(spoil):
    quality = TechnicalQuality()
    score = quality.combine(quality.measure(spoil(good()), "")).item()
    assert score < 0


def test_the_score_adds_up_the_distances_in_typical_spreads():
    quality = TechnicalQuality()
    pool = torch.tensor([[1.3, 20.0, 20.0, 0.0], [2.0, 20.0, 49.0, 3.5]])
    assert quality.columns == ("sharpness", "contrast", "saturation", "clipping") == tuple(GUARDED)
    assert quality.combine(pool).tolist() == pytest.approx([-1, -2], abs=1e-5)


def test_a_band_costs_its_distance_on_either_side():
    assert outside(torch.tensor([1.0, 2.0, 3.0, 4.0, 6.0]), (2, 4)).tolist() == [1, 0, 0, 0, 2]


def test_a_picture_of_two_pixels_is_refused():
    with pytest.raises(ValueError, match="3 x 3 pixels or larger to be sharp, got 2 x 1"):
        value("sharpness", torch.rand(1, 3, 1, 2))


def test_an_unknown_quantity_is_refused_by_name():
    with pytest.raises(ValueError, match="sharpness, contrast, saturation, clipping, JPEG size, got beauty"):
        Technical("beauty")


def test_the_words_say_which_way_is_better():
    assert "more is better" in QUANTITIES["sharpness"].words and "0 is best" in QUANTITIES["clipping"].words


def test_32_bit_floats_say_what_64_bit_floats_say():
    pixels = bytes_of(torch.cat([good(seed, (200, 300)) for seed in range(3)]))
    wide = pixels.double()
    luma = wide @ torch.tensor(LUMA, dtype=torch.float64)
    inner = luma[:, 1:-1, 1:-1]
    beside = luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:] + luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1]
    flat = (pixels <= 1).all(-1) | (pixels >= 254).all(-1)
    expected = {
        "sharpness": torch.log10(1 + (beside - 4 * inner).flatten(1).var(1, correction=0)),
        "contrast": luma.flatten(1).std(1, correction=0) / 2.55,
        "saturation": (wide.amax(-1) - wide.amin(-1)).flatten(1).mean(1) / 2.55,
        "clipping": 100 * flat.flatten(1).double().mean(1),
    }
    for name, values in expected.items():
        found = torch.tensor([QUANTITIES[name].measure(Seen(picture)) for picture in pixels.numpy()])
        assert (found - values).abs().max() < 1e-5 * QUANTITIES[name].spread
