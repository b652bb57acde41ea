"""Draws a square of captioned pictures under a title."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

SIDE, BAR, GAP = 480, 62, 10  # pixels: of the square, of its title, between tiles
INK, PAPER, ACCENT = "#f2f2f2", "#1e1f22", "#7ee2a8"

Tile = tuple[Image.Image, str]


def thumbnail(title: str, tiles: Sequence[Tile]) -> Image.Image:
    """A square: the title, and the tiles below it in as few rows as suit them."""
    columns = 4 if len(tiles) > 4 else 2
    rows = -(-len(tiles) // columns)
    side = min((SIDE - GAP) // columns, (SIDE - BAR - GAP) // rows) - GAP
    sheet = Image.new("RGB", (SIDE, SIDE), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((SIDE / 2, BAR / 2), title, fill=INK, font=ImageFont.load_default(24), anchor="mm")
    left, top = (SIDE - columns * (side + GAP) + GAP) // 2, BAR + (SIDE - BAR - rows * (side + GAP)) // 2
    for place, (picture, caption) in enumerate(tiles):
        x, y = left + place % columns * (side + GAP), top + place // columns * (side + GAP)
        sheet.paste(picture.resize((side, side), Image.Resampling.BICUBIC), (x, y))
        if caption:
            tag(draw, caption, x, y + side)
    return sheet


def tag(draw: ImageDraw.ImageDraw, text: str, x: int, bottom: int) -> None:
    """A caption on the lower edge of a tile."""
    font = ImageFont.load_default(17)
    left, top, right, below = draw.textbbox((x + 8, bottom - 8), text, font=font, anchor="ls")
    draw.rectangle((left - 6, top - 5, right + 6, below + 5), fill=PAPER)
    draw.text((x + 8, bottom - 8), text, fill=ACCENT, font=font, anchor="ls")
