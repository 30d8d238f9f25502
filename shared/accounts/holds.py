"""Holds: keys that an account refuses, and settings that cannot be used, until they change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.models import Hold, Profile, SettingsHold

#: Time after which unusable settings are tried again: the cause may be on our side.
RETRY_AFTER = timedelta(seconds=15)
#: By reason: what a person can do.
_HINTS = {
    "credentials_rejected": "Save a key that works in the profile's settings.",
    "plan_limit": "Look at the plan in Postiz, then save the key again.",
    "postiz_too_old": "Upgrade Postiz, then save the key again.",
    "private_address": "Save an address that is public, or have the operator allow this one in "
    "PRESSROOM_ALLOWED_HOSTS.",
    "secret_unreadable": "Put the old key back into PRESSROOM_SECRET_KEYS, behind the newer ones, "
    "and start again; or save the API key again.",
}


@dataclass(frozen=True, kw_only=True)
class HeldProfile:
    """A profile for which nothing is sent, and the reason."""

    account_id: int | None
    profile_id: str
    reason: str
    message: str
    since: datetime

    @property
    def hint(self) -> str:
        return hint_of(self.reason)


def hint_of(reason: str) -> str:
    return _HINTS.get(reason, "Save the profile's settings again once this is mended.")


def is_held() -> ColumnElement[bool]:
    """Whether nothing may be sent with the settings of the enclosing query's `Profile`."""
    refused, unusable = (
        exists().where(_key_hold_condition()),
        exists().where(_settings_hold_condition()),
    )
    return or_(refused.correlate(Profile), unusable.correlate(Profile))


def has_usable_key(account_id: SQLColumnExpression[int] | int) -> tuple[ColumnElement[bool], ...]:
    """The enclosing query's `Profile` has a key of this account, and the key is not held."""
    return Profile.account_id == account_id, ~is_held()


def _key_hold_condition() -> ColumnElement[bool]:
    return and_(Hold.account_id == Profile.account_id, Hold.key_hash == Profile.key_hash)


def _settings_hold_condition() -> ColumnElement[bool]:
    same_version = SettingsHold.settings_version == Profile.settings_version
    return and_(SettingsHold.profile_id == Profile.id, same_version)


def hold_key(
    session: Session, account_id: int, key_hash: str, *, reason: str, message: str
) -> bool:
    """Hold the key. Returns whether this is new: it was not held for this reason before."""
    values = {
        "account_id": account_id,
        "key_hash": key_hash,
        "reason": reason,
        "message": message,
    }
    added = insert(Hold).values(values).on_conflict_do_nothing().returning(Hold.account_id)
    return session.scalar(added) is not None


def release_key(session: Session, account_id: int, key_hash: str) -> None:
    """End the holds on the key, which was saved again; its posts continue by themselves."""
    of_key = Hold.account_id == account_id, Hold.key_hash == key_hash
    session.execute(delete(Hold).where(*of_key))


def hold_settings(
    session: Session, profile_id: str, version: int, *, reason: str, message: str
) -> bool:
    """Hold these settings. Returns whether this is new: they were not held for this reason."""
    before = session.get(SettingsHold, profile_id, populate_existing=True)
    known = before and (before.settings_version, before.reason) == (version, reason)
    values = {
        "settings_version": literal(version),
        "reason": literal(reason),
        "message": literal(message),
        "look_at": func.now() + RETRY_AFTER,
    }
    since = {} if known else {"since": func.now()}
    still = Profile.id == profile_id, Profile.settings_version == version
    held = insert(SettingsHold).from_select(
        ["profile_id", *values], select(Profile.id, *values.values()).where(*still)
    )
    done = held.on_conflict_do_update(index_elements=["profile_id"], set_=values | since)
    return session.scalar(done.returning(SettingsHold.profile_id)) is not None and not known


def lift_settings(session: Session, profile_id: str) -> None:
    """End the hold on the settings, which changed or can be used; its posts continue."""
    session.execute(delete(SettingsHold).where(SettingsHold.profile_id == profile_id))


def is_retry_due() -> ColumnElement[bool]:
    """Whether the held settings of the enclosing query's `Profile` are due to be tried again."""
    due = _settings_hold_condition(), SettingsHold.look_at <= func.now()
    return exists().where(*due).correlate(Profile)


def is_unused() -> ColumnElement[bool]:
    """Holds of keys that no profile uses any more."""
    return ~exists().where(_key_hold_condition()).correlate(Hold)


def list_held(
    session: Session,
    account_ids: Sequence[int] | None = None,
    profile_ids: Collection[str] | None = None,
) -> list[HeldProfile]:
    """The held profiles of these accounts and profiles (None: all), the longest held first."""
    of_profile = Profile.account_id, Profile.id.label("profile_id")
    keys = select(*of_profile, Hold.reason, Hold.message, Hold.since)
    settings = select(*of_profile, SettingsHold.reason, SettingsHold.message, SettingsHold.since)
    facts = union_all(
        keys.join(Hold, _key_hold_condition()),
        settings.join(SettingsHold, _settings_hold_condition()),
    ).subquery()
    query = select(facts).order_by(facts.c.since, facts.c.reason, facts.c.profile_id)
    if account_ids is not None:
        query = query.where(facts.c.account_id.in_(account_ids))
    if profile_ids is not None:
        query = query.where(facts.c.profile_id.in_(profile_ids))
    return [HeldProfile(**row) for row in session.execute(query).mappings()]
