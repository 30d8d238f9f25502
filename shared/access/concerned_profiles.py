"""Which profiles a thing is about, by the kind and id with which a request names it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.models import (
    ApiKey,
    ApprovalLink,
    Base,
    CalendarLink,
    IncomingUpload,
    Job,
    Media,
    Post,
    Profile,
    Schedule,
    User,
    Webhook,
)
from shared.models.base import is_id

_OF_ONE: Mapping[str, tuple[type[Base], InstrumentedAttribute[int]]] = {
    "approval-links": (ApprovalLink, ApprovalLink.id),
    "jobs": (Job, Job.id),
    "posts": (Post, Post.id),
    "schedules": (Schedule, Schedule.id),
    "media": (Media, Media.id),
    "uploads": (IncomingUpload, IncomingUpload.id),
    "direct": (IncomingUpload, IncomingUpload.id),
    "accounts": (Profile, Profile.account_id),  # type: ignore[dict-item]
}
_OF_MANY: Mapping[str, type[ApiKey | CalendarLink | User | Webhook]] = {
    "calendar-links": CalendarLink,
    "keys": ApiKey,
    "users": User,
    "webhooks": Webhook,
}
KINDS = frozenset({"profiles", *_OF_ONE, *_OF_MANY})


def find_concerned_profiles(session: Session, kind: str, ids: Sequence[str]) -> set[str]:
    """Nothing for a kind of `KINDS` with ids that do not exist, or that is about all profiles."""
    if kind == "profiles":
        return set(ids)
    numbers = [int(each) for each in ids if is_id(each)]
    if kind in _OF_MANY:
        table = _OF_MANY[kind]
        lists = session.scalars(select(table.profile_ids).where(table.id.in_(numbers)))
        return {name for names in lists for name in names or ()}
    model, key = _OF_ONE[kind]
    named = Profile.id if model is Profile else model.profile_id  # type: ignore[attr-defined]
    return set(session.scalars(select(named).where(key.in_(numbers)).distinct()))
