"""Same seed, same picture: every picture of a search is the one that a KSampler makes of its seed, whatever is put on
the model.
"""

import pytest
import torch
from noise_search.tests.nodes.graphs import BUDGET, KSAMPLER, drop_in, kept
from noise_search.tests.people.test_lists import lora, value

SEEDS = [5, 372975537868505, 1015115221297189]  # of a search with the own seed 5
SAME = 1e-4  # relative to the largest number: batches of other sizes round otherwise


def searched(host, model, family, sampler="euler", stock=False):
    """A search that keeps all of its three pictures, beside KSamplers with their seeds if those are known already."""
    host.toys.VALUES.update(m=model, p=host.toys.conditioning(family, 1), l=host.toys.latent(family))
    links = {"model": ["m", 0], "positive": ["p", 0], "latent_image": ["l", 0]}
    node = drop_in(**links, **{**BUDGET, "pictures": 3, "keep": 3}, search="random", sampler_name=sampler)
    node["1"]["inputs"] = {"family": family, "batch": 1}
    graph = {**node, **value("m"), **value("p"), **value("l"), **kept("2", "latent", "trace")}
    for seed in SEEDS if stock else ():
        inputs = {**links, "negative": ["1", 2], "seed": seed, **KSAMPLER, "sampler_name": sampler}
        graph[f"s{seed}"] = {"class_type": "KSampler", "inputs": inputs}
        graph[f"k{seed}"] = {"class_type": "ToyKeep", "inputs": {"value": [f"s{seed}", 0], "name": f"{seed}"}}
    result = host.run(graph)
    assert result.ok, result.error
    assert [trial.candidate.plain_seed for trial in result.kept["trace"][0].trials] == SEEDS
    return result.kept["latent"][0]["samples"], result


def check(host, model, family, sampler="euler"):
    """Each picture is the KSampler's of its seed; what the node says."""
    latents, result = searched(host, model, family, sampler, stock=True)
    for seed, latent in zip(SEEDS, latents, strict=True):
        wanted = result.kept[f"{seed}"][0]["samples"][0]
        assert float((latent - wanted).abs().max() / wanted.abs().max()) < SAME, seed
    return result.outputs["2"]["text"][0]


@pytest.fixture
def together(host, sampled):
    """How many pictures were sampled in each call since the search began."""
    return sampled


def execute(module, node, *inputs):
    import importlib

    kind = getattr(importlib.import_module(f"comfy_extras.{module}"), node)
    return lambda model: kind.execute(model, *inputs)[0]


# On the left what lets rows share a batch, on the right what does not: named by the node that an artist uses.
BY_ROW = {
    "FreeU": execute("nodes_freelunch", "FreeU_V2", 1.3, 1.4, 0.9, 0.2),
    "PAG": execute("nodes_pag", "PerturbedAttentionGuidance", 3.0),
    "CFG-Zero": execute("nodes_cfg", "CFGZeroStar"),
    "CFG Norm": execute("nodes_cfg", "CFGNorm", 0.9),
    "TCFG": execute("nodes_tcfg", "TCFG"),
    "APG": execute("nodes_apg", "APG", 0.5, 5.0, 0.0),
    "FreSca": execute("nodes_fresca", "FreSca", 1.0, 1.25, 3),
    "NAG": execute("nodes_nag", "NAGuidance", 5.0, 0.5, 1.5),
    "Deep Shrink": execute(
        "nodes_model_downscale", "PatchModelAddDownscale", 1, 2.0, 0.0, 0.5, True, "bicubic", "bicubic"
    ),
    "Differential Diffusion": execute("nodes_differential_diffusion", "DifferentialDiffusion"),
    "CFG Override": execute("nodes_custom_sampler", "CFGOverride", 2.0, 0.0, 0.5),
}
ALONE = {
    "Token Merging": execute("nodes_tomesd", "TomePatchModel", 0.5),
    "HyperTile": execute("nodes_hypertile", "HyperTile", 32, 4, 2, False),
    "Mahiro": execute("nodes_mahiro", "Mahiro"),
    "EasyCache": execute("nodes_easycache", "EasyCacheNode", 3.0, 0.0, 1.0, False),
    "LazyCache": execute("nodes_easycache", "LazyCacheNode", 3.0, 0.0, 1.0, False),
    "Epsilon Scaling": execute("nodes_eps", "EpsilonScaling", 1.01),
    "TSR": execute("nodes_eps", "TemporalScoreRescaling", 0.95, 1.0),
}


