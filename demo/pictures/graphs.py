"""Small graphs on the tiny models that show one node each at its work."""

from __future__ import annotations

from typing import Any

from ..examples import CAPTIONS, CHECKPOINT, PICTURE, SIDE, VERIFIER
from .studio import Graph

CAPTION = "a purple cross left of a yellow circle"
SAMPLING = {"steps": 16, "cfg": 4.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
MODEL = {"model": ["checkpoint", 0], "positive": ["positive", 0], "negative": ["negative", 0]}
FULL = {**MODEL, "latent_image": ["latent", 0], "vae": ["checkpoint", 2]}
IMAGE, NOISE, RECIPE, TRACE = 1, 4, 5, 6  # outputs of a search


def node(kind: str, title: str = "", **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, **({"title": title} if title else {})}


def loaders(caption: str = CAPTION, batch: int = 1) -> Graph:
    return {
        "checkpoint": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "positive": node("CLIPTextEncode", "Prompt", clip=["checkpoint", 1], text=caption),
        "negative": node("CLIPTextEncode", "Negative prompt", clip=["checkpoint", 1], text=""),
        "latent": node("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=batch),
        "verifier": node("LoadVerifier", verifier=VERIFIER),
    }


def setup(**settings: Any) -> Graph:
    return {"setup": node("SamplingSetup", **FULL, **{**SAMPLING, **settings})}


def search(kind: str, *, judge: str = "verifier", seed: int = 3, pictures: int = 12, **inputs: Any) -> Graph:
    """A search called "search"; "winners" shows its pictures."""
    values = {"sampling": ["setup", 0], "verifier": [judge, 0], "seed": seed, "pictures": pictures, **inputs}
    return {**loaders(), **setup(), "search": node(kind, **values), **enlarged("winners", ["search", IMAGE])}


def drop_in(*, seed: int = 3, pictures: int = 12, steps: int = 16, **inputs: Any) -> Graph:
    values = {
        **FULL,
        **SAMPLING,
        "steps": steps,
        "verifier": ["verifier", 0],
        "seed": seed,
        "pictures": pictures,
        **inputs,
    }
    return {**loaders(), "search": node("NoiseSearch", **values), **enlarged("winners", ["search", IMAGE])}


def preview(images: list, title: str = "") -> dict[str, Any]:
    return node("PreviewImage", title, images=images)


def enlarged(name: str, images: list, title: str = "") -> Graph:
    """As `preview`, four times as large: the page draws pictures no larger than they are."""
    larger = node("ImageScaleBy", image=images, upscale_method="bicubic", scale_by=4.0)
    return {f"{name} larger": larger, name: preview([f"{name} larger", 0], title)}


def seeds(count: int = 4, seed: int = 3) -> Graph:
    """`count` pictures of a plain KSampler, one per seed: the output of "decode"."""
    return {
        **loaders(),
        "candidates": node("NoiseCandidates", seed=seed, count=count),
        "sampler": node(
            "KSampler",
            "KSampler, once per seed",
            **MODEL,
            latent_image=["latent", 0],
            seed=["candidates", 1],
            **SAMPLING,
        ),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["checkpoint", 2]),
    }


def custom(noise: list, count: int = 4) -> Graph:
    """`count` pictures of SamplerCustomAdvanced from a NOISE: the output of "decode"."""
    return {
        **loaders(batch=count),
        "guider": node("CFGGuider", **MODEL, cfg=4.0),
        "euler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("BasicScheduler", model=["checkpoint", 0], scheduler="simple", steps=16, denoise=1.0),
        "sampler": node(
            "SamplerCustomAdvanced",
            noise=noise,
            guider=["guider", 0],
            sampler=["euler", 0],
            sigmas=["sigmas", 0],
            latent_image=["latent", 0],
        ),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["checkpoint", 2]),
        **enlarged("preview", ["decode", 0]),
    }


def scored(judge: str = "verifier", count: int = 4, seed: int = 3) -> Graph:
    """Pictures that "score" judges and "preview" shows, best first."""
    return {
        **seeds(count, seed),
        "score": node("VerifierScore", images=["decode", 0], verifier=[judge, 0], seeds=["candidates", 1]),
        **enlarged("preview", ["score", 0], "Best first"),
    }


def sheet() -> Graph:
    """Three prompts by four seeds, judged, on a sheet called "sheet"."""
    prompts = {
        f"prompt {place}": node("PrimitiveStringMultiline", value=text) for place, text in enumerate(CAPTIONS[:3])
    }
    listed = {f"inputs.input{place}": [name, 0] for place, name in enumerate(prompts)}
    rows = {"row_labels": ["prompts", 0], "prompt": ["prompts", 0]}
    graph = {
        **custom(["candidates", 0]),
        **prompts,
        "prompts": node("CreateList", **listed),
        "candidates": node("NoiseCandidates", seed=5, count=4),
        "sheet": node(
            "SeedSheet",
            images=["decode", 0],
            seeds=["candidates", 1],
            verifier=["verifier", 0],
            **rows,
        ),
    }
    graph["sheet"]["inputs"]["title"] = "Prompts by seeds"
    graph["positive"]["inputs"]["text"] = ["prompts", 0]
    return graph


def picture() -> Graph:
    return {"picture": node("LoadImage", "Your picture", image=PICTURE)}
