"""Leaves: tensors that came in from elsewhere, named by their digest: noises and masks."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

Shape = tuple[int, ...]  # one stream without its batch dimension: (c, h, w) or (c, t, h, w)
Streams = Sequence[Tensor]  # one tensor per stream of a (nested) latent


def leaf_digest(streams: Streams) -> str:
    """Hash dtype, shape and bytes of tensors, 32 hex digits."""
    state = hashlib.blake2b(digest_size=16)
    for stream in streams:
        state.update(f"{stream.dtype}{tuple(stream.shape)}".encode())
        flat = stream.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        state.update(np.asarray(flat, dtype=np.uint8).data)
    return state.hexdigest()


def noise_leaf(name: str, shapes: Sequence[Shape], leaves: Mapping[str, Streams]) -> tuple[Tensor, ...]:
    """Look up a noise, each stream `(1, *shape)` float32 on the CPU."""
    streams, want = _looked_up(name, leaves), [(1, *shape) for shape in shapes]
    got = [tuple(stream.shape) for stream in streams]
    if got != want:
        raise ValueError(f"noise {name} must have shape {want}, got {got}")
    if not all(stream.isfinite().all() for stream in streams):
        raise ValueError(f"noise {name} must be finite, got NaN or infinity")
    return tuple(stream.float().cpu() for stream in streams)


def mask_leaf(name: str, shapes: Sequence[Shape], leaves: Mapping[str, Streams]) -> Streams:
    """Look up a mask in [0, 1], each stream broadcasting to `(1, *shape)`."""
    masks, want = _looked_up(name, leaves), [(1, *shape) for shape in shapes]
    got = [tuple(mask.shape) for mask in masks]
    if len(got) != len(want) or not all(map(_broadcasts, got, want)):
        raise ValueError(f"mask {name} must broadcast to shape {want}, got {got}")
    if not all(((mask >= 0) & (mask <= 1)).all() for mask in masks):
        raise ValueError(f"mask {name} must be in [0, 1], got other values")
    return masks


def _looked_up(name: str, leaves: Mapping[str, Streams]) -> Streams:
    if name not in leaves:
        raise ValueError(f"leaves must hold every tensor that the noise was made with, got none with digest {name}")
    return leaves[name]


def _broadcasts(shape: Shape, target: Shape) -> bool:
    return len(shape) <= len(target) and all(
        a in (1, b) for a, b in zip(reversed(shape), reversed(target), strict=False)
    )
