"""The length of a caption, as each network counts it.

X's weighted length is our own code: the Python ports of X's counting are years out of date. Whether
X counts a bare host (`example.com`) as a link depends on X's list of top-level domains, which is
not part of this code. So bare hosts only cause a warning.
"""

import re
from collections.abc import Mapping

#: X counts a link as this many characters, however long it is.
LINK_LENGTH = 23

_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
#: Looks like a host name, and may be one: `example.com`, `go.example.io/now`. A match begins where
#: such a name may begin and nowhere in it, so that each character is read once.
_BARE_LINK = re.compile(r"(?<![@\w.-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/\S*)?", re.IGNORECASE)
#: Several code points that show as one emoji: flags, and parts held together by joiners.
_JOINED_EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}"
    "|[\u2190-\U0001faff](?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[\u2190-\U0001faff])+"
)
#: X counts these twice, all others once.
_DOUBLE = re.compile("[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")


def plain_length(text: str) -> int:
    """UTF-16 code units: the length in JavaScript, which Postiz uses for most networks."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def weighted_length(text: str) -> int:
    """The length that X counts: a link 23, an emoji 2, a wide character 2, any other 1."""
    text, links = _LINK.subn("", text)
    text, emoji = _JOINED_EMOJI.subn("", text)
    return links * LINK_LENGTH + emoji * 2 + len(text) + len(_DOUBLE.findall(text))


def bare_links(text: str) -> int:
    """The characters to add if X counts addresses without https:// as links."""
    bare = _BARE_LINK.findall(_LINK.sub("", text)) if "." in text else []
    return sum(max(0, LINK_LENGTH - len(found)) for found in bare)


def weighing_patterns() -> Mapping[str, str]:
    """What `weighted_length` looks for, for those who count before they send; in this order."""
    return {"links": _LINK.pattern, "emoji": _JOINED_EMOJI.pattern, "double": _DOUBLE.pattern}
