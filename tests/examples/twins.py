"""A template's own sampler and ours in its place, in one prompt, for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .stand_ins import Left, Shrunk, is_link
from .templates import Prompt, Site

BETWEEN = (
    "LTXVSeparateAVLatent",
    "LTXVCropGuides",
    "LTXVLatentUpsampler",
    "LTXVImgToVideoInplace",
    "LTXVConcatAVLatent",
)
BUDGET = {"pictures": 1, "minutes": 0.0, "keep": 1}
DENOISED = "denoised_output"


@dataclass(frozen=True)
class Twins:
    """What is compared.

    Args:
        template, sampler: Their names.
        kind: The samplers of the template.
        ours: What takes their place.
        family: The model that stands in for theirs.
        stock: Node and slot of the template's latent.
        shown: The node with the pictures that the template shows of our latent, or "".
        nodes: All of the prompt; "ours" gives our latent.
        values: What the stand-ins give.
    """

    template: str
    sampler: str
    kind: str
    ours: str
    family: str
    stock: tuple[str, int]
    shown: str
    nodes: Prompt
    values: dict[str, Any]


def twins(site: Site, host: Any) -> Iterator[Twins]:
    """The sampler alone, and with the one that goes on from it, where we have a setup for both."""
    kind, later = site.prompt[site.node]["class_type"], follower(site)
    if kind == "KSampler":
        yield alone(site, host, drop_in)
    elif kind == "KSamplerAdvanced":
        if later is None:
            raise Left("half of a pair")
        yield pair(site, host, later, two_models, "Two Models")
    else:
        yield alone(site, host, custom)
        if later is not None:
            split = is_link(site.prompt[later]["inputs"]["latent_image"]) and came_straight(site, later)
            how = (two_guiders, "Two Guiders") if split else (two_stages, "Second Stage")
            yield pair(site, host, later, *how)


def alone(site: Site, host: Any, swap: Any) -> Twins:
    shrunk = Shrunk(site, host)
    shrunk.stood_in("VAE", "vae", site.node)
    slot = handed_on(site.prompt, site.node)
    shrunk.nodes |= swap(shrunk.nodes, site.node, slot)
    name = "Noise Search" if swap is drop_in else "Custom"
    shown = shrunk.shown(site.node, slot, "ours") or ""
    return Twins(
        site.template,
        site.node,
        site.prompt[site.node]["class_type"],
        name,
        shrunk.family.name,
        (site.node, slot),
        shown,
        shrunk.nodes,
        shrunk.values,
    )


def pair(site: Site, host: Any, later: str, swap: Any, name: str) -> Twins:
    shrunk = Shrunk(site, host, (later,))
    shrunk.stood_in("VAE", "vae", site.node)
    slot, last = handed_on(site.prompt, site.node), handed_on(site.prompt, later)
    shrunk.nodes |= swap(shrunk.nodes, site.node, later, slot, last)
    shown = shrunk.shown(later, last, "ours") or ""
    kind = f"two {site.prompt[site.node]['class_type']}"
    return Twins(
        site.template, site.node, kind, name, shrunk.family.name, (later, last), shown, shrunk.nodes, shrunk.values
    )


def handed_on(prompt: Prompt, name: str) -> int:
    """Which of a sampler's outputs the template goes on with."""
    used = [
        value[1] for node in prompt.values() for value in node["inputs"].values() if is_link(value) and value[0] == name
    ]
    return min(used, default=0)


def follower(site: Site) -> str | None:
    """The sampler that goes on from this one's latent."""
    waiting, seen = [site.node], {site.node}
    while waiting:
        name = waiting.pop(0)
        for reader, node in site.prompt.items():
            links = {str(value[0]) for value in node["inputs"].values() if is_link(value)}
            if name not in links or reader in seen:
                continue
            if node["class_type"] == site.prompt[site.node]["class_type"]:
                latent = node["inputs"].get("latent_image")
                if is_link(latent) and str(latent[0]) == name:
                    return reader
            if node["class_type"] in BETWEEN:
                seen.add(reader)
                waiting.append(reader)
    return None


def came_straight(site: Site, later: str) -> bool:
    return str(site.prompt[later]["inputs"]["latent_image"][0]) == site.node


VAE = ["stand-in VAE", 0]


def drop_in(nodes: Prompt, name: str, slot: int) -> Prompt:
    return {"ours": {"class_type": "NoiseSearch", "inputs": {**nodes[name]["inputs"], "vae": VAE, **BUDGET}}}


def search(nodes: Prompt, name: str) -> dict:
    """A search of the own seed of a sampler."""
    given = nodes[name]["inputs"]
    noise, seed = given.get("noise"), given.get("noise_seed", 0)
    plain = is_link(noise) and nodes[str(noise[0])]["class_type"] == "RandomNoise"
    seed = nodes[str(noise[0])]["inputs"]["noise_seed"] if plain else seed
    more = {"noise": noise} if is_link(noise) and not plain else {}
    inputs = {"sampling": ["our setup", 0], "seed": seed, **more, **BUDGET}
    return {"class_type": "RandomSearch", "inputs": inputs}


