"""What a page may ask of the server's searches. Anything wrong is answered 4xx with `{"error": …}` and changes nothing.

Every address takes `?page=client id`: a page sees what it queued and what it was shown for having the same graph, and
steers what it queued or took over. Without it a script asks, for what a script queued.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from server import PromptServer

from ....search import recipe as recipes
from ....search.path import Path
from ..engine.control import RUNNING
from ..errors import short
from ..files.resave import chosen_again, resaved
from ..graph.upstream import is_same
from . import pages
from .audience import Asker, Audience
from .live import Live
from .messages import SEARCHES, SearchState
from .origin import made_from
from .searches import elsewhere, find_search, made_otherwise, runs_in_place, take_over, watch, whole
from .shelf import Shelved, shelf_of
from .thumbnails import KINDS, MOVING

BODY = 1000  # bytes
GRAPH = 16_000_000  # bytes of a prompt
OPEN = 1000  # workflows that a page has open
NAME = 100  # characters of the id of a workflow or a page
OTHERS = "The search must be one that this page queued or was shown, got another page's"
CACHED = {"Cache-Control": "private, max-age=86400, immutable"}
ACTIONS = ("finish", "pause", "continue", "pin", "unpin", "forget", "pick", "leave")
BESIDE = {"pin": "candidate", "unpin": "candidate", "pick": "picked"}  # the field that an action comes with
SAID = {"candidate": "a candidate", "picked": "what is picked", "": "nothing else"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """The request is answered with this status and text."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


def register() -> None:
    """Adds the routes to the host's; before it starts to listen."""
    routes = PromptServer.instance.routes
    routes.get(SEARCHES)(answered(searches))
    routes.post(SEARCHES + "/elsewhere")(answered(same_elsewhere))
    routes.post(SEARCHES + "/changed")(answered(changed))
    routes.get(SEARCHES + "/{search}")(answered(state))
    routes.get(SEARCHES + "/{search}/{candidate}/recipe")(answered(recipe))
    routes.get(SEARCHES + "/{search}/{candidate}/saving")(answered(saving))
    routes.get(SEARCHES + "/{search}/{candidate}/again")(answered(again))
    routes.get(SEARCHES + "/{search}/{candidate}/{size}")(answered(picture))
    routes.post(SEARCHES + "/{search}/control")(answered(control))
    routes.post(SEARCHES + "/{search}/take")(answered(take))
    routes.post(SEARCHES + "/{search}/find")(answered(find_recipe))


def answered(handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)
        except pages.NotYours as refused:
            return web.json_response({"error": str(refused)}, status=403)

    return answer


async def searches(request: web.Request) -> web.StreamResponse:
    """`?workflow=id`: all searches of one workflow that are known, those of a node in the order of starting; the nodes
    of which there are only other pages' searches.
    """
    asker, workflow = asker_of(request), named(request.query.get("workflow", ""), "workflow")
    return web.json_response(await asyncio.to_thread(listed, asker, workflow))


def listed(asker: Asker, workflow: str) -> dict[str, Any]:
    found = [one for one in runs_in_place(asker.page, workflow) if one.audience.sees(asker)]
    others = {one.node for one in elsewhere(asker.user, asker.page, workflow)}
    return {"searches": shown_all(found, asker.page, workflow), "elsewhere": sorted(others)}


async def same_elsewhere(request: web.Request) -> web.StreamResponse:
    """`{"workflow": id, "prompt": graph, "open": [ids of its other open workflows]}`: other pages' last searches in the
    nodes that are made from the same here; this page watches them then."""
    asker, (workflow, prompt, others) = asker_of(request), await graph_of(request)
    found = await compared(watch, asker.user, asker.page, workflow, prompt, others)
    return web.json_response({"searches": await asyncio.to_thread(shown_all, found, asker.page, workflow)})


async def changed(request: web.Request) -> web.StreamResponse:
    """`{"workflow": id, "prompt": graph}`: the ids of the searches of this workflow whose node is made from something
    else in this graph: their noises would make other pictures now.
    """
    asker, (workflow, prompt, _) = asker_of(request), await graph_of(request)
    return web.json_response({"changed": await compared(made_otherwise, asker.page, workflow, prompt)})


async def take(request: web.Request) -> web.StreamResponse:
    """`{"workflow": id, "prompt": graph}`: this page steers the run from now on, if its graph is the same."""
    live, asker, (workflow, prompt, _) = await entire(await asked(request)), asker_of(request), await graph_of(request)
    if not is_same(live.made_from, await compared(made_from, prompt, live.node)):
        raise Refused(403, "the graph must be the one that the search was queued with, got one that differs")
    await asyncio.to_thread(take_over, live, asker.page, workflow)
    return web.json_response(shown(live, asker.page, workflow))


async def state(request: web.Request) -> web.StreamResponse:
    live, page, workflow = await seen(request), asker_of(request).page, request.query.get("workflow")
    return web.json_response(live.state() if workflow is None else shown(live, page, named(workflow, "workflow")))


