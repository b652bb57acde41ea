"""What a page may ask of pictures that wait to be picked. Anything wrong is answered 4xx with `{"error": …}` and changes nothing."""

import os
from typing import Any

from aiohttp import web
from server import PromptServer

from . import asking, pages
from .asking import SIZES, Answer, Pick
from .routes import NAME, Refused, answered, body_of, short

ROOT = "/noise_search/picks"
ACTIONS = ("pick", "roll", "leave")


def register() -> None:
    """Adds the routes to the host's; before it starts to listen."""
    routes = PromptServer.instance.routes
    routes.get(ROOT)(answered(picks))
    routes.post(ROOT)(answered(announce))
    routes.get(ROOT + "/{pick}")(answered(state))
    routes.get(ROOT + "/{pick}/{place}/{size}")(answered(picture))
    routes.post(ROOT + "/{pick}/answer")(answered(answer))


async def picks(request: web.Request) -> web.StreamResponse:
    """The latest gallery of every node of one workflow, or all that wait for one page."""
    asking.settle()
    workflow, page = (request.query.get(name) for name in ("workflow", "page"))
    if page is not None:
        found = asking.of_page(named(page, "page"))
    else:
        found = asking.of_workflow(named(workflow or "", "workflow"))
    return web.json_response({"picks": [pick.state() for pick in found]})


async def announce(request: web.Request) -> web.StreamResponse:
    """`{"page": client id}`: this page can be asked."""
    body = await body_of(request)
    only(body, "page")
    pages.announce(named(body["page"], "page"))
    return web.json_response({})


async def state(request: web.Request) -> web.StreamResponse:
    return web.json_response(asked(request).state())


async def picture(request: web.Request) -> web.StreamResponse:
    pick, size = asked(request), request.match_info["size"]
    digits = request.match_info["place"]
    place = known(pick, int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else digits)
    if size not in SIZES:
        raise Refused(404, f"size must be one of {', '.join(SIZES)}, got {short(size)}")
    if not os.path.isfile(path := pick.picture(place, size)):
        raise Refused(404, f"picture must be one that is still kept, got {place}")
    return web.FileResponse(path, headers={"Cache-Control": "private, max-age=86400, immutable"})


async def answer(request: web.Request) -> web.StreamResponse:
    """`{"action": "pick", "picked": [2, 0]}`, best first, or `{"action": "roll"}`, or `{"action": "leave"}` to what it falls back to."""
    pick, body = asked(request), await body_of(request)
    action = body.get("action")
    if action not in ACTIONS:
        raise Refused(400, f"action must be one of {', '.join(ACTIONS)}, got {short(action)}")
    only(body, "action", *(["picked"] if action == "pick" else []))
    if action == "roll" and not pick.facts["rollable"]:
        raise Refused(400, "roll must be of pictures that a seed makes, got some that have none")
    chosen = places(pick, body["picked"]) if action == "pick" else ()
    if not (pick.leave() if action == "leave" else pick.give(Answer(chosen, roll=action == "roll"))):
        raise Refused(409, f"the gallery must be waiting, got one that was {pick.status} already")
    return web.json_response(pick.state())


def asked(request: web.Request) -> Pick:
    pick = asking.find(request.match_info["pick"])
    if pick is None:
        raise Refused(404, f"pick must be one that this server knows, got {short(request.match_info['pick'])}")
    return pick


def places(pick: Pick, picked: Any) -> tuple[int, ...]:
    if not isinstance(picked, list) or not picked:
        raise Refused(400, f"picked must be a list of at least one picture, got {short(picked)}")
    found = tuple(known(pick, place, 400) for place in picked)
    if len(set(found)) < len(found):
        raise Refused(400, f"picked must name each picture once, got {short(picked)}")
    return found


def known(pick: Pick, place: Any, status: int = 404) -> int:
    if type(place) is not int or not 0 <= place < pick.facts["count"]:
        raise Refused(status, f"picture must be the number of one, below {pick.facts['count']}, got {short(place)}")
    return place


def named(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME:
        raise Refused(400, f"{name} must be an id, 1 to {NAME} characters, got {short(value)}")
    return value


def only(body: dict[str, Any], *names: str) -> None:
    if set(body) != set(names):
        raise Refused(400, f"body must be of {', '.join(names)}, got {short(sorted(body))}")
