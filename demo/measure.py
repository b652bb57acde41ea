"""Measures the committed weights: `python -m demo.measure`, in the pack's folder; one JSON table on standard output.

Held-out captions, balanced over the families. Pass rates by the exact checker for one seed and for the best of several;
how well the demo's CLIP agrees with the checker, and what choosing by it gains. With --host also whether the real host
draws the same pictures (COMFYUI_PATH names its folder).
"""

import argparse
import json
import math
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from scipy.stats import spearmanr

from .captions import FAMILIES, Scene
from .export import NAMES, WEIGHTS
from .pipeline import CFG, STEPS, Pipeline, draw_noise
from .scenes import held_out, verify
from .training import mixed_precision

CLIP_FOLDER = WEIGHTS / "noise_search_tiny_clip"
BEST_OF = (1, 4, 16, 64)
CHUNK = 64
SUBSETS = 64


def rollouts(pipeline: Pipeline, scenes: list[Scene], seeds: list[int], cfg: float = CFG) -> np.ndarray:
    """A picture per scene and seed, `(scenes, seeds, 64, 64, 3)` in uint8 steps, as the host would save them."""
    noise = draw_noise(seeds)
    jobs = [(scene.caption, index) for scene in scenes for index in range(len(seeds))]
    drawn = []
    for start in range(0, len(jobs), CHUNK):
        captions, indices = zip(*jobs[start : start + CHUNK])
        with mixed_precision():
            drawn.append(pipeline(list(captions), noise[list(indices)], cfg=cfg))
    pictures = (np.concatenate(drawn) * 255).astype(np.uint8)
    return pictures.reshape(len(scenes), len(seeds), *pictures.shape[1:])


