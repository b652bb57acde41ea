"""Vision-language models on this machine: any that transformers' AutoModelForImageTextToText knows, such as Qwen3-VL,
from a folder.
"""

from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .base import home
from .pretrained import load_pretrained
from .transformers_folder import CONFIG, read_json, transformers
from .vlm_chat import Ask
from .vlm_reply import Reply
from .weights import WeightsError


class LocalChat:
    """Asks a model in this process; questions of the same words and sizes go in one batch, which needs no padding.

    Args:
        name: For messages.
        model: An image-text-to-text model of transformers.
        processor: Its processor, with a chat template.
        check: Called for every new token; raises to stop.
    """

    def __init__(self, name: str, model: Any, processor: Any, check: Callable[[], None] = lambda: None):
        self.name, self.model, self.processor, self.check = name, model, processor, check
        self.modules: tuple[nn.Module, ...] = (model,)

    @classmethod
    def load(cls, folder: Path | str, check: Callable[[], None] = lambda: None) -> "LocalChat":
        """Read a folder as published on a model hub; no program in it is run, and nothing is downloaded."""
        folder, library = Path(folder), transformers()
        if not is_vision_language(folder):
            kind = read_json(folder / CONFIG).get("model_type")
            raise WeightsError(f"{folder.name} must be a vision-language model of transformers, got {kind}")
        try:
            processor = library.AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            model = load_pretrained(
                library.AutoModelForImageTextToText,
                folder,
                folder.name,
                extra=True,
                use_safetensors=True,
                **_as_stored(library),
            )
        except (OSError, ValueError) as error:
            if isinstance(error, WeightsError):
                raise
            reason = str(error).strip().splitlines()[0]
            raise WeightsError(
                f"{folder.name} does not open with transformers {library.__version__}: {reason}"
            ) from error
        return cls(folder.name, model, processor, check)

    def replies(self, asks: Sequence[Ask], tokens: int, schema: dict[str, Any] | None) -> list[Reply]:
        return self._in_batches(asks, lambda batch: self._replies(batch, tokens))

    def chances(self, asks: Sequence[Ask], options: tuple[str, str]) -> list[float]:
        first, second = self._tokens(options)
        return self._in_batches(asks, lambda batch: self._chances(batch, first, second))

    def _in_batches(self, asks: Sequence[Ask], answer: Callable[[list[Ask]], list]) -> list:
        """Answers in order; `answer` gets questions that differ in nothing but the pictures."""
        batches: dict[tuple, list[int]] = {}
        for index, ask in enumerate(asks):
            batches.setdefault((ask.text, ask.earlier, tuple(picture.size for picture in ask.pictures)), []).append(
                index
            )
        found: dict[int, Any] = {}
        for places in batches.values():
            self.check()
            found.update(zip(places, answer([asks[place] for place in places])))
        return [found[index] for index in range(len(asks))]

    def _chances(self, asks: list[Ask], first: list[int], second: list[int]) -> list[float]:
        inputs = self._inputs(asks)
        if "logits_to_keep" in signature(self.model.forward).parameters:
            inputs["logits_to_keep"] = 1
        logits = self.model(**inputs, use_cache=False).logits[:, -1].cpu().double()
        return torch.sigmoid(logits[:, first].logsumexp(1) - logits[:, second].logsumexp(1)).tolist()

    def _replies(self, asks: list[Ask], tokens: int) -> list[Reply]:
        inputs = self._inputs(asks)
        output = self.model.generate(**inputs, max_new_tokens=tokens, do_sample=False, stopping_criteria=[self._stop])
        new = output[:, inputs["input_ids"].shape[1] :]
        ends = set(_listed(self.model.generation_config.eos_token_id))
        spoken = self.processor.batch_decode(new, skip_special_tokens=True)
        return [Reply(text, not ends & set(row.tolist())) for text, row in zip(spoken, new)]

    def _stop(self, ids: Tensor, scores: Tensor, **rest: Any) -> Tensor:
        self.check()
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    def _inputs(self, asks: list[Ask]) -> dict[str, Any]:
        texts = [
            self.processor.apply_chat_template(talk(ask), add_generation_prompt=True, tokenize=False) for ask in asks
        ]
        inputs = self.processor(text=texts, images=[list(ask.pictures) for ask in asks], return_tensors="pt")
        return dict(inputs.to(*home(self.modules)))

    def _tokens(self, options: tuple[str, str]) -> list[list[int]]:
        """Token ids of each option, however it is spelled."""
        tokenizer = self.processor.tokenizer
        found = []
        for option in options:
            words = {option, option.lower(), option.capitalize(), option.upper()} if len(option) > 1 else {option}
            spelled = [
                tokenizer.encode(f"{space}{word}", add_special_tokens=False)
                for word in sorted(words)
                for space in ("", " ")
            ]
            found.append(sorted({ids[0] for ids in spelled if len(ids) == 1 and ids[0] != tokenizer.unk_token_id}))
        if not all(found) or set(found[0]) & set(found[1]):
            raise WeightsError(
                f"{self.name} must know {' and '.join(options)} as single tokens, but its tokenizer splits them"
            )
        return found


def talk(ask: Ask) -> list[dict[str, Any]]:
    """A question in the form that chat templates take."""
    content: list[dict[str, Any]] = [{"type": "image"} for _ in ask.pictures]
    messages = [{"role": "user", "content": [*content, {"type": "text", "text": ask.text}]}]
    if ask.earlier is not None:
        for role, text in zip(("assistant", "user"), ask.earlier):
            messages.append({"role": role, "content": [{"type": "text", "text": text}]})
    return messages


def is_vision_language(folder: Path) -> bool:
    """Whether a folder holds a vision-language model, as far as its config says."""
    try:
        config = read_json(folder / CONFIG)
    except (WeightsError, OSError):
        return False
    names = config.get("architectures") or [""]
    return "vision_config" in config and str(names[0]).endswith(
        ("ForConditionalGeneration", "ForImageTextToText", "ForCausalLM")
    )


def _as_stored(library: Any) -> dict[str, str]:
    """Loads weights in the precision of the files, under the name of that option."""
    version = tuple(int(part) for part in library.__version__.split(".")[:2])
    return {"dtype" if version >= (4, 56) else "torch_dtype": "auto"}


def _listed(value: int | list[int] | None) -> list[int]:
    return [] if value is None else [value] if isinstance(value, int) else value
