"""The node that finds out which verifier shares the artist's taste."""

from collections.abc import Sequence
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from ..verifiers.agreement import agreements, check_taste, read_ranking, suggest_weights, table, taste_of
from .host.graph.prompt_text import TracedPrompt, trace_prompt_of_pictures
from .host.graph.upstream import graph_around
from .host.judges.host_verifier import check_readable
from .host.judges.judging import checked, judged
from .host.judges.sorting import clip_lengths, clips_in
from .host.page.progress import say
from .inputs import frames_per_video_input, missing, only
from .sockets import CATEGORY, Verifier


class VerifierAgreementNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        template = io.Autogrow.TemplatePrefix(Verifier.Input("verifier"), prefix="verifier", min=1, max=8)
        return io.Schema(
            node_id="VerifierAgreement",
            display_name="Which judge shares my taste?",
            category=CATEGORY,
            description=(
                "Rank some pictures yourself: shows how well each verifier agrees with you, and suggests weights."
            ),
            search_aliases=["verifier agreement", "taste", "rank correlation", "calibrate judges", "spearman"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input(
                    "images",
                    lazy=True,
                    tooltip="Pictures of one prompt, a batch or a list; eight or more tell something.",
                ),
                io.Float.Input(
                    "scores",
                    optional=True,
                    force_input=True,
                    lazy=True,
                    tooltip="Instead of a ranking: one number per picture, higher is better.",
                ),
                io.Autogrow.Input("verifiers", template=template),
                io.String.Input(
                    "ranking",
                    default="",
                    tooltip=(
                        "Numbers of the pictures, counted from 1, best first, such as 3 1 4 2. "
                        "Join equally good ones: 3 1=4 2."
                    ),
                ),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip=(
                        "What the verifiers read. Empty = the positive prompt of the sampler that made the pictures."
                    ),
                ),
                frames_per_video_input(),
            ],
            outputs=[io.String.Output(display_name="weights"), io.String.Output(display_name="table")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
        )

    @classmethod
    def validate_inputs(cls, ranking=None, verifiers=None) -> bool | str:  # the host passes growing inputs asked or not
        try:
            for text in ranking or []:
                read_ranking(text or "")
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def traced(cls) -> TracedPrompt:
        return trace_prompt_of_pictures(graph_around(cls.hidden), cls.hidden.unique_id, "images")

    @classmethod
    def check_lazy_status(cls, verifiers, prompt=None, ranking=None, **rest) -> list[str]:
        judges = [
            only(values, name) for name, (values, _) in verifiers.items()
        ]  # each with the host's name of its input
        check_readable(judges, only(prompt, "prompt"), cls.traced())
        return missing(rest)

    @classmethod
    def execute(cls, images, verifiers, ranking, prompt, scores=None, frames_per_video=None) -> io.NodeOutput:
        typed = only(frames_per_video, "frames_per_video") or 0
        pictures = clips_in(images, clip_lengths(images, typed=typed))
        wanted = taste(only(ranking, "ranking"), scores, len(pictures))
        judges = [judge for name, values in verifiers.items() if (judge := only(values, name)) is not None]
        columns, notes = opinions(pictures, judges, only(prompt, "prompt"), cls.traced())
        weights = suggest_weights(columns, wanted)
        names = [judge.card.name for judge in judges]
        text = "\n".join([*notes, *table(names, agreements(columns, wanted), weights, len(pictures))])
        say(cls.hidden.unique_id, text)
        return io.NodeOutput(written(weights), text, ui={"text": [text]})


def taste(ranking: str, scores: list[float] | None, count: int) -> list[float]:
    """The artist's opinion of each picture, higher is better; an error where it is not one of all the pictures."""
    if bool(ranking.strip()) == (scores is not None):
        raise ValueError(f"either ranking or scores must be given, got {'both' if scores is not None else 'neither'}")
    wanted = taste_of(read_ranking(ranking), count) if scores is None else checked(scores, count)
    check_taste(wanted)
    return wanted


def opinions(
    pictures: list[Tensor], judges: Sequence[Any], typed: str, traced: TracedPrompt
) -> tuple[Tensor, list[str]]:
    """One score per picture and judge, `(n, k)`, and what the artist should know."""
    found = [judged(pictures, judge, typed, traced, None) for judge in judges]
    return torch.tensor([scores for _, scores, _ in found]).T, [note for _, _, notes in found for note in notes]


def written(weights: Sequence[float]) -> str:
    """Weights as the widget of Ensemble Verifier takes them."""
    return ", ".join(f"{weight:.2g}" for weight in weights)


NODES = [VerifierAgreementNode]
