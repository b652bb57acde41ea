"""The languages of the pack: a table each in js/languages, from English to theirs, for what the page says and for what
the nodes say. A text whose English has changed is not in the table any more: it is missing there, and the old one is
stale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .server import PACK

JS = PACK / "js"
FOLDER = JS / "languages"
_TEXT = r'"(?:[^"\\]|\\.)*"'
SAID = re.compile(rf'\bsay\(\s*({_TEXT})|\bsayCount\([^"]*{_TEXT},\s*({_TEXT})')

Table = dict[str, Any]  # a text, or its plural forms by the names of Intl.PluralRules


def sources() -> Iterator[Path]:
    return (path for path in sorted(JS.rglob("*.js")) if path.name != "words.js")


def said() -> set[str]:
    """What the page says, in English: of a number of things, what it says of many."""
    found = (SAID.findall(path.read_text(encoding="utf-8")) for path in sources())
    return {json.loads(one or many) for texts in found for one, many in texts}


def tables() -> dict[str, Table]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def texts_in(tree: dict[str, Any]) -> list[str]:
    return [text for value in tree.values() for text in (texts_in(value) if isinstance(value, dict) else [value])]


def translated(tree: dict[str, Any], table: Table) -> dict[str, Any]:
    """The same with every text of the table in its language; others are left out, and the page takes the English."""
    found = {
        key: translated(value, table) if isinstance(value, dict) else table.get(value) for key, value in tree.items()
    }
    return {key: value for key, value in found.items() if value}


def reports(english: Iterable[str]) -> Iterator[str]:
    """What a language lacks, and what it has in vain. english: the texts of the nodes."""
    wanted = {*english, *said()}
    for name, table in tables().items():
        for text in sorted(wanted - table.keys()):
            yield f"js/languages/{name}.json lacks {json.dumps(text, ensure_ascii=False)}"
        for text in sorted(table.keys() - wanted):
            yield f"js/languages/{name}.json has {json.dumps(text, ensure_ascii=False)}, which is said no more"
