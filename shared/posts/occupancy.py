"""When an integration's posts are due: needed for caps, gaps and the rate limits of networks."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, text
from sqlalchemy.orm import Session

from shared.domain.networks.limits import KINDS
from shared.domain.publishing.states import PostState
from shared.domain.rows.post_rows import EarlierPost, Known, PlannedPost
from shared.media.used_media import used_media
from shared.models import Media, Post
from shared.posts.late_policy import is_in_time

#: Posts in these states are not published, or only after a person's decision.
_NOT_PUBLISHED = (PostState.FAILED, PostState.CANCELLED, PostState.DRAFT, PostState.HELD)
_WAITING = (PostState.PENDING, PostState.STAGING, PostState.STAGED)


def lock_due_times(
    session: Session, account_id: int, integration_ids: Collection[str], *, since: datetime
) -> dict[str, list[datetime]]:
    """The times of each integration's accepted posts, from `since` on.

    Takes a lock per account until the transaction ends: otherwise two bulks at the same time could
    choose the same times.
    """
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 12))")
    session.execute(lock, {"name": f"occupied:{account_id}"})
    found: dict[str, list[datetime]] = defaultdict(list)
    query = select(Post.integration_id, Post.publish_at).where(
        _will_be_published(account_id, integration_ids), Post.publish_at >= since
    )
    for integration_id, moment in session.execute(query):
        found[integration_id].append(moment)
    return found


def find_accepted_posts(
    session: Session, account_id: int, posts: Sequence[PlannedPost], known: Known, now: datetime
) -> dict[str, list[EarlierPost]]:
    """Accepted posts of the channels of `posts`, within the longest rate window of their networks.

    A waiting post whose time has passed counts as published now.
    """
    windows = list(_rate_windows(posts, known))
    found: dict[str, list[EarlierPost]] = defaultdict(list)
    if not windows:
        return found
    longest = max(window for _, window in windows)
    times = [max(post.row.publish_at, now) for post in posts]
    published_now = and_(Post.state.in_(_WAITING), is_in_time())
    rows = session.execute(
        select(
            Post.integration_id, Post.publish_at, used_media().label("media_ids"), Post.state
        ).where(
            _will_be_published(account_id, {id_ for id_, _ in windows}),
            Post.publish_at <= max(times) + longest,
            or_(Post.publish_at >= min(times) - longest, published_now),
        )
    ).all()
    used = {media_id for row in rows for media_id in row.media_ids}
    videos = _find_videos(session, used)
    for row in rows:
        at = max(row.publish_at, now) if row.state in _WAITING else row.publish_at
        accepted = EarlierPost(at=at, has_video=not videos.isdisjoint(row.media_ids))
        found[row.integration_id].append(accepted)
    return found


def _find_videos(session: Session, media_ids: Collection[int]) -> set[int]:
    if not media_ids:
        return set()
    is_video = Media.mime.startswith("video/")
    return set(session.scalars(select(Media.id).where(Media.id.in_(media_ids), is_video)))


def _will_be_published(account_id: int, integration_ids: Collection[str]) -> ColumnElement[bool]:
    return and_(
        Post.account_id == account_id,
        Post.integration_id.in_(integration_ids),
        Post.state.not_in(_NOT_PUBLISHED),
        ~Post.as_draft,
    )


def _rate_windows(posts: Sequence[PlannedPost], known: Known) -> Iterator[tuple[str, timedelta]]:
    """The longest rate window of each channel that has a rate limit or shares one."""
    for channel in {post.channel for post in posts}:
        limits = known.limits(channel).items()
        rates = [KINDS[name].window for name, limit in limits if limit.value is not None]
        windows = [window for window in rates if window is not None]
        for id_ in {channel.id, *known.siblings(channel.identifier or "")} if windows else ():
            yield id_, max(windows)
