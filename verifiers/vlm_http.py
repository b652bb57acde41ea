"""Requests to an OpenAI-compatible server: several at a time, with time-outs, retries and a cap, and stopped at once
when asked to.

Nothing that a server says stands in an error: the address may have come with a workflow from elsewhere, and the error
goes back to who queued it.
"""

import asyncio
import contextlib
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp

POLL = 0.05  # seconds between looks at whether to stop
LONGEST_PAUSE = 300.0  # seconds that a server may ask to wait
LARGEST = 8 * 2**20  # bytes of an answer
BUSY = (408, 409, 425, 429, 500, 502, 503, 504, 529)
Result = TypeVar("Result")


class ServerError(RuntimeError):
    """A server that gave no usable answer, after all attempts."""


class Refused(Exception):
    """A request that the server does not take as it is.

    Args:
        reason: The status, and what is known of why.
        said: The server's own words, for looking up what it names, and for nobody's eyes.
    """

    def __init__(self, reason: str, said: str):
        super().__init__(reason)
        self.said = said


class Unusable(Exception):
    """An answer that may be better next time.

    Args:
        reason: What came back.
        pause: Seconds that the server asks to wait, if it does.
    """

    def __init__(self, reason: str, pause: float | None = None):
        super().__init__(reason)
        self.pause = pause


@dataclass
class Line:
    """The line to one server.

    Args:
        parallel: Requests at a time.
        timeout: Seconds that one may take.
        retries: Further attempts after one that failed.
        most: Requests per run, retries included.
        pause: Seconds before the first retry; doubled for every further one.
        key: Sent as bearer token; "" for none.
        check: Called often while waiting; raises to stop everything.
        run: Names the present run; requests are counted anew when it changes.
    """

    parallel: int = 4
    timeout: float = 120.0
    retries: int = 4
    most: int = 1000
    pause: float = 1.0
    key: str = ""
    check: Callable[[], None] = lambda: None
    run: Callable[[], object] = lambda: None
    sent: int = field(default=0, init=False)
    counted: object = field(default=None, init=False)

    def __post_init__(self):
        for name, least in (("parallel", 1), ("retries", 0), ("most", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.timeout <= 0:
            raise ValueError(f"timeout must be above 0 seconds, got {self.timeout}")

    def gather(self, work: Sequence[Callable[["Session"], Awaitable[Result]]]) -> list[Result]:
        """Results of all the work, in order; the first error stops the rest."""
        if (run := self.run()) != self.counted:
            self.sent, self.counted = 0, run
        return waited(self._all(work), self.check)

    async def _all(self, work: Sequence[Callable[["Session"], Awaitable[Result]]]) -> list[Result]:
        gate = asyncio.Semaphore(self.parallel)
        limits = aiohttp.ClientTimeout(total=self.timeout)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        async with aiohttp.ClientSession(timeout=limits, headers=headers) as client:

            async def gated(each: Callable[["Session"], Awaitable[Result]]) -> Result:
                async with gate:
                    return await each(Session(self, client))

            tasks = [asyncio.ensure_future(gated(each)) for each in work]
            try:
                return list(await asyncio.gather(*tasks))
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Session:
    """One worker's use of a line."""

    line: Line
    client: aiohttp.ClientSession

    async def ask(self, url: str, body: dict[str, Any] | None, label: str, use: Callable[[Any], Result]) -> Result:
        """What `use` makes of the server's JSON answer; it raises Unusable for an answer that should be asked for
        again.
        """
        for attempt in range(self.line.retries + 1):
            if self.line.sent >= self.line.most:
                raise ServerError(
                    f"{label}: the run has made its {self.line.most} requests to {url}; allow more, or judge fewer"
                    " pictures"
                )
            self.line.sent += 1
            try:
                return use(await self._answer(url, body, label))
            except asyncio.TimeoutError:
                reason, pause = f"no answer within {self.line.timeout:g} seconds", None
            except aiohttp.ClientError as error:
                reason, pause = f"the connection failed ({error or type(error).__name__})", None
            except Unusable as error:
                reason, pause = str(error), error.pause
            if pause is not None and pause > LONGEST_PAUSE:
                raise ServerError(f"{label}: {url} asks to wait {pause:.0f} seconds: {reason}")
            if attempt < self.line.retries:
                await asyncio.sleep(min(self.line.pause * 2**attempt, 60.0) if pause is None else pause)
        raise ServerError(f"{label}: {url} gave no usable answer in {self.line.retries + 1} attempts: {reason}")

    async def _answer(self, url: str, body: dict[str, Any] | None, label: str) -> Any:
        method = "GET" if body is None else "POST"
        async with self.client.request(method, url, json=body, allow_redirects=False) as response:
            text = (await _read(response)).decode("utf-8", errors="replace")
            _check_status(response, text, f"{label}: {url}")
        try:
            return json.loads(text)
        except ValueError as error:
            raise Unusable(f"an answer of {len(text)} characters that is no JSON") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(2**16):
        content += chunk
        if len(content) > LARGEST:
            raise Unusable(f"more than {LARGEST} bytes")
    return bytes(content)


def _check_status(response: aiohttp.ClientResponse, text: str, where: str) -> None:
    status, reason = response.status, f"status {response.status}{_known_reason(text)}"
    if 200 <= status < 300:
        return
    if status in (400, 413, 415, 422) or (
        status == 500 and any(word in text for word in ("response_format", "schema", "grammar", "logprobs"))
    ):
        raise Refused(reason, text)
    if status in BUSY:
        raise Unusable(reason, _asked_pause(response.headers.get("Retry-After", "")))
    key = " (its key belongs into NOISE_SEARCH_API_KEY, its host name into NOISE_SEARCH_API_HOST)"
    hint = {401: key, 403: key, 404: " (is the address right, and the model there?)"}
    raise ServerError(f"{where} gave {reason}{hint.get(status, '')}")


KNOWN_REASONS = {  # words of servers -> ours
    r"context|too long|maximum.{0,20}tokens": "more than its context holds: a smaller picture_size may fit",
    r"model.{0,60}(not (found|exist)|does not exist|pull)": "it does not have that model",
    r"image|vision|multimodal|mmproj": "its model may not take pictures of this kind or size",
    r"memory": "it ran out of memory",
}


def _known_reason(text: str) -> str:
    """What a server complains of, in our words."""
    return next((f" ({ours})" for theirs, ours in KNOWN_REASONS.items() if re.search(theirs, text, re.IGNORECASE)), "")


def _asked_pause(header: str) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date; None without one that can be read."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def waited(work: Coroutine[Any, Any, Result], check: Callable[[], None]) -> Result:
    """The result of work that runs in a thread of its own, since this one may have a running loop; `check` may raise to
    stop it.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    thread = threading.Thread(target=_spin, args=(loop, task), daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(POLL)
            check()
    except BaseException:
        with contextlib.suppress(RuntimeError):  # it ended in this moment
            loop.call_soon_threadsafe(task.cancel)
        thread.join(2)
        raise
    return task.result()


def _spin(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Any]") -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(asyncio.wait([task]))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
