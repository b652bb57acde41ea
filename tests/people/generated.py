"""Graphs of stock nodes by chance, and changes to them: what the identity of a setup must tell apart, and what it must
not.
"""

import copy
import random

# name: (class, its inputs as typed, changes of one of them)
PATCHES = {
    "shift": ("ModelSamplingSD3", {"shift": 3.0}, {"shift": [1.5, 5.0]}),
    "gain": ("GainPatch", {"gain": 1.0}, {"gain": [0.5, 0.9]}),
    "loader": (
        "PowerLoader",
        {"spec": {"lora": "style.safetensors", "on": True}, "name": "style.safetensors"},
        {"name": ["other.safetensors"]},
    ),
}
TEXTS = {
    "range": ("ConditioningSetTimestepRange", {"start": 0.0, "end": 0.5}, {"start": [0.25], "end": [1.0]}),
    "area": (
        "ConditioningSetAreaPercentage",
        {"width": 0.5, "height": 1.0, "x": 0.0, "y": 0.0, "strength": 1.0},
        {"width": [0.75], "x": [0.5], "strength": [0.3]},
    ),
}
LATENTS = {
    "up": ("LatentUpscaleBy", {"upscale_method": "nearest-exact", "scale_by": 1.25}, {"scale_by": [1.5]}),
    "flip": ("LatentFlip", {"flip_method": "x-axis: vertically"}, {"flip_method": ["y-axis: horizontally"]}),
}
SETTINGS = {
    "steps": [3, 4],
    "cfg": [2.0, 5.5],
    "sampler_name": ["heun", "euler_ancestral", "dpmpp_2m"],
    "scheduler": ["normal", "karras"],
    "denoise": [0.4, 0.6],
}
CHAINS = (("model", PATCHES, "model"), ("positive", TEXTS, "conditioning"), ("latent_image", LATENTS, "samples"))
NEUTRAL = {
    "pictures": 2,
    "minutes": 9.0,
    "patience": 3,
    "save_found": False,
    "keep_different": True,
    "prompt": "some text",
    "target": 50.0,
}


class Generated:
    """A graph of a KSampler and a search over the same inputs, by a number.

    "own" is the search, "stock" the KSampler; both sample one picture of one seed.
    """

    def __init__(self, number):
        self.chance = random.Random(number)
        self.graph = {
            "1": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}},
            "c": {"class_type": "ToyConditioning", "inputs": {"family": "sd3", "seed": 1 + number % 5, "batch": 1}},
            "l": {"class_type": "ToyValue", "inputs": {"name": "picture", "mark": "same"}},
        }
        self.ends = {"model": ["1", 0], "positive": ["c", 0], "negative": ["1", 2], "latent_image": ["l", 0]}
        for name, kinds, carrier in CHAINS:
            for kind in self.chance.sample(list(kinds), self.chance.randint(0, min(2, len(kinds)))):
                self.put(name, kind, kinds, carrier)
        self.settings = {
            "steps": 2,
            "cfg": 3.0,
            "sampler_name": "euler",
            "scheduler": "simple",
            "denoise": self.chance.choice([1.0, 0.5]),
        }

    def put(self, end, kind, kinds, carrier):
        name = f"{end}{len(self.graph)}"
        self.graph[name] = {
            "class_type": kinds[kind][0],
            "inputs": {carrier: self.ends[end], **copy.deepcopy(kinds[kind][1])},
        }
        self.ends[end] = [name, 0]

    def prompt(self, **search):
        sampled = {**self.ends, **self.settings, "seed": 5}
        own = {**sampled, "vae": ["1", 4], "pictures": 1, "minutes": 0.0, "keep": 1, "search": "random", **search}
        return {**copy.deepcopy(self.graph), "own": {"class_type": "NoiseSearch", "inputs": own},
                "stock": {"class_type": "KSampler", "inputs": sampled}}  # fmt: skip

    def change(self):
        """Changes one thing, whatever it may be; what was changed."""
        what = self.chance.choice(
            [self.setting, self.typed, self.typed, self.node, self.source, self.text, self.file, self.picture]
        )
        return what() or self.setting()

    def setting(self):
        name = self.chance.choice(list(SETTINGS))
        self.settings[name] = self.chance.choice([value for value in SETTINGS[name] if value != self.settings[name]])
        return f"{name} = {self.settings[name]}"

    def typed(self):
        """A widget of a node further up."""
        kinds = {kind[0]: kind[2] for _, group, _ in CHAINS for kind in group.values()}
        places = [(name, key) for name, entry in self.graph.items() for key in kinds.get(entry["class_type"], ())]
        if not places:
            return ""
        name, key = self.chance.choice(places)
        inputs = self.graph[name]["inputs"]
        inputs[key] = self.chance.choice(
            [value for value in kinds[self.graph[name]["class_type"]][key] if value != inputs[key]] or [inputs[key]]
        )
        return f"{name}.{key} = {inputs[key]}"

    def node(self):
        """One more node on the way."""
        end, kinds, carrier = self.chance.choice(CHAINS)
        kind = self.chance.choice([kind for kind in kinds if kind != "up"])  # larger and larger would only be slower
        self.put(end, kind, kinds, carrier)
        if kind == "gain":
            self.graph[self.ends[end][0]]["inputs"]["gain"] = 0.8
        return f"{kind} put before {end}"

    def source(self):
        """Another output of the same node, or another node, for the negative."""
        self.ends["negative"] = ["1", 1] if self.ends["negative"] == ["1", 2] else ["1", 2]
        return f"negative from {self.ends['negative']}"

    def text(self):
        self.graph["c"]["inputs"]["seed"] += 10
        return "another text"

    def file(self):
        """A LoRA that lies behind its name is another one now."""
        return "file" if any(entry["class_type"] == "PowerLoader" for entry in self.graph.values()) else ""

    def picture(self):
        return "picture"

    def neutral(self):
        """The same prompt with one thing changed that no latent depends on; what that is, and the prompt."""
        what = self.chance.choice(["knob", "names", "order", "beside", "titles", "judge"])
        if what == "knob":
            name = self.chance.choice(list(NEUTRAL))
            return f"{name} = {NEUTRAL[name]}", self.prompt(**{name: NEUTRAL[name]})
        prompt = self.prompt()
        if what == "names":
            return what, renamed(prompt, lambda name: name if name in ("own", "stock") else f"sub:{name}")
        if what == "order":
            return what, {
                name: {**entry, "inputs": dict(reversed(entry["inputs"].items()))}
                for name, entry in reversed(prompt.items())
            }
        if what == "beside":
            prompt["x"] = {"class_type": "GainPatch", "inputs": {"model": ["1", 0], "gain": 0.3}}
        elif what == "titles":
            prompt = {name: {**entry, "_meta": {"title": f"my {name}"}} for name, entry in prompt.items()}
        else:
            prompt["own"]["inputs"]["verifier"] = ["v", 0]
            prompt["v"] = {"class_type": "LoadVerifier", "inputs": {"verifier": "sharpness", "device": "auto"}}
        return what, prompt


def renamed(prompt, name_of):
    def moved(value):
        return [name_of(value[0]), value[1]] if isinstance(value, list) else value

    return {
        name_of(name): {**entry, "inputs": {key: moved(value) for key, value in entry["inputs"].items()}}
        for name, entry in prompt.items()
    }
