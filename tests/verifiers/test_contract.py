"""What every verifier keeps to; a new one gets a line in VERIFIERS."""

import pytest
import torch
from noise_search.tests.verifiers.test_aesthetic import Unfolded
from noise_search.verifiers.aesthetic import AestheticScore, fold
from noise_search.verifiers.clip_model import ClipModel
from noise_search.verifiers.clip_score import ClipScore
from noise_search.verifiers.ensemble import Ensemble

PROMPT = "a red cube"


def make_aesthetic(checkpoint):
    torch.manual_seed(3)
    model = ClipModel.load(checkpoint)
    return AestheticScore(model.embed_images, *fold(Unfolded().state_dict(), "head"), modules=(model.module,))


def make_ensemble(checkpoint):
    return Ensemble([ClipScore.load(checkpoint), make_aesthetic(checkpoint)])


VERIFIERS = {"clip": ClipScore.load, "aesthetic": make_aesthetic, "ensemble": make_ensemble}


@pytest.fixture(params=VERIFIERS)
def verifier(request, checkpoint):
    return VERIFIERS[request.param](checkpoint)


def test_there_is_one_finite_float32_row_per_picture(verifier, images):
    values = verifier.measure(images, PROMPT)
    assert values.shape == (len(images), len(verifier.columns))
    assert (values.dtype, values.device.type) == (torch.float32, "cpu") and values.isfinite().all()


def test_a_batch_measures_as_its_pictures_one_by_one(verifier, images):
    single = torch.cat([verifier.measure(image[None], PROMPT) for image in images])
    torch.testing.assert_close(verifier.measure(images, PROMPT), single, rtol=0, atol=1e-4)


def test_values_follow_their_pictures_when_these_change_places(verifier, images):
    order = torch.tensor([3, 0, 4, 1, 2])
    moved = verifier.measure(images[order], PROMPT)
    torch.testing.assert_close(moved, verifier.measure(images, PROMPT)[order], rtol=0, atol=1e-4)


def test_the_prompt_matters_exactly_if_the_card_says_so(verifier, images):
    same = torch.equal(verifier.measure(images, PROMPT), verifier.measure(images, "a blue house"))
    assert same is not verifier.card.prompt
    assert (verifier.count_tokens(PROMPT) is not None) is verifier.card.prompt


def test_inference_mode_changes_nothing(verifier, images):
    with torch.inference_mode():
        inside = verifier.measure(images, PROMPT)
    assert torch.equal(inside, verifier.measure(images, PROMPT))


def test_there_is_one_finite_score_per_picture_of_any_pool(verifier, images):
    values = verifier.measure(images, PROMPT)
    for pool in (values, values[:1]):
        scores = verifier.combine(pool)
        assert scores.shape == (len(pool),) and scores.isfinite().all()


def test_half_precision_weights_give_nearly_the_same_values(verifier, images):
    exact = verifier.measure(images, PROMPT)
    for module in verifier.modules:
        module.to(torch.bfloat16)
    torch.testing.assert_close(verifier.measure(images, PROMPT), exact, rtol=0, atol=5)


def test_the_typical_spread_is_a_scale(verifier):
    assert verifier.card.spread > 0 and verifier.card.name and verifier.card.range
