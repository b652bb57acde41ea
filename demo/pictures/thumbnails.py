"""The template browser's thumbnails: what each example gives, run on the tiny models, in one look."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from ..client import Client, Result
from ..examples import CAPTIONS, LORA
from . import graphs as g
from .sheet import Tile, thumbnail
from .studio import Graph, keep

MOST = 30_000  # bytes


def swap(client: Client) -> tuple[str, list[Tile]]:
    own, best = own_and_best(client, g.drop_in(seed=4, pictures=8))
    return "Swap the KSampler, keep the best of 8", [(own, "your seed"), (best, "best of 8")]


def click(client: Client) -> tuple[str, list[Tile]]:
    graph = {**g.seeds(4, seed=4), "all": g.preview(["decode", 0])}
    pictures = of(client, ran(client, graph), "all")
    return "Four seeds at once, click one", [
        (picture, f"#{place + 1}" if place else "your seed") for place, picture in enumerate(pictures)
    ]


def hand(client: Client) -> tuple[str, list[Tile]]:
    graph = {
        **g.picture(),
        **g.search(
            "RefineSearch",
            image=["picture", 0],
            mask=["picture", 1],
            size=64,
            context=2.5,
            depth=0.6,
            seed=9,
            pictures=24,
        ),
        "before": g.preview(["picture", 0]),
    }
    graph["positive"]["inputs"]["text"] = CAPTIONS[0]
    result = ran(client, graph)
    before = of(client, result, "before")[0].convert("RGB")
    ImageDraw.Draw(before).rectangle((94, 92, 123, 121), outline="#e0218a")
    return "Fix this hand: search inside a mask", [(before, "mask it"), (of(client, result, "winners")[0], "fixed")]


def night(client: Client) -> tuple[str, list[Tile]]:
    tiles = [(best_of(client, g.drop_in(seed=3, pictures=8), caption), shortened(caption)) for caption in CAPTIONS]
    return "A night's list of prompts, winners saved", tiles


def seed_list(client: Client) -> tuple[str, list[Tile]]:
    return "Best of N, after detailer and hires fix", sorted_tiles(client)


def strengths(client: Client) -> tuple[str, list[Tile]]:
    tiles = []
    for strength in (0.0, 0.5, 1.0):
        graph = {
            **g.seeds(4),
            "lora": g.node("LoraLoaderModelOnly", model=["checkpoint", 0], lora_name=LORA, strength_model=strength),
            "all": g.preview(["decode", 0]),
        }
        graph["sampler"]["inputs"]["model"] = ["lora", 0]
        tiles += [
            (picture, f"LoRA {strength:g}" if not place else "")
            for place, picture in enumerate(of(client, ran(client, graph), "all"))
        ]
    return "The same noises, three LoRA strengths", tiles


def prompts_by_seeds(client: Client) -> tuple[str, list[Tile]]:
    tiles = []
    for caption, label in zip(CAPTIONS, ("circle", "triangles", "cross")):
        graph = {**g.seeds(4, seed=42), "all": g.preview(["decode", 0])}
        graph["positive"]["inputs"]["text"] = caption
        tiles += [
            (picture, "" if place else label) for place, picture in enumerate(of(client, ran(client, graph), "all"))
        ]
    return "Prompts by seeds on one sheet", tiles


def stages(client: Client) -> tuple[str, list[Tile]]:
    graph = {
        **g.search("DraftSearch", pictures=12, seed=6),
        "own": g.preview(["first", g.IMAGE]),
        "first": g.node("RandomSearch", sampling=["setup", 0], seed=6, pictures=1),
    }
    start = {"sampling": ["setup", 0], "verifier": ["verifier", 0]}
    graph |= {
        "local": g.node("LocalSearch", **start, noise=["search", g.NOISE], seed=8, pictures=12),
        "refine": g.node("RefineSearch", **start, latent=["local", 0], seed=9, pictures=8, depth=0.4),
        "second": g.preview(["local", g.IMAGE]),
        "third": g.preview(["refine", g.IMAGE]),
    }
    result = ran(client, graph)
    named = {"own": "your seed", "winners": "1 drafts", "second": "2 local", "third": "3 refined"}
    return "Drafts, local search, refining", [(of(client, result, name)[0], text) for name, text in named.items()]


def video(client: Client) -> tuple[str, list[Tile]]:
    graph = {**g.seeds(3, seed=21), "all": g.preview(["decode", 0])}
    graph["sampler"]["inputs"]["steps"] = 3
    drafts = [(picture, f"draft {place}") for place, picture in enumerate(of(client, ran(client, graph), "all"), 1)]
    full = best_of(client, g.search("RandomSearch", seed=21, pictures=3), g.CAPTION)
    return "Video: drafts first, the best in full", [*drafts, (full, "in full")]


def ensemble(client: Client) -> tuple[str, list[Tile]]:
    return "Two judges together pick four of 16", sorted_tiles(client, seed=31)


def climbing(client: Client) -> tuple[str, list[Tile]]:
    own, best = own_and_best(client, g.search("ZeroOrderSearch", seed=5, pictures=24))
    return "Climb from a good noise to a better one", [(own, "your seed"), (best, "best")]


def stock(client: Client) -> tuple[str, list[Tile]]:
    return "With ComfyUI's own sampler nodes", sorted_tiles(client, seed=41)


MAKERS: dict[str, Callable[[Client], tuple[str, list[Tile]]]] = {
    "01_Swap_your_KSampler_and_click_the_best": click,
    "02_Swap_your_KSampler_and_let_a_judge_choose": swap,
    "03_Fix_this_hand_inside_a_mask": hand,
    "06_Flux_list_of_prompts_over_night": night,
    "09_Seed_list_through_any_workflow": seed_list,
    "10_LoRA_strengths_by_seeds": strengths,
    "08_Three_searches_in_a_row": stages,
    "04_Video_drafts_and_the_best_in_full": video,
    "07_Two_judges_together": ensemble,
    "05_Flux_climb_to_a_better_noise": climbing,
    "11_With_SamplerCustomAdvanced": stock,
    "12_Prompts_by_seeds_on_one_sheet": prompts_by_seeds,
}


def made_by(maker: Callable) -> Callable[[Client, Path], None]:
    def make(client: Client, path: Path) -> None:
        sheet = thumbnail(*maker(client))
        data = io.BytesIO()
        sheet.save(data, "PNG")
        keep(data.getvalue(), path.with_name(f"{path.name}.jpg"), MOST)

    return make


THUMBNAILS = {name: made_by(maker) for name, maker in MAKERS.items()}


def ran(client: Client, graph: Graph) -> Result:
    prompt = {
        name: {
            "class_type": entry["class_type"],
            "inputs": {**defaults(client, entry["class_type"]), **entry["inputs"]},
        }
        for name, entry in graph.items()
    }
    result = client.run(prompt)
    if not result.ok:
        raise RuntimeError(result.error)
    return result


def defaults(client: Client, kind: str) -> dict[str, Any]:
    """What the page would put into a node's widgets."""
    found = {}
    for name, entry in client.json(f"/object_info/{kind}")[kind]["input"].get("required", {}).items():
        options = entry[1] if len(entry) > 1 else {}
        listed = entry[0] if isinstance(entry[0], list) else options.get("options")
        if "default" in options or listed:
            found[name] = options.get("default", listed and listed[0])
    return found


def of(client: Client, result: Result, name: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(client.image(entry))).convert("RGB") for entry in result.outputs[name]["images"]]


def best_of(client: Client, graph: Graph, caption: str) -> Image.Image:
    graph = json.loads(json.dumps(graph))
    graph["positive"]["inputs"]["text"] = caption
    return of(client, ran(client, graph), "winners")[0]


def own_and_best(client: Client, graph: Graph) -> tuple[Image.Image, Image.Image]:
    alone = json.loads(json.dumps(graph))
    alone["search"] |= {
        "class_type": "RandomSearch" if "sampling" in graph["search"]["inputs"] else graph["search"]["class_type"]
    }
    alone["search"]["inputs"]["pictures"] = 1
    return of(client, ran(client, alone), "winners")[0], of(client, ran(client, graph), "winners")[0]


def sorted_tiles(client: Client, seed: int = 5) -> list[Tile]:
    graph = g.scored(seed=seed)
    return list(zip(of(client, ran(client, graph), "preview"), ("1st", "2nd", "3rd", "4th")))


def shortened(caption: str) -> str:
    return caption if len(caption) < 24 else caption[:22].rsplit(" ", 1)[0] + " …"
