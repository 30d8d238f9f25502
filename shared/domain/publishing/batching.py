"""Which posts go into one counted call: as many as belong together and fit."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

#: Bytes of JSON for the posts of a call: Postiz takes 100 kB, and the body has other parts.
MAX_BYTES = 95_000
#: With more to write Postiz works for longer than a call may last (seen: 300 posts in 3.4 s). It
#: writes each part of a thread as it does a post.
MAX_ELEMENTS = 300


def size_of(
    content: str, settings: Mapping[str, Any], media: int, thread: Sequence[str] = ()
) -> int:
    """Bytes of a post's JSON in a call, with room for its frames and for a path per medium.

    `media`: of all parts; `thread`: the contents of the parts after the first.
    """
    texts = json.dumps([content, settings, *thread], ensure_ascii=False).encode()
    return len(texts) + 250 + 50 * len(thread) + 300 * media


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A post that could be staged now. `size`: bytes of its element as JSON; `parts`: of its
    thread, the first one included.

    `key` identifies the Postiz key. A call uses one key, and carries posts of all profiles with
    that key.
    """

    id: int
    key: str | None
    handoff: str
    as_draft: bool
    publish_at: datetime
    size: int
    parts: int = 1
    pack_limit: int | None = None

    @property
    def dated(self) -> bool:
        """Whether it has its own date in Postiz, which all posts of its call then share."""
        return self.as_draft or self.handoff == "calendar"

    @property
    def group(self) -> tuple[object, ...]:
        """What is equal within a call: the key, and the date that all its posts get."""
        return self.key, self.as_draft, self.dated, self.publish_at if self.dated else None


@dataclass(frozen=True, kw_only=True)
class Pack:
    """The posts of a call; `full`: another post did not fit."""

    posts: Sequence[Candidate]
    full: bool = False


def fill_pack(candidates: Iterable[Candidate]) -> Pack:
    """The first candidate and those after it that fit into the same call, in their order."""
    chosen: list[Candidate] = []
    room, most, writes = MAX_BYTES, MAX_ELEMENTS, 0
    for candidate in candidates:
        if chosen and candidate.group != chosen[0].group:
            continue
        most = min(most, candidate.pack_limit or most)
        too_much = candidate.size > room or writes + candidate.parts > MAX_ELEMENTS
        if len(chosen) >= most or (chosen and too_much):
            return Pack(posts=chosen, full=True)
        chosen.append(candidate)
        room, writes = room - candidate.size, writes + candidate.parts
    return Pack(posts=chosen)


def interleave_candidates(
    first: Sequence[Candidate], others: Sequence[Candidate]
) -> Iterator[Candidate]:
    """Alternates between `first` and `others`, each post once: both get into the next call."""
    seen: set[int] = set()
    for pair in zip_longest(first, others):
        for candidate in pair:
            if candidate is not None and candidate.id not in seen:
                seen.add(candidate.id)
                yield candidate
