"""The verifier nodes in the real host, as a user wires them."""

import json
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from noise_search.tests.card import rounding
from noise_search.tests.verifiers.test_aesthetic import Unfolded
from noise_search.tests.verifiers.tiny_clip import make_clip, write_folder
from noise_search.verifiers.clip_score import ClipScore
from noise_search.verifiers.prompt import plain

SCORE_OUTPUTS = ("images", "latents", "noises", "seeds", "scores", "best")
OPENAI = "vit_large_patch14_clip_224.openai"
HEAD = "sac+logos+ava1-l14-linearMSE.pth"
SAME = rounding(1e-4, 100)  # of a CLIP score


@pytest.fixture(scope="module")
def clip():
    import open_clip

    return make_clip(open_clip).state_dict()


def pictures(count=4, size=(32, 48), seed=0):
    return torch.rand(count, *size, 3, generator=torch.Generator().manual_seed(seed))


def value(host, name, content):
    """A node that gives any object; its second output gives the entries of a list one by one."""
    host.toys.VALUES[name] = content
    return {name: {"class_type": "ToyValue", "inputs": {"name": name}}}


def keep(node, slot, name):
    return {f"keep {name}": {"class_type": "ToyKeep", "inputs": {"value": [node, slot], "name": name}}}


def load(choice, **inputs):
    return {"load": {"class_type": "LoadVerifier", "inputs": {"verifier": choice, "device": "auto", **inputs}}}


def score(*outputs, **inputs):
    nodes = {"score": {"class_type": "VerifierScore", "inputs": {"prompt": "a red cube", **inputs}}}
    for name in outputs:
        nodes |= keep("score", SCORE_OUTPUTS.index(name), name)
    return nodes


def entries(host):
    return host.call(lambda: host.part("nodes.host.judges.model_files").choices())


def expected_scores(folder, name, batch, prompt="a red cube"):
    return ClipScore.load(folder / name).measure(batch.movedim(-1, 1), prompt)[:, 0]


# LoadVerifier


def test_the_dropdown_names_what_is_there_and_then_what_is_missing_with_size_and_licence(host, folder, clip):
    write_folder(folder / "tiny", clip)
    torch.save(clip, folder / "loose-openai.pt")
    (folder / "readme.txt").write_text("no weights")
    found = entries(host)
    assert found[:2] == ["tiny", "loose-openai.pt"]
    assert f"{OPENAI} · missing: open_clip_model.safetensors, 1.7 GB, Apache-2.0" in found
    assert f"{HEAD} · missing: {HEAD}, 3.7 MB, Apache-2.0" in found


def test_a_folder_scores_as_the_same_files_do_outside_the_host(host, folder, clip):
    write_folder(folder / "tiny", clip)
    batch = pictures()
    prompt = {**load("tiny"), **value(host, "images", batch)}
    prompt |= score("scores", "best", images=["images", 0], verifier=["load", 0])
    result = host.run(prompt)
    assert result.ok, result.error
    expected = expected_scores(folder, "tiny", batch).sort(descending=True).values
    torch.testing.assert_close(torch.tensor(result.kept["scores"]), expected, rtol=0, atol=SAME)
    assert result.kept["best"] == [result.kept["scores"][0]]


def test_a_choice_saved_while_the_file_was_missing_works_when_it_has_arrived(host, folder, clip):
    saved = next(entry for entry in entries(host) if entry.startswith(OPENAI))
    prompt = {**load(saved), **keep("load", 0, "verifier")}
    refused = host.run(prompt)
    for part in (
        OPENAI,
        "open_clip_model.safetensors",
        "1.7 GB",
        "Apache-2.0",
        "https://huggingface.co/timm/",
        str(folder),
    ):
        assert part in refused.error
    write_folder(folder / OPENAI, clip)
    result = host.run(prompt)
    assert result.ok, result.error
    assert OPENAI in result.kept["verifier"][0].card.name


