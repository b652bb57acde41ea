"""Trains two further CLIPs of the demo, which saw drawn scenes and captions only.

No score or detection of the checker, and no picture of the demo's denoiser or codec, ever reached them: what they know
about right and wrong comes from how a picture was drawn. "drawn" is the verifier of the benchmarks that flatters
nobody, trained with contrast alone: a picture against the captions of scenes that differ in one fact, and the other way
round. "counts" is the accept judge of the benchmarks: another network, other scenes, and a further task, to say from
its embedding what was drawn and where.
"""

import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .captions import Scene, reword
from .flaws import altered, draw_flawed, with_another, without_one
from .scenes import draw_training, place, render
from .shapes import SIZE, Placed
from .train_clip import CONFIG, KINDS, calibrate, encode_text, tokenize, unsettled
from .train_clip import build as build_clip
from .train_clip import normalized as normalized_pixels
from .train_clip import write as write_clip
from .training import Average, Clock, learning_rate, mixed_precision, optimizers, save, update

log = logging.getLogger("noise_search.demo")
FOLDER = Path(__file__).parent / "weights"
GROUPS, VARIANTS, FLAWED = 24, 3, 1
PICTURES = VARIANTS + FLAWED + 1
LEARNING_RATE, MUON_LEARNING_RATE, AVERAGE_DECAY = 2e-3, 0.012, 0.99
FACTS = 3 * len(KINDS)
# Blurred and noisy as a decoder's pictures are: its style must be no cue.
BLURRED, MOST_BLUR, GRAIN = 0.5, 0.8, 0.03
TESTS = 20


@dataclass(frozen=True)
class Recipe:
    """One of the two: its name, its network, the seed of its weights and scenes, and how much the further task
    counts.
    """

    name: str
    seed: int
    inventory: float
    vision: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        return FOLDER / f"noise_search_tiny_clip_{self.name}"

    @property
    def config(self) -> dict[str, Any]:
        model = CONFIG["model_cfg"]
        return {**CONFIG, "model_cfg": {**model, "vision_cfg": {**model["vision_cfg"], **self.vision}}}


RECIPES = {
    one.name: one
    for one in (
        Recipe("drawn", seed=7001, inventory=0.0),
        Recipe("counts", seed=9002, inventory=3.0, vision={"layers": [1, 1, 2, 1], "width": 20}),
    )
}


class Groups(NamedTuple):
    """One batch: pictures `(groups, PICTURES, 3, 64, 64)`, of the variants first, then malformed ones and one with an
    object too many or too few of the first variant; what the well-drawn ones hold `(groups, VARIANTS + 1, FACTS)`;
    token ids `(groups, VARIANTS, tokens)`; and the variants' meanings.
    """

    images: Tensor
    facts: Tensor
    tokens: Tensor
    meanings: list[str]


def run(minutes: float, folder: Path, recipe: Recipe, compiled: bool = True) -> None:
    """Trains for so many minutes, from where an earlier run ended."""
    model = build_clip(recipe.config, recipe.seed)
    inventory = nn.Linear(CONFIG["model_cfg"]["embed_dim"], FACTS)
    path = state_path(folder, recipe)
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["average"])
        inventory.load_state_dict(state["inventory"])
    trained = [value for name, value in model.named_parameters() if value.ndim == 2 and "resblocks" in name]
    both = nn.ModuleList([model, inventory])
    made = optimizers(both, trained, LEARNING_RATE, MUON_LEARNING_RATE)
    average = Average(model, AVERAGE_DECAY)
    model.visual.to(memory_format=torch.channels_last)
    encode_image = torch.compile(model.visual) if compiled else model.visual
    data, weights = groups(recipe.seed), torch.tensor([1.0, 1.0, recipe.inventory])
    clock, tests_done, running = Clock(minutes), 0, torch.zeros(len(weights))
    for step in count():
        losses = _losses(model, encode_image, inventory, next(data))
        update(both, losses @ weights, made, learning_rate(step, clock.share(), flat=0.3))
        with torch.no_grad():
            model.logit_scale.clamp_(max=np.log(100))
        average.update(model)
        running.lerp_(losses.detach(), max(0.03, 1 / (step + 1)))
        if clock.share() * TESTS >= tests_done + 1 or clock.share() >= 1:
            tests_done += 1
            message = "%4.0f s, step %d: contrast %.2f, well drawn first %.2f, inventory %.3f"
            log.info(message, clock.elapsed(), step + 1, *running)
            save({"average": average.weights, "inventory": inventory.state_dict()}, path)
        if clock.share() >= 1:
            return


