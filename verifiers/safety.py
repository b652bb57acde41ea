"""Safety: how sure a classifier is that a picture is fit to be shown at work.

Any image classifier of the transformers package, or vision transformer of timm, with a label such as "nsfw". Meant as a
gate, not to be searched on: a search would find what the classifier overlooks.
"""

from collections.abc import Sequence
from math import floor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .base import Card, home
from .images import CLIP_MEAN, CLIP_STD, Pixels
from .keys import Keyed
from .transformers_folder import CONFIG, config_of, pixels_of, read_json, transformers, weights_of
from .weights import WeightsError, assemble, load_strictly

UNSAFE = ("nsfw", "unsafe", "porn", "pornography", "hentai", "explicit", "nude", "sexy")


class SafetyScore(Keyed):
    """Probability that a picture is safe, 0 to 1. Ignores the prompt.

    Args:
        name: Folder it came from, for messages.
        module: A classifier: pixels to logits, or to an output that has them.
        pixels: What it wants to see.
        labels: Names of its classes; those in `UNSAFE` count against a picture.
        licence: Of the weights, if known.
    """

    columns = ("safety",)

    def __init__(self, name: str, module: nn.Module, pixels: Pixels, labels: Sequence[str], licence: str = ""):
        self.unsafe = [index for index, label in enumerate(labels) if str(label).lower() in UNSAFE]
        if not 0 < len(self.unsafe) < len(labels):
            raise WeightsError(f"{name} must have classes such as nsfw and normal, got {', '.join(map(str, labels))}")
        self.pixels, self.modules = pixels, (module,)
        self.card = Card(
            name=f"safety ({name})",
            range="probability of being safe, 0 to 1",
            spread=0.1,
            prompt=False,
            licence=licence,
            source="https://huggingface.co/Falconsai/nsfw_image_detection",
        )

    @classmethod
    def load(cls, folder: Path | str, licence: str = "") -> "SafetyScore":
        """Read a folder of transformers, or one of timm, as published."""
        folder = Path(folder)
        read = _timm if "architecture" in read_json(folder / CONFIG) else _transformers
        return cls(folder.name, *read(folder), licence)

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        device, dtype = home(self.modules)
        output = self.modules[0](self.pixels(images).to(device, dtype))
        chances = getattr(output, "logits", output).cpu().double().softmax(-1)[:, self.unsafe].sum(-1)
        return (1 - chances).float().unsqueeze(1)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> None:
        return None


def _transformers(folder: Path) -> tuple[nn.Module, Pixels, list[str]]:
    config = config_of(folder)
    make = transformers().AutoModelForImageClassification.from_config
    try:
        module = assemble(lambda: make(config), weights_of(folder), folder.name)
    except ValueError as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(
            f"{folder.name} must be an image classifier, got a model of type {config.model_type}"
        ) from error
    return module, pixels_of(folder), [config.id2label[index] for index in sorted(config.id2label)]


def _timm(folder: Path) -> tuple[nn.Module, Pixels, list[str]]:
    import timm

    config = read_json(folder / CONFIG)
    seen = {**config, **config.get("pretrained_cfg", {})}
    if config["architecture"] not in timm.list_models() or not isinstance(seen.get("label_names"), list):
        raise WeightsError(
            f"{folder.name} must be a model that timm knows, with label_names, got {config['architecture']}"
        )
    classes = len(seen["label_names"])
    module = timm.create_model(
        config["architecture"], pretrained=False, num_classes=classes, **config.get("model_args", {})
    )
    load_strictly(module, weights_of(folder), folder.name)
    return module.eval().requires_grad_(False), _timm_pixels(seen), seen["label_names"]


def _timm_pixels(seen: dict[str, Any]) -> Pixels:
    """What timm's own transform for evaluation does."""
    if seen.get("crop_mode", "center") != "center":
        raise WeightsError(f"crop_mode must be center, got {seen['crop_mode']}")
    size = tuple(seen.get("input_size", (3, 224, 224))[1:])
    return Pixels(
        size=size,
        mean=tuple(seen.get("mean", CLIP_MEAN)),
        std=tuple(seen.get("std", CLIP_STD)),
        interpolation=seen.get("interpolation", "bicubic"),
        short=floor(size[0] / seen.get("crop_pct", 1.0)),
    )


class SafetyChecker(Keyed):
    """The safety checker that came with Stable Diffusion 1: how far a picture is from the nearest unwanted concept.
    Ignores the prompt.

    100 x (threshold - cosine) to the nearest of 17 concepts in CLIP's space, mostly 0 to 15; below 0 is what it blacks
    out. Near one of three special concepts all thresholds are 1 lower.

    Args:
        module: CLIP's image tower with projection.
        concepts: Vectors `(c, d)` and thresholds `(c,)`.
        special: The same for what asks for special care.
        pixels: What the tower wants to see.
    """

    columns = ("safety",)
    card = Card(
        name="safety checker of Stable Diffusion 1",
        family="CLIP",
        range="100 x distance in cosine from the nearest unwanted concept, mostly 0 to 15; unsafe below 0",
        spread=1.0,
        prompt=False,
        licence="CreativeML OpenRAIL-M",
        source="https://huggingface.co/CompVis/stable-diffusion-safety-checker",
    )
    CARE = 0.01

    def __init__(
        self, module: nn.Module, concepts: tuple[Tensor, Tensor], special: tuple[Tensor, Tensor], pixels: Pixels
    ):
        self.concepts, self.special, self.pixels, self.modules = concepts, special, pixels, (module,)

    @classmethod
    def load(cls, folder: Path | str) -> "SafetyChecker":
        folder = Path(folder)
        config, state = config_of(folder), weights_of(folder)
        names = [f"{kind}{end}" for kind in ("concept_embeds", "special_care_embeds") for end in ("", "_weights")]
        if missing := [name for name in names if name not in state]:
            raise WeightsError(
                f"{folder.name} is not the architecture it was taken for: {len(missing)} missing ({', '.join(missing)})"
            )
        lists = [state.pop(name).double() for name in names]
        eye = {key.replace("vision_model.vision_model.", "vision_model.", 1): value for key, value in state.items()}
        make = transformers().CLIPVisionModelWithProjection
        module = assemble(lambda: make(config.vision_config), eye, folder.name)
        return cls(module, (lists[0], lists[1]), (lists[2], lists[3]), pixels_of(folder))

    def measure(self, images: Tensor, prompt: str) -> Tensor:
        device, dtype = home(self.modules)
        seen = self.modules[0](pixel_values=self.pixels(images).to(device, dtype)).image_embeds.cpu().double()
        care = self.CARE * (_nearness(seen, *self.special) > 0)
        return (-100 * (_nearness(seen, *self.concepts) + care)).float().unsqueeze(1)

    def combine(self, pool: Tensor) -> Tensor:
        return pool[:, 0]

    def count_tokens(self, prompt: str) -> None:
        return None


def _nearness(seen: Tensor, concepts: Tensor, thresholds: Tensor) -> Tensor:
    """Largest cosine above the threshold of its concept, `(n,)`."""
    normalize = torch.nn.functional.normalize
    return (normalize(seen, dim=-1) @ normalize(concepts, dim=-1).T - thresholds).amax(dim=1)
