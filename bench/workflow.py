"""What a benchmark searches with: an API-format workflow whose search node is swapped for others and whose positive
text is set anew.

The rule for a workflow of one's own: it holds one NoiseSearch node, or one search node, or one sampling setup; one
verifier, connected to that search node or the only one there is; and one CLIPTextEncode upstream of the positive input,
whose text the prompts replace.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from demo.comparison import SAMPLING
from demo.examples import CHECKPOINT, SIDE, VERIFIER

SETUPS = ("SamplingSetup", "SamplingSetupCustom")
VERIFIERS = ("LoadVerifier", "EnsembleVerifier", "VerifierSettings", "VLMVerifier", "ReferenceVerifier")
KSAMPLER = (
    "model",
    "positive",
    "negative",
    "latent_image",
    "vae",
    "steps",
    "cfg",
    "sampler_name",
    "scheduler",
    "denoise",
)
BESIDE = ("sharpness",)  # what judges beside the tiny CLIP in the ensemble; needs no model
DRAWN, ACCEPTING = "noise_search_tiny_clip_drawn", "noise_search_tiny_clip_counts"  # see demo.train_drawn_clip
TEXT_FILE = "noise_search_tiny_short.pt"  # in models/text_encoders of a benchmark's server
Link = list  # [node id, output slot]


class WorkflowError(ValueError):
    """The workflow is none that can be searched."""


@dataclass(frozen=True)
class Workflow:
    """An API prompt's nodes, and which of them matter.

    Args:
        nodes: Without any search node.
        sampling: Link to the sampling setup.
        verifiers: By name, links to what judges: "searched" always, "held out" where there is one, others that an
            algorithm may name.
        texts: Ids of the nodes whose `text` is the prompt.
    """

    nodes: Mapping[str, dict]
    sampling: Link
    verifiers: Mapping[str, Link]
    texts: tuple[str, ...]

    def digest(self) -> str:
        """Of all that decides which random pictures there are and how they score."""
        kept = {name: self.nodes[name] for name in _upstream(self.nodes, [self.sampling[0], self.link()[0]])}
        body = json.dumps([kept, self.sampling], sort_keys=True)
        return hashlib.blake2b(body.encode(), digest_size=6).hexdigest()

    def link(self, name: str = "searched") -> Link:
        """What search nodes take as their verifier. A held-out one is in it: it measures every picture and weighs
        nothing.
        """
        return ["bench_both", 0] if name == "searched" and "held out" in self.verifiers else self.verifiers[name]

    def prompt(self, text: str, searches: Mapping[str, dict]) -> dict:
        """An API prompt that runs all `searches` (id -> class_type and inputs) for one text, each with its pictures and
        its report.
        """
        nodes = copy.deepcopy(dict(self.nodes))
        for node in self.texts:
            nodes[node]["inputs"]["text"] = text
        for name, search in searches.items():
            inputs = {"sampling": self.sampling, **search["inputs"]}
            nodes[name] = {"class_type": search["class_type"], "inputs": inputs}
            nodes[f"{name}_show"] = {"class_type": "PreviewImage", "inputs": {"images": [name, 1]}}
            saved = {"trace": [name, 6], "top_k": 1, "filename_prefix": f"bench/{name}", "save": True}
            nodes[f"{name}_report"] = {"class_type": "SearchReport", "inputs": saved}
        return nodes


def bundled(
    checkpoint: str = CHECKPOINT, steps: int = SAMPLING["steps"], verifier: str = VERIFIER, accept: str = ""
) -> Workflow:
    """The tiny model, its text encoder with a shorter table of positions (see `short_text_encoder`), and a CLIP as
    verifier; another one as "accept" where it is named.
    """
    sources = {
        "model": ["model", 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent_image": ["latent", 0],
    }
    setup = {**sources, "vae": ["model", 2], **SAMPLING, "steps": steps, "batch_size": 16}
    nodes = {
        "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "clip": {"class_type": "CLIPLoader", "inputs": {"clip_name": TEXT_FILE, "type": "sd3"}},
        "positive": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": ""}},
        "negative": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": ""}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": 1}},
        "verifier": {"class_type": "LoadVerifier", "inputs": {"verifier": verifier, "device": "auto"}},
        "setup": {"class_type": "SamplingSetup", "inputs": setup},
    }  # fmt: skip
    links = {"searched": ["verifier", 0]}
    for name, node in other_verifiers(links["searched"]).items():
        nodes[f"bench_{name}"], links[name] = node, [f"bench_{name}", 0]
    if accept:
        nodes["bench_accept"] = {"class_type": "LoadVerifier", "inputs": {"verifier": accept, "device": "auto"}}
        links["accept"] = ["bench_accept", 0]
    return Workflow(nodes, ["setup", 0], links, ("positive",))


def other_verifiers(searched: Link) -> dict[str, dict]:
    """What else can judge the tiny model's pictures, and the ensemble of the searched verifier with `BESIDE`."""
    beside = {name: {"class_type": "LoadVerifier", "inputs": {"verifier": name, "device": "auto"}} for name in BESIDE}
    together = ensemble([searched, *([f"bench_{name}", 0] for name in BESIDE)], "z-score", "")
    settled = {
        "class_type": "SelfSupervisedVerifier",
        "inputs": {"encoder": VERIFIER, "noise_level": 0.4, "device": "auto"},
    }
    return {**beside, "ensemble": together, "self-supervised": settled}


