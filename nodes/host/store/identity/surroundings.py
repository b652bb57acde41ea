"""Where the same inputs give the same picture: versions, the device, and the switches that the host was started
with.
"""

import platform
from functools import cache
from importlib import metadata
from typing import Any

import comfy.model_management as memory
import comfyui_version
import torch
from comfy.cli_args import args

# Switches that no picture depends on; a new one of the host counts until it is known not to.
HARMLESS = (
    "listen",
    "port",
    "tls_",
    "enable_cors",
    "max_upload",
    "base_directory",
    "extra_model",
    "output_directory",
    "temp_directory",
    "input_directory",
    "user_directory",
    "models_directory",
    "auto_launch",
    "disable_auto_launch",
    "preview",
    "cache_",
    "high_ram",
    "front_end",
    "enable_manager",
    "disable_manager",
    "debug_hang",
    "dont_print",
    "quick_test",
    "windows_standalone",
    "disable_metadata",
    "disable_all_custom",
    "whitelist_custom",
    "disable_api",
    "enable_api",
    "multi_user",
    "verbose",
    "log_",
    "enable_compress",
    "comfy_api",
    "database_url",
    "enable_assets",
    "disable_assets",
    "enable_asset",
    "feature_flag",
    "list_feature",
    "default_hashing",
    "async_offload",
    "disable_async",
    "disable_pinned",
    "mmap",
    "disable_mmap",
    "fast_disk",
    "force_non_blocking",
)
# packages
ATTENTION = (
    "xformers",
    "sageattention",
    "sageattn3",
    "flash-attn",
    "triton",
    "triton-windows",
    "comfy-kitchen",
    "comfy-aimdo",
)


def surroundings() -> list[str]:
    switches = {name: plain(value) for name, value in vars(args).items() if not name.startswith(HARMLESS)}
    return [
        comfyui_version.__version__,
        torch.__version__,
        platform.machine(),
        *device(memory.get_torch_device()),
        *installed(),
        repr(sorted(switches.items())),
    ]


def plain(value: Any) -> str:
    """A switch's value; sets in an order of their own, which is not that of this process."""
    return repr(sorted(map(str, value))) if isinstance(value, set | frozenset) else str(value)


@cache
def device(where: torch.device) -> tuple[str, ...]:
    if where.type == "cuda":
        return (
            str(where.type),
            torch.cuda.get_device_name(where),
            str(torch.cuda.get_device_capability(where)),
            str(torch.version.cuda or torch.version.hip),
        )
    return (where.type,)


@cache
def installed() -> tuple[str, ...]:
    """Versions of what may compute attention in the host's place."""
    found = []
    for name in ATTENTION:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)
