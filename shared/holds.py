"""Holds: keys that an account refuses; nothing goes out with one until it is saved again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.models import Hold, Profile


@dataclass(frozen=True, kw_only=True)
class HeldProfile:
    """A profile whose key is refused, and why."""

    account_id: int
    profile_id: str
    reason: str
    message: str
    since: datetime


def is_held() -> ColumnElement[bool]:
    """Whether nothing may go out with the key of the `Profile` of the query around it."""
    return exists().where(*_of_profile()).correlate(Profile)


def _of_profile() -> tuple[ColumnElement[bool], ...]:
    return Hold.account_id == Profile.account_id, Hold.key_hash == Profile.key_hash


def hold_key(
    session: Session, account_id: int, key_hash: str, *, reason: str, message: str
) -> bool:
    """Whether this is new: the key was not held for that reason since it was saved last."""
    values = {
        "account_id": account_id,
        "key_hash": key_hash,
        "reason": reason,
        "message": message,
    }
    added = insert(Hold).values(values).on_conflict_do_nothing().returning(Hold.account_id)
    return session.scalar(added) is not None


def release_key(session: Session, account_id: int, key_hash: str) -> None:
    """The key was saved again, or mended: what was held goes on by itself."""
    of_key = Hold.account_id == account_id, Hold.key_hash == key_hash
    session.execute(delete(Hold).where(*of_key))


def unused() -> ColumnElement[bool]:
    """Which holds are of keys that no profile uses any more."""
    return ~exists().where(*_of_profile()).correlate(Hold)


def list_held(
    session: Session,
    account_ids: Sequence[int] | None = None,
    profile_ids: Sequence[str] | None = None,
) -> list[HeldProfile]:
    """The held ones of these accounts and profiles (None: of all), by the time since when."""
    query = (
        select(Hold.account_id, Profile.id, Hold.reason, Hold.message, Hold.since)
        .join(Profile, _of_profile()[0] & _of_profile()[1])
        .order_by(Hold.since, Hold.reason, Profile.id)
    )
    if account_ids is not None:
        query = query.where(Hold.account_id.in_(account_ids))
    if profile_ids is not None:
        query = query.where(Profile.id.in_(profile_ids))
    return [
        HeldProfile(
            account_id=row.account_id,
            profile_id=row.id,
            reason=row.reason,
            message=row.message,
            since=row.since,
        )
        for row in session.execute(query)
    ]