def test_a_choice_made_when_the_file_was_there_says_what_is_missing_when_it_has_gone(host, folder):
    refused = host.run({**load(HEAD), **keep("load", 0, "verifier")})
    assert "improved-aesthetic-predictor" in refused.error and "3.7 MB" in refused.error


@pytest.mark.parametrize("choice", ["../../../etc/passwd", "other.safetensors", ""])
def test_a_name_that_is_not_in_the_folder_is_refused(host, folder, choice):
    refused = host.run({**load(choice), **keep("load", 0, "verifier")})
    assert "not found in" in refused.error and "nothing yet" in refused.error


def test_a_folder_from_extra_model_paths_is_searched_as_well(host, folder, clip, tmp_path):
    import folder_paths

    write_folder(tmp_path / "shared" / "elsewhere", clip)
    folder_paths.add_model_folder_path("verifiers", str(tmp_path / "shared"))
    try:
        result = host.run({**load("elsewhere"), **keep("load", 0, "verifier")})
    finally:
        folder_paths.folder_names_and_paths["verifiers"][0].remove(str(tmp_path / "shared"))
    assert result.ok, result.error


def test_an_exchanged_file_is_loaded_again(host, folder, clip):
    write_folder(folder / "tiny", clip)
    prompt = {**load("tiny"), **value(host, "images", pictures())}
    prompt |= score("best", images=["images", 0], verifier=["load", 0])
    first = host.run(prompt, keep_cache=True)
    shutil.rmtree(folder / "tiny")
    import open_clip

    write_folder(folder / "tiny", make_clip(open_clip, seed=8).state_dict())
    second = host.run(prompt, keep_cache=True)
    assert first.ok and second.ok, (first.error, second.error)
    assert first.kept["best"] != second.kept["best"]


def test_a_broken_file_is_an_error_and_no_random_network(host, folder, clip):
    write_folder(folder / "tiny", {key: weight for key, weight in clip.items() if key != "visual.proj"})
    result = host.run({**load("tiny"), **keep("load", 0, "verifier")})
    assert "1 missing (visual.proj)" in result.error


def test_clip_vision_is_refused_where_it_would_not_be_used(host, folder, clip):
    write_folder(folder / "tiny", clip)
    prompt = {
        **value(host, "vision", object()),
        **load("tiny", clip_vision=["vision", 0]),
        **keep("load", 0, "verifier"),
    }
    assert "clip_vision must be left unconnected" in host.run(prompt).error


# LAION aesthetic


def write_head(folder):
    torch.manual_seed(3)
    head = Unfolded().eval().requires_grad_(False)
    torch.save(head.state_dict(), folder / HEAD)
    return head


def test_an_aesthetic_head_sits_on_the_clip_of_the_folder(host, folder, clip):
    head = write_head(folder)
    write_folder(folder / OPENAI, clip)
    batch = pictures()
    prompt = {**load(HEAD), **value(host, "images", batch)}
    prompt |= score("scores", images=["images", 0], verifier=["load", 0], prompt="")
    result = host.run(prompt)
    assert result.ok, result.error
    embeddings = ClipScore.load(folder / OPENAI).model.embed_images(batch.movedim(-1, 1))
    expected = head(embeddings)[:, 0].sort(descending=True).values
    torch.testing.assert_close(torch.tensor(result.kept["scores"]), expected, rtol=0, atol=1e-4)


def test_an_aesthetic_head_sits_on_the_hosts_clip_vision(host, folder):
    head = write_head(folder)
    vision = host.call(tiny_clip_vision)
    batch = pictures(size=(28, 28))
    prompt = {**value(host, "vision", vision), **load(HEAD, clip_vision=["vision", 0]), **value(host, "images", batch)}
    prompt |= score("scores", images=["images", 0], verifier=["load", 0], prompt="")
    result = host.run(prompt)
    assert result.ok, result.error
    embeddings = host.call(lambda: vision.encode_image(batch)["image_embeds"])
    expected = head(torch.nn.functional.normalize(embeddings.cpu().float(), dim=-1))[:, 0].sort(descending=True).values
    torch.testing.assert_close(torch.tensor(result.kept["scores"]), expected, rtol=0, atol=1e-4)


