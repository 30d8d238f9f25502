"""After a restore: which of our posts Postiz has although the database does not know it; pure.

Postiz shows content, channel, date and state of a post, not its media. So posts that look alike
there differ only by their date; if that is not enough, they cannot be told apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Ours:
    """A post that would be sent. `fingerprint`: of what Postiz shows; `whole`: of everything.

    Postiz writes a post at once, and a thread part by part.
    """

    post_id: int
    fingerprint: str
    whole: str
    publish_at: datetime
    is_thread: bool = False


@dataclass(frozen=True, kw_only=True)
class Theirs:
    """A post of Postiz that we do not know: published, scheduled, or failed there."""

    postiz_id: str
    fingerprint: str
    publish_at: datetime


@dataclass(frozen=True, kw_only=True)
class FoundInPostiz:
    """Postiz has this post of ours, so it must never be sent again."""

    theirs: Theirs


@dataclass(frozen=True, kw_only=True)
class Unclear:
    """Postiz has a post that looks like it and like others of ours: a person has to look."""

    like: Theirs


def match_posts(
    ours: Iterable[Ours], theirs: Iterable[Theirs]
) -> Mapping[int, FoundInPostiz | Unclear]:
    """What was found about each post that must not be sent, by post id."""
    groups: dict[str, tuple[list[Ours], list[Theirs]]] = defaultdict(lambda: ([], []))
    for post in ours:
        groups[post.fingerprint][0].append(post)
    for other in theirs:
        groups[other.fingerprint][1].append(other)
    found: dict[int, FoundInPostiz | Unclear] = {}
    for alike, there in groups.values():
        if alike and there:
            found |= _match_lookalikes(
                sorted(alike, key=_our_sort_key), sorted(there, key=_their_sort_key)
            )
    return found


def _match_lookalikes(
    ours: Sequence[Ours], theirs: Sequence[Theirs]
) -> dict[int, FoundInPostiz | Unclear]:
    """First by date, as in Postiz's calendar; then the rest in order, if that cannot be wrong."""
    found: dict[int, FoundInPostiz | Unclear] = {}
    left = list(theirs)
    for second in sorted({_publish_second(other) for other in theirs}):
        there = [other for other in left if _publish_second(other) == second]
        here = [post for post in ours if _publish_second(post) == second]
        found |= _pair_posts(here, there)
        left = [other for other in left if other not in there[: len(here)]]
    return found | _pair_posts([post for post in ours if post.post_id not in found], left)


def _pair_posts(
    ours: Sequence[Ours], theirs: Sequence[Theirs]
) -> dict[int, FoundInPostiz | Unclear]:
    if theirs and len(theirs) < len(ours) and len({post.whole for post in ours}) > 1:
        return {post.post_id: Unclear(like=theirs[0]) for post in ours}
    return {
        post.post_id: FoundInPostiz(theirs=other) for post, other in zip(ours, theirs, strict=False)
    }


def _publish_second(post: Ours | Theirs) -> datetime:
    return post.publish_at.replace(microsecond=0)


def _our_sort_key(post: Ours) -> tuple[datetime, int]:
    return post.publish_at, post.post_id


def _their_sort_key(post: Theirs) -> tuple[datetime, str]:
    return post.publish_at, post.postiz_id
