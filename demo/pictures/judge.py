"""A judge that can be asked like a vision-language model on a server, for pictures of the nodes that ask one."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image


@contextlib.contextmanager
def asked_judge() -> Iterator[str]:
    """Address of the server while it runs: it finds the tidier picture the better one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        shown = [
            part
            for part in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
            if part["type"] == "image_url"
        ]
        tidy = [tidiness(part["image_url"]["url"]) for part in shown]
        yes, words = (tidy[0], ("Yes", "No")) if len(tidy) == 1 else (0.5 + (tidy[0] - tidy[1]) / 2, ("A", "B"))
        self.answer(chosen(min(max(yes, 0.02), 0.98), words))

    def answer(self, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments) -> None:
        pass


def tidiness(url: str) -> float:
    """How compact the colored shapes of a picture are, 0 to 1: their area against the length of their outline."""
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("HSV").resize((64, 64)))
    colored = pixels[..., 1] > 100
    outline = (colored[1:] != colored[:-1]).sum() + (colored[:, 1:] != colored[:, :-1]).sum()
    return min(1.0, float(colored.sum() / (outline + 1)) / 5)


def chosen(first: float, words: tuple[str, str]) -> dict:
    """An answer of one word, with the probabilities of both."""
    word = words[0] if first >= 0.5 else words[1]
    listed = [{"token": name, "logprob": math.log(share)} for name, share in zip(words, (first, 1 - first))]
    entry = {"token": word, "logprob": max(one["logprob"] for one in listed), "top_logprobs": listed}
    return {
        "choices": [
            {
                "message": {"role": "assistant", "content": word},
                "finish_reason": "stop",
                "logprobs": {"content": [entry]},
            }
        ]
    }