def test_clip_vision_sees_pictures_cropped_by_our_own_pixel_path(host, folder, clip):
    trunk = host.part("nodes.host.judges.host_verifier").ClipVisionTrunk
    vision, batch = host.call(tiny_clip_vision), pictures(size=(64, 96)).movedim(-1, 1)
    seen = []
    vision.encode_image = lambda image, crop: seen.append(image) or {"image_embeds": torch.zeros(len(image), 16)}
    encoder = trunk(vision)
    encoder(batch)
    assert torch.equal(seen[0].movedim(-1, 1), encoder.pixels.resize(batch))
    assert seen[0].shape == (4, 28, 28, 3)


def test_an_aesthetic_head_alone_says_what_it_needs(host, folder):
    write_head(folder)
    error = host.run({**load(HEAD), **keep("load", 0, "verifier")}).error
    assert "connect a CLIP_VISION" in error and OPENAI in error and "1.7 GB" in error


def tiny_clip_vision():
    from comfy.clip_vision import ClipVisionModel

    torch.manual_seed(5)
    config = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_channels": 3, "patch_size": 14,
              "num_hidden_layers": 2, "hidden_act": "quick_gelu", "image_size": 28, "projection_dim": 16,
              "model_type": "clip_vision_model", "layer_norm_eps": 1e-5}  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "config.json"
        path.write_text(json.dumps(config))
        vision = ClipVisionModel(str(path))
    weights = {
        key: torch.randn_like(value, dtype=torch.float32) * 0.2
        for key, value in vision.get_sd().items()
        if value.is_floating_point()
    }
    vision.load_sd({**vision.get_sd(), **weights})
    return vision


# EnsembleVerifier


class Toy:
    """Measures the mean of one channel of host pictures."""

    modules = ()

    def __init__(self, channel, prompt=False):
        self.channel, self.columns = channel, (f"channel {channel}",)
        self.card = host_card(f"channel {channel}", prompt)

    def measure(self, images, prompt):
        return images[..., self.channel].mean((1, 2)).unsqueeze(1)

    def combine(self, pool):
        return pool[:, 0]

    def count_tokens(self, prompt):
        return len(prompt.split()) if self.card.prompt else None


def host_card(name, prompt=False):
    from noise_search.verifiers.base import Card

    return Card(name, "0 to 1", 0.1, prompt=prompt, token_limit=2 if prompt else None)


def ensemble(host, *verifiers, **inputs):
    nodes, links = {}, {}
    for index, verifier in enumerate(verifiers):
        nodes |= value(host, f"toy {index}", verifier)
        links[f"verifiers.verifier{index}"] = [f"toy {index}", 0]
    settings = {"combination": "mean rank", "weights": "", **inputs}
    return {**nodes, "ensemble": {"class_type": "EnsembleVerifier", "inputs": {**links, **settings}}}


def test_an_ensemble_of_the_host_ranks_the_pool(host):
    batch = torch.zeros(3, 8, 8, 3)
    batch[:, :, :, 0], batch[:, :, :, 1] = (
        torch.tensor([0.1, 0.2, 0.3])[:, None, None],
        torch.tensor([0.3, 0.9, 0.2])[:, None, None],
    )
    prompt = {**ensemble(host, Toy(0), Toy(1)), **value(host, "images", batch)}
    prompt |= score("images", "scores", images=["images", 0], verifier=["ensemble", 0])
    result = host.run(prompt)
    assert result.ok, result.error
    assert torch.equal(result.kept["images"][0], batch[[1, 2, 0]])
    assert result.kept["scores"] == pytest.approx([5 / 6, 2 / 3, 0.5], abs=1e-6)
    text = result.outputs["score"]["text"][0]
    assert text.splitlines()[0] == "#2: 0.8333 (channel 0 0.2, channel 1 0.9)"


