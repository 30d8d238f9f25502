"""Keeps secrets out of log lines: by name, by form, and by a list of known secrets.

The list is needed because Postiz's keys have no special form: no pattern could find one in the
message of an error.

What is logged may come from anybody, so a line costs time in proportion to its length, and its
length is limited first. Each pattern reads a character a limited number of times: it begins only
where a word or a mark begins, and takes back nothing (`++`) that it would only read again.
"""

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote

T = TypeVar("T")

BLANK = "••••"
#: Values with these words in their names never reach a log line.
SECRET_NAMES = (
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "signature",
    "token",
    "admin_key",
    "secret_keys",
    "access_key",
    "private_key",
)
#: Neither do values with exactly these names, which are also parts of harmless words.
SHORT_NAMES = ("key", "sig", "pwd", "auth")
_NAMES = re.compile(
    "|".join(name.replace("_", "[-_]?") for name in SECRET_NAMES)
    + rf"|\A(?:{'|'.join(SHORT_NAMES)})\Z",
    re.IGNORECASE,
)

_FORMS = (
    # keys of our own API, of webhooks, of Postiz's OAuth; tokens of links
    re.compile(r"\b(?:pk|pr|whsec|pos|apl|cal)_[A-Za-z0-9+/_=-]{8,}+"),
    # Fernet: sealed texts, and keys
    re.compile(r"\bgAAAA[A-Za-z0-9_-]{40,}+={0,2}"),
    re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])"),
    # the id of a key of S3
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}+"),
    # Authorization: Bearer …, also as a pair of a printed dict or list
    re.compile(r"(?i)\b(?:bearer|basic|digest)\s++[A-Za-z0-9._~+/=-]{6,}+"),
)
#: The password in an address.
_LOGIN = re.compile(r"(?<=://)[^\s/?#@'\":]*+:[^\s/?#'\"]*@")
#: What PostgreSQL and SQLAlchemy say of the values of a statement; the names before them stay.
_SQL_VALUES = (
    re.compile(r"(\[parameters: )[^\n]++"),
    re.compile(r"(\bLINE [0-9]{1,9}: )[^\n]++"),
    re.compile(r"(\bKey \([^()\n]{1,500}\)=\()[^\n]++"),
    re.compile(r"(?s)(\bFailing row contains \().+?(?=\n\[SQL: |\Z)"),
)
#: A whole word that may be a name.
_WORD = re.compile(r"(?<![\w-])[\w-]++")
#: What comes after a name, and the value: `name=value`, `'name': b'value'`, `["name", "value"]`,
#: `\"name\": \"value\"`, `?name=value&`. A quote that is not closed ends with the text.
_VALUE = (
    r"\s*+(?:[=:,]|%3[ad])\s*+)"
    r"(?:b?\\*+'[^']*+'?|b?\\*+\"[^\"]*+\"?|SecretStr\([^)]*+\)?|[^\s&,;)}\]'\"]++)"
)
_AFTER_NAME = re.compile(r"(?i)((?:\\*+['\"]|%2[27])?+" + _VALUE)
#: After a short name there must be a quote or an equals sign: "no key, …" is harmless.
_AFTER_SHORT_NAME = re.compile(r"(?i)((?:(?:\\*+['\"]|%2[27])|(?=\s*+(?:=|%3d)))" + _VALUE)
#: The longest text of a line, and how much more of it is searched: a secret that begins in the text
#: may end there.
MAX_TEXT = 16_000
_MARGIN = 4_000
#: The most values in a line.
_MAX_VALUES = 500
_SHORTENED = " … (shortened)"
#: Deeper nesting than this is removed from the line.
_DEPTH = 12
#: The known secrets: those of the settings, and the keys of the newest publishers.
_MAX_KNOWN = 2000
_known: OrderedDict[str, None] = OrderedDict()
#: They are found by their first characters: looking for each would take long when there are many.
_HEAD = 6
_by_head: dict[str, tuple[str, ...]] = {}


