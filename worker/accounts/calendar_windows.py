"""Windows: finds posts in Postiz's calendar, first where they should be, then wherever they may."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from shared.postiz.client import Postiz, RemotePost

#: A post that a teammate moved in Postiz's calendar is looked for so far around its date.
WIDE = timedelta(days=31)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def find_posts(
    postiz: Postiz, *, markers: Iterable[datetime], ids: Collection[str], everywhere: bool
) -> dict[str, RemotePost]:
    """What stands there, by its id: at the markers, and farther off if one of `ids` is missing."""
    seen = _read_windows(postiz, markers, timedelta(0))
    if all(postiz_id in seen for postiz_id in ids):
        return seen
    if everywhere:
        return seen | {row.id: row for row in postiz.window(*EVER)}
    return seen | _read_windows(postiz, markers, WIDE)


def _read_windows(
    postiz: Postiz, markers: Iterable[datetime], distance: timedelta
) -> dict[str, RemotePost]:
    windows = (postiz.window(marker - distance, marker + distance) for marker in markers)
    return {row.id: row for window in windows for row in window}
