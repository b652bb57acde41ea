"""Trains the demo's CLIP, open_clip's own model at toy size, to judge the scenes.

Batches are groups: one caption with several pictures of it, right, wrong and malformed, some through the codec. The
losses: contrast between captions, contrast against altered captions of the same picture, order within a group by the
    checker's score,
and an inventory: a linear head, thrown away afterwards, must read from the image embedding what the checker found and
where. That head's dense signal is what makes a few thousand steps enough.
"""

import json
import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, islice, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from . import dreams, text_encoder, train_vae
from .captions import Scene, reword
from .flaws import altered, draw_flawed, wrong_objects
from .scenes import Verdict, draw_training, picture, place, render, verify
from .shapes import COLORS, SHAPES, SIZE
from .training import DEVICE, Average, Clock, learning_rate, mixed_precision, optimizers, save, to_tensor, update
from .vae import Decoder, PatchCode

log = logging.getLogger("noise_search.demo")
WEIGHTS = Path(__file__).parent / "weights" / "noise_search_tiny_clip"
CONFIG = {
    "model_cfg": {
        "embed_dim": 128,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 24, "head_width": 64},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 3},
    },
    "preprocess_cfg": {
        # The empty canvas is zero, so that a patch without anything says nothing.
        "mean": [0.93, 0.93, 0.9],
        "std": [0.3, 0.3, 0.3],
        "interpolation": "bicubic",
        "resize_mode": "squash",
        "size": [64, 64],
    },
}
GROUPS, PICTURES, ALTERED = 24, 6, 3
DREAM_GROUPS = 12
CALIBRATION_BATCHES = 8
MAX_TINT, GRAIN = 0.015, 0.004
LEARNING_RATE, MUON_LEARNING_RATE, AVERAGE_DECAY, SEED = 2e-3, 0.012, 0.99, 51
LOGIT_SCALE = 30.0
TOKEN_SEED, TOKEN_SCALE = 2603, 0.3
# Through the codec, with noise on the latents up to this much: the decoder's style must be no cue.
CODEC_SHARE, MAX_LATENT_NOISE = 0.2, 0.35
# How much each loss counts: contrast, altered captions, right picture first, order by score, inventory.
LOSS_WEIGHTS = (1.0, 0.5, 1.0, 1.0, 3.0)
KINDS = {(color, shape): index for index, (color, shape) in enumerate(product(COLORS, SHAPES))}
FACTS = 3 * len(KINDS) + 1
TESTS = 20


class Groups(NamedTuple):
    """One batch: pictures `(groups, pictures, 3, 64, 64)` with the checker's scores `(groups, pictures)`, the first one
    right; what it found `(groups * pictures, FACTS)`; token ids `(groups, 1 + altered, tokens)`, the first ones the
    captions'; and the meanings, to know equals by."""

    images: Tensor
    scores: Tensor
    facts: Tensor
    tokens: Tensor
    meanings: list[str]


def build(config: dict[str, Any] = CONFIG, seed: int = SEED) -> CLIP:
    """The untrained model with its frozen token table."""
    torch.manual_seed(seed)
    model = CLIP(**config["model_cfg"])
    width, vocabulary = config["model_cfg"]["text_cfg"]["width"], config["model_cfg"]["text_cfg"]["vocab_size"]
    model.token_embedding.weight = nn.Parameter(_token_table(vocabulary, width).float(), requires_grad=False)
    with torch.no_grad():
        model.logit_scale.fill_(np.log(LOGIT_SCALE))
    return model


def run(minutes: float, folder: Path, compiled: bool = True) -> None:
    model = build().to(DEVICE)
    inventory = nn.Linear(CONFIG["model_cfg"]["embed_dim"], FACTS).to(DEVICE)
    path = folder / "clip.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["average"])
        inventory.load_state_dict(state["inventory"])
    trained = [value for name, value in model.named_parameters() if value.ndim == 2 and "resblocks" in name]
    both = nn.ModuleList([model, inventory])
    made = optimizers(both, trained, LEARNING_RATE, MUON_LEARNING_RATE)
    average = Average(model, AVERAGE_DECAY)
    encode_image = torch.compile(model.visual) if compiled else model.visual
    data = groups(folder, SEED)
    clock, tests_done = Clock(minutes), 0
    running = torch.zeros(len(LOSS_WEIGHTS))
    for step in count():
        losses = _losses(model, encode_image, inventory, next(data))
        update(
            both, losses @ torch.tensor(LOSS_WEIGHTS, device=DEVICE), made, learning_rate(step, clock.share(), flat=0.3)
        )
        with torch.no_grad():
            model.logit_scale.clamp_(max=np.log(100))
        average.update(model)
        running.lerp_(losses.detach().cpu(), max(0.03, 1 / (step + 1)))
        if clock.share() * TESTS >= tests_done + 1:
            tests_done += 1
            log.info(
                "%4.0f s, step %d: contrast %.2f, altered %.2f, right %.2f, order %.3f, inventory %.3f",
                clock.elapsed(),
                step + 1,
                *running,
            )
            save({"average": average.weights, "inventory": inventory.state_dict()}, path)
        if clock.share() >= 1:
            return


