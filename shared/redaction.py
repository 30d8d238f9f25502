"""Keeps secrets out of log lines: by name, by form, and by a list of known secrets.

The list is needed because Postiz's keys have no special form: no pattern could find one in the
message of an error.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import quote

BLANK = "••••"
#: Values with these names never reach a log line.
SECRET_NAMES = (
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "password",
    "passwd",
    "secret",
    "signature",
    "token",
    "admin_key",
    "secret_keys",
    "access_key",
)
_NAMES = "|".join(name.replace("_", "[-_]?") for name in SECRET_NAMES)

_LOOKS = (
    # keys of our own API, of webhooks, of Postiz's OAuth
    re.compile(r"\b(?:pk|pr|whsec|pos)_[A-Za-z0-9+/_=-]{8,}"),
    # Fernet: sealed texts, and keys
    re.compile(r"\bgAAAA[A-Za-z0-9_-]{40,}={0,2}"),
    re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])"),
    # the password in an address
    re.compile(r"(?<=://)[^\s/?#@'\"]*:[^\s/?#'\"]*@"),
    # Authorization: Bearer …, also as a pair of a printed dict or list
    re.compile(r"(?i)\b(?:bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}"),
    # name=value, name: value, 'name': 'value', b'name': b'value', ?name=value&
    re.compile(
        rf"(?i)[\w-]*(?:{_NAMES})[\w-]*['\"]?\s*(?:[=:,]|%3d)\s*"
        r"(?:b?'[^']*'|b?\"[^\"]*\"|SecretStr\([^)]*\)|[^\s&,;)}\]'\"]+)"
    ),
)
#: Deeper nesting than this is removed from the line.
_DEPTH = 12
#: The known secrets: those of the settings, and the keys of the newest publishers.
_MAX_KNOWN = 2000
_known: OrderedDict[str, None] = OrderedDict()


def remember_secret(secret: str) -> None:
    """Never show this text again.

    Texts of under 6 characters are ignored: they would match parts of words.
    """
    if len(secret) < 6:
        return
    for form in {secret, quote(secret, safe="")}:
        _known[form] = None
        _known.move_to_end(form)
    while len(_known) > _MAX_KNOWN:
        _known.popitem(last=False)


def clean_value(value: object, name: str = "", depth: int = 0) -> object:  # noqa: PLR0911 (a table)
    """`value` without secrets: text and bytes anywhere in it, and all that has a secret name."""
    if name and is_secret(name):
        return BLANK if value is not None else None
    if isinstance(value, bool | int | float | None):
        return value
    if depth > _DEPTH:
        return BLANK
    if isinstance(value, Mapping):
        return {
            clean_text(str(key)): clean_value(inner, _as_text(key), depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        if isinstance(value, tuple) and len(value) == 2 and is_secret(_as_text(value[0])):
            return [_as_text(value[0]), BLANK]
        return [clean_value(element, "", depth + 1) for element in value]
    return clean_text(_as_text(value))


def is_secret(name: str) -> bool:
    return re.search(_NAMES, name, re.IGNORECASE) is not None


def clean_text(text: str) -> str:
    for secret in tuple(_known):
        if secret in text:
            text = text.replace(secret, BLANK)
    for looks in _LOOKS:
        text = looks.sub(_blank_match, text)
    return text


def _blank_match(found: re.Match[str]) -> str:
    """Keeps the name, so that the line still says what it is about."""
    named = re.match(r"['\"]?[\w-]+['\"]?\s*(?:[=:,]|%3[dD])\s*", found[0])
    if named and is_secret(named[0]):
        return named[0] + BLANK
    return BLANK + "@" if found[0].endswith("@") else BLANK


def _as_text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else str(value)
