"""How long a caption is, as the network counts it.

X's weighted length is our own code, because the Python ports of its counting are years old. Only
X's list of top-level domains could tell which bare hosts it takes for links: these are a warning.
"""

import re

#: X counts a link as this many characters, however long it is.
LINK_LENGTH = 23

_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
#: What looks like a host's name, and may be one: `example.com`, `go.example.io/now`.
_BARE_LINK = re.compile(r"(?<![@\w.])(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/\S*)?", re.IGNORECASE)
#: Several code points that show as one emoji: flags, and parts held together by joiners.
_JOINED_EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}"
    "|[\u2190-\U0001faff](?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[\u2190-\U0001faff])+"
)
#: X counts these twice, all others once.
_DOUBLE = re.compile("[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")


def plain_length(text: str) -> int:
    """As Postiz counts for most networks: UTF-16 code units, the length that JavaScript knows."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def weighted_length(text: str) -> int:
    """As X counts: links 23, an emoji 2, wide characters 2, the rest 1."""
    text, links = _LINK.subn("", text)
    text, emoji = _JOINED_EMOJI.subn("", text)
    return links * LINK_LENGTH + emoji * 2 + len(text) + len(_DOUBLE.findall(text))


def bare_links(text: str) -> int:
    """What X may count besides: it takes some addresses without https:// for links too."""
    bare = _BARE_LINK.findall(_LINK.sub("", text)) if "." in text else []
    return sum(max(0, LINK_LENGTH - len(found)) for found in bare)
