"""What people put around their models: every feature through the searches, on the families that it is for."""

from dataclasses import replace

import pytest
import torch
from noise_search.tests.families.images import UNET
from noise_search.tests.families.matrix import FAMILIES, PICTURES, SAMPLERS, Prompts, far, streams
from noise_search.tests.families.patches import patches, randn
from noise_search.tests.families.test_matrix import same
from noise_search.tests.families.tiny import joined

DEEP = {
    **UNET,
    "model_channels": 32,
    "channel_mult": [1, 2],
    "num_res_blocks": [1, 1],
    "transformer_depth": [1, 1],
    "transformer_depth_output": [1] * 4,
    "transformer_depth_middle": 1,
}


def of(name):
    """The family of that name; "deep" is an SD 1.5 with levels of several widths and attention in its middle."""
    if name == "deep":
        return replace(of("SD 1.5"), name="deep", net=DEEP)
    return next(one for one in FAMILIES if one.name == name)


def check(prompts, settings=None, searches=("NoiseSearch", "SteeredSearch", "RefineSearch")):
    """The own seed is the host's, and what every search finds is finite and comes again from its recipe."""
    own, stock = prompts.stock(settings)
    assert far(own, stock) < same(prompts)
    for search in searches:
        found = prompts.outcome(search, settings)
        assert not found.refused, found.refused
        latent = found.kept["latent"]["samples"]
        assert all(part.isfinite().all() for part in streams(latent)), search
        assert far(found.kept["replayed"]["samples"], latent) < same(prompts), search
        assert found.kept["score"] >= found.kept["trace"].scores[0], search
    return stock


def does_something(host, name, stock, settings=None):
    """Whether the feature changes what the host makes."""
    return far(stock, Prompts(host, of(name)).stock(settings)[1]) > 1e-3


def started(one, masked):
    """A LATENT of a picture, with the right half to be painted anew if `masked`."""
    latent = {"samples": joined([randn(3, 1, *shape) for shape in one.shapes])}
    if masked:
        latent["noise_mask"] = (
            joined([mask_of(shape) for shape in one.shapes]) if len(one.shapes) > 1 else mask_of(one.shapes[0])[:, 0]
        )
    return latent


