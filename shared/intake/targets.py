"""Where a profile's work goes: an account is ensured before work is accepted, and only recognised
for a dry run."""

from collections.abc import Mapping
from dataclasses import dataclass

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
    """`channels`: by id, None where no list is to be had."""

    account: Account
    channels: Mapping[str, Channel] | None


def ensure_target(session: Session, profile_id: str, settings: Settings, box: SecretBox) -> Target:
    """As `ensure_locked_account`, with the account's channels as Postiz listed them last."""
    account = ensure_locked_account(session, profile_id, settings, box)
    return Target(account=account, channels=channels.read_channels(session, account))


def ensure_locked_account(
    session: Session, profile_id: str, settings: Settings, box: SecretBox
) -> Account:
    """The account that the profile's work goes to, which no PATCH moves before we commit.

    Raises `NotConfigured` with how to configure it, and `Conflict` while the profile is deleted.
    """
    account = profile_settings.ensure_account(
        session, profile_settings.load_profile(session, profile_id), settings, box
    )
    facts = select(Profile.account_id, Profile.deleting_since).where(Profile.id == profile_id)
    held = session.execute(facts.with_for_update(read=True)).one_or_none()
    if held is None or held.account_id is None:
        raise NotFound(f"There is no profile {profile_id!r}")
    profile_settings.require_kept(profile_id, held.deleting_since)
    if held.account_id == account.id:
        return account
    return session.get_one(Account, held.account_id)


def recognize_target(session: Session, profile_id: str, found: Found | None) -> Target:
    """What `ensure_target` would come to with the list that is `found`; nothing is written.

    What would move to the account, or merge into it, is not counted as the account's yet.
    """
    profile = profile_settings.load_profile(session, profile_id)
    account = profile_settings.recognize_account(session, profile, found)
    if found is None or found.listed is None:
        return Target(account=account, channels=channels.read_channels(session, account))
    return Target(account=account, channels=channels.channels_by_id(found.listed))
