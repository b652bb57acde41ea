import pytest
import torch
from noise_search.verifiers.image_encoder import ImageEncoder
from noise_search.verifiers.self_supervised import SelfSupervisedScore, share_of
from torch.nn.functional import avg_pool2d, cosine_similarity


def features(images):
    """Four numbers per colour: the means of the picture's quarters."""
    return avg_pool2d(images, (images.shape[-2] // 2, images.shape[-1] // 2)).flatten(1)


@pytest.fixture
def verifier():
    return SelfSupervisedScore(ImageEncoder("quarters", features))


@pytest.fixture
def estimates(images):
    return torch.rand(images.shape, generator=torch.Generator().manual_seed(2))


def test_it_is_the_cosine_of_each_picture_with_its_own_estimate(verifier, images, estimates):
    expected = 100 * cosine_similarity(features(images), features(estimates))
    torch.testing.assert_close(verifier.measure(images, "", estimates)[:, 0], expected, rtol=0, atol=1e-4)


def test_a_picture_that_was_there_from_the_start_gets_100(verifier, images):
    torch.testing.assert_close(verifier.measure(images, "", images), torch.full((5, 1), 100.0), rtol=0, atol=1e-4)


def test_values_do_not_depend_on_the_batch_or_its_order(verifier, images, estimates):
    values = verifier.measure(images, "a red cube", estimates)
    single = torch.cat(
        [verifier.measure(image[None], "", estimate[None]) for image, estimate in zip(images, estimates)]
    )
    torch.testing.assert_close(values, single, rtol=0, atol=1e-4)
    torch.testing.assert_close(
        verifier.measure(images.flip(0), "", estimates.flip(0)), values.flip(0), rtol=0, atol=1e-4
    )


def test_finished_pictures_alone_cannot_be_judged(verifier, images):
    with pytest.raises(ValueError, match="needs a search node"):
        verifier.measure(images, "")


def test_every_picture_needs_its_estimate(verifier, images, estimates):
    with pytest.raises(ValueError, match="estimates must be one per picture, 5, got 4"):
        verifier.measure(images, "", estimates[:4])


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_the_noise_level_lies_between_the_ends(share):
    with pytest.raises(ValueError, match="estimate_at must be above 0 and below 1"):
        SelfSupervisedScore(ImageEncoder("quarters", features), share)


def test_the_papers_level_is_the_default_and_a_share_of_a_flow_models_schedule():
    assert (
        SelfSupervisedScore(ImageEncoder("quarters", features)).estimate_at
        == 0.4
        == share_of(0.4, flow=True, highest=1.0)
    )


@pytest.mark.parametrize("level", [0.1, 0.4, 0.8])
def test_the_share_of_other_models_is_as_noisy(level):
    sigma = share_of(level, flow=False, highest=14.6) * 14.6
    noise_over_signal = level / (1 - level)
    assert sigma == pytest.approx(noise_over_signal)
    assert share_of(0.4, flow=False, highest=14.6) == pytest.approx(0.046, abs=5e-4)
