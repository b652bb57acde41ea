"""Words on pictures: wrapped, shortened, and in a font that has their letters. Nothing of the host is used here."""

from __future__ import annotations

from functools import cache

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont
# of systems, by their file names; Pillow finds them, and its own font has the letters of western Europe alone
OTHERS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "msyh.ttc",
    "YuGothM.ttc",
    "meiryo.ttc",
    "malgun.ttf",
    "Hiragino Sans GB.ttc",
    "PingFang.ttc",
    "Arial Unicode.ttf",
    "DejaVuSans.ttf",
    "arial.ttf",
)
MORE = "…"
SAMPLE = 20  # pixels of a letter that is only looked for


def font_for(text: str, size: int) -> Font:
    """The font that has most letters of a text, Pillow's own if it has all."""
    return max((known for known in [own(size), *others(size)]), key=lambda font: has(font, text))


@cache
def own(size: int) -> Font:
    found = ImageFont.load_default(size)
    assert isinstance(found, ImageFont.FreeTypeFont)
    return found


@cache
def others(size: int) -> tuple[Font, ...]:
    return tuple(font for name in OTHERS if (font := opened(name, size)) is not None)


def opened(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def has(font: Font, text: str) -> int:
    """How many letters of a text a font has."""
    return sum(has_letter(font, letter) for letter in text)


def without_font(text: str) -> str:
    """The letters of a text that no font at hand has."""
    font = font_for(text, SAMPLE)
    return "".join(dict.fromkeys(letter for letter in text if not has_letter(font, letter)))


@cache
def missing(font: Font) -> bytes:
    """How a font draws what it lacks."""
    return looked(font, "\uffff")


@cache
def has_letter(font: Font, letter: str) -> bool:
    return letter.isspace() or looked(font, letter) != missing(font)


def looked(font: Font, letter: str) -> bytes:
    """How a font draws a letter."""
    side = 2 * round(font.size)
    picture = Image.new("L", (side, side))
    ImageDraw.Draw(picture).text((0, 0), letter, 255, font)
    return picture.tobytes()


def wrapped(text: str, font: Font, width: int, most: int) -> list[str]:
    """A text in at most so many lines of so many pixels; what has no room is cut off with dots."""
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < most:
        taken = fitting(rest, font, width)
        lines.append(taken.strip())
        rest = rest[len(taken) :].lstrip()
    if rest:
        lines[-1] = shortened(lines[-1] + MORE, font, width)
    return lines


def fitting(text: str, font: Font, width: int) -> str:
    """The beginning of a text that fits into a line, cut between words where there are any; at least a letter."""
    if font.getlength(text) <= width:
        return text
    low, high = 1, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if font.getlength(text[:middle]) <= width else (low, middle)
    space = low if text[low] == " " else text.rfind(" ", 0, low)
    return text[:space] if space > 0 else text[:low]


def shortened(line: str, font: Font, width: int) -> str:
    """A line that ends with dots, as long as there is room."""
    while len(line) > 1 and font.getlength(line) > width:
        line = line[:-2].rstrip() + MORE
    return line
