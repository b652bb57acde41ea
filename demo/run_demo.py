"""Searches noise for held-out captions in a real ComfyUI with the tiny model: a table, and the pictures side by
side.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw

from .comparison import WAYS, compare
from .scenes import held_out
from .server import PACK, Server, prepare

OUTPUT = PACK / "demo" / "output"
TITLES = {"own_seed": "own seed", "random": "random search", "zero_order": "zero-order search"}
ZOOM, GAP, LABEL = 3, 12, 18


def main() -> int:
    options = parsed()
    scenes = held_out(count=options.captions, seed=options.seed)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    rows, strips = [], []
    with tempfile.TemporaryDirectory(prefix="noise-search-demo-") as base:
        say("starting ComfyUI")
        with Server(os.environ["COMFYUI_PATH"], prepare(Path(base)), cpu=not options.gpu) as server:
            client = server.client()
            for number, scene in enumerate(scenes, 1):
                row, shown = compare(client, scene, options.pictures)
                rows.append(row)
                strips.append(strip(row, shown))
                strips[-1].save(OUTPUT / f"{number:02}.png")
                left = (time.monotonic() - started) / number * (len(scenes) - number)
                say(f"{number} of {len(scenes)}, {left:.0f} s left: {line(row)}")
    (OUTPUT / "results.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    stacked(strips).save(OUTPUT / "side_by_side.png")
    print("\n" + table(rows, options.pictures))
    print(
        f"\n{time.monotonic() - started:.0f} s. Pictures: {OUTPUT / 'side_by_side.png'}  Figures:"
        f" {OUTPUT / 'results.json'}"
    )
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py demo", description=__doc__)
    parser.add_argument("--captions", type=int, default=16, help="held-out captions (default 16)")
    parser.add_argument("--pictures", type=int, default=16, help="pictures per search (default 16)")
    parser.add_argument("--gpu", action="store_true", help="with the graphics card; else with the processor")
    parser.add_argument("--seed", type=int, default=0, help="which captions are drawn (default 0)")
    return parser.parse_args()


def line(row: dict) -> str:
    found = ", ".join(f"{TITLES[way]} {row[way]['score']:.1f} {mark(row[way])}" for way in WAYS)
    return f"{row['prompt']}: {found}"


def mark(outcome: dict) -> str:
    return "ok" if outcome["passed"] else "--"


def table(rows: list[dict], pictures: int) -> str:
    """Per caption the score and the exact check of each way, then totals; plain text."""
    width = max(len(row["prompt"]) for row in rows)
    head = f"{'prompt':{width}}" + "".join(f" | {TITLES[way]:^27}" for way in WAYS)
    under = f"{'':{width}}" + " | score  check   NFE  seconds " * len(WAYS)
    lines = [head, under, "-" * len(head)]
    for row in rows:
        cells = (row[way] for way in WAYS)
        lines.append(
            f"{row['prompt']:{width}}"
            + "".join(
                f" | {cell['score']:5.1f}   {mark(cell):3} {cell['nfe']:7} {cell['seconds']:7.1f} " for cell in cells
            )
        )
    lines.append("-" * len(head))
    count = len(rows)
    lines.append(
        f"{'mean score, passed':{width}}"
        + "".join(
            f" | {sum(row[way]['score'] for row in rows) / count:5.1f}   {sum(row[way]['passed'] for row in rows)} of"
            f" {count}".ljust(30)
            for way in WAYS
        )
    )
    lines.append(
        f"Score: the tiny CLIP, which the searches saw. Check: exact, which they did not. {pictures} pictures per"
        " search."
    )
    return "\n".join(lines)


def strip(row: dict, shown: dict[str, Image.Image]) -> Image.Image:
    """One caption's pictures beside each other, with scores."""
    side = next(iter(shown.values())).width * ZOOM
    sheet = Image.new("RGB", (len(WAYS) * (side + GAP) + GAP, side + 2 * LABEL + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 2), row["prompt"], fill="black")
    for column, way in enumerate(WAYS):
        left = GAP + column * (side + GAP)
        sheet.paste(shown[way].resize((side, side), Image.Resampling.NEAREST), (left, LABEL))
        colour = "darkgreen" if row[way]["passed"] else "firebrick"
        draw.text((left, LABEL + side + 2), f"{TITLES[way]}  {row[way]['score']:.1f}  {mark(row[way])}", fill=colour)
    return sheet


def stacked(strips: list[Image.Image], columns: int = 2) -> Image.Image:
    width, height = strips[0].size
    rows = -(-len(strips) // columns)
    sheet = Image.new("RGB", (width * columns, height * rows), "white")
    for index, one in enumerate(strips):
        sheet.paste(one, (index % columns * width, index // columns * height))
    return sheet


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
