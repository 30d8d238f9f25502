"""Profiles: their credentials, the version of their settings, and their account."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, cast, func, select
from sqlalchemy.orm import Session

from shared.accounts import holds, identity
from shared.accounts.identity import Found
from shared.config import Settings
from shared.crypto import SecretBox
from shared.db import lock_again
from shared.errors import HOW_TO_CONFIGURE, Conflict, NotConfigured, NotFound, SecretUnreadable
from shared.models import Account, Profile
from shared.postiz.discovery import Probe, server_of
from shared.profiles import account_move


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Postiz's address and key; `source` is "profile" or "environment"."""

    source: str
    api_url: str
    api_key: str = field(repr=False)

    @property
    def server(self) -> str:
        return server_of(self.api_url)

    @property
    def key_hash(self) -> str:
        return identity.key_hash(self.server, self.api_key)

    def found(self, probe: Probe | None = None) -> Found:
        return Found(server=self.server, key_hash=self.key_hash, probe=probe)


def mask_api_key(api_key: str) -> str:
    """Shows just enough to tell two keys apart."""
    return "••••" + (api_key[-4:] if len(api_key) >= 12 else "")


def load_profile(session: Session, profile_id: str, *, lock: bool = False) -> Profile:
    """The profile; with `lock`, locked against other writers. Raises `NotFound`."""
    if lock:
        query = select(Profile).where(Profile.id == profile_id)
        profile = session.scalar(query.with_for_update(key_share=True))
    else:
        profile = session.get(Profile, profile_id)
    if profile is None:
        raise NotFound(f"There is no profile {profile_id!r}")
    return profile


def lock_profile(session: Session, profile_id: str) -> Profile:
    """The profile, locked against other writers. Raises `Conflict` while it is being deleted."""
    profile = load_profile(session, profile_id, lock=True)
    require_kept(profile_id, profile.deleting_since)
    return profile


def require_kept(profile_id: str, deleting_since: datetime | None) -> None:
    """Raises `Conflict` for a profile that is being deleted."""
    if deleting_since is not None:
        message = f"The profile {profile_id!r} is being deleted, and takes nothing new"
        raise Conflict(message, code="profile_being_deleted")


def environment_credentials(settings: Settings) -> Credentials | None:
    """The installation's default, for profiles that may use it and have none of their own."""
    if not (settings.postiz_api_url and settings.postiz_api_key):
        return None
    return Credentials(
        source="environment",
        api_url=settings.postiz_api_url,
        api_key=settings.postiz_api_key.get_secret_value(),
    )


def _allowed_default(profile: Profile, settings: Settings) -> Credentials | None:
    return environment_credentials(settings) if profile.environment_allowed else None


def source_of(profile: Profile, settings: Settings) -> str:
    """Where the current credentials come from: "profile", "environment" or "none".

    Decrypts no secret.
    """
    if profile.tts_settings.get("postiz"):
        return "profile"
    return "environment" if _allowed_default(profile, settings) else "none"


def api_url_of(profile: Profile, settings: Settings) -> str | None:
    """The address of the current credentials; decrypts no secret."""
    own = profile.tts_settings.get("postiz")
    if own:
        return str(own["api_url"])
    default = _allowed_default(profile, settings)
    return default.api_url if default else None


def _opened_key(profile: Profile, box: SecretBox) -> str:
    try:
        return box.open(profile.tts_settings["postiz"]["api_key"])
    except SecretUnreadable as error:
        message = f"The Postiz key of {profile.id!r} cannot be opened: {error.message}"
        raise SecretUnreadable(message, hint=holds.hint_of(error.code)) from error


def credentials_of(profile: Profile, settings: Settings, box: SecretBox) -> Credentials | None:
    """The profile's own, else the environment's if it may use them, else None.

    Raises `SecretUnreadable`.
    """
    own = profile.tts_settings.get("postiz")
    if own:
        return Credentials(
            source="profile", api_url=own["api_url"], api_key=_opened_key(profile, box)
        )
    return _allowed_default(profile, settings)


def require_configured(profile: Profile, settings: Settings) -> None:
    """Raises `NotConfigured` with a hint how to configure it."""
    if source_of(profile, settings) == "none":
        raise NotConfigured(HOW_TO_CONFIGURE.format(id=profile.id))


def require_credentials(profile: Profile, settings: Settings, box: SecretBox) -> Credentials:
    """Raises `NotConfigured` or `SecretUnreadable`."""
    require_configured(profile, settings)
    found = credentials_of(profile, settings, box)
    assert found is not None  # there is a source
    return found


def public_settings(profile: Profile, box: SecretBox) -> dict[str, Any]:
    """`tts_settings` with the key masked, as replies show them."""
    shown = dict(profile.tts_settings)
    if own := shown.get("postiz"):
        shown["postiz"] = {**own, "api_key": masked_key(profile, box)}
    return shown


