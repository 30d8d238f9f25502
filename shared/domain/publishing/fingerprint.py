"""How a draft of ours is found again in Postiz, which rewrites content that looks like HTML."""

import hashlib
import html
import re

_TAG = re.compile(r"<[^<>]*>")
#: The number of no character; `html.unescape` fails at a very long one.
_NO_CHARACTER = re.compile(r"&#[0-9]{20,};?")


def normalize_content(content: str) -> str:
    """Letters and digits only: the same for what was sent and for what Postiz made of it.

    Postiz keeps `a & b <b>x</b>` as `a &amp; b x`, and `a & b` alone as it is (docs/POSTIZ.md,
    "Creating posts").
    """
    plain = _unescape(_TAG.sub("", _unescape(content)))
    return "".join(char for char in plain.casefold() if char.isalnum())


def _unescape(text: str) -> str:
    return html.unescape(_NO_CHARACTER.sub("", text))


def compute_fingerprint(integration_id: str, content: str) -> str:
    return f"{integration_id} {hashlib.sha256(normalize_content(content).encode()).hexdigest()}"
