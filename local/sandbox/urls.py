"""Which addresses POST /upload-from-url accepts, and in which words it refuses the others."""

import ipaddress
from typing import Any
from urllib.parse import SplitResult, urlsplit

EXTENSIONS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp4")
BAD_EXTENSION = "File must have a valid extension: .png, .jpg, .jpeg, .gif, .webp, or .mp4"
NOT_PUBLIC = "URL must be a public HTTPS URL and cannot point to internal network addresses"

_NAMES_OF_NOTHING = ("localhost", ".localhost", ".local", ".internal", ".invalid", ".test")


def has_valid_extension(url: object) -> bool:
    """Whether the path, its query left aside, ends in an accepted extension (in lower case)."""
    return isinstance(url, str) and url.split("?")[0].split("#")[0].endswith(EXTENSIONS)


def is_public(url: object) -> bool:
    parts = _split(url)
    if parts is None or parts.scheme != "https" or not parts.hostname:
        return False
    try:
        return _is_public_address(ipaddress.ip_address(parts.hostname))
    except ValueError:
        return "." in parts.hostname and not parts.hostname.endswith(_NAMES_OF_NOTHING)


def problems(body: Any, *, allow_private: bool) -> list[str]:
    url = body.get("url") if isinstance(body, dict) else None
    public = is_public(url) or (allow_private and _split(url) is not None)
    found = [
        (url is None, "url should not be null or undefined"),
        (not has_valid_extension(url), BAD_EXTENSION),
        (not isinstance(url, str), "url must be a string"),
        (not public, NOT_PUBLIC),
    ]
    return [message for wrong, message in found if wrong]


def _split(url: object) -> SplitResult | None:
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def _is_public_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    documentation = ipaddress.ip_network("192.0.2.0/24")
    if address.version == 4 and address in documentation:
        return True
    return address.is_global