async def recipe(request: web.Request) -> web.StreamResponse:
    live = await seen(request)
    number = checked_candidate(live, request.match_info["candidate"])
    proposed = live.proposed[number]
    began = proposed.noise if isinstance(proposed, Path) else proposed
    return web.json_response(
        {
            "recipe": live.recipe(proposed),
            "seed": live.rows[number]["seed"],
            "noise": live.recipe(began) if began else None,
        }
    )


async def find_recipe(request: web.Request) -> web.StreamResponse:
    """`{"recipe": text}`: the number of the candidate that it, or the first of several, makes; null where there is
    none.
    """
    live, body = await seen(request), await body_of(request, 2 * recipes.MAX_LENGTH)
    if set(body) != {"recipe"} or not isinstance(body["recipe"], str):
        raise Refused(400, f"body must have a recipe, a text, got {short(body)}")
    try:
        wanted = (await asyncio.to_thread(recipes.loads_all, body["recipe"]))[0].candidate
    except recipes.RecipeError:
        return web.json_response({"candidate": None})  # what is typed in may be anything
    return web.json_response({"candidate": live.place_of(wanted)})


async def saving(request: web.Request) -> web.StreamResponse:
    """What to queue so that a candidate is saved in full: nodes/host/files/resave.py."""
    live, recipe = await finished(request)
    return web.json_response(resaved(*live.queued, live.node, recipe))


async def again(request: web.Request) -> web.StreamResponse:
    """What to queue so that a candidate is the result of the prompt that found it, whatever the graph is now."""
    live, recipe = await finished(request)
    return web.json_response(chosen_again(*live.queued, live.node, recipe))


async def finished(request: web.Request) -> tuple[Live, str]:
    """A search that the page steers, and the recipe of a finished candidate of it, which its prompt can make again."""
    live = await steered(request)
    number = checked_candidate(live, request.match_info["candidate"])
    if not live.rows[number]["finished"]:
        raise Refused(400, f"candidate must be a finished picture, got {number}, a draft")
    if live.copy not in live.queued[0]:
        raise Refused(400, f"search must be of a node of the queued prompt, got one of {short(live.copy)}")
    return live, live.recipe(live.proposed[number])


async def picture(request: web.Request) -> web.StreamResponse:
    live, size = await asked(request), request.match_info["size"]
    if not live.audience.saw(asker_of(request)):
        raise Refused(403, OTHERS)
    number = checked_candidate(live, request.match_info["candidate"])
    if size not in KINDS:
        raise Refused(404, f"size must be one of {', '.join(KINDS)}, got {short(size)}")
    if isinstance(live, Live):
        if coming := live.thumbnails.coming(number):
            await asyncio.shield(asyncio.wrap_future(coming))
        if os.path.isfile(path := live.thumbnails.path(number, size)):
            return web.FileResponse(path, headers=CACHED)
    data = await asyncio.to_thread(shelf_of(live.origin.user).picture, live.id, number, size)
    if data is None:
        raise Refused(404, f"candidate must be one whose picture is still kept, got {number}")
    kind = "image/webp" if size == MOVING else "image/jpeg"
    return web.Response(body=data, content_type=kind, headers={**CACHED, "X-Content-Type-Options": "nosniff"})


async def control(request: web.Request) -> web.StreamResponse:
    """`{"action": "finish" | "pause" | "continue"}` of a running search, `{"action": "pin" | "unpin", "candidate": 3}`
    of any; `{"action": "pick", "picked": [4]}`, best first, or `{"action": "leave"}` to its own winners, of one that
    waits for the artist.
    """
    live, body = await steered(request), await body_of(request)
    action, pinning = body.get("action"), body.get("action") in ("pin", "unpin")
    if action not in ACTIONS:
        raise Refused(400, f"action must be one of {', '.join(ACTIONS)}, got {short(action)}")
    beside = BESIDE.get(action, "")
    if set(body) != {"action", beside} - {""}:
        raise Refused(400, f"{action} must come with {SAID[beside]}, got {short(sorted(body))}")
    if pinning:
        await asyncio.to_thread(
            live.pin, checked_candidate(live, body["candidate"]), action == "pin"
        )  # it writes to the disk
    elif action == "forget":
        return web.json_response({"freed": await asyncio.to_thread(forgotten, live)})
    elif action in ("pick", "leave"):
        if not live.pick(picked_of(live, body["picked"]) if action == "pick" else ()):
            raise Refused(409, f"the search must wait for the artist, got one that is {live.status}")
    elif not live.steer(action):
        raise Refused(409, f"the search must be running, got one that is {live.status}")
    return web.json_response({"status": live.status, "pinned": live.pinned})