def ensemble(links: Sequence[Link], combination: str, weights: str) -> dict:
    inputs = {f"verifiers.verifier{place}": link for place, link in enumerate(links)}
    return {"class_type": "EnsembleVerifier", "inputs": {**inputs, "combination": combination, "weights": weights}}


def short_text_encoder(checkpoint: Path, target: Path, rows: int) -> None:
    """Writes the text encoder of the tiny checkpoint with its first `rows` positions: the denoiser then reads so many
    tokens, not 77.

    The tiny model's late padding tokens are all the same, so fewer of them say the same, and the sampling is faster.
    """
    import torch

    prefix, table = "text_encoders.clip_l.transformer.", "text_model.embeddings.position_embedding.weight"
    weights = torch.load(checkpoint, weights_only=True)
    encoder = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    encoder[table] = encoder[table][:rows].clone()
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(encoder, target)


def from_file(path: Path, held_out: str = "") -> Workflow:
    """Reads a workflow of one's own, in API format ("Export (API)" in the host's menu).

    Args:
        held_out: Entry of Load Verifier that measures every picture but chooses none.

    Raises:
        WorkflowError: It says which part is missing or there twice.
    """
    nodes = _read(path)
    searches = _of(nodes, _is_judged_search)
    if len(searches) > 1:
        raise WorkflowError(f"the workflow must hold at most one search node, got {_named(nodes, searches)}")
    search = searches[0] if searches else None
    verifier = nodes[search]["inputs"]["verifier"] if search else _only(nodes, _last_verifiers(nodes), "verifier")
    sampling, source = _sampling(nodes, search)
    texts = (_positive_text(nodes, source),)
    verifiers = {"searched": verifier}
    if held_out:
        nodes["bench_held_out"] = {"class_type": "LoadVerifier", "inputs": {"verifier": held_out, "device": "auto"}}
        verifiers["held out"] = ["bench_held_out", 0]
        nodes["bench_both"] = ensemble(list(verifiers.values()), "weighted sum", "1, 0")
    kept = Workflow(nodes, sampling, verifiers, texts)
    return replace(kept, nodes={name: nodes[name] for name in _upstream(nodes, [sampling[0], kept.link()[0]])})


