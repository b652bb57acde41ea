"""Videos in nodes that take finished pictures: a clip is one candidate there, however many frames it has."""

import gc
import os
import weakref

import numpy as np
import pytest
import torch
from noise_search.tests.families import tiny
from noise_search.tests.families.matrix import FAMILIES
from noise_search.tests.nodes.graphs import Brightness, refused, run, searched
from noise_search.tests.nodes.test_human_pick import artist, pick, value  # noqa: F401 (a fixture)
from PIL import Image

FRAMES = 5
WAN = {"class_type": "ToyModel", "inputs": {"family": "wan", "batch": 1}}
JUDGE = {"v": {"class_type": "ToyValue", "inputs": {"name": "v"}}}
RANKED = ("images", "latents", "noises", "seeds", "scores", "best score")


@pytest.fixture
def bright(host):
    host.toys.VALUES["v"] = Brightness()


@pytest.fixture
def filmed(host, bright):
    """`filmed(3)`: a search that hands on three clips."""

    def build(keep):
        family = next(one for one in FAMILIES if one.name == "Wan 2.1")
        nodes = searched(model=WAN, keep=keep, pictures=keep) | JUDGE
        nodes["s"]["inputs"]["vae"] = ["vae", 0]
        return nodes | value(host, "vae", tiny.vae(family, host.toys))

    return build


def clips(count=3):
    """Videos in one batch, each as bright as its number."""
    return torch.cat([torch.full((FRAMES, 8, 8, 3), (place + 1) / 10) for place in range(count)])


def numbers(images):
    """Of the clips that are in a batch."""
    return [round(float(clip.mean()) * 10) for clip in images.split(FRAMES)]


def video_latents(count=3):
    return {"samples": torch.arange(float(count)).reshape(count, 1, 1, 1, 1).expand(count, 16, 2, 1, 1)}


def score(*outputs, **inputs):
    kept = {
        f"k{name}": {"class_type": "ToyKeep", "inputs": {"value": ["score", RANKED.index(name)], "name": name}}
        for name in outputs
    }
    return {"score": {"class_type": "VerifierScore", "inputs": {"prompt": "", **inputs}}, **kept}


def test_the_clips_of_a_search_are_picked_as_clips(host, artist, filmed):  # noqa: F811
    kept = {"all": {"class_type": "ToyKeep", "inputs": {"value": ["2", 1], "name": "all"}}}
    someone = artist([2, 0])
    result = someone.run(filmed(3) | kept | pick("images", "picked", images=["2", 1]))
    assert result.ok, result.error
    every = result.kept["all"][0].unflatten(0, (3, -1))
    assert every.shape[1] > 1, "it is a video"
    assert torch.equal(result.kept["images"][0], every[[2, 0]].flatten(0, 1))
    assert result.kept["picked"] == [2, 0]
    assert (someone.seen[0]["count"], len(someone.seen[0]["sizes"])) == (3, 3)
    files = list(host.base.glob(f"temp/noise_search/picks/{someone.seen[0]['pick']}/*"))
    assert len(files) == 9, "a small and a large picture of each clip, and one that moves"
    assert result.outputs["pick"]["text"] == ["You picked #3, #1 of 3."]


def test_clips_are_picked_along_with_their_latents(host, artist):  # noqa: F811
    prompt = value(host, "images", clips()) | value(host, "latents", video_latents())
    result = artist([1]).run(prompt | pick("images", "latents", images=["images", 0], latents=["latents", 0]))
    assert result.ok, result.error
    assert numbers(result.kept["images"][0]) == [2]
    assert result.kept["latents"][0]["samples"].unique().tolist() == [1.0]


def levels_of(path):
    """How bright each frame of a picture is."""
    with Image.open(path) as picture:
        found = []
        for frame in range(getattr(picture, "n_frames", 1)):
            picture.seek(frame)
            found.append(np.asarray(picture.convert("L")).mean() / 255)
    return found


