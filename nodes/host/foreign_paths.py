"""Paths that a workflow may bring: which of them are not even looked at."""


def is_elsewhere(path: str) -> bool:
    """Whether a path names another machine or a device, in Windows' way, in any mix of its two slashes; also `//?/` and
    `//./` forms.

    Merely looking whether such a file is there signs this machine in at the other one. The rule holds on every system,
    since a workflow wanders.
    """
    begin = path.strip(" \t\r\n\"'\0")[:2].replace("\\", "/")
    return begin == "//"
