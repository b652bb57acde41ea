"""Writes the locale files that ComfyUI reads: the English ones from the nodes' own schemas, the others from those and
the tables in js/languages.

python -m demo.locales    asks a ComfyUI on the tiny models for the schemas, writes locales/, and says what the tables
                          lack, and what they have in vain
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from . import languages
from .client import Client
from .server import NAME, PACK, Server, prepare

FOLDER = PACK / "locales"
SYNTAX = frozenset("{}@|")  # what the frontend's translations read as more than text: such texts stay with the schema
TYPES = {
    "NOISE_SEARCH_SAMPLING": "sampling setup",
    "NOISE_SEARCH_VERIFIER": "verifier",
    "NOISE_SEARCH_TRACE": "search trace",
}
COMMANDS = {  # js/search_its_noise.js
    "noise_search_search_its_noise": {"label": "Search its noise"},
    "noise_search_search_workflow": {"label": "Search the noise of this workflow"},
}


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="noise-search-locales-") as base,
        Server(os.environ["COMFYUI_PATH"], prepare(Path(base))) as server,
    ):
        english = locale_of(server.client())
    for name, texts in files_of(english).items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(written(texts), encoding="utf-8")
    for line in languages.reports(languages.texts_in(english)):
        print(line)


def files_of(english: dict[str, Any]) -> dict[str, Any]:
    """What lies in locales/, by its name there."""
    of = {"en": english, **{code: languages.translated(english, table) for code, table in languages.tables().items()}}
    return {f"{code}/{name}.json": texts for code, files in of.items() for name, texts in files.items()}


def locale_of(client: Client) -> dict[str, dict[str, Any]]:
    """What each English locale file holds, by its name, for the nodes of a running server."""
    nodes = {
        name: schema
        for name, schema in client.json("/object_info").items()
        if schema["python_module"].endswith(f".{NAME}")
    }
    categories = {schema["category"]: schema["category"] for schema in nodes.values()}
    return {
        "main": {"dataTypes": TYPES, "nodeCategories": categories},
        "nodeDefs": {name: node_of(nodes[name]) for name in sorted(nodes)},
        "commands": COMMANDS,
    }


def node_of(schema: dict[str, Any]) -> dict[str, Any]:
    """The texts of one node as the frontend looks them up: inputs by their names, outputs by their places."""
    shown = {**schema["input"].get("required", {}), **schema["input"].get("optional", {})}
    inputs = {name: entry[1] if len(entry) > 1 else {} for name, entry in shown.items()}
    tooltips = schema.get("output_tooltips") or [None] * len(schema["output_name"])
    return plain({
        "display_name": schema["display_name"],
        "description": schema["description"],
        "inputs": {name: {"name": options.get("display_name") or name, "tooltip": options.get("tooltip")}
                   for name, options in inputs.items()},
        "outputs": {str(place): {"name": name, "tooltip": tooltip}
                    for place, (name, tooltip) in enumerate(zip(schema["output_name"], tooltips))},
    })  # fmt: skip


def plain(texts: dict[str, Any]) -> dict[str, Any]:
    """Without texts that are missing, or that the frontend would read as more than text."""
    found = {key: plain(value) if isinstance(value, dict) else value for key, value in texts.items()}
    return {
        key: value for key, value in found.items() if value and not (isinstance(value, str) and SYNTAX & set(value))
    }


def written(texts: dict[str, Any]) -> str:
    return json.dumps(texts, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
