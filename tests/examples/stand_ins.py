"""Templates made so small that they run in a moment: their samplers and what is between those and the loaders stay;
models, encoders, decoders and pictures are tiny stand-ins of the same kind.

Nothing of a template is kept here: only rules for the names of files and of inputs.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch

from ..families.images import IMAGES
from ..families.others import VIDEOS
from ..families.tiny import Family, conditioning, model, taesd
from .templates import SAMPLERS, Prompt, Site

FAMILIES = {one.name: one for one in (*IMAGES, *VIDEOS)}
# What a file of weights is, by its name; the first that fits.
FILES = (
    (r"qwen_image_edit|FireRed", "Qwen-Image-Edit"),
    (r"qwen_image_layered", "Qwen-Image"),
    (r"qwen_image", "Qwen-Image"),
    (r"z_image", "Z-Image"),
    (r"flux-2|flux2", "Flux 2 (edit)"),
    (r"flux.*fill", "Flux Fill"),
    (r"flux1-canny", "Flux dev, beside"),
    (r"flux.*schnell", "Flux schnell (no guidance)"),
    (r"flux", "Flux dev"),
    (r"longcat", "LongCat-Image"),
    (r"radiance", "Chroma Radiance"),
    (r"Chroma", "Chroma"),
    (r"hidream_(e1|i1)", "HiDream I1"),
    (r"hidream_o1", "HiDream O1 (pixels)"),
    (r"omnigen2", "OmniGen 2 (edit)"),
    (r"Neta|NewBie", "Lumina 2"),
    (r"anima", "Anima"),
    (r"boogu", "Boogu"),
    (r"lens", "Lens"),
    (r"krea2", "Krea 2"),
    (r"ernie", "ERNIE-Image"),
    (r"ideogram4", "Ideogram 4"),
    (r"joyai", "JoyImage"),
    (r"mage_flow", "Mage Flow"),
    (r"pixeldit", "PixelDiT"),
    (r"kandinsky5lite_t2i", "Kandinsky 5 image"),
    (r"kandinsky5", "Kandinsky 5 video"),
    (r"sd3\.5", "SD 3"),
    (r"sd_xl_refiner", "SDXL Refiner"),
    (r"sd_xl", "SDXL"),
    (r"v1-5|DreamShaper", "SD 1.5"),
    (r"hunyuan_video_t2v", "Hunyuan Video"),
    (r"hunyuanvideo1\.5|capybara", "Hunyuan Video 1.5"),
    (r"ltx-video", "LTX Video"),
    (r"ltx-2", "LTX 2"),
    (r"vace", "Wan VACE"),
    (r"wan2\.2_ti2v_5B", "Wan 2.2, 5B"),
    (r"fun_camera", "Wan 2.2 camera"),
    (r"fun_control", "Wan 2.1 Fun Control"),
    (r"bernini", "Wan 2.1"),
    (r"wan2\.\d_(i2v|flf2v|fun_inp)|chrono|ATI|WanMove", "Wan 2.1 image to video"),
    (r"SCAIL", "SCAIL 2"),
    (r"s2v", "Wan 2.2 S2V"),
    (r"dancer", "WanDancer"),
    (r"causal_forcing", "Wan 2.1, causal"),
    (r"wan2\.\d_t2v", "Wan 2.1"),
)
SIDES = {"LTX Video": 128, "LTX 2": 128, "Flux 2 (edit)": 128, "Wan 2.2, 5B": 128}  # pixels; of all others
SIDE, FRAMES, STEPS, SWITCH = 64, 9, 4, 2
SPATIAL = {"LTX Video": 32, "LTX 2": 32, "Flux 2 (edit)": 16, "Wan 2.2, 5B": 16, "Hunyuan Video 1.5": 16}
STOOD_IN = ("IMAGE", "MASK", "CLIP", "VAE", "CONTROL_NET", "LATENT_UPSCALE_MODEL")
LEFT_OUT = ("CLIP_VISION_OUTPUT", "CLIP_VISION", "STYLE_MODEL", "AUDIO_ENCODER_OUTPUT", "MODEL_PATCH")
SMALL = {
    "width": None,
    "height": None,
    "length": FRAMES,
    "frames_number": FRAMES,
    "num_frames": FRAMES,
    "steps": STEPS,
    "step": SWITCH,
    "batch_size": 1,
    "layers": 2,
}


class Left(Exception):
    """Why a template is not executed."""


def family_of(file: str) -> Family | None:
    """The tiny family that stands in for a file of weights."""
    name = next((name for pattern, name in FILES if re.search(pattern, file)), None)
    if name == "Flux dev, beside":  # a picture beside the noisy one
        flux = FAMILIES["Flux dev"]
        return replace(flux, name=name, config="Flux", net={**flux.net, "in_channels": 32, "out_channels": 16})
    return FAMILIES.get(name or "")


class Shrunk:
    """Makes one sampler of a template, and all that goes into it, small.

    Args:
        site: The sampler.
        host: The host in this process, with all of its nodes.
        ends: Further nodes of the template that are wanted.
    """

    def __init__(self, site: Site, host: Any, ends: tuple[str, ...] = ()):
        import nodes

        self.kinds, self.prompt, self.host = nodes.NODE_CLASS_MAPPINGS, site.prompt, host
        self.schedulers = nodes.KSampler.INPUT_TYPES()["required"]["scheduler"][0]
        self.nodes: Prompt = {}
        self.values: dict[str, Any] = {}
        files = list(weights_behind(site.prompt, site.node))
        family = next((found for file in files if (found := family_of(file))), None)
        if family is None:
            raise Left("no stand-in for its model")
        self.family, self.files = family, files
        for name in (site.node, *ends):
            self.keep(name)

    def keep(self, name: str) -> None:
        """A node of the template, with all that it needs."""
        if name in self.nodes:
            return
        node = self.prompt[name]
        kind = node["class_type"]
        if kind not in self.kinds:
            raise Left("a node of another pack")
        self.nodes[name] = {"class_type": kind, "inputs": {}}
        for key, value in node["inputs"].items():
            if (found := self.made_small(key, value, kind)) is not None:
                self.nodes[name]["inputs"][key] = found
        if kind == "KSamplerAdvanced":  # a pair of them changes over in the middle
            first = node["inputs"]["add_noise"] == "enable"
            self.nodes[name]["inputs"] |= {
                "start_at_step": 0 if first else SWITCH,
                "end_at_step": SWITCH if first else 10000,
            }

    def made_small(self, key: str, value: Any, kind: str) -> Any:
        """The value of an input."""
        small = key if key in ("width", "height") and kind.endswith("Scheduler") else SMALL.get(key, key)
        if small != key and (is_link(value) or isinstance(value, int | float)):
            side = SIDES.get(self.family.name, SIDE)
            return side if small is None else small if is_link(value) else min(small, value)
        if key == "scheduler" and isinstance(value, str) and value not in self.schedulers:
            raise Left(f"a scheduler of another pack ({value})")
        if not is_link(value):
            return value
        found = self.linked(key, value)
        if found is None and key in self.kinds[kind].INPUT_TYPES().get("required", {}):
            raise Left(f"no stand-in for what goes into {key} of {kind}")
        return found

    def linked(self, key: str, value: list) -> Any:
        """What takes the place of what another node gives."""
        source, slot = str(value[0]), value[1]
        node = self.prompt[source]
        given = self.given(node, slot)
        if given in LEFT_OUT:
            return None
        if given in STOOD_IN:
            return self.stood_in(given, key, source)
        if given == "MODEL" and (inside := self.model_behind(node)) is not None:
            return inside
        if given == "CONDITIONING" and self.has_input(node, "CLIP"):
            return self.value(f"text {source}", lambda: self.text(node, source))
        if given == "LATENT" and self.has_input(node, "CLIP"):
            shape = (1, *self.family.shapes[0])
            return self.value("latent", lambda: {"samples": torch.zeros(shape)})
        if given == "LATENT" and self.family.name == "LTX 2" and self.sounds(node):
            return self.value("sound", lambda: {"samples": torch.zeros(1, *self.family.shapes[1]), "type": "audio"})
        self.keep(source)
        return [source, slot]

    def shown(self, name: str, slot: int, ours: str) -> str | None:
        """The node whose pictures the template shows of a sampler's latent, made to show ours; None where it has none.

        Args:
            ours: The node that gives our latent.
        """
        way, waiting, seen = {name: ""}, [(name, slot)], {name}
        while waiting:
            place = waiting.pop(0)
            for reader, node in self.prompt.items():
                links = [[str(value[0]), value[1]] for value in node["inputs"].values() if is_link(value)]
                kind = node["class_type"]
                if [*place] not in links or reader in seen or kind in SAMPLERS:
                    continue
                seen.add(reader)
                way[reader] = place[0]
                if kind in ("VAEDecode", "VAEDecodeTiled"):
                    return self.shown_by(reader, way, name, ours)
                latents = [link for link in links if self.given(self.prompt[link[0]], link[1]) == "LATENT"]
                if "LATENT" in (types := self.given_by(node)) and len(latents) == 1:
                    waiting.append((reader, types.index("LATENT")))
        return None

    def shown_by(self, decoder: str, way: dict[str, str], sampler: str, ours: str) -> str:
        readers = [
            name
            for name, node in self.prompt.items()
            if any(is_link(value) and str(value[0]) == decoder for value in node["inputs"].values())
        ]
        last = decoder
        if len(readers) == 1 and self.prompt[readers[0]]["class_type"] == "ImageFromBatch":
            last = readers[0]
        part = last if last == decoder else decoder
        self.keep(part)
        if last != decoder:
            self.nodes[last] = {"class_type": "ImageFromBatch", "inputs": dict(self.prompt[last]["inputs"])}
        while part != sampler:
            inputs = self.nodes[part]["inputs"]
            for key, value in inputs.items():
                if is_link(value) and str(value[0]) == sampler:
                    inputs[key] = [ours, 0]
            part = way[part]
        return last

    def given_by(self, node: dict) -> list[str]:
        kind = self.kinds.get(node["class_type"])
        return list(kind.RETURN_TYPES) if kind else []

    def given(self, node: dict, slot: int) -> str:
        kind = self.kinds.get(node["class_type"])
        if kind is None:
            raise Left("a node of another pack")
        types = kind.RETURN_TYPES
        return str(types[slot]) if slot < len(types) else "*"

    def has_input(self, node: dict, wanted: str) -> bool:
        links = [value for value in node["inputs"].values() if is_link(value)]
        return any(self.given(self.prompt[str(name)], slot) == wanted for name, slot in links)

    def sounds(self, node: dict) -> bool:
        return "Audio" in node["class_type"] and "Concat" not in node["class_type"] and "AV" not in node["class_type"]

    def model_behind(self, node: dict) -> list | None:
        """The model of a loader; of what loads something onto a model, that model itself."""
        inputs = node["inputs"]
        loads = "Loader" in node["class_type"] or self.has_input(node, "MODEL_PATCH")
        if not loads:
            return None
        if is_link(inputs.get("model")):
            return self.linked("model", inputs["model"])
        file = next((value for value in inputs.values() if isinstance(value, str) and family_of(value)), "")
        return self.value(f"model {file}", lambda: self.model(file))

    def model(self, file: str) -> Any:
        one = family_of(file) or self.family
        return made_model(one.name, self.files.index(file) if file in self.files else 0, self.host)

    def text(self, node: dict, source: str) -> list:
        """A conditioning, with the pictures that a text encoder adds to it."""
        one, number = self.family, sum(map(ord, source))
        ((tokens, extra),) = conditioning(one, number)
        extra = {key: value for key, value in extra.items() if key not in BESIDE}
        edits = "Edit" in node["class_type"] and any(is_link(node["inputs"].get(f"image{n}")) for n in ("", 1, 2, 3))
        if edits:
            side = SIDES.get(one.name, SIDE) // SPATIAL.get(one.name, 8)
            shape = (one.shapes[0][0], *one.shapes[0][1:-2], side, side)
            extra |= {"reference_latents": [torch.randn(1, *shape, generator=torch.Generator().manual_seed(number))]}
        return [[tokens, extra]]

    def stood_in(self, given: str, key: str, source: str) -> list:
        if given == "VAE" and ("audio" in key or "Audio" in self.prompt[source]["class_type"]):
            raise Left("sound of its own")
        side = SIDES.get(self.family.name, SIDE)
        generator = torch.Generator().manual_seed(sum(map(ord, source)))
        made = {
            "IMAGE": lambda: torch.rand(FRAMES if "video" in key else 1, side, side, 3, generator=generator),
            "MASK": lambda: (torch.rand(1, side, side, generator=generator) > 0.5).float(),
            "CLIP": object,
            "VAE": lambda: codec(self.family.name),
            "CONTROL_NET": lambda: hint(self.family, self.host),
            "LATENT_UPSCALE_MODEL": lambda: upsampler(self.family.shapes[0][0]),
        }
        name = given if given in ("VAE", "CLIP") else f"{given} {source} {'video' if 'video' in key else ''}"
        return self.value(name, made[given])

    def value(self, name: str, make: Any) -> list:
        if name not in self.values:
            self.values[name] = make()
            self.nodes[f"stand-in {name}"] = {"class_type": "ToyPart", "inputs": {"name": name}}
        return [f"stand-in {name}", 0]


# of a family's own conditioning, what the template's nodes add themselves
BESIDE = ("concat_latent_image", "concat_mask", "reference_latents", "vace_frames", "vace_mask", "vace_strength")


def is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def weights_behind(prompt: Prompt, name: str) -> Iterator[str]:
    """Files of the models behind a sampler, nearest first."""
    waiting, seen = [name], {name}
    while waiting:
        inputs = prompt[waiting.pop(0)]["inputs"]
        yield from (
            value
            for key, value in inputs.items()
            if key in ("unet_name", "ckpt_name") and isinstance(value, str) and family_of(value)
        )
        before = [str(value[0]) for value in inputs.values() if is_link(value) and str(value[0]) in prompt]
        waiting += [one for one in before if one not in seen]
        seen |= {*before}


@functools.cache
def made_model(family: str, number: int, host: Any) -> Any:
    """A MODEL of a family; each number has weights of its own."""
    one = family_of("flux1-canny") if family == "Flux dev, beside" else FAMILIES[family]
    assert one is not None
    toys = SimpleNamespace(random_weights=lambda module, gain=1.0: shifted(host.toys.random_weights(module), number))
    return host.call(model, one, toys)


def shifted(weights: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
    """Weights of another number: their rows in another order."""
    return {name: value.roll(number, 0) if value.ndim > 1 else value for name, value in weights.items()}


class Statistics:
    """As LTX's VAE has them."""

    def normalize(self, latents: torch.Tensor) -> torch.Tensor:
        return latents / 1.5

    def un_normalize(self, latents: torch.Tensor) -> torch.Tensor:
        return latents * 1.5


