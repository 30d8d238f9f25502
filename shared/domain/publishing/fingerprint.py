"""By what a draft of ours is known again in Postiz, which rewrites content that looks like HTML."""

import hashlib
import html
import re

_TAG = re.compile(r"<[^<>]*>")


def normalize_content(content: str) -> str:
    """Letters and digits alone: the same for what was sent and for what Postiz made of it.

    Seen: `a & b <b>x</b>` is kept as `a &amp; b x`; `a & b` alone stays (POSTIZ.md).
    """
    plain = html.unescape(_TAG.sub("", html.unescape(content)))
    return "".join(char for char in plain.casefold() if char.isalnum())


def compute_fingerprint(integration_id: str, content: str) -> str:
    return f"{integration_id} {hashlib.sha256(normalize_content(content).encode()).hexdigest()}"
