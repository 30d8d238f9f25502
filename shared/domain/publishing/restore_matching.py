"""After a restore: which of our posts Postiz has though the database forgot it; pure.

Postiz tells content, channel, date and state of a post, not its media. So posts that look alike
there can only be told apart by their date, and where that is not enough nobody can tell.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Ours:
    """A post that would be sent. `look`: what Postiz shows of it; `whole`: all that is in it."""

    post_id: int
    look: str
    whole: str
    publish_at: datetime


@dataclass(frozen=True, kw_only=True)
class Theirs:
    """What Postiz has and we do not know: published, to be, or failed there."""

    postiz_id: str
    look: str
    publish_at: datetime


@dataclass(frozen=True, kw_only=True)
class Has:
    """Postiz has this post of ours: it must never be sent again."""

    theirs: Theirs


@dataclass(frozen=True, kw_only=True)
class Unclear:
    """Postiz has one that looks like it, and like others of ours: a person has to look."""

    like: Theirs


def compare(ours: Iterable[Ours], theirs: Iterable[Theirs]) -> Mapping[int, Has | Unclear]:
    """By the number of each post that is not to be sent, what is known of it."""
    groups: dict[str, tuple[list[Ours], list[Theirs]]] = defaultdict(lambda: ([], []))
    for one in ours:
        groups[one.look][0].append(one)
    for other in theirs:
        groups[other.look][1].append(other)
    found: dict[int, Has | Unclear] = {}
    for alike, there in groups.values():
        if alike and there:
            found |= _of_one_look(sorted(alike, key=_due), sorted(there, key=_date))
    return found


def _of_one_look(ours: Sequence[Ours], theirs: Sequence[Theirs]) -> dict[int, Has | Unclear]:
    """First by date, as in Postiz's calendar; what is left one by one, if that cannot be wrong."""
    found: dict[int, Has | Unclear] = {}
    left = list(theirs)
    for second in sorted({_second(other) for other in theirs}):
        there = [other for other in left if _second(other) == second]
        here = [one for one in ours if _second(one) == second]
        found |= _pair(here, there)
        left = [other for other in left if other not in there[: len(here)]]
    return found | _pair([one for one in ours if one.post_id not in found], left)


def _pair(ours: Sequence[Ours], theirs: Sequence[Theirs]) -> dict[int, Has | Unclear]:
    if theirs and len(theirs) < len(ours) and len({one.whole for one in ours}) > 1:
        return {one.post_id: Unclear(like=theirs[0]) for one in ours}
    return {one.post_id: Has(theirs=other) for one, other in zip(ours, theirs, strict=False)}


def _second(one: Ours | Theirs) -> datetime:
    return one.publish_at.replace(microsecond=0)


def _due(one: Ours) -> tuple[datetime, int]:
    return one.publish_at, one.post_id


def _date(one: Theirs) -> tuple[datetime, str]:
    return one.publish_at, one.postiz_id
