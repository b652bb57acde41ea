"""The demo's CLIP: an ordinary open_clip folder whose scores follow the checker's."""

import random

import numpy as np
import pytest
import torch

from noise_search.demo import scenes
from noise_search.demo.export import WEIGHTS
from noise_search.demo.flaws import altered

FOLDER = WEIGHTS / "noise_search_tiny_clip"
open_clip = pytest.importorskip("open_clip")


@pytest.fixture(scope="module")
def loaded():
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    return model.eval(), preprocess, open_clip.get_tokenizer(f"local-dir:{FOLDER}")


def test_the_weights_load_without_pickled_code():
    weights = torch.load(FOLDER / "open_clip_pytorch_model.bin", weights_only=True)
    assert weights["token_embedding.weight"].shape == (49408, 128)


def test_captions_cut_short_are_encoded_like_full_ones(loaded):
    from noise_search.demo import train_clip

    model, _, tokenizer = loaded
    captions = [scene.caption for scene in scenes.held_out(count=13, seed=2)]
    with torch.no_grad():
        full, short = model.encode_text(tokenizer(captions)), train_clip.encode_text(model, train_clip.tokenize(captions))
    assert torch.allclose(full, short, atol=1e-4)


@torch.no_grad()
def test_held_out_captions_find_their_own_picture_among_altered_ones(loaded):
    from PIL import Image

    model, preprocess, tokenizer = loaded
    rng = random.Random(1)
    wins = []
    for scene in scenes.held_out(count=39, seed=3):
        pictures = [scenes.picture(scene, rng), *(scenes.picture(altered(scene, rng), rng) for _ in range(3))]
        pixels = torch.stack([preprocess(Image.fromarray((one * 255).astype(np.uint8))) for one in pictures])
        cosines = model.encode_image(pixels, normalize=True) @ model.encode_text(tokenizer([scene.caption]), normalize=True)[0]
        wins.append(int(cosines.argmax()) == 0)
    assert np.mean(wins) >= 0.6