def test_the_gallery_shows_each_video_as_it_moves_and_its_middle_frame(host, artist):  # noqa: F811
    levels = [0.1, 0.3, 0.5, 0.7, 0.4], [0.2, 0.0, 1.0, 0.6, 0.8]
    video = torch.tensor(levels).reshape(-1, 1, 1, 1).expand(2 * FRAMES, 16, 16, 3)
    someone = artist([0])
    result = someone.run(value(host, "images", video) | pick("images", images=["images", 0], frames_per_video=5))
    assert result.ok, result.error
    assert someone.seen[0]["frames"] == [5, 5]
    known = host.part("nodes.host.page.human_pick").find_pick(someone.seen[0]["pick"])
    for place, level in enumerate([0.5, 1.0]):
        assert levels_of(known.picture(place, "moving")) == pytest.approx(levels[place], abs=0.03)
        assert levels_of(known.picture(place, "small")) == levels_of(known.picture(place, "large"))
        assert levels_of(known.picture(place, "large")) == pytest.approx([level], abs=0.03)


def test_what_is_written_of_a_long_video_is_small(host, artist):  # noqa: F811
    noise = torch.rand(2, 1, 120, 208, 3, generator=torch.Generator().manual_seed(1))  # nothing is larger as a file
    video = noise.expand(2, 81, 120, 208, 3).flatten(0, 1)
    someone = artist([0])
    result = someone.run(value(host, "images", video) | pick("images", images=["images", 0], frames_per_video=81))
    assert result.ok, result.error
    known = host.part("nodes.host.page.human_pick").find_pick(someone.seen[0]["pick"])
    assert len(levels_of(known.picture(0, "moving"))) <= 16
    assert len(os.listdir(known.folder())) == 6


def test_latents_with_a_row_for_each_frame_are_picked_along_whole(host, artist):  # noqa: F811
    latents = {"samples": torch.arange(15.0).reshape(15, 1, 1, 1).expand(15, 4, 1, 1)}
    prompt = value(host, "images", clips()) | value(host, "latents", latents)
    sockets = {"images": ["images", 0], "latents": ["latents", 0]}
    result = artist([2, 0]).run(prompt | pick("images", "latents", frames_per_video=FRAMES, **sockets))
    assert result.ok, result.error
    assert numbers(result.kept["images"][0]) == [3, 1]
    assert result.kept["latents"][0]["samples"][:, 0, 0, 0].tolist() == [10, 11, 12, 13, 14, 0, 1, 2, 3, 4]


def test_videos_of_several_lengths_in_a_list_are_told_by_their_latents(host, artist):  # noqa: F811
    videos = [torch.full((frames, 8, 8, 3), frames / 10) for frames in (3, 5, 4)]
    prompt = value(host, "images", videos) | value(host, "latents", video_latents())
    someone = artist([1])
    result = someone.run(prompt | pick("images", "latents", images=["images", 1], latents=["latents", 0]))
    assert result.ok, result.error
    assert someone.seen[0]["frames"] == [3, 5, 4] and len(result.kept["images"][0]) == 5
    assert result.kept["latents"][0]["samples"].unique().tolist() == [1.0]


@pytest.mark.parametrize("count", [2, 4, 16])
def test_latents_of_videos_that_do_not_fit_the_frames_are_refused(host, count):
    prompt = value(host, "images", clips()) | value(host, "latents", video_latents(count))
    text = refused(host, prompt, pick("images", images=["images", 0], latents=["latents", 0]))
    assert "latents must hold as many videos as the images, 15 frames in one batch" in text
    assert f"got {count} videos. Where that is not so, set frames_per_video" in text


def test_clips_that_came_as_a_list_leave_as_a_list(host, artist):  # noqa: F811
    prompt = value(host, "images", list(clips().split(FRAMES)))
    result = artist([2, 1]).run(prompt | pick("images", images=["images", 1], frames_per_video=FRAMES))
    assert result.ok, result.error
    assert [tuple(image.shape) for image in result.kept["images"]] == [(FRAMES, 8, 8, 3)] * 2
    assert [numbers(image) for image in result.kept["images"]] == [[3], [2]]


