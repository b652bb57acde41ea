"""Noise Search: searches for the noise that makes the better picture."""

from comfy_api.latest import ComfyExtension, io

from .nodes import NODES
from .nodes.host import routes

WEB_DIRECTORY = "./js"


class NoiseSearchExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> NoiseSearchExtension:
    routes.register()
    return NoiseSearchExtension()
