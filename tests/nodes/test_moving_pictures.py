"""Videos in the panel: a small picture that moves, and one that stands still from the middle of the video."""

import os

import numpy as np
import pytest
import torch
from noise_search.tests.families import tiny
from noise_search.tests.families.matrix import FAMILIES
from noise_search.tests.nodes.graphs import kept, searched
from noise_search.tests.nodes.test_human_pick import value
from PIL import Image


@pytest.fixture
def thumbnails(host):
    with host.part("nodes.host.background").Background() as background:
        yield host.part("nodes.host.page.thumbnails").Thumbnails("moving", background)


def brighter_and_brighter(frames: int, height: int = 40, width: int = 64) -> torch.Tensor:
    return torch.linspace(0, 1, frames).reshape(-1, 1, 1, 1).expand(frames, height, width, 3)


def level(picture: Image.Image) -> float:
    return float(np.asarray(picture.convert("L")).mean())


def test_a_video_moves_from_its_first_frame_to_its_last_and_stands_at_the_middle(thumbnails):
    thumbnails.keep(0, brighter_and_brighter(33))
    thumbnails.background.settle()
    moving = Image.open(thumbnails.path(0, "moving"))
    assert (moving.format, moving.n_frames, moving.size) == ("WEBP", 16, (64, 40))
    levels = []
    for frame in range(16):
        moving.seek(frame)
        levels.append(level(moving))
    assert levels == sorted(levels) and levels[0] < 6 and levels[-1] > 249
    assert level(Image.open(thumbnails.path(0, "small"))) == pytest.approx(127, abs=3)
    thumbnails.drop([0])
    thumbnails.background.settle()
    assert not os.listdir(thumbnails.folder)


def test_a_picture_and_a_video_of_one_frame_do_not_move(thumbnails, host):
    moving_of = host.part("nodes.host.files.pictures").moving_of
    assert moving_of(torch.rand(8, 8, 3)) is None and moving_of(torch.rand(1, 8, 8, 3)) is None
    thumbnails.keep(0, torch.rand(8, 8, 3))
    thumbnails.background.settle()
    assert sorted(os.listdir(thumbnails.folder)) == ["0_large.jpg", "0_small.jpg"]


@pytest.mark.parametrize(("frames", "found"), [(2, 2), (5, 5), (16, 16), (17, 16), (81, 16)])
def test_the_frames_that_move_are_small_and_do_not_hold_the_video(host, frames, found):
    moving = host.part("nodes.host.files.pictures").moving_of(brighter_and_brighter(frames, 720, 1280))
    assert moving.shape == (found, 240, 427, 3) and moving.untyped_storage().nbytes() == moving.nbytes
    assert float(moving[0].max()) == 0 and float(moving[-1].min()) == 1, "from its first frame to its last"


def test_every_video_of_a_search_moves(host):
    family = next(one for one in FAMILIES if one.name == "Wan 2.1")
    nodes = searched(model={"class_type": "ToyModel", "inputs": {"family": "wan", "batch": 1}}, pictures=2)
    nodes["s"]["inputs"] |= {"vae": ["vae", 0]}
    del nodes["2"]["inputs"]["verifier"]
    graph = nodes | kept("2", "recipe") | value(host, "vae", tiny.vae(family, host.toys))
    assert host.run(graph, workflow={"id": "moving"}).ok
    live = host.part("nodes.host.page.searches").everywhere()[-1]
    assert [row["moving"] for row in live.rows] == [True, True]
    assert Image.open(live.thumbnails.path(1, "moving")).n_frames > 1
