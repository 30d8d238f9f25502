"""Holds: keys that an account refuses, and settings that cannot be used, until either changes."""

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

#: Settings that cannot be used are tried again after so long: what is wrong with them may be ours.
LOOK_AGAIN = timedelta(seconds=15)
#: What a person can do, by the reason.
_HINTS = {
    "credentials_rejected": "Save a key that works in the profile's settings.",
    "plan_limit": "Look at the plan in Postiz, then save the key again.",
    "postiz_too_old": "Upgrade Postiz, then save the key again.",
    "secret_unreadable": "Put the old key back into PRESSROOM_SECRET_KEYS, behind the newer ones, "
    "and start again; or save the API key again.",
}


@dataclass(frozen=True, kw_only=True)
class HeldProfile:
    """A profile for which nothing is sent, and why."""

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
    """Whether nothing may go out with the settings of the `Profile` of the query around it."""
    refused, unusable = (
        exists().where(_key_hold_condition()),
        exists().where(_settings_hold_condition()),
    )
    return or_(refused.correlate(Profile), unusable.correlate(Profile))


def has_usable_key(account_id: SQLColumnExpression[int] | int) -> tuple[ColumnElement[bool], ...]:
    """Of the `Profile` of the query around: its key is of that account, and may be used there."""
    return Profile.account_id == account_id, ~is_held()


def _key_hold_condition() -> ColumnElement[bool]:
    return and_(Hold.account_id == Profile.account_id, Hold.key_hash == Profile.key_hash)


def _settings_hold_condition() -> ColumnElement[bool]:
    same_version = SettingsHold.settings_version == Profile.settings_version
    return and_(SettingsHold.profile_id == Profile.id, same_version)


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


def hold_settings(
    session: Session, profile_id: str, version: int, *, reason: str, message: str
) -> bool:
    """Whether this is new: these settings were not held for that reason since they were usable."""
    before = session.get(SettingsHold, profile_id, populate_existing=True)
    known = before and (before.settings_version, before.reason) == (version, reason)
    values = {
        "settings_version": literal(version),
        "reason": literal(reason),
        "message": literal(message),
        "look_at": func.now() + LOOK_AGAIN,
    }
    since = {} if known else {"since": func.now()}
    still = Profile.id == profile_id, Profile.settings_version == version
    held = insert(SettingsHold).from_select(
        ["profile_id", *values], select(Profile.id, *values.values()).where(*still)
    )
    done = held.on_conflict_do_update(index_elements=["profile_id"], set_=values | since)
    return session.scalar(done.returning(SettingsHold.profile_id)) is not None and not known


def lift_settings(session: Session, profile_id: str) -> None:
    """The settings have changed, or can be used again: what was held goes on by itself."""
    session.execute(delete(SettingsHold).where(SettingsHold.profile_id == profile_id))


def is_retry_due() -> ColumnElement[bool]:
    """Whether it is time to see if the settings of the `Profile` around can be used again."""
    due = _settings_hold_condition(), SettingsHold.look_at <= func.now()
    return exists().where(*due).correlate(Profile)


def is_unused() -> ColumnElement[bool]:
    """Which holds are of keys that no profile uses any more."""
    return ~exists().where(_key_hold_condition()).correlate(Hold)


def list_held(
    session: Session,
    account_ids: Sequence[int] | None = None,
    profile_ids: Collection[str] | None = None,
) -> list[HeldProfile]:
    """The held ones of these accounts and profiles (None: of all), by the time since when."""
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