def export(folder: Path) -> Path:
    """Writes the folder that `open_clip.create_model("local-dir:...")` loads."""
    model = build()
    model.load_state_dict(torch.load(folder / "clip.pt", weights_only=True)["average"])
    calibrate(model, groups(folder, SEED + 1))
    return write(model, CONFIG, WEIGHTS)


def write(model: CLIP, config: dict[str, Any], folder: Path) -> Path:
    """The folder of a trained model, in half precision."""
    weights = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    weights["token_embedding.weight"] = _token_table(*weights["token_embedding.weight"].shape)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    path = folder / "open_clip_pytorch_model.bin"
    save(weights, path)
    return path


@torch.no_grad()
def calibrate(model: CLIP, data: Iterator[Any]) -> None:
    """Sets the statistics of the batch norms to those of the averaged weights, which no training step has used."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    for batch in islice(data, CALIBRATION_BATCHES):
        model.visual(normalized(unsettled(batch.images.flatten(0, 1))))
    model.eval()


def groups(folder: Path, seed: int) -> Iterator[Groups]:
    """Endless batches from training meanings; a part of the groups from dreams, if there are any."""
    decoder, code = train_vae.load(folder)
    rng = random.Random(seed)
    dreamt = None
    while True:
        if dreamt is None and (stored := dreams.load(folder)):
            dreamt = stored.endless(rng)
        pairs = [next(dreamt) for _ in range(DREAM_GROUPS)] if dreamt else []
        scenes = [draw_training(rng) for _ in range(GROUPS - len(pairs))]
        images = to_tensor([image for scene in scenes for image in _pictures(scene, rng)]).clamp(0, 1)
        images = _through_codec(images, decoder, code)
        if pairs:
            right = _through_codec(to_tensor([picture(scene, rng) for scene, _ in pairs]), decoder, code, share=0.8)
            drawn = to_tensor([image for _, images_of_one in pairs for image in images_of_one])
            shown = torch.cat([right[:, None], drawn.unflatten(0, (len(pairs), -1))], 1).flatten(0, 1)
            images, scenes = torch.cat([images, shown]), scenes + [scene for scene, _ in pairs]
        shown = images.permute(0, 2, 3, 1).numpy()
        verdicts = [verify(image, scenes[index // PICTURES]) for index, image in enumerate(shown)]
        scores = torch.tensor([verdict.score for verdict in verdicts])
        captions = [text for scene in scenes for text in (scene.caption, *_altered_captions(scene, rng))]
        yield Groups(
            images.view(GROUPS, PICTURES, *images.shape[1:]),
            scores.view(GROUPS, PICTURES),
            _facts(verdicts),
            tokenize(captions).view(GROUPS, 1 + ALTERED, -1),
            [scene.meaning() for scene in scenes],
        )


def tokenize(captions: list[str]) -> Tensor:
    """open_clip's token ids without the padding that every caption of the scenes has, `(n, 25)`."""
    batch = torch.zeros((len(captions), text_encoder.TOKENS), dtype=torch.long)
    for row, caption in zip(batch, captions, strict=True):
        ids = text_encoder.tokenize(caption)[: text_encoder.TOKENS]
        row[: len(ids)] = torch.tensor(ids)
    return batch


def encode_text(model: CLIP, tokens: Tensor) -> Tensor:
    """What `CLIP.encode_text` returns, for shorter rows: attention is causal, so the padding after the end changes
    nothing.
    """
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return x[torch.arange(len(x)), tokens.argmax(-1)] @ model.text_projection


def _pictures(scene: Scene, rng: random.Random) -> list[np.ndarray]:
    """A right picture first, then a malformed, two wrong, a wrong and malformed, and a second right or malformed
    one.
    """
    last = picture(scene, rng) if rng.random() < 0.4 else draw_flawed(place(scene, rng), rng)
    return [
        picture(scene, rng),
        draw_flawed(place(scene, rng), rng),
        render(wrong_objects(scene, rng)),
        render(wrong_objects(scene, rng)),
        draw_flawed(wrong_objects(scene, rng), rng),
        last,
    ]


def _altered_captions(scene: Scene, rng: random.Random) -> list[str]:
    return [reword(altered(scene, rng), rng).caption for _ in range(ALTERED)]


