"""A search in the real host whose every part can be made to fail at a chosen moment, and what it leaves behind."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch

PICTURES = 6
KSAMPLER = {"steps": 3, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
KNOBS = {
    "ZeroOrderSearch": {"preset": "adaptive", "neighbors": 2, "similarity": 0.95},
    "LocalSearch": {"preset": "local", "neighbors": 2, "centers": 0, "similarity": 0.95},
    "DraftSearch": {"draft_steps": 1, "keep_share": 0.5},
    "PathSearch": {"paths": 1, "width": 0, "start": 0.11, "forward": 0.5, "backward": 0.9},
    "SteeredSearch": {"preset": "best known", "particles": 0},
    "RefineSearch": {"children": 2, "depth": 0.7},
}
KINDS = ("RandomSearch", "AutoSearch", *KNOBS)


def brightness(images: torch.Tensor) -> torch.Tensor:
    return images.flatten(1).mean(1, keepdim=True).float()


@dataclass
class Trouble:
    """What happens at a point of the search instead of what should.

    Args:
        point: "step", "decode", "preview", "shown" (pictures, to a verifier), "measure", "held out", "combine" or
            "compare".
        do: Takes what the part would give, and for how many pictures; gives something else, or raises.
        after: How many calls at that point are left alone before.
        times: How many calls then are disturbed.
    """

    point: str
    do: Callable
    after: int = 0
    times: int = 1_000_000


class Toy:
    """Judges by the mean pixel."""

    modules, columns = (), ("brightness",)

    def __init__(self, lab: Lab, point: str, card):
        self.lab, self.point, self.card = lab, point, card

    def measure(self, images, prompt):
        values = brightness(images)
        self.lab.at("shown", images, images)
        return self.lab.at(self.point, values, images)

    def combine(self, pool):
        return self.lab.at("combine", pool[:, 0], pool) if self.point == "measure" else pool[:, 0]

    def compare(self, images_a, images_b, prompt, question=""):
        return self.lab.at("compare", (brightness(images_a) > brightness(images_b)).float()[:, 0], images_a)

    def count_tokens(self, prompt):
        return None

    def key(self):
        return self.point


class Vae:
    """The tiny VAE, by way of the lab."""

    def __init__(self, lab: Lab, point: str, real):
        self.lab, self.point, self.real = lab, point, real

    def decode(self, latents):
        return self.lab.at(self.point, self.real.decode(latents), latents)


class Noise:
    """A NOISE of another pack."""

    seed = 3

    def __init__(self, draw: Callable):
        self.draw = draw

    def generate_noise(self, latent):
        return self.draw(latent["samples"].shape)


def raising(shape):
    raise RuntimeError("the noise is gone")


@dataclass
class Found:
    """What a run came to: `error` is "" if it ran to its end."""

    error: str
    text: str = ""
    score: float = 0.0
    recipe: str = ""
    latent: torch.Tensor = field(default_factory=lambda: torch.zeros(0))

    def same_as(self, other: Found) -> bool:
        """Whether it is the same result; batches of other sizes differ in the last bits."""
        return (
            self.recipe == other.recipe
            and abs(self.score - other.score) < 1e-5
            and self.latent.shape == other.latent.shape
            and torch.allclose(self.latent, other.latent, atol=1e-4)
        )


class Lab:
    """One search after the other, with or without trouble."""

    def __init__(self, host):
        self.host, self.toys = host, host.toys
        self.trouble: Trouble | None = None
        self.workflow = ""
        self.calls: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()  # pictures that the calls were for
        card, wrap = host.part("verifiers.base").Card, host.part("nodes.host.judges.host_verifier").HostVerifier
        self.model = host.toys.model("sd3").clone()
        step = lambda found: self.at("step", found["denoised"], found["denoised"])  # noqa: E731
        step.noise_search_by_row = True
        self.model.set_model_sampler_post_cfg_function(step)
        vae = host.toys.vae(16)
        judges = {
            name: wrap(Toy(self, point, card(name, "0 to 1", 0.1, prompt=False)))
            for name, point in (("toy judge", "measure"), ("second judge", "held out"), ("other judge", "other"))
        }
        ensemble = host.part("verifiers.ensemble").Ensemble([judges["other judge"], judges["toy judge"]])
        final = host.part("nodes.host.judges.vlm").PairwiseFinal(
            judges["toy judge"], judges["second judge"], 3, "Which is better?"
        )
        reading = wrap(Toy(self, "other", card("reading judge", "0 to 1", 0.1, prompt=True)))
        self.values = {
            "model": self.model,
            "vae": Vae(self, "decode", vae),
            "preview": Vae(self, "preview", vae),
            "judge": judges["toy judge"],
            "held out": judges["second judge"],
            "ensemble": ensemble,
            "final": final,
            "reading": reading,
            "raising noise": Noise(raising),
            "NaN noise": Noise(lambda shape: torch.full(shape, float("nan"))),
            "no noise": Noise(torch.zeros),
        }
        # the host takes the model's name for this file's
        self.model_file = host.base / "models" / "checkpoints" / "lab model"

    def key(self) -> str:
        """What is made does not depend on what it counts."""
        return "lab"

    def at(self, point: str, value, given):
        """A part was given `given` and has this value for it: what it goes on with."""
        trouble, number = self.trouble, self.calls[point]
        self.calls[point] += 1
        self.rows[point] += len(given)
        if trouble is None or trouble.point != point or not trouble.after <= number < trouble.after + trouble.times:
            return value
        return trouble.do(value, len(given))

    def graph(
        self, kind: str = "RandomSearch", *, batch: int = 2, judge: str = "judge", seed: int = 5, **inputs
    ) -> dict:
        """A setup "s" and a search "2" behind it; what is connected is of the lab."""
        values = {f"v {name}": {"class_type": "ToyPart", "inputs": {"name": f"lab {name}"}} for name in self.values}
        links = {
            "model": ["v model", 0],
            "positive": ["1", 1],
            "negative": ["1", 2],
            "latent_image": ["1", 3],
            "vae": ["v vae", 0],
        }
        search = {
            "sampling": ["s", 0],
            "verifier": [f"v {judge}", 0],
            "seed": seed,
            "pictures": PICTURES,
            "minutes": 0.0,
            "keep": 1,
        }
        wanted = {**search, **KNOBS.get(kind, {}), **inputs}
        return {
            **values,
            "1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
            "s": {"class_type": "SamplingSetup", "inputs": {**links, **KSAMPLER, "batch_size": batch}},
            "2": {"class_type": kind, "inputs": {key: value for key, value in wanted.items() if value is not None}},
            **{f"k {name}": {"class_type": "ToyKeep", "inputs": {"value": ["2", slot], "name": name}}
               for name, slot in (("latent", 0), ("score", 3), ("recipe", 5))},
        }  # fmt: skip

    def run(self, graph: dict, workflow: str = "lab", on_event=None) -> Found:
        self.workflow = workflow
        self.calls.clear()
        self.rows.clear()
        self.toys.VALUES.update({f"lab {name}": value for name, value in self.values.items()})
        result = self.host.run(graph, workflow={"id": workflow}, on_event=on_event)
        if not result.ok:
            return Found(result.error)
        kept = SimpleNamespace(**{name: value[0] for name, value in result.kept.items()})
        return Found("", result.outputs["2"]["text"][0], kept.score, kept.recipe, kept.latent["samples"])

    @contextmanager
    def troubled(self, trouble: Trouble | None):
        self.trouble = trouble
        try:
            yield
        finally:
            self.trouble = None

    @property
    def paid(self) -> tuple[float, int]:
        """Pictures that the last run sampled and had judged."""
        return round(self.rows["step"] / KSAMPLER["steps"], 2), self.rows["measure"]

    def panel(self, node: str = "2"):
        """The search of a node of the last run as its page sees it; None where there is none."""
        shown = self.host.part("nodes.host.page.searches").runs_in_place("tests", self.workflow)
        return next((live for live in reversed(shown) if live.node == node), None)

    def leftovers(self) -> list[str]:
        """Objects of searches that are over but still in memory, and marks on the model."""
        kinds = {
            self.host.part("nodes.host.engine.job").SearchJob,
            self.host.part("nodes.host.engine.rollout").Rollout,
            self.host.part("nodes.host.engine.walker").Walker,
            self.host.part("nodes.host.setup.particles").Particles,
        }
        gc.collect()
        return sorted(type(thing).__name__ for thing in gc.get_objects() if type(thing) in kinds)

    def marks(self) -> dict:
        """All that could be left on the model: hooks, patches, wrappers, callbacks, and what is wrong in the host's own
        list.
        """
        import comfy.model_management as memory

        names = (
            "patches",
            "object_patches",
            "wrappers",
            "callbacks",
            "injections",
            "hook_patches",
            "hook_backup",
            "backup",
            "object_patches_backup",
            "attachments",
            "additional_models",
            "is_injected",
        )
        found = {name: _plain(getattr(self.model, name, None)) for name in names}
        found["options"] = _plain(self.model.model_options)
        found["dead models in the host's list"] = sum(entry.model is None for entry in memory.current_loaded_models)
        found["current patcher"] = self.model.model.current_patcher is None
        found["interrupted"] = bool(memory.processing_interrupted())
        found["threads of torch"] = torch.get_num_threads()
        return found


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, bool) else type(value).__name__
