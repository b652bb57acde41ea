"""Nodes for vision-language models that judge: one picture at a time, or two against each other."""

from comfy_api.latest import io

from ..verifiers.published import VISION_LANGUAGE
from ..verifiers.vlm import MODES, SIDE
from .host.judges import model_files as files
from .host.judges import vlm
from .sockets import CATEGORY, Verifier

KNOWN = "; ".join(
    f"{known.name} from {known.repository} ({files.spoken_size(known.size)}, {known.licence})"
    for known in VISION_LANGUAGE
)


class VLMVerifierNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VLMVerifier",
            display_name="VLM Verifier",
            category=CATEGORY,
            description=(
                "A model that looks at pictures and answers questions judges them: a local one, or any"
                " OpenAI-compatible server (Ollama, LM Studio, llama.cpp, vLLM). Seconds per picture. Nothing is"
                " downloaded."
            ),
            search_aliases=[
                "judge",
                "vlm",
                "llm",
                "qwen",
                "ollama",
                "lm studio",
                "llama.cpp",
                "openai",
                "vqa score",
                "rubric",
                "grader",
            ],
            inputs=[
                io.Image.Input(
                    "picture_before",
                    optional=True,
                    display_name="picture before",
                    tooltip=(
                        "For models that change a picture: the one that goes into them. It is shown as well, and what"
                        " is asked is whether the prompt was carried out and the rest kept."
                    ),
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default=MODES[0],
                    tooltip=(
                        "yes or no: the probability that the answer to one question is yes, 0 to 1. questions: the mean"
                        " over several. rubric: five aspects, 0 to 10 each, with reasons; slow and coarser."
                    ),
                ),
                io.Combo.Input(
                    "model",
                    options=vlm.choices(),
                    default=vlm.SERVER,
                    tooltip=(
                        "A server, or a folder in models/verifiers with a vision-language model of transformers. "
                        f"Known: {KNOWN}."
                    ),
                ),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    tooltip=(
                        "The question; or several, one per line; or the rubric's aspects, one per line as 'name: what"
                        " it means'. {prompt} stands for the prompt. Empty = the texts of the help page; questions has"
                        " none."
                    ),
                ),
                io.String.Input(
                    "base_url",
                    default="http://127.0.0.1:11434/v1",
                    tooltip=(
                        "Address of the server, which gets the pictures: on this machine, or on a host that the"
                        " environment variable NOISE_SEARCH_API_HOST names. Ollama 11434, LM Studio 1234, llama.cpp"
                        " 8080, vLLM 8000. A key comes from NOISE_SEARCH_API_KEY or OPENAI_API_KEY, never from the"
                        " workflow; see the help page."
                    ),
                ),
                io.String.Input(
                    "model_name", default="", tooltip="The model's name on the server. Empty = the only one it has."
                ),
                io.String.Input(
                    "path",
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="A Hugging Face folder elsewhere on this machine, instead of the model chosen above.",
                ),
                io.Int.Input(
                    "picture_size",
                    default=SIDE,
                    min=64,
                    max=4096,
                    step=64,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Longer side in pixels of what is shown to the model. More sees finer detail and takes longer."
                    ),
                ),
                io.Int.Input(
                    "parallel",
                    default=4,
                    min=1,
                    max=64,
                    optional=True,
                    advanced=True,
                    tooltip="Requests at the same time to a server.",
                ),
                io.Float.Input(
                    "timeout",
                    default=120.0,
                    min=1.0,
                    max=3600.0,
                    step=1.0,
                    optional=True,
                    advanced=True,
                    tooltip="Seconds that a server may take for one answer.",
                ),
                io.Int.Input(
                    "retries",
                    default=4,
                    min=0,
                    max=20,
                    optional=True,
                    advanced=True,
                    tooltip="Further attempts where a server is busy or gives no usable answer, with growing pauses.",
                ),
                io.Int.Input(
                    "max_requests",
                    default=1000,
                    min=1,
                    max=1_000_000,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Requests to a server per run, attempts included. One more stops the run: a cap on what it can"
                        " cost."
                    ),
                ),
                io.Combo.Input(
                    "device",
                    options=["auto", "cpu"],
                    default="auto",
                    optional=True,
                    advanced=True,
                    tooltip="For a local model: cpu leaves the graphics memory to the other models and is far slower.",
                ),
            ],
            outputs=[Verifier.Output(display_name="verifier")],
        )

    @classmethod
    def validate_inputs(cls, model=None, path=None, base_url=None) -> bool | str:
        try:
            # None: it is linked, and known only when the workflow runs
            if model is not None and path is not None and base_url is not None:
                vlm.check(model, path, base_url)
        except (FileNotFoundError, ValueError) as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, model, path="", **rest) -> tuple:
        return () if model == vlm.SERVER and not path.strip() else files.file_stamp(model, path)

    @classmethod
    def execute(
        cls, mode, model, text, base_url, model_name, path="", picture_size=SIDE, parallel=4, timeout=120.0, retries=4,
        max_requests=1000, device="auto", picture_before=None
    ) -> io.NodeOutput:  # fmt: skip
        line = {"parallel": parallel, "timeout": timeout, "retries": retries, "most": max_requests}
        chat, source = vlm.open_chat(model, path, base_url, model_name, **line), cls.fingerprint_inputs(model, path)
        return io.NodeOutput(vlm.verifier(chat, device, mode, text, picture_size, source, picture_before))


class PairwiseFinalNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PairwiseFinal",
            display_name="Pairwise Final",
            category=CATEGORY,
            description=(
                "The best pictures of a search meet in a knockout: a vision-language model looks at two at a time, in"
                " both orders. Connect it last, straight to the search."
            ),
            search_aliases=["knockout", "tournament", "compare", "pairwise", "duel", "judge"],
            inputs=[
                Verifier.Input("verifier", tooltip="What judges during the search."),
                Verifier.Input(
                    "judge", tooltip="A VLM Verifier, which compares the best at the end. It may be the same one."
                ),
                io.Int.Input(
                    "finalists",
                    default=4,
                    min=2,
                    max=64,
                    tooltip="How many of the best are compared. Each but one costs two questions.",
                ),
                io.String.Input(
                    "question",
                    default="",
                    multiline=True,
                    tooltip=(
                        "What makes the better of two; {prompt} stands for the prompt. Empty = closer to the prompt, "
                        "better made, fewer mistakes; or, with a picture before, the order carried out and the rest"
                        " kept."
                    ),
                ),
            ],
            outputs=[Verifier.Output(display_name="verifier")],
        )

    @classmethod
    def execute(cls, verifier, judge, finalists, question) -> io.NodeOutput:
        return io.NodeOutput(vlm.PairwiseFinal(verifier, judge, finalists, question))


NODES = [VLMVerifierNode, PairwiseFinalNode]
