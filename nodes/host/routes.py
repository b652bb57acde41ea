"""What a page may ask of the server's searches. Anything wrong is answered 4xx with `{"error": …}` and changes nothing."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from server import PromptServer

from ...search import recipe as recipes
from ...search.path import Path
from .again import again
from .live import RUNNING, Live, find, of_workflow
from .thumbnails import SIZES

ROOT = "/noise_search/searches"
BODY = 1000  # bytes
NAME = 100  # characters of a workflow's id
ACTIONS = ("finish", "pause", "continue", "pin", "unpin", "forget")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """The request is answered with this status and text."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


def register() -> None:
    """Adds the routes to the host's; before it starts to listen."""
    routes = PromptServer.instance.routes
    routes.get(ROOT)(answered(searches))
    routes.get(ROOT + "/{search}")(answered(state))
    routes.get(ROOT + "/{search}/{candidate}/recipe")(answered(recipe))
    routes.get(ROOT + "/{search}/{candidate}/saving")(answered(saving))
    routes.get(ROOT + "/{search}/{candidate}/{size}")(answered(picture))
    routes.post(ROOT + "/{search}/control")(answered(control))
    routes.post(ROOT + "/{search}/find")(answered(find_recipe))


def answered(handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)

    return answer


async def searches(request: web.Request) -> web.StreamResponse:
    """The latest search of every node of one workflow."""
    workflow = request.query.get("workflow", "")
    if not 0 < len(workflow) <= NAME:
        raise Refused(400, f"workflow must be the id of a workflow, 1 to {NAME} characters, got {short(workflow)}")
    return web.json_response({"searches": [live.state() for live in of_workflow(workflow)]})


async def state(request: web.Request) -> web.StreamResponse:
    return web.json_response(asked(request).state())


async def recipe(request: web.Request) -> web.StreamResponse:
    live = asked(request)
    number = known(live, request.match_info["candidate"])
    tried = live.tried[number]
    began = tried.noise if isinstance(tried, Path) else tried
    return web.json_response({"recipe": live.recipe(tried), "seed": live.rows[number]["seed"],
                              "noise": live.recipe(began) if began else None})


async def find_recipe(request: web.Request) -> web.StreamResponse:
    """`{"recipe": text}`: the number of the candidate that it, or the first of several, makes; null where there is none."""
    live, body = asked(request), await body_of(request, 2 * recipes.MAX_LENGTH)
    if set(body) != {"recipe"} or not isinstance(body["recipe"], str):
        raise Refused(400, f"body must have a recipe, a text, got {short(body)}")
    try:
        wanted = (await asyncio.to_thread(recipes.loads_all, body["recipe"]))[0].candidate
    except recipes.RecipeError:
        return web.json_response({"candidate": None})  # what is typed in may be anything
    return web.json_response({"candidate": live.place_of(wanted)})


async def saving(request: web.Request) -> web.StreamResponse:
    """What to queue so that a candidate is saved in full: nodes/host/again.py."""
    live = asked(request)
    number = known(live, request.match_info["candidate"])
    if not live.rows[number]["finished"]:
        raise Refused(400, f"candidate must be a finished picture, got {number}, a draft")
    if live.node not in live.queued[0]:
        raise Refused(400, f"search must be of a node of the queued prompt, got one of {short(live.node)}")
    return web.json_response(again(*live.queued, live.node, live.recipe(live.tried[number])))


async def picture(request: web.Request) -> web.StreamResponse:
    live, size = asked(request), request.match_info["size"]
    number = known(live, request.match_info["candidate"])
    if size not in SIZES:
        raise Refused(404, f"size must be one of {', '.join(SIZES)}, got {short(size)}")
    if not os.path.isfile(path := live.thumbnails.path(number, size)):
        raise Refused(404, f"candidate must be one whose picture is still kept, got {number}")
    return web.FileResponse(path, headers={"Cache-Control": "private, max-age=86400, immutable"})


async def control(request: web.Request) -> web.StreamResponse:
    """`{"action": "finish" | "pause" | "continue"}` of a running search, `{"action": "pin" | "unpin", "candidate": 3}` of any."""
    live, body = asked(request), await body_of(request)
    action, pinning = body.get("action"), body.get("action") in ("pin", "unpin")
    if action not in ACTIONS:
        raise Refused(400, f"action must be one of {', '.join(ACTIONS)}, got {short(action)}")
    if set(body) != ({"action", "candidate"} if pinning else {"action"}):
        raise Refused(400, f"{action} must come with {'a candidate' if pinning else 'nothing else'}, got {short(sorted(body))}")
    if pinning:
        await asyncio.to_thread(live.pin, known(live, body["candidate"]), action == "pin")  # it writes to the disk
    elif action == "forget":
        return web.json_response({"freed": await asyncio.to_thread(forgotten, live)})
    elif not live.steer(action):
        raise Refused(409, f"the search must be running, got one that is {live.status}")
    return web.json_response({"status": live.status, "pinned": live.pinned})


def forgotten(live: Live) -> int:
    """Removes what the disk remembers for another run of this search; how many bytes that frees."""
    if live.status in RUNNING:
        raise Refused(409, f"the search must be over before it is forgotten, got one that is {live.status}")
    try:
        return live.memo.forget()
    except (OSError, sqlite3.Error) as error:
        raise Refused(409, str(error)) from error


def asked(request: web.Request) -> Live:
    live = find(request.match_info["search"])
    if live is None:
        raise Refused(404, f"search must be one that this server knows, got {short(request.match_info['search'])}")
    return live


def known(live: Live, candidate: Any) -> int:
    """The candidate's number, from a number or its digits in an address."""
    number = int(candidate) if isinstance(candidate, str) and candidate.isascii() and candidate.isdigit() and len(candidate) < 10 else candidate
    if type(number) is not int or not 0 <= number < live.count:
        raise Refused(404, f"candidate must be the number of one, below {live.count}, got {short(candidate)}")
    return number


async def body_of(request: web.Request, limit: int = BODY) -> dict[str, Any]:
    return parsed(await data_of(request, limit))


async def data_of(request: web.Request, limit: int) -> bytearray:
    if request.content_type != "application/json":
        raise Refused(415, f"content type must be application/json, got {short(request.content_type)}")
    data = bytearray()
    async for part in request.content.iter_chunked(limit):
        data += part
        if len(data) > limit:
            raise Refused(413, f"body must be at most {limit} bytes, got more")
    return data


def parsed(data: bytearray) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise Refused(400, f"body must be JSON, got {short(bytes(data[:100]))}") from None
    if not isinstance(body, dict):
        raise Refused(400, f"body must be a JSON object, got {short(body)}")
    return body


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
