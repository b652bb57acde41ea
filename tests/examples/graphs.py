"""API prompts around one search on the bundled tiny model, and the pictures that come back."""

import io
from typing import Any

import numpy as np
from noise_search.demo.client import Client, Result
from noise_search.demo.examples import CAPTION, CHECKPOINT, SIDE, VERIFIER
from PIL import Image

SAMPLING = {"steps": 4, "cfg": 4.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
BUDGET = {"pictures": 8, "minutes": 0.0, "keep": 1}
KNOBS = {"ZeroOrderSearch": {"preset": "adaptive", "neighbors": 4, "similarity": 0.95}}
MODEL = {"model": ["checkpoint", 0], "positive": ["positive", 0], "negative": ["negative", 0]}
OUTPUTS = {"LATENT": 0, "IMAGE": 1, "seed": 2, "score": 3, "NOISE": 4, "recipe": 5, "trace": 6}

Graph = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def loaders(side: int = SIDE, batch: int = 1) -> Graph:
    return {
        "checkpoint": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "positive": node("CLIPTextEncode", clip=["checkpoint", 1], text=CAPTION),
        "negative": node("CLIPTextEncode", clip=["checkpoint", 1], text=""),
        "latent": node("EmptyLatentImage", width=side, height=side, batch_size=batch),
        "verifier": node("LoadVerifier", verifier=VERIFIER, device="auto"),
    }


def search(
    kind: str = "RandomSearch", *, side: int = SIDE, steps: int = 4, batch_size: int = 0, **inputs: Any
) -> Graph:
    """A search node called "search" behind its setup; "winners" shows its pictures. `batch_size` 0 leaves it to the
    pack.
    """
    setup = {
        **MODEL,
        "latent_image": ["latent", 0],
        "vae": ["checkpoint", 2],
        **SAMPLING,
        "steps": steps,
        "batch_size": batch_size,
    }
    values = {
        "sampling": ["setup", 0],
        "verifier": ["verifier", 0],
        "seed": 11,
        **BUDGET,
        **KNOBS.get(kind, {}),
        **inputs,
    }
    return {
        **loaders(side),
        "setup": node("SamplingSetup", **setup),
        "search": node(kind, **values),
        "winners": preview(["search", OUTPUTS["IMAGE"]]),
    }


def ksampler(seed: Any) -> Graph:
    """The host's own KSampler with the same settings; "stock" shows its pictures."""
    return {
        **loaders(),
        "sampler": node("KSampler", **MODEL, latent_image=["latent", 0], seed=seed, **SAMPLING),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["checkpoint", 2]),
        "stock": preview(["decode", 0]),
    }


def custom_sampler(noise: list, batch: int = 1) -> Graph:
    """The host's own SamplerCustomAdvanced with the same settings, to be added to a graph; "stock" shows its
    pictures.
    """
    return {
        "rows": node("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=batch),
        "guider": node("CFGGuider", **MODEL, cfg=SAMPLING["cfg"]),
        "euler": node("KSamplerSelect", sampler_name=SAMPLING["sampler_name"]),
        "sigmas": node(
            "BasicScheduler",
            model=["checkpoint", 0],
            scheduler=SAMPLING["scheduler"],
            steps=SAMPLING["steps"],
            denoise=1.0,
        ),
        "sampler": node(
            "SamplerCustomAdvanced",
            noise=noise,
            guider=["guider", 0],
            sampler=["euler", 0],
            sigmas=["sigmas", 0],
            latent_image=["rows", 0],
        ),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["checkpoint", 2]),
        "stock": preview(["decode", 0]),
    }


def preview(images: list) -> dict[str, Any]:
    return node("PreviewImage", images=images)


def run(client: Client, graph: Graph, **wait: Any) -> Result:
    """The result of a prompt that has to succeed."""
    result = client.run(graph, **wait)
    assert result.ok, result.error
    return result


def run_anew(client: Client, graph: Graph) -> Result:
    """As `run`, with nothing from the host's cache, which it empties a moment after it was asked to."""
    client.request("/free", {"free_memory": True})
    for _ in range(10):
        result = run(client, graph)
        if "search" in executed(result):
            return result
    raise AssertionError("the host never emptied its cache")


def executed(result: Result) -> set[str]:
    """The nodes that ran, not those that came from the cache."""
    return {data["node"] for data in result.named("executing")}


def found(result: Result) -> dict[str, Any]:
    """What the search node says about its winner."""
    return result.outputs["search"]["noise_search"][0]


def pictures(client: Client, result: Result, name: str) -> np.ndarray:
    """The pictures that a node shows, `(n, h, w, 3)` in 0..255."""
    files = [client.image(entry) for entry in result.outputs[name]["images"]]
    return np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]).astype(int)
