"""Noise Search: searches for the noise that makes the better picture."""

from comfy_api.latest import ComfyExtension, io

from .nodes import NODES
from .nodes.host.files import metadata
from .nodes.host.page import book_routes, pick_routes, search_routes

WEB_DIRECTORY = "./js"


class NoiseSearchExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> NoiseSearchExtension:
    search_routes.register()
    pick_routes.register()
    metadata.register()
    book_routes.register()
    return NoiseSearchExtension()