@torch.no_grad()
def _through_codec(images: Tensor, decoder: Decoder, code: PatchCode, share: float = CODEC_SHARE) -> Tensor:
    """Sends some pictures, right and wrong alike, to latents and back."""
    chosen = torch.rand(len(images)) < share
    latents = code.encode(images[chosen])
    latents += torch.randn_like(latents) * MAX_LATENT_NOISE * torch.rand(len(latents), 1, 1, 1)
    with mixed_precision():
        images[chosen] = decoder.to(DEVICE).decode(latents.to(DEVICE)).cpu()
    return images


def _facts(verdicts: list[Verdict]) -> Tensor:
    """Per picture: how many of each kind the checker found well-formed, where they are (sums of x and y, each -1 to 1,
    zero for absent kinds), and how many regions are malformed, `(n, FACTS)`."""
    facts = torch.zeros(len(verdicts), FACTS)
    for row, verdict in zip(facts, verdicts, strict=True):
        for found in verdict.detections:
            if found.well_formed:
                kind = KINDS[found.color, found.shape]
                row[kind] += 1
                row[kind + len(KINDS)] += 2 * found.x / SIZE - 1
                row[kind + 2 * len(KINDS)] += 2 * found.y / SIZE - 1
            else:
                row[-1] += 1
    return facts


def _losses(model: CLIP, encode_image: nn.Module, inventory: nn.Module, batch: Groups) -> Tensor:
    """Contrast, altered captions, right picture first, order by score, inventory, `(5,)`."""
    with ExitStack() as stack:
        # torch's fused CPU attention is slow in bfloat16.
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(mixed_precision())
        pixels = normalized(unsettled(batch.images.flatten(0, 1)).to(DEVICE))
        image = encode_image(pixels).float()
        text = encode_text(model, batch.tokens.flatten(0, 1).to(DEVICE)).float().view(GROUPS, 1 + ALTERED, -1)
    inventory_error = (inventory(image) - batch.facts.to(DEVICE)).square().sum(-1).mean() / len(KINDS)
    image, text = F.normalize(image.view(GROUPS, PICTURES, -1), dim=-1), F.normalize(text, dim=-1)
    scale, scores = model.logit_scale.exp(), batch.scores.to(DEVICE)
    right = torch.zeros(GROUPS, dtype=torch.long, device=DEVICE)
    across = scale * image[:, 0] @ text[:, 0].T
    equal = torch.tensor([[one == other for other in batch.meanings] for one in batch.meanings], device=DEVICE)
    across = across.masked_fill(equal & ~torch.eye(GROUPS, dtype=torch.bool, device=DEVICE), -torch.inf)
    own = torch.arange(GROUPS, device=DEVICE)
    contrast = (F.cross_entropy(across, own) + F.cross_entropy(across.T, own)) / 2
    against_altered = F.cross_entropy(scale * torch.einsum("gd,gtd->gt", image[:, 0], text), right)
    within = scale * torch.einsum("gpd,gd->gp", image, text[:, 0])
    wrong = (scores < 1) | (torch.arange(PICTURES, device=DEVICE) == 0)
    first = F.cross_entropy(within.masked_fill(~wrong, -torch.inf), right)
    return torch.stack([contrast, against_altered, first, _order(within, scores), inventory_error])


def unsettled(images: Tensor) -> Tensor:
    """Pictures with a slight tint and grain. Without them the exact canvas color, or one step of rounding, becomes a
    cue.
    """
    tint = (torch.rand(len(images), 3, 1, 1) - 0.5) * 2 * MAX_TINT
    return images + tint + torch.randn_like(images) * GRAIN


def normalized(images: Tensor) -> Tensor:
    mean, std = (torch.tensor(CONFIG["preprocess_cfg"][name], device=images.device) for name in ("mean", "std"))
    return (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def _order(logits: Tensor, scores: Tensor) -> Tensor:
    """Logistic loss of every pair in a group that the checker orders, weighted by how far apart it puts them."""
    gap = scores[:, :, None] - scores[:, None, :]
    weight = gap.clamp(min=0)
    return (weight * F.softplus(-(logits[:, :, None] - logits[:, None, :]))).sum() / weight.sum().clamp(min=1e-6)


def _token_table(vocabulary: int, width: int) -> Tensor:
    """Frozen random rows that overlap in memory, so that the table costs one row of numbers in a torch file."""
    generator = torch.Generator().manual_seed(TOKEN_SEED)
    numbers = (torch.randn(vocabulary + width, generator=generator) * TOKEN_SCALE).half()
    return numbers.as_strided((vocabulary, width), (1, 1))
