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


@pytest.fixture(scope="module")
def held_out():
    """Scenes, pictures of them by the demo's model, and the checker's scores."""
    wanted = [
        scene for family in ("pair", "relation", "triple", "four") for scene in scenes.held_out(family, 4, seed=3)
    ]
    pictures = measure.rollouts(Pipeline(WEIGHTS / "noise_search_tiny.ckpt"), wanted, list(range(8)))
    return wanted, pictures, measure.judge(pictures, wanted)[1]


@pytest.mark.parametrize(("name", "least"), [("", 0.4), ("_drawn", 0.3), ("_counts", 0.4)])
def test_pictures_of_held_out_captions_are_ranked_much_as_the_checker_ranks_them(held_out, name, least):
    wanted, pictures, scores = held_out
    values = measure.clip_scores(pictures, wanted, WEIGHTS / f"noise_search_tiny_clip{name}")
    assert measure.agreement(values, scores) >= least


@pytest.mark.parametrize("name", ["drawn", "counts"])
def test_two_of_the_clips_learn_without_the_checker_the_codec_and_the_models_pictures(monkeypatch, name):
    from noise_search.demo import checker, dreams, pipeline, train_drawn_clip, vae

    def never(*_, **__):
        raise AssertionError("it must not be asked")

    for owner, part in ((checker, "detect"), (checker, "verify"), (scenes, "verify"), (dreams, "load")):
        monkeypatch.setattr(owner, part, never)
    monkeypatch.setattr(vae.Decoder, "__init__", never)
    monkeypatch.setattr(pipeline.Pipeline, "__init__", never)
    monkeypatch.setattr(train_drawn_clip, "GROUPS", 2)
    recipe = train_drawn_clip.RECIPES[name]
    batch = next(train_drawn_clip.groups(recipe.seed))
    model = train_drawn_clip.build_clip(recipe.config, recipe.seed)
    inventory = torch.nn.Linear(128, train_drawn_clip.FACTS)
    losses = train_drawn_clip._losses(model, model.visual, inventory, batch)
    assert losses.isfinite().all() and batch.images.shape[:2] == (2, train_drawn_clip.PICTURES)
    assert batch.facts[:, :, :24].sum() >= 2 * 3, "every well-drawn picture holds something"
