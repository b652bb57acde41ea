"""Where pictures may be sent: to this machine, and to the hosts that its owner names. A workflow from elsewhere cannot
choose another.
"""

import ipaddress
import os
import re
from collections.abc import Mapping

KEYS = ("NOISE_SEARCH_API_KEY", "OPENAI_API_KEY")
HOSTS = "NOISE_SEARCH_API_HOST"  # such as "api.openai.com, 192.168.1.7:8000"; the first one gets the key
EXAMPLE = "http://127.0.0.1:11434/v1"
# What no two programs read in two ways: no user, no backslash, no escapes, no other alphabets.
PLAIN = re.compile(
    r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(?::([0-9]{1,5}))?((?:/[A-Za-z0-9._~-]+)*)/*", re.ASCII
)
DEFAULT_PORTS = {"http": 80, "https": 443}


def checked_url(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The address without a slash at its end, with /v1 if it names the host only.

    Raises:
        ValueError: If it is no plain address, or of a host that is neither this machine nor named.
    """
    scheme, host, port, path = parts_of(text)
    if not is_this_machine(host) and place_among(named(environment), host, port) is None:
        raise ValueError(
            f"base_url must be an address of this machine or of a host that the environment variable {HOSTS} names on"
            f" the machine that runs ComfyUI, got {host}: pictures and prompt would be sent there"
        )
    shown = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{host}{shown}{path.removesuffix('/chat/completions') or '/v1'}"


def key_for(base_url: str, environment: Mapping[str, str] = os.environ) -> str:
    """The key for a server: of the first host that is named, over a line that nobody else reads; else ""."""
    scheme, host, port, _ = parts_of(base_url)
    if place_among(named(environment), host, port) != 0 or not (scheme == "https" or is_this_machine(host)):
        return ""
    return next((environment[name].strip() for name in KEYS if environment.get(name, "").strip()), "")


def parts_of(text: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of an address that all programs read alike."""
    typed = text.strip()
    begin, slashes, rest = typed.partition("://")
    host, slash, path = rest.partition("/")
    found = PLAIN.fullmatch(f"{begin.lower()}{slashes}{host.lower()}{slash}{path}")
    if not found or not is_one_address(found[2]):
        raise ValueError(f"base_url must be an address such as {EXAMPLE}, got {text!r}")
    port = int(found[4] or DEFAULT_PORTS[found[1]])
    if not 0 < port < 65536 or ".." in path:
        raise ValueError(f"base_url must be an address such as {EXAMPLE}, got {text!r}")
    return found[1], found[2], port, found[5]


def is_one_address(host: str) -> bool:
    """Whether a host is a name, or a number in its one usual spelling: 127.1 and 0x7f000001 are read in several
    ways.
    """
    if host.startswith("["):
        return str(address_of(host)) == host[1:-1]
    last = host.rpartition(".")[2]
    return ".." not in host and (str(address_of(host)) == host or not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last))


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_this_machine(host: str) -> bool:
    found = address_of(host)
    return (
        host == "localhost"
        or found == ipaddress.IPv6Address("::1")
        or (isinstance(found, ipaddress.IPv4Address) and found.is_loopback)
    )


def named(environment: Mapping[str, str]) -> list[str]:
    """The hosts that the owner of this machine allows, in their order."""
    return [name.strip().lower() for name in environment.get(HOSTS, "").split(",") if name.strip()]


def place_among(hosts: list[str], host: str, port: int) -> int | None:
    return next((place for place, name in enumerate(hosts) if name in (host, f"{host}:{port}")), None)
