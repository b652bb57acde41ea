"""What every verifier keeps to; a new one gets a line in VERIFIERS."""

from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest
import torch
from noise_search.tests.verifiers.test_aesthetic import Unfolded
from noise_search.tests.verifiers.tiny_dino import make_dino, write_folder
from noise_search.tests.verifiers.tiny_transformers import (
    write_classifier,
    write_clip,
    write_head,
    write_image_reward,
    write_safety_checker,
    write_siglip,
    write_timm_classifier,
)
from noise_search.tests.verifiers.tiny_vlm import write_vlm
from noise_search.verifiers.aesthetic import V2_5, AestheticScore, fold
from noise_search.verifiers.base import COSTS
from noise_search.verifiers.clip_model import ClipModel
from noise_search.verifiers.clip_score import ClipScore
from noise_search.verifiers.ensemble import Ensemble
from noise_search.verifiers.focus import Adjusted, Focus, measure
from noise_search.verifiers.hps_score import HpsScore
from noise_search.verifiers.image_encoder import ImageEncoder
from noise_search.verifiers.image_reward import ImageReward
from noise_search.verifiers.pick_score import PickScore
from noise_search.verifiers.reference import ReferenceScore
from noise_search.verifiers.safety import SafetyChecker, SafetyScore
from noise_search.verifiers.self_supervised import SelfSupervisedScore
from noise_search.verifiers.technical import QUANTITIES, Technical, TechnicalQuality
from noise_search.verifiers.transformers_clip import SiglipEye, TransformersClip
from noise_search.verifiers.vlm import VlmScore
from noise_search.verifiers.vlm_local import LocalChat

PROMPT = "a red cube"


def make_aesthetic(checkpoint):
    torch.manual_seed(3)
    model = ClipModel.load(checkpoint)
    return AestheticScore(model.embed_images, *fold(Unfolded().state_dict(), "head"), modules=(model.module,))


def make_ensemble(checkpoint):
    return Ensemble([ClipScore.load(checkpoint), make_aesthetic(checkpoint)])


def make_adjusted(checkpoint):
    """With a gate, in the middle of the pictures."""
    mask = torch.zeros(40, 56)
    mask[16:24, 20:36] = 1
    return Adjusted(ClipScore.load(checkpoint), weight=0, floor=0.0, focus=Focus(mask))


def made(write, load):
    """Makes a verifier of what was written beside the checkpoint."""

    def make(checkpoint):
        path = Path(mkdtemp(dir=checkpoint.parent)) / "model.pt"
        write(path)
        return load(path)

    return make


def load_v2_5(folder):
    head, eye = folder / "head.pth", SiglipEye.load(folder)
    write_head(head, "scoring_head", (0, 2, 4, 6, 8), 32)
    return AestheticScore.load(head, eye.embed_images, modules=(eye.module,), layout=V2_5)


def load_clip(folder):
    return ClipScore(TransformersClip.load(folder))


def write_dino(folder):
    write_folder(folder, make_dino())


def load_reference(folder):
    return ReferenceScore(
        ImageEncoder.load(folder), torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(2))
    )


VERIFIERS = {
    "clip": ClipScore.load,
    "aesthetic": make_aesthetic,
    "ensemble": make_ensemble,
    "adjusted": make_adjusted,
    "transformers clip": made(write_clip, load_clip),
    "siglip": made(write_siglip, load_clip),
    "siglip 2": made(partial(write_siglip, second=True), load_clip),
    "pickscore": made(write_clip, PickScore.load),
    "hps": HpsScore.load,
    "imagereward": made(write_image_reward, ImageReward.load),
    "aesthetic 2.5": made(write_siglip, load_v2_5),
    "safety": made(write_classifier, SafetyScore.load),
    "timm safety": made(write_timm_classifier, SafetyScore.load),
    "safety checker": made(write_safety_checker, SafetyChecker.load),
    "reference": made(write_dino, load_reference),
    "self-supervised": made(write_dino, lambda folder: SelfSupervisedScore(ImageEncoder.load(folder))),
    "vlm": made(write_vlm, lambda folder: VlmScore(LocalChat.load(folder))),
    "technical quality": lambda checkpoint: TechnicalQuality(),
    **{name: lambda checkpoint, name=name: Technical(name) for name in QUANTITIES},
}
HALF = {
    "hps": 0.02,
    "imagereward": 0.05,
    "aesthetic": 0.02,
    "aesthetic 2.5": 0.02,
    "safety": 0.01,
    "timm safety": 0.01,
    "vlm": 0.05,
}  # else 1.5
UNLIMITED = ("vlm",)  # read the whole prompt


@pytest.fixture(params=VERIFIERS)
def verifier(request, checkpoint, open_clip):
    return VERIFIERS[request.param](checkpoint)


def values_of(verifier, images, prompt=PROMPT):
    """What it measures; the pictures turned round stand for the estimates of those that judge by them."""
    return measure(verifier, images, prompt, images.flip(-1))


def test_there_is_one_finite_float32_row_per_picture(verifier, images):
    values = values_of(verifier, images)
    assert values.shape == (len(images), len(verifier.columns))
    assert (values.dtype, values.device.type) == (torch.float32, "cpu") and values.isfinite().all()


def test_a_batch_measures_as_its_pictures_one_by_one(verifier, images):
    single = torch.cat([values_of(verifier, image[None]) for image in images])
    torch.testing.assert_close(values_of(verifier, images), single, rtol=0, atol=1e-4)


def test_values_follow_their_pictures_when_these_change_places(verifier, images):
    order = torch.tensor([3, 0, 4, 1, 2])
    moved = values_of(verifier, images[order])
    torch.testing.assert_close(moved, values_of(verifier, images)[order], rtol=0, atol=1e-4)


def test_the_prompt_matters_exactly_if_the_card_says_so(verifier, images):
    same = torch.equal(values_of(verifier, images), values_of(verifier, images, "a blue house"))
    assert same is not verifier.card.prompt
    assert (verifier.count_tokens(PROMPT) is not None) is verifier.card.prompt


def test_inference_mode_changes_nothing(verifier, images):
    with torch.inference_mode():
        inside = values_of(verifier, images)
    assert torch.equal(inside, values_of(verifier, images))


def test_there_is_one_finite_score_per_picture_of_any_pool(verifier, images):
    values = values_of(verifier, images)
    for pool in (values, values[:1]):
        scores = verifier.combine(pool)
        assert scores.shape == (len(pool),) and scores.isfinite().all()


def test_half_precision_weights_give_nearly_the_same_values(verifier, images, request):
    exact = values_of(verifier, images)
    for module in verifier.modules:
        module.to(torch.bfloat16)
    tolerance = HALF.get(request.node.callspec.params["verifier"], 1.5)
    torch.testing.assert_close(values_of(verifier, images), exact, rtol=0, atol=tolerance)


def test_the_card_says_what_a_user_needs_to_know(verifier, request):
    card = verifier.card
    assert card.spread > 0 and card.name and card.range and card.cost in COSTS
    limited = card.prompt and request.node.callspec.params["verifier"] not in UNLIMITED
    assert (card.token_limit is not None) is limited
    assert verifier.columns and len(set(verifier.columns)) == len(verifier.columns)