def masked_key(profile: Profile, box: SecretBox) -> str:
    """The profile's own key, masked; without its last characters if it cannot be decrypted."""
    try:
        return mask_api_key(_opened_key(profile, box))
    except SecretUnreadable:
        return mask_api_key("")


def save_settings(
    session: Session, profile: Profile, changes: dict[str, Any], box: SecretBox
) -> None:
    """Merge `changes` into `tts_settings` at the top level, and raise the version.

    This also ends a hold on the settings.

    `postiz` is `{"api_url", "api_key"}` with the key in plain text, or None for the environment's.
    """
    merged = {**profile.tts_settings, **changes}
    if own := changes.get("postiz"):
        merged["postiz"] = {**own, "api_key": box.seal(own["api_key"])}
    elif "postiz" in changes:
        del merged["postiz"]
    profile.tts_settings = merged
    bump_version(profile)
    holds.lift_settings(session, profile.id)


def first_version() -> ColumnElement[int]:
    """For a new profile: above all versions of a deleted one that had the same id.

    Some process may still have a publisher of that one, which has another client's key.
    """
    return cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)


def bump_version(profile: Profile) -> None:
    """Raise the version: publishers of this profile become too old to be used, in all processes."""
    profile.settings_version += 1
    profile.updated_at = func.now()


def connect_account(
    session: Session, profile: Profile, credentials: Credentials | None, probe: Probe | None = None
) -> Account | None:
    """Connect the profile to its credentials' account, and move posts that were never released.

    Posts are not moved while nothing is known of the account: most often the key was only rotated.
    Saving credentials ends a hold on the key; held posts then continue by themselves.
    """
    if credentials is None:
        profile.account_id, profile.key_hash = None, None
        return None
    account = identity.find_or_create_account(session, credentials.found(probe))
    if profile.account_id != account.id and account.integrations_seen_at is not None:
        account_move.move_batch(session, profile.id, account.id)  # the sweep moves the rest
    profile.account_id, profile.key_hash = account.id, credentials.key_hash
    if probe is None or probe.code != "credentials_rejected":
        account.retry_at = None
        holds.release_key(session, account.id, credentials.key_hash)
    session.flush()
    return account


def ensure_account(
    session: Session, profile: Profile, settings: Settings, box: SecretBox
) -> Account:
    """The account of the current credentials; looked up again if the environment's have changed.

    It may wait for another writer, whose changes `profile` then has. Raises what
    `usable_credentials` raises.
    """
    credentials = usable_credentials(profile, settings, box)
    if (own := _own_account(session, profile, _found_with(credentials))) is not None:
        return own
    lock_again(session, profile)
    # as they are now: a PATCH that we have waited for may have saved others
    credentials = usable_credentials(profile, settings, box)
    if (own := _own_account(session, profile, _found_with(credentials))) is not None:
        return own
    account = connect_account(session, profile, credentials)
    assert account is not None  # there are credentials
    bump_version(profile)
    return account


def _found_with(credentials: Credentials | None) -> Found | None:
    return credentials.found() if credentials else None


def usable_credentials(profile: Profile, settings: Settings, box: SecretBox) -> Credentials | None:
    """The current credentials; None if they cannot be decrypted but the profile has an account.

    Work is then accepted for this account, and waits. Raises `NotConfigured` with a hint how to
    configure them, and `SecretUnreadable` if the profile has no account.
    """
    try:
        return require_credentials(profile, settings, box)
    except SecretUnreadable:
        if profile.account_id is None:
            raise
        return None


def recognize_account(session: Session, profile: Profile, found: Found | None) -> Account:
    """The account that `ensure_account` would return if it saved `found`; only reads.

    A new account is in no session. `found` is None if the key cannot be decrypted.
    """
    own = _own_account(session, profile, found)
    if found is None:
        assert own is not None  # else its key could not be used
        return own
    return identity.find_account(session, found, own=own) or identity.unsaved_account(found)


def _own_account(session: Session, profile: Profile, found: Found | None) -> Account | None:
    """The profile's account, if it belongs to the key of `found` (None: to any key)."""
    if profile.account_id is None or (found and found.key_hash != profile.key_hash):
        return None
    return session.get_one(Account, profile.account_id)


def version_of(session: Session | Connection, profile_id: str) -> int | None:
    return session.scalar(select(Profile.settings_version).where(Profile.id == profile_id))


def version_and_base_url(
    session: Session | Connection, profile_id: str
) -> tuple[int, str | None] | None:
    """The data that a publisher of the profile is built from."""
    row = session.execute(version_and_base_url_query(profile_id)).first()
    return (row[0], row[1]) if row else None


def version_and_base_url_query(profile_id: str, *more: ColumnElement[Any]) -> Select[Any]:
    """`settings_version` and `base_url`, and what else is to be read in the same statement."""
    return (
        select(Profile.settings_version, Account.base_url, *more)
        .outerjoin(Account, Account.id == Profile.account_id)
        .where(Profile.id == profile_id)
    )
