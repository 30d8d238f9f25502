"""Posts that were accepted before, as far as new ones depend on them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

#: The text and media of each part after the first.
Parts = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class EarlierPost:
    """A post that was accepted before. `digest`: of the text of its first part."""

    at: datetime
    has_video: bool = False
    digest: str = ""
    media_ids: Sequence[int] = ()
    parts: Parts = ()


def digest_text(text: str) -> str:
    """As PostgreSQL's `md5()`: it tells texts apart, and keeps no secret."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
