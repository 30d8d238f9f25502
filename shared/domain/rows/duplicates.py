"""Finds posts that repeat the text and the media of another one on the same channel."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from shared.domain.networks.channel import Channel
from shared.domain.networks.warning import RowWarning, WarningText
from shared.domain.rows.earlier_posts import EarlierPost, Parts
from shared.domain.rows.post_rows import CheckedRow, PlannedPost
from shared.errors import FieldError

DUPLICATE = "duplicate_post"
_REMEDY = "Leave it out or change it, or save another duplicate_window_hours in the profile."


@dataclass(frozen=True, kw_only=True)
class _Occurrence:
    at: datetime
    post: PlannedPost | None = None  # None: it was accepted before


def find_duplicates(
    posts: Iterable[PlannedPost],
    before: Mapping[str, Sequence[EarlierPost]],
    window: timedelta,
    now: datetime,
) -> list[PlannedPost]:
    """Those of `posts` that come less than `window` after the same post, or before one that was
    accepted already. `before`: by channel id."""
    if window <= timedelta(0):
        return []
    same = _group_by_content(posts, now)
    for channel_id, earlier_posts in before.items():
        for earlier in earlier_posts:
            key = (channel_id, earlier.digest, tuple(earlier.media_ids), earlier.parts)
            if key in same:
                same[key].append(_Occurrence(at=earlier.at))
    return [post for group in same.values() for post in _find_close(group, window)]


#: A channel, and all that makes a post the same on it.
_Key = tuple[str, str, tuple[int, ...], Parts]


def _group_by_content(posts: Iterable[PlannedPost], now: datetime) -> dict[_Key, list[_Occurrence]]:
    groups: dict[_Key, list[_Occurrence]] = defaultdict(list)
    for post in posts:
        parts = tuple((part.content, tuple(part.media_ids)) for part in post.thread)
        key = (post.channel.id, post.digest, tuple(post.media_ids), parts)
        groups[key].append(_Occurrence(at=max(post.row.publish_at, now), post=post))
    return groups


def _find_close(group: list[_Occurrence], window: timedelta) -> list[PlannedPost]:
    found: dict[int, PlannedPost] = {}
    for first, second in pairwise(sorted(group, key=lambda each: each.at)):
        if second.at - first.at < window:
            later = second.post or first.post  # of two accepted ones neither can be left out
            if later is not None:
                found[id(later)] = later
    return list(found.values())


def duplicate_warnings(posts: Iterable[PlannedPost], window: timedelta) -> list[RowWarning]:
    indexes: dict[WarningText, set[int]] = defaultdict(set)
    for post in posts:
        said = WarningText(code=DUPLICATE, message=_describe(post.channel, window), remedy=_REMEDY)
        indexes[said].add(post.row.position)
    return [RowWarning(said=said, indexes=sorted(rows)) for said, rows in indexes.items()]


def refuse_duplicates(
    rows: Iterable[CheckedRow], duplicates: Iterable[PlannedPost], window: timedelta
) -> list[CheckedRow]:
    """The rows, where those with duplicates have faults in place of posts."""
    faults: dict[int, list[FieldError]] = defaultdict(list)
    for post in duplicates:
        faults[post.row.position].append(_duplicate_fault(post, window))
    return [
        replace(row, posts=(), faults=[*row.faults, *faults[row.row.position]])
        if row.row.position in faults
        else row
        for row in rows
    ]


def _duplicate_fault(post: PlannedPost, window: timedelta) -> FieldError:
    return FieldError(
        field=f"{post.row.path}caption",
        code=DUPLICATE,
        message=_describe(post.channel, window),
        row=post.row.number,
        remedy=_REMEDY,
    )


def _describe(channel: Channel, window: timedelta) -> str:
    name, hours = channel.name or channel.id, window // timedelta(hours=1)
    return f"{name} gets the same text and media more than once within {hours} hours"
