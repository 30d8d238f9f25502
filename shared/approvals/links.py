"""Approval links: whoever has one decides about the posts of one job, without signing in.

The token is random, shown once, and stored as a hash. What has ended is kept, so that the page can
say why it shows nothing.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from shared import db
from shared.crypto import hash_secret
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.models import ApprovalLink, Job, Profile

PATH = "/approve/"
PREFIX = "apl_"
LASTS, LONGEST = timedelta(days=7), timedelta(days=90)
#: How long the page of one that has ended says so.
SAYS_WHY_FOR = timedelta(days=30)
#: Links of a job that have not ended.
MOST = 50


def create_link(
    session: Session, job: Job, *, name: str, expires_at: datetime | None, latest: datetime | None
) -> tuple[ApprovalLink, str]:
    """The row and its token, which cannot be read again. `latest`: when its maker's key ends.

    Raises `Unprocessable` for an end that is past or too far away, and `Conflict` for too many.
    """
    now = db.read_clock(session)
    end = _choose_end(expires_at, now, min(latest or now + LONGEST, now + LONGEST))
    session.execute(select(Job.id).where(Job.id == job.id).with_for_update(key_share=True))
    if _count_open(session, job) >= MOST:
        message = f"The job has {MOST} links that work: revoke one that is not needed any more"
        raise Conflict(message, code="too_many_links")
    token = PREFIX + secrets.token_urlsafe(32)
    link = ApprovalLink(
        job_id=job.id,
        profile_id=job.profile_id,
        name=name,
        token_hash=hash_secret(token),
        expires_at=end,
    )
    session.add(link)
    session.flush()
    session.refresh(link)
    return link, token


def _choose_end(wanted: datetime | None, now: datetime, latest: datetime) -> datetime:
    if wanted is None:
        return min(now + LASTS, latest)
    end = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    if not now < end <= latest:
        message = f"must be in the future, and no later than {latest:%Y-%m-%dT%H:%M:%SZ}"
        fault = FieldError(field="expires_at", message=message, code="out_of_range")
        raise Unprocessable("The link would not work so", fields=[fault], code=fault.code)
    return end


def _count_open(session: Session, job: Job) -> int:
    works = ApprovalLink.revoked_at.is_(None), ApprovalLink.expires_at > func.now()
    return session.scalar(select(func.count()).where(ApprovalLink.job_id == job.id, *works)) or 0


def list_links(session: Session, job: Job) -> Sequence[ApprovalLink]:
    query = select(ApprovalLink).where(ApprovalLink.job_id == job.id)
    return session.scalars(query.order_by(ApprovalLink.id)).all()


def revoke_link(session: Session, link: ApprovalLink) -> None:
    if link.revoked_at is None:
        link.revoked_at = func.now()
        session.flush()


def find_link(session: Session, token: str, *, lock: bool = False) -> ApprovalLink:
    """With `lock`, nobody revokes it before we commit.

    Raises `NotFound`, whose code says whether the link is unknown, has expired, or was revoked.
    """
    kept = exists().where(Profile.id == ApprovalLink.profile_id, Profile.deleting_since.is_(None))
    query = select(ApprovalLink).where(ApprovalLink.token_hash == hash_secret(token), kept)
    link = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if link is None:
        message = "There is no such link: see whether you have all of it, or ask for a new one"
        raise NotFound(message, code="link_unknown")
    if link.revoked_at is not None:
        raise NotFound("This link was withdrawn: ask for a new one", code="link_revoked")
    if link.expires_at <= db.read_clock(session):
        raise NotFound("This link has expired: ask for a new one", code="link_expired")
    return link


def note_use(link: ApprovalLink, *, decided: int = 0) -> None:
    """Its page is shown, or `decided` posts were approved or rejected with it."""
    link.last_used_at = func.now()
    if decided:
        link.decided += decided
    else:
        link.opened += 1