def remember_secret(secret: str) -> None:
    """Never show this text again.

    Texts of under 6 characters are ignored: they would match parts of words.
    """
    if len(secret) < _HEAD:
        return
    for form in {secret, quote(secret, safe="")}:
        if form not in _known:
            _by_head[form[:_HEAD]] = (*_by_head.get(form[:_HEAD], ()), form)
        _known[form] = None
        _known.move_to_end(form)
    while len(_known) > _MAX_KNOWN:
        forget_secret(next(iter(_known)))


def forget_secret(secret: str) -> None:
    """The opposite of `remember_secret`, for one form of a secret."""
    _known.pop(secret, None)
    head = secret[:_HEAD]
    left = tuple(known for known in _by_head.pop(head, ()) if known != secret)
    if left:
        _by_head[head] = left


def clean_value(value: object, name: str = "") -> object:
    """`value` without secrets: text and bytes anywhere in it, and all that has a secret name."""
    return _Cleaner().clean(value, name, 0)


class _Cleaner:
    """One value with all that is in it, as far as a line shows it."""

    def __init__(self) -> None:
        self._values_left = _MAX_VALUES
        self._text_left = MAX_TEXT

    def clean(self, value: object, name: str, depth: int) -> object:
        if name and is_secret(name):
            return BLANK if value is not None else None
        if isinstance(value, bool | int | float | None):
            return value
        if depth > _DEPTH or self._text_left <= 0:
            return BLANK
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._clean_container(value, depth + 1)
        return self._clean_text(_as_text(value))

    def _clean_container(self, values: Collection[object], depth: int) -> object:
        if isinstance(values, Mapping):
            return {
                self._clean_text(str(key)): self.clean(inner, _as_text(key), depth)
                for key, inner in self._take(values.items())
            }
        match values:
            case (name, _) if isinstance(values, tuple) and is_secret(_as_text(name)):
                return [self._clean_text(_as_text(name)), BLANK]
        return [self.clean(element, "", depth) for element in self._take(values)]

    def _take(self, values: Iterable[T]) -> Iterator[T]:
        for value in values:
            if self._values_left <= 0:
                return
            self._values_left -= 1
            yield value

    def _clean_text(self, text: str) -> str:
        cleaned = clean_text(text, most=self._text_left)
        self._text_left -= len(cleaned)
        return cleaned


def is_secret(name: str) -> bool:
    return _NAMES.search(name[:MAX_TEXT]) is not None


def clean_text(text: str, *, most: int = MAX_TEXT) -> str:
    """`text` without secrets, shortened to about `most` characters."""
    whole = len(text) <= most
    text = text if whole else text[: most + _MARGIN]
    text = "".join(_blank_known(text))
    for form in _FORMS:
        text = form.sub(BLANK, text)
    text = _LOGIN.sub(BLANK + "@", text)
    for values in _SQL_VALUES:
        text = values.sub(rf"\1{BLANK}", text)
    text = "".join(_blank_named_values(text))
    return text if whole else text[: max(0, len(text) - _MARGIN)] + _SHORTENED


def _blank_known(text: str) -> Iterator[str]:
    """The parts of `text` without the known secrets."""
    position = 0
    for start in range(len(text) - _HEAD + 1 if _by_head else 0):
        for secret in _by_head.get(text[start : start + _HEAD], ()):
            if text.startswith(secret, start):
                yield text[position:start]
                yield BLANK if start >= position else ""
                position = max(position, start + len(secret))
    yield text[position:]


def _blank_named_values(text: str) -> Iterator[str]:
    """The parts of `text`, with names but without the values of secret ones."""
    position = 0
    for word in _WORD.finditer(text):
        if word.start() < position or not is_secret(word[0]):
            continue
        short = word[0].lower() in SHORT_NAMES
        value = (_AFTER_SHORT_NAME if short else _AFTER_NAME).match(text, word.end())
        if value is not None:
            yield text[position : value.end(1)]
            yield BLANK
            position = value.end()
    yield text[position:]


def _as_text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else str(value)
