"""What a page may ask of the seed book. Anything wrong is answered 4xx with `{"error": …}` and changes nothing."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web
from comfy.cli_args import args
from server import PromptServer

from ..errors import short
from ..graph.prompt_text import trace_prompt, trace_prompt_of_pictures
from ..graph.upstream import ancestry, inputs_of
from ..store import database, seed_book
from ..store.seed_book import BookError, Entry
from .live import Live
from .messages import BOOK
from .search_routes import (
    Refused,
    answered,
    asked_for,
    asker_of,
    body_of,
    checked,
    checked_candidate,
    data_of,
    parsed,
)
from .searches import out_of_book

QUERY = 200  # characters
PAGE = 60  # entries per answer
NUMBER = 15  # digits
MODELS = ("ckpt_name", "unet_name", "gguf_name", "lora_name")  # inputs of loaders


def register() -> None:
    """Adds the routes to the host's; before it starts to listen."""
    routes = PromptServer.instance.routes
    routes.get(BOOK)(answered(noises))
    routes.post(BOOK)(answered(keep))
    routes.get(BOOK + "/export")(answered(export))
    routes.post(BOOK + "/import")(answered(take_in))
    routes.get(BOOK + "/{noise}/picture")(answered(picture))
    routes.delete(BOOK + "/{noise}")(answered(forget))


async def noises(request: web.Request) -> web.StreamResponse:
    """`?query=words&offset=60`: entries that hold every word, newest first, and how many there are."""
    query, offset = request.query.get("query", ""), request.query.get("offset", "0")
    if len(query) > QUERY:
        raise Refused(400, f"query must be at most {QUERY} characters, got {len(query)}")
    found, count = await booked(request, seed_book.listed, query, PAGE, whole(offset, "offset"))
    return web.json_response({"noises": found, "count": count})


async def keep(request: web.Request) -> web.StreamResponse:
    """`{"search": id, "candidate": 3}`: keeps that candidate's noise."""
    body = await body_of(request)
    if set(body) != {"search", "candidate"}:
        raise Refused(400, f"body must have a search and a candidate, got {short(sorted(body))}")
    live = await checked(await asked_for(request, body["search"]), request)
    number = checked_candidate(live, body["candidate"])
    ((noise, new),) = await booked(request, lambda user: seed_book.keep([entry_of(live, number)], user))
    await asyncio.to_thread(live.book, number, noise)
    return web.json_response({"noise": noise, "new": new})


async def export(request: web.Request) -> web.StreamResponse:
    headers = {"Content-Disposition": 'attachment; filename="seed_book.json"'}
    return web.Response(
        body=await booked(request, seed_book.exported), content_type="application/json", headers=headers
    )


async def take_in(request: web.Request) -> web.StreamResponse:
    """An exported book: all of its noises, or none of them."""
    data = await data_of(request, seed_book.MAX_EXPORT)
    kept = await booked(request, lambda user: seed_book.keep(seed_book.imported(parsed(data)), user))
    return web.json_response({"noises": len(kept)})


async def picture(request: web.Request) -> web.StreamResponse:
    found = await booked(request, seed_book.picture, asked(request))
    if found is None:
        raise Refused(
            404, f"noise must be one of the seed book with a picture, got {short(request.match_info['noise'])}"
        )
    return web.Response(
        body=found,
        content_type="image/jpeg",
        headers={"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"},
    )


async def forget(request: web.Request) -> web.StreamResponse:
    if not await booked(request, seed_book.forget, asked(request)):
        raise Refused(404, f"noise must be one of the seed book, got {short(request.match_info['noise'])}")
    await asyncio.to_thread(out_of_book, asked(request), user_of(request))
    return web.json_response({})


def asked(request: web.Request) -> int:
    return whole(request.match_info["noise"], "noise", 404)


def whole(text: str, name: str, status: int = 400) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER):
        raise Refused(status, f"{name} must be a whole number, got {short(text)}")
    return int(text)


async def booked(request: web.Request, call: Callable, *arguments: Any) -> Any:
    """What the book of the user who asks answers, without holding the server up. A damaged one is set aside, and a new
    one answers.

    Args:
        call: Takes the arguments, and then the user.
    """
    user = user_of(request)
    try:
        try:
            return await asyncio.to_thread(call, *arguments, user)
        except sqlite3.DatabaseError as error:
            if not database.is_damage(error):
                raise
            await asyncio.to_thread(database.set_aside, seed_book.path(user), error)
            return await asyncio.to_thread(call, *arguments, user)
    except BookError as error:
        raise Refused(400, str(error)) from error
    except (sqlite3.Error, OSError) as error:
        raise Refused(500, f"The seed book cannot be used: {error}") from error


def user_of(request: web.Request) -> str:
    """Whose book it is; "" where the host has one user."""
    if not args.multi_user:
        return ""
    if not (user := asker_of(request).user):
        raise Refused(403, "user must be one that this server knows, got none")
    return user


def entry_of(live: Live, number: int) -> Entry:
    """What is known of a candidate of a search."""
    row, (prompt, _) = live.rows[number], live.queued
    about = {
        "judge": ", ".join(live.columns),
        "prompt": text_of(prompt, live.node),
        "model": models_of(prompt, live.node),
        "how": row["how"],
    }
    return Entry(
        live.recipe(live.proposed[number]),
        row["seed"],
        row["score"],
        made=time.time(),
        picture=live.picture(number, "small"),
        **{name: seed_book.UNSTORABLE.sub(" ", text)[: seed_book.LIMITS[name]] for name, text in about.items()},
    )


def text_of(prompt: Any, node: str) -> str:
    return trace_prompt(prompt, node, "positive").text or trace_prompt_of_pictures(prompt, node, "sampling").text


def models_of(prompt: Any, node: str) -> str:
    """File names of the model and its LoRAs."""
    found = [inputs_of(part).get(name) for part in ancestry(prompt, node).values() for name in MODELS]
    return ", ".join(dict.fromkeys(name for name in found if isinstance(name, str)))
