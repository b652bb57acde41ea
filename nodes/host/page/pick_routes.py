"""What a page may ask of pictures that wait to be picked. Anything wrong is answered 4xx with `{"error": …}` and
changes nothing.

Every address takes `?page=client id`. The page that queued the pictures is asked; once that is closed, another one of
the same user with the same graph is shown them and may take them over.
"""

import os
from typing import Any

from aiohttp import web
from server import PromptServer

from ..errors import short
from . import human_pick as asking
from . import pages
from .audience import Asker
from .human_pick import KINDS, Pick
from .messages import PICKS
from .question import Answer
from .search_routes import Refused, answered, asker_of, body_of, compared, graph_of, is_of, named

ACTIONS = ("pick", "roll", "leave")


def register() -> None:
    """Adds the routes to the host's; before it starts to listen."""
    routes = PromptServer.instance.routes
    routes.get(PICKS)(answered(picks))
    routes.post(PICKS)(answered(announce))
    routes.post(PICKS + "/elsewhere")(answered(same_elsewhere))
    routes.get(PICKS + "/{pick}")(answered(state))
    routes.get(PICKS + "/{pick}/{place}/{size}")(answered(picture))
    routes.post(PICKS + "/{pick}/answer")(answered(answer))
    routes.post(PICKS + "/{pick}/take")(answered(take))


async def picks(request: web.Request) -> web.StreamResponse:
    """`?workflow=id`: the latest gallery of every node of one workflow, and the nodes of which another page's waits for
    anybody; without it all that wait for the page."""
    asking.settle()
    asker = asker_of(request)
    if "workflow" not in request.query and asker.page:
        return web.json_response(
            {"picks": [pick.state() for pick in asking.of_page(asker.page) if pick.audience.sees(asker)]}
        )
    workflow = named(request.query.get("workflow", ""), "workflow")
    found = [
        shown(pick, asker, workflow) for pick in asking.in_place(asker.page, workflow) if pick.audience.sees(asker)
    ]
    others = {pick.node for pick in asking.elsewhere(asker.user, asker.page, workflow)}
    return web.json_response({"picks": found, "elsewhere": sorted(others)})


async def same_elsewhere(request: web.Request) -> web.StreamResponse:
    """`{"workflow": id, "prompt": graph}`: what waits since its page was closed, in nodes that are made from the same
    here.
    """
    asker, (workflow, prompt, _) = asker_of(request), await graph_of(request)
    found = await compared(asking.watch, asker.user, asker.page, workflow, prompt)
    return web.json_response({"picks": [shown(pick, asker, workflow) for pick in found]})


async def take(request: web.Request) -> web.StreamResponse:
    """`{"workflow": id, "prompt": graph}`: this page is asked from now on, if its graph is the same and nobody else can
    be asked.
    """
    pick, asker, (workflow, prompt, _) = asked(request), asker_of(request), await graph_of(request)
    if not pick.is_offered():
        raise Refused(409, "the gallery must wait with no page open that can answer, got one that does not")
    if not await compared(asking.is_made_from, pick, prompt):
        raise Refused(403, "the graph must be the one that the pictures were queued with, got one that differs")
    pick.audience.take_over(asker.page, workflow)
    pick.send()
    return web.json_response(shown(pick, asker, workflow))


async def announce(request: web.Request) -> web.StreamResponse:
    """`{"page": client id}`: this page can be asked."""
    body = await body_of(request)
    only(body, "page")
    page = named(body["page"], "page")
    pages.announce(page, pages.user_of(request, page))
    return web.json_response({})


async def state(request: web.Request) -> web.StreamResponse:
    return web.json_response(seen(request).state())


async def picture(request: web.Request) -> web.StreamResponse:
    pick, size = seen(request), request.match_info["size"]
    digits = request.match_info["place"]
    place = checked_place(pick, int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else digits)
    if size not in KINDS:
        raise Refused(404, f"size must be one of {', '.join(KINDS)}, got {short(size)}")
    if not os.path.isfile(path := pick.picture(place, size)):
        raise Refused(404, f"picture must be one that is still kept, got {place}")
    return web.FileResponse(path, headers={"Cache-Control": "private, max-age=86400, immutable"})


async def answer(request: web.Request) -> web.StreamResponse:
    """`{"action": "pick", "picked": [2, 0]}`, best first, or `{"action": "roll"}`, or `{"action": "leave"}` to what it
    falls back to.
    """
    pick, body = asked(request), await body_of(request)
    if not pick.audience.steers(asker_of(request)):
        raise Refused(403, "The pictures must be ones that this page queued or took over, got another page's")
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
    """The gallery, if it is one of the user's."""
    pick = asking.find_pick(request.match_info["pick"])
    if pick is None or not is_of(pick.audience, asker_of(request)):
        raise Refused(404, f"pick must be one that this server knows, got {short(request.match_info['pick'])}")
    return pick


def seen(request: web.Request) -> Pick:
    pick = asked(request)
    if not pick.audience.sees(asker_of(request)):
        raise Refused(403, "The pictures must be ones that this page queued or was shown, got another page's")
    return pick


def shown(pick: Pick, asker: Asker, workflow: str) -> dict[str, Any]:
    """The gallery as a page shows it in a workflow."""
    return {**pick.state(), "workflow": workflow, "mine": bool(pick.audience.in_place(asker.page, workflow))}


def places(pick: Pick, picked: Any) -> tuple[int, ...]:
    if not isinstance(picked, list) or not picked:
        raise Refused(400, f"picked must be a list of at least one picture, got {short(picked)}")
    found = tuple(checked_place(pick, place, 400) for place in picked)
    if len(set(found)) < len(found):
        raise Refused(400, f"picked must name each picture once, got {short(picked)}")
    return found


def checked_place(pick: Pick, place: Any, status: int = 404) -> int:
    if type(place) is not int or not 0 <= place < pick.count:
        raise Refused(status, f"picture must be the number of one, below {pick.count}, got {short(place)}")
    return place


def only(body: dict[str, Any], *names: str) -> None:
    if set(body) != set(names):
        raise Refused(400, f"body must be of {', '.join(names)}, got {short(sorted(body))}")
