"""Every family through every search in the real host, and the table of what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from ..nodes.graphs import Brightness, kept
from .images import IMAGES
from .others import NOT_SAMPLED, OTHERS, VIDEOS
from .tiny import Family, build

FAMILIES = (*IMAGES, *VIDEOS, *OTHERS)
SEED, STEPS, PICTURES = 5, 4, 3
SETTINGS = {"steps": STEPS, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
BUDGET = {"seed": SEED, "pictures": PICTURES, "minutes": 0.0, "keep": 1}
SEARCHES = {
    "NoiseSearch": {},
    "ZeroOrderSearch": {"preset": "paper", "neighbors": 2, "similarity": 0.9},
    "SteeredSearch": {"preset": "best known", "particles": 0},
    "RefineSearch": {"children": 2, "depth": 0.5},
}
HEAD = """# Model families

Which kinds of models the searches work with, as a test finds out with a tiny model of random weights for each kind: every search tries
four pictures; the result has the latent's shape and is finite, the first picture is the one that KSampler makes for the same seed, and
the recipe makes the same latent again. What cannot work is refused before anything is sampled, with the reason below. Random Search works
where Noise Search does, Local Search where Zero-Order Search does, Path and Draft Search where Steered Search does.

`NOISE_SEARCH_WRITE_DOCS=1 python -m pytest tests/families/test_matrix.py` writes this page.
"""  # noqa: E501
TAIL = """
## What may be around the model

Tried on the families that it is for, with the same tests: pictures to begin with, masks, masks over frames, regional prompts, ControlNet, LoRA,
reference pictures, CFG-Zero, CFG Norm, Rescale CFG, TCFG, FreeU, PAG, SAG, APG, EasyCache, context windows, and the samplers
{samplers}.

| what | works | because |
|---|---|---|
| EasyCache, LazyCache, context windows | one picture at a time | they would let the pictures of a batch change each other |
| FreeNoise in context windows | not along the path | it shuffles the noise wherever a part of the way begins |
| APG with a momentum | not along the path | it remembers the steps of whatever was sampled before |
| a ControlNet with several pictures, a latent batch | no | the host would give each candidate another one |
"""  # noqa: E501
SAMPLERS = (
    "ipndm",
    "ddim",
    "uni_pc",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "euler_ancestral",
    "lcm",
    "res_multistep",
    "heun",
    "er_sde",
    "sa_solver",
)


@dataclass
class Outcome:
    """What came of one family in one search."""

    refused: str = ""
    kept: dict[str, Any] = field(default_factory=dict)


class Prompts:
    """Prompts of one family for a host.

    Args:
        host: The host in this process.
        one: The family.
        changes: Parts (model, positive, negative, latent) that take the place of the family's own.
    """

    def __init__(self, host: Any, one: Family, **changes: Any):
        self.host, self.parts = host, SimpleNamespace(**(vars(host.call(build, one, host.toys)) | changes))
        self.samplings = 0

    def run(self, *nodes: dict) -> Any:
        """Runs nodes on the family's parts; counts what the host samples meanwhile."""
        import comfy.samplers

        names = {
            "model": "model",
            "positive": "positive",
            "negative": "negative",
            "latent": "latent_image",
            "vae": "vae",
        }
        values = {name: getattr(self.parts, part) for part, name in names.items()} | {"verifier": Brightness()}
        self.host.toys.VALUES.update(values)
        sources = {name: {"class_type": "ToyValue", "inputs": {"name": name}} for name in values}
        plain, self.samplings = comfy.samplers.CFGGuider.sample, 0

        def counted(guider, *arguments, **options):
            self.samplings += 1
            return plain(guider, *arguments, **options)

        comfy.samplers.CFGGuider.sample = counted
        try:
            return self.host.run({name: node for part in (sources, *nodes) for name, node in part.items()})
        finally:
            comfy.samplers.CFGGuider.sample = plain

    def outcome(self, search: str, settings: dict | None = None, replayed: bool = True, **inputs: Any) -> Outcome:
        """Searches, and replays the winner's recipe."""
        settings = {**SETTINGS, **(settings or {})}
        found = searching(search, settings, **inputs)
        again = searching(search, settings, name="again", recipe=["found", 5], **inputs) if replayed else {}
        kept_again = (
            {"replay": {"class_type": "ToyKeep", "inputs": {"value": ["again", 0], "name": "replayed"}}}
            if replayed
            else {}
        )
        result = self.run(found, again, kept("found", "latent", "image", "score", "recipe", "trace"), kept_again)
        if not result.ok:
            return Outcome(refused=self.refusal(result.error))
        return Outcome(kept={name: values[0] for name, values in result.kept.items()})

    def refusal(self, error: str) -> str:
        """The reason of a refusal; an assertion where something was sampled before, or went wrong in another way."""
        reason = error.partition("ValueError: ")[2]
        assert reason and self.samplings == 0, (
            f"must be refused before sampling, got {error} after {self.samplings} samplings"
        )
        return reason

    def stock(self, settings: dict | None = None, **inputs: Any) -> tuple[Any, Any]:
        """The own seed's latent in a batch of a search without a verifier, and the host's KSampler's."""
        settings = {**SETTINGS, **(settings or {})}
        plain = {name: value for name, value in SOURCES.items() if name != "vae"}
        sampler = {"stock": {"class_type": "KSampler", "inputs": {**plain, **settings, "seed": SEED}}}
        keep_stock = {"keep": {"class_type": "ToyKeep", "inputs": {"value": ["stock", 0], "name": "stock"}}}
        search = {"found": {"class_type": "NoiseSearch", "inputs": {**SOURCES, **settings, **BUDGET, **inputs}}}
        result = self.run(search, sampler, keep_stock, kept("found", "latent"))
        assert result.ok, result.error
        return result.kept["latent"][0]["samples"], result.kept["stock"][0]["samples"]


