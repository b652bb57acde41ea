"""What a search takes at real sizes: memory beside the stock nodes, disk, and processor time of its own.

Latents and pictures have their real sizes; the model halves its input, and the VAE behaves as one on a card does, so
that nothing but this pack and the host takes memory or time. Each case is a process of its own, with the host in it.
Memory and time are not measured in the same process: for memory, large tensors go back to the system at once.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .overhead import start_host
from .results import write

SIZES = {  # width, height, frames
    "1024²": (1024, 1024, 0),
    "2048²": (2048, 2048, 0),
    "480p": (832, 480, 81),
    "720p": (1280, 720, 81),
}
CLIP = "CLIP"  # one whose network sees the 224 x 224 pixels that real ones see
QUALITY, CHEAP = "technical quality", "clipping"
SAMPLING = {"steps": 2, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
# bytes, less than any latent has, from which on memory is the system's own, and goes back when it is free
LARGE = str(1 << 16)
LINES = 8  # that are told of each case
SPARE = 2  # clips beyond stock's peak, where memory is limited


@dataclass(frozen=True)
class Case:
    """One search, or the stock nodes, at one size.

    Args:
        size: One of `SIZES`.
        pictures: Pictures or clips.
        verifier: What judges; "" for nothing. "stock" for KSampler, VAEDecode and PreviewImage, one after the other.
        batch: As of the setup; 0 for what fits, of clips one.
        keep: Pictures that leave the search.
        channels: Of the latent: 16 as of Flux, Wan and most newer models, or 4 as of SDXL.
        different: Whether these are to differ.
        store: Whether what is sampled is kept on the disk.
        runs: How often it is timed; 0 to measure its memory.
        limited: Whether memory is limited to stock's peak and `SPARE` clips.
        quick: Whether the quick benchmark has it.
    """

    size: str
    pictures: int
    verifier: str = ""
    batch: int = 0
    keep: int = 1
    channels: int = 16
    different: bool = False
    store: bool = True
    runs: int = 0
    limited: bool = False
    quick: bool = False

    @property
    def name(self) -> str:
        parts = [self.size, "time" if self.runs else "memory", str(self.pictures), self.verifier or "no verifier"]
        parts += [f"batch {self.batch}"] * bool(self.batch) + [f"keep {self.keep}"] * (self.keep > 1)
        parts += [f"{self.channels} channels"] * (self.channels != 16)
        parts += ["different"] * self.different + ["store off"] * (not self.store) + ["limited"] * self.limited
        return ", ".join(parts)

    @property
    def picture_bytes(self) -> int:
        width, height, frames = SIZES[self.size]
        return 12 * width * height * (frames or 1)


# What is promised: of the case of that name, this figure is at most so much. "stock" is added where it says so.
GOALS = [
    ("720p, memory, 8, technical quality", "peak", "stock", 1.5),
    ("2048², memory, 16, technical quality, batch 16", "peak", "", 25),
    ("2048², memory, 16, CLIP, batch 16", "peak", "", 25),
    ("1024², memory, 300, clipping, batch 16, keep 64, 4 channels", "peak", "", 84),
]
ALIVE_BESIDE_KEPT = 0.1
LATENT, CLIP_LATENT = 1 / 12, 1 / 48  # of 16 channels, in pictures and clips: that of each winner leaves as well
OWN_MS = {"1024²": 25, "2048²": 60, "720p": 60}


def cases() -> list[Case]:
    found = []
    for size, few in (("1024²", 8), ("2048²", 4)):
        memory = Case(size, few, batch=4, quick=True)
        found += [replace(memory, verifier="stock", batch=0), memory, replace(memory, verifier=CHEAP, quick=False)]
        found += [Case(size, 16, judge, batch=16, quick=size == "2048²") for judge in (QUALITY, CLIP)]
        timed = Case(size, 2 * few, batch=4, runs=3, quick=True)
        found += [replace(timed, verifier=judge, quick=judge != CHEAP) for judge in ("stock", "", CHEAP, QUALITY, CLIP)]
        found += [replace(timed, verifier=QUALITY, store=False, quick=False)]
    found += [
        Case("1024²", 64, CHEAP, batch=4, keep=16),
        Case("1024²", 64, CHEAP, batch=4, keep=16, different=True),
        Case("1024²", 300, CHEAP, batch=16, keep=64),
        Case("1024²", 300, CHEAP, batch=16, keep=64, channels=4),
        Case("2048²", 16, CLIP, batch=4, keep=4, different=True),
    ]
    for size in ("480p", "720p"):
        found += [Case(size, 2, "stock", quick=size == "480p"), Case(size, 4)]
        found += [Case(size, 8, QUALITY, quick=size == "480p"), Case(size, 8, CLIP, keep=2)]
        found += [Case(size, 8, CLIP, keep=2, different=True)]
        timed = Case(size, 8, runs=3)
        found += [
            replace(timed, verifier="stock"),
            timed,
            replace(timed, verifier=QUALITY),
            replace(timed, verifier=CLIP, quick=size == "480p"),
        ]
        found += [replace(timed, store=False)]
    return [*found, Case("720p", 8, QUALITY, limited=True)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench sizes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(**json.loads(options.case))))
        return 0
    chosen = [case for case in cases() if options.only in case.name and (case.quick or not options.quick)]
    section = "sizes" + "_quick" * options.quick + "_part" * bool(options.only)
    figures: dict[str, Any] = {"machine": machine(), "cases": {}}
    for number, case in enumerate(chosen, 1):
        figures["cases"][case.name] = found = alone(case, figures["cases"])
        path = write(section, figures)
        print(f"{number} of {len(chosen)}: {said(case, found)}", flush=True)
    print("", *table(figures["cases"]), "", *goals(figures["cases"]), f"Figures: {path}", sep="\n")
    return 0


def machine() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "pillow", "transformers")}
    model = ""
    if sys.platform == "linux":
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else ""
    processor = f"{model or platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    host: dict[str, str] = {}
    exec((Path(os.environ["COMFYUI_PATH"]) / "comfyui_version.py").read_text("utf-8"), host)
    system = {"system": platform.platform(), "processor": processor, "python": platform.python_version()}
    return {**system, **versions, "ComfyUI": host["__version__"], "commit": commit}


def alone(case: Case, before: Mapping[str, dict]) -> dict[str, Any]:
    """The figures of a case, measured in a process of its own."""
    room = 0
    if case.limited:
        stock = before[Case(case.size, 2, "stock").name]
        room = round((stock["peak"] + SPARE) * case.picture_bytes)
    variables = {
        "NOISE_SEARCH_STORE": "4" if case.store else "off",
        **({} if case.runs else {"MALLOC_MMAP_THRESHOLD_": LARGE}),
    }
    given = json.dumps({"case": asdict(case), "room": room})
    command = [sys.executable, "-m", "bench.sizes", "--case", given]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
    if done.returncode:
        return {
            "error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
        }
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(case: dict[str, Any], room: int = 0) -> dict[str, Any]:
    """In the process that is for this case alone."""
    this = Case(**case)
    with tempfile.TemporaryDirectory(prefix="noise-search-bench-") as folder:
        base = Path(folder)
        host = start_host(base)
        bench = Bench(host, this)
        if this.runs:
            return bench.time()
        return {**bench.memory(room), **bench.disk(base)}


class Bench:
    """The host of this process, made ready for one case."""

    def __init__(self, host: Any, case: Case):
        import comfy.samplers
        import comfy.sd
        import torch

        import nodes

        from . import real_sizes
        from .watching import Stopwatch

        self.host, self.case, self.seen = host, case, real_sizes.SEEN
        self.watch, self.whole = Stopwatch(), Stopwatch()  # of the node, and of the prompt
        nodes.NODE_CLASS_MAPPINGS.update(real_sizes.NODES)
        for watch in (self.watch, self.whole):
            watch.theirs_in(comfy.samplers.CFGGuider, "sample")
            watch.theirs_in(comfy.sd.VAE, "decode")
            watch.theirs_in(real_sizes, "look")  # nobody's but the benchmark's
            torch.nn.modules.module.register_module_forward_pre_hook(watch.enter)
            torch.nn.modules.module.register_module_forward_hook(watch.leave, always_call=True)
        host._run = self.whole.ours(host._run)
        timed = nodes.NODE_CLASS_MAPPINGS["PreviewImage" if case.verifier == "stock" else "RandomSearch"]
        if case.verifier == "stock":
            timed.save_images = self.watch.ours(timed.save_images)
        else:
            timed.execute = classmethod(self.watch.ours(timed.execute.__func__))
        if case.verifier == CLIP:
            write_clip(host.base / "models" / "verifiers" / "bench_clip")
        width, height, _ = SIZES[case.size]
        real_sizes.grain(height, width)
        self.run(64, 64, min(SIZES[case.size][2], 5), 2, 0)  # what only a first run takes
        self.seen.clear()
        self.alive = real_sizes.alive

    def run(self, width: int, height: int, frames: int, pictures: int, seed: int) -> None:
        build = stock if self.case.verifier == "stock" else searched
        for number in range(pictures if self.case.verifier == "stock" else 1):
            prompt = build(self.case, (width, height, frames), pictures, seed * 1000 + number)
            result = self.host.run(prompt, keep_cache=True)
            if not result.ok:
                raise RuntimeError(result.error)

    def full(self, seed: int = 1) -> None:
        self.run(*SIZES[self.case.size], self.case.pictures, seed)

    def memory(self, room: int) -> dict[str, Any]:
        """In pictures or clips: the peak of resident memory over the start, and what is alive behind the search."""
        from .watching import Watch, give_back, limit_data

        give_back()
        before = self.alive()
        if room:
            limit_data(room)
        with Watch(self.watch) as watch:
            self.full()
        one, found = self.case.picture_bytes, {"limit": room / self.case.picture_bytes} if room else {}
        behind = self.seen[-1] if self.seen else {}
        start = {"alive": before, "collected": before, "resident": watch.start_bytes}
        found |= {f"behind_{name}": (behind[name] - start[name]) / one for name in start if behind}
        return {"peak": (watch.peak - watch.start_bytes) / one, "peak_at": watch.peak_at, **found}

    def disk(self, base: Path) -> dict[str, float]:
        """Bytes per candidate in the store and in the folder of temporary files."""
        return {
            f"{name}_bytes": sum(path.stat().st_size for path in (base / name).rglob("*") if path.is_file())
            / (self.case.pictures + 2 * (name == "user"))  # the first, small run left its thumbnails, and its latents
            for name in ("user", "temp")
        }

    def time(self) -> dict[str, Any]:
        """Milliseconds of our own per picture, of each run: of the sampling thread's processor, and by the clock with
        what it waits for; of the whole prompt, with what the host does around its nodes; and the lines of one more run.
        """
        from .watching import Watch

        found, clock, prompt = [], [], []
        for number in range(self.case.runs):
            self.watch.own[:] = self.whole.own[:] = 0.0
            self.full(number + 1)
            prompt.append(1000 * float(self.whole.own[0]) / self.case.pictures)
            for runs, seconds in zip((found, clock), self.watch.own.tolist()):
                runs.append(1000 * seconds / self.case.pictures)
        with Watch(self.watch) as watch:
            self.full(self.case.runs + 1)
        middle = statistics.median(found)
        lines = [(line, round(share * middle, 1)) for line, share in watch.shares(LINES)]
        return {
            "own_ms": middle,
            "own_ms_runs": found,
            "clock_ms": statistics.median(clock),
            "prompt_ms": statistics.median(prompt),
            "prompt_ms_runs": prompt,
            "lines_ms": lines,
        }


def source(case: Case, size: Sequence[int]) -> dict[str, dict]:
    sizes = {**dict(zip(("width", "height", "frames"), size)), "channels": case.channels}
    found = {"real": {"class_type": "RealSize", "inputs": sizes}}
    if case.verifier not in ("", "stock"):
        name = "bench_clip" if case.verifier == CLIP else case.verifier
        found["verifier"] = {"class_type": "LoadVerifier", "inputs": {"verifier": name, "device": "auto"}}
    return found


SOURCES = dict(zip(("model", "positive", "negative", "latent_image", "vae"), (["real", place] for place in range(5))))


def searched(case: Case, size: Sequence[int], pictures: int, seed: int) -> dict[str, dict]:
    judge = {"verifier": ["verifier", 0], "prompt": "a red circle"} if case.verifier else {}
    amount = {"pictures": pictures, "minutes": 0.0, "keep": min(case.keep, pictures), "keep_different": case.different}
    return {
        **source(case, size),
        "setup": {"class_type": "SamplingSetup", "inputs": {**SOURCES, **SAMPLING, "batch_size": case.batch}},
        "search": {"class_type": "RandomSearch", "inputs": {"sampling": ["setup", 0], "seed": seed, **amount, **judge}},
        "behind": {"class_type": "Behind", "inputs": {"images": ["search", 1]}},
    }


def stock(case: Case, size: Sequence[int], pictures: int, seed: int) -> dict[str, dict]:
    """One picture, shown; of a clip, which would be shown frame by frame, what is behind it sees all of it."""
    sources = {name: link for name, link in SOURCES.items() if name != "vae"}
    last = "Behind" if size[2] else "PreviewImage"
    return {
        **source(case, size),
        "sample": {"class_type": "KSampler", "inputs": {**sources, **SAMPLING, "seed": seed}},
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sample", 0], "vae": SOURCES["vae"]}},
        "last": {"class_type": last, "inputs": {"images": ["decode", 0]}},
    }


def write_clip(folder: Path) -> None:
    """A CLIP that sees as many pixels as real ones do, with a small network."""
    import open_clip
    from noise_search.tests.verifiers.tiny_clip import TINY, make_clip, write_folder

    vision = {**TINY["vision_cfg"], "image_size": 224, "patch_size": 32}
    config = {**TINY, "vision_cfg": vision}
    write_folder(folder, make_clip(open_clip, config).state_dict(), config)


def said(case: Case, found: Mapping[str, Any]) -> str:
    """A case and its figures in a line."""
    if "error" in found:
        return f"{case.name}: {found['error']}"
    if case.runs:
        runs = found["own_ms_runs"]
        return f"{case.name}: {found['own_ms']:.0f} ms a piece ({min(runs):.0f} to {max(runs):.0f})"
    behind = f", {found['behind_alive']:.2f} alive behind" if "behind_alive" in found else ""
    return f"{case.name}: peak {found['peak']:.2f}{behind}"


def table(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """All cases as the documentation has them: memory in pictures or clips, time and disk for each."""
    lines = ["| case | peak | alive behind | own ms | by the clock | store, temporary files, MB |", "|" + 6 * "---|"]
    for name, case in found.items():
        if "error" in case:
            lines.append(f"| {name} | {case['error']} | | | | |")
            continue
        runs = case.get("own_ms_runs", ())
        time = f"{case['own_ms']:.0f} ({min(runs):.0f} to {max(runs):.0f})" if runs else ""
        clock = f"{case['clock_ms']:.0f}" if "clock_ms" in case else ""
        peak = f"{case['peak']:.2f}" if "peak" in case else ""
        alive = f"{case['behind_alive']:.2f}" if "behind_alive" in case else ""
        disk = f"{case['user_bytes'] / 1e6:.2f}, {case['temp_bytes'] / 1e6:.2f}" if "user_bytes" in case else ""
        lines.append(f"| {name} | {peak} | {alive} | {time} | {clock} | {disk} |")
    return lines


def goals(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is promised of the cases that were measured, and whether it holds; first what does not."""
    told: list[tuple[bool, str]] = []
    for name, figure, beside, most in GOALS:
        stock_name = Case(name.split(", ")[0], 2, "stock").name
        if name in found and (not beside or stock_name in found):
            limit = most + (found[stock_name].get(figure, 0.0) if beside else 0.0)
            told.append(kept(name, found[name].get(figure), limit))
    for case in cases():
        measured = found.get(case.name)
        if measured and case.runs and case.verifier != "stock":
            told.append(kept(case.name, measured.get("own_ms"), OWN_MS.get(case.size)))
        elif measured and case.limited:
            told.append(("error" not in measured, f"{case.name}: {measured.get('error', 'a result')}"))
        elif measured and "behind_alive" in measured:
            latent = CLIP_LATENT if SIZES[case.size][2] else LATENT * case.channels / 16
            latents = (case.keep + 1) * latent  # and the one that came in
            out = case.keep + latents + ALIVE_BESIDE_KEPT
            told.append(kept(f"{case.name}, alive behind", measured["behind_alive"], out))
    return [("holds: " if holds else "MISSED: ") + line for holds, line in sorted(told)]


def kept(name: str, value: float | None, most: float | None) -> tuple[bool, str]:
    """Whether a figure is at most what is promised; where nothing is, it holds."""
    if value is None:
        return False, f"{name}: no figure"
    said = f"{name}: {value:.2f}" + ("" if most is None else f" of {most:.2f}")
    return most is None or value <= most, said


if __name__ == "__main__":
    sys.exit(main())
