"""An integration's accepted posts: for caps, gaps, the rate limits of networks, and duplicates."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, and_, any_, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from shared.domain.networks.limits import KINDS
from shared.domain.publishing.states import PostState
from shared.domain.rows.earlier_posts import EarlierPost
from shared.domain.rows.post_rows import Known, PlannedPost
from shared.media.post_media import used_media
from shared.models import Media, Post
from shared.posts.late_policy import is_in_time

#: Posts in these states are not published, or only after a person's decision.
_NOT_PUBLISHED = (PostState.FAILED, PostState.CANCELLED, PostState.DRAFT, PostState.HELD)
_WAITING = (PostState.PENDING, PostState.STAGING, PostState.STAGED)


def lock_account(session: Session, account_id: int) -> None:
    """Until the transaction ends, nobody else chooses by what the account's posts are."""
    _lock(session, f"occupied:{account_id}")


def _lock(session: Session, name: str) -> None:
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 12))")
    session.execute(lock, {"name": name})


def lock_due_times(
    session: Session, account_id: int, integration_ids: Collection[str], *, since: datetime
) -> dict[str, list[datetime]]:
    """The times of each integration's accepted posts, from `since` on.

    Takes a lock per account until the transaction ends: otherwise two bulks at the same time could
    choose the same times.
    """
    lock_account(session, account_id)
    return read_due_times(session, account_id, integration_ids, since=since)


def read_due_times(
    session: Session,
    account_id: int,
    integration_ids: Collection[str],
    *,
    since: datetime,
    until: datetime | None = None,
) -> dict[str, list[datetime]]:
    """The same without the lock, and only until `until`, where it is given."""
    found: dict[str, list[datetime]] = defaultdict(list)
    query = select(Post.integration_id, Post.publish_at).where(
        _will_be_published(account_id, integration_ids), Post.publish_at >= since
    )
    if until is not None:
        query = query.where(Post.publish_at < until)
    for integration_id, moment in session.execute(query):
        found[integration_id].append(moment)
    return found


def find_accepted_posts(
    session: Session,
    account_id: int,
    posts: Sequence[PlannedPost],
    known: Known,
    *,
    repeats: timedelta,
    now: datetime,
) -> dict[str, list[EarlierPost]]:
    """Accepted posts of the channels of `posts`: those within the longest rate window of their
    networks, and those with the same text within `repeats`.

    A waiting post whose time has passed counts as published now.
    """
    found: dict[str, list[EarlierPost]] = defaultdict(list)
    if not posts:
        return found
    rates = list(_rate_windows(posts, known))
    longest = max((window for _, window in rates), default=timedelta(0))
    channel_ids = {post.channel.id for post in posts}
    digests = {post.digest for post in posts} if repeats else set()
    digest = func.md5(Post.content)
    counted = [_is_within(posts, longest, now), Post.integration_id.in_({id_ for id_, _ in rates})]
    same = [_is_within(posts, repeats, now), Post.integration_id.in_(channel_ids)]
    of_channels = {id_ for id_, _ in rates} | (channel_ids if repeats else set())
    wanted = or_(and_(*counted), and_(*same, digest == any_(literal(list(digests), ARRAY(Text)))))
    columns = Post.integration_id, Post.publish_at, Post.media_ids, Post.thread, Post.state
    whole = used_media().label("used_media")
    query = select(*columns, whole, digest.label("digest")).where(
        _will_be_published(account_id, of_channels), wanted
    )
    rows = session.execute(query).all() if of_channels else []
    for integration_id, earlier in _earlier_posts(session, rows, now):
        found[integration_id].append(earlier)
    return found


def _earlier_posts(
    session: Session, rows: Sequence[Row[Any]], now: datetime
) -> Iterator[tuple[str, EarlierPost]]:
    videos = _find_videos(session, {medium for row in rows for medium in row.used_media})
    for row in rows:
        yield (
            row.integration_id,
            EarlierPost(
                at=max(row.publish_at, now) if row.state in _WAITING else row.publish_at,
                has_video=not videos.isdisjoint(row.used_media),
                digest=row.digest,
                media_ids=row.media_ids,
                parts=tuple((part["content"], tuple(part["media_ids"])) for part in row.thread),
            ),
        )


def _is_within(
    posts: Sequence[PlannedPost], window: timedelta, now: datetime
) -> ColumnElement[bool]:
    """Posts that go out less than `window` from one of `posts`, or are between these."""
    times = [max(post.row.publish_at, now) for post in posts]
    published_now = and_(Post.state.in_(_WAITING), is_in_time())
    return and_(
        Post.publish_at <= max(times) + window,
        or_(Post.publish_at >= min(times) - window, published_now),
    )


def _find_videos(session: Session, media_ids: Collection[int]) -> set[int]:
    if not media_ids:
        return set()
    is_video = Media.mime.startswith("video/")
    return set(session.scalars(select(Media.id).where(Media.id.in_(media_ids), is_video)))


def _will_be_published(account_id: int, integration_ids: Collection[str]) -> ColumnElement[bool]:
    return and_(
        Post.account_id == account_id,
        Post.integration_id.in_(integration_ids),
        *is_to_be_published(),
    )


def is_to_be_published() -> tuple[ColumnElement[bool], ...]:
    """Posts that are or will be published, without a person's decision."""
    return Post.state.not_in(_NOT_PUBLISHED), ~Post.as_draft


def _rate_windows(posts: Sequence[PlannedPost], known: Known) -> Iterator[tuple[str, timedelta]]:
    """The longest rate window of each channel that has a rate limit or shares one."""
    for channel in {post.channel for post in posts}:
        limits = known.limits(channel).items()
        rates = [KINDS[name].window for name, limit in limits if limit.value is not None]
        windows = [window for window in rates if window is not None]
        for id_ in {channel.id, *known.siblings(channel.identifier or "")} if windows else ():
            yield id_, max(windows)


def find_used_media(
    session: Session,
    profile_id: str,
    integration_ids: Collection[str],
    media_ids: Collection[int],
    *,
    around: datetime,
    cooldown: timedelta,
) -> set[tuple[str, int]]:
    """Which of these media the profile publishes on which of these channels within `cooldown` of
    `around`: pairs of channel and medium. Nobody else chooses by that until the transaction ends:
    otherwise two playlists at the same time could take the same medium."""
    _lock(session, f"cooldown:{profile_id}")
    medium = func.unnest(Post.media_ids)
    query = select(Post.integration_id, medium).where(
        Post.profile_id == profile_id,
        Post.integration_id.in_(integration_ids),
        Post.publish_at.between(around - cooldown, around + cooldown),
        Post.state.not_in((PostState.FAILED, PostState.CANCELLED)),
        ~Post.as_draft,
        Post.media_ids.overlap(media_ids),
    )
    return {(row[0], row[1]) for row in session.execute(query.distinct())}
