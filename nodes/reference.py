"""Nodes whose verifiers compare pictures with pictures and read no prompt."""

from comfy_api.latest import io

from ..verifiers.published import ENCODERS
from ..verifiers.reference import POOLINGS
from ..verifiers.self_supervised import PAPER_LEVEL
from .host.judges import encoders
from .host.judges import model_files as files
from .sockets import CATEGORY, Verifier

KNOWN = "; ".join(
    f"{known.name} from {known.repository} ({files.spoken_size(known.size)}, {known.licence})" for known in ENCODERS
)


def encoder_inputs() -> list:
    """What an image encoder is chosen with; the socket first, since it wins."""
    return [
        io.ClipVision.Input(
            "clip_vision",
            optional=True,
            tooltip=(
                "A CLIP or DINO encoder that is loaded already, instead of the encoder below. Needs no more memory."
            ),
        ),
        io.Combo.Input(
            "encoder",
            options=encoders.choices(),
            tooltip=(
                "What compares, from models/verifiers: a DINOv2 file or folder follows the subject, a CLIP or SigLIP"
                f" what the picture shows. Known: {KNOWN}."
            ),
        ),
    ]


def device_input() -> io.Combo.Input:
    return io.Combo.Input("device", options=["auto", "cpu"], default="auto", optional=True, advanced=True,
                          tooltip="cpu leaves the graphics memory to the other models and is slower.")  # fmt: skip


class EncoderNode(io.ComfyNode):
    """What both nodes have in common: a file need not be there where CLIP_VISION is, and is read again when it has
    changed.
    """

    @classmethod
    # instead of the host's own check, that the entry is still in the list
    def validate_inputs(cls, encoder=None) -> bool:
        return True

    @classmethod
    def fingerprint_inputs(cls, encoder, **rest) -> tuple:
        return encoders.encoder_stamp(encoder)


class ReferenceVerifierNode(EncoderNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReferenceVerifier",
            display_name="Reference Verifier",
            category=CATEGORY,
            description=(
                "Judges how similar a picture is to one or several reference pictures: the same character, product or"
                " style. 100 x cosine, higher is better; the prompt is not read."
            ),
            search_aliases=["likeness", "similarity", "dino", "dinov2", "same character", "reference image", "judge"],
            inputs=[
                io.Image.Input("references", tooltip="One or several pictures of what it should look like."),
                *encoder_inputs(),
                io.Combo.Input(
                    "similarity",
                    options=list(POOLINGS),
                    default=POOLINGS[0],
                    tooltip="Of several references: mean likeness to all of them, or to the best matching one.",
                ),
                device_input(),
            ],
            outputs=[Verifier.Output(display_name="verifier")],
        )

    @classmethod
    def execute(cls, references, encoder, similarity, device="auto", clip_vision=None) -> io.NodeOutput:
        return io.NodeOutput(encoders.reference(encoder, device, references, similarity, clip_vision))


class SelfSupervisedVerifierNode(EncoderNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SelfSupervisedVerifier",
            display_name="Self-Supervised Verifier",
            category=CATEGORY,
            description=(
                "Judges how much of the finished picture was there while it was still noisy (Ma et al. 2025). Works in"
                " search nodes only; the prompt is not read. 100 x cosine, higher is better."
            ),
            search_aliases=["self supervised", "dino", "noise quality", "judge"],
            inputs=[
                *encoder_inputs(),
                io.Float.Input(
                    "noise_level",
                    default=PAPER_LEVEL,
                    min=0.001,
                    max=0.999,
                    step=0.001,
                    tooltip=(
                        "Share of the highest noise level at which the picture is compared with its end. 0.4 is the "
                        "paper's, for flow models (SD3, Flux, Qwen, Wan); the same noise is 0.046 with SD 1.5 and SDXL."
                    ),
                ),
                device_input(),
            ],
            outputs=[Verifier.Output(display_name="verifier")],
        )

    @classmethod
    def execute(cls, encoder, noise_level, device="auto", clip_vision=None) -> io.NodeOutput:
        return io.NodeOutput(encoders.self_supervised(encoder, device, noise_level, clip_vision))


NODES = [ReferenceVerifierNode, SelfSupervisedVerifierNode]
