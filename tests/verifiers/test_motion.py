"""How videos move: closed forms for clips that stand, move, flicker and jump."""

import pytest
import torch
from noise_search.verifiers.motion import LEAST, Motion, likes_stillness

SIZE, RADIUS = 64, 6


def disc(x: float, y: float = SIZE / 2) -> torch.Tensor:
    """A white disc on black, `(3, h, w)`."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return ((columns - x) ** 2 + (rows - y) ** 2 <= RADIUS**2).float().expand(3, SIZE, SIZE)


def value(name: str, clip: torch.Tensor) -> float:
    return Motion(name).measure_clips([clip], "")[0].item()


def clip(*frames: torch.Tensor) -> torch.Tensor:
    return torch.stack(frames)


GREY = torch.full((3, 8, 8), 0.5)
FLICKERING = clip(*[GREY, GREY * 0.5] * 4)
STILL = clip(*[disc(30)] * 8)
MOVING = clip(*[disc(14 + 4 * step) for step in range(8)])
FADING = clip(*[GREY * step / 8 for step in range(8)])


def test_a_still_clip_is_consistent_and_does_not_move():
    assert value("temporal consistency", STILL) == 1 and value("motion", STILL) == 0


def test_an_even_fade_is_fully_consistent_and_moves_by_its_step():
    assert value("temporal consistency", FADING) == pytest.approx(1, abs=1e-4)
    assert value("motion", FADING) == pytest.approx(100 / 16, abs=1e-3)


def test_a_flicker_is_as_inconsistent_as_can_be():
    assert value("temporal consistency", FLICKERING) == pytest.approx(0, abs=1e-3)
    assert value("motion", FLICKERING) == pytest.approx(25, abs=1e-3)


def test_an_edge_that_moves_on_is_half_way_and_a_disc_that_jumps_about_is_worse():
    """The second difference of a moving edge has twice the energy of the first, that of unrelated places three times:
    1/2 and 1/4.
    """
    jumping = clip(*[disc(10 + 14 * (step % 4), 10 + 22 * ((step * 3) % 2)) for step in range(8)])
    assert value("temporal consistency", MOVING) == pytest.approx(0.5, abs=0.03)
    assert value("temporal consistency", jumping) < 0.3


def test_a_shuffled_clip_is_less_consistent_than_the_clip():
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    assert value("temporal consistency", MOVING[order]) < value("temporal consistency", MOVING) - 0.1
    assert value("motion", MOVING[order]) > value("motion", MOVING)


def test_frames_of_independent_noise_are_at_a_quarter():
    noise = torch.rand((40, 1, 32, 32), generator=torch.Generator().manual_seed(1)).expand(-1, 3, -1, -1)
    assert value("temporal consistency", noise) == pytest.approx(0.25, abs=0.02)


def test_changes_that_nobody_sees_are_not_held_against_a_clip():
    noise = torch.rand((8, 1, 32, 32), generator=torch.Generator().manual_seed(1)).expand(-1, 3, -1, -1)
    assert value("temporal consistency", 0.5 + noise / 2550) > 0.95


def test_backwards_is_as_consistent_as_forwards_and_size_hardly_matters():
    large = torch.nn.functional.interpolate(MOVING, scale_factor=2.0)
    assert value("temporal consistency", MOVING.flip(0)) == pytest.approx(value("temporal consistency", MOVING))
    assert value("temporal consistency", large) == pytest.approx(value("temporal consistency", MOVING), abs=1e-4)


def test_each_clip_is_measured_by_itself():
    both = Motion("motion").measure_clips([STILL, MOVING], "")
    assert both.tolist() == [[value("motion", STILL)], [value("motion", MOVING)]] and both.dtype == torch.float32


@pytest.mark.parametrize("name", ["temporal consistency", "motion"])
def test_single_pictures_and_clips_without_motion_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be judged on whole videos from a search, got single pictures"):
        Motion(name).measure(STILL, "")
    with pytest.raises(ValueError, match=f"at least {LEAST} frames, got 2"):
        Motion(name).measure_clips([STILL[:2]], "")


def test_an_unknown_quantity_is_refused():
    with pytest.raises(ValueError, match="name must be one of temporal consistency, motion, got speed"):
        Motion("speed")


def test_what_asks_for_a_still_video_is_known_unless_motion_is_beside_it():
    assert likes_stillness(["temporal consistency"]) and likes_stillness(["CLIP score", "temporal consistency"])
    assert not likes_stillness(["temporal consistency", "motion"]) and not likes_stillness(["CLIP score"])