class Codec(torch.nn.Module):
    """Pictures `(n, 3, [frames,] h, w)` to latents and back by one fixed random map."""

    per_channel_statistics = Statistics()

    def __init__(self, channels: int, side: int, frames: int):
        super().__init__()
        self.side, self.frames = side, frames
        self.colours = torch.randn(channels, 3, generator=torch.Generator().manual_seed(channels))

    def encode(self, pixels: torch.Tensor, **rest: Any) -> torch.Tensor:
        if pixels.ndim > 4:
            count, _, frames, *_ = pixels.shape
            seen = torch.nn.functional.avg_pool2d(pixels.transpose(1, 2).flatten(0, 1), self.side)
            places = seen.unflatten(0, (count, frames)).transpose(1, 2)[:, :, :: self.frames]
        else:
            places = torch.nn.functional.avg_pool2d(pixels, self.side)
        return torch.einsum("nr...,cr->nc...", places, self.colours)

    def decode(self, latents: torch.Tensor, **rest: Any) -> torch.Tensor:
        seen = torch.einsum("nc...,cr->nr...", latents, self.colours / self.colours.shape[0]).tanh()
        for dimension in (-1, -2):
            seen = seen.repeat_interleave(self.side, dimension)
        return seen.repeat_interleave(self.frames, 2)[:, :, self.frames - 1 :] if seen.ndim > 4 else seen


