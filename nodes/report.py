"""The node that shows what a search did, as a picture and as tables."""

from comfy_api.latest import io
from PIL import Image
from torch import Tensor

from ..search.trace import Trace as SearchTrace
from .host.files.pictures import captioned, from_pil, save, to_pil
from .host.files.reports import save_report
from .inputs import HIDDEN
from .plots import contact_sheet, search_plot, stacked
from .sockets import CATEGORY, Trace


class SearchReportNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SearchReport",
            display_name="Search Report",
            category=CATEGORY,
            description=(
                "Shows what a search did: every score against what it cost, the best so far, and the winners side by "
                "side; also as JSON and CSV."
            ),
            search_aliases=[
                "plot",
                "score curve",
                "contact sheet",
                "csv",
                "save trace",
                "statistics",
                "xy plot",
                "grid",
            ],
            is_output_node=True,
            inputs=[
                Trace.Input("trace", tooltip="From a search node."),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="The same node's pictures, best first; its keep says how many there are.",
                ),
                io.Int.Input("top_k", default=8, min=1, max=64, tooltip="How many winners are numbered and shown."),
                io.String.Input(
                    "filename_prefix",
                    default="noise_search/report",
                    tooltip="Start of the file names in the output folder.",
                ),
                io.Boolean.Input(
                    "save", default=False, tooltip="Writes the report as PNG, JSON and CSV into the output folder."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE"),
                io.String.Output(display_name="json"),
                io.String.Output(display_name="csv"),
            ],
            hidden=HIDDEN,
        )

    @classmethod
    def execute(cls, trace, top_k, filename_prefix, save, images=None) -> io.NodeOutput:
        texts = {"json": trace.to_json(), "csv": trace.to_csv()}
        report, note = report_picture(trace, images, top_k)
        files = save_report(report, texts, filename_prefix, cls.hidden) if save else [shown_only(report, cls.hidden)]
        text = (
            f"{len(trace.trials)} tries, {trace.pictures:.4g} pictures' worth of computing, {trace.ledger.nfe} model"
            " calls"
        )
        text = "\n".join(filter(None, [text, note]))
        shown = {"images": files[:1], "text": [text], "noise_search_report": [{"files": files}]}
        return io.NodeOutput(from_pil(report), texts["json"], texts["csv"], ui=shown)


def report_picture(trace: SearchTrace, images: Tensor | None, top_k: int) -> tuple[Image.Image, str]:
    """The plot, and below it the winners that came along; and what the artist should know of it."""
    if not trace.trials:
        raise ValueError("trace must hold at least one picture, got none")
    plot, note = search_plot(trace, marked=top_k)
    winners = trace.first(top_k)
    if images is None or not winners:
        return plot, note
    tiles = [captioned(to_pil(image), f"{trial.name}: {trace.scores[trial.id]:.4g}, {trial.how}")
             for trial, image in zip(winners, images)]  # fmt: skip
    return stacked(plot, contact_sheet(tiles, plot.width)), note


def shown_only(report: Image.Image, hidden) -> dict[str, str]:
    return save(report, "noise_search_report", "temp", hidden)


NODES = [SearchReportNode]