def export(folder: Path, recipe: Recipe) -> Path:
    """Writes the folder that `open_clip.create_model("local-dir:...")` loads."""
    model = build_clip(recipe.config, recipe.seed)
    model.load_state_dict(torch.load(state_path(folder, recipe), weights_only=True)["average"])
    calibrate(model, groups(recipe.seed + 1))
    return write_clip(model, recipe.config, recipe.weights)


def state_path(folder: Path, recipe: Recipe) -> Path:
    return folder / f"clip_{recipe.name}.pt"


def groups(seed: int) -> Iterator[Groups]:
    """Endless batches from training meanings: a scene and others that differ from it in one fact each."""
    rng, blur = random.Random(seed), torch.Generator().manual_seed(seed)
    while True:
        images, facts, captions, meanings = list[np.ndarray](), list[Tensor](), list[str](), list[str]()
        for _ in range(GROUPS):
            scenes = _variants(rng)
            placed = [place(scene, rng) for scene in scenes]
            miscounted = rng.choice((with_another, without_one))(place(scenes[0], rng), rng)
            flawed = [draw_flawed(place(scenes[0], rng), rng) for _ in range(FLAWED)]
            images += [*map(render, placed), *flawed, render(miscounted)]
            facts += [_facts(objects) for objects in (*placed, miscounted)]
            captions += [scene.caption for scene in scenes]
            meanings += [scene.meaning() for scene in scenes]
        pictures = _softened(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), blur)
        yield Groups(
            pictures.unflatten(0, (GROUPS, PICTURES)),
            torch.stack(facts).unflatten(0, (GROUPS, VARIANTS + 1)),
            tokenize(captions).unflatten(0, (GROUPS, VARIANTS)),
            meanings,
        )


def _variants(rng: random.Random) -> list[Scene]:
    """A scene and others that differ from it in one fact, none of them held out."""
    first = draw_training(rng)
    scenes = [first]
    while len(scenes) < VARIANTS:
        other = altered(first, rng)
        if not other.is_held_out():
            scenes.append(reword(other, rng))
    return scenes


def _facts(objects: list[Placed]) -> Tensor:
    """How many of each kind were drawn, and where: sums of x and y, each -1 to 1, `(FACTS,)`."""
    row = torch.zeros(FACTS)
    for one in objects:
        kind = KINDS[one.color, one.shape]
        row[kind] += 1
        row[kind + len(KINDS)] += 2 * one.x / SIZE - 1
        row[kind + 2 * len(KINDS)] += 2 * one.y / SIZE - 1
    return row


def _softened(images: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the pictures a little blurred, all of them with some grain, `(n, 3, h, w)` in [0, 1]."""
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    share = MOST_BLUR * torch.rand((len(images), 1, 1, 1), generator=generator)
    share *= torch.rand((len(images), 1, 1, 1), generator=generator) < BLURRED
    grain = GRAIN * torch.rand((len(images), 1, 1, 1), generator=generator)
    return (images.lerp(blurred, share) + grain * torch.randn(images.shape, generator=generator)).clamp(0, 1)


def _losses(model: CLIP, encode_image: nn.Module, inventory: nn.Module, batch: Groups) -> Tensor:
    """Contrast between all captions and their pictures, well-drawn picture of a caption first, inventory, `(3,)`."""
    with ExitStack() as stack:
        # torch's fused CPU attention is slow in bfloat16.
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(mixed_precision())
        image = encode_image(normalized_pixels(unsettled(batch.images.flatten(0, 1)))).float()
        text = encode_text(model, batch.tokens.flatten(0, 1)).float()
    image = image.unflatten(0, (GROUPS, PICTURES))
    drawn = torch.cat([image[:, :VARIANTS], image[:, -1:]], 1)
    inventory_error = (inventory(drawn) - batch.facts).square().sum(-1).mean() / len(KINDS)
    image, text = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
    scale = model.logit_scale.exp()
    across = scale * image[:, :VARIANTS].flatten(0, 1) @ text.T
    equal = torch.tensor([[one == other for other in batch.meanings] for one in batch.meanings])
    across = across.masked_fill(equal & ~torch.eye(len(equal), dtype=torch.bool), -torch.inf)
    own = torch.arange(len(across))
    contrast = (F.cross_entropy(across, own) + F.cross_entropy(across.T, own)) / 2
    within = scale * torch.einsum("gpd,gd->gp", image, text.unflatten(0, (GROUPS, VARIANTS))[:, 0])
    first = F.cross_entropy(within, torch.zeros(GROUPS, dtype=torch.long))
    return torch.stack([contrast, first, inventory_error])
