"""Calendar links: whoever has one reads when the posts of its profiles go out.

The token is random, shown once, and stored as a hash. A person's link follows what the person sees.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from shared.access.visible_profiles import EVERY_PROFILE, VisibleProfiles
from shared.crypto import hash_secret
from shared.errors import Conflict, NotFound
from shared.models import CalendarLink, Profile, User

PATH = "/calendar.ics"
PREFIX = "cal_"
#: Links of the same maker for the same profiles.
MOST = 20


def create_link(
    session: Session,
    *,
    name: str,
    profile_ids: Sequence[str] | None,
    user_id: int | None,
    expires_at: datetime | None,
) -> tuple[CalendarLink, str]:
    """The row and its token, which cannot be read again. Raises `Conflict` for too many.

    `profile_ids`: sorted; None: all profiles. `user_id`: of a person, whose link it is.
    """
    about = None if profile_ids is None else list(profile_ids)
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"calendar:{user_id}:{about}", 12))
    session.execute(select(lock))
    same = (
        CalendarLink.profile_ids.is_not_distinct_from(about),
        CalendarLink.user_id.is_not_distinct_from(user_id),
    )
    if (session.scalar(select(func.count()).where(*same)) or 0) >= MOST:
        message = f"There are {MOST} such links: delete one that is not needed any more"
        raise Conflict(message, code="too_many_links")
    token = PREFIX + secrets.token_urlsafe(32)
    link = CalendarLink(
        name=name,
        profile_ids=about,
        user_id=user_id,
        token_hash=hash_secret(token),
        expires_at=expires_at,
    )
    session.add(link)
    session.flush()
    session.refresh(link)
    return link, token


def find_link(session: Session, token: str) -> tuple[CalendarLink, VisibleProfiles]:
    """The link, and whose posts it shows now.

    Raises `NotFound` for one that is unknown, has ended, or has nothing left that it may show.
    """
    lasts = or_(CalendarLink.expires_at.is_(None), CalendarLink.expires_at > func.now())
    known = CalendarLink.token_hash == hash_secret(token)
    link = session.scalar(select(CalendarLink).where(known, lasts))
    shown = None if link is None else _find_shown_profiles(session, link)
    if link is None or shown is None:
        raise NotFound("There is no such calendar, or not any more", code="calendar_unknown")
    return link, shown


def _find_shown_profiles(session: Session, link: CalendarLink) -> VisibleProfiles | None:
    bounds = [] if link.profile_ids is None else [link.profile_ids]
    if link.user_id is not None:
        user = session.get_one(User, link.user_id)
        if user.disabled:
            return None
        bounds += [] if user.profile_ids is None else [user.profile_ids]
    if not bounds:
        return EVERY_PROFILE
    named = [Profile.id.in_(profile_ids) for profile_ids in bounds]
    kept = session.scalars(select(Profile.id).where(*named, Profile.deleting_since.is_(None))).all()
    return VisibleProfiles.only(kept) if kept else None


def note_read(session: Session, link: CalendarLink) -> None:
    read = {"read": CalendarLink.read + 1, "last_read_at": func.now()}
    session.execute(update(CalendarLink).where(CalendarLink.id == link.id).values(read))


def forget_profile(session: Session, profile_id: str) -> None:
    """A profile is being deleted: delete its own links, and take it out of the others."""
    only_its_own = VisibleProfiles.only({profile_id}).condition(CalendarLink)
    session.execute(delete(CalendarLink).where(only_its_own))
    bound = CalendarLink.profile_ids.contains([profile_id])
    fewer = func.array_remove(CalendarLink.profile_ids, profile_id)
    session.execute(update(CalendarLink).where(bound).values(profile_ids=fewer))
