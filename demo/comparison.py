"""One caption, searched in several ways by a running ComfyUI with the tiny model, and checked exactly."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from .client import Client
from .examples import CHECKPOINT, SIDE, VERIFIER
from .scenes import Scene, verify

SAMPLING = {"steps": 20, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
WAYS = {"own_seed": "RandomSearch", "random": "RandomSearch", "zero_order": "ZeroOrderSearch"}
KNOBS = {"zero_order": {"preset": "adaptive", "neighbors": 4, "similarity": 0.95}}


@dataclass(frozen=True)
class Outcome:
    """What one way of searching found for one caption.

    Args:
        score: The verifier's, 100 x cosine of the tiny CLIP.
        passed: Whether the picture shows exactly what the caption says.
        checked: Share of the caption's claims that hold, in [0, 1].
        how: How the winner was made: "own seed", "random", "neighbor".
        nfe: Forward passes of the denoiser, all pictures together.
        seconds: Wall clock of the whole search.
    """

    score: float
    passed: bool
    checked: float
    how: str
    nfe: int
    seconds: float


def own_seed(caption: str) -> int:
    """The seed that an artist happens to have for this caption: the same on every run, below 2**50."""
    return int.from_bytes(hashlib.blake2b(caption.encode(), digest_size=8).digest(), "big") >> 14


def prompt(caption: str, way: str, pictures: int, **knobs) -> dict:
    """An API prompt of stock nodes and one search node, whose id is "search"."""
    search = {
        "sampling": ["setup", 0],
        "verifier": ["verifier", 0],
        "seed": own_seed(caption),
        "minutes": 0.0,
        "keep": 1,
        "pictures": 1 if way == "own_seed" else pictures,
        **KNOBS.get(way, {}),
        **knobs,
    }
    sources = {
        "model": ["model", 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent_image": ["latent", 0],
    }
    return {
        "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "positive": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": caption}},
        "negative": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": ""}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": 1}},
        "verifier": {"class_type": "LoadVerifier", "inputs": {"verifier": VERIFIER, "device": "auto"}},
        "setup": {
            "class_type": "SamplingSetup",
            "inputs": {**sources, "vae": ["model", 2], **SAMPLING, "batch_size": 0},
        },
        "search": {"class_type": WAYS[way], "inputs": search},
        "show": {"class_type": "PreviewImage", "inputs": {"images": ["search", 1]}},
    }


def search(client: Client, scene: Scene, way: str, pictures: int, **knobs) -> tuple[Outcome, Image.Image]:
    """Runs one way of searching for a scene's caption and checks the winner.

    Raises:
        RuntimeError: With the host's own message, if the prompt failed.
    """
    started = time.monotonic()
    result = client.run(prompt(scene.caption, way, pictures, **knobs))
    if not result.ok:
        raise RuntimeError(f"{scene.caption}: {result.error}")
    seconds = time.monotonic() - started
    (facts,) = result.outputs["search"]["noise_search"]
    picture = Image.open(io.BytesIO(client.image(result.outputs["show"]["images"][0]))).convert("RGB")
    verdict = verify(np.asarray(picture, dtype=np.float32) / 255, scene)
    return Outcome(
        facts["score"], bool(verdict.passed), float(verdict.score), facts["how"], facts["nfe"], round(seconds, 2)
    ), picture


def compare(client: Client, scene: Scene, pictures: int) -> tuple[dict, dict[str, Image.Image]]:
    """All ways for one caption: a row of results, and the pictures by way.

    Where a search finds nothing better than the own seed, its score is the one of the own seed alone: sampled in a
    batch, the same picture differs by rounding.
    """
    row, shown = {"prompt": scene.caption, "family": scene.family}, {}
    for way in WAYS:
        outcome, shown[way] = search(client, scene, way, pictures)
        row[way] = asdict(outcome)
        if outcome.how == "own seed":
            row[way]["score"] = row["own_seed"]["score"]
    return row, shown
