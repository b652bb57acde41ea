"""What was picked, as a text that an artist can read and type: "3, 1", or "roll 2: 3, 1" of pictures that were rolled
again twice.
"""

import re
from dataclasses import dataclass

LONGEST = 1000  # characters; the host validates prompts between the answers of its server
TEXT = re.compile(
    r"(?:roll\s+(?P<roll>\d{1,4})\s*:\s*)?(?P<picked>(?:\d{1,6}(?:(?:\s*[,;]\s*|\s+)\d{1,6})*)?)", re.IGNORECASE
)


@dataclass(frozen=True)
class Choice:
    """Places of pictures, counted from 0, best first, among those of one roll; nothing picked means that somebody is
    asked.
    """

    roll: int = 0
    picked: tuple[int, ...] = ()

    def __str__(self) -> str:
        picked = ", ".join(str(place + 1) for place in self.picked)
        return f"roll {self.roll}: {picked}".rstrip() if self.roll else picked


def read_choice(text: str) -> Choice:
    """The choice that a text says, `Choice()` for an empty one."""
    if len(text) > LONGEST:
        raise ValueError(f"choice must be a text of at most {LONGEST} characters, got {len(text)}")
    found = TEXT.fullmatch(text.strip())
    numbers = [int(number) for number in re.findall(r"\d+", found["picked"])] if found else []
    if not found or 0 in numbers or len(set(numbers)) < len(numbers):
        raise ValueError(
            f"choice must be numbers of pictures, each once, such as 3, 1 or roll 2: 3, 1, got {text[:80]!r}"
        )
    return Choice(int(found["roll"] or 0), tuple(number - 1 for number in numbers))


def checked_picks(picked: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The places, if there are that many pictures."""
    for place in picked:
        if place >= count:
            raise ValueError(f"choice must be of the {count} pictures that came in, got {place + 1}")
    return picked
