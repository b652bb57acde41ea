"""Nodes as other packs have them, in the host's older form."""

from pathlib import Path

import folder_paths

FACTOR = 1.0  # of GainPatch; what an update of its pack changes


class GainPatch:
    """Scales what the model expects, by a number that stands in its code as well."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "patch", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "gain": ("FLOAT", {"default": 1.0})}}

    def patch(self, model, gain):
        return (scaled(model, gain),)


class PowerLoader:
    """Names its LoRAs in a value of any shape; here a LoRA is a text file with a number."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "load", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "spec": ("*",), "name": ("STRING", {"default": "style.safetensors"})}}

    def load(self, model, spec, name):
        return (scaled(model, float(Path(folder_paths.get_full_path("loras", name)).read_text().split()[0])),)


class ByFile:
    """Reads a file that the host's cache only knows of by IS_CHANGED."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "load", "tests"
    PATH = None

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",)}}

    @classmethod
    def IS_CHANGED(cls, model=None):
        return cls.PATH.read_text()

    def load(self, model):
        return (scaled(model, float(self.PATH.read_text())),)


class AlwaysNew(ByFile):
    """As a node that draws from the clock: it says that it always changes, within a list."""

    @classmethod
    def IS_CHANGED(cls, model=None):
        return [(float("nan"), 1)]


class Times:
    """Runs a node several times within one prompt, as loops of other packs do: by copies of it."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("*", "*"), "run", "tests"
    SEARCH = {}

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL", {"rawLink": True}),
                "positive": ("CONDITIONING", {"rawLink": True}),
                "negative": ("CONDITIONING", {"rawLink": True}),
                "latent_image": ("LATENT", {"rawLink": True}),
                "vae": ("VAE", {"rawLink": True}),
                "verifier": ("*", {"rawLink": True}),
                "cfgs": ("STRING", {}),
            }
        }

    def run(self, cfgs, **links):
        from comfy_execution.graph_utils import GraphBuilder

        graph = GraphBuilder()
        turns = [graph.node("NoiseSearch", **self.SEARCH, **links, cfg=float(cfg)) for cfg in cfgs.split()]
        made = graph.node(
            "Listed",
            **{f"latent{place}": turn.out(0) for place, turn in enumerate(turns)},
            **{f"score{place}": turn.out(3) for place, turn in enumerate(turns)},
        )
        return {"result": (made.out(0), made.out(1)), "expand": graph.finalize()}


class Loop:
    """Runs the search behind it once for every seed, by copies that show on it, and saves each picture where it is
    made; hands on the last.
    """

    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "run", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"image": ("IMAGE", {"rawLink": True}), "seeds": ("STRING", {})},
            "hidden": {"dynprompt": "DYNPROMPT"},
        }

    def run(self, image, seeds, dynprompt):
        from comfy_execution.graph_utils import GraphBuilder

        graph, original = GraphBuilder(), dynprompt.get_node(image[0])
        for seed in seeds.split():
            turn = graph.node(original["class_type"], **{**original["inputs"], "seed": int(seed)})
            turn.set_override_display_id(image[0])
            graph.node("SaveImage", images=turn.out(image[1]), filename_prefix=f"loop {seed}")
        return {"result": (graph.node("After", image=turn.out(image[1])).out(0),), "expand": graph.finalize()}


class After:
    """Hands an image on."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "run", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    def run(self, image):
        return (image,)


class Listed:
    """Latents and scores as they come, in one value each."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("*", "*"), "run", "tests"

    @classmethod
    def INPUT_TYPES(cls):
        many = {f"{name}{place}": ("*",) for name in ("latent", "score") for place in range(8)}
        return {"required": {}, "optional": many}

    def run(self, **given):
        return [given[name] for name in sorted(given) if name[0] == "l"], [
            given[name] for name in sorted(given) if name[0] == "s"
        ]


class Hidden:
    """Scales by a number that nothing but its own code can see, as compiled code or a large network would."""

    def __init__(self, by):
        self._by = by

    def __call__(self, found):
        return found["denoised"] * self._by


def scaled(model, gain, factor=FACTOR):
    patched = model.clone()
    patched.set_model_sampler_post_cfg_function(Hidden(gain * factor))
    return patched


NODES = [GainPatch, PowerLoader, ByFile, AlwaysNew, Times, Loop, After, Listed]
