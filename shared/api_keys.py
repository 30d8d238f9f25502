"""Keys of the HTTP API: created once, shown once, stored as a hash."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.models import ApiKey

SCOPES = ("read", "publish", "settings", "admin")
ADMIN_NAME = "admin (installed)"


def new_key() -> str:
    """A fresh key with 256 random bits, so that a fast hash is enough."""
    return f"pk_{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def create_api_key(
    session: Session,
    *,
    name: str,
    profile_ids: list[str] | None,
    scopes: list[str],
    expires_at: datetime | None,
) -> tuple[ApiKey, str]:
    """The row, and the key itself, which cannot be read again."""
    key = new_key()
    row = ApiKey(
        name=name,
        key_hash=hash_key(key),
        profile_ids=profile_ids,
        scopes=scopes,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row, key


def find_api_key(session: Session, key: str) -> ApiKey | None:
    """The row of a key that exists and has not expired, else None."""
    fresh = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    return session.scalar(select(ApiKey).where(ApiKey.key_hash == hash_key(key), fresh))


def install_admin_key(session: Session, key: str) -> None:
    """Make `key` the only installed admin key; an earlier one stops working."""
    session.query(ApiKey).filter(
        ApiKey.name == ADMIN_NAME, ApiKey.key_hash != hash_key(key)
    ).delete()
    row = insert(ApiKey).values(name=ADMIN_NAME, key_hash=hash_key(key), scopes=list(SCOPES))
    session.execute(row.on_conflict_do_nothing(index_elements=["key_hash"]))
