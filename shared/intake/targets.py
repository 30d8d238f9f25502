"""The account that a profile's work goes to: created if needed before work is accepted, and only
looked up for a dry run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.accounts import channels
from shared.accounts.identity import Found
from shared.config import Settings
from shared.crypto import SecretBox
from shared.domain.networks.channel import Channel
from shared.errors import NotFound
from shared.models import Account, Profile
from shared.profiles import profile_settings


@dataclass(frozen=True, kw_only=True)
class Target:
    """`channels`: by id, None if the list is not known. `duplicate_window`: the profile's.

    `requires_approval`: of all its posts.
    """

    account: Account
    channels: Mapping[str, Channel] | None
    duplicate_window: timedelta = timedelta(0)
    requires_approval: bool = False

    def can_use(self, wanted: Collection[str]) -> bool:
        """Whether all of them are known, and none is disabled."""
        known = self.channels or {}
        return all(name in known and not known[name].disabled for name in wanted)


def ensure_target(session: Session, profile_id: str, settings: Settings, box: SecretBox) -> Target:
    """Like `ensure_locked_account`, with the account's channels as Postiz last listed them."""
    account, profile = _lock_profile_and_account(session, profile_id, settings, box)
    return _target_of(account, profile, channels.read_channels(session, account))


def ensure_locked_account(
    session: Session, profile_id: str, settings: Settings, box: SecretBox
) -> Account:
    """The account of the profile, created if needed; the profile keeps it until we commit.

    Raises `NotConfigured` with a hint how to configure it, and `Conflict` while the profile is
    being deleted.
    """
    account, _ = _lock_profile_and_account(session, profile_id, settings, box)
    return account


def _lock_profile_and_account(
    session: Session, profile_id: str, settings: Settings, box: SecretBox
) -> tuple[Account, Profile]:
    account = profile_settings.ensure_account(
        session, profile_settings.load_profile(session, profile_id), settings, box
    )
    locked = select(Profile).where(Profile.id == profile_id).with_for_update(read=True)
    held = session.scalar(locked.execution_options(populate_existing=True))
    if held is None or held.account_id is None:
        raise NotFound(f"There is no profile {profile_id!r}")
    profile_settings.require_kept(profile_id, held.deleting_since)
    if held.account_id == account.id:
        return account, held
    return session.get_one(Account, held.account_id), held


def recognize_target(session: Session, profile_id: str, found: Found | None) -> Target:
    """What `ensure_target` would return if it saved `found`; only reads.

    Posts or accounts that would be moved or merged into this account are not counted yet.
    """
    profile = profile_settings.load_profile(session, profile_id)
    account = profile_settings.recognize_account(session, profile, found)
    if found is None or found.listed is None:
        known = channels.read_channels(session, account)
    else:
        known = channels.channels_by_id(found.listed)
    return _target_of(account, profile, known)


def _target_of(account: Account, profile: Profile, known: Mapping[str, Channel] | None) -> Target:
    return Target(
        account=account,
        channels=known,
        duplicate_window=timedelta(hours=profile.duplicate_window_hours),
        requires_approval=profile.requires_approval,
    )
