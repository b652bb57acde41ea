"""The demo model's parts and the files they are shipped in."""

import random

import numpy as np
import pytest
import torch
from noise_search.demo import export, scenes, text_encoder, vae
from noise_search.demo.mmdit import MMDiT, sigmas
from noise_search.demo.pipeline import Pipeline, draw_noise

MEGABYTE = 1e6


def test_one_pad_stands_exactly_for_all_late_pads():
    torch.manual_seed(0)
    short, long = MMDiT(depth=2, pads=text_encoder.PADS), MMDiT(depth=2)
    for parameter in short.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    long.load_state_dict(short.state_dict())
    text = torch.randn(2, text_encoder.TOKENS, 768)
    full = torch.cat([text, text[:, -1:].expand(-1, text_encoder.PADS - 1, -1)], 1)
    latent, time = torch.randn(2, 16, 8, 8), torch.tensor([100.0, 900.0])
    with torch.no_grad():
        assert torch.allclose(short(latent, time, text), long(latent, time, full), atol=1e-5)


def test_late_positions_of_the_text_encoder_are_identical_and_early_ones_are_not():
    table = text_encoder.state_dict()["text_model.embeddings.position_embedding.weight"]
    assert table[text_encoder.DISTINCT_POSITIONS :].unique(dim=0).shape[0] == 1
    assert table.unique(dim=0).shape[0] == text_encoder.TOKENS


def test_every_caption_fits_the_text_encoder():
    rng = random.Random(1)
    for family in scenes.FAMILIES:
        text_encoder.token_batch([scenes.draw_training(rng, family).caption for _ in range(300)])


def test_words_outside_the_scenes_are_refused_by_name():
    with pytest.raises(ValueError, match=r"caption must use the words of the scenes, got \['dog'\]"):
        text_encoder.tokenize("a red dog")


def test_word_ids_are_those_of_the_stock_tokenizer():
    open_clip = pytest.importorskip("open_clip")
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    rng = random.Random(2)
    for family in scenes.FAMILIES:
        caption = scenes.draw_training(rng, family).caption
        ids = text_encoder.tokenize(caption)
        assert tokenizer([caption])[0, : len(ids)].tolist() == ids, caption


def test_the_schedule_starts_at_pure_noise_and_ends_clean():
    levels = sigmas(20)
    assert len(levels) == 21 and levels[0] == 1 and levels[-1] == 0
    assert levels == sorted(levels, reverse=True)


def test_the_convolutional_encoder_equals_the_linear_code():
    torch.manual_seed(0)
    code = vae.PatchCode(torch.rand(192), torch.randn(192, 16) * 0.1)
    weights = {name: value.float() for name, value in vae.state_dict(vae.Decoder(), code).items()}
    images = torch.rand(2, 3, 64, 64)
    x = images
    for index in (0, 2, 6, 10, 14):
        bias = weights.get(f"taesd_encoder.{index}.bias")
        stride = 1 if index in (0, 14) else 2
        x = torch.nn.functional.conv2d(x, weights[f"taesd_encoder.{index}.weight"], bias, stride, 1)
        x = x if index == 14 else x.relu()
    assert torch.allclose((x - vae.SHIFT) * vae.SCALE, code.encode(images), atol=2e-2)


def test_all_weights_together_stay_small():
    files = [path for path in export.WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 36 * MEGABYTE


@pytest.mark.parametrize("name", sorted(path.name for path in export.WEIGHTS.glob("*.ckpt")))
def test_a_shipped_checkpoint_draws_what_simple_captions_ask_for(name):
    pipeline = Pipeline(export.WEIGHTS / name)
    drawn = scenes.held_out("single", 4, seed=1) + scenes.held_out("position", 4, seed=1)
    pictures = pipeline([scene.caption for scene in drawn] * 2, draw_noise(list(range(16))))
    assert pictures.shape == (16, 64, 64, 3) and pictures.min() >= 0 and pictures.max() <= 1
    assert np.mean([scenes.verify(one, scene).passed for one, scene in zip(pictures, drawn * 2, strict=True)]) >= 0.4


def test_the_same_seed_draws_the_same_noise_alone_and_in_company():
    assert torch.equal(draw_noise([3, 5])[1], draw_noise([5])[0])
