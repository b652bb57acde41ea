"""Published values, for those who have the weights: `python dev.py test --with-weights PATH`.

PATH holds what `models/verifiers` would, under the names that Load Verifier lists, and for ImageReward the four
pictures of its repository as `images/1.webp` to `4.webp`. Tests whose files are not there are deselected (conftest.py),
not skipped.
"""

import os
from pathlib import Path

import numpy
import pytest
import torch
from noise_search.verifiers.aesthetic import LAION, V2_5, fold
from noise_search.verifiers.image_reward import ImageReward
from noise_search.verifiers.transformers_clip import TransformersClip
from noise_search.verifiers.weights import read_tensors
from PIL import Image

PATH = Path(os.environ.get("NOISE_SEARCH_WEIGHTS", "") or ".")
LAION_HEAD, V2_5_HEAD, CLIP_B = (
    "sac+logos+ava1-l14-linearMSE.pth",
    "aesthetic_predictor_v2_5.pth",
    "clip-vit-base-patch16",
)
PICTURES = tuple(f"images/{number}.webp" for number in range(1, 5))
DEATHS = (
    "28-year-old chef found dead in San Francisco mall",
    "A 28-year-old chef who recently moved to San Francisco was found dead.",
)


def random_picture(seed):
    """The picture of torchmetrics' example, in [0, 1]."""
    return torch.randint(255, (3, 224, 224), generator=torch.manual_seed(seed))[None] / 255


@pytest.fixture(scope="module")
def clip_b():
    return TransformersClip.load(PATH / CLIP_B)


@pytest.mark.golden(LAION_HEAD)
@pytest.mark.parametrize(("entry", "expected"), [("zero", 5.236646), ("even", 4.883285), ("first", 4.545052)])
def test_the_laion_head_gives_its_known_ratings(entry, expected):
    weight, bias = fold(read_tensors(PATH / LAION_HEAD), LAION_HEAD, LAION)
    assert rating(weight, bias, entry) == pytest.approx(expected, abs=1e-5)


@pytest.mark.golden(V2_5_HEAD)
@pytest.mark.parametrize(("entry", "expected"), [("zero", 1.939038), ("even", 3.618320), ("first", 2.709308)])
def test_the_v2_5_head_gives_its_known_ratings(entry, expected):
    weight, bias = fold(read_tensors(PATH / V2_5_HEAD), V2_5_HEAD, V2_5)
    assert rating(weight, bias, entry) == pytest.approx(expected, abs=1e-5)


def rating(weight, bias, entry):
    width = len(weight)
    vectors = {"zero": torch.zeros(width), "even": torch.full((width,), width**-0.5), "first": torch.eye(width)[0]}
    return float(weight @ vectors[entry].double() + bias)


@pytest.mark.golden("ImageReward.pt", *PICTURES)
def test_imagereward_gives_the_published_rewards_of_its_four_pictures():
    prompt = "a painting of an ocean with clouds and birds, day time, low depth field effect"
    pictures = [
        torch.from_numpy(numpy.array(Image.open(PATH / name).convert("RGB"))).movedim(-1, 0)[None] / 255
        for name in PICTURES
    ]
    rewards = torch.cat([ImageReward.load(PATH / "ImageReward.pt").measure(picture, prompt) for picture in pictures])[
        :, 0
    ]
    published = torch.tensor([0.5811622738838196, 0.2745276093482971, -1.4131819009780884, -2.029569625854492])
    torch.testing.assert_close(rewards, published, rtol=0, atol=0.02)


@pytest.mark.golden(CLIP_B)
def test_clip_gives_torchmetrics_score_of_a_picture_and_a_text(clip_b):
    cosine = clip_b.embed_images(random_picture(42)) @ clip_b.embed_text("a photo of a cat").T
    assert 100 * cosine.item() == pytest.approx(24.426, abs=0.02)


@pytest.mark.golden(CLIP_B)
def test_clip_gives_torchmetrics_score_of_two_pictures(clip_b):
    cosine = clip_b.embed_images(random_picture(42)) @ clip_b.embed_images(random_picture(43)).T
    assert 100 * cosine.item() == pytest.approx(99.486, abs=0.02)


@pytest.mark.golden(CLIP_B)
def test_clip_gives_torchmetrics_score_of_two_texts(clip_b):
    one, other = (clip_b.embed_text(text) for text in DEATHS)
    assert 100 * (one @ other.T).item() == pytest.approx(91.395, abs=0.02)
