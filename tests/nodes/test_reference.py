"""Likeness to reference pictures in the real host, as a user wires it."""

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.nodes.test_verifier_nodes import keep, pictures, score, tiny_clip_vision, value
from noise_search.tests.verifiers.tiny_clip import make_clip
from noise_search.tests.verifiers.tiny_clip import write_folder as write_open_clip
from noise_search.tests.verifiers.tiny_dino import make_dino, write_folder
from noise_search.verifiers.image_encoder import ImageEncoder
from noise_search.verifiers.reference import ReferenceScore
from torch.nn.functional import cosine_similarity


def likeness(host, encoder, batch, count=1, **inputs):
    settings = {"encoder": encoder, "similarity": "mean", "device": "auto", "references": ["references", 0], **inputs}
    nodes = {
        **value(host, "references", batch[:count]),
        "load": {"class_type": "ReferenceVerifier", "inputs": settings},
    }
    nodes |= {**value(host, "images", batch), **keep("load", 0, "verifier")}
    return nodes | score("scores", "images", images=["images", 0], verifier=["load", 0], prompt="")


def self_supervised(encoder, **inputs):
    settings = {"encoder": encoder, "noise_level": 0.4, "device": "auto", **inputs}
    return {"load": {"class_type": "SelfSupervisedVerifier", "inputs": settings}, **keep("load", 0, "verifier")}


def test_a_dino_folder_finds_the_picture_that_is_the_reference(host, folder):
    write_folder(folder / "dinov2-tiny", make_dino())
    batch = pictures()
    result = host.run(likeness(host, "dinov2-tiny", batch.roll(2, 0)))
    assert result.ok, result.error
    inner = ReferenceScore(ImageEncoder.load(folder / "dinov2-tiny"), batch[2:3].movedim(-1, 1))
    expected = inner.measure(batch.movedim(-1, 1), "")[:, 0].sort(descending=True).values
    torch.testing.assert_close(torch.tensor(result.kept["scores"]), expected, rtol=0, atol=rounding(1e-3, 100))
    assert torch.equal(result.kept["images"][0][0], batch[2]) and result.kept["scores"][0] == pytest.approx(
        100, abs=1e-2
    )


def test_the_hosts_clip_vision_compares_without_any_file(host, folder):
    vision, batch = host.call(tiny_clip_vision), pictures(size=(28, 28))
    nodes = likeness(host, "dinov2-base · missing: model.safetensors", batch, count=2, clip_vision=["vision", 0])
    result = host.run(nodes | value(host, "vision", vision))
    assert result.ok, result.error
    embeddings = host.call(lambda: vision.encode_image(batch)["image_embeds"]).cpu().float()
    mean = sum(100 * cosine_similarity(embeddings, embeddings[row][None]) for row in (0, 1)) / 2
    torch.testing.assert_close(
        torch.tensor(result.kept["scores"]), mean.sort(descending=True).values, rtol=0, atol=1e-2
    )


def test_clip_vision_that_gives_many_vectors_is_refused(host, folder):
    vision = host.call(tiny_clip_vision)
    vision.model_type = "siglip_vision_model"
    nodes = likeness(host, "dinov2-base", pictures(), clip_vision=["vision", 0])
    assert "must give one vector per picture" in host.run(nodes | value(host, "vision", vision)).error


def test_the_dropdown_has_encoders_and_says_what_to_get(host, folder):
    write_folder(folder / "dinov2-tiny", make_dino())
    (folder / "language").mkdir()
    (folder / "language" / "config.json").write_text('{"model_type": "llama"}')
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{")
    choices = host.call(lambda: host.part("nodes.host.judges.encoders").choices())
    assert choices[0] == "dinov2-tiny" and not {"language", "broken"} & set(choices)
    assert "dinov2-base · missing: model.safetensors, 346.0 MB, Apache-2.0" in choices
    error = host.run(likeness(host, "dinov2-base", pictures())).error
    assert "facebook/dinov2-base" in error and "Apache-2.0" in error and str(folder) in error


def test_an_open_clip_folder_compares_as_well(host, folder):
    import open_clip

    write_open_clip(folder / "tiny", make_clip(open_clip).state_dict())
    result = host.run(likeness(host, "tiny", pictures()))
    assert result.ok, result.error
    assert result.kept["scores"][0] == pytest.approx(100, abs=1e-2)


def test_the_self_supervised_verifier_asks_for_estimates_of_the_level_it_was_given(host, folder):
    write_folder(folder / "dinov2-tiny", make_dino())
    result = host.run(self_supervised("dinov2-tiny", noise_level=0.25))
    assert result.ok, result.error
    (verifier,), batch = result.kept["verifier"], pictures()
    assert verifier.estimate_at == 0.25
    values = host.call(lambda: verifier.measure(batch, "", batch.flip(0)))
    embeddings = ImageEncoder.load(folder / "dinov2-tiny").embed(batch.movedim(-1, 1))
    expected = 100 * cosine_similarity(embeddings, embeddings.flip(0))
    torch.testing.assert_close(values[:, 0], expected, rtol=0, atol=rounding(1e-2, 100))


def test_the_self_supervised_verifier_cannot_judge_finished_pictures(host, folder):
    write_folder(folder / "dinov2-tiny", make_dino())
    nodes = self_supervised("dinov2-tiny") | value(host, "images", pictures())
    assert "needs a search node" in host.run(nodes | score("scores", images=["images", 0], verifier=["load", 0])).error


class Noting:
    """Notes the sizes of what it is given, and runs out of memory at more than two pictures."""

    columns, modules, estimate_at = ("distance",), (), 0.4

    def __init__(self, card):
        self.card, self.seen = card, []

    def measure(self, images, prompt, estimates=None):
        if len(images) > 2:
            raise torch.OutOfMemoryError("out of memory")
        self.seen.append((len(images), len(estimates)))
        return (images - estimates).flatten(1).mean(1, keepdim=True)


def test_estimates_go_along_with_their_pictures_when_a_batch_is_halved(host):
    card = host.part("verifiers.base").Card("noting", "0 to 1", 0.1, prompt=False)
    inner, batch = Noting(card), pictures(5)
    verifier = host.part("nodes.host.judges.host_verifier").HostVerifier(inner)
    estimates = batch * torch.linspace(0, 1, 5)[:, None, None, None]
    values = host.call(lambda: verifier.measure(batch, "", estimates))
    torch.testing.assert_close(values[:, 0], (batch - estimates).flatten(1).mean(1))
    assert inner.seen == [(2, 2), (2, 2), (1, 1)]
    with pytest.raises(ValueError, match="estimates must be one per picture, 5, got 3"):
        host.call(lambda: verifier.measure(batch, "", estimates[:3]))


def test_the_order_of_widgets_is_what_saved_workflows_rely_on(host):
    import nodes

    def widgets(name):
        types = nodes.NODE_CLASS_MAPPINGS[name].INPUT_TYPES()
        every = {**types["required"], **types.get("optional", {})}
        return [
            key for key, entry in every.items() if entry[0] not in ("IMAGE", "CLIP_VISION", "NOISE_SEARCH_VERIFIER")
        ]

    assert widgets("ReferenceVerifier") == ["encoder", "similarity", "device"]
    assert widgets("SelfSupervisedVerifier") == ["encoder", "noise_level", "device"]
    settings = ["picture_size", "parallel", "timeout", "retries", "max_requests", "device"]
    assert widgets("VLMVerifier") == ["mode", "model", "text", "base_url", "model_name", "path", *settings]
    assert widgets("PairwiseFinal") == ["finalists", "question"]