def mask_of(shape):
    mask = torch.zeros(1, 1, *shape[1:])
    mask[..., shape[-1] // 2 :] = 1
    return mask


@pytest.mark.parametrize("masked", [False, True], ids=["img2img", "inpaint"])
@pytest.mark.parametrize(
    "name", ["SD 1.5", "SD 1.5 inpainting", "Flux Fill", "Qwen-Image-Edit", "Wan 2.1 image to video", "Cosmos", "LTX 2"]
)
def test_pictures_to_begin_with_and_masks(host, name, masked):
    one = of(name)
    latent = started(one, masked)
    if masked and len(one.shapes[0]) == 4:
        latent["noise_mask"] = latent["noise_mask"] if len(one.shapes) > 1 else mask_of(one.shapes[0])
    stock = check(Prompts(host, one, latent=latent), {"denoise": 0.6}, ("NoiseSearch", "SteeredSearch"))
    assert does_something(host, name, stock)


@pytest.mark.parametrize("name", ["Wan 2.2, 5B", "LTX Video", "Cosmos Predict 2 video"])
def test_frames_with_noise_levels_of_their_own(host, name):
    """The first frame is given and stays as it is: a mask over the frames."""
    one = of(name)
    mask = torch.ones(1, 1, *one.shapes[0][1:])
    mask[:, :, 0] = 0
    latent = {"samples": randn(3, 1, *one.shapes[0]), "noise_mask": mask}
    prompts = Prompts(host, one, latent=latent)
    stock = check(prompts)
    assert far(stock[:, :, :1], latent["samples"][:, :, :1]) < 1e-3
    found = prompts.outcome("SteeredSearch").kept["latent"]["samples"]
    assert far(found[:, :, :1], latent["samples"][:, :, :1]) < 1e-3


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", ["SD 1.5", "LTX 2"])
def test_samplers(host, name, sampler):
    check(Prompts(host, of(name)), {"sampler_name": sampler}, ("NoiseSearch",))


LONG = {"Wan 2.1": (16, 5, 4, 4)}  # for windows


def patched(host, name, patch):
    one = replace(of(name), shapes=(LONG[name],)) if patch in ("context windows", "FreeNoise") else of(name)
    plain = Prompts(host, one)
    return plain, Prompts(host, one, model=host.call(patches()[patch], plain.parts.model))


@pytest.mark.parametrize(
    ("patch", "name"),
    [
        ("CFG-Zero", "Wan 2.1"),
        ("CFG-Zero", "SD 3"),
        ("CFG Norm", "Lens"),
        ("FreeU", "deep"),
        ("PAG", "deep"),
        ("SAG", "deep"),
        ("TCFG", "SD 1.5"),
        ("Rescale CFG", "SDXL (v)"),
        ("APG", "SD 3"),
        ("EasyCache", "Wan 2.1"),
        ("context windows", "Wan 2.1"),
        ("LoRA", "SD 1.5"),
        ("LoRA", "Flux dev"),
        ("LoRA", "Wan 2.1"),
    ],
)
def test_patches_on_the_model(host, patch, name):
    plain, prompts = patched(host, name, patch)
    stock = check(prompts, searches=("NoiseSearch", "SteeredSearch"))
    assert far(stock, plain.stock()[1]) > 1e-4


@pytest.mark.parametrize(
    ("patch", "name", "reason"),
    [
        ("FreeNoise", "Wan 2.1", "needs context windows without FreeNoise"),
        ("APG with momentum", "SD 3", "needs Adaptive Projected Guidance with"),
    ],
)
def test_patches_that_cannot_be_cut_are_searched_whole(host, patch, name, reason):
    plain, prompts = patched(host, name, patch)
    stock = check(prompts, searches=("NoiseSearch", "ZeroOrderSearch"))
    assert far(stock, plain.stock()[1]) > 1e-4
    for search in ("SteeredSearch", "RefineSearch"):
        assert reason in prompts.outcome(search).refused


def regional(host, one, where):
    parts = Prompts(host, one).parts
    other = parts.negative[0]
    mask = torch.zeros(1, 8, 8)
    mask[:, :4] = 1
    region = (
        {"area": (4, 8, 0, 0)} if where == "area" else {"mask": mask, "set_area_to_bounds": False, "mask_strength": 1.0}
    )
    return [*parts.positive, [other[0], {**other[1], **region, "strength": 0.8}]]


@pytest.mark.parametrize("where", ["area", "mask"])
@pytest.mark.parametrize("name", ["SD 1.5", "Flux dev"])
def test_regional_prompts(host, name, where):
    stock = check(
        Prompts(host, of(name), positive=regional(host, of(name), where)), searches=("NoiseSearch", "RefineSearch")
    )
    assert does_something(host, name, stock)


def test_controlnet(host, tiny):
    import nodes

    parts, hint = tiny("sd15"), torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(8))
    apply = nodes.ControlNetApplyAdvanced().apply_controlnet
    positive, negative = host.call(apply, parts.positive, parts.negative, host.toys.controlnet(), hint, 0.8, 0.0, 1.0)
    plain = Prompts(host, of("SD 1.5"), model=parts.model, positive=parts.positive, negative=parts.negative)
    stock = check(
        Prompts(host, of("SD 1.5"), model=parts.model, positive=positive, negative=negative),
        searches=("SteeredSearch",),
    )
    assert far(stock, plain.stock()[1]) > 1e-3


def test_a_batch_of_reference_pictures_is_one_edit(host):
    """Reference latents are a list of pictures, not a batch: they reach every candidate as a whole."""
    one = of("Flux Kontext (edit)")
    parts = Prompts(host, one).parts
    ((text, extra),) = parts.positive
    two = [[text, {**extra, "reference_latents": [*extra["reference_latents"], randn(9, 1, 16, 8, 8)]}]]
    stock = check(Prompts(host, one, positive=two), searches=("RefineSearch",))
    assert does_something(host, one.name, stock)


def test_a_model_that_refuses_batches_is_sampled_one_by_one(host):
    prompts = Prompts(host, of("MiniMax H3"))
    assert prompts.outcome("ZeroOrderSearch", replayed=False).kept["trace"].pictures == prompts.samplings == PICTURES


@pytest.mark.parametrize("patch", ["EasyCache", "FreeNoise"])
def test_what_depends_on_the_whole_batch_is_sampled_one_by_one(host, patch):
    one = replace(of("Wan 2.1"), shapes=(LONG["Wan 2.1"],))
    plain = Prompts(host, one)
    model = host.call(patches()[patch], plain.parts.model)
    takes_one_row = host.part("nodes.host.setup.families").takes_one_row
    assert takes_one_row(model) and not takes_one_row(plain.parts.model)
