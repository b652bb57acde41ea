import pytest
import torch
from noise_search.tests.verifiers.test_ensemble import Toy
from noise_search.verifiers.ensemble import Ensemble
from noise_search.verifiers.focus import GREY, Adjusted, Focus


def mask(height, width, rows, columns, value=1.0):
    """A mask that covers a box."""
    covering = torch.zeros(height, width)
    covering[slice(*rows), slice(*columns)] = value
    return covering


def places(height, width):
    """One picture whose channels say which row and column a pixel is, and the same of a third."""
    rows, columns = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.stack([rows, columns, rows + columns])[None]


def extent(crop):
    """First and last row and column that are left."""
    return crop[0, 0].min().item(), crop[0, 0].max().item(), crop[0, 1].min().item(), crop[0, 1].max().item()


def test_the_crop_is_the_square_around_the_covered_box_with_a_quarter_of_it_on_every_side():
    crop = Focus(mask(400, 600, (200, 280), (300, 340)))(places(400, 600))
    assert crop.shape == (1, 3, 120, 120)
    assert extent(crop) == (180, 299, 260, 379)


def test_at_the_edge_the_square_moves_inwards():
    crop = Focus(mask(400, 600, (0, 80), (560, 600)))(places(400, 600))
    assert extent(crop) == (0, 119, 480, 599)


def test_a_small_region_is_not_blown_up_from_a_few_pixels():
    crop = Focus(mask(400, 600, (200, 204), (300, 304)))(places(400, 600))
    assert crop.shape == (1, 3, 64, 64) and extent(crop)[::2] == (170, 270)


def test_where_the_box_fits_a_square_of_the_picture_nothing_is_padded():
    crop = Focus(mask(100, 300, (10, 90), (100, 180)))(places(100, 300))
    assert extent(crop) == (0, 99, 90, 189)


def test_a_box_longer_than_the_picture_is_wide_is_padded_with_grey_and_not_cut():
    image = places(100, 300) + 1000
    crop = Focus(mask(100, 300, (40, 60), (0, 300)))(image)
    assert crop.shape == (1, 3, 300, 300)
    assert torch.equal(crop[..., 100:200, :], image)
    assert (crop[..., :100, :] == GREY).all() and (crop[..., 200:, :] == GREY).all()


def test_what_surrounds_the_covered_part_stays_as_it_is():
    image = torch.rand(2, 3, 200, 200)
    crop = Focus(mask(200, 200, (80, 120), (80, 120)))(image)
    assert torch.equal(crop, image[..., 68:132, 68:132])


def test_a_mask_of_another_size_is_scaled_to_the_picture():
    small = Focus(mask(50, 75, (25, 35), (30, 40)))(places(400, 600))
    large = Focus(mask(400, 600, (200, 280), (240, 320)))(places(400, 600))
    assert torch.equal(small, large)


def test_several_masks_are_joined_and_faint_parts_do_not_count():
    both = torch.stack([mask(400, 400, (100, 120), (100, 120)), mask(400, 400, (180, 200), (180, 200))])
    faint = torch.stack([mask(400, 400, (100, 200), (100, 200)), mask(400, 400, (0, 400), (0, 400), value=0.4)])
    assert torch.equal(Focus(both)(places(400, 400)), Focus(faint)(places(400, 400)))
    assert extent(Focus(both)(places(400, 400))) == (75, 224, 75, 224)


def test_a_mask_that_covers_nothing_is_refused():
    with pytest.raises(ValueError, match=r"mask must cover something \(values of at least 0.5\), got at most 0.4"):
        Focus(mask(40, 40, (0, 40), (0, 40), value=0.4))


def test_a_mask_of_another_shape_than_the_pictures_is_refused():
    with pytest.raises(ValueError, match="aspect ratio of the pictures, 96 x 64, got 64 x 64"):
        Focus(mask(64, 64, (0, 9), (0, 9)))(torch.zeros(1, 3, 64, 96))


