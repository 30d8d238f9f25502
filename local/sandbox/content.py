"""What Postiz makes of a post's text: what it keeps of HTML, and how long X counts it."""

import html
import re
from html.parser import HTMLParser

_UNREAD_TAGS = ("script", "style")
_LINK = re.compile(r"https?://\S+")
_LINK_WEIGHT = 23
_LIGHT_RANGES = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))


def stored(content: str) -> str:
    """The text as it is kept: tags removed and the rest escaped, but only if it has a `<`."""
    if "<" not in content:
        return content
    reader = _TextReader()
    reader.feed(content)
    reader.close()
    return "".join(reader.parts)


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unread += tag in _UNREAD_TAGS

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNREAD_TAGS and self._unread:
            self._unread -= 1

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.parts.append(html.escape(data, quote=False))


def weighted_length(content: str) -> int:
    """The length as X counts it: a link is 23, a character outside of the light ranges 2."""
    links = len(_LINK.findall(content))
    rest = _LINK.sub("", content)
    return links * _LINK_WEIGHT + sum(1 if _is_light(char) else 2 for char in rest)


def _is_light(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in _LIGHT_RANGES)