@pytest.mark.parametrize("patch", BY_ROW)
def test_pictures_share_a_batch_under_what_treats_every_row_by_itself(host, together, patch):
    text = check(host, BY_ROW[patch](host.toys.model("sd15")), "sd15")
    assert max(together) == 3 and "one at a time" not in text


@pytest.mark.parametrize("patch", ALONE)
def test_pictures_are_sampled_one_by_one_under_what_couples_them_and_the_node_says_so_once(host, together, patch):
    text = check(host, ALONE[patch](host.toys.model("sd15")), "sd15")
    assert together == [1, 1, 1] and text.count("Pictures were sampled one at a time: ") == 1


@pytest.mark.parametrize("patch", ["Token Merging", "HyperTile"])
def test_a_search_with_random_patches_gives_the_same_pictures_twice(host, patch):
    model = ALONE[patch](host.toys.model("sd15"))
    assert torch.equal(searched(host, model, "sd15")[0], searched(host, model, "sd15")[0])


def test_a_lora_leaves_the_batch_whole(host, together):
    check(host, lora(host, 1.0), "sd3")
    assert max(together) == 3


class StepCache:
    """A step cache as other packs have them: it skips the model where the whole batch has changed little."""

    def __init__(self):
        self.last, self.kept = None, None

    def __call__(self, apply_model, given):
        x = given["input"]
        if self.last is not None and self.last.shape == x.shape and (x - self.last).abs().mean() < 0.9:
            return self.kept
        self.last, self.kept = x, apply_model(x, given["timestep"], **given["c"])
        return self.kept


def test_another_packs_step_cache_leaves_every_picture_to_itself(host, together):
    model = host.toys.model("sd3").clone()
    model.set_model_unet_function_wrapper(StepCache())
    _, result = searched(host, model, "sd3")
    assert together == [1, 1, 1] and "StepCache" in result.outputs["2"]["text"][0]


def test_another_pack_may_say_that_its_patch_works_by_row(host, together):
    def half(found):
        return found["denoised"] * 0.5

    half.noise_search_by_row = True
    model = host.toys.model("sd3").clone()
    model.set_model_sampler_post_cfg_function(half)
    check(host, model, "sd3")
    assert max(together) == 3


def test_what_draws_from_the_global_generator_repeats_in_a_batch_too(host, together):
    """Whatever a patch draws that says of itself that it works by row: a run at least repeats."""

    def noisy(found):
        return found["denoised"] + torch.rand_like(found["denoised"])

    noisy.noise_search_by_row = True
    model = host.toys.model("sd3").clone()
    model.set_model_sampler_post_cfg_function(noisy)
    first, again = searched(host, model, "sd3")[0], searched(host, model, "sd3")[0]
    assert max(together) == 3 and torch.equal(first, again)


