import pytest
import torch
from noise_search.verifiers.images import Pixels, bytes_of, rgb, together
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import to_pil_image

SIZES = [(64, 64), (28, 28), (31, 97), (120, 33), (9, 7), (512, 311)]
FILTERS = {"bicubic": InterpolationMode.BICUBIC, "bilinear": InterpolationMode.BILINEAR}


def picture(size, seed=0):
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))


def outside(resize, pixels):
    return transforms.Compose([resize, transforms.ToTensor(), transforms.Normalize(pixels.mean, pixels.std)])


def saved(image):
    """The picture as a PNG would hold it."""
    return to_pil_image((image.clamp(0, 1) * 255).round().byte())


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("size", SIZES)
def test_the_shortest_side_fills_and_the_centre_is_kept_as_torchvision_does_it(size, interpolation):
    pixels = Pixels((28, 28), interpolation=interpolation)
    resize = transforms.Compose([transforms.Resize(28, FILTERS[interpolation]), transforms.CenterCrop(28)])
    assert torch.equal(pixels(picture(size)[None])[0], outside(resize, pixels)(saved(picture(size))))


@pytest.mark.parametrize("size", SIZES)
def test_squashing_is_torchvisions_resize_to_both_sides(size):
    pixels = Pixels((28, 42), mean=(0.5,) * 3, std=(0.25,) * 3, fit="squash")
    resize = transforms.Resize((28, 42), InterpolationMode.BICUBIC)
    assert torch.equal(pixels(picture(size)[None])[0], outside(resize, pixels)(saved(picture(size))))


@pytest.mark.parametrize("fit", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", SIZES)
def test_every_fit_is_the_one_of_open_clip(size, fit, open_clip):
    for target in (28, (28, 28)) if fit == "longest" else (28,):
        pixels = Pixels((28, 28), fit=fit, fill=17)
        config = open_clip.transform.PreprocessCfg(size=target, resize_mode=fit, fill_color=17)
        transform = open_clip.transform.image_transform_v2(config, is_train=False)
        assert torch.equal(pixels(picture(size)[None])[0], transform(saved(picture(size))))


@pytest.mark.parametrize("size", SIZES)
def test_a_longer_side_before_the_crop_is_torchvisions_resize_and_crop(size):
    resize = transforms.Compose([transforms.Resize(32, InterpolationMode.BICUBIC), transforms.CenterCrop(28)])
    pixels = Pixels((28, 28), short=32)
    assert torch.equal(pixels(picture(size)[None])[0], outside(resize, pixels)(saved(picture(size))))


@pytest.mark.parametrize(("rest", "rounded", "floored"), [(1, 0, 0), (3, 2, 1), (5, 2, 2), (7, 4, 3)])
def test_a_crop_with_an_odd_rest_begins_where_each_library_begins_it(rest, rounded, floored):
    stripes = torch.arange(28 + rest).div(255)[None, None, None, :].expand(1, 3, 28, -1)
    for centre, first in (("round", rounded), ("floor", floored)):
        assert Pixels((28, 28), centre=centre).resize(stripes)[0, 0, 0, 0].item() == pytest.approx(first / 255)


def test_padding_is_grey_of_the_given_value():
    framed = Pixels((28, 28), fit="longest", fill=51).resize(torch.ones(1, 3, 14, 56))
    assert framed[0, :, 0, 0].tolist() == pytest.approx([0.2] * 3)
    assert framed[0, :, 14, 14].tolist() == [1.0] * 3


def test_values_outside_the_range_are_those_of_the_saved_picture():
    image = picture((40, 40)) * 3 - 1
    pixels = Pixels((28, 28))
    assert torch.equal(pixels(image[None]), pixels(image.clamp(0, 1)[None]))


def test_a_saved_picture_comes_back_to_the_last_bit():
    stored = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.equal(bytes_of(stored / 255), stored.movedim(1, -1))


def test_values_between_two_levels_are_rounded_not_cut():
    assert bytes_of(torch.full((1, 3, 1, 1), 0.999)).unique().tolist() == [255]


def test_half_precision_pictures_are_rounded_in_single_precision():
    image = picture((8, 8))[None].half()
    assert torch.equal(bytes_of(image), bytes_of(image.float()))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_pixels_that_are_no_numbers_are_refused(value):
    image = picture((8, 8))[None]
    image[0, 1, 2, 3] = value
    with pytest.raises(ValueError, match="must be finite"):
        bytes_of(image)


def test_grey_becomes_three_equal_channels():
    grey = picture((8, 8))[None, :1]
    assert torch.equal(rgb(grey), grey.repeat(1, 3, 1, 1))
    as_pillow = saved(grey[0]).convert("RGB")
    assert Image.fromarray(bytes_of(rgb(grey))[0].numpy()).tobytes() == as_pillow.tobytes()


def test_alpha_is_dropped():
    image = torch.rand(2, 4, 8, 8)
    assert torch.equal(rgb(image), image[:, :3])


def test_pictures_of_two_channels_are_refused():
    with pytest.raises(ValueError, match="got 2"):
        rgb(torch.rand(1, 2, 8, 8))


def test_frames_of_a_video_are_pictures_like_others():
    frames = torch.stack([picture((40, 56), seed) for seed in range(3)])
    pixels = Pixels((28, 28))
    assert torch.equal(pixels(rgb(frames)), torch.cat([pixels(frame[None]) for frame in frames]))


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 3, 5, 8, 8)])
def test_a_single_picture_and_a_batch_of_videos_are_refused_rather_than_taken_for_something_else(shape):
    with pytest.raises(ValueError, match="must be a batch of four dimensions"):
        rgb(torch.rand(shape))


def test_an_unknown_fit_is_refused_by_name():
    with pytest.raises(ValueError, match="shortest, squash, longest, got crop"):
        Pixels((28, 28), fit="crop")
    with pytest.raises(ValueError, match="bicubic, bilinear, got nearest"):
        Pixels((28, 28), interpolation="nearest")
    with pytest.raises(ValueError, match="round, floor, got left"):
        Pixels((28, 28), centre="left")


def test_pictures_that_were_decoded_together_are_judged_together_without_a_copy():
    decoded = torch.rand(5, 3, 8, 12).movedim(1, -1)  # as the host gives them
    rows = [image[None] for image in decoded]
    for chosen, expected in (
        (rows, decoded),
        (rows[1:4], decoded[1:4]),
        (rows[::2], decoded[::2]),
        (list(decoded.contiguous().split(1)), decoded),
    ):
        assert torch.equal(together(chosen), expected)
        assert together(chosen).untyped_storage().data_ptr() == chosen[0].untyped_storage().data_ptr()


def test_all_other_pictures_are_copied_together():
    decoded = torch.rand(6, 3, 8, 12)
    rows = list(decoded.split(1))
    for chosen in (
        [rows[0], rows[1], rows[3]],
        [rows[2], rows[1]],
        [rows[0], rows[0]],
        [rows[0], torch.rand(1, 3, 8, 12)],
        [rows[0], torch.rand(2, 3, 8, 12)[1:]],  # as if it followed, but in other memory
        [decoded[:2], decoded[2:4]],
        [rows[0], decoded[1:2].transpose(2, 3).contiguous().transpose(2, 3)],
    ):
        assert torch.equal(together(chosen), torch.cat(chosen))
    assert together(rows[:1]) is rows[0]