def picked_of(live: Live, picked: Any) -> list[int]:
    """The finished candidates that a page picks, each once, no more than may leave the node."""
    if not isinstance(picked, list) or not 1 <= len(picked) <= max(1, live.most):
        most = "one candidate" if live.most < 2 else f"1 to {live.most} candidates"
        raise Refused(400, f"picked must be a list of {most}, got {short(picked)}")
    found = [checked_candidate(live, candidate) for candidate in picked]
    if len(set(found)) < len(found):
        raise Refused(400, f"picked must name each candidate once, got {short(picked)}")
    for number in found:
        if not live.rows[number]["finished"]:
            raise Refused(400, f"picked must be finished pictures, got {number}, a draft")
    return found


def forgotten(live: Live) -> int:
    """Removes what the disk remembers for another run of this search; how many bytes that frees."""
    if live.status in RUNNING:
        raise Refused(409, f"the search must be over before it is forgotten, got one that is {live.status}")
    try:
        return live.forget()
    except (OSError, sqlite3.Error) as error:
        raise Refused(409, str(error)) from error


async def asked(request: web.Request) -> Live | Shelved:
    """The search, if it is one of the user's."""
    return await asked_for(request, request.match_info["search"])


async def asked_for(request: web.Request, search: Any) -> Live | Shelved:
    asker, found = asker_of(request), None
    if isinstance(search, str):
        found = find_search(search) or await asyncio.to_thread(shelf_of(asker.user).find, search)
    if found is None or not is_of(found.audience, asker):
        raise Refused(404, f"search must be one that this server knows, got {short(search)}")
    return found


async def entire(found: Live | Shelved) -> Live:
    """The search with all that it can."""
    if (live := await asyncio.to_thread(whole, found)) is None:
        raise Refused(404, f"search must be one that is still kept, got {short(found.id)}")
    return live


async def seen(request: web.Request) -> Live:
    found = await asked(request)
    if not found.audience.sees(asker_of(request)):
        raise Refused(403, OTHERS)
    return await entire(found)


async def steered(request: web.Request) -> Live:
    return await checked(await asked(request), request)


async def checked(found: Live | Shelved, request: web.Request) -> Live:
    """The search, if the page may steer it."""
    if not found.audience.steers(asker_of(request)):
        raise Refused(403, "The search must be one that this page queued or took over, got another page's")
    return await entire(found)


def is_of(audience: Audience, asker: Asker) -> bool:
    """Whether it is the asker's user's; of a script whose user is not known, its own."""
    return audience.is_of(asker.user) or audience.steers(asker)


def shown_all(found: Sequence[Live | Shelved], page: str, workflow: str) -> list[dict[str, Any]]:
    """Those that are still there, as a page shows them in a workflow. It reads the disk."""
    states = ((one, one.state()) for one in found)
    return [as_shown(one, state, page, workflow) for one, state in states if state is not None]


def shown(live: Live, page: str, workflow: str) -> dict[str, Any]:
    return as_shown(live, live.state(), page, workflow)


def as_shown(found: Live | Shelved, state: SearchState, page: str, workflow: str) -> dict[str, Any]:
    """The search as a page shows it in a workflow."""
    return {**state, "workflow": workflow, "mine": bool(found.audience.in_place(page, workflow))}


def asker_of(request: web.Request) -> Asker:
    page = request.query.get("page", "")
    if len(page) > NAME:
        raise Refused(400, f"page must be a client id, at most {NAME} characters, got {short(page)}")
    return Asker(page, pages.user_of(request, page))


async def graph_of(request: web.Request) -> tuple[str, dict[str, Any], list[str]]:
    """The id of the workflow that a page shows, its graph as it would be queued, and the ids of other workflows that it
    has open.
    """
    body = {"open": [], **await body_of(request, GRAPH)}
    if set(body) != {"workflow", "prompt", "open"} or not isinstance(body["prompt"], dict):
        raise Refused(400, f"body must have a workflow and a prompt, an object, got {short(sorted(body))}")
    if not isinstance(body["open"], list) or len(body["open"]) > OPEN:
        raise Refused(400, f"open must be a list of at most {OPEN} ids of workflows, got {short(body['open'])}")
    if not request.query.get("page"):
        raise Refused(400, "page must be the client id of the page that asks, got ''")
    return named(body["workflow"], "workflow"), body["prompt"], [named(other, "workflow") for other in body["open"]]


async def compared(call: Callable, *arguments: Any) -> Any:
    """What comes of comparing graphs, without holding the server up."""
    try:
        return await asyncio.to_thread(call, *arguments)
    except RecursionError:
        raise Refused(400, "prompt must be a graph, got one with values too deep in each other") from None


def named(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME:
        raise Refused(400, f"{name} must be the id of a {name}, 1 to {NAME} characters, got {short(value)}")
    return value


def checked_candidate(live: Live | Shelved, candidate: Any) -> int:
    """The candidate's number, from a number or its digits in an address."""
    number = (
        int(candidate)
        if isinstance(candidate, str) and candidate.isascii() and candidate.isdigit() and len(candidate) < 10
        else candidate
    )
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
