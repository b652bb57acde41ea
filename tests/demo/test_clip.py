"""The demo's CLIP: an ordinary open_clip folder whose scores follow the checker's."""

import pytest
import torch
from noise_search.demo import scenes
from noise_search.demo.export import WEIGHTS
from noise_search.demo.pipeline import Pipeline

FOLDER = WEIGHTS / "noise_search_tiny_clip"
open_clip = pytest.importorskip("open_clip")

from noise_search.demo import measure  # noqa: E402  (needs open_clip)


@pytest.fixture(scope="module")
def loaded():
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    return model.eval(), open_clip.get_tokenizer(f"local-dir:{FOLDER}")


def test_the_weights_load_without_pickled_code():
    weights = torch.load(FOLDER / "open_clip_pytorch_model.bin", weights_only=True)
    assert weights["token_embedding.weight"].shape == (49408, 128)
    assert weights["token_embedding.weight"].untyped_storage().nbytes() < 200_000


def test_captions_cut_short_are_encoded_like_full_ones(loaded):
    from noise_search.demo import train_clip

    model, tokenizer = loaded
    captions = [scene.caption for scene in scenes.held_out(count=13, seed=2)]
    with torch.no_grad():
        full, short = (
            model.encode_text(tokenizer(captions)),
            train_clip.encode_text(model, train_clip.tokenize(captions)),
        )
    assert torch.allclose(full, short, atol=1e-4)


def test_pictures_of_held_out_captions_are_ranked_much_as_the_checker_ranks_them():
    drawn = [scene for family in ("pair", "relation", "triple", "four") for scene in scenes.held_out(family, 4, seed=3)]
    pictures = measure.rollouts(Pipeline(WEIGHTS / "noise_search_tiny.ckpt"), drawn, list(range(8)))
    _, scores = measure.judge(pictures, drawn)
    assert measure.agreement(measure.clip_scores(pictures, drawn), scores) >= 0.4