# Settings


def left_half(images):
    return images[..., : images.shape[-1] // 2]


def test_only_the_region_is_judged(images):
    judge = Adjusted(Toy(0), focus=left_half)
    elsewhere = images.clone()
    elsewhere[..., 28:] = torch.rand(5, 3, 40, 28)
    assert torch.equal(judge.measure(images, ""), judge.measure(elsewhere, ""))
    assert torch.equal(judge.measure(images, ""), images[:, 0, :, :28].mean((1, 2)).unsqueeze(1))


class Reader(Toy):
    """Counts the letters of what it reads."""

    def measure(self, images, prompt):
        return torch.full((len(images), 1), float(len(prompt)))


def test_an_own_prompt_is_read_instead_of_the_common_one(images):
    ensemble = Ensemble([Reader(0, limit=9), Adjusted(Reader(0, limit=9), prompt=" two words ")])
    assert ensemble.measure(images[:1], "abc").tolist() == [[3.0, 9.0]]


class Comparing(Reader):
    """Prefers the brighter picture, and says what it read."""

    def compare(self, images_a, images_b, prompt, question=""):
        self.read = prompt
        return (images_a.mean((1, 2, 3)) > images_b.mean((1, 2, 3))).float()


def test_pairs_are_compared_in_the_region_and_by_the_own_prompt():
    inner, (a, b) = Comparing(0, limit=9), torch.zeros(2, 1, 3, 8, 8)
    a[..., 4:], b[..., :4] = 1.0, 0.5
    judge = Adjusted(inner, prompt="hands", focus=left_half)
    assert judge.compares and not Adjusted(Toy(0)).compares
    assert judge.compare(a, b, "all") == 0 and Adjusted(inner).compare(a, b, "all") == 1
    assert judge.compare(a, b, "all") == 0 and inner.read == "hands"


def test_with_an_own_prompt_no_other_is_needed():
    assert not Adjusted(Reader(0, limit=9), prompt="a cat").card.prompt
    assert Adjusted(Reader(0, limit=9), prompt=" ").card.prompt


def test_alone_a_verifier_keeps_its_scale_whatever_its_weight():
    pool = torch.tensor([[0.2], [0.7]])
    assert torch.equal(Adjusted(Toy(0), weight=5, floor=0.5).combine(pool), pool[:, 0])
    assert torch.equal(Adjusted(Toy(0), weight=-5).combine(pool), -pool[:, 0])


def test_alone_with_weight_zero_only_the_floor_decides():
    scores = Adjusted(Toy(0), weight=0, floor=0.5).combine(torch.tensor([[0.9], [0.6], [0.4], [0.3]]))
    assert scores[0] == scores[1] > scores[2] > scores[3]


def test_a_value_exactly_at_the_floor_passes():
    assert Adjusted(Toy(0), floor=0.5).missed(torch.tensor([[0.5], [0.25]])).tolist() == [0.0, 2.5]


def test_settings_on_settings_add_up():
    outer = Adjusted(Adjusted(Toy(0), weight=-2, floor=0.1), weight=3, floor=0.2)
    assert Ensemble([outer], combination="weighted sum").weights == (-6,)
    assert outer.missed(torch.tensor([[0.0], [0.1], [0.2]])).tolist() == pytest.approx([3.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"weight": float("inf")}, "weight must be finite, and not 0 without a gate, got inf"),
        ({"weight": 0.0}, "not 0 without a gate, got 0"),
        ({"floor": float("nan")}, "floor must be finite, got nan"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        Adjusted(Toy(0), **settings)


def test_a_second_mask_is_refused_since_the_first_would_no_longer_fit():
    inner = Ensemble([Toy(1), Adjusted(Toy(0), focus=left_half)])
    with pytest.raises(ValueError, match="mask must be given once"):
        Adjusted(inner, focus=left_half)
