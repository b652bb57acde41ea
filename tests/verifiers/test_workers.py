"""Pictures of a batch are prepared on a few threads."""

import threading

import pytest
import torch
from noise_search.verifiers.images import Pixels, are_finite, bytes_of
from noise_search.verifiers.technical import TechnicalQuality
from noise_search.verifiers.workers import of_each


def test_a_batch_is_prepared_in_order_and_off_the_thread_that_samples():
    images = torch.rand(7, 3, 20, 30)
    found = of_each(lambda picture: (float(picture[0, 0, 0]), threading.get_ident()), images)
    assert [value for value, _ in found] == images[:, 0, 0, 0].tolist()
    assert threading.get_ident() not in {thread for _, thread in found}


def test_a_picture_has_the_same_values_alone_and_in_a_batch():
    images = torch.rand(5, 3, 70, 90)
    for measure in (Pixels((28, 28)), bytes_of, lambda some: TechnicalQuality().measure(some, "")):
        assert torch.equal(measure(images), torch.cat([measure(image) for image in images.split(1)]))


def test_what_is_prepared_in_inference_mode_can_be_written_to_there():
    with torch.inference_mode():
        Pixels((28, 28))(torch.rand(3, 3, 40, 40)).add_(1)


def test_the_error_of_one_picture_of_a_batch_is_the_batchs():
    images = torch.rand(4, 3, 20, 20)
    images[2, 1, 3, 3] = float("nan")
    with pytest.raises(ValueError, match="pixels must be finite"):
        bytes_of(images)


def test_pictures_and_clips_with_a_pixel_that_is_no_number_are_found():
    clips = torch.rand(3, 5, 20, 20, 3)
    clips[1, 4, 3, 3, 2] = float("inf")
    assert are_finite(clips).tolist() == [True, False, True]
    assert are_finite(clips[1].movedim(-1, 1)).tolist() == [True] * 4 + [False]