def test_clips_are_judged_as_clips_and_sorted_whole(host, bright):
    prompt = value(host, "images", clips()) | value(host, "latents", video_latents()) | JUDGE
    found = run(
        host,
        prompt,
        score("images", "latents", "scores", images=["images", 0], latents=["latents", 0], verifier=["v", 0]),
    )
    assert numbers(found.images) == [3, 2, 1]
    assert found.latents["samples"][:, 0, 0, 0, 0].tolist() == [2.0, 1.0, 0.0]
    assert found.scores == pytest.approx([0.3, 0.2, 0.1])


def test_a_judge_of_motion_sees_the_motion_of_each_clip(host):
    moving = torch.rand(FRAMES, 32, 32, 3, generator=torch.Generator().manual_seed(1))
    prompt = value(host, "images", torch.cat([torch.full((FRAMES, 32, 32, 3), 0.5), moving]))
    judge = {"judge": {"class_type": "LoadVerifier", "inputs": {"verifier": "motion", "device": "auto"}}}
    found = run(
        host,
        prompt | judge,
        score("images", "scores", images=["images", 0], verifier=["judge", 0], frames_per_video=FRAMES),
    )
    assert torch.equal(found.images[:FRAMES], moving)
    assert found.scores[0] > found.scores[1]


def test_a_taste_is_told_of_clips_and_not_of_frames(host, bright):
    agreement = {
        "class_type": "VerifierAgreement",
        "inputs": {
            "images": ["images", 0],
            "verifiers.verifier0": ["v", 0],
            "ranking": "3 2 1",
            "prompt": "",
            "frames_per_video": FRAMES,
        },
    }
    found = run(host, value(host, "images", clips()) | JUDGE | {"agreement": agreement})
    assert "+1.00" in found.ui["agreement"]["text"][0]


def test_frames_that_cannot_be_clips_of_that_length_are_refused(host):
    prompt = value(host, "images", clips()) | value(host, "scores", [1.0])
    text = refused(host, prompt, score("images", images=["images", 0], scores=["scores", 1], frames_per_video=4))
    assert "frames_per_video must divide the 15 frames of a batch, got 4" in text


def test_latents_of_pictures_that_are_fewer_than_the_pictures_are_refused(host):
    prompt = value(host, "images", clips()) | value(host, "latents", {"samples": torch.zeros(3, 4, 1, 1)})
    prompt |= value(host, "scores", [float(place) for place in range(15)])
    text = refused(host, prompt, score("images", images=["images", 0], latents=["latents", 0], scores=["scores", 1]))
    assert "latents must be as many as the pictures, 15, got 3" in text


def test_pictures_stay_pictures_also_with_their_latents_and_a_clips_frames_where_that_is_wanted(host, artist, filmed):  # noqa: F811
    latents = {"samples": torch.zeros(15, 4, 1, 1)}
    prompt = value(host, "images", clips()) | value(host, "latents", latents)
    result = artist([14]).run(prompt | pick("images", images=["images", 0], latents=["latents", 0]))
    assert result.ok and len(result.kept["images"][0]) == 1
    result = artist([3]).run(filmed(2) | pick("images", images=["2", 1], frames_per_video=1))
    assert result.ok and len(result.kept["images"][0]) == 1


def test_what_is_known_of_clips_holds_none_of_them(host):
    pictures = host.part("nodes.host.files.pictures")
    batch = pictures.as_batch([torch.zeros(3, 8, 8, 3), torch.zeros(3, 8, 8, 3)])
    gone = weakref.ref(batch)
    assert pictures.frames_of(batch) == 3 and pictures.frames_of(batch.clone()) == 0
    del batch
    gc.collect()
    assert gone() is None
