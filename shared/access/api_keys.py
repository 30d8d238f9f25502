"""Keys of the HTTP API: created once, shown once, stored as a hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.access.new_keys import new_key
from shared.access.visible_profiles import VisibleProfiles
from shared.errors import Conflict
from shared.models import ApiKey, RetiredKey

SCOPES = ("read", "publish", "approve", "settings", "admin")
ADMIN_NAME = "admin (installed)"
#: How exactly it is known when a key was used last.
USE_NOTED_EVERY = timedelta(minutes=5)


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def create_api_key(
    session: Session,
    *,
    name: str,
    profile_ids: list[str] | None,
    scopes: list[str],
    expires_at: datetime | None,
    requires_approval: bool = False,
) -> tuple[ApiKey, str]:
    """The row, and the key itself, which cannot be read again."""
    key = new_key()
    row = ApiKey(
        name=name,
        key_hash=hash_key(key),
        profile_ids=profile_ids,
        scopes=scopes,
        expires_at=expires_at,
        requires_approval=requires_approval,
    )
    session.add(row)
    session.flush()
    return row, key


@dataclass(frozen=True)
class KnownKey:
    """`is_use_due`: its use is to be noted, with `note_use`."""

    row: ApiKey
    is_use_due: bool


def find_api_key(session: Session, key: str) -> KnownKey | None:
    """The row of a key that exists and has not expired, else None.

    Asked at each request and stored nowhere, so that what is revoked is so in every process.
    """
    hashed = hash_key(key)
    retired = select(RetiredKey.api_key_id).where(RetiredKey.key_hash == hashed, still_valid())
    known = or_(ApiKey.key_hash == hashed, ApiKey.id == retired.scalar_subquery())
    found = session.execute(
        select(ApiKey, _is_use_due().label("due")).where(known, opens_doors())
    ).one_or_none()
    return None if found is None else KnownKey(row=found.ApiKey, is_use_due=found.due)


def is_in_force(session: Session, key_id: int) -> bool:
    """Whether a key that was accepted before still would be."""
    return session.scalar(select(ApiKey.id).where(ApiKey.id == key_id, opens_doors())) is not None


def opens_doors() -> ColumnElement[bool]:
    """Which keys are accepted."""
    fresh = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    return and_(fresh, or_(ApiKey.profile_ids.is_(None), func.cardinality(ApiKey.profile_ids) > 0))


def still_valid() -> ColumnElement[bool]:
    """Which earlier keys are accepted as those that replaced them are."""
    return RetiredKey.valid_until > func.now()


def _is_use_due() -> ColumnElement[bool]:
    long_ago = func.now() - USE_NOTED_EVERY
    return or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < long_ago)


def note_use(connection: Connection, key_id: int) -> None:
    """Record that the key was used; nobody waits for whoever records it at this moment."""
    free = select(ApiKey.id).where(ApiKey.id == key_id, _is_use_due())
    free = free.with_for_update(key_share=True, skip_locked=True)
    noted = update(ApiKey).where(ApiKey.id == free.scalar_subquery())
    connection.execute(noted.values(last_used_at=func.now()))


def rotate_key(session: Session, row: ApiKey, overlap: timedelta) -> str:
    """The new key, which cannot be read again; earlier ones work for `overlap` still, no longer.

    `row` must be locked. Raises `Conflict` for the installed admin key, which comes from outside.
    """
    if row.name == ADMIN_NAME and row.profile_ids is None:
        raise Conflict(
            "The installed admin key is the one that PRESSROOM_ADMIN_KEY names: change it there",
            code="installed_key",
        )
    until = func.now() + overlap
    session.add(RetiredKey(key_hash=row.key_hash, api_key_id=row.id, valid_until=until))
    key = new_key()
    row.key_hash = hash_key(key)
    session.flush()
    of_key = RetiredKey.api_key_id == row.id
    session.execute(
        update(RetiredKey)
        .where(of_key)
        .values(valid_until=func.least(RetiredKey.valid_until, until))
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(RetiredKey)
        .where(of_key, ~still_valid())
        .execution_options(synchronize_session=False)
    )
    return key


def old_keys_until(session: Session, key_ids: Sequence[int]) -> dict[int, datetime]:
    """Of the keys that were rotated: until when an earlier one works too."""
    query = select(RetiredKey.api_key_id, func.max(RetiredKey.valid_until)).where(
        RetiredKey.api_key_id.in_(key_ids), still_valid()
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(RetiredKey.api_key_id))}


def forget_profile(session: Session, profile_id: str) -> None:
    """A profile is being deleted: delete its own keys, and unbind the others from it."""
    only_its_own = VisibleProfiles.only({profile_id}).condition(ApiKey)
    session.execute(delete(ApiKey).where(only_its_own))
    bound = ApiKey.profile_ids.contains([profile_id])
    fewer = func.array_remove(ApiKey.profile_ids, profile_id)
    session.execute(update(ApiKey).where(bound).values(profile_ids=fewer))


def install_admin_key(session: Session, key: str) -> None:
    """Make `key` the only installed admin key; an earlier one stops working."""
    session.query(ApiKey).filter(
        ApiKey.name == ADMIN_NAME, ApiKey.key_hash != hash_key(key)
    ).delete()
    row = insert(ApiKey).values(name=ADMIN_NAME, key_hash=hash_key(key), scopes=list(SCOPES))
    session.execute(row.on_conflict_do_nothing(index_elements=["key_hash"]))