def test_weights_are_written_as_numbers_in_the_order_of_the_sockets(host):
    prompt = {
        **ensemble(host, Toy(0), Toy(1), combination="weighted sum", weights="2; -0.5"),
        **keep("ensemble", 0, "verifier"),
    }
    result = host.run(prompt)
    assert result.ok, result.error
    assert result.kept["verifier"][0].combine(torch.tensor([[1.0, 2.0]])).tolist() == [1.0]


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ("1, much", "must be numbers separated by commas, got '1, much'"),
        ("1", "one number per verifier, 2 in all, got 1"),
        ("0 0", "not all 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(host, weights, problem):
    prompt = {**ensemble(host, Toy(0), Toy(1), weights=weights), **keep("ensemble", 0, "verifier")}
    assert problem in host.run(prompt).error


def test_the_order_of_widgets_is_what_saved_workflows_rely_on(host):
    import nodes

    def widgets(name):
        types = nodes.NODE_CLASS_MAPPINGS[name].INPUT_TYPES()
        sockets = ("NOISE_SEARCH_VERIFIER", "IMAGE", "LATENT", "NOISE", "CLIP_VISION", "COMFY_AUTOGROW_V3")
        every = {**types["required"], **types.get("optional", {})}
        return [key for key, entry in every.items() if entry[0] not in sockets and not entry[1].get("forceInput")]

    assert widgets("LoadVerifier") == ["verifier", "device", "path"]
    assert widgets("EnsembleVerifier") == ["combination", "weights"]
    assert widgets("VerifierScore") == ["prompt", "frames_per_video"]


# VerifierScore


def bright(*levels, size=(8, 8)):
    """Pictures of even brightness."""
    return torch.tensor(levels)[:, None, None, None].expand(-1, *size, 3).clone()


def noise_for(host, count):
    build = host.part("nodes.host.setup.noise").CandidateNoise
    fresh = host.part("search.noise").fresh
    return build([fresh(100 + index) for index in range(count)])


def test_a_batch_leaves_as_a_batch_with_everything_sorted_along(host):
    latent = {"samples": torch.arange(3.0)[:, None, None, None].expand(3, 4, 2, 2), "batch_index": [5, 6, 7],
              "noise_mask": torch.arange(3.0)[:, None, None, None].expand(3, 1, 2, 2)}  # fmt: skip
    prompt = {
        **value(host, "toy", Toy(0)),
        **value(host, "images", bright(0.2, 0.9, 0.5)),
        **value(host, "latent", latent),
    }
    prompt |= {**value(host, "noise", noise_for(host, 3)), **value(host, "seeds", [100, 101, 102])}
    links = {"latents": ["latent", 0], "noises": ["noise", 0], "seeds": ["seeds", 1]}
    result = host.run(prompt | score(*SCORE_OUTPUTS, images=["images", 0], verifier=["toy", 0], **links))
    assert result.ok, result.error
    kept = result.kept
    assert len(kept["images"]) == 1 and torch.equal(kept["images"][0], bright(0.9, 0.5, 0.2))
    assert kept["latents"][0]["samples"][:, 0, 0, 0].tolist() == [1.0, 2.0, 0.0]
    assert kept["latents"][0]["noise_mask"][:, 0, 0, 0].tolist() == [1.0, 2.0, 0.0]
    assert kept["latents"][0]["batch_index"] == [6, 7, 5]
    assert kept["seeds"] == [101, 102, 100]
    assert kept["scores"] == pytest.approx([0.9, 0.5, 0.2]) and kept["best"] == pytest.approx([0.9])
    latents = {"samples": torch.zeros(3, 4, 2, 2)}
    drawn = host.call(lambda: kept["noises"][0].generate_noise(latents))
    plain = host.call(lambda: noise_for(host, 3).generate_noise(latents))
    assert torch.equal(drawn, plain[[1, 2, 0]])
    assert kept["noises"][0].seed == 101


def test_a_list_of_different_sizes_leaves_as_a_list(host):
    images = [bright(0.2, size=(8, 8)), bright(0.9, 0.1, size=(16, 8)), bright(0.5, size=(8, 8))]
    latents = [{"samples": torch.full((1, 4, 1, 1), float(index))} for index in range(4)]
    noises = [noise_for(host, 1) for _ in range(4)]
    prompt = {
        **value(host, "toy", Toy(0)),
        **value(host, "images", images),
        **value(host, "latents", latents),
        **value(host, "noises", noises),
    }
    links = {"latents": ["latents", 1], "noises": ["noises", 1]}
    result = host.run(prompt | score("images", "latents", "noises", images=["images", 1], verifier=["toy", 0], **links))
    assert result.ok, result.error
    assert [tuple(image.shape) for image in result.kept["images"]] == [
        (1, 16, 8, 3),
        (1, 8, 8, 3),
        (1, 8, 8, 3),
        (1, 16, 8, 3),
    ]
    assert [
        latent["samples"].item() if latent["samples"].numel() == 1 else latent["samples"][0, 0, 0, 0].item()
        for latent in result.kept["latents"]
    ] == [1.0, 3.0, 0.0, 2.0]
    assert result.kept["noises"] == [noises[1], noises[3], noises[0], noises[2]]


def test_pictures_of_different_sizes_score_as_each_alone(host, folder, clip):
    write_folder(folder / "tiny", clip)
    images = [pictures(2, (32, 48), 1), pictures(1, (60, 40), 2), pictures(1, (32, 48), 3)]
    prompt = {**load("tiny"), **value(host, "images", images)}
    result = host.run(prompt | score("scores", images=["images", 1], verifier=["load", 0]))
    assert result.ok, result.error
    expected = torch.cat([expected_scores(folder, "tiny", batch) for batch in images]).sort(descending=True).values
    torch.testing.assert_close(torch.tensor(result.kept["scores"]), expected, rtol=0, atol=SAME)


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_are_judged(host, folder, clip, channels):
    write_folder(folder / "tiny", clip)
    batch = torch.rand(2, 32, 48, channels, generator=torch.Generator().manual_seed(1))
    prompt = {**load("tiny"), **value(host, "images", batch)}
    result = host.run(prompt | score("scores", images=["images", 0], verifier=["load", 0]))
    assert result.ok, result.error
    expected = expected_scores(folder, "tiny", batch.expand(-1, -1, -1, 3) if channels == 1 else batch[..., :3])
    torch.testing.assert_close(
        torch.tensor(result.kept["scores"]), expected.sort(descending=True).values, rtol=0, atol=SAME
    )


def test_equal_pictures_keep_their_order(host):
    prompt = {
        **value(host, "toy", Toy(0)),
        **value(host, "images", bright(0.5, 0.5, 0.9)),
        **value(host, "seeds", [1, 2, 3]),
    }
    result = host.run(prompt | score("seeds", images=["images", 0], verifier=["toy", 0], seeds=["seeds", 1]))
    assert result.ok, result.error
    assert result.kept["seeds"] == [3, 1, 2]


def test_scores_of_another_pack_sort_as_well(host):
    prompt = {**value(host, "images", bright(0.1, 0.2, 0.3)), **value(host, "floats", [0.5, 7.0, -1.0])}
    result = host.run(prompt | score("images", "scores", images=["images", 0], scores=["floats", 1], prompt=""))
    assert result.ok, result.error
    assert torch.equal(result.kept["images"][0], bright(0.2, 0.1, 0.3))
    assert result.kept["scores"] == [7.0, 0.5, -1.0]


def test_what_is_not_connected_is_not_missed_until_it_is_used(host):
    prompt = {**value(host, "toy", Toy(0)), **value(host, "images", bright(0.1, 0.2))}
    result = host.run(prompt | score("images", "latents", images=["images", 0], verifier=["toy", 0]))
    assert len(result.kept["images"]) == 1
    (blocked,) = result.named("execution_error")
    assert "Connect latents to Verifier Score" in blocked["exception_message"]


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({}, "either verifier or scores must be connected, got neither"),
        ({"verifier": "toy", "scores": "floats"}, "got both"),
        ({"scores": "floats"}, "scores must be as many as the pictures, 2, got 3"),
        ({"scores": "nans"}, "scores must be finite, got nan for picture 2 of 2"),
        ({"verifier": "toy", "seeds": "seeds"}, "seeds must be as many as the pictures, 2, got 3"),
        ({"verifier": "toy", "latents": "latent"}, "latents must be as many as the pictures, 2, got 3"),
        ({"verifier": "toy", "noises": "noise"}, "noises must be as many as the pictures, 2, got 3"),
        ({"verifier": "reader", "prompt": " "}, "prompt must be given, because channel 1 reads it"),
        ({"verifier": "reader", "prompt": "<lora:only:1>"}, "prompt must be given, because channel 1 reads it"),
        ({"verifier": "broken"}, "channel 0 must give finite values, got NaN or infinity for picture 2 of 2"),
        (
            {"verifier": "whole", "images": "blank"},
            "channel 0 must see finite pixels, got NaN or infinite ones in picture 1 of 2",
        ),
    ],
)
def test_bad_input_is_an_error_that_says_what_and_where(host, inputs, problem):
    wrap = host.part("nodes.host.judges.host_verifier").HostVerifier
    nodes = {
        **value(host, "images", bright(0.1, 0.2)),
        **value(host, "toy", Toy(0)),
        **value(host, "floats", [0.5, 7.0, -1.0]),
    }
    nodes |= {
        **value(host, "nans", [0.5, float("nan")]),
        **value(host, "seeds", [1, 2, 3]),
        **value(host, "noise", noise_for(host, 3)),
    }
    nodes |= {
        **value(host, "latent", {"samples": torch.zeros(3, 4, 2, 2)}),
        **value(host, "reader", wrap(Inner(1, prompt=True))),
    }
    nodes |= {
        **value(host, "broken", wrap(Broken(0))),
        **value(host, "whole", wrap(Inner(0))),
        **value(host, "blank", bright(float("nan"), 0.5)),
    }
    links = {name: [source, int(name in ("scores", "seeds"))] for name, source in inputs.items() if name != "prompt"}
    text = {"prompt": inputs["prompt"]} if "prompt" in inputs else {}
    result = host.run(nodes | score("scores", **{"images": ["images", 0], **links, **text}))
    assert problem in result.error


