"""Vision-language models behind an OpenAI-compatible server: Ollama, LM Studio, llama.cpp, vLLM, or one on the
internet.

What a server does not take (JSON schemas, probabilities, switching thoughts off) is left out of the requests after its
first refusal.
"""

import base64
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from .vlm_address import checked_url
from .vlm_chance import chance
from .vlm_chat import PERCENT, Ask, marked, schema_of
from .vlm_http import Line, Refused, ServerError, Session, Unusable
from .vlm_reply import Reply, ReplyError, spoken

log = logging.getLogger("noise_search")

SHORT = (16, 2048, 2048)  # tokens for one word, at each attempt; later ones leave room for thoughts
QUALITY = 95  # of the JPEG files
PERCENTS = (
    'How likely is it, in percent, that the answer is "{first}"?'
    ' Answer with JSON only: {{"explanation": "one sentence", "percent": a number from 0 to 100}}'
)


class ServerChat:
    """Asks a server, one request per question.

    Args:
        base_url: Such as http://127.0.0.1:11434/v1.
        model: Its name on the server; "" for the only one there.
        line: How to ask.
    """

    modules = ()

    def __init__(self, base_url: str, model: str = "", line: Line | None = None):
        self.base_url, self.model, self.line = checked_url(base_url), model.strip(), line or Line()
        self.asks_for_its_model = not self.model
        self.name = f"{self.model or 'the model'} at {self.base_url}"
        self.left_out: dict[str, int] = {}  # how far each part of the requests has been simplified
        self.gives_chances: bool | None = None  # None until the first answer

    def key(self) -> str:
        """Server and model; where no model is named, the one that the server has now, since that may be another one
        than before.
        """
        if self.asks_for_its_model:
            self._name(self._only_model())
        return f"server {self.base_url} {self.model} {self.gives_chances}"

    def replies(self, asks: Sequence[Ask], tokens: int, schema: dict[str, Any] | None) -> list[Reply]:
        answers = self._completions(asks, {"max_tokens": tokens, "response_format": schema})
        return [reply_of(answer) for answer in answers]

    def chances(self, asks: Sequence[Ask], options: tuple[str, str]) -> list[float]:
        if self.gives_chances is None:  # one alone, so that all pictures are judged in the same way
            first = self._chances(asks[:1], options)
            self.gives_chances = first is not None
            if first is None:
                log.warning(
                    "%s gives no token probabilities; it is asked for percentages instead, which are coarser.",
                    self.name,
                )
            return self.chances(asks, options) if first is None else first + (self._chances(asks[1:], options) or [])
        return self._percentages(asks, options) if not self.gives_chances else self._chances(asks, options) or []

    def _chances(self, asks: Sequence[Ask], options: tuple[str, str]) -> list[float] | None:
        """From token probabilities; None if the first server's answer ever has none."""
        done: dict[int, float] = {}
        waiting = dict(enumerate(asks))
        for tokens in SHORT:
            answers = self._completions(list(waiting.values()), {"max_tokens": tokens, "logprobs": True})
            for index, answer in zip(list(waiting), answers):
                listed = (answer.get("logprobs") or {}).get("content") or []
                if not listed and self.gives_chances is None and spoken(reply_of(answer).text):
                    return None
                value = read_chance(listed, reply_of(answer), options)
                if value is not None:
                    done[index] = value
                    del waiting[index]
            if not waiting:
                return [done[index] for index in range(len(asks))]
        if self.gives_chances is None:
            return None
        label = next(iter(waiting.values())).label
        raise ReplyError(
            f"{label}: {self.name} must answer {' or '.join(options)} with its token probabilities, but said something"
            " else"
        )

    def _percentages(self, asks: Sequence[Ask], options: tuple[str, str]) -> list[float]:
        wanted = PERCENTS.format(first=options[0])
        asks = [replace(ask, text=f"{ask.text}\n{wanted}") for ask in asks]
        return [row[0] / 100 for row in marked(self, asks, (PERCENT,), 100, schema_of((PERCENT,), explained=False))]

    def _completions(self, asks: Sequence[Ask], wants: dict[str, Any]) -> list[Mapping[str, Any]]:
        """The first choice of each answer."""
        if not self.model:
            self._name(self._only_model())
        return self.line.gather([lambda session, ask=ask: self._complete(session, ask, wants) for ask in asks])

    async def _complete(self, session: Session, ask: Ask, wants: dict[str, Any]) -> Mapping[str, Any]:
        base = {"model": self.model, "messages": messages(ask), "stream": False}
        while True:
            parts = optional(**wants)
            levels = {name: self.left_out.get(name, 0) for name in parts}
            chosen = {name: parts[name][level] for name, level in levels.items() if level < len(parts[name])}
            body = base | {key: value for fields in chosen.values() for key, value in fields.items()}
            try:
                return await session.ask(f"{self.base_url}/chat/completions", body, ask.label, choice_of)
            except Refused as error:
                self._simplify(ask, error, levels, list(chosen))

    def _simplify(self, ask: Ask, error: Refused, levels: dict[str, int], chosen: list[str]) -> None:
        """Leaves out what the server names, or else the next of what it need not take; nothing if another request has
        just done so.
        """
        said = error.said
        if any(self.left_out.get(name, 0) != level for name, level in levels.items()):
            return
        if not chosen:
            self.left_out = {}
            raise ServerError(f"{ask.label}: {self.name} takes no such request: {error}")
        named = [
            name
            for name in chosen
            if name in said or (name == "response_format" and ("schema" in said or "grammar" in said))
        ]
        self.left_out[(named or chosen)[0]] = levels[(named or chosen)[0]] + 1

    def _name(self, model: str) -> None:
        """Another model may take what the one before refused."""
        if model != self.model:
            self.model, self.left_out, self.gives_chances = model, {}, None

    def _only_model(self) -> str:
        url = f"{self.base_url}/models"
        try:
            (names,) = self.line.gather([lambda session: session.ask(url, None, "the list of models", names_of)])
        except Refused as error:
            raise ServerError(f"the list of models: {url} gave {error}") from None
        if len(names) != 1:
            raise ServerError(f"model_name must be given, because {self.base_url} has {len(names) or 'no'} models")
        return names[0]


