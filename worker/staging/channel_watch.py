"""Channel watch: asks Postiz for its list again while posts wait for a channel."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from shared.accounts import channel_states, holds, identity
from shared.domain.networks.channel_states import ChannelState
from shared.models import Account, Integration, Profile
from shared.profiles.credential_ref import CredentialRef
from worker.accounts import postiz_call
from worker.accounts.eligibility import is_rested
from worker.runtime import Runtime

#: How old the list is when Postiz is asked for it again.
LISTED_AGAIN = timedelta(minutes=2)


def due_accounts_query() -> Select[int]:
    """Accounts with a usable key, and posts that wait for a channel."""
    waited_for = exists().where(
        Integration.account_id == Account.id,
        Integration.state != ChannelState.READY,
        channel_states.is_waited_for(),
    )
    usable = exists().where(Profile.account_id == Account.id, *holds.has_usable_key(Account.id))
    return select(Account.id).where(
        Account.integrations_seen_at <= func.now() - LISTED_AGAIN,
        is_rested(),
        waited_for.correlate(Account),
        usable.correlate(Account),
    )


def find_due_accounts(session: Session) -> Sequence[int]:
    return session.scalars(due_accounts_query()).all()


def watch_channels(runtime: Runtime, account_id: int) -> None:
    """Read the account's list if it is due; channels that can publish again are ready then."""
    with runtime.database.transaction() as session:
        if session.scalar(due_accounts_query().where(Account.id == account_id)) is None:
            return
        usable = select(Profile).where(*holds.has_usable_key(account_id))
        profile = session.scalar(usable.order_by(Profile.id).limit(1))
        if profile is None:
            return
        credentials = CredentialRef.from_profile(profile, account_id)
    rows = postiz_call.read_integrations(runtime, credentials)
    if rows is None:
        return
    with runtime.database.transaction() as session:
        account = session.get_one(Account, account_id)
        identity.remember_integrations(session, account, rows)