def read_prompts(path: Path) -> list[str]:
    """One prompt per line; empty lines and lines that begin with # are left out."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    prompts = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not prompts:
        raise WorkflowError(f"{path.name} must hold at least one prompt, got none")
    return prompts


def _is_judged_search(node: dict) -> bool:
    return "verifier" in node["inputs"] and ("sampling" in node["inputs"] or node["class_type"] == "NoiseSearch")


def _read(path: Path) -> dict[str, dict]:
    try:
        nodes = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WorkflowError(f"{path.name} must be JSON: {error}") from error
    if isinstance(nodes, dict) and isinstance(nodes.get("prompt"), dict):
        nodes = nodes["prompt"]
    if (
        not isinstance(nodes, dict)
        or not nodes
        or not all(isinstance(node, dict) and "class_type" in node for node in nodes.values())
    ):
        raise WorkflowError(f"{path.name} must be in API format (Workflow > Export (API) in ComfyUI), got another one")
    return {
        name: {"class_type": node["class_type"], "inputs": dict(node.get("inputs", {}))} for name, node in nodes.items()
    }


def _sampling(nodes: dict[str, dict], search: str | None) -> tuple[Link, str]:
    """Link to the sampling setup, and the node whose positive input counts; a NoiseSearch's own is made into a
    setup.
    """
    if search and nodes[search]["class_type"] == "NoiseSearch":
        inputs = {name: nodes[search]["inputs"][name] for name in KSAMPLER if name in nodes[search]["inputs"]}
        if missing := [name for name in KSAMPLER if name not in inputs]:
            raise WorkflowError(f"NoiseSearch must have {', '.join(missing)} connected or set, got none")
        nodes["bench_setup"] = {"class_type": "SamplingSetup", "inputs": {**inputs, "batch_size": 0}}
        return ["bench_setup", 0], "bench_setup"
    if search:
        link = nodes[search]["inputs"]["sampling"]
        return link, link[0]
    setup = _only(nodes, _of(nodes, lambda node: node["class_type"] in SETUPS), "sampling setup (or NoiseSearch node)")
    return setup, setup[0]


def _positive_text(nodes: dict[str, dict], source: str) -> str:
    """The one CLIPTextEncode upstream of the positive input, or of anything but a negative one where there is none of
    that name.
    """
    upstream = _upstream(nodes, [source])
    links = [(key, link[0]) for name in upstream for key, link in nodes[name]["inputs"].items() if _is_link(link)]
    starts = [name for key, name in links if key == "positive"] or [
        name for key, name in links if key == "conditioning"
    ]
    found = [
        name for name in _upstream(nodes, starts, without="negative") if nodes[name]["class_type"] == "CLIPTextEncode"
    ]
    if len(found) != 1:
        raise WorkflowError(
            f"there must be one CLIPTextEncode upstream of the positive input, got {_named(nodes, found)}"
        )
    return found[0]


def _last_verifiers(nodes: dict[str, dict]) -> list[str]:
    """Verifiers that no other verifier takes in."""
    verifiers = _of(nodes, lambda node: node["class_type"] in VERIFIERS)
    inner = {link[0] for name in verifiers for link in nodes[name]["inputs"].values() if _is_link(link)}
    return [name for name in verifiers if name not in inner]


def _only(nodes: dict[str, dict], found: Sequence[str], what: str) -> Link:
    if len(found) != 1:
        raise WorkflowError(f"the workflow must hold one {what}, got {_named(nodes, found)}")
    return [found[0], 0]


def _of(nodes: dict[str, dict], wanted: Callable[[dict], bool]) -> list[str]:
    return [name for name, node in nodes.items() if wanted(node)]


def _upstream(nodes: dict[str, dict], starts: Sequence[str], without: str = "") -> list[str]:
    """The nodes themselves and all that they are made of; not by way of inputs called `without`."""
    found, waiting = {}, list(starts)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if name not in nodes:
            raise WorkflowError(f"every link must lead to a node of the workflow, got one to {name}")
        found[name] = None
        waiting += [link[0] for key, link in nodes[name]["inputs"].items() if _is_link(link) and key != without]
    return list(found)


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def _named(nodes: dict[str, dict], names: Sequence[str]) -> str:
    return ", ".join(f"{nodes[name]['class_type']} ({name})" for name in names) or "none"
