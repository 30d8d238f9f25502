"""How much a profile may have: the installation's defaults, or numbers of its own.

What adds is checked after it has added, in the same transaction and under a lock that only such
checks take, until its end. So two that fit one by one never pass together, and all of it is undone.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shared.config import Settings
from shared.domain.publishing.states import DONE
from shared.errors import FieldError, QuotaExceeded
from shared.models import IncomingUpload, Job, Media, Post, Profile, Schedule


class Quota(StrEnum):
    MEDIA_BYTES = "media_bytes"
    OPEN_POSTS = "open_posts"
    SCHEDULES = "schedules"
    OPEN_UPLOADS = "open_uploads"
    REQUESTS_PER_MINUTE = "requests_per_minute"


_WORDS: Mapping[Quota, str] = {
    Quota.MEDIA_BYTES: "bytes of media",
    Quota.OPEN_POSTS: "posts that Postiz does not have yet",
    Quota.SCHEDULES: "schedules",
    Quota.OPEN_UPLOADS: "unfinished uploads",
}


def limit_of(quota: Quota, own: Mapping[str, int] | None, settings: Settings) -> int:
    """`own`: the profile's numbers, which come before the defaults."""
    defaults = {
        Quota.MEDIA_BYTES: settings.quota_media_bytes,
        Quota.OPEN_POSTS: settings.quota_open_posts,
        Quota.SCHEDULES: settings.quota_schedules,
        Quota.OPEN_UPLOADS: settings.quota_open_uploads,
        Quota.REQUESTS_PER_MINUTE: settings.quota_requests_per_minute,
    }
    return (own or {}).get(quota, defaults[quota])


def require_room(session: Session, profile_id: str, quota: Quota, settings: Settings) -> None:
    """Call it after the rows are added. Raises `QuotaExceeded` if they are too many by now."""
    name = f"quota:{quota}:{profile_id}"
    lock = func.pg_advisory_xact_lock(func.hashtextextended(name, 12))
    own = session.execute(
        select(Profile.quotas, lock).where(Profile.id == profile_id)
    ).one_or_none()
    limit = limit_of(quota, own.quotas if own else None, settings)
    if _QUICK_BOUNDS[quota](session, profile_id) <= limit:
        return
    used = count_used(session, profile_id, quota)
    if used > limit:
        message = f"The profile may have {limit} {_WORDS[quota]}, and would have {used}"
        raise QuotaExceeded(message, fields=[FieldError(field=quota, message=message, code=quota)])


def count_used(session: Session, profile_id: str, quota: Quota) -> int:
    return _COUNTS[quota](session, profile_id)


def _media_bytes(session: Session, profile_id: str) -> int:
    """Of files that are kept, and of uploads that are not finished, as they are declared.

    Media with the same file count once.
    """
    kept = (Media.profile_id == profile_id, Media.sha256.is_not(None))
    stored = select(func.sum(Media.size)).where(*kept, Media.storage_key.is_not(None))
    coming = select(func.sum(IncomingUpload.size)).where(*_is_coming(profile_id))
    return sum(int(session.scalar(total) or 0) for total in (stored, coming))


def _open_uploads(session: Session, profile_id: str) -> int:
    return session.scalar(select(func.count()).where(*_is_coming(profile_id))) or 0


def _is_coming(profile_id: str) -> tuple[ColumnElement[bool], ...]:
    return IncomingUpload.profile_id == profile_id, IncomingUpload.finished_at.is_(None)


def _posts_of_open_jobs(session: Session, profile_id: str) -> int:
    """As many as are open at most; it reads no post."""
    total = select(func.sum(Job.total)).where(Job.profile_id == profile_id)
    return int(session.scalar(total.where(Job.finished_at.is_(None))) or 0)


def _open_posts(session: Session, profile_id: str) -> int:
    jobs = select(Job.id).where(Job.profile_id == profile_id, Job.finished_at.is_(None))
    number = select(func.count()).where(Post.job_id.in_(jobs), Post.state.not_in(sorted(DONE)))
    return session.scalar(number) or 0


def _schedules(session: Session, profile_id: str) -> int:
    return session.scalar(select(func.count()).where(Schedule.profile_id == profile_id)) or 0


_Count = Callable[[Session, str], int]
_COUNTS: Mapping[Quota, _Count] = {
    Quota.MEDIA_BYTES: _media_bytes,
    Quota.OPEN_POSTS: _open_posts,
    Quota.SCHEDULES: _schedules,
    Quota.OPEN_UPLOADS: _open_uploads,
}
_QUICK_BOUNDS: Mapping[Quota, _Count] = {**_COUNTS, Quota.OPEN_POSTS: _posts_of_open_jobs}
