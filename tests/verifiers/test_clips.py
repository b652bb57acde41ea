"""Which frames of a video are judged, and how their values become one."""

import pytest
import torch
from noise_search.verifiers.base import Card
from noise_search.verifiers.clips import Frames, measure_clips
from noise_search.verifiers.ensemble import Ensemble
from noise_search.verifiers.focus import Adjusted
from noise_search.verifiers.motion import Motion


class Bright:
    """Mean pixel of each picture."""

    columns, modules = ("brightness",), ()
    card = Card("bright", "0 to 1", 0.1, prompt=False)

    def __init__(self):
        self.seen = []

    def measure(self, images, prompt):
        self.seen.append(len(images))
        return images.flatten(1).mean(1, keepdim=True)

    def combine(self, pool):
        return pool[:, 0]


def video(*levels):
    """One even frame per level."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)


NINE = video(*[level / 16 for level in range(9)])


@pytest.mark.parametrize(
    ("frames", "levels"),
    [
        (Frames(), [0, 3, 5, 8]),
        (Frames("worst", 3), [0, 4, 8]),
        (Frames("mean", 100), list(range(9))),
        (Frames("mean", 1), [0]),
        (Frames("first"), [0]),
        (Frames("middle"), [4]),
        (Frames("last"), [8]),
    ],
)
def test_the_frames_that_are_judged_are_spread_over_the_clip_or_the_one_asked_for(frames, levels):
    assert (frames.of(NINE)[:, 0, 0, 0] * 16).tolist() == levels
    assert len(frames.of(NINE[:1])) == 1  # a picture


def test_a_verifier_of_pictures_sees_four_frames_of_every_clip_in_one_go():
    judge = Bright()
    values = measure_clips(judge, [NINE, video(1.0)], "")
    assert values.tolist() == [[pytest.approx(4 / 16)], [1.0]] and judge.seen == [5]


@pytest.mark.parametrize(
    ("how", "expected"), [("mean", 0.5), ("worst", 0.1), ("first", 0.4), ("middle", 0.9), ("last", 0.6)]
)
def test_settings_say_what_of_a_video_counts(how, expected):
    settings = Adjusted(Bright(), frames=Frames(how, 4))
    assert measure_clips(settings, [video(0.4, 0.1, 0.9, 0.6)], "").item() == pytest.approx(expected)


def test_where_less_is_better_the_worst_frame_is_the_one_with_most():
    settings = Adjusted(Bright(), weight=-1.0, frames=Frames("worst"))
    assert measure_clips(settings, [video(0.4, 0.1, 0.9, 0.6)], "").item() == pytest.approx(0.9)


def test_members_of_an_ensemble_see_their_own_frames_and_whole_clips():
    judges = Ensemble(
        [Adjusted(Bright(), frames=Frames("last")), Bright(), Motion("motion")], combination="weighted sum"
    )
    flat = measure_clips(judges, [video(0.2, 0.2, 0.8, 0.8)], "")[0].tolist()
    assert flat[:2] == pytest.approx([0.8, 0.5]) and flat[2] == pytest.approx(60 / 3**0.5, abs=1e-3)


def test_settings_of_a_verifier_of_motion_pass_whole_clips_on_with_their_mask():
    half = Adjusted(Motion("motion"), focus=lambda images: images[..., :2])
    moving = video(0.0, 0.0, 0.0).clone()
    moving[1, ..., 2:] = 1  # outside the part that is judged
    assert measure_clips(half, [moving], "").item() == 0 and measure_clips(Motion("motion"), [moving], "").item() > 10


def test_frames_of_a_verifier_of_motion_cannot_be_chosen():
    with pytest.raises(
        ValueError, match="frames must be left at mean of 4 for motion, which judges whole videos, got worst of 4"
    ):
        Adjusted(Motion("motion"), frames=Frames("worst"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("best",), "frames must be one of mean, worst, first, middle, last, got best"),
        (("mean", 0), "judged_frames must be between 1 and 1024, got 0"),
    ],
)
def test_frames_that_mean_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Frames(*arguments)


def test_estimates_reach_a_verifier_that_wants_them_frame_by_frame():
    class Wants(Bright):
        estimate_at = 0.6

        def measure(self, images, prompt, estimates=None):
            return images.flatten(1).mean(1, keepdim=True) - estimates.flatten(1).mean(1, keepdim=True)

    assert measure_clips(Wants(), [video(0.5, 0.7)], "", [video(0.1, 0.1)]).item() == pytest.approx(0.5)
    assert measure_clips(Bright(), [video(0.5, 0.7)], "", [video(0.1, 0.1)]).item() == pytest.approx(0.6)
