"""What the host's nodes for texts and switches give: computed as they compute it, from what was typed into them."""

import json
import re
from collections.abc import Callable
from itertools import islice
from string import Formatter
from typing import Any

LONGEST = 100_000  # letters of a text that is still looked at
SWITCHES = ("ComfySwitchNode", "ComfySoftSwitchNode")


class TooLong(ValueError):
    """A text would become longer than any prompt."""


def switched(inputs: dict[str, Any], on: Any) -> Any:
    """What a switch passes on, a value or a link; None where it is not known which of the two."""
    branches = [inputs[name] for name in ("on_false", "on_true") if name in inputs]
    if len(branches) < 2:
        return branches[0] if branches else None
    return branches[bool(on)] if isinstance(on, bool | int | float) else None


def checked(length: int) -> None:
    if length > LONGEST:
        raise TooLong(f"a text must have at most {LONGEST} letters, got {length}")


def same(value: Any) -> Any:
    return value


def shown(source: Any) -> str:
    return str(source) if isinstance(source, str | int | float) else json.dumps(source, indent=4)


def joined(string_a: str, string_b: str, delimiter: str = "") -> str:
    return string_a + delimiter + string_b


def replaced(string: str, find: str, replace: str) -> str:
    checked(len(string) + string.count(find) * len(replace))
    return string.replace(find, replace)


def trimmed(string: str, mode: str) -> str:
    return {"Both": string.strip, "Left": string.lstrip, "Right": string.rstrip}[mode]()


def cased(string: str, mode: str) -> str:
    ways = {"UPPERCASE": str.upper, "lowercase": str.lower, "Capitalize": str.capitalize, "Title Case": str.title}
    return ways[mode](string)


def cut(string: str, start: int, end: int) -> str:
    return string[start:end]


def contained(string: str, substring: str, case_sensitive: bool = True) -> bool:
    return substring in string if case_sensitive else substring.lower() in string.lower()


def compared(string_a: str, string_b: str, mode: str, case_sensitive: bool = True) -> bool:
    if not case_sensitive:
        string_a, string_b = string_a.lower(), string_b.lower()
    ways = {"Equal": str.__eq__, "Starts With": str.startswith, "Ends With": str.endswith}
    return bool(ways[mode](string_a, string_b))


def pattern(text: str, case_insensitive: bool, multiline: bool, dotall: bool) -> re.Pattern[str]:
    flags = {re.IGNORECASE: case_insensitive, re.MULTILINE: multiline, re.DOTALL: dotall}
    return re.compile(text, sum(flag for flag, on in flags.items() if on))


def matched(
    string: str, regex_pattern: str, case_insensitive: bool = True, multiline: bool = False, dotall: bool = False
) -> bool:
    return pattern(regex_pattern, case_insensitive, multiline, dotall).search(string) is not None


def extracted(
    string: str,
    regex_pattern: str,
    mode: str,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    group_index: int = 1,
) -> str:
    which, what = mode.split()
    found = pattern(regex_pattern, case_insensitive, multiline, dotall)
    if what.startswith("Match"):  # of all matches, the host gives the first group where there are several of them
        group = 1 if which == "All" and found.groups else 0
    elif group_index > found.groups:
        return ""
    else:
        group = group_index
    matches = islice(found.finditer(string), 1 if which == "First" else None)
    return "\n".join(match.group(group) or "" for match in matches)


def rewritten(
    string: str,
    regex_pattern: str,
    replace: str,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    count: int = 0,
) -> str:
    written = len(string)

    def new(match: re.Match[str]) -> str:
        nonlocal written
        text = match.expand(replace)
        written += len(text)
        checked(written)
        return text

    return pattern(regex_pattern, case_insensitive, multiline, dotall).sub(new, string, count=count)


def taken(json_string: str, key: str) -> str:
    try:
        found = json.loads(json_string)
    except json.JSONDecodeError:
        return ""
    value = found.get(key) if isinstance(found, dict) else None
    return "" if value is None else str(value)


def formatted(f_string: str = "{a}", **values: Any) -> str:
    """Only plain fields, as {a}: what else a format may do can be made to take for ever."""
    texts = {name.removeprefix("values."): value for name, value in values.items()}
    parts = []
    for text, name, how, conversion in Formatter().parse(f_string):
        if how or conversion or (name is not None and name not in texts):
            raise ValueError(f"a field must be a plain one, got {name!r}")
        parts += [text, "" if name is None else str(texts[name])]
    return "".join(parts)


def chosen(choice: Any, index: int = 0) -> tuple[Any, int]:
    return choice, index


# Values of the outputs by the inputs of the same names; a tuple where there are several outputs.
COMPUTED: dict[str, Callable[..., Any]] = {
    "PrimitiveString": same,
    "PrimitiveStringMultiline": same,
    "PrimitiveBoolean": same,
    "PrimitiveInt": same,
    "PrimitiveFloat": same,
    "PreviewAny": shown,
    "SaveText": lambda text: text,
    "CustomCombo": chosen,
    "StringConcatenate": joined,
    "StringReplace": replaced,
    "StringTrim": trimmed,
    "StringSubstring": cut,
    "StringFormat": formatted,
    "StringLength": lambda string: len(string),
    "StringContains": contained,
    "StringCompare": compared,
    "CaseConverter": cased,
    "RegexMatch": matched,
    "RegexExtract": extracted,
    "RegexReplace": rewritten,
    "JsonExtractString": taken,
    "ComfyNotNode": lambda value: not value,
    "ComfyAndNode": lambda **values: all(values.values()),
    "ComfyOrNode": lambda **values: any(values.values()),
}