def guider_of(nodes: Prompt, name: str, own: str) -> tuple[list, Prompt]:
    """The guider of a custom sampler; of the plain one, a node that makes it."""
    given = nodes[name]["inputs"]
    if "guider" in given:
        return given["guider"], {}
    parts = {key: given[key] for key in ("model", "positive", "negative", "cfg")}
    return [own, 0], {own: {"class_type": "CFGGuider", "inputs": parts}}


def custom(nodes: Prompt, name: str, slot: int) -> Prompt:
    given = nodes[name]["inputs"]
    guider, made = guider_of(nodes, name, "our guider")
    inputs = {key: given[key] for key in ("sampler", "sigmas", "latent_image")} | {"guider": guider, "vae": VAE}
    inputs |= {"hands_on": DENOISED} if slot else {}
    setup = {"class_type": "SamplingSetupCustom", "inputs": inputs}
    return {**made, "our setup": setup, "ours": search(nodes, name)}


def two_models(nodes: Prompt, name: str, later: str, slot: int, last: int) -> Prompt:
    first, second = nodes[name]["inputs"], nodes[later]["inputs"]
    same = {
        key: first[key] for key in ("positive", "negative", "latent_image", "steps", "cfg", "sampler_name", "scheduler")
    }
    low = {f"{key}_low": second[key] for key in ("positive", "negative", "cfg")}
    models = {"model_high": first["model"], "model_low": second["model"], "vae": VAE}
    switch = {"switch_step": first["end_at_step"], "seed_low": second["noise_seed"]}
    setup = {"class_type": "SamplingSetupTwoStage", "inputs": {**same, **low, **models, **switch}}
    return {"our setup": setup, "ours": search(nodes, name)}


def two_guiders(nodes: Prompt, name: str, later: str, slot: int, last: int) -> Prompt:
    first, second = nodes[name]["inputs"], nodes[later]["inputs"]
    high, made = guider_of(nodes, name, "our guider")
    low, also = guider_of(nodes, later, "our second guider")
    inputs = {
        "guider_high": high,
        "guider_low": low,
        "sampler": first["sampler"],
        "sampler_low": second["sampler"],
        "sigmas_high": first["sigmas"],
        "sigmas_low": second["sigmas"],
        "latent_image": first["latent_image"],
        "seed_low": second.get("noise_seed", 0),
        "vae": VAE,
        **({"hands_on": DENOISED} if last else {}),
    }
    setup = {"class_type": "SamplingSetupTwoGuiders", "inputs": inputs}
    return {**made, **also, "our setup": setup, "ours": search(nodes, name)}


def two_stages(nodes: Prompt, name: str, later: str, slot: int, last: int) -> Prompt:
    found, second = custom(nodes, name, slot), nodes[later]["inputs"]
    guider, also = guider_of(nodes, later, "our second guider")
    between = {node["class_type"]: node["inputs"] for node in nodes.values() if node["class_type"] in BETWEEN}
    noise = nodes[str(second["noise"][0])]["inputs"]
    inputs = {
        "sampling": ["our first stage", 0],
        "guider": guider,
        "sampler": second["sampler"],
        "sigmas": second["sigmas"],
        "seed_second": noise.get("noise_seed", 0),
        **({"hands_on": DENOISED} if last else {}),
    }
    if upsampler := between.get("LTXVLatentUpsampler"):
        inputs["upscale_model"] = upsampler["upscale_model"]
    inputs |= first_frame(nodes, later)
    setup = {"class_type": "SamplingSetupSecondStage", "inputs": inputs}
    return {**found, **also, "our first stage": found["our setup"], "our setup": setup}


def first_frame(nodes: Prompt, later: str) -> dict:
    """What is put at the beginning of the second stage's video."""
    name = str(nodes[later]["inputs"]["latent_image"][0])
    while name in nodes and nodes[name]["class_type"] in BETWEEN:
        kind, inputs = nodes[name]["class_type"], nodes[name]["inputs"]
        if kind == "LTXVImgToVideoInplace" and not value_of(nodes, inputs.get("bypass", False)):
            return {"first_frame": inputs["image"], "strength": inputs["strength"]}
        if kind in ("LTXVLatentUpsampler", "LTXVImgToVideoInplace"):
            return {}
        name = str((inputs.get("video_latent") or inputs.get("latent"))[0])
    return {}


def value_of(nodes: Prompt, value: Any) -> Any:
    """What was typed in, here or in a node that holds a value."""
    return value_of(nodes, nodes[str(value[0])]["inputs"].get("value")) if is_link(value) else value
