"""The node that stops and asks which pictures go on."""

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from .host.graph.node_copy import Spot
from .host.graph.prompt_text import trace_prompt_of_pictures
from .host.graph.rerolls import Rolling
from .host.graph.results import keep
from .host.graph.upstream import graph_around
from .host.judges.host_verifier import check_readable
from .host.judges.judging import judged
from .host.judges.sorting import clip_lengths, clips_in, sort_images, sort_latents, sort_noises, sort_values
from .host.page.choice import Choice, checked_picks, read_choice
from .host.page.human_pick import Pick, changed
from .host.page.messages import PickFacts
from .host.page.pages import asked_anew
from .host.page.question import WHY, Answer
from .inputs import frames_per_video_input, missing, only, sorted_outputs, unconnected
from .sockets import CATEGORY, Verifier

PICKED = ("Human Pick", "picked along")
RIDING = ("images", "latents", "noises", "seeds", "scores")  # inputs that a roll makes again


class HumanPickNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HumanPick",
            display_name="Human Pick",
            category=CATEGORY,
            description=(
                "Stops and shows the pictures, or the videos as they move: click those that go on, best first, or have"
                " others made."
            ),
            search_aliases=[
                "choose image",
                "image chooser",
                "image filter",
                "pick image",
                "select image",
                "pause",
                "preview chooser",
                "human in the loop",
                "roll again",
                "reroll",
                "picker",
                "gallery",
                "favorites",
                "filter images",
            ],
            is_input_list=True,
            enable_expand=True,
            inputs=[
                io.Image.Input(
                    "images",
                    lazy=True,
                    tooltip="Pictures or videos to pick from, a batch or a list; sizes may differ in a list.",
                ),
                Verifier.Input(
                    "verifier",
                    optional=True,
                    lazy=True,
                    tooltip="Shows its scores, and picks where nobody does. Without one that is the first picture.",
                ),
                io.Latent.Input("latents", optional=True, lazy=True, tooltip="One per picture, picked along."),
                io.Noise.Input(
                    "noises", optional=True, lazy=True, tooltip="The noise that the pictures came from, picked along."
                ),
                io.Int.Input(
                    "seeds", optional=True, force_input=True, lazy=True, tooltip="One per picture, picked along."
                ),
                io.Float.Input(
                    "scores",
                    optional=True,
                    force_input=True,
                    lazy=True,
                    tooltip="One per picture, instead of a verifier; higher is better.",
                ),
                io.Float.Input(
                    "timeout",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=0.5,
                    tooltip=(
                        "Minutes to wait for your answer; then the verifier's best goes on. 0 = as long as a page that"
                        " shows them is open."
                    ),
                ),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip=(
                        "What the verifier reads. Empty = the positive prompt of the sampler that made the pictures."
                    ),
                ),
                io.String.Input(
                    "choice",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Empty = you are asked. Filled, such as 3, 1 or roll 2: 3, 1 = these go on and nobody is asked."
                        " Saved pictures carry it."
                    ),
                ),
                frames_per_video_input(),
            ],
            outputs=[
                *sorted_outputs(),
                io.Int.Output(
                    display_name="picked",
                    is_output_list=True,
                    tooltip="Places of the picked pictures among those that came in, counted from 0, best first.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    def validate_inputs(cls, choice=None) -> bool | str:
        try:
            read_choice(only(choice, "choice") or "")  # None: it is linked, and known only when the workflow runs
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, choice=None, **inputs) -> list:
        """Nothing of its own where the choice is typed; else the host's cache answers until somebody else, or nobody,
        was asked.
        """
        return ["typed"] if only(choice, "choice") else list(asked_anew(str(cls.hidden.unique_id)))

    @classmethod
    def check_lazy_status(cls, choice=None, prompt=None, **inputs) -> list[str]:
        spot = Spot(cls.hidden)
        if read_choice(only(choice, "choice") or "").roll and not spot.depth:
            return []  # other pictures than these are asked for
        waiting = missing(inputs)
        if "verifier" in waiting:
            return ["verifier"]
        traced = trace_prompt_of_pictures(graph_around(cls.hidden), spot.node, "images")
        check_readable([only(inputs.get("verifier"), "verifier")], only(prompt, "prompt"), traced)
        return waiting

    @classmethod
    async def execute(cls, images, timeout, prompt, choice=None, verifier=None, latents=None, noises=None, seeds=None,
                      scores=None, frames_per_video=None) -> io.NodeOutput:  # fmt: skip
        spot, wanted = Spot(cls.hidden), read_choice(only(choice, "choice") or "")
        rolling = Rolling(spot.graph, spot.node, RIDING)
        if wanted.roll and not spot.depth:
            return rolled(rolling, wanted)
        lengths = clip_lengths(images, latents, only(frames_per_video, "frames_per_video") or 0)
        pictures = clips_in(images, lengths)
        facts, found, fallback = looked_at(
            cls.hidden, spot, pictures, only(verifier, "verifier"), only(prompt, "prompt"), scores
        )
        riding = {"images": images, "latents": latents, "noises": noises, "seeds": seeds}
        # what does not belong together is refused before anybody is asked
        picked_from(riding, lengths, range(len(pictures)), len(pictures))
        facts["roll"], facts["rollable"] = wanted.roll, rolling.possible
        facts["seeds"] = [str(seed) for seed in seeds or ()]
        if wanted.picked:
            answer = Answer(checked_picks(wanted.picked, len(pictures)), why="typed")
            changed(cls.hidden, spot.node, wanted.roll, answer)
        else:
            answer = await Pick(cls.hidden, spot.node, spot.shown, pictures, facts, fallback).ask(
                only(timeout, "timeout")
            )
        if answer.roll:
            return rolled(rolling, Choice(wanted.roll + 1))
        keep(cls.hidden, spot.node, str(Choice(wanted.roll, answer.picked)))
        outputs = [
            *picked_from(riding, lengths, answer.picked, len(pictures)),
            (
                sort_values(found, answer.picked, "scores", len(pictures))
                if found
                else unconnected("a verifier or scores", *PICKED)
            ),
            list(answer.picked),
        ]
        shown = {"picked": answer.picked, "by": answer.by, "why": answer.why, "roll": wanted.roll, "of": len(pictures)}
        return io.NodeOutput(*map(spot.handed_up, outputs), ui={"text": [sentence(answer, wanted.roll, len(pictures))],
                                                                "noise_search_pick": [shown]})  # fmt: skip


def rolled(rolling: Rolling, wanted: Choice) -> io.NodeOutput:
    """Has the host make other pictures, and asks again with them."""
    if not rolling.possible:
        raise ValueError("choice must be without a roll where no seed makes the pictures, got " + repr(str(wanted)))
    graph, name = rolling.copies(wanted.roll, {"choice": str(wanted)})
    return io.NodeOutput(*([name, slot] for slot in range(len(HumanPickNode.GET_SCHEMA().outputs))), expand=graph)


def looked_at(
    hidden: Any, spot: Spot, pictures: list, judge: Any, typed: str, scores: list | None
) -> tuple[PickFacts, list[float], Answer]:
    """What a page shows beside the pictures, their scores, and what is taken where nobody answers."""
    if judge is None and scores is None:
        return pick_facts(), [], Answer((0,), "first")
    values, found, notes = judged(
        pictures, judge, typed, trace_prompt_of_pictures(graph_around(hidden), spot.node, "images"), scores
    )
    columns = list(judge.columns) if judge is not None else ["score"]
    best = max(range(len(found)), key=found.__getitem__)
    facts = pick_facts(columns=columns, values=values, scores=found, notes=notes)
    return facts, found, Answer((best,), "scores" if judge is None else "verifier")


def pick_facts(columns: Sequence = (), values: Sequence = (), scores: Sequence = (), notes: Sequence = ()) -> PickFacts:
    """What is shown beside the pictures, before it is known whether they were rolled."""
    said = [list(one) for one in (columns, values, scores, notes)]
    return PickFacts(columns=said[0], values=said[1], scores=said[2], notes=said[3], roll=0, rollable=False, seeds=[])


def picked_from(riding: dict[str, Any], lengths: Sequence[int], picked: Any, count: int) -> list[list]:
    images, latents, noises, seeds = riding.values()
    return [
        sort_images(images, picked, lengths, count),
        sort_latents(latents, picked, count, lengths) if latents else unconnected("latents", *PICKED),
        sort_noises(noises, picked, count) if noises else unconnected("noises", *PICKED),
        sort_values(seeds, picked, "seeds", count) if seeds else unconnected("seeds", *PICKED),
    ]


def sentence(answer: Answer, roll: int, count: int) -> str:
    """One sentence for the node's text."""
    who = {"artist": "You", "verifier": "The verifier", "scores": "The best score", "first": "The first picture"}[
        answer.by
    ]
    names = ", ".join(f"#{place + 1}" for place in answer.picked)
    what = "goes on: " + names if answer.by in ("scores", "first") else "picked " + names
    return f"{who} {what} of {count}{f', roll {roll}' if roll else ''}{f' ({WHY[answer.why]})' if answer.why else ''}."


NODES = [HumanPickNode]
