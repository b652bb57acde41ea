import torch
from noise_search.tests.verifiers.test_transformers_clip import outside
from noise_search.tests.verifiers.tiny_transformers import write_clip
from noise_search.verifiers.pick_score import PickScore


def test_the_score_is_the_models_own_logit(tmp_path, images):
    import open_clip

    model = write_clip(tmp_path / "PickScore_v1", activation="gelu")
    ids = open_clip.tokenize("a red cube")[0, :5].tolist()
    cosines = outside(model, tmp_path / "PickScore_v1", images, ids) / 100
    found = PickScore.load(tmp_path / "PickScore_v1").measure(images, "a red cube")
    torch.testing.assert_close(found, cosines * torch.tensor(4.6).exp(), rtol=0, atol=1e-4)


def test_the_published_config_is_read_with_the_settings_that_override_others(tmp_path, images):
    import json

    model = write_clip(tmp_path / "PickScore_v1", activation="gelu")
    path = tmp_path / "PickScore_v1" / "config.json"
    config = json.loads(path.read_text())
    old = {f"{tower}_config_dict": config[f"{tower}_config"] for tower in ("text", "vision")}
    bare = {f"{tower}_config": {"model_type": f"clip_{tower}_model"} for tower in ("text", "vision")}
    path.write_text(json.dumps({**config, **bare, **old}))
    verifier = PickScore.load(tmp_path / "PickScore_v1")
    assert verifier.model.module.config.text_config.hidden_act == "gelu"
    assert verifier.measure(images, "a cat").shape == (5, 1) and model.config.projection_dim == 16


def test_the_difference_of_two_pictures_is_the_log_odds_of_a_choice(tmp_path, images):
    write_clip(tmp_path / "PickScore_v1")
    verifier = PickScore.load(tmp_path / "PickScore_v1")
    one, other = verifier.combine(verifier.measure(images[:2], "a cat")).tolist()
    chance = torch.softmax(torch.tensor([one, other]), 0)[0]
    torch.testing.assert_close(torch.tensor(one - other).sigmoid(), chance, rtol=0, atol=1e-6)
