"""How a draft of ours is found again in Postiz, which rewrites content that looks like HTML."""

import hashlib
import html
import re

_TAG = re.compile(r"<[^<>]*>")


def normalize_content(content: str) -> str:
    """Letters and digits only: the same for what was sent and for what Postiz made of it.

    Postiz keeps `a & b <b>x</b>` as `a &amp; b x`, and `a & b` alone as it is (docs/POSTIZ.md,
    "Creating posts").
    """
    plain = html.unescape(_TAG.sub("", html.unescape(content)))
    return "".join(char for char in plain.casefold() if char.isalnum())


def compute_fingerprint(integration_id: str, content: str) -> str:
    return f"{integration_id} {hashlib.sha256(normalize_content(content).encode()).hexdigest()}"