class Inner(Toy):
    """Measures the mean of one channel of pictures `(n, 3, h, w)`, as library verifiers get them."""

    def measure(self, images, prompt):
        return images[:, self.channel].mean((1, 2)).unsqueeze(1)


class Broken(Inner):
    def measure(self, images, prompt):
        return torch.tensor([[0.0], [float("nan")]])


def test_a_prompt_longer_than_the_verifier_reads_is_shown_and_logged(host, folder, clip, caplog):
    write_folder(folder / "tiny", clip)
    prompt = {**load("tiny"), **value(host, "images", pictures(1))}
    result = host.run(prompt | score("best", images=["images", 0], verifier=["load", 0], prompt="cat " * 90))
    assert result.ok, result.error
    notice = "CLIP score (tiny) reads the first 75 of the prompt's 90 tokens."
    assert result.outputs["score"]["text"][0].splitlines()[0] == notice
    assert notice in caplog.text


def test_what_only_comfyui_understands_does_not_reach_the_verifier(host, folder, clip):
    write_folder(folder / "tiny", clip)
    batch = pictures(1)
    prompt = {**load("tiny"), **value(host, "images", batch)}
    result = host.run(
        prompt | score("best", images=["images", 0], verifier=["load", 0], prompt="a (red:1.2) cube <lora:x:1>")
    )
    assert result.ok, result.error
    assert result.kept["best"] == pytest.approx(expected_scores(folder, "tiny", batch).tolist(), abs=SAME)


