"""Which posts go into one counted call: as many as belong together and fit."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: Below the 100 kB that Postiz takes, with room for what is not counted here (bytes of JSON).
MAX_BYTES = 95_000
#: More elements keep Postiz busy for longer than a call may last (seen: 300 in 3.4 s).
MAX_ELEMENTS = 300


def size_of(content: str, settings: Mapping[str, Any], media: int) -> int:
    """Bytes of a post's JSON in a call, with room for what is around it and for a path each."""
    return len(json.dumps([content, settings], ensure_ascii=False).encode()) + 250 + 300 * media


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A post that could be staged now. `size`: bytes of its element as JSON."""

    id: int
    profile_id: str
    handoff: str
    as_draft: bool
    publish_at: datetime
    size: int
    pack_limit: int | None = None


def _together(one: Candidate) -> tuple[object, ...]:
    """What must be equal within a call: whose key, and the one date that all its posts get."""
    dated = one.as_draft or one.handoff == "calendar"
    return one.profile_id, dated, one.publish_at if dated else None


def pack(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The first candidate and those after it that go with it, in their order."""
    chosen: list[Candidate] = []
    room, most = MAX_BYTES, MAX_ELEMENTS
    for one in candidates:
        if chosen and _together(one) != _together(chosen[0]):
            continue
        most = min(most, one.pack_limit or most)
        if len(chosen) >= most or (chosen and one.size > room):
            break
        chosen.append(one)
        room -= one.size
    return chosen
