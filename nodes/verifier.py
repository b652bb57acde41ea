"""Nodes that load, join and use what judges pictures."""

from comfy_api.latest import io

from ..verifiers.catalogue import WITHOUT_FILES
from ..verifiers.clips import EVENLY, HOW, MOST, Frames
from ..verifiers.combine import COMBINATIONS
from ..verifiers.ensemble import Ensemble
from ..verifiers.focus import Adjusted
from ..verifiers.published import PUBLISHED
from .host.graph.prompt_text import TracedPrompt, trace_prompt_of_pictures
from .host.graph.upstream import graph_around
from .host.judges import model_files as files
from .host.judges.host_verifier import check_readable
from .host.judges.judging import Crop, judged, table
from .host.judges.sorting import clip_lengths, clips_in, sort_images, sort_latents, sort_noises, sort_values
from .host.page.progress import say
from .inputs import frames_per_video_input, missing, numbers, only, sorted_outputs, unconnected
from .sockets import CATEGORY, Verifier

SORTED = ("Verifier Score", "sorted")
KNOWN = "; ".join(f"{known.name} ({known.about}; {known.licence})" for known in PUBLISHED)

SCALES = (
    "Higher is better. Values, typical spread among pictures of a prompt, tokens read: CLIP 15 to 40, 3, 75; SigLIP 0"
    " to 20, 3, 63; ImageReward -2.3 to 2, 0.5, 33; PickScore 18 to 24, 0.6, 75; HPS 0.14 to 0.34, 0.008, 75; LAION"
    " 4 to 7, 0.4; Aesthetic V2.5 1 to 10, 0.6; safety 0 to 1, 0.1; technical 0 or below, 0.5; temporal consistency of"
    " videos 0 to 1, 0.1. All of these are light: milliseconds on a GPU."
)


class LoadVerifierNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LoadVerifier",
            display_name="Load Verifier",
            category=CATEGORY,
            description=(
                "Loads what judges pictures, from models/verifiers. Nothing is downloaded: entries marked missing "
                "say what to get."
            ),
            search_aliases=[
                "judge",
                "reward model",
                "clip score",
                "siglip",
                "image reward",
                "pickscore",
                "hps",
                "aesthetic score",
                "nsfw",
                "safety",
                "sharpness",
                "technical quality",
                "scorer",
                "video",
                "motion",
                "flicker",
            ],
            inputs=[
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="Only for LAION aesthetic: a CLIP ViT-L/14 that is loaded already.",
                ),
                io.Combo.Input(
                    "verifier",
                    options=files.choices(),
                    tooltip=(
                        "Any CLIP or SigLIP, as an open_clip checkpoint or a transformers folder, any safety "
                        f"classifier, what needs no file ({', '.join(WITHOUT_FILES)}), or: {KNOWN}."
                    ),
                ),
                io.Combo.Input(
                    "device",
                    options=["auto", "cpu"],
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="cpu leaves the graphics memory to the other models and is slower.",
                ),
                io.String.Input(
                    "path",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="A file or Hugging Face folder elsewhere on this machine, instead of the choice above.",
                ),
            ],
            outputs=[Verifier.Output(display_name="verifier", tooltip=SCALES)],
        )

    @classmethod
    def validate_inputs(cls, verifier=None, path="") -> bool | str:
        try:
            if verifier is not None and path == "":  # None: it is linked, and known only when the workflow runs
                files.check(verifier)
        except FileNotFoundError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, verifier, device="auto", clip_vision=None, path="") -> tuple:
        return files.file_stamp(verifier, path)

    @classmethod
    def execute(cls, verifier, device="auto", clip_vision=None, path="") -> io.NodeOutput:
        return io.NodeOutput(files.open_verifier(verifier, device, clip_vision, path))


class EnsembleVerifierNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        template = io.Autogrow.TemplatePrefix(Verifier.Input("verifier"), prefix="verifier", min=1, max=8)
        return io.Schema(
            node_id="EnsembleVerifier",
            display_name="Ensemble Verifier",
            category=CATEGORY,
            description="Several verifiers judge together, which is harder to fool than one.",
            search_aliases=["combine scores", "judge", "mean rank"],
            inputs=[
                io.Autogrow.Input("verifiers", template=template),
                io.Combo.Input(
                    "combination",
                    options=list(COMBINATIONS),
                    default="mean rank",
                    tooltip=(
                        "mean rank ignores the verifiers' scales; z-score counts distances in standard "
                        "deviations; weighted sum adds the values as they are; min goes by the most "
                        "displeased verifier."
                    ),
                ),
                io.String.Input(
                    "weights",
                    default="",
                    tooltip=(
                        "One number per verifier, in order, such as 1, 0.5. Empty = all count the same. "
                        "Multiplied with the weights from Verifier Settings."
                    ),
                ),
            ],
            outputs=[Verifier.Output(display_name="verifier")],
        )

    @classmethod
    def validate_inputs(cls, weights="", verifiers=None) -> bool | str:  # the host passes growing inputs asked or not
        try:
            numbers(weights or "")  # None: they are linked, and known only when the workflow runs
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, verifiers, combination, weights) -> io.NodeOutput:
        connected = [verifier for verifier in verifiers.values() if verifier is not None]
        return io.NodeOutput(Ensemble(connected, numbers(weights), combination))


class VerifierSettingsNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VerifierSettings",
            display_name="Verifier Settings",
            category=CATEGORY,
            description="How much one verifier counts, what it must give at least, what it reads and where it looks.",
            search_aliases=[
                "verifier weight",
                "verifier gate",
                "threshold",
                "mask verifier",
                "judge region",
                "video frames",
                "worst frame",
            ],
            inputs=[
                Verifier.Input("verifier", tooltip="What judges."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Judges only the square around what is masked, at the pictures' own resolution.",
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=-100.0,
                    max=100.0,
                    step=0.05,
                    tooltip="How much it counts in an ensemble. 0 leaves only the gate; below 0, less is better.",
                ),
                io.Boolean.Input(
                    "gate", default=False, tooltip="On: pictures below the floor rank behind all that reach it."
                ),
                io.Float.Input(
                    "floor",
                    default=0.0,
                    min=-1e6,
                    max=1e6,
                    step=0.001,
                    round=False,
                    tooltip="Least value to pass the gate, on the verifier's own scale.",
                ),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="What this verifier reads instead of the prompt. Empty = what the others read.",
                ),
                io.Combo.Input(
                    "frames",
                    options=list(HOW),
                    default=EVENLY.how,
                    optional=True,
                    advanced=True,
                    tooltip="Of a video: the mean or the worst of some frames spread over it, or one frame alone.",
                ),
                io.Int.Input(
                    "judged_frames",
                    default=EVENLY.count,
                    min=1,
                    max=MOST,
                    optional=True,
                    advanced=True,
                    display_name="judged frames",
                    tooltip="How many frames of a video are judged for the mean or the worst one.",
                ),
            ],
            outputs=[Verifier.Output(display_name="verifier")],
        )

    @classmethod
    def execute(
        cls, verifier, weight, gate, floor, prompt, mask=None, frames=EVENLY.how, judged_frames=EVENLY.count
    ) -> io.NodeOutput:
        settings = {
            "weight": weight,
            "floor": floor if gate else None,
            "prompt": prompt,
            "focus": None if mask is None else Crop(mask),
        }
        return io.NodeOutput(Adjusted(verifier, **settings, frames=Frames(frames, judged_frames)))


class VerifierScoreNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VerifierScore",
            display_name="Verifier Score",
            category=CATEGORY,
            description=(
                "Judges finished pictures or videos, a batch or a list, and sorts them and what belongs to them,"
                " best first."
            ),
            search_aliases=["judge", "score image", "best of n", "rank images", "sort images"],
            is_input_list=True,
            inputs=[
                io.Image.Input("images", lazy=True, tooltip="Pictures of one prompt; sizes may differ in a list."),
                Verifier.Input("verifier", optional=True, tooltip="What judges. Or connect scores."),
                io.Latent.Input("latents", optional=True, lazy=True, tooltip="One per picture, sorted along."),
                io.Noise.Input(
                    "noises", optional=True, lazy=True, tooltip="The noise that the pictures came from, sorted along."
                ),
                io.Int.Input(
                    "seeds", optional=True, force_input=True, lazy=True, tooltip="One per picture, sorted along."
                ),
                io.Float.Input(
                    "scores",
                    optional=True,
                    force_input=True,
                    lazy=True,
                    tooltip="One per picture, from a node of another pack; higher is better.",
                ),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip=(
                        "What the verifier reads. Empty = the positive prompt of the sampler that made the "
                        "pictures. ComfyUI extras such as (weights:1.2) are left out."
                    ),
                ),
                frames_per_video_input(),
            ],
            outputs=[
                *sorted_outputs(),
                io.Float.Output(display_name="best score"),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
        )

    @classmethod
    def traced(cls) -> TracedPrompt:
        return trace_prompt_of_pictures(graph_around(cls.hidden), cls.hidden.unique_id, "images")

    @classmethod
    def check_lazy_status(cls, prompt=None, verifier=None, **rest) -> list[str]:
        check_readable([only(verifier, "verifier")], only(prompt, "prompt"), cls.traced())
        return missing(rest)

    @classmethod
    def execute(
        cls,
        images,
        prompt,
        verifier=None,
        latents=None,
        noises=None,
        seeds=None,
        scores=None,
        frames_per_video=None,
    ) -> io.NodeOutput:
        lengths = clip_lengths(images, latents, only(frames_per_video, "frames_per_video") or 0)
        pictures = clips_in(images, lengths)
        judge, typed, traced = only(verifier, "verifier"), only(prompt, "prompt"), cls.traced()
        values, found, notes = judged(pictures, judge, typed, traced, scores)
        order = sorted(range(len(found)), key=lambda index: -found[index])
        ranked = [found[index] for index in order]
        columns = judge.columns if judge is not None else ("score",)
        text = "\n".join([*notes, *table(columns, values, found, order)])
        say(cls.hidden.unique_id, text)
        return io.NodeOutput(
            sort_images(images, order, lengths),
            sort_latents(latents, order, lengths=lengths) if latents else unconnected("latents", *SORTED),
            sort_noises(noises, order) if noises else unconnected("noises", *SORTED),
            sort_values(seeds, order, "seeds") if seeds else unconnected("seeds", *SORTED),
            ranked,
            ranked[0],
            ui={"text": [text]},
        )


NODES = [LoadVerifierNode, EnsembleVerifierNode, VerifierSettingsNode, VerifierScoreNode]
