"""X/Y tables: a search that ComfyUI runs once for every item of a list gives for each what it gives for that item
alone.
"""

from functools import partial

import pytest
import torch
from noise_search.tests.nodes.graphs import KSAMPLER, MODEL, SOURCES, Brightness, drop_in, kept, searched
from noise_search.tests.people.nodes import scaled

VERIFIER = {"v": {"class_type": "ToyValue", "inputs": {"name": "verifier", "mark": "brightness"}}}
SETTINGS = {"search": "random", "pictures": 3, "verifier": ["v", 0]}


def value(name, mark="same"):
    return {name: {"class_type": "ToyValue", "inputs": {"name": name, "mark": mark}}}


def listed(host, name, *values):
    """A node whose second output is a list, for the host to run everything behind it once for each of these."""
    host.toys.VALUES[name] = list(values)
    return value(name, repr(len(values)))


def run(host, *parts, names=("latent", "score")):
    host.toys.VALUES["verifier"] = Brightness()
    result = host.run({name: node for part in (VERIFIER, *parts, kept("2", *names)) for name, node in part.items()})
    assert result.ok, result.error
    return [result.kept[name] for name in names]


def lora(host, strength, family="sd3"):
    """A LoRA as the host puts one on a model."""
    model = host.toys.model(family).clone()
    weight = "diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"
    shape = model.model.state_dict()[weight].shape
    change = torch.randn(shape, generator=torch.Generator().manual_seed(3)) * 0.1
    model.add_patches({weight: ("diff", (change,))}, strength)
    return model


def guided(host, guidance):
    import node_helpers

    return node_helpers.conditioning_set_values(host.toys.conditioning("flux", 1), {"guidance": guidance})


def controlled(host, strength):
    net = host.toys.controlnet().copy().set_cond_hint(torch.ones(1, 3, 64, 64) * 0.5, strength, (0.0, 1.0))
    return [
        [tensor, {**extra, "control": net, "control_apply_to_uncond": True}]
        for tensor, extra in host.toys.conditioning("sd15", 1)
    ]


def masked(host, share):
    mask = torch.zeros(1, 64, 64)
    mask[:, : int(64 * share)] = 1
    return {**host.toys.latent("sd3"), "noise_mask": mask}


LISTS = {
    "cfg": ("sd3", "cfg", lambda host: [1.5, 3.0, 6.0]),
    "steps": ("sd3", "steps", lambda host: [2, 3]),
    "sampler": ("sd3", "sampler_name", lambda host: ["euler", "heun"]),
    "denoise": ("sd3", "denoise", lambda host: [1.0, 0.5]),
    "LoRA strength": ("sd3", "model", lambda host: [lora(host, strength) for strength in (0.25, 0.5, 1.0)]),
    "model": ("sd3", "model", lambda host: [host.toys.model("sd3"), lora(host, 1.0)]),
    "a model whose difference nobody can see": (
        "sd3",
        "model",
        lambda host: [scaled(host.toys.model("sd3"), gain) for gain in (1.0, 0.5)],
    ),
    "prompt": ("sd3", "positive", lambda host: [host.toys.conditioning("sd3", seed) for seed in (1, 4, 9)]),
    "guidance": ("flux", "positive", lambda host: [guided(host, guidance) for guidance in (1.0, 8.0)]),
    "ControlNet strength": ("sd15", "positive", lambda host: [controlled(host, strength) for strength in (0.2, 1.0)]),
    "image": (
        "sd3",
        "latent_image",
        lambda host: [{"samples": torch.full((1, 16, 8, 8), level)} for level in (0.2, -0.4)],
    ),
    "mask": ("sd3", "latent_image", lambda host: [masked(host, share) for share in (0.25, 0.75)]),
}


@pytest.mark.parametrize("over", LISTS)
def test_a_list_gives_for_each_item_what_the_item_gives_alone(host, sampled, nothing_kept, over):
    family, name, make = LISTS[over]
    items, model = make(host), {"1": {**MODEL, "inputs": {"family": family, "batch": 1}}}
    node = drop_in(**{**SETTINGS, "denoise": 0.5 if name == "latent_image" else 1.0, name: ["x", 1]})
    latents, scores = run(host, node, model, listed(host, "x", *items))
    assert sum(sampled) >= 3 * len(items)
    for item, latent, score in zip(items, latents, scores, strict=True):
        alone, its_score = nothing_kept(partial(run, host, node, model, listed(host, "x", item)))
        assert torch.equal(latent["samples"], alone[0]["samples"]) and score == its_score[0]
    assert len({float(latent["samples"].double().sum()) for latent in latents}) == len(items), (
        "each item must give another picture"
    )


def test_a_list_queued_again_pays_nothing_and_gives_the_same(host, sampled):
    node = drop_in(**{**SETTINGS, "cfg": ["x", 1]})
    first = run(host, node, listed(host, "x", 1.5, 3.0, 6.0))
    sampled.clear()
    again = run(host, node, listed(host, "x", 1.5, 3.0, 6.0))
    assert (
        sampled == []
        and all(torch.equal(a["samples"], b["samples"]) for a, b in zip(first[0], again[0]))
        and first[1] == again[1]
    )


def test_x_and_y_lists_together_give_each_pair_its_own(host, nothing_kept):
    """The host pairs them: the shorter one's last item goes on."""
    cfgs, models = [1.5, 3.0, 6.0], [lora(host, 0.5), lora(host, 1.0)]
    node = drop_in(**{**SETTINGS, "cfg": ["x", 1], "model": ["y", 1]})
    latents, _ = run(host, node, listed(host, "x", *cfgs), listed(host, "y", *models))
    for place, latent in enumerate(latents):
        pair = listed(host, "x", cfgs[place]), listed(host, "y", models[min(place, 1)])
        alone = nothing_kept(partial(run, host, node, *pair))[0][0]
        assert torch.equal(latent["samples"], alone["samples"]), place


def test_a_list_over_a_setup_of_its_own_node_gives_each_item_its_own(host, nothing_kept):
    graph = searched(verifier=["v", 0], pictures=3)
    graph["s"] = {"class_type": "SamplingSetup", "inputs": {**SOURCES, **KSAMPLER, "model": ["x", 1], "batch_size": 2}}
    models = [lora(host, 0.25), lora(host, 1.0)]
    latents, _ = run(host, graph, listed(host, "x", *models))
    for model, latent in zip(models, latents, strict=True):
        alone = nothing_kept(partial(run, host, graph, listed(host, "x", model)))[0][0]
        assert torch.equal(latent["samples"], alone["samples"])