SOURCES = {name: [name, 0] for name in ("model", "positive", "negative", "latent_image", "vae")}


def searching(search: str, settings: dict, name: str = "found", **inputs: Any) -> dict:
    """The nodes of one search."""
    common = {**BUDGET, "verifier": ["verifier", 0], **SEARCHES[search], **inputs}
    if search == "NoiseSearch":
        return {name: {"class_type": search, "inputs": {**SOURCES, **settings, **common}}}
    setup = {"class_type": "SamplingSetup", "inputs": {**SOURCES, **settings, "batch_size": 0}}
    return {"setup": setup, name: {"class_type": search, "inputs": {"sampling": ["setup", 0], **common}}}


def streams(latent: Any) -> list[torch.Tensor]:
    return list(latent.unbind()) if latent.is_nested else [latent]


def far(found: Any, expected: Any) -> float:
    """Largest difference relative to the scale of what was expected, over all streams, wherever they lie."""
    pairs = [(one.cpu(), other.cpu()) for one, other in zip(streams(found), streams(expected), strict=True)]
    return max(((one - other).abs().max() / other.abs().max()).item() for one, other in pairs)


def table(outcomes: dict[tuple[str, str], str], names: Callable[[str], str]) -> str:
    """The page, from why every (family, search) was refused, "" where it works."""
    titles = [names(search) for search in SEARCHES]
    lines = [HEAD, "| family | makes | " + " | ".join(titles) + " | why not |", "|---" * (len(titles) + 3) + "|"]
    for one in FAMILIES:
        found = [outcomes[one.name, search] for search in SEARCHES]
        cells = [
            one.name,
            one.makes,
            *("no" if reason else "works" for reason in found),
            "; ".join(dict.fromkeys(filter(None, found))),
        ]
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    lines += [
        "",
        "Other sizes of the same networks: "
        + "; ".join(f"{', '.join(one.like)} as {one.name}" for one in FAMILIES if one.like)
        + ".",
    ]
    lines += [
        "",
        "Not models that make anything: " + "; ".join(f"{name} {why}" for name, why in NOT_SAMPLED.items()) + ".",
    ]
    return "\n".join(lines) + "\n" + TAIL.format(samplers=", ".join(SAMPLERS))
