"""Catalogue: which verifiers can be opened from files, how each is recognised, and where published weights are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from . import aesthetic
from .aesthetic import AestheticScore
from .base import Verifier
from .clip_score import ClipScore
from .weights import tensor_names


@dataclass(frozen=True)
class Published:
    """Weights that are known, to be fetched by the user.

    Args:
        name: What they are called in the folder of verifiers: a file, or a folder that holds `files`.
        files: Names in the repository.
        repository: Where to get them.
        size: In bytes, rounded.
        licence: As the repository states it.
        about: What they judge, in a few words.
    """

    name: str
    files: tuple[str, ...]
    repository: str
    size: int
    licence: str
    about: str


@dataclass(frozen=True, eq=False)
class Trunk:
    """An image encoder that a head sits on: pictures `(n, 3, h, w)` in [0, 1] to CLIP embeddings `(n, d)`."""

    encode: Callable[[Tensor], Tensor]
    modules: tuple[nn.Module, ...] = ()


@dataclass(frozen=True)
class Kind:
    """One sort of file.

    Args:
        recognises: Whether a file with tensors of these names is one.
        open: Makes the verifier; asks for a trunk only if `needs_trunk`.
        needs_trunk: Whether the file is a head only.
    """

    recognises: Callable[[Iterable[str]], bool]
    open: Callable[[Path, Callable[[], Trunk]], Verifier]
    needs_trunk: bool = False


def _open_aesthetic(path: Path, trunk: Callable[[], Trunk]) -> Verifier:
    found = trunk()
    return AestheticScore.load(path, found.encode, modules=found.modules)


AESTHETIC = Kind(lambda names: set(names) == aesthetic.KEYS, _open_aesthetic, needs_trunk=True)
CLIP = Kind(lambda names: True, lambda path, trunk: ClipScore.load(path))  # its loader explains what a file lacks
KINDS = (AESTHETIC, CLIP)  # the first that recognises a file opens it

CLIP_FILES = ("open_clip_config.json", "open_clip_model.safetensors")
OPENAI_CLIP_L = Published(
    name="vit_large_patch14_clip_224.openai",
    files=CLIP_FILES,
    repository="https://huggingface.co/timm/vit_large_patch14_clip_224.openai",
    size=1_710_000_000,
    licence="Apache-2.0",
    about="CLIP score, and the trunk of LAION aesthetic",
)
PUBLISHED = (
    OPENAI_CLIP_L,
    Published(
        name="CLIP-ViT-H-14-laion2B-s32B-b79K",
        files=CLIP_FILES,
        repository="https://huggingface.co/laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        size=3_940_000_000,
        licence="MIT",
        about="CLIP score, slower and closer to the prompt",
    ),
    Published(
        name="sac+logos+ava1-l14-linearMSE.pth",
        files=("sac+logos+ava1-l14-linearMSE.pth",),
        repository="https://github.com/christophschuhmann/improved-aesthetic-predictor",
        size=3_714_759,
        licence="Apache-2.0",
        about="LAION aesthetic",
    ),
)


def kind_of(path: Path) -> Kind:
    """The sort of a file or folder, from the names of its tensors."""
    if path.is_dir():
        return CLIP
    names = tensor_names(path)
    return next(kind for kind in KINDS if kind.recognises(names))
