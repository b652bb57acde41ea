"""What judging through the node costs: pictures per second of the host's verifier against the bare open_clip model,
batches of 1 and 16.

Both sides hold the same weights and start from the same IMAGE batch and prompt, in one process, in turns. The bare side
is what a script would do: to 8 bits, open_clip's own transform, both encoders, the cosine. Shown with the preparing of
pictures on both sides, and with pictures that are prepared already on both. On the CPU, CPU time is measured, which
other processes do not slow down.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from demo.examples import VERIFIER

from .overhead import start_host
from .results import write

PROMPT = "a red circle and a blue square"
BATCHES = (1, 16)
LEAST_SECONDS = 0.2  # of one measurement: as many calls as that takes
LEAST_RATIO = 0.95
PICTURE_SIDES = {VERIFIER: 32, "ViT-B-32": 512}


class Side:
    """One model on both sides.

    Args:
        judge: The host's verifier, around a CLIP score.
        transform: open_clip's own, from a PIL picture to the network's input.
        batch: IMAGE, `(n, h, w, 3)`.
    """

    def __init__(self, judge, transform: Callable, batch: torch.Tensor):
        self.model, self.transform, self.batch = judge.verifier.model, transform, batch
        self.judge, self.ready = judge, self.prepared()
        prepared = dataclasses.replace(self.model, pixels=lambda images: self.ready)
        self.unprepared = type(judge)(type(judge.verifier)(prepared))

    def prepared(self) -> torch.Tensor:
        bytes_of = (self.batch.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
        return torch.stack([self.transform(Image.fromarray(picture)) for picture in bytes_of])

    def bare(self, pixels: torch.Tensor) -> torch.Tensor:
        module = self.model.module
        weight = next(module.parameters())
        images = module.encode_image(pixels.to(weight), normalize=True)
        text = module.encode_text(self.model.tokenizer([PROMPT]).to(weight.device), normalize=True)
        return (100 * images @ text.T).cpu()

    def calls(self) -> dict[str, tuple[Callable, Callable]]:
        """What is compared: (through the node, bare)."""
        return {
            "with_preparing": (lambda: self.judge.measure(self.batch, PROMPT), lambda: self.bare(self.prepared())),
            "network_only": (lambda: self.unprepared.measure(self.batch, PROMPT), lambda: self.bare(self.ready)),
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench verifiers", description=__doc__)
    parser.add_argument("--rounds", type=int, help="15, or 5 with --quick")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="noise-search-bench-") as base:
        host = start_host(Path(base))
        figures = host.call(lambda: compare(host, options.rounds or (5 if options.quick else 15)))
    path = write("verifiers" + ("_quick" if options.quick else ""), figures)
    print(report(figures))
    print(f"Figures: {path}")
    return 0


def compare(host, rounds: int) -> dict:
    device = host.part("nodes.host.judges.host_verifier").memory.get_torch_device()
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    rows = []
    for name, width in PICTURE_SIDES.items():
        judge, transform = opened(host, name)
        for size in BATCHES:
            for what, calls in Side(judge, transform, pictures(size, width)).calls().items():
                rows.append({"model": name, "batch": size, "what": what, **against(*calls, size, rounds, clock)})
                print(report({"rows": rows[-1:]}), flush=True)
    worst = min(row["ratio"] for row in rows if row["what"] == "with_preparing")
    return {
        "device": str(device),
        "clock": clock.__name__,
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "picture_sides": PICTURE_SIDES,
        "least_ratio": worst,
        "reached": worst >= LEAST_RATIO,
        "rows": rows,
    }


def opened(host, name: str):
    """The host's verifier of a bundled file, or of a real architecture with random weights, and open_clip's own
    transform for it.
    """
    import open_clip

    if name == VERIFIER:
        files = host.part("nodes.host.judges.model_files")
        folder = files.find_model(name)
        return files.open_verifier(name, "auto"), open_clip.create_model_and_transforms(f"local-dir:{folder}")[2]
    torch.manual_seed(0)
    module, _, transform = open_clip.create_model_and_transforms(name, pretrained=None)
    module.eval().requires_grad_(False)
    pixels = host.part("verifiers.images").Pixels((224, 224))
    model = host.part("verifiers.clip_model").ClipModel(name, module, open_clip.get_tokenizer(name), pixels)
    score = host.part("verifiers.clip_score").ClipScore(model)
    return host.part("nodes.host.judges.host_verifier").HostVerifier(score), transform


def pictures(count: int, side: int) -> torch.Tensor:
    """Smooth colours, `(n, side, side, 3)`."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear").movedim(1, -1).contiguous()


def against(ours: Callable, bare: Callable, size: int, rounds: int, clock: Callable[[], float]) -> dict:
    """Pictures per second of both, and the ratio of each round: median, quartiles, extremes."""
    apart = float((ours() - bare()).abs().max())
    calls = calls_for(bare, clock)
    speeds = {ours: [], bare: []}
    for turn in range(rounds):
        for side in (ours, bare) if turn % 2 else (bare, ours):
            began = clock()
            for _ in range(calls):
                side()
            speeds[side].append(calls * size / (clock() - began))
    ratios = [through / alone for through, alone in zip(speeds[ours], speeds[bare])]
    low, high = np.quantile(ratios, [0.25, 0.75])
    return {
        "pictures_per_second": round(statistics.median(speeds[ours]), 2),
        "bare": round(statistics.median(speeds[bare]), 2),
        "ratio": round(statistics.median(ratios), 4),
        "quartiles": [round(float(low), 4), round(float(high), 4)],
        "extremes": [round(min(ratios), 4), round(max(ratios), 4)],
        "largest_difference": apart,
    }


def calls_for(side: Callable, clock: Callable[[], float]) -> int:
    began, calls = clock(), 0
    while clock() - began < LEAST_SECONDS:
        side()
        calls += 1
    return calls


def report(figures: dict) -> str:
    lines = [
        f"{row['model']:24} batch {row['batch']:2}  {row['what']:14}  {row['pictures_per_second']:8.1f} per second,"
        f" bare {row['bare']:8.1f}, ratio {row['ratio']:.3f} ({row['quartiles'][0]:.3f} to {row['quartiles'][1]:.3f}),"
        f" values apart {row['largest_difference']:.1g}"
        for row in figures["rows"]
    ]
    if "least_ratio" in figures:
        lines.append(f"least ratio {figures['least_ratio']:.3f}, wanted {LEAST_RATIO}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