def test_a_perp_neg_guider_is_sampled_one_by_one(host):
    """It projects the whole batch at once."""
    import comfy_extras.nodes_perpneg as perpneg
    from comfy_extras.nodes_custom_sampler import Guider_Basic

    alone = host.part("nodes.host.setup.rowwise").alone
    sampling, samplers = host.part("nodes.host.setup.sampling"), __import__("comfy.samplers").samplers
    for kind, expected in ((Guider_Basic, False), (perpneg.Guider_PerpNeg, True)):
        guider = kind(host.toys.model("sd3"))
        texts = [host.toys.conditioning("sd3", seed) for seed in (1, 2, 3)]
        guider.set_conds(*texts[: 1 if kind is Guider_Basic else 3])
        setup = host.call(
            sampling.prepared,
            guider,
            samplers.sampler_object("euler"),
            torch.tensor([1.0, 0.5, 0.0]),
            host.toys.latent("sd3"),
            host.toys.vae(16),
        )
        assert bool(alone(setup)) is expected, kind


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "dpmpp_2m_sde", "lcm"])
def test_the_noises_of_a_search_give_its_pictures_in_a_custom_sampler(host, sampler):
    """NOISE of three, a latent batch of three: with an ancestral or SDE sampler, only the first one was the search's
    picture.
    """
    family = "sd3"
    host.toys.VALUES["l"] = host.toys.latent(family, 3)
    node = drop_in(**{**BUDGET, "pictures": 3, "keep": 3}, search="random", sampler_name=sampler)
    custom = {
        "b": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": sampler}},
        "r": {"class_type": "SamplerPerRow", "inputs": {"sampler": ["b", 0], "noise": ["2", 4]}},
        "g": {
            "class_type": "CFGGuider",
            "inputs": {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "cfg": KSAMPLER["cfg"]},
        },
        "i": {
            "class_type": "BasicScheduler",
            "inputs": {"model": ["1", 0], "scheduler": "simple", "steps": KSAMPLER["steps"], "denoise": 1.0},
        },
        "c": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["2", 4],
                "guider": ["g", 0],
                "sampler": ["r", 0],
                "sigmas": ["i", 0],
                "latent_image": ["l", 0],
            },
        },
        "k": {"class_type": "ToyKeep", "inputs": {"value": ["c", 0], "name": "custom"}},
    }
    result = host.run({**node, **value("l"), **custom, **kept("2", "latent")})
    assert result.ok, result.error
    found, wanted = result.kept["custom"][0]["samples"], result.kept["latent"][0]["samples"]
    assert float((found - wanted).abs().max() / wanted.abs().max()) < SAME


@pytest.mark.parametrize(
    ("sampler", "noise", "said"),
    [("dpm_adaptive", ["2", 4], "rows do not depend"), ("euler", ["f", 0], "candidates have seeds")],
)
def test_a_sampler_per_row_refuses_what_it_cannot_promise(host, sampler, noise, said):
    graph = {
        **drop_in(**{**BUDGET, "pictures": 2}, search="random"),
        "f": {"class_type": "RandomNoise", "inputs": {"noise_seed": 3}},
        "b": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": sampler}},
        "r": {"class_type": "SamplerPerRow", "inputs": {"sampler": ["b", 0], "noise": noise}},
        "k": {"class_type": "ToyKeep", "inputs": {"value": ["r", 0], "name": "x"}},
    }
    assert said in host.run(graph).error


def test_every_sampler_of_the_host_that_draws_without_a_noise_sampler_is_sampled_one_by_one(host):
    """So that no version of the host slips one through: who draws for itself draws for the whole batch."""
    import inspect

    import comfy.k_diffusion.sampling as sampling
    import comfy.samplers

    rowwise = host.part("nodes.host.setup.rowwise")
    for name in comfy.samplers.KSampler.SAMPLERS:
        function = comfy.samplers.sampler_object(name).sampler_function
        source, named = inspect.getsource(function), inspect.signature(function).parameters
        draws = any(word in source for word in ("randn", "manual_seed", "torch.rand", "Generator("))
        guarded = "s_churn" in named or "noise_sampler" in named
        if draws and not guarded:
            assert not rowwise.is_row_by_row(comfy.samplers.sampler_object(name), False), name
    for name, function in inspect.getmembers(sampling, inspect.isfunction):
        if name.startswith("sample_") and "manual_seed" in inspect.getsource(function):
            assert not rowwise.is_row_by_row(comfy.samplers.KSAMPLER(function), False), name
