"""Requests to the pack's routes, of pages and of strangers, without a server that listens for others."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from .strategies import changed, junk, texts

PREFIX = "/noise_search/"
HELD = re.compile(r"{(\w+)}")
WORDS = (
    "finish",
    "pause",
    "continue",
    "pin",
    "unpin",
    "pick",
    "roll",
    "leave",
    "small",
    "large",
    "recipe",
    "picture",
    "export",
    "import",
)
KEYS = (
    "action",
    "candidate",
    "search",
    "page",
    "picked",
    "noises",
    "workflow",
    "query",
    "offset",
    "forget",
    "version",
    "entries",
    "prompt",
)
LONGEST = 2000  # characters of a refusal
SLOW = 20.0  # seconds for an answer, on a busy machine

segments = texts | st.sampled_from(
    [
        *WORDS,
        "..",
        "../..",
        "..\\..",
        "%2e%2e",
        "0",
        "3",
        "-1",
        "²",
        "1e9",
        "99999999999999999999",
        "..%00",
        "/etc/passwd",
    ]
)


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # encoded, with its query
    body: bytes
    kind: str


def requests(routes: list[tuple[str, str]], known: dict[str, list[str]]) -> st.SearchStrategy[Request]:
    """Requests to these (method, path) with what they hold in braces filled in: by what the server knows, or by
    anything.

    Args:
        known: Sound values by the names in the braces and by keys of bodies and queries.
    """

    def filled(path: str) -> st.SearchStrategy[str]:
        names = HELD.findall(path)
        values = st.tuples(*(sometimes(known.get(name, []), segments) for name in names))
        return values.map(
            lambda found: HELD.sub(lambda _, left=iter(found): quote(str(next(left)), safe="", errors="replace"), path)
        )

    keys = st.sampled_from(KEYS) | texts
    sound = st.fixed_dictionaries({}, optional={key: sometimes(known.get(key, WORDS), junk) for key in KEYS})
    body = (sound | st.dictionaries(keys, junk, max_size=4) | junk).map(json.dumps)
    bodies = (body | changed(body) | texts).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(
        max_size=2000
    )
    queries = st.dictionaries(
        keys, sometimes([value for values in known.values() for value in values], texts), max_size=3
    )
    kinds = st.sampled_from(
        ["application/json"] * 6
        + ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    )

    def whole(route: tuple[str, str]) -> st.SearchStrategy[Request]:
        method, path = route
        methods = st.sampled_from([method] * 6 + ["GET", "POST", "DELETE", "PUT"])
        return st.builds(lambda method, path, query, body, kind: Request(method, path + encoded(query), body, kind),
                         methods, filled(path), queries, bodies, kinds)  # fmt: skip

    return st.sampled_from(routes).flatmap(whole)


def sometimes(known, otherwise: st.SearchStrategy) -> st.SearchStrategy:
    return st.sampled_from(list(known)) | otherwise if known else otherwise


def encoded(query: dict) -> str:
    parts = [
        f"{quote(str(key), errors='replace')}={quote(str(value), errors='replace')}" for key, value in query.items()
    ]
    return "?" + "&".join(parts) if parts else ""


class Door:
    """The pack's own routes behind the host's own middleware, asked over one connection within this process."""

    def __init__(self, host):
        from aiohttp import web
        from aiohttp.test_utils import TestClient, TestServer

        self.host, self.loop = host, asyncio.new_event_loop()
        ours = [route for route in host.server.routes if getattr(route, "path", "").startswith(PREFIX)]
        self.routes = sorted((route.method, route.path) for route in ours)
        app = web.Application(middlewares=list(host.server.app.middlewares), client_max_size=2**24)
        app.add_routes(ours)
        # a browser's tests have a loop in the main one
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self._wait(self._open(app, TestClient, TestServer))

    def _wait(self, coroutine: Coroutine) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def _open(self, app, client, server) -> None:
        self.client = client(server(app))
        await self.client.start_server()

    def close(self) -> None:
        self._wait(self.client.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def ask(self, request: Request, **headers: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer."""
        return self._wait(asyncio.wait_for(self._ask(request, headers), SLOW))

    async def _ask(self, request: Request, headers: dict) -> tuple[int, str, bytes]:
        from yarl import URL

        given = {**({"Content-Type": request.kind} if request.kind else {}), **headers}
        address = URL(str(self.client.make_url("/")).rstrip("/") + request.path, encoded=True)
        async with self.client.session.request(request.method, address, data=request.body, headers=given) as answer:
            return answer.status, answer.content_type, await answer.read()

    def files(self) -> set[Path]:
        """All files of the host's base folder but what the pack itself may write: its part of the user folder and of
        the temporary one.
        """
        base = self.host.base
        own = (base / "user" / "noise_search", base / "temp" / "noise_search")
        return {path for path in base.rglob("*") if not any(part == path or part in path.parents for part in own)}


def check_request(door: Door, request: Request) -> int:
    """It is answered in time: 2xx with JSON or a JPEG, or 4xx with a few words. The status."""
    status, kind, body = door.ask(request)
    assert status < 500, (status, body[:300])
    if status >= 400:
        assert len(body) < LONGEST
        assert kind == "text/plain" or set(json.loads(body)) == {"error"}
    elif kind == "image/jpeg":
        assert body[:3] == b"\xff\xd8\xff"
    elif status != 204:
        json.loads(body)
    return status