def optional(
    max_tokens: int, response_format: dict[str, Any] | None = None, logprobs: bool = False
) -> dict[str, tuple[dict[str, Any], ...]]:
    """Parts of a request that a server may refuse, each with what to try in turn; those that matter least come
    first.
    """
    parts: dict[str, tuple[dict[str, Any], ...]] = {
        "chat_template_kwargs": ({"chat_template_kwargs": {"enable_thinking": False}},),
        "reasoning_effort": ({"reasoning_effort": "none"},),
        "seed": ({"seed": 0},),
    }
    if response_format is not None:
        named = {"name": "marks", "schema": response_format, "strict": True}
        forms = ({"type": "json_schema", "json_schema": named}, {"type": "json_object"})
        parts["response_format"] = tuple({"response_format": form} for form in forms)
    if logprobs:
        parts["logprobs"] = tuple({"logprobs": True, "top_logprobs": count} for count in (20, 5))
    parts["temperature"] = ({"temperature": 0},)
    parts["max_tokens"] = ({"max_tokens": max_tokens}, {"max_completion_tokens": max_tokens})
    return parts


def messages(ask: Ask) -> list[dict[str, Any]]:
    pictures = [{"type": "image_url", "image_url": {"url": data_uri(picture)}} for picture in ask.pictures]
    talk: list[dict[str, Any]] = [{"role": "user", "content": [*pictures, {"type": "text", "text": ask.text}]}]
    if ask.earlier is not None:
        reply, complaint = ask.earlier
        talk += [{"role": "assistant", "content": reply or "(no answer)"}, {"role": "user", "content": complaint}]
    return talk


def data_uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def choice_of(answer: Any) -> Mapping[str, Any]:
    """The first choice of a completion."""
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, Mapping) or not isinstance(first.get("message"), Mapping):
        raise Unusable("JSON that is no chat completion")
    return first


def reply_of(choice: Mapping[str, Any]) -> Reply:
    content = choice["message"].get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return Reply(content if isinstance(content, str) else "", choice.get("finish_reason") == "length")


def read_chance(listed: Any, reply: Reply, options: tuple[str, str]) -> float | None:
    try:
        return chance(listed, reply.text, options) if listed and spoken(reply.text) else None
    except (KeyError, TypeError, ValueError, AttributeError):  # probabilities in a form that is not OpenAI's
        return None


def names_of(answer: Any) -> list[str]:
    entries = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(entries, list):
        raise Unusable("JSON that is no list of models")
    return [str(entry["id"]) for entry in entries if isinstance(entry, Mapping) and "id" in entry]
