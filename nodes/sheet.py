"""The node that shows pictures as one labelled sheet: seeds by anything."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from comfy_api.latest import io
from PIL import Image
from torch import Tensor

from .host.files.pictures import from_pil, save, to_pil
from .host.files.sheets import save_cells
from .host.graph.prompt_text import TracedPrompt, trace_prompt_of_pictures
from .host.graph.upstream import graph_around
from .host.judges.host_verifier import check_readable
from .host.judges.judging import checked, judged_each
from .host.judges.sorting import clip_lengths, clips_in
from .host.page.messages import SheetCell, SheetState
from .inputs import HIDDEN, frames_per_video_input, missing, only
from .lettering import without_font
from .sheet_picture import drawn
from .sheet_table import Table, labels_of, table_of
from .sockets import CATEGORY, Verifier

LABELS = [io.Int, io.Float, io.Boolean, io.Combo]  # what may be connected to labels, beside texts
WIDEST, PREFIX = 4096, "noise_search/sheet"


def labels_input(name: str, tooltip: str) -> io.MultiType.Input:
    return io.MultiType.Input(
        io.String.Input(
            name, display_name=name.replace("_", " "), default="", multiline=True, optional=True, tooltip=tooltip
        ),
        LABELS,
    )


class SeedSheetNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedSheet",
            display_name="Seed Sheet",
            category=CATEGORY,
            description=(
                "One labelled sheet of all pictures that come in, such as seeds by prompts, LoRA strengths, cfg or"
                " samplers: each batch is a row. In the node every picture can be clicked, looked at closely and"
                " compared with any other."
            ),
            search_aliases=["xy plot", "x/y plot", "xyz plot", "grid", "contact sheet", "prompt matrix", "compare"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Image.Input(
                    "images",
                    lazy=True,
                    tooltip=(
                        "A list of batches, each a row of the sheet, as when a list of prompts goes through a sampler"
                        " with a batch of seeds. Or single pictures, row by row. Sizes may differ."
                    ),
                ),
                Verifier.Input(
                    "verifier",
                    optional=True,
                    tooltip="Judges every picture; the best of each row and of each column are marked.",
                ),
                io.Int.Input(
                    "seeds",
                    optional=True,
                    force_input=True,
                    lazy=True,
                    tooltip=(
                        "The seeds of Noise Candidates: one per column, or one per picture. They label the columns"
                        " where nothing else does, and a click copies one."
                    ),
                ),
                io.Float.Input(
                    "scores",
                    optional=True,
                    force_input=True,
                    lazy=True,
                    tooltip="One per picture, row by row, instead of a verifier; higher is better.",
                ),
                labels_input(
                    "row_labels",
                    "One per line, or connect the list that makes the rows: prompts, strengths, samplers, numbers.",
                ),
                labels_input("column_labels", "One per line, or connect a list. Empty = the seeds."),
                io.Int.Input(
                    "columns",
                    optional=True,
                    default=0,
                    min=0,
                    max=4096,
                    tooltip=(
                        "How many pictures are in a row. 0 = found out: a row per batch; where all came singly or in"
                        " one batch, as many as there are column labels, seeds, or pictures for each row label."
                    ),
                ),
                io.String.Input("title", optional=True, default="", tooltip="Stands on top of the sheet."),
                io.String.Input(
                    "prompt",
                    optional=True,
                    display_name="the judge reads (empty = your prompt)",
                    default="",
                    multiline=True,
                    tooltip=(
                        "What the verifier reads: one text for all, or connect the list of prompts, one per row."
                        " Empty = the text of the positive prompt."
                    ),
                ),
                io.Int.Input(
                    "max_width",
                    optional=True,
                    advanced=True,
                    default=WIDEST,
                    min=256,
                    max=16384,
                    step=64,
                    tooltip=(
                        "A wider sheet is scaled down to so many pixels, a higher one to four times as many. What is"
                        " clicked in the node has its own size."
                    ),
                ),
                io.String.Input(
                    "filename_prefix",
                    optional=True,
                    default=PREFIX,
                    tooltip="Start of the file name in the output folder.",
                ),
                io.Boolean.Input(
                    "save",
                    optional=True,
                    default=False,
                    tooltip="Writes the sheet, with the workflow in it, into the output folder.",
                ),
                frames_per_video_input(),
            ],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="The whole sheet as one picture.")],
            hidden=HIDDEN,
        )

    @classmethod
    def traced(cls) -> TracedPrompt:
        return trace_prompt_of_pictures(graph_around(cls.hidden), cls.hidden.unique_id, "images")

    @classmethod
    def check_lazy_status(cls, verifier=None, prompt=None, **rest) -> list[str]:
        check_sources(verifier, rest.get("scores"))
        for text in prompt or [""]:
            check_readable([only(verifier, "verifier")], text or "", cls.traced())
        return missing(rest)

    @classmethod
    def execute(
        cls,
        images,
        verifier=None,
        seeds=None,
        scores=None,
        row_labels="",
        column_labels="",
        columns=0,
        title="",
        prompt="",
        max_width=WIDEST,
        filename_prefix=PREFIX,
        save=False,
        frames_per_video=0,
    ) -> io.NodeOutput:
        check_sources(verifier, scores)
        lengths = clip_lengths(images, typed=one(frames_per_video, "frames_per_video"))
        clips = clips_in(images, lengths)
        table = table_of(
            [len(batch) // length for batch, length in zip(images, lengths)],
            columns=one(columns, "columns"),
            row_labels=labels_of(listed(row_labels)),
            column_labels=labels_of(listed(column_labels)),
            seeds=seeds or (),
            title=one(title, "title").strip(),
        )
        table, notes = scored(table, clips, only(verifier, "verifier"), listed(prompt), cls.traced(), scores)
        sizes = list(map(size_of, clips))
        sheet = drawn(table, sizes, lambda place: to_pil(clips[place]), one(max_width, "max_width"))
        entry = kept(sheet, one(filename_prefix, "filename_prefix"), one(save, "save"), cls.hidden)
        files, problem = save_cells(map(to_pil, clips), cls.hidden)
        shown = {
            "images": [entry],
            "text": ["\n".join(filter(None, [summary(table), *notes, *unlettered(table), problem]))],
            "noise_search_sheet": [state_of(table, clips, files)],
        }
        return io.NodeOutput(from_pil(sheet), ui=shown)


def listed(given: Any) -> list:
    """The values of an input: what a script left out comes as its default alone."""
    return given if isinstance(given, list) else [given]


def one(given: Any, name: str) -> Any:
    return only(listed(given), name)


def check_sources(verifier: list | None, scores: list | None) -> None:
    if verifier is not None and scores is not None:
        raise ValueError("either verifier or scores may be connected, got both")


def scored(
    table: Table, clips: list[Tensor], judge: Any, typed: Sequence[str], traced: TracedPrompt, scores: list | None
) -> tuple[Table, list[str]]:
    """The table with the scores of its pictures, if there are any, and what the artist should know of them."""
    if scores is not None:
        return replace(table, scores=checked(scores, len(clips))), []
    if judge is None:
        return table, []
    _, found, notes = judged_each(clips, judge, each_row(typed, table), traced)
    return replace(table, scores=found), notes


def each_row(prompts: Sequence[str], table: Table) -> list[str]:
    """One prompt for each picture, of one for all or of one per row."""
    if len(prompts) not in (1, table.rows):
        raise ValueError(f"prompt must be one for all, or one per row, {table.rows}, got {len(prompts)}")
    rows = list(prompts) * (table.rows if len(prompts) == 1 else 1)
    return [text for text in rows for _ in range(table.columns)]


def kept(sheet: Image.Image, prefix: str, saved: bool, hidden: Any) -> dict[str, str]:
    """The host's entry of the sheet's file, in the output folder or for the page alone."""
    return save(sheet, prefix, "output", hidden) if saved else save(sheet, "noise_search_sheet", "temp", hidden)


def size_of(clip: Tensor) -> tuple[int, int]:
    return clip.shape[2], clip.shape[1]


def state_of(table: Table, clips: list[Tensor], files: list[dict[str, Any]]) -> SheetState:
    cells = [cell_of(table, place, clip, files[place]) for place, clip in enumerate(clips)]
    return SheetState(
        title=table.title,
        across=table.columns,
        rows=list(table.row_labels),
        columns=list(table.column_labels),
        cells=cells,
    )


def cell_of(table: Table, place: int, clip: Tensor, files: dict[str, Any]) -> SheetCell:
    return SheetCell(
        small=files["small"],
        large=files["large"],
        size=list(size_of(clip)),
        frames=len(clip),
        seed=str(table.seeds[place]) if table.seeds else "",
        score=table.scores[place] if table.scores else None,
        best=table.best_at(place),
    )


def unlettered(table: Table) -> list[str]:
    """What is not readable on the sheet."""
    texts = [table.title, *table.row_labels, *table.column_labels]
    letters = "".join(dict.fromkeys("".join(map(without_font, texts))))
    return [f"The sheet has boxes for {letters[:8]}: no font of this machine has them."] if letters else []


def summary(table: Table) -> str:
    """One sentence for the node's text."""
    what = f"{table.rows} x {table.columns} pictures (rows x columns)"
    if table.best is None:
        return what
    return f"{what}; best: {', '.join(table.names_of(table.best))}, {table.scores[table.best]:.4g}"


NODES = [SeedSheetNode]
