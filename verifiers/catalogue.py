"""Catalogue: which verifiers can be opened from files, how each is recognised, and which need none."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from . import clip_checkpoint, transformers_folder
from .aesthetic import LAION, V2_5, AestheticScore, Layout, has_layout
from .base import Verifier
from .clip_model import ClipModel
from .clip_score import ClipScore
from .hps_score import HpsScore
from .image_reward import ImageReward, is_image_reward
from .motion import QUANTITIES as MOTIONS
from .motion import Motion
from .pick_score import PickScore
from .published import OPENAI_CLIP_L, SIGLIP_SO400M, Published, licence_of
from .safety import SafetyChecker, SafetyScore
from .technical import QUANTITIES, Technical, TechnicalQuality
from .transformers_clip import CLASSES, SiglipEye, TransformersClip
from .weights import WeightsError, tensor_names


@dataclass(frozen=True, eq=False)
class Trunk:
    """An image encoder that a head sits on: pictures `(n, 3, h, w)` in [0, 1] to embeddings `(n, d)`."""

    encode: Callable[[Tensor], Tensor]
    modules: tuple[nn.Module, ...] = ()


@dataclass(frozen=True)
class Base:
    """Which image encoder a head was trained on.

    Args:
        fits: Whether a file or folder of this name is one.
        known: Where to get it.
        clip_vision: Whether the host's CLIP_VISION gives the same embeddings.
    """

    fits: Callable[[str], bool]
    known: Published
    clip_vision: bool


@dataclass(frozen=True)
class Kind:
    """One sort of verifier.

    Args:
        open: Makes the verifier from a file or folder, its name, and what gives a trunk, which is asked for only if
            there is a `base`.
        base: What it sits on, if it is a head only.
    """

    open: Callable[[Path, str, Callable[[], Trunk]], Verifier]
    base: Base | None = None


def is_openai_l(name: str) -> bool:
    """Whether a name says ViT-L/14 by OpenAI at 224 pixels."""
    letters = _letters(name)
    if letters.endswith("clipvitlargepatch14"):  # as transformers' folder is called
        return True
    return name == OPENAI_CLIP_L.name or ("openai" in letters and "vitl14" in letters and "336" not in letters)


def is_siglip_so400m(name: str) -> bool:
    """Whether a name says the first SigLIP so400m/14 at 384 pixels."""
    letters = _letters(name)
    return all(part in letters for part in ("siglip", "so400m", "14", "384")) and "siglip2" not in letters


def _head(layout: Layout, base: Base) -> Kind:
    def open_head(path: Path, name: str, trunk: Callable[[], Trunk]) -> Verifier:
        found = trunk()
        return AestheticScore.load(path, found.encode, modules=found.modules, layout=layout)

    return Kind(open_head, base)


HEAD = _head(LAION, Base(is_openai_l, OPENAI_CLIP_L, clip_vision=True))
HEAD_V2_5 = _head(V2_5, Base(is_siglip_so400m, SIGLIP_SO400M, clip_vision=False))
IMAGE_REWARD = Kind(lambda path, name, trunk: ImageReward.load(path))
HPS = Kind(lambda path, name, trunk: HpsScore.load(path, "2.1" if re.search(r"hps_?v?2\.?1", name.lower()) else "2"))
# its loader says what a file lacks
CLIP = Kind(lambda path, name, trunk: ClipScore(ClipModel.load(path), licence_of(name)))
CLIP_FOLDER = Kind(lambda path, name, trunk: ClipScore(TransformersClip.load(path), licence_of(name)))
PICK_SCORE = Kind(lambda path, name, trunk: PickScore.load(path))
SAFETY = Kind(lambda path, name, trunk: SafetyScore.load(path, licence_of(name)))
SAFETY_CHECKER = Kind(lambda path, name, trunk: SafetyChecker.load(path))

WITHOUT_FILES: dict[str, Callable[[], Verifier]] = {
    "technical quality": TechnicalQuality,
    **{name: lambda name=name: Technical(name) for name in QUANTITIES},
    **{name: lambda name=name: Motion(name) for name in MOTIONS},
}


def kind_of(path: Path, name: str) -> Kind:
    """The sort of a file or folder, from what lies in it; where several have the same weights, from its name."""
    if not path.is_dir():
        return _kind_of_file(path, name)
    if is_open_clip(path):
        return CLIP
    config = transformers_folder.read_json(path / transformers_folder.CONFIG)
    if (kind := _kind_of_config(config, name)) is not None:
        return kind
    sort = config.get("model_type") or config.get("architecture") or "none that it names"
    raise WeightsError(
        f"{path.name} must be a CLIP, SigLIP or PickScore model or a safety classifier, got a model of type {sort};"
        " pictures are compared with pictures by Reference Verifier, and vision-language models judge in VLM Verifier"
    )


def opens(path: Path, name: str) -> bool:
    """Whether a folder is for this dropdown; one whose settings cannot be read is, so that loading it says why."""
    try:
        return (
            is_open_clip(path)
            or _kind_of_config(transformers_folder.read_json(path / transformers_folder.CONFIG), name) is not None
        )
    except (WeightsError, OSError):
        return True


def is_open_clip(folder: Path) -> bool:
    """Whether a folder is open_clip's. Some have the files of both packages: the one whose weights are there counts."""
    if not (folder / clip_checkpoint.CONFIG).is_file():
        return False
    whole = any((folder / name).is_file() for name in clip_checkpoint.WEIGHTS)
    return whole or not (folder / transformers_folder.CONFIG).is_file()


def open_trunk(path: Path) -> Trunk:
    """The image encoder of a CLIP or SigLIP, from a file or folder of either package."""
    if not path.is_dir() or is_open_clip(path):
        model: ClipModel | TransformersClip | SiglipEye = ClipModel.load(path)
    elif str(transformers_folder.read_json(path / transformers_folder.CONFIG).get("model_type")).startswith("siglip"):
        model = SiglipEye.load(path)
    else:
        model = TransformersClip.load(path)
    return Trunk(model.embed_images, (model.module,))


def _kind_of_file(path: Path, name: str) -> Kind:
    names = tensor_names(path)
    if has_layout(names, LAION):
        return HEAD
    if has_layout(names, V2_5):
        return HEAD_V2_5
    if is_image_reward(names):
        return IMAGE_REWARD
    if any(key.startswith("text_model.") for key in names):
        raise WeightsError(
            f"{path.name} must lie in a folder with its config.json, preprocessor_config.json and tokenizer, got the"
            " weights alone"
        )
    return HPS if "hps" in _letters(name) else CLIP


def _kind_of_config(config: dict, name: str) -> Kind | None:
    architectures = [str(entry) for entry in config.get("architectures") or []]
    if "StableDiffusionSafetyChecker" in architectures:
        return SAFETY_CHECKER
    if any(entry.endswith("ForImageClassification") for entry in architectures) or "label_names" in _all(config):
        return SAFETY
    if config.get("model_type") not in CLASSES:
        return None
    return PICK_SCORE if "pickscore" in _letters(name) else CLIP_FOLDER


def _all(config: dict) -> Iterable[str]:
    return {**config, **(config.get("pretrained_cfg") or {})}


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
