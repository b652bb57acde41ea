"""What saved workflows need of the nodes' schemas: written to a file at a release, and compared with it ever after."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
# combos whose options are the host's own, or files
OTHERS = {"sampler_name", "scheduler", "upscale_method", "verifier", "encoder", "model"}
GROWS = "COMFY_AUTOGROW_V3"
CONTROL = ": control after generate"  # a widget that the frontend puts behind that input
KEPT = ("default", "control_after_generate", "forceInput")  # of an input's settings


def schema_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """What matters of one node's entry in the host's object_info."""
    entries = [
        (name, entry, group == "required")
        for group in ("required", "optional")
        for name, entry in info["input"].get(group, {}).items()
    ]
    lists = info.get("output_is_list") or [False] * len(info["output"])
    return {
        "display_name": info["display_name"],
        "inputs": {name: _input(name, entry, required) for name, entry, required in entries},
        "outputs": [
            {"name": name, "type": f"list of {kind}" if listed else kind}
            for name, kind, listed in zip(info["output_name"], info["output"], lists, strict=True)
        ],
    }


def _input(name: str, entry: list[Any], required: bool) -> dict[str, Any]:
    kind, settings = entry[0], entry[1] if len(entry) > 1 else {}
    kind = settings.get("widgetType", kind)  # a widget that other types may be connected to
    kind, options = ("COMBO", kind) if isinstance(kind, list) else (kind, settings.get("options"))
    found = {"type": kind, "required": required, **{key: settings[key] for key in KEPT if key in settings}}
    if kind == "COMBO" and name not in OTHERS:
        found["options"] = options
    if kind == GROWS:
        template = settings["template"]
        ((inner, (inner_kind, *_)),) = template["input"]["required"].items()
        found["type"] = f"{GROWS} of {template['prefix']}: {inner} {inner_kind}"
        found |= {} if template.get("min") else {"default": None}  # it may stay empty
    return found


def written(schemas: Mapping[str, Any]) -> str:
    """As JSON with a line for each input and output, so that changes are easy to see."""
    nodes: list[str] = []
    for name in sorted(schemas):
        schema = schemas[name]
        inputs = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in schema["inputs"].items()]
        outputs = [f"    {json.dumps(value)}" for value in schema["outputs"]]
        head = f' {json.dumps(name)}: {{\n  "display_name": {json.dumps(schema["display_name"])},\n'
        nodes.append(f'{head}  "inputs": {_lines("{}", inputs)},\n  "outputs": {_lines("[]", outputs)}\n }}')
    return "{\n" + ",\n".join(nodes) + "\n}\n"


def _lines(brackets: str, lines: list[str]) -> str:
    return brackets[0] + "\n" + ",\n".join(lines) + "\n  " + brackets[1] if lines else brackets


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What of the new schemas breaks workflows that were saved with the old ones, a sentence each."""
    found: list[str] = []
    for node in old:
        if node not in new:
            found.append(f"{node}: the node is gone; workflows that have it do not load")
            continue
        found += [f"{node}: {text}" for text in _breaks_of_node(old[node], new[node])]
    return found


def _breaks_of_node(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, was in old["inputs"].items():
        now = new["inputs"].get(name)
        if now is None:
            yield f"input {name} is gone or renamed; its link or value in saved workflows is lost"
            continue
        if now["type"] != was["type"]:
            yield f"input {name} was {was['type']} and is {now['type']}; saved links and values do not fit"
        gone = [option for option in was.get("options", ()) if option not in now.get("options", (option,))]
        if gone:
            yield f"input {name} has no option {' or '.join(map(repr, gone))} any more; workflows with it are refused"
        if now["required"] and not was["required"] and "default" not in now:
            yield f"input {name} was optional and is required; workflows without it are refused"
    for name, now in new["inputs"].items():
        if name not in old["inputs"] and now["required"] and "default" not in now:
            yield f"new input {name} is required and has no default; every saved workflow lacks it and is refused"
    before, after = widgets(old), widgets(new)
    # one that is gone was told of above
    before = [widget for widget in before if widget in after or widget.endswith(CONTROL)]
    if after[: len(before)] != before:
        yield f"widgets were {before} and are {after}; values are saved by place, new widgets must come last"
    for place, was in enumerate(old["outputs"]):
        if place >= len(new["outputs"]):
            yield f"output {place} ({was['name']}) is gone; saved links from it are lost"
        elif new["outputs"][place] != was:
            now = new["outputs"][place]
            yield (
                f"output {place} was {was['name']} ({was['type']}) and is {now['name']} ({now['type']});"
                " links are saved by place and would carry something else"
            )


def widgets(schema: Mapping[str, Any]) -> list[str]:
    """What has a value in a saved workflow, in its order there."""
    found: list[str] = []
    for name, entry in schema["inputs"].items():
        if entry["type"] in WIDGETS and not entry.get("forceInput"):
            found += [name, name + CONTROL] if entry.get("control_after_generate") else [name]
    return found