def judge(pictures: np.ndarray, scenes: list[Scene]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each picture passes, and its graded score, `(scenes, seeds)` each."""
    verdicts = [[verify(picture / 255, scene) for picture in row] for row, scene in zip(pictures, scenes, strict=True)]
    return (
        np.array([[one.passed for one in row] for row in verdicts]),
        np.array([[one.score for one in row] for row in verdicts]),
    )


def best_of(passed: np.ndarray, count: int) -> np.ndarray:
    """Chance per row that at least one of `count` different columns passes, over all choices of them."""
    columns = passed.shape[1]
    failed = columns - passed.sum(1)
    return np.array([1 - math.comb(int(number), count) / math.comb(columns, count) for number in failed])


@torch.inference_mode()
def clip_scores(pictures: np.ndarray, scenes: list[Scene], folder: Path = CLIP_FOLDER) -> np.ndarray:
    """100 * cosine of every picture and its caption, `(scenes, seeds)`."""
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    rows = [
        scores_by(model, preprocess, tokenizer, row, scene.caption) for row, scene in zip(pictures, scenes, strict=True)
    ]
    return np.stack(rows)


@torch.inference_mode()
def scores_by(model: Any, preprocess: Any, tokenizer: Any, pictures: np.ndarray, caption: str) -> np.ndarray:
    """100 * cosine of pictures `(n, 64, 64, 3)` in 0..255 and one caption by an open_clip model, `(n,)`."""
    mean, std = (torch.tensor(getattr(preprocess.transforms[-1], name)).view(3, 1, 1) for name in ("mean", "std"))
    pixels = (torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255 - mean) / std
    text = model.encode_text(tokenizer([caption]), normalize=True)[0]
    return (100 * model.encode_image(pixels, normalize=True) @ text).numpy()


def agreement(clip: np.ndarray, scores: np.ndarray) -> float:
    """Mean rank correlation within a caption, over the captions whose pictures differ in score."""
    return float(
        np.mean([spearmanr(one, other).statistic for one, other in zip(clip, scores, strict=True) if np.ptp(other) > 0])
    )


def chosen_by(clip: np.ndarray, passed: np.ndarray, count: int) -> np.ndarray:
    """Pass rate per caption of the picture with the highest score among `count`, over random choices of them."""
    rng = np.random.default_rng(0)
    subsets = np.stack([rng.choice(passed.shape[1], count, replace=False) for _ in range(SUBSETS)])
    winners = np.take_along_axis(subsets, clip[:, subsets].argmax(-1).T, 1).T
    return np.take_along_axis(passed, winners, 1).mean(1)


def report(size: str, captions: int, seeds: int, cfg: float, pictures_path: Path | None) -> dict[str, object]:
    scenes = held_out(count=captions, seed=0)
    pictures = rollouts(Pipeline(WEIGHTS / NAMES[size]), scenes, list(range(seeds)), cfg)
    passed, scores = judge(pictures, scenes)
    if pictures_path:
        np.savez(pictures_path, pictures=pictures, passed=passed, scores=scores)
    counts = [count for count in BEST_OF if count <= seeds]
    table: dict[str, object] = {
        "captions": captions,
        "seeds": seeds,
        "cfg": cfg,
        "steps": STEPS,
        "score": scores.mean(),
        "best_of": {count: best_of(passed, count).mean() for count in counts},
        "families": {
            name: {count: best_of(rows, count).mean() for count in counts}
            for name, rows in _by_family(passed, scenes).items()
        },
    }
    if CLIP_FOLDER.exists():
        clip = clip_scores(pictures, scenes)
        table["clip"] = {
            "spearman": agreement(clip, scores),
            "best_of": {count: chosen_by(clip, passed, count).mean() for count in counts},
            "spearman_by_family": {
                name: agreement(rows[0], rows[1])
                for name, rows in _by_family(np.stack([clip, scores], 1), scenes, axis=1).items()
            },
        }
    return table


@torch.inference_mode()
def host_difference(size: str, captions: int = 4) -> float:
    """Mean absolute difference in [0, 1] between the host's own KSampler and the plain pipeline, same captions and
    seeds.
    """
    load, encode, latent, sampler, decode = _host_nodes(WEIGHTS / NAMES[size])
    model, clip, codec = load()
    pipeline = Pipeline(WEIGHTS / NAMES[size])
    differences = []
    for seed, scene in enumerate(held_out(count=captions, seed=1)):
        conditions = [encode(clip, text)[0] for text in (scene.caption, "")]
        latents = sampler(model, seed, STEPS, CFG, "euler", "simple", *conditions, latent(64, 64)[0])[0]
        drawn = decode(codec, latents)[0][0].numpy()
        differences.append(np.abs(drawn - pipeline([scene.caption], draw_noise([seed]))[0]).mean())
    return float(np.mean(differences))


def _host_nodes(path: Path):
    """The stock nodes' functions, from the host that COMFYUI_PATH names."""
    folder = os.environ.get("COMFYUI_PATH")
    if not folder:
        raise ValueError("COMFYUI_PATH must name a ComfyUI folder, got nothing")
    sys.path.insert(0, folder)
    from comfy.cli_args import args

    args.cpu = not torch.cuda.is_available()
    import folder_paths

    import nodes

    folder_paths.add_model_folder_path("checkpoints", str(path.parent))
    return (
        lambda: nodes.CheckpointLoaderSimple().load_checkpoint(path.name),
        nodes.CLIPTextEncode().encode,
        nodes.EmptyLatentImage().generate,
        nodes.KSampler().sample,
        nodes.VAEDecode().decode,
    )


def _by_family(rows: np.ndarray, scenes: list[Scene], axis: int = 0) -> dict[str, np.ndarray]:
    """Rows of each family; with axis 1, each row's leading part first."""
    groups = defaultdict(list)
    for row, scene in zip(rows, scenes, strict=True):
        groups[scene.family].append(row)
    return {name: np.stack(groups[name], axis) for name in FAMILIES if name in groups}


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {name: _rounded(entry) for name, entry in value.items()}
    return float(f"{value:.3g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=tuple(NAMES), default="base")
    parser.add_argument("--captions", type=int, default=52)
    parser.add_argument("--seeds", type=int, default=64)
    parser.add_argument("--cfg", type=float, default=CFG)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--host", action="store_true", help="compare with the real host too")
    parser.add_argument("--keep", type=Path, help="also keep the pictures and verdicts in this .npz file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = report(options.size, options.captions, options.seeds, options.cfg, options.keep)
    if options.host:
        table["host_difference"] = host_difference(options.size)
    print(json.dumps(_rounded(table), indent=1))


if __name__ == "__main__":
    main()