@pytest.mark.parametrize(
    "written",
    [
        "a (red:1.3) cat",
        "((masterpiece)), (a (blue:0.8) bird:1.1)",
        r"(pikachu \(pokemon\):1.2)",
        "(a:1.1) (b:c)",
        "(16:9)",
    ],
)
def test_parentheses_are_read_as_the_host_reads_them(host, written):
    from comfy import sd1_clip

    text = "".join(text for text, _ in sd1_clip.token_weights(sd1_clip.escape_important(written), 1.0))
    assert plain(written) == sd1_clip.unescape_important(text)


# Memory


class Hungry(Inner):
    """Runs out of memory above two pictures."""

    def __init__(self):
        super().__init__(0)
        self.module = torch.nn.Linear(2, 2)
        self.modules, self.batches = (self.module,), []

    def measure(self, images, prompt):
        self.batches.append(len(images))
        if len(images) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return super().measure(images, prompt)


def test_out_of_memory_halves_the_batch_and_goes_on(host):
    wrap, hungry, levels = (
        host.part("nodes.host.judges.host_verifier").HostVerifier,
        Hungry(),
        [0.1, 0.9, 0.3, 0.4, 0.5, 0.6, 0.7],
    )
    values = host.call(lambda: wrap(hungry).measure(bright(*levels), ""))
    assert values[:, 0].tolist() == pytest.approx(levels)
    assert hungry.batches == [7, 3, 1, 1, 1, 1, 1, 1, 1]


