"""Noise Search: searches for the noise that makes the better picture."""

from comfy_api.latest import ComfyExtension, io

from .nodes import NODES
from .nodes.host import book_routes, carrying, pick_routes, routes

WEB_DIRECTORY = "./js"


class NoiseSearchExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> NoiseSearchExtension:
    routes.register()
    pick_routes.register()
    carrying.register()
    book_routes.register()
    return NoiseSearchExtension()
