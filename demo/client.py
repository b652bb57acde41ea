"""Talks to a running ComfyUI: queues prompts, follows their events, fetches pictures."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

END = ("execution_success", "execution_error", "execution_interrupted")


@dataclass
class Result:
    """What became of one prompt: per node what it shows (`outputs`), or one text that says what went wrong
    (`error`).
    """

    outputs: dict[str, dict] = field(default_factory=dict)
    error: str | None = None
    node_errors: dict[str, dict] = field(default_factory=dict)
    events: list[tuple[str, dict]] = field(default_factory=list)
    kept: dict[str, list] = field(default_factory=dict)  # in-process host only: what ToyKeep nodes received
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error is None

    def named(self, event: str) -> list[dict]:
        """The data of every event of that name, in order."""
        return [data for name, data in self.events if name == event]


def refusal(error: dict | None, node_errors: dict | None) -> str:
    """The host's two error objects for a prompt that it will not run, as one text."""
    details = [
        f"node {node} ({entry.get('class_type')}): {problem['message']}: {problem['details']}"
        for node, entry in (node_errors or {}).items()
        for problem in entry["errors"]
    ]
    return "\n".join(
        [f"{error.get('message')}: {error.get('details')}" if isinstance(error, dict) else str(error), *details]
    )


def failure(event: str, data: dict) -> str | None:
    """The text of the event that ended a prompt; None for a success."""
    if event == "execution_error":
        return (
            f"node {data['node_id']} ({data['node_type']}): {data['exception_type']}:"
            f" {data['exception_message'].strip()}"
        )
    return "interrupted" if event == "execution_interrupted" else None


class Client:
    """One browser's worth of a running server: requests, and events over a websocket."""

    def __init__(self, url: str):
        self.url, self.id, self.socket = url, uuid.uuid4().hex, None

    def request(self, path: str, body: object = None, method: str | None = None, timeout: float = 60) -> bytes:
        """GET, or POST of `body` as JSON; the answer's bytes."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, headers={"Content-Type": "application/json"}, method=method
        )
        return urllib.request.urlopen(request, timeout=timeout).read()

    def json(self, path: str, body: object = None, method: str | None = None):
        """As `request`; the answer decoded, None if it is empty."""
        answer = self.request(path, body, method)
        return json.loads(answer) if answer else None

    def as_page(self, path: str) -> str:
        """An address of the pack, asked as the page that this client is."""
        return f"{path}{'&' if '?' in path else '?'}page={self.id}"

    def connect(self) -> None:
        """Opens the websocket; `queue` does it where needed."""
        if self.socket is None:
            import websocket

            self.socket = websocket.create_connection(
                f"{self.url.replace('http', 'ws', 1)}/ws?clientId={self.id}", timeout=10
            )

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def queue(self, prompt: dict, workflow: dict | None = None) -> tuple[str | None, Result]:
        """Queues an API prompt: its id, or None and a Result that says why it was refused."""
        self.connect()
        body = {"prompt": prompt, "client_id": self.id}
        if workflow is not None:
            body["extra_data"] = {"extra_pnginfo": {"workflow": workflow}}
        try:
            return self.json("/prompt", body)["prompt_id"], Result()
        except urllib.error.HTTPError as answer:
            if answer.code != 400:
                raise
            text = json.loads(answer.read())
            return None, Result(
                error=refusal(text.get("error"), text.get("node_errors")), node_errors=text.get("node_errors") or {}
            )

    def wait(
        self, prompt_id: str, *, on_event: Callable[[str, dict], None] = lambda name, data: None, timeout: float = 600
    ) -> Result:
        """Reads events until the prompt has ended. `on_event(name, data)` sees each; binary previews come as ("binary",
        {"bytes": ...}).
        """
        import websocket

        result, started = Result(), time.monotonic()
        while time.monotonic() - started < timeout:
            try:
                message = self.socket.recv()
            except websocket.WebSocketTimeoutException:
                continue
            event = json.loads(message) if isinstance(message, str) else {"type": "binary", "data": {"bytes": message}}
            name, data = event["type"], event.get("data") or {}
            result.events.append((name, data))
            on_event(name, data)
            if name in END and data.get("prompt_id") == prompt_id:
                result.error = failure(name, data)
                result.outputs = self.history(prompt_id)["outputs"]
                result.seconds = time.monotonic() - started
                return result
        raise TimeoutError(f"prompt {prompt_id} did not end within {timeout:.0f} s")

    def history(self, prompt_id: str, patience: float = 30) -> dict:
        """The host's record of a prompt that has ended; it is written a moment after the event that says so."""
        deadline = time.monotonic() + patience
        while not (entry := self.json(f"/history/{prompt_id}").get(prompt_id)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the host kept no record of prompt {prompt_id}")
            time.sleep(0.02)
        return entry

    def run(self, prompt: dict, workflow: dict | None = None, **wait) -> Result:
        """Queues an API prompt and waits for its end."""
        prompt_id, refused = self.queue(prompt, workflow)
        return refused if prompt_id is None else self.wait(prompt_id, **wait)

    def image(self, entry: dict) -> bytes:
        """The file behind one entry of a node's `images` output."""
        return self.request(
            "/view?" + urllib.parse.urlencode({key: entry[key] for key in ("filename", "subfolder", "type")})
        )

    def interrupt(self) -> None:
        self.request("/interrupt", {})