def test_another_error_is_not_taken_for_out_of_memory(host):
    wrap, hungry = host.part("nodes.host.judges.host_verifier").HostVerifier, Hungry()
    hungry.measure = lambda images, prompt: torch.ones(2, 3) @ torch.ones(2, 3)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        host.call(lambda: wrap(hungry).measure(bright(0.1, 0.2), ""))


def test_weights_are_in_the_hosts_hands_and_come_back_after_it_unloaded_them(host):
    import comfy.model_management as memory

    wrap, hungry = host.part("nodes.host.judges.host_verifier").HostVerifier, Hungry()
    verifier = host.call(lambda: wrap(hungry))
    host.call(lambda: verifier.measure(bright(0.1), ""))
    assert any(loaded.model is verifier.patcher for loaded in memory.current_loaded_models)
    host.call(memory.unload_all_models)
    assert not any(loaded.model is verifier.patcher for loaded in memory.current_loaded_models)
    assert host.call(lambda: verifier.measure(bright(0.1), "")).item() == pytest.approx(0.1)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_weights_stay_in_single_precision_on_the_cpu(host, device):
    wrap, hungry = host.part("nodes.host.judges.host_verifier").HostVerifier, Hungry()
    host.call(lambda: wrap(hungry, device))
    halved = device == "auto" and host.card and not host.card.precise
    assert hungry.module.weight.dtype == (torch.float16 if halved else torch.float32)


def test_the_bundled_tiny_clip_is_listed(host):
    assert "noise_search_tiny_clip" in entries(host)


def test_an_empty_prompt_is_read_from_the_sampler_that_made_the_pictures(host):
    class Reading:
        columns = ("letters",)
        card = SimpleNamespace(name="reader", prompt=True, token_limit=None, spread=1.0, range="0 to 1")

        def measure(self, images, prompt):
            read.append(prompt)
            return torch.zeros(len(images), 1)

        def combine(self, pool):
            return pool[:, 0]

        def count_tokens(self, prompt):
            return None

    read = []
    search = {
        "model": ["m", 0],
        "positive": ["text", 0],
        "negative": ["m", 2],
        "latent_image": ["m", 3],
        "vae": ["m", 4],
        "seed": 1,
        "steps": 1,
        "cfg": 1.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 1.0,
        "pictures": 1,
        "minutes": 0.0,
        "keep": 1,
    }
    prompt = {
        "m": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
        "text": {
            "class_type": "ToyConditioning",
            "inputs": {"family": "sd3", "seed": 1, "batch": 1, "text": "a red fox"},
        },
        "search": {"class_type": "NoiseSearch", "inputs": search},
        **value(host, "reader", Reading()),
        **score("best", images=["search", 1], verifier=["reader", 0], prompt=""),
    }
    result = host.run(prompt)
    assert result.ok, result.error
    assert read == ["a red fox"]