@functools.cache
def codec(family: str) -> Any:
    """A VAE of the host with that network."""
    import comfy.sd

    one = FAMILIES.get(family) or FAMILIES["Flux dev"]
    if one.makes == "image" and one.shapes[0][0] == 3:
        return comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
    made, side = comfy.sd.VAE(sd=taesd_weights()), SPATIAL.get(family, 8)
    frames = 8 if family.startswith("LTX") else 4
    made.first_stage_model = Codec(one.shapes[0][0], side, frames)
    made.latent_channels, made.latent_dim = one.shapes[0][0], len(one.shapes[0]) - 1
    made.downscale_ratio = made.upscale_ratio = side
    if made.latent_dim == 3:
        made.upscale_ratio = (lambda count: max(0, count * frames - frames + 1), side, side)
        made.downscale_ratio = (lambda count: max(0, math.floor((count + frames - 1) / frames)), side, side)
        made.upscale_index_formula = made.downscale_index_formula = (frames, side, side)
        made.not_video = False
    return made


def taesd_weights() -> dict[str, torch.Tensor]:
    found = taesd().state_dict()
    return {key: value for key, value in found.items() if not key.startswith("vae_")}


def hint(one: Family, host: Any) -> Any:
    """A CONTROL_NET that adds the same to every picture."""
    import comfy.controlnet

    class Hint(comfy.controlnet.ControlBase):
        def get_control(self, x_noisy: Any, t: Any, cond: Any, batched_number: Any, options: Any) -> dict:
            return {"output": [torch.full((1, 1, 1), 0.1)], "input": [torch.full((1, 1, 1), 0.1)]}

        def copy(self) -> Any:
            found = Hint()
            self.copy_to(found)
            return found

        def get_models(self) -> list:
            return []

        def pre_run(self, model: Any, percent_to_timestep_function: Any) -> None:
            """There is nothing to be made ready."""

    return Hint()


@functools.cache
def upsampler(channels: int) -> Any:
    """A LATENT_UPSCALE_MODEL of LTX."""
    import comfy.model_patcher
    import comfy.ops
    from comfy.ldm.lightricks.latent_upsampler import LatentUpsampler

    torch.manual_seed(0)
    config = {"in_channels": channels, "mid_channels": 32, "num_blocks_per_stage": 1, "dims": 3}
    made = LatentUpsampler.from_config(config, comfy.ops.disable_weight_init)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(made, load_device=cpu, offload_device=cpu)
