"""Finds posts in Postiz's calendar: first at their expected dates, then in a wider window."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from shared.postiz.client import Postiz, RemotePost

#: How far around its date to search for a post that somebody moved in Postiz's calendar.
SEARCH_RADIUS = timedelta(days=31)
WHOLE_CALENDAR = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def find_posts(
    postiz: Postiz, *, markers: Iterable[datetime], ids: Collection[str], everywhere: bool
) -> dict[str, RemotePost]:
    """Posts by id: those at the markers, and those in a wider window if one of `ids` is missing.

    `everywhere`: the wider window is the whole calendar.
    """
    seen = _read_windows(postiz, markers, timedelta(0))
    if all(postiz_id in seen for postiz_id in ids):
        return seen
    if everywhere:
        return seen | {row.id: row for row in postiz.window(*WHOLE_CALENDAR)}
    return seen | _read_windows(postiz, markers, SEARCH_RADIUS)


def _read_windows(
    postiz: Postiz, markers: Iterable[datetime], distance: timedelta
) -> dict[str, RemotePost]:
    windows = (postiz.window(marker - distance, marker + distance) for marker in markers)
    return {row.id: row for window in windows for row in window}
