"""An OpenAI-compatible server in this process that does whatever a test wants, well or badly."""

import base64
import io
import json
import math
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

ASPECTS = (
    "Accuracy to prompt",
    "Creativity and originality",
    "Visual quality and realism",
    "Consistency and cohesion",
    "Emotional or thematic resonance",
)


@dataclass
class Answer:
    """What goes over the wire: `drop` closes the connection instead, `hang` waits for the end of the test."""

    body: object = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    kind: str = "application/json"
    drop: bool = False
    hang: bool = False


class FakeServer:
    """Answers by `script(body, number)`, the number counting requests from 0."""

    def __init__(self, script: Callable[[dict, int], Answer]):
        self.script, self.requests, self.over, self.lock = script, [], threading.Event(), threading.Lock()
        self.at_once = self.most_at_once = self.connections = 0
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self):
                server.connections += 1
                super().setup()

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                self.serve(json.loads(self.rfile.read(length)))

            def do_GET(self):
                self.serve({})

            def serve(self, body):
                with server.lock:
                    number = len(server.requests)
                    server.requests.append((self.path, dict(self.headers), body))
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                try:
                    self.write(server.script(body, number))
                finally:
                    with server.lock:
                        server.at_once -= 1

            def write(self, answer):
                if answer.hang:
                    server.over.wait(30)
                if answer.hang or answer.drop:
                    self.close_connection = True
                    self.connection.close()
                    return
                data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in {
                    "Content-Type": answer.kind,
                    "Content-Length": str(len(data)),
                    **answer.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments):
                pass

            def finish(self):
                if not self.connection._closed:
                    super().finish()

        return Handler

    def bodies(self):
        return [body for _, _, body in self.requests]


@contextmanager
def serving(script):
    server = FakeServer(script)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.http.shutdown()
        server.http.server_close()


def says(text, finish="stop", **message) -> Answer:
    return Answer(
        {"choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}]}
    )


def token(text, **others):
    """One entry of logprobs: the token, and other tokens with their probabilities."""
    listed = [{"token": name, "logprob": math.log(value)} for name, value in others.items()]
    return {"token": text, "logprob": math.log(others.get(text, 1.0)), "top_logprobs": listed}


def likely(yes, words=("Yes", "No")) -> Answer:
    """An answer of one word with its probabilities."""
    word = words[0] if yes >= 0.5 else words[1]
    entry = token(word, **{words[0]: yes * 0.98, words[1]: (1 - yes) * 0.98, "Maybe": 0.02})
    answer = says(word)
    answer.body["choices"][0]["logprobs"] = {"content": [entry]}
    return answer


def rubric(*scores):
    """The rubric as JSON text."""
    return json.dumps({name: {"explanation": "Seen.", "score": score} for name, score in zip(ASPECTS, scores)})


def pictures_of(body) -> list[Image.Image]:
    """The pictures of a request, as the server would decode them."""
    found = []
    for part in body["messages"][0]["content"]:
        if part["type"] == "image_url":
            head, data = part["image_url"]["url"].split(",")
            assert head == "data:image/jpeg;base64"
            found.append(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


def text_of(body) -> str:
    return body["messages"][0]["content"][-1]["text"]


def brightness(picture) -> float:
    """Mean brightness, 0 to 1."""
    grey = list(picture.convert("L").getdata())
    return sum(grey) / len(grey) / 255
